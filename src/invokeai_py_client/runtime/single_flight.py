"""One fetch for all callers that request the same thing at the same time."""

from __future__ import annotations

import asyncio
import copy
import math
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from invokeai_py_client.runtime.engine import Engine, LoopWatch

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """A cached result. Callers that request it while it is being fetched share the fetch. Used on the engine only.

    Cancelling a caller does not affect the others; the fetch is cancelled with its last caller. A failure is raised in
    every caller that waited for it, as a separate copy, and is not cached. After a fork the child keeps the result and
    starts separate fetches.

    Args:
        engine: the engine that this is used on.
    """

    def __init__(self, engine: Engine) -> None:
        self._loop = LoopWatch(engine)
        self._flight: _Flight[T] | None = None
        self._kept: _Flight[T] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no fetch is running."""
        return self._flight is None

    def forget(self) -> None:
        """Drop the result. A running fetch still serves its callers, and its result is then dropped too."""
        self._flight = self._kept = None

    async def get(self, fetch: Callable[[], Awaitable[T]], *, max_age: float = math.inf) -> T:
        """Return the result, fetching it if none is recent enough.

        Args:
            fetch: fetches the result; called if no fetch is running.
            max_age: seconds; the fetch of the returned result began at most this long before the call. With 0, a fetch
                that is already running is waited for, and then all callers that waited share a new one.

        Raises:
            Exception: whatever `fetch` raises.
        """
        if self._loop.has_changed():
            # A fetch that was running when this process was forked belongs to the parent's loop.
            self._flight = None
        oldest = time.monotonic() - max_age
        while True:
            if self._kept is not None and self._kept.began >= oldest:
                return self._kept.task.result()
            if self._flight is None:
                self._flight = _Flight(fetch, self._landed)
            flight = self._flight
            await flight.join()
            if flight.began >= oldest and not flight.task.cancelled():
                return flight.result()

    def _landed(self, flight: _Flight[T]) -> None:
        if self._flight is flight:
            self._flight = None
            if flight.error() is None:
                self._kept = flight


class _Flight(Generic[T]):
    """One running fetch and the number of callers that wait for it."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], landed: Callable[[_Flight[T]], None]) -> None:
        self.waiting = 0
        # Before the fetch has started, it is newer than any call.
        self.began = math.inf
        self.task = asyncio.get_running_loop().create_task(self._run(fetch))
        self.task.add_done_callback(lambda _: landed(self))

    async def _run(self, fetch: Callable[[], Awaitable[T]]) -> T:
        self.began = time.monotonic()
        return await fetch()

    async def join(self) -> None:
        """Wait until the fetch has ended, however it ends."""
        self.waiting += 1
        try:
            await asyncio.wait([self.task])
        except asyncio.CancelledError:
            if self.waiting == 1 and not self.task.done():
                self.task.cancel()
                await asyncio.wait([self.task])
            raise
        finally:
            self.waiting -= 1

    def error(self) -> BaseException | None:
        """Return the failure of the fetch, and mark it as retrieved, so that asyncio does not report it."""
        return asyncio.CancelledError() if self.task.cancelled() else self.task.exception()

    def result(self) -> T:
        """Return the result, or raise a copy of the failure: raising one exception many times grows its traceback."""
        error = self.task.exception()
        if error is not None:
            raise copy.copy(error)
        return self.task.result()
