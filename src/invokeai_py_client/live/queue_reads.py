"""Reads queue items by id, as summaries or full records. On older servers that lack a route, another one is used."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, SupportsIndex, TypeVar

from invokeai_py_client.errors import ApiError, InvokeAIError, NotFoundError, NotInvokeAIError
from invokeai_py_client.runtime.listing import in_parts
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.queue import QueueItemRecord, QueueItemSummary

_RECORDS_PER_REQUEST = 50
"""Full records contain sessions and are large."""

_FEW = 20
"""The maximum number of items to fetch one by one from a server without a bulk route. For more, all are listed."""

R = TypeVar("R", bound="QueueItemSummary")


def item_id_of(value: object) -> int:
    """Convert the id of a queue item, which may be of another integer type, such as numpy's, to `int`.

    Raises:
        TypeError: it is not an integer. A `str` would equal no id in the server's responses.
    """
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        return operator.index(value)
    raise TypeError(
        f"item_id must be an int, such as run.item_id, not {type(value).__name__} ({value!r}). "
        "client.run() takes the id of a batch as batch_id=..., and that of a session as session_id=..."
    )


def lacks_route(error: InvokeAIError) -> bool:
    """Return whether an error says that the server has no such route.

    Servers respond to unknown routes with 404, or, if every GET returns the web UI, with 405 or that page.
    """
    return isinstance(error, NotInvokeAIError) or (isinstance(error, ApiError) and error.status in {404, 405})


async def all_ids(http: Sender, queue_id: str) -> list[int]:
    """Return the ids of all items in the queue, newest first."""
    try:
        item_ids = (await http.send(queue.list_item_ids(queue_id))).item_ids
    except InvokeAIError as error:
        if not lacks_route(error):
            raise
        # Servers before 6.7.
        item_ids = [item.item_id for item in await http.send(queue.list_all_items(queue_id))]
    return sorted(item_ids, reverse=True)


async def summaries_of(http: Sender, queue_id: str, item_ids: Sequence[int]) -> Sequence[QueueItemSummary]:
    """Return items in the order of `item_ids`, as summaries if the server has them. Missing items are left out."""
    found: list[QueueItemSummary] = []
    for part in in_parts(item_ids, queue.MAX_IDS_PER_REQUEST):
        try:
            summaries = await http.send(queue.get_item_summaries(queue_id, part))
        except InvokeAIError as error:
            if not lacks_route(error):
                raise
            # Servers before 6.14.
            return await records_of(http, queue_id, item_ids)
        found += summaries
    return _in_order(found, item_ids)


async def records_of(http: Sender, queue_id: str, item_ids: Sequence[int]) -> list[QueueItemRecord]:
    """Return the full records of items in the order of `item_ids`. Missing items are left out."""
    found: list[QueueItemRecord] = []
    for part in in_parts(item_ids, _RECORDS_PER_REQUEST):
        try:
            records = await http.send(queue.get_items(queue_id, part))
        except InvokeAIError as error:
            if not lacks_route(error):
                raise
            # Servers before 6.7.
            return _in_order(await _one_by_one(http, queue_id, item_ids), item_ids)
        found += records
    return _in_order(found, item_ids)


async def items_of_batch(
    http: Sender, queue_id: str, batch_id: str, *, total: int | None = None
) -> list[QueueItemSummary]:
    """Return the items of a batch that are in the queue, in ascending order.

    Items of called workflows are left out: the server creates those itself.

    Args:
        http: sends the requests.
        queue_id: the queue.
        batch_id: the batch.
        total: the number of its items, including those that are left out, if it is known. The search starts at the
            newest item and ends when all are found.
    """
    found: list[QueueItemSummary] = []
    for part in in_parts(await all_ids(http, queue_id), queue.MAX_IDS_PER_REQUEST):
        found += [item for item in await summaries_of(http, queue_id, part) if item.batch_id == batch_id]
        if total is not None and len(found) >= total:
            break
    return sorted((item for item in found if item.parent_item_id is None), key=lambda item: item.item_id)


async def item_of_session(http: Sender, queue_id: str, session_id: str) -> int:
    """Return the id of the item with a session. The search starts at the newest item.

    Raises:
        NotFoundError: the queue has no such item.
    """
    for part in in_parts(await all_ids(http, queue_id), _FEW):
        for item in await records_of(http, queue_id, part):
            if item.session_id == session_id:
                return item.item_id
    call = queue.list_item_ids(queue_id)
    raise not_there(
        f"The queue {queue_id!r} has no item of the session {session_id!r}.",
        call,
        http,
        hint="Check the id; items that have ended are deleted after a while.",
    )


async def _one_by_one(http: Sender, queue_id: str, item_ids: Sequence[int]) -> list[QueueItemRecord]:
    if len(item_ids) > _FEW:
        return await http.send(queue.list_all_items(queue_id))
    found = []
    for item_id in item_ids:
        try:
            found.append(await http.send(queue.get_queue_item(queue_id, item_id)))
        except NotFoundError:
            continue
    return found


def _in_order(found: Sequence[R], item_ids: Sequence[int]) -> list[R]:
    by_id = {item.item_id: item for item in found}
    return [by_id[item_id] for item_id in item_ids if item_id in by_id]
