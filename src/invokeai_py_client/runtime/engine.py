"""A private event loop on one thread, which does all network I/O of a client.

Blocking callers pass a coroutine and wait for it (`block`); callers on another loop await it (`call`). Both may be used
from any thread or loop, at any time, also after a fork. The loop starts with the first use and ends with `close`, or
when the interpreter exits.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import logging
import os
import threading
import time
import warnings
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, NoReturn, TypeVar

from invokeai_py_client.errors import ClientClosedError, EngineThreadError

T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client")

PATIENCE = 2.0
"""Seconds that a cancelled coroutine or a closing engine gets to clean up before it is abandoned."""

NOTICES_CTRL_C = 0.2
"""Seconds for which a thread waits at a time. One that waits without end does not notice Ctrl-C if it comes in the
instant before the wait, and on Windows never."""

_LEAST = 0.05
"""Seconds; the minimum time for each step of a clean-up."""


class _Work(Generic[T]):
    """A coroutine and the future that its caller waits for. The future always gets a result or an exception."""

    def __init__(self, coro: Coroutine[Any, Any, T]) -> None:
        if not asyncio.iscoroutine(coro):
            raise TypeError(f"a coroutine was expected, got {coro!r}")
        self.done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._coro = coro
        self._worker: _Worker | None = None
        self._task: asyncio.Task[T] | None = None
        self._is_unwanted = False

    def hand_to(self, worker: _Worker) -> None:
        """Run the coroutine on a worker. May be called from any thread."""
        self._worker = worker
        worker.works.add(self)
        worker.loop.call_soon_threadsafe(self._start)

    def cancel(self) -> None:
        """Cancel the coroutine for its caller. May be called from any thread, also before `hand_to`."""
        self._is_unwanted = True
        if self._worker is None:
            self._end_unstarted()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, and all its work has ended
            self._worker.loop.call_soon_threadsafe(self._stop)

    def abandon(self) -> None:
        """Release the caller although the coroutine has not ended. Called on the loop when it ends."""
        if self._task is None:
            self._coro.close()
        if not self.done.done():
            self.done.set_exception(closed_at_work())

    def _start(self) -> None:
        if not self._is_unwanted:  # else `_stop` is on its way
            assert self._worker is not None
            self._task = self._worker.loop.create_task(self._coro)
            self._worker.tasks.add(self._task)
            self._task.add_done_callback(self._finish)

    def _stop(self) -> None:
        if self._task is None:
            self._end_unstarted()
        else:
            self._task.cancel()

    def _end_unstarted(self) -> None:
        self._coro.close()
        if self._worker is not None:
            self._worker.works.discard(self)
        if not self.done.done():
            self._set_cancelled()

    def _finish(self, task: asyncio.Task[T]) -> None:
        assert self._worker is not None
        self._worker.tasks.discard(task)
        self._worker.works.discard(self)
        error = None if task.cancelled() else task.exception()
        if self.done.done():
            return  # abandoned meanwhile
        if error is not None:
            self.done.set_exception(error)
        elif not task.cancelled():
            self.done.set_result(task.result())
        elif self._worker.is_closing and not self._is_unwanted:
            self.done.set_exception(closed_at_work())
        else:
            self._set_cancelled()

    def _set_cancelled(self) -> None:
        self.done.cancel()
        # Without this `concurrent.futures.wait` would not take it for done.
        self.done.set_running_or_notify_cancel()


class _Worker:
    """One loop on one thread. It does not refer to its engine, so that an unreferenced engine can be collected."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.works: set[_Work[Any]] = set()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.closing: list[Callable[[], None]] = []
        self.cleanups: dict[object, Callable[[], Awaitable[None]]] = {}
        self.is_closing = False
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._is_over = False
        self._ending: asyncio.Task[None] | None = None
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self.thread.start()
        except RuntimeError:
            self.loop.close()
            raise

    def spawn(self, coro: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        if self.is_closing:
            raise closed()
        task = self.loop.create_task(coro, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._log_failure)
        return task

    def begin_to_end(self) -> None:
        """Start to shut down. Work that was handed over is started and cancelled. May be called from any thread."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self.loop.call_soon_threadsafe(self._end)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._is_over:
                # asyncio lets these two stop the loop. Their caller gets them from the future like any other error,
                # and the loop must go on for all other callers.
                with contextlib.suppress(KeyboardInterrupt, SystemExit):
                    self.loop.run_forever()
        finally:
            self._abandon_works()
            self.loop.close()
            self.ended.set_result(None)

    def _end(self) -> None:
        if not self.is_closing:
            self.is_closing = True
            self._ending = self.loop.create_task(self._clean_up())
            self._ending.add_done_callback(self._stop)
            self.loop.call_later(0.9 * PATIENCE, self._stop)  # if something ignores its cancellation

    def _stop(self, _: object = None) -> None:
        self._is_over = True
        self.loop.stop()

    async def _clean_up(self) -> None:
        deadline = self.loop.time() + 0.75 * PATIENCE
        for function in self.closing:
            try:
                function()
            except Exception:
                logger.exception("the end of the engine could not be announced")
        await self._cancel(self.tasks, deadline)
        self._abandon_works()
        while self.cleanups:
            _, cleanup = self.cleanups.popitem()
            try:
                async with asyncio.timeout_at(max(deadline, self.loop.time() + _LEAST)):
                    await cleanup()
            except (Exception, asyncio.CancelledError):
                # The ending itself is never cancelled: the clean-up waited for something that was.
                logger.exception("something could not be closed cleanly")
        # Tasks that libraries started, and did not end when they were closed.
        await self._cancel(asyncio.all_tasks() - {asyncio.current_task()}, deadline)
        await self.loop.shutdown_asyncgens()

    async def _cancel(self, tasks: Iterable[asyncio.Task[Any]], deadline: float) -> None:
        tasks = list(tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=max(_LEAST, deadline - self.loop.time()))

    def _abandon_works(self) -> None:
        while self.works:
            self.works.pop().abandon()

    def _log_failure(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("background task %r ended by an error", task.get_name(), exc_info=error)


class Engine:
    """A private event loop on one thread, started when it is first needed.

    Args:
        name: the name of the thread.

    Example:
        >>> engine = Engine()
        >>> engine.block(asyncio.sleep(0, "done"))
        'done'
        >>> engine.close()
    """

    def __init__(self, name: str = "invokeai-client") -> None:
        self._name = name
        # Reentrant, because a signal handler that closes the client may interrupt the code that holds it.
        self._lock = threading.RLock()
        self._worker: _Worker | None = None
        self._generation = 0
        self._closed = False
        _ENGINES.add(self)

    @property
    def generation(self) -> int:
        """The number of the loop, from 1; 0 before it starts. A forked child gets a new loop and so the next number."""
        return self._generation

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def is_own_thread(self) -> bool:
        """Return whether this is the engine's thread."""
        worker = self._worker
        return worker is not None and threading.current_thread() is worker.thread

    def block(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine and wait for it in this thread.

        Args:
            coro: the coroutine. It is closed if it cannot be run.

        Returns:
            The result of the coroutine. Its exceptions are raised here.

        Raises:
            EngineThreadError: this is the engine's own thread, which would wait for itself.
            ClientClosedError: the engine is closed, or was closed before the coroutine ended.
            KeyboardInterrupt: Ctrl-C. The coroutine was cancelled, and given two seconds to clean up.
            concurrent.futures.CancelledError: The coroutine was cancelled on the engine.
        """
        if self.is_own_thread():
            coro.close()
            raise EngineThreadError(
                "A blocking call was made on the client's own thread.", hint="Await the call under `.aio` there."
            )
        work = _Work(coro)
        try:
            self._hand_over(work)
            return _result_of(work.done)
        except BaseException:
            if not work.done.done():
                # The coroutine was not handed over, or this thread was interrupted.
                work.cancel()
                concurrent.futures.wait([work.done], timeout=PATIENCE)
            raise
        finally:
            # A reference cycle, as it holds the error, whose traceback holds this frame.
            del work

    async def call(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine and await it from any loop. On the engine's own loop it is awaited in place.

        Cancelling the call cancels the coroutine, and waits at most two seconds for its clean-up.

        Args:
            coro: the coroutine. It is closed if it cannot be run.

        Returns:
            The result of the coroutine. Its exceptions are raised here.

        Raises:
            ClientClosedError: the engine is closed, or was closed before the coroutine ended.
            asyncio.CancelledError: This call was cancelled, or the coroutine was cancelled on the engine.
        """
        if self.is_own_thread():
            return await coro
        work = _Work(coro)
        ended = _ended(work.done)
        try:
            self._hand_over(work)
            await asyncio.shield(ended)
            if work.done.cancelled():
                raise asyncio.CancelledError
            return work.done.result()
        except BaseException as error:
            if not work.done.done():
                work.cancel()
                if isinstance(error, asyncio.CancelledError):
                    await asyncio.wait([ended], timeout=PATIENCE)
            raise
        finally:
            del work

    def spawn(self, coro: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run a coroutine in the background until the engine closes. Must be called on the engine.

        An exception that ends the coroutine is logged.

        Args:
            coro: the coroutine. It is closed if it cannot be run.
            name: the name of the task in the log.

        Returns:
            The task. The engine keeps a reference to it.

        Raises:
            EngineThreadError: this is not the engine's own thread.
            ClientClosedError: the engine is closing.
        """
        try:
            return self._own_worker().spawn(coro, name)
        except BaseException:
            coro.close()
            raise

    def when_closing(self, function: Callable[[], None]) -> None:
        """Call `function` when the engine closes, before any task is cancelled. Must be called on the engine.

        `function` must not block. A forked child does not call it.

        Raises:
            EngineThreadError: this is not the engine's own thread.
        """
        self._own_worker().closing.append(function)

    def on_close(self, cleanup: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Await `cleanup` when the engine closes, after all tasks have ended. Must be called on the engine.

        Clean-ups run in reverse order of registration. A forked child does not run them, because the resources belong
        to the parent.

        Returns:
            A function that removes the registration.

        Raises:
            EngineThreadError: this is not the engine's own thread.
        """
        cleanups = self._own_worker().cleanups
        key = object()
        cleanups[key] = cleanup

        def forget() -> None:
            cleanups.pop(key, None)

        return forget

    def close(self) -> None:
        """End the engine. Pending calls raise ClientClosedError, and connections are closed. Can be called again.

        Raises:
            EngineThreadError: this is the engine's own thread.
        """
        worker = self._end()
        if worker is not None:
            worker.thread.join(PATIENCE)

    async def aclose(self) -> None:
        """Do the same as `close`, awaited from any loop except the engine's own.

        Raises:
            EngineThreadError: this is the engine's own thread.
        """
        worker = self._end()
        if worker is not None:
            await asyncio.wait([_ended(worker.ended)], timeout=PATIENCE)
            worker.thread.join(_LEAST)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client, and what belongs to one, cannot be copied or pickled: create one in each process.")

    def __del__(self) -> None:
        if self._worker is not None and not self._closed:
            warnings.warn(f"{self._name!r} was never closed", ResourceWarning, stacklevel=1, source=self)

    def _hand_over(self, work: _Work[Any]) -> None:
        # Under the lock, so that work is either handed over before the shutdown, which ends it, or rejected.
        with self._lock:
            if self._closed:
                raise closed()
            if self._worker is None:
                self._worker = _Worker(self._name)
                self._generation += 1
            work.hand_to(self._worker)

    def _end(self) -> _Worker | None:
        if self.is_own_thread():
            raise EngineThreadError(
                "The client cannot be closed on its own thread.", hint="Close it in the thread or loop that made it."
            )
        with self._lock:
            self._closed = True
            if self._worker is not None:
                self._worker.begin_to_end()
            return self._worker

    def _own_worker(self) -> _Worker:
        worker = self._worker
        if worker is None or threading.current_thread() is not worker.thread:
            raise EngineThreadError("This can only be done on the engine's own thread.", hint="Use block() or call().")
        return worker

    def _after_fork(self) -> None:
        """Reset the lock, which a thread may have held, and the worker, which has no thread in the forked child."""
        self._lock = threading.RLock()
        if self._worker is not None:
            # Collecting the loop would close file descriptors that the parent's loop waits on.
            _INHERITED.append(self._worker)
            self._worker = None


def _result_of(done: concurrent.futures.Future[T]) -> T:
    """Wait in this thread, and return the result."""
    while True:
        try:
            return done.result(NOTICES_CTRL_C)
        except TimeoutError:
            # The coroutine may have raised it.
            if done.done():
                return done.result()


def _ended(done: concurrent.futures.Future[Any]) -> asyncio.Future[None]:
    """Return a future of the running loop that gets a result when `done` is done or cancelled.

    `asyncio.wrap_future` would copy exceptions that may never be retrieved, and fail if the loop has closed meanwhile.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits there
            loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(None))

    done.add_done_callback(tell)
    return ended


def closed() -> ClientClosedError:
    """Return the error for work that cannot begin because the engine is closed."""
    return ClientClosedError("The client is closed.", hint="Make a new client.")


def closed_at_work() -> ClientClosedError:
    """Return the error for work that had begun when the engine was closed."""
    error = ClientClosedError("The client was closed during this call.", hint="Close the client after its last call.")
    error.may_have_been_applied = True
    return error


_ENGINES: weakref.WeakSet[Engine] = weakref.WeakSet()
_INHERITED: list[_Worker] = []


def _forget_all() -> None:
    for engine in list(_ENGINES):
        engine._after_fork()


def _end_all() -> None:
    workers = [worker for engine in list(_ENGINES) if (worker := engine._end()) is not None]
    deadline = time.monotonic() + PATIENCE
    for worker in workers:
        worker.thread.join(max(0.0, deadline - time.monotonic()))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
# Later than the exit of `threading`, so that non-daemon threads of the user can finish waiting for their runs.
atexit.register(_end_all)


class LoopWatch:
    """Detects that an engine has a new loop after a fork, so that what belongs to the parent's loop must be dropped.

    Args:
        engine: the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._generation = -1

    @property
    def is_stale(self) -> bool:
        """Whether the loop has changed since the last call of `has_changed`."""
        return self._generation != self._engine.generation

    def has_changed(self) -> bool:
        """Return whether the loop has changed since the last call. The first call returns True."""
        is_stale, self._generation = self.is_stale, self._engine.generation
        return is_stale
