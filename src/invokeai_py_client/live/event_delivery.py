"""Puts events into the mailboxes of their consumers: the events of one run, or all events of a queue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.runtime.mailbox import Mailbox
from invokeai_py_client.wire.events import Event, GeneratorProgress


def tell(
    run: TrackedRun,
    mailbox: Mailbox[Event],
    *,
    item_id: int | None = None,
    types: Collection[str] | None = None,
    closes: bool = False,
) -> None:
    """Put a run's events into a mailbox: past events now, later ones as they arrive.

    Args:
        run: the run.
        mailbox: the consumer's mailbox.
        item_id: only events of this item, and those that belong to no item; None for all.
        types: only events of these types; None for all.
        closes: close the mailbox when the run, or the item, has ended.
    """

    def is_wanted(event: Event) -> bool:
        return (types is None or event.type in types) and (item_id is None or event.get("item_id", item_id) == item_id)

    def is_over() -> bool:
        return run.is_over or (item_id is not None and run.state.is_settled(item_id))

    def watcher(events: list[Event]) -> None:
        for event in events:
            if is_wanted(event):
                mailbox.put(event, key=coalescing_key(event))
        if closes and is_over():
            mailbox.close()
        if mailbox.is_closed or run.is_over:
            run.unwatch(watcher)

    # The backlog does not count against the limits of the mailbox.
    mailbox.put_backlog(event for event in run.history if is_wanted(event))
    if not is_over():
        run.watch(watcher)
        if closes:
            mailbox.when_closed(on_this_loop(lambda: run.unwatch(watcher)))
    elif closes:
        mailbox.close()


class QueueStreams:
    """The mailboxes that receive the events of a queue. Used on the engine only."""

    def __init__(self) -> None:
        self._failures: dict[Mailbox[Event], list[InvokeAIError]] = {}

    def add(self, mailbox: Mailbox[Event]) -> list[InvokeAIError]:
        """Add a mailbox, and return the list to which `end` appends its error."""
        return self._failures.setdefault(mailbox, [])

    def remove(self, mailbox: Mailbox[Event]) -> None:
        """Remove a mailbox, if it is there."""
        self._failures.pop(mailbox, None)

    def end(self, failure: InvokeAIError) -> None:
        """Close all mailboxes because of an error."""
        for mailbox, failures in [*self._failures.items()]:
            failures.append(failure)
            mailbox.close()
        self._failures.clear()

    def clear(self) -> None:
        """Remove all mailboxes without closing them: after a fork their consumers belong to the parent process."""
        self._failures.clear()


def coalescing_key(event: Event) -> tuple[int, str] | None:
    """Return the key under which a newer event may replace this one: one for each node's progress, else None."""
    return (event.item_id, event.invocation_id) if isinstance(event, GeneratorProgress) else None


def on_this_loop(function: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls `function` on the running loop, from any thread, without waiting.

    The returned function does nothing once the loop is closed.
    """
    loop = asyncio.get_running_loop()

    def call() -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(function)

    return call
