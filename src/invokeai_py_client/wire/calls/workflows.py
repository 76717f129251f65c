"""Routes of the server's workflow library."""

from __future__ import annotations

from invokeai_py_client.wire.call import Call, api_path
from invokeai_py_client.wire.records import WorkflowRecord


def get_workflow(workflow_id: str) -> Call[WorkflowRecord]:
    """`GET /api/v1/workflows/i/{workflow_id}`."""
    return Call(
        method="GET",
        path=api_path("workflows", "i", workflow_id),
        parse=lambda response: WorkflowRecord.model_validate(response.json()),
        idempotent=True,
    )
