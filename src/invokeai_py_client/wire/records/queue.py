"""What the server answers about its queues."""

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
"""Names under which the state of a queue also has its counts."""

QueueItemStatus = Literal["pending", "in_progress", "waiting", "completed", "failed", "canceled"]


class BatchStatus(Record):
    """How many of a batch's items are in which state; `total` is 0 for a batch that never arrived."""

    batch_id: str
    pending: int
    in_progress: int
    waiting: int = 0
    completed: int
    failed: int
    canceled: int
    total: int


class QueueItemSummary(Record):
    """The light form of a queue item: no graph, no results, no error text.

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
    """A whole queue item. `session` has its graph and the results of its nodes.

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
    """The items that are run anew: their own ids, not those of the new items."""

    retried_item_ids: list[int]


class QueueCounts(Record):
    """How many of a queue's items are in which state, and which one runs."""

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
    """Whether the queue's processor is on, and whether it works just now."""

    is_started: bool
    is_processing: bool


class QueueStatus(Record):
    """The state of a queue and of its processor; also under flat names, such as `status["queue_pending_count"]`."""

    queue: QueueCounts
    processor: ProcessorStatus

    @property
    def queue_pending_count(self) -> int:
        """How many items wait."""
        return self.queue.pending

    @property
    def queue_in_progress_count(self) -> int:
        """How many items run."""
        return self.queue.in_progress

    @property
    def queue_completed_count(self) -> int:
        """How many items have ended well."""
        return self.queue.completed

    @property
    def queue_failed_count(self) -> int:
        """How many items have failed."""
        return self.queue.failed

    @property
    def queue_canceled_count(self) -> int:
        """How many items were canceled."""
        return self.queue.canceled

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not (self.queue.pending or self.queue.in_progress or self.queue.waiting)

    def _names(self) -> Collection[str]:
        """Return the names of all fields, the flat ones among them."""
        return {*super()._names(), *FLAT_COUNTS}


class CancelResult(Record):
    """How many items a cancel by batch, destination or queue reached."""

    canceled: int


class DeletedItems(Record):
    """How many items a clear, a prune or a delete took out of the queue."""

    deleted: int


class DestinationCounts(Record):
    """How many items with one destination are in which state."""

    destination: str
    pending: int
    in_progress: int
    waiting: int = 0
    completed: int
    failed: int
    canceled: int
    total: int
