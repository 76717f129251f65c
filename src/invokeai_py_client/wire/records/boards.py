"""What the server answers about boards."""

from __future__ import annotations

from invokeai_py_client.wire.records.base import Record


class BoardRecord(Record):
    """A board of the server. `image_count` counts neither assets, which `asset_count` counts, nor intermediates."""

    board_id: str
    board_name: str
    archived: bool = False
    image_count: int = 0
    asset_count: int = 0
    cover_image_name: str | None = None
    board_visibility: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class BoardAdditions(Record):
    """The images that are on a board now, and those that could not be put there."""

    added_images: list[str]
    failed_images: list[str] = []


class BoardRemovals(Record):
    """The images that are on no board now, and those that could not be taken off."""

    removed_images: list[str]
    failed_images: list[str] = []


class DeletedBoard(Record):
    """What went with a board: `deleted_board_images` are on no board now, `deleted_images` are gone."""

    board_id: str
    deleted_board_images: list[str]
    deleted_images: list[str]
