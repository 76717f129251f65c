"""Routes of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import GONE, Call, Response, api_path, get, idempotent
from invokeai_py_client.wire.reading import list_of, nothing, record, record_or_none

MAX_IDS_PER_REQUEST = 1000
"""The server rejects longer lists in `items_by_ids` and `item_summaries_by_ids`."""


class EnqueueResult(NamedTuple):
    """The response to `enqueue_batch`. Not a record, so that submitting and following a run does not import pydantic.

    `enqueued` is less than `requested` if the queue is full. `item_ids` are in descending order; servers before 5.12 do
    not send them.
    """

    enqueued: int
    requested: int
    item_ids: list[int] | None = None


def enqueue_batch(queue_id: str, body: dict[str, Any]) -> Call[EnqueueResult]:
    """`POST /api/v1/queue/{queue_id}/enqueue_batch`: not idempotent."""
    return Call("POST", api_path("queue", queue_id, "enqueue_batch"), _enqueue_result, body=body)


def get_batch_status(queue_id: str, batch_id: str) -> Call[records.queue.BatchStatus]:
    """`GET /api/v1/queue/{queue_id}/b/{batch_id}/status`: 200 with `total` 0 for an unknown batch."""
    return get(api_path("queue", queue_id, "b", batch_id, "status"), record(records.queue.BatchStatus))


def get_queue_status(queue_id: str) -> Call[records.queue.QueueStatus]:
    """`GET /api/v1/queue/{queue_id}/status`: the number of items by status, and the state of the processor."""
    return get(api_path("queue", queue_id, "status"), record(records.queue.QueueStatus))


def get_queue_item(queue_id: str, item_id: int) -> Call[records.queue.QueueItemRecord]:
    """`GET /api/v1/queue/{queue_id}/i/{item_id}`: an item with its session."""
    return get(api_path("queue", queue_id, "i", item_id), record(records.queue.QueueItemRecord))


def get_item_summaries(queue_id: str, item_ids: Sequence[int]) -> Call[list[records.queue.QueueItemSummary]]:
    """`POST .../item_summaries_by_ids`: items without sessions. Skips ids that do not exist. Servers from 6.14."""
    return idempotent(
        "POST",
        api_path("queue", queue_id, "item_summaries_by_ids"),
        list_of(records.queue.QueueItemSummary),
        body={"item_ids": list(item_ids)},
    )


def get_items(queue_id: str, item_ids: Sequence[int]) -> Call[list[records.queue.QueueItemRecord]]:
    """`POST .../items_by_ids`: items with sessions. Skips ids that do not exist. Servers from 6.7."""
    return idempotent(
        "POST",
        api_path("queue", queue_id, "items_by_ids"),
        list_of(records.queue.QueueItemRecord),
        body={"item_ids": list(item_ids)},
    )


def list_item_ids(queue_id: str) -> Call[records.queue.ItemIds]:
    """`GET .../item_ids`: the ids of all items of the queue. Servers from 6.7."""
    return get(api_path("queue", queue_id, "item_ids"), record(records.queue.ItemIds))


def retry_items(queue_id: str, item_ids: Sequence[int]) -> Call[records.queue.RetryResult]:
    """`PUT .../retry_items_by_id`: creates a new item, in the same batch, for each that failed or was canceled."""
    return Call(
        "PUT", api_path("queue", queue_id, "retry_items_by_id"), record(records.queue.RetryResult), body=list(item_ids)
    )


def list_all_items(queue_id: str, *, destination: str | None = None) -> Call[list[records.queue.QueueItemRecord]]:
    """`GET .../list_all`: all items of the queue with sessions, by priority, then by id."""
    return get(
        api_path("queue", queue_id, "list_all"), list_of(records.queue.QueueItemRecord), {"destination": destination}
    )


def cancel_queue_item(queue_id: str, item_id: int) -> Call[records.queue.QueueItemRecord]:
    """`PUT .../i/{item_id}/cancel`: a finished item is returned unchanged."""
    return idempotent("PUT", api_path("queue", queue_id, "i", item_id, "cancel"), record(records.queue.QueueItemRecord))


def cancel_batches(queue_id: str, batch_ids: Sequence[str]) -> Call[records.queue.CancelResult]:
    """`PUT .../cancel_by_batch_ids`: cancels the items of the batches that have not ended."""
    return idempotent(
        "PUT",
        api_path("queue", queue_id, "cancel_by_batch_ids"),
        record(records.queue.CancelResult),
        body={"batch_ids": list(batch_ids)},
    )


def get_current_item(queue_id: str) -> Call[records.queue.QueueItemRecord | None]:
    """`GET /api/v1/queue/{queue_id}/current`: the running item, or null."""
    return get(api_path("queue", queue_id, "current"), record_or_none(records.queue.QueueItemRecord))


def get_next_item(queue_id: str) -> Call[records.queue.QueueItemRecord | None]:
    """`GET /api/v1/queue/{queue_id}/next`: the pending item with the highest priority, or null."""
    return get(api_path("queue", queue_id, "next"), record_or_none(records.queue.QueueItemRecord))


def delete_queue_item(queue_id: str, item_id: int) -> Call[None]:
    """`DELETE /api/v1/queue/{queue_id}/i/{item_id}`: cancels an item, and deletes it."""
    return idempotent("DELETE", api_path("queue", queue_id, "i", item_id), nothing, done_statuses=GONE)


def cancel_by_destination(queue_id: str, destination: str) -> Call[records.queue.CancelResult]:
    """`PUT .../cancel_by_destination`: cancels the items with a destination that have not ended."""
    return idempotent(
        "PUT",
        api_path("queue", queue_id, "cancel_by_destination"),
        record(records.queue.CancelResult),
        query={"destination": destination},
    )


def cancel_all_except_current(queue_id: str) -> Call[records.queue.CancelResult]:
    """`PUT /api/v1/queue/{queue_id}/cancel_all_except_current`: cancels all pending items."""
    return idempotent(
        "PUT", api_path("queue", queue_id, "cancel_all_except_current"), record(records.queue.CancelResult)
    )


def delete_all_except_current(queue_id: str) -> Call[records.queue.DeletedItems]:
    """`PUT .../delete_all_except_current`: deletes all pending items. A retry would return a wrong count."""
    return Call("PUT", api_path("queue", queue_id, "delete_all_except_current"), record(records.queue.DeletedItems))


def delete_by_destination(queue_id: str, destination: str) -> Call[records.queue.DeletedItems]:
    """`DELETE .../d/{destination}`: deletes all items with a destination. A retry would return a wrong count."""
    return Call("DELETE", api_path("queue", queue_id, "d", destination), record(records.queue.DeletedItems))


def clear_queue(queue_id: str) -> Call[records.queue.DeletedItems]:
    """`PUT .../clear`: cancels the running item, and deletes all items. A retry would return a wrong count."""
    return Call("PUT", api_path("queue", queue_id, "clear"), record(records.queue.DeletedItems))


def prune_queue(queue_id: str) -> Call[records.queue.DeletedItems]:
    """`PUT .../prune`: deletes all items that have ended. A retry would return a wrong count."""
    return Call("PUT", api_path("queue", queue_id, "prune"), record(records.queue.DeletedItems))


def pause_processor(queue_id: str) -> Call[records.queue.ProcessorStatus]:
    """`PUT .../processor/pause`: starts no new items, while the running one continues. For administrators."""
    return idempotent("PUT", api_path("queue", queue_id, "processor", "pause"), record(records.queue.ProcessorStatus))


def resume_processor(queue_id: str) -> Call[records.queue.ProcessorStatus]:
    """`PUT .../processor/resume`: starts items again. For administrators."""
    return idempotent("PUT", api_path("queue", queue_id, "processor", "resume"), record(records.queue.ProcessorStatus))


def get_counts_by_destination(queue_id: str, destination: str) -> Call[records.queue.DestinationCounts]:
    """`GET /api/v1/queue/{queue_id}/counts_by_destination`: the number of items by status."""
    return get(
        api_path("queue", queue_id, "counts_by_destination"),
        record(records.queue.DestinationCounts),
        {"destination": destination},
    )


def _enqueue_result(response: Response) -> EnqueueResult:
    body = response.json()
    item_ids = body.get("item_ids")
    return EnqueueResult(
        int(body["enqueued"]),
        int(body["requested"]),
        None if item_ids is None else [int(item_id) for item_id in item_ids],
    )
