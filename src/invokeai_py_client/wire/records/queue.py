"""Records about queues."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from invokeai_py_client.wire.records.base import Record

FLAT_COUNTS = (
    "queue_pending_count",
    "queue_in_progress_count",
    "queue_completed_count",
    "queue_failed_count",
    "queue_canceled_count",
)
"""Additional flat names for the counts in the status of a queue."""

QueueItemStatus = Literal["pending", "in_progress", "waiting", "completed", "failed", "canceled"]


class BatchStatus(Record):
    """The number of a batch's items by status; `total` is 0 for an unknown batch."""

    batch_id: str
    pending: int
    in_progress: int
    waiting: int = 0
    completed: int
    failed: int
    canceled: int
    total: int


class QueueItemSummary(Record):
    """A queue item without its graph, results and error message.

    `parent_item_id` is the item that called this one, if it runs a called workflow (servers from 6.14).
    """

    item_id: int
    status: QueueItemStatus
    batch_id: str
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    origin: str | None = None
    destination: str | None = None
    user_id: str = "system"
    parent_item_id: int | None = None


class QueueItemRecord(QueueItemSummary):
    """A complete queue item. `session` has its graph and the results of its nodes.

    `root_item_id` is the outermost caller of an item that runs a called workflow (servers from 6.14).
    """

    queue_id: str
    session_id: str
    session: dict[str, Any]
    priority: int = 0
    status_sequence: int | None = None
    retried_from_item_id: int | None = None
    root_item_id: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None


class ItemIds(Record):
    """The ids of a queue's items."""

    item_ids: list[int]


class RetryResult(Record):
    """The ids of the items that are retried. The server does not send those of the new items."""

    retried_item_ids: list[int]


class QueueCounts(Record):
    """The number of a queue's items by status, and the running item."""

    pending: int
    in_progress: int
    waiting: int = 0
    completed: int
    failed: int
    canceled: int
    total: int
    item_id: int | None = None
    batch_id: str | None = None
    session_id: str | None = None


class ProcessorStatus(Record):
    """Whether the processor is started (not paused), and whether it is processing an item."""

    is_started: bool
    is_processing: bool


class QueueStatus(Record):
    """The status of a queue and of the processor; also with flat names, such as `status["queue_pending_count"]`."""

    queue: QueueCounts
    processor: ProcessorStatus

    @property
    def queue_pending_count(self) -> int:
        """The number of pending items."""
        return self.queue.pending

    @property
    def queue_in_progress_count(self) -> int:
        """The number of running items."""
        return self.queue.in_progress

    @property
    def queue_completed_count(self) -> int:
        """The number of completed items."""
        return self.queue.completed

    @property
    def queue_failed_count(self) -> int:
        """The number of failed items."""
        return self.queue.failed

    @property
    def queue_canceled_count(self) -> int:
        """The number of canceled items."""
        return self.queue.canceled

    @property
    def is_idle(self) -> bool:
        """Whether the queue has no pending and no running items."""
        return not (self.queue.pending or self.queue.in_progress or self.queue.waiting)

    def _names(self) -> Collection[str]:
        """Return the names of all fields, including the flat ones."""
        return {*super()._names(), *FLAT_COUNTS}


class CancelResult(Record):
    """The number of items that were canceled by batch, destination or queue."""

    canceled: int


class DeletedItems(Record):
    """The number of items that were deleted from the queue."""

    deleted: int


class DestinationCounts(Record):
    """The number of items with a destination, by status."""

    destination: str
    pending: int
    in_progress: int
    waiting: int = 0
    completed: int
    failed: int
    canceled: int
    total: int
