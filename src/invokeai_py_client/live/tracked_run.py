"""A followed run: its state, the waits for its end, and its watchers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.live.state.event_history import EventHistory
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.wire.events import Event, ItemProgress, ProgressReport

logger = logging.getLogger("invokeai_py_client.live")

Watcher = Callable[[list[Event]], None]
"""Called on the engine with each burst of events. Must not block."""


class Polling:
    """The polling interval of one wait, used while the socket is down.

    Args:
        pauses: seconds before each request; the last is repeated.
    """

    def __init__(self, pauses: tuple[float, ...]) -> None:
        self._pauses = pauses
        self.attempts = 0

    @property
    def pause(self) -> float:
        """Seconds until the next request."""
        return self._pauses[min(self.attempts, len(self._pauses) - 1)]


class TrackedRun:
    """A followed run.

    Args:
        state: the state of the run's items.
    """

    # Thousands may be live. With slots, an event finds all in one place of the memory.
    __slots__ = (
        "__weakref__",
        "_has_watcher_failed",
        "asked_at",
        "cancel_asked",
        "cancels_under_way",
        "destination",
        "due_at",
        "failure",
        "heard_at",
        "history",
        "keeps_history",
        "pollings",
        "state",
        "waiters",
        "wakers",
        "watchers",
    )

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.waiters: set[asyncio.Future[None]] = set()
        # Tuples, as most runs have none, and all share the same empty one.
        self.watchers: tuple[Watcher, ...] = ()
        self.wakers: tuple[Callable[[], None], ...] = ()
        self.history = EventHistory()
        self.keeps_history = True
        """Whether past events are kept for consumers that start late."""
        self.heard_at = self.asked_at = time.monotonic()
        """The times of the last event or record of it, and of the last request about it."""
        self.cancel_asked = False
        """Whether a request to cancel it was sent, and may have been carried out."""
        self.cancels_under_way = 0
        """How many requests to cancel it have no response yet."""
        self.destination: str | None = None
        self.pollings: list[Polling] = []
        self.due_at: float | None = None
        """The time at which the reconciler checks it next."""
        self.failure: InvokeAIError | None = None
        self._has_watcher_failed = False

    def pause(self, default: float) -> float:
        """Return the seconds between two requests about the run while the socket is down.

        The shortest interval of its waits counts; `default` applies if there is no wait.
        """
        return min((polling.pause for polling in self.pollings), default=default)

    @property
    def checked_at(self) -> float:
        """The time of the last event or record of it, or of the last request about it."""
        return max(self.heard_at, self.asked_at)

    def was_asked(self) -> None:
        """Record that a request about the run is being sent."""
        self.asked_at = time.monotonic()
        for polling in self.pollings:
            polling.attempts += 1

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or following it has failed."""
        return self.state.is_finished or self.failure is not None

    def progressed(self, report: ProgressReport, progress: ItemProgress) -> None:
        """Record the progress of a node, and pass it to the watchers as an event."""
        self.heard_at = time.monotonic()
        if self.keeps_history:
            self.history.add_progress(report, progress)
        if self.watchers:
            self._tell_watchers([report.event(progress)])
        for wake in self.wakers:
            wake()

    def changed(self, events: list[Event]) -> None:
        """Record other events, pass them to the watchers, and end the waits if the run has ended."""
        self.heard_at = time.monotonic()
        if self.keeps_history:
            self.history.add(events)
        self._tell_watchers(events)
        for wake in self.wakers:
            wake()
        if self.state.is_finished:
            self._release()

    def watch(self, watcher: Watcher) -> None:
        """Call a watcher with each burst of events from now on."""
        self.watchers = (*self.watchers, watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Remove a watcher, if it is there."""
        self.watchers = tuple(one for one in self.watchers if one != watcher)

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """While the context is open, call `wake` on the engine after each change. It must not block or raise."""
        self.wakers = (*self.wakers, wake)
        try:
            yield
        finally:
            self.wakers = tuple(one for one in self.wakers if one is not wake)

    def fail(self, failure: InvokeAIError) -> None:
        """End the waits with an error, for example when the server no longer accepts the client's token.

        Later failures, which may be a consequence of the first, change nothing.
        """
        if self.failure is not None:
            return
        self.failure = failure
        self._tell_watchers([])
        for wake in self.wakers:
            wake()
        self._release()

    def _tell_watchers(self, events: list[Event]) -> None:
        for watcher in self.watchers:
            try:
                watcher(events)
            except Exception:
                # An error in one watcher must not affect the other watchers or the waits.
                if not self._has_watcher_failed:
                    self._has_watcher_failed = True
                    logger.exception(
                        "a watcher of batch %s failed; further errors of this run's watchers are not logged",
                        self.state.batch_id,
                    )

    def _release(self) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.waiters.clear()
