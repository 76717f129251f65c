"""Sends a batch so that each item of it is enqueued exactly once, whatever becomes of the answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.errors import (
    ApiError,
    InvokeAIError,
    NotFoundError,
    NotInvokeAIError,
    RejectedError,
    RequestTimeout,
    TransportError,
)
from invokeai_py_client.transport.answers import not_there
from invokeai_py_client.transport.http import PASSING_STATUSES, HttpTransport
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records import QueueItemSummary

_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds between one try and the next; after the last the failure is the caller's."""


_WHOLE_ITEMS_PER_REQUEST = 20
"""Whole items carry their sessions: few are asked for at once."""


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
        InvokeAIError: as any request. Nothing of this body is in the queue then, unless the server could not even be
            asked whether it is.
    """
    call = queue.enqueue_batch(queue_id, {**body, "batch": {**body["batch"], "batch_id": batch_id}})
    for pause in (*_PAUSES, None):
        try:
            result = await http.send(call)
        except (TransportError, RequestTimeout, ApiError) as error:
            if not _fate_is_unknown(error) and not _was_not_sent(error):
                raise
            if _fate_is_unknown(error) and (await _total(http, queue_id, batch_id)) > len(known):
                items = await items_of_batch(http, queue_id, batch_id)
                return Enqueued(sorted({item.item_id for item in items} - known), None)
            if pause is None:
                raise
            await asyncio.sleep(pause)
        else:
            item_ids = result.item_ids
            if item_ids is None and result.enqueued:
                # Servers before 5.12 do not name them.
                item_ids = [item.item_id for item in await items_of_batch(http, queue_id, batch_id)]
            return Enqueued(sorted({*(item_ids or ())} - known), result.requested)
    raise AssertionError("the last try returns or raises")


async def items_of_batch(http: HttpTransport, queue_id: str, batch_id: str) -> list[QueueItemSummary]:
    """Every item of a batch that the queue still knows, ascending."""
    try:
        item_ids = sorted((await http.send(queue.list_item_ids(queue_id))).item_ids)
        found: list[QueueItemSummary] = []
        for start in range(0, len(item_ids), queue.MAX_IDS_PER_REQUEST):
            call = queue.get_item_summaries(queue_id, item_ids[start : start + queue.MAX_IDS_PER_REQUEST])
            found += [item for item in await http.send(call) if item.batch_id == batch_id]
    except (NotFoundError, RejectedError, TransportError) as error:
        if isinstance(error, TransportError) and not isinstance(error, NotInvokeAIError):
            raise
        # An older server lacks these routes, and has its web page answer them.
        found = [item for item in await http.send(queue.list_all_items(queue_id)) if item.batch_id == batch_id]
    return sorted(found, key=lambda item: item.item_id)


async def item_of_session(http: HttpTransport, queue_id: str, session_id: str) -> int:
    """The item of a session, looked for from the newest on.

    Raises:
        NotFoundError: the queue has none (any more).
    """
    call = queue.list_item_ids(queue_id)
    item_ids = sorted((await http.send(call)).item_ids, reverse=True)
    for start in range(0, len(item_ids), _WHOLE_ITEMS_PER_REQUEST):
        for item in await http.send(queue.get_items(queue_id, item_ids[start : start + _WHOLE_ITEMS_PER_REQUEST])):
            if item.session_id == session_id:
                return item.item_id
    raise not_there(
        f"The queue {queue_id!r} has no item of the session {session_id!r}.",
        method=call.method,
        url=http.url_of(call.path),
        hint="Check the id; items that have ended are deleted after a while.",
    )


async def _total(http: HttpTransport, queue_id: str, batch_id: str) -> int:
    return (await http.send(queue.get_batch_status(queue_id, batch_id))).total


def _was_not_sent(error: InvokeAIError) -> bool:
    return isinstance(error, TransportError) and not error.sent


def _fate_is_unknown(error: InvokeAIError) -> bool:
    """Whether the batch may be in the queue although its answer did not come."""
    if isinstance(error, ApiError):
        return error.status in PASSING_STATUSES
    return isinstance(error, RequestTimeout) or (type(error) is TransportError and error.sent)
