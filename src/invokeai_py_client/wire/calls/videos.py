"""Routes of videos. Servers from 6.14 have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import Call, Query, api_path
from invokeai_py_client.wire.media_calls import change_many, deleted, list_names, read_one, update, upload
from invokeai_py_client.wire.reading import content as the_bytes
from invokeai_py_client.wire.reading import maybe_object, nothing, record


def get_video(video_name: str) -> Call[records.images.VideoRecord]:
    """`GET /api/v1/videos/i/{video_name}`: the record, not the content."""
    return read_one("video", video_name, parse=record(records.images.VideoRecord))


def get_video_bytes(video_name: str) -> Call[bytes]:
    """`GET /api/v1/videos/i/{video_name}/full`: the file as the server keeps it."""
    return read_one("video", video_name, "full", parse=the_bytes)


def get_thumbnail(video_name: str) -> Call[bytes]:
    """`GET /api/v1/videos/i/{video_name}/thumbnail`: a picture of it."""
    return read_one("video", video_name, "thumbnail", parse=the_bytes)


def get_metadata(video_name: str) -> Call[dict[str, Any] | None]:
    """`GET /api/v1/videos/i/{video_name}/metadata`: what it says of how it was made; null where it says nothing."""
    return read_one("video", video_name, "metadata", parse=maybe_object)


def get_workflow(video_name: str) -> Call[records.images.ImageWorkflow]:
    """`GET /api/v1/videos/i/{video_name}/workflow`: what made it, as JSON texts."""
    return read_one("video", video_name, "workflow", parse=record(records.images.ImageWorkflow))


def get_urls(video_name: str) -> Call[records.images.VideoUrls]:
    """`GET /api/v1/videos/i/{video_name}/urls`: where its files are."""
    return read_one("video", video_name, "urls", parse=record(records.images.VideoUrls))


def list_video_names(filters: Query) -> Call[records.images.VideoNames]:
    """`GET /api/v1/videos/names`: all names at once."""
    return list_names("video", filters, records.images.VideoNames)


def upload_video(
    content: bytes | Path | BinaryIO,
    *,
    filename: str,
    content_type: str,
    category: str,
    is_intermediate: bool,
    board_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Call[records.images.VideoRecord]:
    """`POST /api/v1/videos/upload`: the server names the video. Sent again, it would be stored twice."""
    return upload(
        "video",
        records.images.VideoRecord,
        content,
        filename=filename,
        content_type=content_type,
        category=category,
        is_intermediate=is_intermediate,
        board_id=board_id,
        metadata=metadata,
    )


def update_video(video_name: str, changes: Mapping[str, Any]) -> Call[records.images.VideoRecord]:
    """`PATCH /api/v1/videos/i/{video_name}`: its category, `is_intermediate` or `starred`."""
    return update("video", video_name, changes, records.images.VideoRecord)


def delete_videos(video_names: Sequence[str]) -> Call[records.images.DeletedVideos]:
    """`POST /api/v1/videos/delete`: names that are not there are just not in the answer."""
    return change_many("video", "delete", video_names, deleted("video", video_names, records.images.DeletedVideos))


def star_videos(video_names: Sequence[str]) -> Call[records.images.StarredVideos]:
    """`POST /api/v1/videos/star`: names that are not there are just not in the answer."""
    return change_many("video", "star", video_names, record(records.images.StarredVideos))


def unstar_videos(video_names: Sequence[str]) -> Call[records.images.UnstarredVideos]:
    """`POST /api/v1/videos/unstar`: names that are not there are just not in the answer."""
    return change_many("video", "unstar", video_names, record(records.images.UnstarredVideos))


def add_video_to_board(board_id: str, video_name: str) -> Call[None]:
    """`POST /api/v1/videos/board`: a video is on one board at most."""
    return Call(
        method="POST",
        path=api_path("videos", "board"),
        body={"board_id": board_id, "video_name": video_name},
        parse=nothing,
        idempotent=True,
    )


def remove_video_from_board(video_name: str) -> Call[None]:
    """`DELETE /api/v1/videos/board`: it is on no board then."""
    return Call(
        method="DELETE",
        path=api_path("videos", "board"),
        body={"video_name": video_name},
        parse=nothing,
        idempotent=True,
    )
