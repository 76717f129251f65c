"""An event loop whose clock jumps to the next timer when the loop is idle: a simulated week takes milliseconds.

Example:
    >>> @in_virtual_time
    ... async def test_backs_off(caplog):
    ...     began = now()
    ...     await asyncio.sleep(7 * 24 * 3600)
    ...     assert now() - began == 7 * 24 * 3600
"""

from __future__ import annotations

import asyncio
import functools
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, TypeVarTuple
from unittest import mock

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_START = 1_000_000.0
"""What the clock says first; well above 0, so that "long ago" can be expressed."""

_DEADLOCK = 10.0
"""Real seconds without any timer or ready callback after which the test is taken to hang."""


class _JumpingSelector(selectors.SelectSelector):
    """Reports ready files, but advances a virtual clock where a real selector would sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.now = _START
        self.threads = 0
        """How many executor threads are at work: the clock stands still meanwhile."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self.threads:
            # Only another thread can wake the loop: no timer is set, or the clock stands still.
            ready = super().select(_DEADLOCK)
            if not ready:
                raise RuntimeError("the virtual-time loop waits for something that never happens")
            return ready
        self.now += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time. The clock stands still for what runs in executor threads, and for nothing else:
    do not mix real files and other threads with timers.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: asyncio.Future[Any]) -> None:
        self._jumping.threads -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        # Without the time-out of `asyncio.Runner` from Python 3.12 on: the virtual clock would jump to it.
        await super().shutdown_default_executor()


def now() -> float:
    """Return the seconds on the running loop's clock."""
    return asyncio.get_running_loop().time()


def run_in_virtual_time(coro: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a new virtual-time loop, with `time.monotonic()` on the same clock.

    Raises:
        RuntimeError: nothing is scheduled any more, but the coroutine has not ended.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        with mock.patch.object(time, "monotonic", loop.time):
            return runner.run(coro)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make an `async` test, with or without fixtures, run in virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_in_virtual_time(test(*args, **kwargs))

    return run
