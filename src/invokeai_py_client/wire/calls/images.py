"""Routes of images."""

from __future__ import annotations

from invokeai_py_client.wire.call import Call, api_path
from invokeai_py_client.wire.records import DeletedImages, ImageRecord


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
