"""Finds the run that an event belongs to, applies it there, and tells those who wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.live.run_state import RunState
from invokeai_py_client.live.story import Story
from invokeai_py_client.wire.events import BulkChange, Event, ItemEvent, Reconnected, UnknownEvent, decode

REDACTED = "redacted"
"""What a multi-user server puts in place of the ids of items that are not the user's own."""

logger = logging.getLogger("invokeai_py_client.live")


Watcher = Callable[[list[Event]], None]
"""Called on the engine with each burst of events; it must not block."""


class LiveRun:
    """A run that is being followed: its state, those who wait for its end, and those who watch it."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.waiters: set[asyncio.Future[None]] = set()
        self.watchers: list[Watcher] = []
        self.story = Story()
        self.last_heard = time.monotonic()
        self.cancel_asked = False
        self.is_urgent = False
        self.destination: str | None = None
        self.asked = 0
        self._pauses: set[tuple[float, ...]] = set()
        self.failure: InvokeAIError | None = None

    def wants_polling(self, pauses: tuple[float, ...]) -> None:
        """While the socket is down, ask the server about the run after these pauses in seconds; the last repeats."""
        self._pauses.add(pauses)

    def pause(self, default: float) -> float:
        """Seconds until the server is to be asked again."""
        return min((pauses[min(self.asked, len(pauses) - 1)] for pauses in self._pauses), default=default)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be heard of it: it has ended, or following it has failed."""
        return self.state.is_finished or self.failure is not None

    def changed(self, events: list[Event]) -> None:
        """Hand events to the watchers, and end the waits if the run has ended."""
        self.last_heard = time.monotonic()
        self.story.add(events)
        for watcher in [*self.watchers]:
            watcher(events)
        if self.state.is_finished:
            self._release()

    def unwatch(self, watcher: Watcher) -> None:
        """Hand events to this watcher no more."""
        if watcher in self.watchers:
            self.watchers.remove(watcher)

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
        self._runs: dict[str, list[LiveRun]] = {}
        self._queue_watchers: dict[str, list[Watcher]] = {}
        self._bulk_change = bulk_change
        self._needs_details = needs_details
        self._faults: set[str] = set()
        self.received = 0

    def follow(self, state: RunState) -> LiveRun:
        """Follow a run from now on. Do it before the batch is sent: its first events outrun the answer."""
        run = LiveRun(state)
        self._runs.setdefault(state.batch_id, []).append(run)
        return run

    def forget(self, run: LiveRun) -> None:
        """Stop following a run."""
        runs = self._runs.get(run.state.batch_id, [])
        if run in runs:
            runs.remove(run)
            if not runs:
                del self._runs[run.state.batch_id]

    def live(self) -> Iterator[LiveRun]:
        """The runs that have not ended."""
        return iter([run for runs in self._runs.values() for run in runs])

    def followed(self, batch_id: str) -> LiveRun | None:
        """The run of a whole batch, if it is followed."""
        return next((run for run in self._runs.get(batch_id, ()) if run.state.only is None), None)

    def batches_of(self, item_ids: Collection[int]) -> Mapping[int, str]:
        """The batches of those of some items that are followed."""
        wanted = frozenset(item_ids)
        return {item_id: run.state.batch_id for run in self.live() for item_id in run.state.items if item_id in wanted}

    def watch_queue(self, queue_id: str, watcher: Watcher) -> None:
        """Call `watcher` with each event of a queue, whose ever it is."""
        self._queue_watchers.setdefault(queue_id, []).append(watcher)

    def unwatch_queue(self, queue_id: str, watcher: Watcher) -> None:
        """Undo `watch_queue`."""
        watchers = self._queue_watchers.get(queue_id, [])
        if watcher in watchers:
            watchers.remove(watcher)
            if not watchers:
                del self._queue_watchers[queue_id]

    def unwatch_all(self) -> None:
        """Undo every `watch_queue`: who watched belongs to the process that this one was forked from."""
        self._queue_watchers.clear()

    def reconnected(self, seconds: float) -> None:
        """Tell those who watch a queue that its events of so many seconds are missing."""
        for queue_id in [*self._queue_watchers]:
            self._tell_watchers(Reconnected(queue_id=queue_id, seconds=seconds))

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
            self.forget(run)
        elif run.state.lacking_details():
            self._needs_details()

    def _take(self, event: Event) -> None:
        self.received += 1
        self._tell_runs(event)
        self._tell_watchers(event)

    def _tell_watchers(self, event: Event) -> None:
        for watcher in [*self._queue_watchers.get(event.queue_id, ())]:
            watcher([event])

    def _tell_runs(self, event: Event) -> None:
        if isinstance(event, ItemEvent):
            runs = self._runs.get(event.batch_id, ())
            if not runs and event.batch_id == REDACTED:
                runs = [run for run in self.live() if event.item_id in run.state.items]
            for run in [*runs]:
                self.apply(run, run.state.apply_event(event))
        elif isinstance(event, BulkChange):
            self._bulk_change()
        elif isinstance(event, UnknownEvent) and event.fault and event.name not in self._faults:
            self._faults.add(event.name)
            logger.warning("an event of type %r could not be read: %s", event.name, event.fault)
