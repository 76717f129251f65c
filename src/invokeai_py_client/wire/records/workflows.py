"""Records about the workflow library."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from invokeai_py_client.wire.records.base import Record


class WorkflowRecord(Record):
    """A workflow of the server's library, with its document.

    `call_saved_workflow_compatibility` is whether other workflows can call it (servers from 6.14).
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
    """Page `page` of `pages` of the library."""

    page: int
    pages: int
    workflows: list[WorkflowSummary] = Field(alias="items")
