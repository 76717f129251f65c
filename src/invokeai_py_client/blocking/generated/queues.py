# Generated from repositories/queue/queue.py by scripts/generate_blocking.py. Do not edit.
"""`Queues`: the methods of `AsyncQueues`, blocking."""

from __future__ import annotations

from invokeai_py_client.blocking.generated.queue import Queue
from invokeai_py_client.repositories.queue.queue import AsyncQueues
from invokeai_py_client.runtime.twins import Blocking


class Queues(Blocking[AsyncQueues]):
    """The server's queues: `client.queue_repo`, awaited `client.aio.queue_repo`."""

    def list_queues(self) -> list[str]:
        """Return the ids of the queues that every server has. The server creates any other queue on first use."""
        return self._aio.list_queues()

    def get_queue(self, queue_id: str = "default") -> Queue:
        """Return the queue with an id."""
        return Queue(self._aio.get_queue(queue_id))
