"""Call a user's handler with items in order, on the user's loop or in a thread of the user that waits."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from invokeai_py_client.runtime.mailbox import Losses, Mailbox, MailboxClosed

T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client.handlers")


class _Marker:
    """A place in the mailbox, reached when the handler has seen all items before it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.reached: asyncio.Future[None] = loop.create_future()

    def reach(self) -> None:
        """Note that the handler has seen all items before the marker, or will see no more. From any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits there
            self._loop.call_soon_threadsafe(lambda: None if self.reached.done() else self.reached.set_result(None))


class Delivery(Generic[T]):
    """Take items out of a mailbox and call a handler, plain or `async`, with each.

    A handler that is registered while a loop runs is called on that loop. Any other is called by the callers that wait
    (`drain` in a thread, `adopt` on a loop) or, with `own_thread`, on a separate thread, which ends when the mailbox
    is closed. The first exception of a handler is logged; the handler is still called with the next items.

    On a loop, a task exists only while there are items to deliver, so a delivery can be dropped at any time.

    Args:
        handler: called with each item. If it returns an awaitable, that is awaited before the next item.
        own_thread: whether to call the handler on a separate thread if no loop is running.
        losses: counts the items that a slow handler does not receive.
    """

    def __init__(self, handler: Callable[[T], Any], *, own_thread: bool = False, losses: Losses | None = None) -> None:
        self.mailbox: Mailbox[Any] = Mailbox(losses=losses)
        self._handler = handler
        self._is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._taken: deque[Any] = deque()
        self._calling = threading.RLock()
        self._is_calling = False
        self._has_raised = False
        try:
            self.adopt()
        except RuntimeError:
            if own_thread:
                threading.Thread(target=self._call_in_thread, name="invokeai-handler", daemon=True).start()

    def adopt(self) -> None:
        """Call the handler on this thread's running loop from now on, unless another open loop already does.

        Raises:
            RuntimeError: no loop runs in this thread.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None or self._loop.is_closed():
            self._loop = loop
            self._await_items()

    def drain(self) -> None:
        """Call the handler in this thread with all items that are there, unless a loop of another thread calls it."""
        running: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):
            running = asyncio.get_running_loop()
        called_elsewhere = self._loop is not None and not self._loop.is_closed() and self._loop is not running
        if called_elsewhere or (running is not None and self._is_async):
            # A blocked loop cannot run a coroutine. It calls the handler when it is no longer blocked.
            return
        # Several threads may wait for runs of one handler. The lock has it see the items one after another.
        with self._calling:
            if self._is_calling:
                # The handler itself called this.
                return
            self._is_calling = True
            try:
                while self._take():
                    self._call_here(self._taken.popleft())
            finally:
                self._is_calling = False

    async def caught_up(self) -> None:
        """Wait until the handler has seen all current items, if it is called on this loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._task is asyncio.current_task():
            return
        marker = _Marker(loop)
        self.mailbox.put(marker)
        if not self.mailbox.is_closed:
            await marker.reached

    def close(self) -> None:
        """Stop calling the handler."""
        self.mailbox.close()
        with contextlib.suppress(MailboxClosed):
            for item in self.mailbox.take(0):
                if isinstance(item, _Marker):
                    item.reach()

    def _await_items(self) -> None:
        """Start to call the handler on its loop as soon as there is an item."""
        loop = self._loop
        assert loop is not None

        def begin() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed; the next caller that waits calls the handler
                loop.call_soon_threadsafe(self._begin)

        self.mailbox.when_filled(begin)

    def _begin(self) -> None:
        if self._take():
            self._task = asyncio.get_running_loop().create_task(self._call_all(), name="invokeai event handler")
            self._task.add_done_callback(self._called_all)
        elif not self.mailbox.is_closed:
            self._await_items()

    async def _call_all(self) -> None:
        while self._take():
            item = self._taken.popleft()
            if isinstance(item, _Marker):
                item.reach()
            elif not self.mailbox.is_closed:
                await self._call(item)

    def _called_all(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            # The loop is ending. The next caller that waits, in a thread or on another loop, calls the handler.
            self._loop = None
        elif not self.mailbox.is_closed:
            self._await_items()

    def _take(self) -> bool:
        """Move the items of the mailbox to where only this delivery takes them, and return whether there are any."""
        if not self._taken:
            with contextlib.suppress(MailboxClosed):
                self._taken.extend(self.mailbox.take(0))
        return bool(self._taken)

    async def _call(self, item: T) -> None:
        self._is_calling = True
        try:
            result = self._handler(item)
            if inspect.isawaitable(result):
                await result
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # What the handler awaited was cancelled, not the delivery.
            self._tell_once()
        except Exception:
            self._tell_once()
        finally:
            self._is_calling = False

    def _call_in_thread(self) -> None:
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
            logger.exception(
                "the handler %r raised an exception; it is still called, but its further exceptions are not logged",
                self._handler,
            )
