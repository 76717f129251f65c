"""Finds the run that an event belongs to, applies it there, and tells those who wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.live.run_state import RunState
from invokeai_py_client.wire.events import BulkChange, Event, ItemEvent, UnknownEvent, decode

REDACTED = "redacted"
"""What a multi-user server puts in place of the ids of items that are not the user's own."""

logger = logging.getLogger("invokeai_py_client.live")


class LiveRun:
    """A run that is being followed: its state, those who wait for its end, and those who watch it."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.waiters: set[asyncio.Future[None]] = set()
        self.watchers: list[Callable[[list[Event]], None]] = []
        self.last_heard = time.monotonic()
        self.poll_interval: float | None = None
        self.failure: InvokeAIError | None = None

    def wants_polling_every(self, seconds: float) -> None:
        """While the socket is down, ask the server this often about the run."""
        self.poll_interval = seconds if self.poll_interval is None else min(seconds, self.poll_interval)

    def changed(self, events: list[Event]) -> None:
        """Hand events to the watchers, and end the waits if the run has ended."""
        self.last_heard = time.monotonic()
        for watcher in [*self.watchers]:
            watcher(events)
        if self.state.is_finished:
            self._release()

    def fail(self, failure: InvokeAIError) -> None:
        """End the waits with an error, for example when the server no longer accepts the client's token."""
        self.failure = failure
        for watcher in [*self.watchers]:
            watcher([])
        self._release()

    def _release(self) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.waiters.clear()


class Router:
    """All runs being followed, found by `batch_id`, else by `item_id`. Used on the engine only.

    Args:
        bulk_change: called for an event that tells of many items at once and of none in particular.
        needs_details: called when an item has ended whose events may not all have been seen.
    """

    def __init__(self, *, bulk_change: Callable[[], None], needs_details: Callable[[], None]) -> None:
        self._runs: dict[str, LiveRun] = {}
        self._bulk_change = bulk_change
        self._needs_details = needs_details
        self._faults: set[str] = set()

    def follow(self, state: RunState) -> LiveRun:
        """Follow a run from now on. Do it before the batch is sent: its first events outrun the answer."""
        run = self._runs[state.batch_id] = LiveRun(state)
        return run

    def forget(self, batch_id: str) -> None:
        """Stop following a run."""
        self._runs.pop(batch_id, None)

    def live(self) -> Iterator[LiveRun]:
        """The runs that have not ended."""
        return iter([*self._runs.values()])

    def dispatch(self, name: str, payload: Any) -> None:
        """Take in one message of the socket. It never raises: one bad message must not end the connection."""
        try:
            self._take(decode(name, payload))
        except Exception:
            if name not in self._faults:
                self._faults.add(name)
                logger.exception("an event of type %r could not be taken in; more of this kind are not logged", name)

    def apply(self, run: LiveRun, events: list[Event]) -> None:
        """Tell a run's watchers and waiters what an event or snapshot has changed."""
        if not events:
            return
        run.changed(events)
        if run.state.is_finished:
            self.forget(run.state.batch_id)
        elif run.state.lacking_details():
            self._needs_details()

    def _take(self, event: Event) -> None:
        if isinstance(event, ItemEvent):
            run = self._runs.get(event.batch_id)
            if run is None and event.batch_id == REDACTED:
                run = self._by_item(event.item_id)
            if run is not None:
                self.apply(run, run.state.apply_event(event))
        elif isinstance(event, BulkChange):
            self._bulk_change()
        elif isinstance(event, UnknownEvent) and event.fault and event.name not in self._faults:
            self._faults.add(event.name)
            logger.warning("an event of type %r could not be read: %s", event.name, event.fault)

    def _by_item(self, item_id: int) -> LiveRun | None:
        return next((run for run in self._runs.values() if item_id in run.state.items), None)
