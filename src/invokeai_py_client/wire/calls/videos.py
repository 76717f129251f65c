"""Routes of videos. Servers from 6.14 have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from invokeai_py_client.wire.call import Call, Part, Query, Response, api_path, json_of
from invokeai_py_client.wire.reading import content as the_bytes
from invokeai_py_client.wire.reading import maybe_object, nothing, record
from invokeai_py_client.wire.records import (
    DeletedVideos,
    ImageWorkflow,
    StarredVideos,
    UnstarredVideos,
    VideoNames,
    VideoRecord,
    VideoUrls,
)


def get_video(video_name: str) -> Call[VideoRecord]:
    """`GET /api/v1/videos/i/{video_name}`: the record, not the content."""
    return Call(method="GET", path=api_path("videos", "i", video_name), parse=record(VideoRecord), idempotent=True)


def get_video_bytes(video_name: str) -> Call[bytes]:
    """`GET /api/v1/videos/i/{video_name}/full`: the file as the server keeps it."""
    return Call(method="GET", path=api_path("videos", "i", video_name, "full"), parse=the_bytes, idempotent=True)


def get_thumbnail(video_name: str) -> Call[bytes]:
    """`GET /api/v1/videos/i/{video_name}/thumbnail`: a picture of it."""
    return Call(method="GET", path=api_path("videos", "i", video_name, "thumbnail"), parse=the_bytes, idempotent=True)


def get_metadata(video_name: str) -> Call[dict[str, Any] | None]:
    """`GET /api/v1/videos/i/{video_name}/metadata`: what it says of how it was made; null where it says nothing."""
    return Call(method="GET", path=api_path("videos", "i", video_name, "metadata"), parse=maybe_object, idempotent=True)


def get_workflow(video_name: str) -> Call[ImageWorkflow]:
    """`GET /api/v1/videos/i/{video_name}/workflow`: what made it, as JSON texts."""
    return Call(
        method="GET", path=api_path("videos", "i", video_name, "workflow"), parse=record(ImageWorkflow), idempotent=True
    )


def get_urls(video_name: str) -> Call[VideoUrls]:
    """`GET /api/v1/videos/i/{video_name}/urls`: where its files are."""
    return Call(
        method="GET", path=api_path("videos", "i", video_name, "urls"), parse=record(VideoUrls), idempotent=True
    )


def list_video_names(filters: Query) -> Call[VideoNames]:
    """`GET /api/v1/videos/names`: all names at once."""
    return Call(
        method="GET", path=api_path("videos", "names"), query=filters, parse=record(VideoNames), idempotent=True
    )


def upload_video(
    content: bytes | Path | BinaryIO,
    *,
    filename: str,
    content_type: str,
    category: str,
    is_intermediate: bool,
    board_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Call[VideoRecord]:
    """`POST /api/v1/videos/upload`: the server names the video. Sent again, it would be stored twice."""
    parts = [Part("file", content, filename, content_type)]
    if metadata is not None:
        parts.append(Part("metadata", json_of(metadata, "The metadata of a video").decode()))
    return Call(
        method="POST",
        path=api_path("videos", "upload"),
        query={"video_category": category, "is_intermediate": is_intermediate, "board_id": board_id},
        parts=parts,
        parse=record(VideoRecord),
    )


def update_video(video_name: str, changes: Mapping[str, Any]) -> Call[VideoRecord]:
    """`PATCH /api/v1/videos/i/{video_name}`: its category, `is_intermediate` or `starred`."""
    return Call(
        method="PATCH",
        path=api_path("videos", "i", video_name),
        body=dict(changes),
        parse=record(VideoRecord),
        idempotent=True,
    )


def delete_videos(video_names: Sequence[str]) -> Call[DeletedVideos]:
    """`POST /api/v1/videos/delete`: names that are not there are just not in the answer."""
    return Call(
        method="POST",
        path=api_path("videos", "delete"),
        body={"video_names": list(video_names)},
        parse=_deleted(video_names),
        idempotent=True,
    )


def star_videos(video_names: Sequence[str]) -> Call[StarredVideos]:
    """`POST /api/v1/videos/star`: names that are not there are just not in the answer."""
    return Call(
        method="POST",
        path=api_path("videos", "star"),
        body={"video_names": list(video_names)},
        parse=record(StarredVideos),
        idempotent=True,
    )


def unstar_videos(video_names: Sequence[str]) -> Call[UnstarredVideos]:
    """`POST /api/v1/videos/unstar`: names that are not there are just not in the answer."""
    return Call(
        method="POST",
        path=api_path("videos", "unstar"),
        body={"video_names": list(video_names)},
        parse=record(UnstarredVideos),
        idempotent=True,
    )


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


def _deleted(video_names: Sequence[str]) -> Callable[[Response], DeletedVideos]:
    """A reader of what a deletion did.

    A repeat does not name what the first attempt has deleted, so every name that did not fail counts as deleted.
    """
    names = [*dict.fromkeys(video_names)]

    def read(response: Response) -> DeletedVideos:
        result = DeletedVideos.model_validate(response.json())
        if response.is_repeat:
            failed = frozenset(result.failed_videos)
            result = result.model_copy(update={"deleted_videos": [name for name in names if name not in failed]})
        return result

    return read
