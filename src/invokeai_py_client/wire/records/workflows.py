"""What the server answers about its workflow library."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from invokeai_py_client.wire.records.base import Record


class WorkflowRecord(Record):
    """A workflow of the server's library, with the document that a file would hold.

    `call_saved_workflow_compatibility` says whether other workflows can call it; servers before 6.14 do not.
    """

    workflow_id: str
    name: str
    workflow: dict[str, Any]
    call_saved_workflow_compatibility: dict[str, Any] | None = None


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
    workflows: list[WorkflowSummary] = Field(alias="items")
