"""Notices that the server's processor, which runs the queue items, has died while the server itself still answers.

InvokeAI 6.14.2 loses it for good when an item's result cannot be stored or read again, such as a float that is
infinite. The item then stays `in_progress`, reading it is answered with 500, and nothing else is ever run.
"""

from __future__ import annotations

import time

from invokeai_py_client.errors import NotFoundError, ProcessorStoppedError, ServerError
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records.queue import QueueStatus

CONFIRMED_AFTER = 1.0
"""Seconds between two looks that agree, where the item in progress cannot be read either."""

STALLED_FOR = 60.0
"""The same where it can be read: a server may take long to load a big item that it is about to run."""


class ProcessorWatch:
    """Remembers since when the processor has looked dead. Used on the engine only.

    Args:
        http: how to ask.
    """

    def __init__(self, http: Sender) -> None:
        self._http = http
        self._stalled: dict[str, tuple[int | None, float]] = {}

    def is_suspected(self, queue_id: str) -> bool:
        """Return whether the processor looked dead at the last look."""
        return queue_id in self._stalled

    async def check(self, queue_id: str, status: QueueStatus | None = None) -> ProcessorStoppedError | None:
        """Look whether the processor is alive.

        An item is in progress, but nothing is being processed: for a moment that is normal. It is believed after a
        second look, one second later if the item cannot be read either, else one minute later.

        Args:
            queue_id: the queue.
            status: the queue's, if the caller has just asked for it.

        Returns:
            The error that says that the processor has died, if it has.

        Raises:
            InvokeAIError: as any request.
        """
        if status is None:
            status = await self._http.send(queue.get_queue_status(queue_id))
        if status.processor.is_processing or not status.queue.in_progress:
            self._stalled.pop(queue_id, None)
            return None
        now = time.monotonic()
        item_id, since = self._stalled.get(queue_id, (None, now))
        if queue_id not in self._stalled or item_id != status.queue.item_id:
            item_id, since = self._stalled[queue_id] = (status.queue.item_id, now)
        if now - since >= STALLED_FOR:
            return self._stopped(queue_id, item_id)
        if now - since >= CONFIRMED_AFTER and not await self._can_be_read(queue_id, item_id):
            return self._stopped(queue_id, item_id)
        return None

    async def _can_be_read(self, queue_id: str, item_id: int | None) -> bool:
        if item_id is None:
            # A multi-user server does not name another user's item.
            return True
        try:
            await self._http.send(queue.get_queue_item(queue_id, item_id))
        except ServerError as error:
            return error.status != 500
        except NotFoundError:
            pass
        return True

    def _stopped(self, queue_id: str, item_id: int | None) -> ProcessorStoppedError:
        item = "An item" if item_id is None else f"Item {item_id}"
        return ProcessorStoppedError(
            f"The queue processor of {self._http.settings.url} has stopped: {item[0].lower()}{item[1:]} of the queue "
            f"{queue_id!r} is in progress, but nothing is being processed.",
            queue_id=queue_id,
            item_id=item_id,
            hint="Restart the server: it cancels that item and runs the pending ones, which client.run(batch_id=...) "
            "waits for. The server's log says what happened.",
        )
