"""The server's answers as typed objects that also read as mappings.

The fields are those that the client itself relies on, named as the server names them; whatever else a server sends
is kept (`record["device"]`). The source is the server's own OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from invokeai_py_client.mapping import ReadsAsMapping

QueueItemStatus = Literal["pending", "in_progress", "waiting", "completed", "failed", "canceled"]


class Record(ReadsAsMapping, BaseModel):
    """The base of all answers: attributes, and `record["name"]` for these and for whatever else the server sent."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    def keys(self) -> Collection[str]:
        """The names of all fields."""
        return {**type(self).model_fields, **(self.model_extra or {})}.keys()


class EnqueueResult(Record):
    """What `enqueue_batch` answers.

    `enqueued` is less than `requested` where the queue had no room. `item_ids` come newest first; servers before
    5.12 send none.
    """

    enqueued: int
    requested: int
    priority: int = 0
    item_ids: list[int] | None = None


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
    """The light form of a queue item: no graph, no results, no error text."""

    item_id: int
    status: QueueItemStatus
    batch_id: str
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None


class QueueItemRecord(QueueItemSummary):
    """A whole queue item. `session` has its graph and the results of its nodes."""

    queue_id: str
    session_id: str
    session: dict[str, Any]
    status_sequence: int | None = None
    retried_from_item_id: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None


class ItemIds(Record):
    """The ids of a queue's items."""

    item_ids: list[int]
    total_count: int


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
    """The state of a queue and of its processor."""

    queue: QueueCounts
    processor: ProcessorStatus


class CancelResult(Record):
    """How many items a cancel by batch, destination or queue reached."""

    canceled: int


class ImageRecord(Record):
    """An image on the server: its name, size and place, not its pixels."""

    image_name: str
    width: int
    height: int
    image_category: str
    image_origin: str
    is_intermediate: bool
    created_at: str
    starred: bool = False
    board_id: str | None = None
    session_id: str | None = None
    node_id: str | None = None


class ImageWorkflow(Record):
    """The workflow and the graph that made an image, as JSON texts; None where the server has none."""

    workflow: str | None = None
    graph: str | None = None


class BoardRecord(Record):
    """A board of the server."""

    board_id: str
    board_name: str
    archived: bool = False
    image_count: int = 0
    cover_image_name: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class DeletedImages(Record):
    """What a deletion did: `deleted_images` are gone; servers from 6.0 on also tell `failed_images`."""

    deleted_images: list[str]
    failed_images: list[str] = []


class ModelRecord(Record):
    """An installed model."""

    key: str
    hash: str
    name: str
    base: str
    type: str
    path: str | None = None
    format: str | None = None


class AppVersion(Record):
    """Which InvokeAI this is."""

    version: str


class DynamicPromptsResult(Record):
    """The prompts that a template makes; `error` says what is wrong with it, if anything."""

    prompts: list[str]
    error: str | None = None


class WorkflowRecord(Record):
    """A workflow of the server's library, with the document that a file would hold."""

    workflow_id: str
    name: str
    workflow: dict[str, Any]


class WorkflowSummary(Record):
    """A workflow of the server's library, without its document."""

    workflow_id: str
    name: str
    description: str = ""
    category: str = "user"
    tags: str | None = None
    thumbnail_url: str | None = None


class WorkflowPage(Record):
    """One page of the library: this is page `page` of `pages`."""

    page: int
    pages: int
    items: list[WorkflowSummary]
