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
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from invokeai_py_client.errors import ClientClosedError, EngineThreadError

T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client")

PATIENCE = 2.0
"""Seconds that a cancelled coroutine, or a closing engine, gets to clean up before it is left to itself."""


class _Work(Generic[T]):
    """One coroutine that was handed over, and the future that its caller waits on."""

    def __init__(self, worker: _Worker, coro: Coroutine[Any, Any, T]) -> None:
        self.done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._worker = worker
        self._coro = coro
        self._task: asyncio.Task[T] | None = None
        self._is_unwanted = False

    def start(self) -> None:
        """On the loop: run the coroutine, unless its caller has given up already."""
        if self._is_unwanted:
            self._coro.close()
            self._finish_cancelled()
            return
        self._task = self._worker.loop.create_task(self._coro)
        self._worker.tasks.add(self._task)
        self._task.add_done_callback(self._finish)

    def cancel(self) -> None:
        """From any thread: the caller no longer wants it."""
        self._is_unwanted = True
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the task with it
            self._worker.loop.call_soon_threadsafe(self._cancel_task)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _finish(self, task: asyncio.Task[T]) -> None:
        self._worker.tasks.discard(task)
        if task.cancelled():
            if self._worker.is_closing and not self._is_unwanted:
                self.done.set_exception(ClientClosedError("The client was closed while it was at work on this call."))
            else:
                self._finish_cancelled()
        elif (error := task.exception()) is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(task.result())

    def _finish_cancelled(self) -> None:
        self.done.cancel()
        # Without this `concurrent.futures.wait` would not take it for done.
        self.done.set_running_or_notify_cancel()


class _Worker:
    """One loop on one thread. It knows no engine, so that an engine that nobody holds can be collected."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.cleanups: list[Callable[[], Awaitable[None]]] = []
        self.is_closing = False
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self.thread.start()
        except RuntimeError:
            self.loop.close()
            raise

    def submit(self, coro: Coroutine[Any, Any, T]) -> _Work[T]:
        work = _Work(self, coro)
        self.loop.call_soon_threadsafe(work.start)
        return work

    def spawn(self, coro: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self.loop.create_task(coro, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._log_failure)
        return task

    def begin_to_end(self) -> None:
        """From any thread: whatever was submitted before still starts, and is then cancelled."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self.loop.call_soon_threadsafe(self._end)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()
            self.ended.set_result(None)

    def _end(self) -> None:
        if not self.is_closing:
            self.is_closing = True
            self._ending = self.loop.create_task(self._clean_up())

    async def _clean_up(self) -> None:
        deadline = time.monotonic() + 0.75 * PATIENCE
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=max(0.0, deadline - time.monotonic()))
        for cleanup in reversed(self.cleanups):
            try:
                async with asyncio.timeout(max(0.05, deadline - time.monotonic())):
                    await cleanup()
            except Exception:
                logger.exception("something could not be closed cleanly")
        self.loop.stop()

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
        self._lock = threading.Lock()
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
        """
        worker = self._worker_for(coro)
        if threading.current_thread() is worker.thread:
            coro.close()
            raise EngineThreadError(
                "A blocking call was made on the client's own thread.", hint="Await the call under `.aio` there."
            )
        work = worker.submit(coro)
        try:
            return work.done.result()
        except BaseException:
            if not work.done.done():
                # Not the coroutine failed but this thread was interrupted.
                work.cancel()
                concurrent.futures.wait([work.done], timeout=PATIENCE)
            raise

    async def call(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine and await it from any loop; on the engine's own it just runs.

        Cancelling the call cancels the coroutine, and waits at most two seconds for its clean-up.

        Args:
            coro: the coroutine; it is closed if it cannot be run.

        Returns:
            What it returns; what it raises is raised here.

        Raises:
            ClientClosedError: the engine is closed, or was meanwhile.
        """
        worker = self._worker_for(coro)
        if asyncio.get_running_loop() is worker.loop:
            return await coro
        work = worker.submit(coro)
        done = asyncio.wrap_future(work.done)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([done], timeout=PATIENCE)
            raise

    def spawn(self, coro: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """On the engine: run a coroutine in the background until the engine closes.

        An error that ends it is logged.
        """
        return self._own_worker().spawn(coro, name)

    def on_close(self, cleanup: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """On the engine: await `cleanup` at close, after all tasks have ended; the last one registered goes first.

        Returns:
            A function that takes it back. A forked child forgets it: what it would close is the parent's.
        """
        cleanups = self._own_worker().cleanups
        cleanups.append(cleanup)

        def forget() -> None:
            if cleanup in cleanups:
                cleanups.remove(cleanup)

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
        """`close`, awaited from any loop but the engine's own."""
        worker = self._end()
        if worker is not None:
            await asyncio.wait([asyncio.wrap_future(worker.ended)], timeout=PATIENCE)
            worker.thread.join(0.1)

    def __del__(self) -> None:
        if self._worker is not None and not self._closed:
            warnings.warn(f"{self._name!r} was never closed", ResourceWarning, stacklevel=1, source=self)

    def _end(self) -> _Worker | None:
        with self._lock:
            self._closed = True
            worker = self._worker
        if worker is not None:
            if threading.current_thread() is worker.thread:
                raise EngineThreadError(
                    "The client cannot be closed on its own thread.", hint="Close it where it was made."
                )
            worker.begin_to_end()
        return worker

    def _worker_for(self, coro: Coroutine[Any, Any, Any]) -> _Worker:
        try:
            with self._lock:
                if self._closed:
                    raise ClientClosedError("The client is closed.", hint="Make a new one.")
                if self._worker is None:
                    self._worker = _Worker(self._name)
                    self._generation += 1
                return self._worker
        except BaseException:
            coro.close()
            raise

    def _own_worker(self) -> _Worker:
        worker = self._worker
        if worker is None or threading.current_thread() is not worker.thread:
            raise EngineThreadError("This can only be done on the engine's own thread.", hint="Use block() or call().")
        return worker

    def _after_fork(self) -> None:
        """In a forked child: the thread is gone, and the lock may have been held by one that is."""
        self._lock = threading.Lock()
        if self._worker is not None:
            # Collecting the loop would close file descriptors that the parent's loop waits on.
            _INHERITED.append(self._worker)
            self._worker = None


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
atexit.register(_end_all)
