"""Routes of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from invokeai_py_client.wire.call import Call, Response, api_path
from invokeai_py_client.wire.records import (
    BatchStatus,
    CancelResult,
    EnqueueResult,
    ItemIds,
    QueueItemRecord,
    QueueItemSummary,
    QueueStatus,
    RetryResult,
)

MAX_IDS_PER_REQUEST = 1000
"""The server refuses longer lists in `items_by_ids` and `item_summaries_by_ids`."""


def enqueue_batch(queue_id: str, body: dict[str, Any]) -> Call[EnqueueResult]:
    """`POST /api/v1/queue/{queue_id}/enqueue_batch`: sending the same body twice enqueues twice."""
    return Call(
        method="POST",
        path=api_path("queue", queue_id, "enqueue_batch"),
        body=body,
        parse=lambda response: EnqueueResult.model_validate(response.json()),
    )


def get_batch_status(queue_id: str, batch_id: str) -> Call[BatchStatus]:
    """`GET /api/v1/queue/{queue_id}/b/{batch_id}/status`: 200 with `total` 0 for a batch that never arrived."""
    return Call(
        method="GET",
        path=api_path("queue", queue_id, "b", batch_id, "status"),
        parse=lambda response: BatchStatus.model_validate(response.json()),
        idempotent=True,
    )


def get_queue_status(queue_id: str) -> Call[QueueStatus]:
    """`GET /api/v1/queue/{queue_id}/status`: how many items are in which state, and what the processor does."""
    return Call(
        method="GET",
        path=api_path("queue", queue_id, "status"),
        parse=lambda response: QueueStatus.model_validate(response.json()),
        idempotent=True,
    )


def get_queue_item(queue_id: str, item_id: int) -> Call[QueueItemRecord]:
    """`GET /api/v1/queue/{queue_id}/i/{item_id}`: the whole item with its session."""
    return Call(method="GET", path=api_path("queue", queue_id, "i", item_id), parse=_item, idempotent=True)


def get_item_summaries(queue_id: str, item_ids: Sequence[int]) -> Call[list[QueueItemSummary]]:
    """`POST .../item_summaries_by_ids`: the light form; ids that are gone are left out. Servers from 6.14."""
    return Call(
        method="POST",
        path=api_path("queue", queue_id, "item_summaries_by_ids"),
        body={"item_ids": list(item_ids)},
        parse=lambda response: [QueueItemSummary.model_validate(item) for item in response.json()],
        idempotent=True,
    )


def get_items(queue_id: str, item_ids: Sequence[int]) -> Call[list[QueueItemRecord]]:
    """`POST .../items_by_ids`: whole items; ids that are gone are left out. Servers from 6.7."""
    return Call(
        method="POST",
        path=api_path("queue", queue_id, "items_by_ids"),
        body={"item_ids": list(item_ids)},
        parse=lambda response: [QueueItemRecord.model_validate(item) for item in response.json()],
        idempotent=True,
    )


def list_item_ids(queue_id: str) -> Call[ItemIds]:
    """`GET .../item_ids`: the ids of every item the queue still knows. Servers from 6.7."""
    return Call(
        method="GET",
        path=api_path("queue", queue_id, "item_ids"),
        parse=lambda response: ItemIds.model_validate(response.json()),
        idempotent=True,
    )


def retry_items(queue_id: str, item_ids: Sequence[int]) -> Call[RetryResult]:
    """`PUT .../retry_items_by_id`: makes a new item, in the same batch, for each that failed or was canceled."""
    return Call(
        method="PUT",
        path=api_path("queue", queue_id, "retry_items_by_id"),
        body=list(item_ids),
        parse=lambda response: RetryResult.model_validate(response.json()),
    )


def list_all_items(queue_id: str) -> Call[list[QueueItemRecord]]:
    """`GET .../list_all`: every item the queue still knows, whole."""
    return Call(
        method="GET",
        path=api_path("queue", queue_id, "list_all"),
        parse=lambda response: [QueueItemRecord.model_validate(item) for item in response.json()],
        idempotent=True,
    )


def cancel_queue_item(queue_id: str, item_id: int) -> Call[QueueItemRecord]:
    """`PUT .../i/{item_id}/cancel`: a finished item is answered as it is."""
    return Call(method="PUT", path=api_path("queue", queue_id, "i", item_id, "cancel"), parse=_item, idempotent=True)


def cancel_batch(queue_id: str, batch_id: str) -> Call[CancelResult]:
    """`PUT .../cancel_by_batch_ids`: every item of the batch that has not finished."""
    return Call(
        method="PUT",
        path=api_path("queue", queue_id, "cancel_by_batch_ids"),
        body={"batch_ids": [batch_id]},
        parse=lambda response: CancelResult.model_validate(response.json()),
        idempotent=True,
    )


def _item(response: Response) -> QueueItemRecord:
    return QueueItemRecord.model_validate(response.json())
