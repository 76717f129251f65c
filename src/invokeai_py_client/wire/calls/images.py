"""Routes of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import GONE, Call, Query, api_path, get, idempotent
from invokeai_py_client.wire.media_calls import change_many, deleted, list_names, read_one, update, upload
from invokeai_py_client.wire.reading import content as the_bytes
from invokeai_py_client.wire.reading import list_of, maybe_object, number, record

MAX_NAMES_PER_REQUEST = 1000
"""The server rejects longer lists of names of images and of videos."""


def get_image(image_name: str) -> Call[records.images.ImageRecord]:
    """`GET /api/v1/images/i/{image_name}`: the record, not the pixels."""
    return read_one("image", image_name, parse=record(records.images.ImageRecord))


def get_image_bytes(image_name: str) -> Call[bytes]:
    """`GET /api/v1/images/i/{image_name}/full`: the image file."""
    return read_one("image", image_name, "full", parse=the_bytes)


def get_thumbnail(image_name: str) -> Call[bytes]:
    """`GET /api/v1/images/i/{image_name}/thumbnail`: a WebP of at most 256 x 256 pixels."""
    return read_one("image", image_name, "thumbnail", parse=the_bytes)


def get_metadata(image_name: str) -> Call[dict[str, Any] | None]:
    """`GET /api/v1/images/i/{image_name}/metadata`: the generation metadata, or null."""
    return read_one("image", image_name, "metadata", parse=maybe_object)


def get_urls(image_name: str) -> Call[records.images.ImageUrls]:
    """`GET /api/v1/images/i/{image_name}/urls`: the URLs of the image and its thumbnail."""
    return read_one("image", image_name, "urls", parse=record(records.images.ImageUrls))


def get_image_workflow(image_name: str) -> Call[records.images.ImageWorkflow]:
    """`GET /api/v1/images/i/{image_name}/workflow`: the workflow and graph that created an image, as JSON strings."""
    return read_one("image", image_name, "workflow", parse=record(records.images.ImageWorkflow))


def get_images(image_names: Sequence[str]) -> Call[list[records.images.ImageRecord]]:
    """`POST /api/v1/images/images_by_names`: at most 1,000. Skips names that do not exist. Servers from 6.0."""
    return idempotent(
        "POST",
        api_path("images", "images_by_names"),
        list_of(records.images.ImageRecord),
        body={"image_names": list(image_names)},
    )


def list_image_names(filters: Query) -> Call[records.images.ImageNames]:
    """`GET /api/v1/images/names`: all names in one response. Servers from 6.0."""
    return list_names("image", filters, records.images.ImageNames)


def upload_image(
    content: bytes | Path | BinaryIO,
    *,
    filename: str,
    content_type: str,
    category: str,
    is_intermediate: bool,
    board_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Call[records.images.ImageRecord]:
    """`POST /api/v1/images/upload`: the server chooses the name. Not idempotent."""
    return upload(
        "image",
        records.images.ImageRecord,
        content,
        filename=filename,
        content_type=content_type,
        category=category,
        is_intermediate=is_intermediate,
        board_id=board_id,
        metadata=metadata,
    )


def update_image(image_name: str, changes: Mapping[str, Any]) -> Call[records.images.ImageRecord]:
    """`PATCH /api/v1/images/i/{image_name}`: its category, `is_intermediate` or `starred`."""
    return update("image", image_name, changes, records.images.ImageRecord)


def delete_image(image_name: str) -> Call[records.images.DeletedImages]:
    """`DELETE /api/v1/images/i/{image_name}`: for a name that does not exist, the response is an empty list."""
    return idempotent(
        "DELETE",
        api_path("images", "i", image_name),
        deleted("image", [image_name], records.images.DeletedImages),
        done_statuses=GONE,
    )


def delete_images(image_names: Sequence[str]) -> Call[records.images.DeletedImages]:
    """`POST /api/v1/images/delete`: names that do not exist are missing from the response."""
    return change_many("image", "delete", image_names, deleted("image", image_names, records.images.DeletedImages))


def delete_uncategorized_images() -> Call[records.images.DeletedImages]:
    """`DELETE /api/v1/images/uncategorized`: all images that are not on a board. A retry would return a wrong count."""
    return Call("DELETE", api_path("images", "uncategorized"), record(records.images.DeletedImages))


def star_images(image_names: Sequence[str]) -> Call[records.images.StarredImages]:
    """`POST /api/v1/images/star`: names that do not exist are missing from the response."""
    return change_many("image", "star", image_names, record(records.images.StarredImages))


def unstar_images(image_names: Sequence[str]) -> Call[records.images.UnstarredImages]:
    """`POST /api/v1/images/unstar`: names that do not exist are missing from the response."""
    return change_many("image", "unstar", image_names, record(records.images.UnstarredImages))


def count_intermediates() -> Call[int]:
    """`GET /api/v1/images/intermediates`: the number of intermediate images."""
    return get(api_path("images", "intermediates"), number)


def clear_intermediates() -> Call[int]:
    """`DELETE /api/v1/images/intermediates`: deletes and counts them. A retry would return a wrong count.

    For administrators.
    """
    return Call("DELETE", api_path("images", "intermediates"), number)


def start_bulk_download(
    image_names: Sequence[str], *, board_id: str | None = None
) -> Call[records.images.BulkDownload]:
    """`POST /api/v1/images/download`: starts to create a zip of these images, or of a board."""
    return Call(
        "POST",
        api_path("images", "download"),
        record(records.images.BulkDownload),
        body={"image_names": list(image_names) or None, "board_id": board_id},
    )


def get_bulk_download(bulk_download_item_name: str) -> Call[bytes]:
    """`GET /api/v1/images/download/{bulk_download_item_name}`: the zip, which the server deletes afterwards."""
    return Call("GET", api_path("images", "download", bulk_download_item_name), the_bytes)
