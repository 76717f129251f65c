"""Routes of the server's workflow library."""

from __future__ import annotations

from invokeai_py_client.wire.call import Call, api_path
from invokeai_py_client.wire.records import WorkflowPage, WorkflowRecord


def get_workflow(workflow_id: str) -> Call[WorkflowRecord]:
    """`GET /api/v1/workflows/i/{workflow_id}`."""
    return Call(
        method="GET",
        path=api_path("workflows", "i", workflow_id),
        parse=lambda response: WorkflowRecord.model_validate(response.json()),
        idempotent=True,
    )


def list_workflows(*, page: int, per_page: int, query: str | None = None) -> Call[WorkflowPage]:
    """`GET /api/v1/workflows/`: one page of the library, counted from 0, of the user's and the server's own."""
    return Call(
        method="GET",
        path=api_path("workflows") + "/",
        query={"page": page, "per_page": per_page, "query": query},
        parse=lambda response: WorkflowPage.model_validate(response.json()),
        idempotent=True,
    )
