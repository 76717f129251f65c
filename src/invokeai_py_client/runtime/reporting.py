"""Long work that reports its progress: the callback is called where the caller is, never on the engine.

The work is a coroutine method with a keyword argument `progress_callback`. On the engine it gets a function that only
hands the report over; `reporting` makes of it the awaited face, `blocking_reporting` the blocking one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from invokeai_py_client.errors import ClientClosedError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Mailbox, MailboxClosed
from invokeai_py_client.runtime.twins import HasEngine, read_awaited, read_blocking

P = ParamSpec("P")
S = TypeVar("S", bound=HasEngine)
T = TypeVar("T")

_NOT_AWAITED = "progress_callback is an async function, which nobody would await: use client.aio for it"


def reporting(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a method run on its object's engine; `progress_callback`, plain or `async`, is called on the caller's loop.

    What it raises ends the work, and is raised.
    """
    coroutine: Callable[..., Coroutine[Any, Any, T]] = method

    @functools.wraps(method)
    async def awaited(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        callback = _checked(kwargs.pop("progress_callback", None))
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
                    answer = callback(report)
                    if inspect.isawaitable(answer):
                        await answer
        except MailboxClosed:
            return work.result()
        except BaseException:
            await self._engine.call(work.end())
            raise

    return awaited


def blocking_reporting(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    """The blocking face of a method made by `reporting`: `progress_callback` is called in the thread that waits."""
    coroutine: Callable[..., Coroutine[Any, Any, T]] = inspect.unwrap(method)

    @functools.wraps(method)
    def face(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        aio = self.aio
        engine: Engine = aio._engine
        callback = _checked(kwargs.pop("progress_callback", None))
        if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(type(callback).__call__):
            raise TypeError(_NOT_AWAITED)
        read_args, read_kwargs = read_blocking(args, kwargs)
        work = _Work(engine, lambda report: coroutine(aio, *read_args, **{**read_kwargs, "progress_callback": report}))
        if callback is None:
            return engine.block(work.coroutine())
        try:
            engine.block(work.begin())
            while True:
                for report in work.reports.take():
                    answer = callback(report)
                    if inspect.iscoroutine(answer):
                        answer.close()
                        raise TypeError(_NOT_AWAITED)
        except MailboxClosed:
            return work.result()
        except BaseException:
            engine.block(work.end())
            raise

    del face.__dict__["__wrapped__"]
    face.__dict__["__signature__"] = inspect.signature(coroutine)
    return face


def _checked(callback: object) -> Callable[[Any], Any] | None:
    """A callback, before anything is begun.

    Raises:
        TypeError: it cannot be called.
    """
    if callback is None or callable(callback):
        return callback
    raise TypeError(f"progress_callback is a function, not {type(callback).__name__}")


class _Work(Generic[T]):
    """One piece of work, with what it reports and what became of it. A slow callback sees the latest report."""

    def __init__(self, engine: Engine, make: Callable[[Callable[[Any], None]], Coroutine[Any, Any, T]]) -> None:
        self._engine = engine
        self._make = make
        self._task: asyncio.Task[None] | None = None
        self._outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        self.reports: Mailbox[Any] = Mailbox(capacity=1)

    def coroutine(self) -> Coroutine[Any, Any, T]:
        """The work, reporting to nobody."""
        return self._make(lambda _: None)

    async def begin(self) -> None:
        """On the engine: begin it in the background."""
        self._task = self._engine.spawn(self._run(), name="work that reports")

    async def end(self) -> None:
        """On the engine: cancel it, and wait for its clean-up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            self._outcome.set_result(await self._make(lambda report: self.reports.put(report, key="latest")))
        except Exception as error:
            self._outcome.set_exception(error)
        except BaseException:
            self._outcome.set_exception(ClientClosedError("The client was closed while it was at work on this call."))
            raise
        finally:
            self.reports.close()

    def result(self) -> T:
        """What it returned; what it raised is raised."""
        return self._outcome.result()
