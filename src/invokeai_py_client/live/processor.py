"""Detects that the server's queue processor has died while the server still responds.

In InvokeAI 6.14.2 it dies when the result of an item, such as an infinite float, cannot be stored or read again. The
item then stays `in_progress`, requests for it are answered with 500, and no other item is run.
"""

from __future__ import annotations

import time

from invokeai_py_client.errors import NotFoundError, ProcessorStoppedError, ServerError
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records.queue import QueueStatus

CONFIRMED_AFTER = 1.0
"""Seconds between two checks with the same result, if the item in progress cannot be read either."""

STALLED_FOR = 60.0
"""The same if it can be read: a server may take long to load a large item before it runs it."""


class ProcessorWatch:
    """Tracks since when the processor seems to have died. Used on the engine only.

    Args:
        http: sends the requests.
    """

    def __init__(self, http: Sender) -> None:
        self._http = http
        self._stalled: dict[str, tuple[int | None, float]] = {}

    def is_suspected(self, queue_id: str) -> bool:
        """Return whether the processor seemed to have died at the last check."""
        return queue_id in self._stalled

    async def check(self, queue_id: str, status: QueueStatus | None = None) -> ProcessorStoppedError | None:
        """Check whether the processor is alive.

        That an item is in progress while nothing is processed is normal for a moment. It counts after a second check,
        one second later if the item cannot be read either, else one minute later.

        Args:
            queue_id: the queue.
            status: the status of the queue, if the caller has just requested it.

        Returns:
            The error to raise if the processor has died, else None.

        Raises:
            InvokeAIError: a request failed.
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
