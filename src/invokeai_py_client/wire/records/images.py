"""Records about images and videos."""

from __future__ import annotations

from invokeai_py_client.wire.records.base import Record


class ImageRecord(Record):
    """An image on the server: its name, size and board, without its pixels."""

    image_name: str
    width: int
    height: int
    image_category: str
    image_origin: str
    is_intermediate: bool
    created_at: str
    starred: bool = False
    board_id: str | None = None
    session_id: str | None = None
    node_id: str | None = None


class ImageWorkflow(Record):
    """The workflow and the graph that created an image, as JSON strings; None if the server has none."""

    workflow: str | None = None
    graph: str | None = None


class DeletedImages(Record):
    """The result of a deletion: `deleted_images`, and on servers from 6.0 also `failed_images`."""

    deleted_images: list[str]
    failed_images: list[str] = []


class ImageNames(Record):
    """The names of images. With `starred_first`, the first `starred_count` are the starred ones."""

    image_names: list[str]
    starred_count: int

    @property
    def names(self) -> list[str]:
        """The names."""
        return self.image_names


class ImageUrls(Record):
    """The URLs of an image and its thumbnail, relative to the server's root."""

    image_name: str
    image_url: str
    thumbnail_url: str


class StarredImages(Record):
    """The images that were starred."""

    starred_images: list[str]


class UnstarredImages(Record):
    """The images that were unstarred."""

    unstarred_images: list[str]


class BulkDownload(Record):
    """The name for downloading a zip of images, after an event has announced that it is ready."""

    bulk_download_item_name: str


class VideoRecord(Record):
    """A video on the server: its name, size, length in seconds and board, without its content."""

    video_name: str
    width: int
    height: int
    duration: float
    fps: float | None = None
    video_category: str
    video_origin: str
    is_intermediate: bool
    created_at: str
    starred: bool = False
    board_id: str | None = None


class VideoNames(Record):
    """The names of videos. With `starred_first`, the first `starred_count` are the starred ones."""

    video_names: list[str]
    starred_count: int

    @property
    def names(self) -> list[str]:
        """The names."""
        return self.video_names


class VideoUrls(Record):
    """The URLs of a video and its thumbnail, relative to the server's root."""

    video_name: str
    video_url: str
    thumbnail_url: str


class DeletedVideos(Record):
    """The videos that were deleted, and those that could not be deleted."""

    deleted_videos: list[str]
    failed_videos: list[str] = []


class StarredVideos(Record):
    """The videos that were starred."""

    starred_videos: list[str]


class UnstarredVideos(Record):
    """The videos that were unstarred."""

    unstarred_videos: list[str]
