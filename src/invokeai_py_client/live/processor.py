"""Detects that the server no longer runs queue items, although it still responds.

InvokeAI 6.14.2 loses its processor for good when an item's result cannot be stored or read again, such as a float that
is infinite. The item then stays `in_progress`, and requests for it return 500. A pending item whose values the server
does not accept blocks the processor, too: each attempt to take it out of the queue fails, and so do requests for it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from invokeai_py_client.errors import NotFoundError, ProcessorStoppedError, ServerError
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.queue import QueueStatus

CONFIRMED_AFTER = 1.0
"""Seconds between two checks with the same result, if the item in progress cannot be read either."""

STALLED_FOR = 60.0
"""The same if it can be read: a server may take long to load a large item before it runs it."""


_NEXT = -1
"""A placeholder for the id of the item that the server would run next."""


class ProcessorWatch:
    """Remembers since when the processor has looked stopped. Used on the engine only.

    Args:
        http: sends the requests.
    """

    def __init__(self, http: Sender) -> None:
        self._http = http
        self._stalled: dict[str, tuple[int | None, float]] = {}

    def is_suspected(self, queue_id: str) -> bool:
        """Return whether the processor looked stopped at the last check."""
        return queue_id in self._stalled

    async def check(self, queue_id: str, status: QueueStatus | None = None) -> ProcessorStoppedError | None:
        """Check whether the processor runs items.

        It is normal for a moment that items are in progress or pending while nothing is being processed. The processor
        is considered stopped after a second check, one second later, if the item in progress or the next item cannot be
        read either. If the item in progress can be read, it is considered stuck after one minute.

        Args:
            queue_id: the queue.
            status: the status of the queue, if the caller has just requested it.

        Returns:
            The error that says that the processor has stopped, if it has.

        Raises:
            InvokeAIError: a request failed.
        """
        if status is None:
            status = await self._http.send(queue.get_queue_status(queue_id))
        counts, processor = status.queue, status.processor
        is_idle = not counts.in_progress and not (counts.pending and processor.is_started)
        if processor.is_processing or is_idle:
            self._stalled.pop(queue_id, None)
            return None
        now = time.monotonic()
        running = counts.item_id if counts.in_progress else _NEXT
        item_id, since = self._stalled.get(queue_id, (None, now))
        if queue_id not in self._stalled or item_id != running:
            item_id, since = self._stalled[queue_id] = (running, now)
        if now - since >= STALLED_FOR and item_id != _NEXT:
            return self._stopped(queue_id, item_id)
        if now - since >= CONFIRMED_AFTER and not await self._can_be_read(queue_id, item_id):
            return self._stopped(queue_id, item_id) if item_id != _NEXT else self._blocked(queue_id, counts.pending)
        return None

    async def _can_be_read(self, queue_id: str, item_id: int | None) -> bool:
        if item_id is None:
            # A multi-user server does not name another user's item.
            return True
        try:
            if item_id == _NEXT:
                await self._http.send(queue.get_next_item(queue_id))
            else:
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

    def _blocked(self, queue_id: str, pending: int) -> ProcessorStoppedError:
        return ProcessorStoppedError(
            f"The queue processor of {self._http.settings.url} is blocked: {pending} items of the queue {queue_id!r} "
            "are pending, and the server cannot read the next one.",
            queue_id=queue_id,
            item_id=None,
            hint=f"client.queue_repo.get_queue({queue_id!r}).clear() empties the queue. The server's log says which "
            "values of the item it does not accept.",
        )
