"""Sends a batch so that it is enqueued exactly once, whatever becomes of the answer."""

from __future__ import annotations

import asyncio
from typing import Any

from invokeai_py_client.errors import ApiError, InvokeAIError, NotEnqueuedError, RequestTimeout, TransportError
from invokeai_py_client.transport.http import PASSING_STATUSES, HttpTransport
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records import EnqueueResult

_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds between one try and the next; after the last the failure is the caller's."""


async def enqueue_once(http: HttpTransport, queue_id: str, batch_id: str, body: dict[str, Any]) -> list[int]:
    """Enqueue a batch under an id of the client's choosing.

    The server would take the same batch twice. So when an answer is lost, the batch's status tells whether it
    arrived: a total of 0 means that it did not, and may be sent again.

    Args:
        http: how to send.
        queue_id: the queue.
        batch_id: an id that no other batch has.
        body: what `enqueue_batch` takes; the id is put into it.

    Returns:
        The ids of its items, ascending.

    Raises:
        NotEnqueuedError: the queue had no room for all; what it took was canceled.
        InvokeAIError: as any request.
    """
    call = queue.enqueue_batch(queue_id, {**body, "batch": {**body["batch"], "batch_id": batch_id}})
    for pause in (*_PAUSES, None):
        try:
            result = await http.send(call)
        except (TransportError, RequestTimeout, ApiError) as error:
            if not _fate_is_unknown(error) and not _was_not_sent(error):
                raise
            if _fate_is_unknown(error) and (await http.send(queue.get_batch_status(queue_id, batch_id))).total:
                return await _item_ids(http, queue_id, batch_id)
            if pause is None:
                raise
            await asyncio.sleep(pause)
        else:
            await _check_all_fit(http, queue_id, batch_id, result)
            return sorted(result.item_ids or await _item_ids(http, queue_id, batch_id))
    raise AssertionError("the last try returns or raises")


def _was_not_sent(error: InvokeAIError) -> bool:
    return isinstance(error, TransportError) and not error.sent


def _fate_is_unknown(error: InvokeAIError) -> bool:
    """Whether the batch may be in the queue although its answer did not come."""
    if isinstance(error, ApiError):
        return error.status in PASSING_STATUSES
    return isinstance(error, RequestTimeout) or (type(error) is TransportError and error.sent)


async def _item_ids(http: HttpTransport, queue_id: str, batch_id: str) -> list[int]:
    """The items of a batch whose answer is lost, or came from a server that does not name them (before 5.12)."""
    items = await http.send(queue.list_all_items(queue_id))
    return sorted(item.item_id for item in items if item.batch_id == batch_id)


async def _check_all_fit(http: HttpTransport, queue_id: str, batch_id: str, result: EnqueueResult) -> None:
    if result.enqueued >= result.requested:
        return
    if result.enqueued:
        await http.send(queue.cancel_batch(queue_id, batch_id))
    raise NotEnqueuedError(
        f"The queue {queue_id!r} had room for {result.enqueued} of {result.requested} items; nothing was left in it.",
        batch_id=batch_id,
        requested=result.requested,
        enqueued=result.enqueued,
        hint="Submit again when it has emptied, or raise the server's max_queue_size.",
    )
