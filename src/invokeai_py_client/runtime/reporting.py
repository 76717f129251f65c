"""Long-running methods with a progress callback, which is called in the caller's thread or loop, not on the engine.

The work is a coroutine method with a keyword argument `progress_callback`. On the engine it receives a function that
only passes the report on. `reporting` makes the awaited method of it; the blocking method calls `block_reporting`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from invokeai_py_client.errors import ClientClosedError
from invokeai_py_client.runtime.engine import Engine, closed_at_work
from invokeai_py_client.runtime.mailbox import Mailbox, MailboxClosed
from invokeai_py_client.runtime.twins import HasEngine, read_awaited

P = ParamSpec("P")
S = TypeVar("S", bound=HasEngine)
T = TypeVar("T")

_NOT_AWAITED = (
    "progress_callback is an async function, which a blocking method cannot await. Use the method under `.aio`."
)


def reporting(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a method run on its object's engine, and call `progress_callback`, plain or `async`, on the caller's loop.

    An exception of the callback cancels the work and is raised.
    """
    coroutine: Callable[..., Coroutine[Any, Any, T]] = method

    @functools.wraps(method)
    async def awaited(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        callback = checked_callback(kwargs.pop("progress_callback", None))
        if self._engine.is_own_thread():
            return await coroutine(self, *args, **{**kwargs, "progress_callback": callback or _ignore})
        read_args, read_kwargs = await read_awaited(args, kwargs)
        work = _Work(
            self._engine,
            lambda report: coroutine(self, *read_args, **{**read_kwargs, "progress_callback": report}),
        )
        if callback is None:
            return await self._engine.call(work.coroutine())
        try:
            await self._engine.call(work.begin())
            while True:
                for report in await work.reports.take_async():
                    returned = callback(report)
                    if inspect.isawaitable(returned):
                        await returned
        except MailboxClosed:
            return work.result()
        except BaseException:
            with contextlib.suppress(ClientClosedError):  # the work has ended with the engine
                await self._engine.call(work.end())
            raise

    return awaited


def block_reporting(
    engine: Engine,
    make: Callable[[Callable[[Any], object]], Coroutine[Any, Any, T]],
    progress_callback: Callable[[Any], object] | None,
) -> T:
    """Run a coroutine on the engine, wait for it, and call `progress_callback` in this thread with what it reports.

    Args:
        engine: the engine.
        make: makes the coroutine from the function that takes the reports.
        progress_callback: a plain function. An exception that it raises cancels the work and is raised.

    Raises:
        TypeError: `progress_callback` is not a function, or is an async function.
    """
    callback = plain_callback(progress_callback)
    work = _Work(engine, make)
    if callback is None:
        return engine.block(work.coroutine())
    try:
        engine.block(work.begin())
        while True:
            for report in work.reports.take():
                callback(report)
    except MailboxClosed:
        return work.result()
    except BaseException:
        with contextlib.suppress(ClientClosedError):  # the work has ended with the engine
            engine.block(work.end())
        raise


def plain_callback(callback: object) -> Callable[[Any], None] | None:
    """Return a function that calls a callback in this thread.

    Raises:
        TypeError: it cannot be called, or is an async function. The returned function raises this if the callback
            returns a coroutine.
    """
    function = checked_callback(callback)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        raise TypeError(_NOT_AWAITED)
    if function is None:
        return None

    def call(report: Any) -> None:
        returned = function(report)
        if inspect.iscoroutine(returned):
            returned.close()
            raise TypeError(_NOT_AWAITED)

    return call


def checked_callback(callback: object) -> Callable[[Any], Any] | None:
    """Return a callback, which may be an async function, as it is.

    Raises:
        TypeError: it cannot be called.
    """
    if callback is None or callable(callback):
        return callback
    raise TypeError(f"progress_callback must be a function, not {type(callback).__name__}")


def _ignore(_: object) -> None:
    """Drop a report."""


class _Work(Generic[T]):
    """One call of a method with its reports and its outcome. A slow callback gets only the latest report."""

    def __init__(self, engine: Engine, make: Callable[[Callable[[Any], None]], Coroutine[Any, Any, T]]) -> None:
        self._engine = engine
        self._make = make
        self._task: asyncio.Task[None] | None = None
        self._outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        self.reports: Mailbox[Any] = Mailbox(capacity=1)

    def coroutine(self) -> Coroutine[Any, Any, T]:
        """Return the work as a coroutine that drops its reports."""
        return self._make(_ignore)

    async def begin(self) -> None:
        """Start the work in the background. Must be called on the engine."""
        self._task = self._engine.spawn(self._run(), name="work that reports")

    async def end(self) -> None:
        """Cancel the work, and wait for its clean-up. Must be called on the engine."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            self._outcome.set_result(await self._make(lambda report: self.reports.put(report, key="latest")))
        except Exception as error:
            self._outcome.set_exception(error)
        except BaseException:
            self._outcome.set_exception(closed_at_work())
            raise
        finally:
            self.reports.close()

    def result(self) -> T:
        """Return what the work returned, or raise what it raised."""
        return self._outcome.result()
