"""Routes of images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.wire.call import Call, Part, api_path
from invokeai_py_client.wire.records import DeletedImages, ImageRecord, ImageWorkflow


def get_image(image_name: str) -> Call[ImageRecord]:
    """`GET /api/v1/images/i/{image_name}`: the record, not the pixels."""
    return Call(
        method="GET",
        path=api_path("images", "i", image_name),
        parse=lambda response: ImageRecord.model_validate(response.json()),
        idempotent=True,
    )


def get_image_bytes(image_name: str) -> Call[bytes]:
    """`GET /api/v1/images/i/{image_name}/full`: the file as the server keeps it."""
    return Call(
        method="GET",
        path=api_path("images", "i", image_name, "full"),
        parse=lambda response: response.content,
        idempotent=True,
    )


def delete_image(image_name: str) -> Call[DeletedImages]:
    """`DELETE /api/v1/images/i/{image_name}`: a name that is not there is no error; it is just not in the answer."""
    return Call(
        method="DELETE",
        path=api_path("images", "i", image_name),
        parse=lambda response: DeletedImages.model_validate(response.json()),
        idempotent=True,
    )


def get_images(image_names: Sequence[str]) -> Call[list[ImageRecord]]:
    """`POST /api/v1/images/images_by_names`: at most 1,000; names that are not there are left out. Servers from 6.0."""
    return Call(
        method="POST",
        path=api_path("images", "images_by_names"),
        body={"image_names": list(image_names)},
        parse=lambda response: [ImageRecord.model_validate(image) for image in response.json()],
        idempotent=True,
    )


def upload_image(
    content: bytes | Path,
    *,
    filename: str,
    content_type: str,
    category: str,
    is_intermediate: bool,
    board_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Call[ImageRecord]:
    """`POST /api/v1/images/upload`: the server names the image. Sent again, it would be stored twice."""
    parts = [Part("file", content, filename, content_type)]
    if metadata is not None:
        parts.append(Part("metadata", json.dumps(metadata)))
    return Call(
        method="POST",
        path=api_path("images", "upload"),
        query={"image_category": category, "is_intermediate": is_intermediate, "board_id": board_id},
        parts=parts,
        parse=lambda response: ImageRecord.model_validate(response.json()),
    )


def get_image_workflow(image_name: str) -> Call[ImageWorkflow]:
    """`GET /api/v1/images/i/{image_name}/workflow`: what made an image, as JSON texts."""
    return Call(
        method="GET",
        path=api_path("images", "i", image_name, "workflow"),
        parse=lambda response: ImageWorkflow.model_validate(response.json()),
        idempotent=True,
    )
