"""A bounded queue of items from the engine to one consumer on another thread or loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from invokeai_py_client.runtime.engine import NOTICES_CTRL_C

T = TypeVar("T")


MOST_WAITING = 100_000
"""The number of items that may wait for a consumer that does not take any."""

logger = logging.getLogger("invokeai_py_client.handlers")


class MailboxClosed(Exception):
    """No items wait, and no more will come."""


@dataclass(slots=True, eq=False)
class Losses:
    """The numbers of items that slow consumers did not get, for many mailboxes together."""

    dropped: int = 0
    coalesced: int = 0


class Mailbox(Generic[T]):
    """Holds items until the consumer takes them, all at once. The producer never waits.

    At most `capacity` items with a key wait. Beyond that, the oldest item with a newer one of the same key is removed
    (`coalesced`) or, if each is the latest of its key, the oldest item (`dropped`). So a slow consumer gets the latest
    item of each key, and one that keeps up gets all. An item without a key is removed only when `most` items wait,
    because the consumer takes none: then the oldest is removed (`dropped`), and a warning is logged once.

    Args:
        capacity: the number of items with a key that may wait.
        most: the number of all items that may wait.
        losses: counts lost items as well, in addition to the counts of the mailbox.
    """

    def __init__(self, capacity: int = 256, *, most: int = MOST_WAITING, losses: Losses | None = None) -> None:
        self._losses = Losses() if losses is None else losses
        self._capacity = capacity
        self._most = most
        self._backlog = 0
        self._is_overfull = False
        # All items are in one order: each has a separate slot.
        self._waiting: dict[object, T] = {}
        self._keyed: dict[object, Hashable] = {}
        self._of_key: Counter[Hashable] = Counter()
        self._changed = threading.Condition()
        self._waker: Callable[[], None] | None = None
        self._closed = False
        self._at_close: list[Callable[[], None]] = []
        self.dropped = 0
        self.coalesced = 0

    def put(self, item: T, *, key: Hashable | None = None) -> None:
        """Add an item, from any thread. It is ignored after `close`."""
        with self._changed:
            if self._closed:
                return
            slot = object()
            self._waiting[slot] = item
            if key is not None:
                self._keyed[slot] = key
                self._of_key[key] += 1
                if len(self._keyed) > self._capacity:
                    self._make_room()
            if len(self._waiting) > self._most + self._backlog:
                self._drop_oldest()
            self._wake()

    def put_backlog(self, items: Iterable[T]) -> None:
        """Add items that are also kept elsewhere, and so do not count towards the limits."""
        with self._changed:
            if self._closed:
                return
            for item in items:
                self._waiting[object()] = item
                self._backlog += 1
            self._wake()

    @property
    def is_closed(self) -> bool:
        """Whether the producer or the consumer has closed the mailbox."""
        return self._closed

    def close(self) -> None:
        """Accept no more items. The consumer gets those that wait, and then MailboxClosed."""
        with self._changed:
            self._closed = True
            at_close, self._at_close = self._at_close, []
            self._wake()
        for callback in at_close:
            callback()

    def when_closed(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the mailbox is closed, in the thread that closes it; at once if it is closed."""
        with self._changed:
            if not self._closed:
                self._at_close.append(callback)
                return
        callback()

    def take(self, timeout: float | None = None) -> list[T]:
        """Wait in this thread until there are items, and take all of them.

        Args:
            timeout: seconds; None waits without a limit.

        Returns:
            The items in the order in which they were put; an empty list after a timeout.

        Raises:
            MailboxClosed: no items wait, and no more will come.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not (self._waiting or self._closed) and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(min(left, NOTICES_CTRL_C))
            return self._take_all()

    async def take_async(self) -> list[T]:
        """Do the same as `take`, awaited from any loop and without a timeout, for which there is `asyncio.timeout`."""
        while True:
            with self._changed:
                if self._waiting or self._closed:
                    return self._take_all()
                loop = asyncio.get_running_loop()
                woken: asyncio.Future[None] = loop.create_future()
                self._waker = _setting(loop, woken)
            try:
                await woken
            finally:
                with self._changed:
                    self._waker = None

    def when_filled(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when an item waits or the mailbox is closed; at once if that is already the case.

        It is called in the thread that puts or closes, and must not block or raise.
        """
        with self._changed:
            if not self._waiting and not self._closed:
                self._waker = callback
                return
        callback()

    def _drop_oldest(self) -> None:
        slot = next(iter(self._waiting))
        del self._waiting[slot]
        key = self._keyed.pop(slot, None)
        if key is not None:
            self._of_key[key] -= 1
        if not self._is_overfull:
            self._is_overfull = True
            logger.warning(
                "a consumer of events is %d behind; from now on the oldest are dropped. Wait for the run, read the "
                "stream, or unregister the handler",
                self._most,
            )
        self.dropped += 1
        self._losses.dropped += 1

    def _make_room(self) -> None:
        slot = next((slot for slot, key in self._keyed.items() if self._of_key[key] > 1), None)
        if slot is None:
            slot = next(iter(self._keyed))
            self.dropped += 1
            self._losses.dropped += 1
        else:
            self.coalesced += 1
            self._losses.coalesced += 1
        self._of_key[self._keyed.pop(slot)] -= 1
        del self._waiting[slot]

    def _take_all(self) -> list[T]:
        if self._closed and not self._waiting:
            raise MailboxClosed
        items = list(self._waiting.values())
        self._waiting.clear()
        self._keyed.clear()
        self._of_key.clear()
        self._backlog = 0
        return items

    def _wake(self) -> None:
        self._changed.notify()
        if self._waker is not None:
            waker, self._waker = self._waker, None
            waker()


def _setting(loop: asyncio.AbstractEventLoop, woken: asyncio.Future[None]) -> Callable[[], None]:
    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the consumer's loop is closed, so nothing waits there
            loop.call_soon_threadsafe(lambda: None if woken.done() else woken.set_result(None))

    return wake
