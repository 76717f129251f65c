"""The server's queue, as far as control of single items goes."""

from __future__ import annotations

from invokeai_py_client.live.following import Following
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import Blocking, blocking, on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records import QueueItemRecord


class AsyncQueue:
    """The awaited face: `client.aio.queue`."""

    def __init__(self, engine: Engine, http: HttpTransport, following: Following, queue_id: str = "default") -> None:
        self._engine = engine
        self._http = http
        self._following = following
        self.queue_id = queue_id

    @on_engine
    async def get_item(self, item_id: int) -> QueueItemRecord:
        """A queue item with its session, as the server has it now.

        Rests on `GET /api/v1/queue/{queue_id}/i/{item_id}`.

        Raises:
            NotFoundError: the queue has no such item (any more).
        """
        return await self._http.send(queue.get_queue_item(self.queue_id, item_id))

    @on_engine
    async def cancel_item(self, item_id: int) -> QueueItemRecord:
        """Cancel an item; one that has ended stays as it is.

        Rests on `PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel`.

        Returns:
            The item as it is now.

        Raises:
            NotFoundError: the queue has no such item (any more).
        """
        self._following.cancel_asked(item_id=item_id)
        return await self._http.send(queue.cancel_queue_item(self.queue_id, item_id))


class Queue(Blocking[AsyncQueue]):
    """The server's default queue: `client.queue`."""

    get_item = blocking(AsyncQueue.get_item)
    cancel_item = blocking(AsyncQueue.cancel_item)

    @property
    def queue_id(self) -> str:
        """The queue's id."""
        return self.aio.queue_id
