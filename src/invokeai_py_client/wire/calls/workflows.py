"""Routes of the server's workflow library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import GONE, Call, Part, api_path, get, idempotent
from invokeai_py_client.wire.reading import content as the_bytes
from invokeai_py_client.wire.reading import nothing, record, texts


def get_workflow(workflow_id: str) -> Call[records.workflows.WorkflowRecord]:
    """`GET /api/v1/workflows/i/{workflow_id}`."""
    return get(api_path("workflows", "i", workflow_id), record(records.workflows.WorkflowRecord))


def list_workflows(
    *,
    page: int,
    per_page: int,
    query: str | None = None,
    tags: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> Call[records.workflows.WorkflowPage]:
    """`GET /api/v1/workflows/`: one page of the library, counted from 0: workflows of the user and of the server."""
    return get(
        api_path("workflows") + "/",
        record(records.workflows.WorkflowPage),
        {
            "page": page,
            "per_page": per_page,
            "query": query,
            "tags": tuple(tags) or None,
            "categories": tuple(categories) or None,
        },
    )


def create_workflow(document: Mapping[str, Any]) -> Call[records.workflows.WorkflowRecord]:
    """`POST /api/v1/workflows/`: the server chooses the id. Not idempotent."""
    return Call(
        "POST", api_path("workflows") + "/", record(records.workflows.WorkflowRecord), body={"workflow": document}
    )


def update_workflow(workflow_id: str, document: Mapping[str, Any]) -> Call[records.workflows.WorkflowRecord]:
    """`PATCH /api/v1/workflows/i/{workflow_id}`: replaces the document. Fails for workflows of the server."""
    return idempotent(
        "PATCH",
        api_path("workflows", "i", workflow_id),
        record(records.workflows.WorkflowRecord),
        body={"workflow": {**document, "id": workflow_id}},
    )


def delete_workflow(workflow_id: str) -> Call[None]:
    """`DELETE /api/v1/workflows/i/{workflow_id}`."""
    return idempotent("DELETE", api_path("workflows", "i", workflow_id), nothing, done_statuses=GONE)


def set_public(workflow_id: str, is_public: bool) -> Call[None]:
    """`PATCH /api/v1/workflows/i/{workflow_id}/is_public`. Servers from 6.12."""
    return idempotent(
        "PATCH", api_path("workflows", "i", workflow_id, "is_public"), nothing, body={"is_public": is_public}
    )


def list_tags() -> Call[list[str]]:
    """`GET /api/v1/workflows/tags`: all tags of the library. Servers from 6.12."""
    return get(api_path("workflows", "tags"), texts)


def get_thumbnail(workflow_id: str) -> Call[bytes]:
    """`GET /api/v1/workflows/i/{workflow_id}/thumbnail`: the image file."""
    return get(api_path("workflows", "i", workflow_id, "thumbnail"), the_bytes)


def set_thumbnail(workflow_id: str, content: bytes | Path, *, content_type: str) -> Call[None]:
    """`PUT /api/v1/workflows/i/{workflow_id}/thumbnail`."""
    return idempotent(
        "PUT",
        api_path("workflows", "i", workflow_id, "thumbnail"),
        nothing,
        parts=(Part("image", content, "thumbnail", content_type),),
    )


def delete_thumbnail(workflow_id: str) -> Call[None]:
    """`DELETE /api/v1/workflows/i/{workflow_id}/thumbnail`."""
    return idempotent(
        "DELETE",
        api_path("workflows", "i", workflow_id, "thumbnail"),
        nothing,
        # The server responds with status 500 if the workflow does not have a thumbnail.
        done_statuses=frozenset({404, 500}),
    )
