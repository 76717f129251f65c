"""Calls a user's handler with what comes, in order, where the user is: on a loop, or in a thread that waits."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from invokeai_py_client.runtime.mailbox import Losses, Mailbox, MailboxClosed

T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client.handlers")


class _Marker:
    """Put behind what is to be delivered; done when the handler has seen all before it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.reached: asyncio.Future[None] = loop.create_future()


class Delivery(Generic[T]):
    """Takes items out of a mailbox and calls a handler, plain or `async`, with each.

    A handler made while a loop runs is called on that loop. Another is called by whoever waits (`drain` in a thread,
    `adopt` on a loop), or, with `own_thread`, on a thread of its own. One that raises is logged once, and called
    again all the same.

    Args:
        handler: called with each item; if it returns an awaitable, that is awaited before the next item.
        own_thread: nobody is going to wait.
        losses: where what a slow handler does not get to see is counted.
    """

    def __init__(self, handler: Callable[[T], Any], *, own_thread: bool = False, losses: Losses | None = None) -> None:
        self.mailbox: Mailbox[Any] = Mailbox(losses=losses)
        self._handler = handler
        self._is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
            getattr(handler, "__call__", None)  # noqa: B004 - an object whose call is a coroutine
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pump_task: asyncio.Task[None] | None = None
        self._has_raised = False
        try:
            self.adopt()
        except RuntimeError:
            if own_thread:
                threading.Thread(target=self._pump_thread, name="invokeai-handler", daemon=True).start()

    def adopt(self) -> None:
        """Call the handler on this thread's running loop from now on, unless another living loop does.

        Raises:
            RuntimeError: no loop runs in this thread.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None or self._loop.is_closed() or self._pump_task is None or self._pump_task.done():
            self._loop = loop
            self._pump_task = loop.create_task(self._pump(), name="invokeai event handler")

    def drain(self) -> None:
        """Call the handler here and now with all that waits, unless a loop of another thread does."""
        running: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):
            running = asyncio.get_running_loop()
        pumped_elsewhere = self._loop is not None and not self._loop.is_closed() and self._loop is not running
        if pumped_elsewhere or (running is not None and self._is_async):
            # A loop that is blocked cannot run a coroutine; it will do so when it is free.
            return
        with contextlib.suppress(MailboxClosed):
            for item in self.mailbox.take(0):
                self._call_here(item)

    async def caught_up(self) -> None:
        """Wait until the handler has seen what is there now, if it is called on this loop."""
        task, loop = self._pump_task, asyncio.get_running_loop()
        if self._loop is not loop or task is None or task.done() or task is asyncio.current_task():
            return
        marker = _Marker(loop)
        self.mailbox.put(marker)
        await asyncio.wait([marker.reached, task], return_when=asyncio.FIRST_COMPLETED)

    def close(self) -> None:
        """Call the handler no more."""
        self.mailbox.close()
        with contextlib.suppress(MailboxClosed):
            self.mailbox.take(0)

    async def _pump(self) -> None:
        with contextlib.suppress(MailboxClosed):
            while True:
                for item in await self.mailbox.take_async():
                    if isinstance(item, _Marker):
                        if not item.reached.done():
                            item.reached.set_result(None)
                    elif not self.mailbox.is_closed:
                        await self._call(item)

    async def _call(self, item: T) -> None:
        try:
            result = self._handler(item)
            if inspect.isawaitable(result):
                await result
        except Exception:
            self._tell_once()

    def _pump_thread(self) -> None:
        with contextlib.suppress(MailboxClosed):
            while True:
                for item in self.mailbox.take():
                    self._call_here(item)

    def _call_here(self, item: T | _Marker) -> None:
        if isinstance(item, _Marker) or self.mailbox.is_closed:
            return
        if self._is_async:
            asyncio.run(self._call(item))
            return
        try:
            self._handler(item)
        except Exception:
            self._tell_once()

    def _tell_once(self) -> None:
        if not self._has_raised:
            self._has_raised = True
            logger.exception("the handler %r raised; it is called on, but no more of it is logged", self._handler)
