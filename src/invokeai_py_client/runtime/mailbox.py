"""A bounded hand-over of items from the engine to one consumer, on another thread or another loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


MOST_WAITING = 100_000
"""How many items may wait for a consumer that does not take them."""

logger = logging.getLogger("invokeai_py_client.handlers")


class MailboxClosed(Exception):
    """Nothing waits, and nothing will come any more."""


@dataclass(slots=True)
class Losses:
    """What slow consumers did not get to see, counted for many mailboxes together."""

    dropped: int = 0
    coalesced: int = 0


class Mailbox(Generic[T]):
    """Holds items until the consumer takes them, all at once. The producer never waits.

    Of the items with a key at most `capacity` wait: beyond it the oldest that a newer one of its key has overtaken goes
    (`coalesced`), or, if each is the latest of its key, the oldest (`dropped`). So a slow consumer sees the latest of
    each, and one that keeps up sees them all. An item without a key is dropped only when `most` items wait, because
    the consumer takes nothing at all: then the oldest goes (`dropped`), and a warning is logged once.

    Args:
        capacity: how many items with a key may wait.
        most: how many items may wait altogether.
        losses: where what is lost is counted beside the mailbox's own count.
    """

    def __init__(self, capacity: int = 256, *, most: int = MOST_WAITING, losses: Losses | None = None) -> None:
        self._losses = Losses() if losses is None else losses
        self._capacity = capacity
        self._most = most
        self._backlog = 0
        self._is_overfull = False
        # One order for all: each item waits in a slot of its own.
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
        """Add an item, from any thread; after `close` it is ignored."""
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
        """Add items that exist elsewhere anyway: they do not count against the limits until they are taken."""
        with self._changed:
            if self._closed:
                return
            for item in items:
                self._waiting[object()] = item
                self._backlog += 1
            self._wake()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will be put: the producer has ended, or the consumer has left."""
        return self._closed

    def close(self) -> None:
        """Nothing more will come: the consumer gets what waits, and then MailboxClosed."""
        with self._changed:
            self._closed = True
            at_close, self._at_close = self._at_close, []
            self._wake()
        for callback in at_close:
            callback()

    def when_closed(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when the mailbox is closed, in whatever thread that is; now if it is closed."""
        with self._changed:
            if not self._closed:
                self._at_close.append(callback)
                return
        callback()

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
                self._waker = _setting(loop, woken)
            try:
                await woken
            finally:
                with self._changed:
                    self._waker = None

    def when_filled(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when something waits or the mailbox is closed; now if that is so already.

        It is called in the thread that puts or closes, and must neither block nor raise.
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
        with contextlib.suppress(RuntimeError):  # the consumer's loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(lambda: None if woken.done() else woken.set_result(None))

    return wake
