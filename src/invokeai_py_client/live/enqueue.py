"""Sends a batch so that each item of it is enqueued exactly once, whatever becomes of the answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.errors import (
    ApiError,
    EnqueueInDoubtError,
    InvokeAIError,
    RequestTimeout,
    TransportError,
)
from invokeai_py_client.live.items import items_of_batch
from invokeai_py_client.transport.http import PASSING_STATUSES, HttpTransport, is_passing
from invokeai_py_client.wire.call import Call
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records import EnqueueResult

_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 4.0)
"""Seconds between one try and the next; after the last the failure is the caller's."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What the server took of a batch: these items, of so many that were sent."""

    item_ids: list[int]
    requested: int | None

    def took_all(self) -> bool:
        """Whether nothing is left to be sent. It is not known where the answer was lost."""
        return self.requested is not None and len(self.item_ids) >= self.requested


async def enqueue_once(
    http: HttpTransport, queue_id: str, batch_id: str, body: dict[str, Any], *, known: frozenset[int] = frozenset()
) -> Enqueued:
    """Enqueue a batch, or the rest of one, under an id of the client's choosing.

    The server would take the same batch twice. So when an answer is lost, the batch's status tells whether it
    arrived: if it has no more items than before, it did not, and may be sent again.

    Args:
        http: how to send.
        queue_id: the queue.
        batch_id: an id that no other batch has.
        body: what `enqueue_batch` takes; the id is put into it.
        known: the items that the batch has already.

    Returns:
        The new items, ascending. They may be fewer than were sent: the queue had no room.

    Raises:
        EnqueueInDoubtError: the answer was lost, and the server could not be asked whether the batch arrived.
        InvokeAIError: as any request. Nothing of this body is in the queue then.
    """
    call = queue.enqueue_batch(queue_id, {**body, "batch": {**body["batch"], "batch_id": batch_id}})
    for pause in (*_PAUSES, None):
        try:
            return await _enqueue(http, queue_id, batch_id, call, known)
        except (TransportError, RequestTimeout, ApiError) as error:
            if _fate_is_unknown(error):
                arrived = await _what_arrived(http, queue_id, batch_id, known, error)
                if arrived is not None:
                    return arrived
            elif not _was_not_sent(error):
                raise
            if pause is None:
                raise
        await asyncio.sleep(pause)
    raise AssertionError("the last try returns or raises")


async def _enqueue(
    http: HttpTransport, queue_id: str, batch_id: str, call: Call[EnqueueResult], known: frozenset[int]
) -> Enqueued:
    result = await http.send(call)
    item_ids = result.item_ids
    if item_ids is None and result.enqueued:
        # Servers before 5.12 do not name them.
        item_ids = [item.item_id for item in await items_of_batch(http, queue_id, batch_id)]
    return Enqueued(sorted({*(item_ids or ())} - known), result.requested)


async def _what_arrived(
    http: HttpTransport, queue_id: str, batch_id: str, known: frozenset[int], lost: InvokeAIError
) -> Enqueued | None:
    """What the queue has of a batch whose answer was `lost`; None if it did not arrive. It is asked again and again."""
    call = queue.get_batch_status(queue_id, batch_id)
    for pause in (*_PAUSES, None):
        try:
            if (await http.send(call)).total <= len(known):
                return None
            items = await items_of_batch(http, queue_id, batch_id)
            return Enqueued(sorted({item.item_id for item in items} - known), None)
        except (TransportError, RequestTimeout, ApiError) as error:
            if pause is None or not is_passing(error):
                raise EnqueueInDoubtError(
                    f"Whether batch {batch_id} is in the queue {queue_id!r} is not known: it got no answer ({lost}), "
                    f"nor did the question whether it arrived ({error}).",
                    batch_id=batch_id,
                    url=http.url_of(call.path),
                    method=call.method,
                    hint=f"When the server is back, client.run(batch_id={batch_id!r}) follows it if it is there.",
                ) from error
        await asyncio.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _was_not_sent(error: InvokeAIError) -> bool:
    return isinstance(error, TransportError) and not error.sent


def _fate_is_unknown(error: InvokeAIError) -> bool:
    """Whether the batch may be in the queue although its answer did not come."""
    if isinstance(error, ApiError):
        return error.status in PASSING_STATUSES
    return isinstance(error, RequestTimeout) or (type(error) is TransportError and error.sent)
