"""What the server answers about images and videos."""

from __future__ import annotations

from invokeai_py_client.wire.records.base import Record


class ImageRecord(Record):
    """An image on the server: its name, size and place, not its pixels."""

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
    """The workflow and the graph that made an image, as JSON texts; None where the server has none."""

    workflow: str | None = None
    graph: str | None = None


class DeletedImages(Record):
    """What a deletion did: `deleted_images` are gone; servers from 6.0 on also tell `failed_images`."""

    deleted_images: list[str]
    failed_images: list[str] = []


class ImageNames(Record):
    """The names of all images of a list; the first `starred_count` are the starred ones, where those come first."""

    image_names: list[str]
    starred_count: int

    @property
    def names(self) -> list[str]:
        """The names."""
        return self.image_names


class ImageUrls(Record):
    """Where an image and its thumbnail are to be had, relative to the server's root."""

    image_name: str
    image_url: str
    thumbnail_url: str


class StarredImages(Record):
    """The images that are starred now."""

    starred_images: list[str]


class UnstarredImages(Record):
    """The images that are not starred any more."""

    unstarred_images: list[str]


class BulkDownload(Record):
    """The name under which a zip of images will be had, once an event says that it is made."""

    bulk_download_item_name: str


class VideoRecord(Record):
    """A video on the server: its name, size, length in seconds and place, not its content."""

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
    """The names of all videos of a list; the first `starred_count` are the starred ones, where those come first."""

    video_names: list[str]
    starred_count: int

    @property
    def names(self) -> list[str]:
        """The names."""
        return self.video_names


class VideoUrls(Record):
    """Where a video and its thumbnail are to be had, relative to the server's root."""

    video_name: str
    video_url: str
    thumbnail_url: str


class DeletedVideos(Record):
    """The videos that are gone, and those that could not be deleted."""

    deleted_videos: list[str]
    failed_videos: list[str] = []


class StarredVideos(Record):
    """The videos that are starred now."""

    starred_videos: list[str]


class UnstarredVideos(Record):
    """The videos that are not starred any more."""

    unstarred_videos: list[str]
