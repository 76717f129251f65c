"""A private event loop on one thread, which runs everything that a client does with the network.

Blocking callers hand over a coroutine and wait (`block`); callers on a loop of their own await it (`call`). Either
may come from any thread or loop, at any time, also after a fork. The loop starts with the first use and ends with
`close`, or when the interpreter exits.
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
from typing import Any, Generic, TypeVar

from invokeai_py_client.errors import ClientClosedError, EngineThreadError

T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client")

PATIENCE = 2.0
"""Seconds that a cancelled coroutine, or a closing engine, gets to clean up before it is left to itself."""

_LEAST = 0.05
"""Seconds that each step of a clean-up gets, however late it is."""


class _Work(Generic[T]):
    """One coroutine to hand over, and the future that its caller waits on. Whatever happens, that future ends."""

    def __init__(self, coro: Coroutine[Any, Any, T]) -> None:
        if not asyncio.iscoroutine(coro):
            raise TypeError(f"a coroutine was expected, got {coro!r}")
        self.done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._coro = coro
        self._worker: _Worker | None = None
        self._task: asyncio.Task[T] | None = None
        self._is_unwanted = False

    def hand_to(self, worker: _Worker) -> None:
        """From any thread: run the coroutine there."""
        self._worker = worker
        worker.works.add(self)
        worker.loop.call_soon_threadsafe(self._start)

    def cancel(self) -> None:
        """From any thread, also before it was handed over: the caller no longer wants it."""
        self._is_unwanted = True
        if self._worker is None:
            self._end_unstarted()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, and all its work has ended
            self._worker.loop.call_soon_threadsafe(self._stop)

    def abandon(self) -> None:
        """On the loop, which ends although this has not: nobody shall wait for it any longer."""
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
    """One loop on one thread. It knows no engine, so that an engine that nobody holds can be collected."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.works: set[_Work[Any]] = set()
        self.tasks: set[asyncio.Task[Any]] = set()
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
            raise _closed()
        task = self.loop.create_task(coro, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._log_failure)
        return task

    def begin_to_end(self) -> None:
        """From any thread: whatever was handed over before still starts, and is then cancelled."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self.loop.call_soon_threadsafe(self._end)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._is_over:
                # asyncio lets these two break out of the loop. They are their caller's affair, who gets them from
                # the future like any error, and must not cost all the others their loop.
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
            self.loop.call_later(0.9 * PATIENCE, self._stop)  # if something will not let itself be cancelled

    def _stop(self, _: object = None) -> None:
        self._is_over = True
        self.loop.stop()

    async def _clean_up(self) -> None:
        deadline = self.loop.time() + 0.75 * PATIENCE
        await self._cancel(self.tasks, deadline)
        self._abandon_works()
        while self.cleanups:
            _, cleanup = self.cleanups.popitem()
            try:
                async with asyncio.timeout_at(max(deadline, self.loop.time() + _LEAST)):
                    await cleanup()
            except (Exception, asyncio.CancelledError):
                # Nobody cancels the end itself: this is something cancelled that the clean-up waited for.
                logger.exception("something could not be closed cleanly")
        # What libraries started by themselves, and did not end when they were closed.
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
        name: of its thread.

    Example:
        >>> engine = Engine()
        >>> engine.block(asyncio.sleep(0, "done"))
        'done'
        >>> engine.close()
    """

    def __init__(self, name: str = "invokeai-client") -> None:
        self._name = name
        # Reentrant, since a signal handler that closes the client may interrupt whoever holds it.
        self._lock = threading.RLock()
        self._worker: _Worker | None = None
        self._generation = 0
        self._closed = False
        _ENGINES.add(self)

    @property
    def generation(self) -> int:
        """Which loop this is, counted from 1: it rises after a fork, when what belonged to the old loop is no more."""
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
            coro: the coroutine; it is closed if it cannot be run.

        Returns:
            What it returns; what it raises is raised here.

        Raises:
            EngineThreadError: this is the engine's own thread, which would wait for itself.
            ClientClosedError: the engine is closed, or was meanwhile.
            KeyboardInterrupt: Ctrl-C; the coroutine was cancelled, and given two seconds to clean up.
            concurrent.futures.CancelledError: the coroutine was cancelled from within the engine.
        """
        if self.is_own_thread():
            coro.close()
            raise EngineThreadError(
                "A blocking call was made on the client's own thread.", hint="Await the call under `.aio` there."
            )
        work = _Work(coro)
        try:
            self._hand_over(work)
            return work.done.result()
        except BaseException:
            if not work.done.done():
                # Not the coroutine failed: it could not be handed over, or this thread was interrupted.
                work.cancel()
                concurrent.futures.wait([work.done], timeout=PATIENCE)
            raise
        finally:
            # It holds the error, whose traceback holds this frame: all would stay until the next garbage collection.
            del work

    async def call(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine and await it from any loop; on the engine's own it just runs.

        Cancelling the call cancels the coroutine, and waits at most two seconds for its clean-up.

        Args:
            coro: the coroutine; it is closed if it cannot be run.

        Returns:
            What it returns; what it raises is raised here.

        Raises:
            ClientClosedError: the engine is closed, or was meanwhile.
            asyncio.CancelledError: this call, or from within the engine the coroutine, was cancelled.
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
        """On the engine: run a coroutine in the background until the engine closes.

        An error that ends it is logged.

        Args:
            coro: the coroutine; it is closed if it cannot be run.
            name: of the task, for the log.

        Returns:
            The task. It need not be kept.

        Raises:
            EngineThreadError: this is not the engine's own thread.
            ClientClosedError: the engine is closing.
        """
        try:
            return self._own_worker().spawn(coro, name)
        except BaseException:
            coro.close()
            raise

    def on_close(self, cleanup: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """On the engine: await `cleanup` at close, after all tasks have ended; the last one registered goes first.

        Returns:
            A function that takes it back. A forked child forgets it: what it would close is the parent's.

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
        """End the engine: calls under way raise ClientClosedError, connections are closed. Can be called again.

        Raises:
            EngineThreadError: this is the engine's own thread.
        """
        worker = self._end()
        if worker is not None:
            worker.thread.join(PATIENCE)

    async def aclose(self) -> None:
        """`close`, awaited from any loop but the engine's own.

        Raises:
            EngineThreadError: this is the engine's own thread.
        """
        worker = self._end()
        if worker is not None:
            await asyncio.wait([_ended(worker.ended)], timeout=PATIENCE)
            worker.thread.join(_LEAST)

    def __del__(self) -> None:
        if self._worker is not None and not self._closed:
            warnings.warn(f"{self._name!r} was never closed", ResourceWarning, stacklevel=1, source=self)

    def _hand_over(self, work: _Work[Any]) -> None:
        # All under the lock: work is handed over before the end begins, and will be told of it, or is refused.
        with self._lock:
            if self._closed:
                raise _closed()
            if self._worker is None:
                self._worker = _Worker(self._name)
                self._generation += 1
            work.hand_to(self._worker)

    def _end(self) -> _Worker | None:
        if self.is_own_thread():
            raise EngineThreadError(
                "The client cannot be closed on its own thread.", hint="Close it where it was made."
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
        """In a forked child: the thread is gone, and the lock may have been held by one that is."""
        self._lock = threading.RLock()
        if self._worker is not None:
            # Collecting the loop would close file descriptors that the parent's loop waits on.
            _INHERITED.append(self._worker)
            self._worker = None


def _ended(done: concurrent.futures.Future[Any]) -> asyncio.Future[None]:
    """A future of the running loop that has a result as soon as `done` has ended, however.

    `asyncio.wrap_future` would carry errors that nobody may retrieve, and fail where that loop has closed meanwhile.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(None))

    done.add_done_callback(tell)
    return ended


def _closed() -> ClientClosedError:
    return ClientClosedError("The client is closed.", hint="Make a new one.")


def closed_at_work() -> ClientClosedError:
    """Return the error for work that had begun when the engine was closed."""
    error = ClientClosedError("The client was closed while it was at work on this call.")
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
# Not earlier, as threading's own exit would be: a user's threads that still wait for their runs may finish.
atexit.register(_end_all)


class LoopWatch:
    """Notices that an engine has a new loop: what belonged to the old one, in the parent of a fork, is of no use.

    Args:
        engine: the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._generation = -1

    @property
    def is_stale(self) -> bool:
        """Whether the loop is another one than at the last call of `has_changed`."""
        return self._generation != self._engine.generation

    def has_changed(self) -> bool:
        """Return whether the loop is another one than at the last call; at the first call it is."""
        is_stale, self._generation = self.is_stale, self._engine.generation
        return is_stale
