"""Routes of the server's workflow library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import GONE, Call, Part, Response, api_path, get


def get_workflow(workflow_id: str) -> Call[records.workflows.WorkflowRecord]:
    """`GET /api/v1/workflows/i/{workflow_id}`."""
    return get(api_path("workflows", "i", workflow_id), _workflow)


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
        lambda response: records.workflows.WorkflowPage.model_validate(response.json()),
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
    return Call(method="POST", path=api_path("workflows") + "/", body={"workflow": document}, parse=_workflow)


def update_workflow(workflow_id: str, document: Mapping[str, Any]) -> Call[records.workflows.WorkflowRecord]:
    """`PATCH /api/v1/workflows/i/{workflow_id}`: replaces the document. Fails for workflows of the server."""
    return Call(
        method="PATCH",
        path=api_path("workflows", "i", workflow_id),
        body={"workflow": {**document, "id": workflow_id}},
        parse=_workflow,
        idempotent=True,
    )


def delete_workflow(workflow_id: str) -> Call[None]:
    """`DELETE /api/v1/workflows/i/{workflow_id}`."""
    return Call(
        method="DELETE",
        path=api_path("workflows", "i", workflow_id),
        parse=_nothing,
        idempotent=True,
        done_statuses=GONE,
    )


def set_public(workflow_id: str, is_public: bool) -> Call[None]:
    """`PATCH /api/v1/workflows/i/{workflow_id}/is_public`. Servers from 6.12."""
    return Call(
        method="PATCH",
        path=api_path("workflows", "i", workflow_id, "is_public"),
        body={"is_public": is_public},
        parse=_nothing,
        idempotent=True,
    )


def list_tags() -> Call[list[str]]:
    """`GET /api/v1/workflows/tags`: all tags of the library. Servers from 6.12."""
    return get(api_path("workflows", "tags"), lambda response: [str(tag) for tag in response.json()])


def get_thumbnail(workflow_id: str) -> Call[bytes]:
    """`GET /api/v1/workflows/i/{workflow_id}/thumbnail`: the image file."""
    return get(api_path("workflows", "i", workflow_id, "thumbnail"), lambda response: response.content)


def set_thumbnail(workflow_id: str, content: bytes | Path, *, content_type: str) -> Call[None]:
    """`PUT /api/v1/workflows/i/{workflow_id}/thumbnail`."""
    return Call(
        method="PUT",
        path=api_path("workflows", "i", workflow_id, "thumbnail"),
        parts=(Part("image", content, "thumbnail", content_type),),
        parse=_nothing,
        idempotent=True,
    )


def delete_thumbnail(workflow_id: str) -> Call[None]:
    """`DELETE /api/v1/workflows/i/{workflow_id}/thumbnail`."""
    return Call(
        method="DELETE",
        path=api_path("workflows", "i", workflow_id, "thumbnail"),
        parse=_nothing,
        idempotent=True,
        # The server responds with status 500 if the workflow does not have a thumbnail.
        done_statuses=frozenset({404, 500}),
    )


def _workflow(response: Response) -> records.workflows.WorkflowRecord:
    return records.workflows.WorkflowRecord.model_validate(response.json())


def _nothing(_: Response) -> None:
    return None
