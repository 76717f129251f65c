"""Everything live of one client around a queue in memory and a socket that tests drive, in virtual time.

Example:
    >>> room = Room()
    >>> run = await room.attach(1)
    >>> room.link.push("queue_item_status_changed", status_payload("completed", 1))
    >>> room.link.drop()
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from tests.support.live import FakeQueue, message
from tests.support.virtual_engine import VirtualEngine

from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.mailbox import Mailbox, MailboxClosed
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.socketio_connection import EventHandler
from invokeai_py_client.wire.events import Event


class Connection:
    """An open connection; it knows which queues it is subscribed to."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.queues: list[str] = []

    async def subscribe(self, queue_id: str) -> None:
        self.queues.append(queue_id)

    async def close(self) -> None:
        self.end("closed")

    def end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)


class Link:
    """Opens connections, or fails to as long as there is a `failure`."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.is_hanging = False
        """Whether the server accepts connections, but does not answer."""
        self.connections: list[Connection] = []
        self._on_event: EventHandler | None = None
        self._opened = asyncio.Event()

    async def __call__(self, http: object, on_event: EventHandler, *, is_asked: bool) -> Connection:
        if self.is_hanging:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        self._on_event = on_event
        self.connections.append(Connection())
        self._opened.set()
        return self.connections[-1]

    def push(self, name: str, payload: Any) -> None:
        """Have the server send an event."""
        assert self._on_event is not None
        self._on_event(name, payload, message(name, payload))

    async def drop(self, failure: Exception | None = None) -> None:
        """Break the connection; a new one can be opened unless there is a failure."""
        self.failure = failure
        self.connections[-1].end("the test dropped it")
        await settle()

    async def restore(self) -> None:
        """Let connections be opened again, and wait for one."""
        self.failure = None
        self._opened.clear()
        await asyncio.wait_for(self._opened.wait(), 120)
        await settle()


class Room:
    """A tracker and what is around it."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.queue = FakeQueue()
        self.link = Link()
        self.engine = VirtualEngine()
        if settings is not None:
            self.queue.settings = settings
        self.tracker = tracker_on(self.queue, self.engine, self.link)
        self.listener = self.tracker.listener

    async def attach(self, item_id: int, status: str = "in_progress") -> TrackedRun:
        """Put an item of batch "b" into the queue, and follow it."""
        self.queue.put(item_id, status=status)
        return await self.tracker.attacher.attach("default", item_id=item_id)


def tracker_on(queue: Any, engine: VirtualEngine, link: Link) -> RunTracker:
    """Make a tracker on a queue in memory."""
    queue.credentials = SimpleNamespace(identity=0, on_login=None)
    return RunTracker(queue, engine, open_connection=link)


async def settle() -> None:
    """Let everything run that is ready to."""
    for _ in range(20):
        await asyncio.sleep(0)


def taken(mailbox: Mailbox[Event]) -> list[Event]:
    """Take what is in a mailbox now."""
    try:
        return mailbox.take(0)
    except MailboxClosed:
        return []


def types_in(mailbox: Mailbox[Event]) -> list[str]:
    """Take what is in a mailbox now, and return the types of it."""
    return [event.type for event in taken(mailbox)]
