"""Routes of videos, for servers from 6.14."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import Call, Query, api_path, idempotent
from invokeai_py_client.wire.media_calls import change_many, deleted, list_names, read_one, update, upload
from invokeai_py_client.wire.reading import content as the_bytes
from invokeai_py_client.wire.reading import maybe_object, nothing, record


def get_video(video_name: str) -> Call[records.images.VideoRecord]:
    """`GET /api/v1/videos/i/{video_name}`: the record, not the content."""
    return read_one("video", video_name, parse=record(records.images.VideoRecord))


def get_video_bytes(video_name: str) -> Call[bytes]:
    """`GET /api/v1/videos/i/{video_name}/full`: the video file."""
    return read_one("video", video_name, "full", parse=the_bytes)


def get_thumbnail(video_name: str) -> Call[bytes]:
    """`GET /api/v1/videos/i/{video_name}/thumbnail`: an image file."""
    return read_one("video", video_name, "thumbnail", parse=the_bytes)


def get_metadata(video_name: str) -> Call[dict[str, Any] | None]:
    """`GET /api/v1/videos/i/{video_name}/metadata`: the generation metadata, or null."""
    return read_one("video", video_name, "metadata", parse=maybe_object)


def get_workflow(video_name: str) -> Call[records.images.ImageWorkflow]:
    """`GET /api/v1/videos/i/{video_name}/workflow`: the workflow and graph that created a video, as JSON strings."""
    return read_one("video", video_name, "workflow", parse=record(records.images.ImageWorkflow))


def get_urls(video_name: str) -> Call[records.images.VideoUrls]:
    """`GET /api/v1/videos/i/{video_name}/urls`: the URLs of the video and its thumbnail."""
    return read_one("video", video_name, "urls", parse=record(records.images.VideoUrls))


def list_video_names(filters: Query) -> Call[records.images.VideoNames]:
    """`GET /api/v1/videos/names`: all names in one response."""
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
    """`POST /api/v1/videos/upload`: the server chooses the name. Not idempotent."""
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
    """`POST /api/v1/videos/delete`: names that do not exist are missing from the response."""
    return change_many("video", "delete", video_names, deleted("video", video_names, records.images.DeletedVideos))


def star_videos(video_names: Sequence[str]) -> Call[records.images.StarredVideos]:
    """`POST /api/v1/videos/star`: names that do not exist are missing from the response."""
    return change_many("video", "star", video_names, record(records.images.StarredVideos))


def unstar_videos(video_names: Sequence[str]) -> Call[records.images.UnstarredVideos]:
    """`POST /api/v1/videos/unstar`: names that do not exist are missing from the response."""
    return change_many("video", "unstar", video_names, record(records.images.UnstarredVideos))


def add_video_to_board(board_id: str, video_name: str) -> Call[None]:
    """`POST /api/v1/videos/board`: moves a video, as a video is on one board at most."""
    return idempotent(
        "POST", api_path("videos", "board"), nothing, body={"board_id": board_id, "video_name": video_name}
    )


def remove_video_from_board(video_name: str) -> Call[None]:
    """`DELETE /api/v1/videos/board`: removes a video from its board without deleting it."""
    return idempotent("DELETE", api_path("videos", "board"), nothing, body={"video_name": video_name})
