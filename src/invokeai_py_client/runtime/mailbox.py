"""A bounded hand-over of items from the engine to one consumer, on another thread or another loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class MailboxClosed(Exception):
    """Nothing waits, and nothing will come any more."""


class Mailbox(Generic[T]):
    """Holds items until the consumer takes them, all at once. The producer never waits.

    An item with a key replaces the one of that key that still waits, so a slow consumer sees the latest of each. An
    item without a key is never dropped.

    Args:
        capacity: how many items with a key may wait; beyond it the oldest of them is dropped, and counted.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        # One order for all: an item without a key waits under a key of its own.
        self._waiting: dict[Hashable, T] = {}
        self._keyed: dict[Hashable, None] = {}
        self._changed = threading.Condition()
        self._sleeper: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None
        self._closed = False
        self.dropped = 0
        self.coalesced = 0

    def put(self, item: T, *, key: Hashable | None = None) -> None:
        """Add an item, from any thread; after `close` it is ignored."""
        with self._changed:
            if self._closed:
                return
            if key is None:
                self._waiting[object()] = item
            else:
                self._put_keyed(item, key)
            self._wake()

    def close(self) -> None:
        """Nothing more will come: the consumer gets what waits, and then MailboxClosed."""
        with self._changed:
            self._closed = True
            self._wake()

    def take(self, timeout: float | None = None) -> list[T]:
        """Wait in this thread until there is something, and take it all.

        Args:
            timeout: seconds; None waits as long as it takes.

        Returns:
            The items in the order in which they were last put; nothing after a time-out.

        Raises:
            MailboxClosed: nothing waits, and nothing will come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout)
            return self._take_all()

    async def take_async(self) -> list[T]:
        """`take`, awaited from any loop, without a time-out: `asyncio.timeout` gives it one."""
        while True:
            with self._changed:
                if self._waiting or self._closed:
                    return self._take_all()
                loop = asyncio.get_running_loop()
                woken: asyncio.Future[None] = loop.create_future()
                self._sleeper = (loop, woken)
            try:
                await woken
            finally:
                with self._changed:
                    self._sleeper = None

    def _put_keyed(self, item: T, key: Hashable) -> None:
        slot = ("key", key)
        if slot in self._waiting:
            # Out and in again: it takes the place of the newest, so the order stays that of the last puts.
            del self._waiting[slot], self._keyed[slot]
            self.coalesced += 1
        elif len(self._keyed) >= self._capacity:
            oldest = next(iter(self._keyed))
            del self._waiting[oldest], self._keyed[oldest]
            self.dropped += 1
        self._waiting[slot] = item
        self._keyed[slot] = None

    def _take_all(self) -> list[T]:
        if self._closed and not self._waiting:
            raise MailboxClosed
        items = list(self._waiting.values())
        self._waiting.clear()
        self._keyed.clear()
        return items

    def _wake(self) -> None:
        self._changed.notify()
        if self._sleeper is not None:
            loop, woken = self._sleeper
            self._sleeper = None
            with contextlib.suppress(RuntimeError):  # the consumer's loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(lambda: None if woken.done() else woken.set_result(None))
