"""Finds the runs that an event belongs to, applies it to their states, and notifies their waits and watchers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun, Watcher
from invokeai_py_client.wire.events import (
    BulkChange,
    Event,
    ItemEvent,
    ProgressReport,
    Reconnected,
    UnknownEvent,
    read_event,
)

REDACTED = "redacted"
"""The placeholder that a multi-user server sends for the ids of other users' items."""

logger = logging.getLogger("invokeai_py_client.live")


class Router:
    """All followed runs, indexed by `batch_id` and `item_id`. Used on the engine only.

    The time of all methods but `live` and `reconnected` is independent of the number of runs.

    Args:
        followed: called with each run when it is followed.
        bulk_change: called with each event about many items.
        needs_requests: called when the record of an item must be fetched.
    """

    def __init__(
        self,
        *,
        followed: Callable[[TrackedRun], None],
        bulk_change: Callable[[BulkChange], None],
        needs_requests: Callable[[], None],
    ) -> None:
        self._runs: dict[TrackedRun, None] = {}
        self._urgent: dict[TrackedRun, None] = {}
        self._parts: dict[TrackedRun, None] = {}
        self._of_batch: dict[str, tuple[TrackedRun, ...]] = {}
        self._of_item: dict[int, tuple[TrackedRun, ...]] = {}
        self._queue_watchers: dict[str, list[Watcher]] = {}
        self._followed = followed
        self._bulk_change = bulk_change
        self._needs_requests = needs_requests
        self._faults: set[str] = set()
        self.incomplete: dict[TrackedRun, None] = {}
        """The runs with items whose records must be fetched, or that must be run again."""
        self.received = 0

    def follow(self, state: RunState, *, is_urgent: bool = False) -> TrackedRun:
        """Follow a run from now on. Call it before the batch is sent: the first events may arrive before the response.

        Args:
            state: the state of the run.
            is_urgent: whether submissions of high priority wait for it.
        """
        run = TrackedRun(state)
        self._runs[run] = None
        if is_urgent:
            self._urgent[run] = None
        if state.only is None:
            _add(self._of_batch, state.batch_id, run)
        else:
            self._parts[run] = None
        state.item_added = lambda item_id: _add(self._of_item, item_id, run)
        state.item_removed = lambda item_id: _remove(self._of_item, item_id, run)
        for item_id in state.item_ids():
            state.item_added(item_id)
        self._followed(run)
        return run

    def forget(self, run: TrackedRun) -> None:
        """Stop following a run."""
        if run not in self._runs:
            return
        state = run.state
        del self._runs[run]
        self._urgent.pop(run, None)
        self._parts.pop(run, None)
        self.incomplete.pop(run, None)
        _remove(self._of_batch, state.batch_id, run)
        for item_id in state.item_ids():
            state.item_removed(item_id)
        state.item_added = state.item_removed = _ignore

    def is_followed(self, run: TrackedRun) -> bool:
        """Return whether a run is followed."""
        return run in self._runs

    def live(self) -> Iterator[TrackedRun]:
        """Iterate over a copy of the list of all followed runs."""
        return iter([*self._runs])

    def urgent(self, queue_id: str) -> list[TrackedRun]:
        """Return the urgent runs of a queue."""
        return [run for run in self._urgent if run.state.queue_id == queue_id]

    def followed(self, queue_id: str, batch_id: str) -> TrackedRun | None:
        """Return the followed run of a whole batch, or None."""
        return next((run for run in self._of_batch.get(batch_id, ()) if run.state.queue_id == queue_id), None)

    def having(self, item_id: int) -> list[TrackedRun]:
        """Return the runs that an item belongs to."""
        return [*self._of_item.get(item_id, ())]

    def batches_of(self, item_ids: Collection[int]) -> Mapping[int, str]:
        """Return the batch ids of items, of those that belong to followed runs."""
        return {item_id: run.state.batch_id for item_id in item_ids for run in self._of_item.get(item_id, ())}

    def watch_queue(self, queue_id: str, watcher: Watcher) -> None:
        """Call `watcher` with each event of a queue, including those of other clients' items."""
        self._queue_watchers.setdefault(queue_id, []).append(watcher)

    def unwatch_queue(self, queue_id: str, watcher: Watcher) -> None:
        """Undo `watch_queue`."""
        watchers = self._queue_watchers.get(queue_id, [])
        if watcher in watchers:
            watchers.remove(watcher)
            if not watchers:
                del self._queue_watchers[queue_id]

    def unwatch_all(self) -> None:
        """Undo every `watch_queue`: after a fork the watchers belong to the parent process."""
        self._queue_watchers.clear()

    def reconnected(self, seconds: float) -> None:
        """Notify the watchers of queues that the events of the last `seconds` are missing."""
        for queue_id in [*self._queue_watchers]:
            self._tell_watchers(Reconnected(queue_id=queue_id, seconds=seconds))

    def dispatch(self, name: str, payload: Any, text: str) -> None:
        """Process one message of the socket. Never raises: one bad message must not end the connection.

        Args:
            name: the message's name.
            payload: its JSON, already parsed.
            text: the whole message as it came.
        """
        self.received += 1
        try:
            event = read_event(name, payload, text)
            if isinstance(event, ProgressReport):
                # It ends no run, and no record must be fetched because of it.
                for run in self._runs_of(event):
                    progress = run.state.apply_progress(event)
                    if progress is not None:
                        run.progressed(event, progress)
            else:
                self._tell_runs(event)
            if event.queue_id in self._queue_watchers:
                self._tell_watchers(event.event() if isinstance(event, ProgressReport) else event)
        except Exception:
            if name not in self._faults:
                self._faults.add(name)
                logger.exception(
                    "an event of type %r could not be processed; further failures of it are not logged", name
                )

    def apply(self, run: TrackedRun, events: list[Event]) -> None:
        """Notify the watchers and waits of a run of what an event or record has changed."""
        state = run.state
        if events or state.is_finished:
            run.changed(events)
        if state.is_finished:
            self.forget(run)
        elif state.needs_requests:
            self.incomplete[run] = None
            self._needs_requests()
        else:
            self.incomplete.pop(run, None)

    def _tell_watchers(self, event: Event) -> None:
        for watcher in [*self._queue_watchers.get(event.queue_id, ())]:
            watcher([event])

    def _tell_runs(self, event: Event) -> None:
        if isinstance(event, ItemEvent):
            for run in self._runs_of(event):
                self.apply(run, run.state.apply_event(event))
        elif isinstance(event, BulkChange):
            self._bulk_change(event)
        elif isinstance(event, UnknownEvent) and event.fault and event.name not in self._faults:
            self._faults.add(event.name)
            logger.warning("an event of type %r could not be read: %s", event.name, event.fault)

    def _runs_of(self, event: ItemEvent | ProgressReport) -> Sequence[TrackedRun]:
        batch_id = event.batch_id
        # A batch's first events may come before the server's response names its items.
        runs = self._of_batch.get(batch_id)
        if runs is not None and not self._parts:
            return runs
        of_item = [run for run in self._of_item.get(event.item_id, ()) if batch_id in (run.state.batch_id, REDACTED)]
        return of_item + [run for run in runs or () if run not in of_item]


def _ignore(item_id: int) -> None:
    pass


K = TypeVar("K")


def _add(index: dict[K, tuple[TrackedRun, ...]], key: K, run: TrackedRun) -> None:
    runs = index.get(key, ())
    if run not in runs:
        index[key] = (*runs, run)


def _remove(index: dict[K, tuple[TrackedRun, ...]], key: K, run: TrackedRun) -> None:
    left = tuple(one for one in index.get(key, ()) if one is not run)
    if left:
        index[key] = left
    else:
        index.pop(key, None)
