"""Records about boards."""

from __future__ import annotations

from invokeai_py_client.wire.records.base import Record


class BoardRecord(Record):
    """A board. `image_count` excludes assets, which `asset_count` counts, and intermediate images."""

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
    """The images that were added to a board, and those that could not be added."""

    added_images: list[str]
    failed_images: list[str] = []


class BoardRemovals(Record):
    """The images that were removed from their boards, and those that could not be removed."""

    removed_images: list[str]
    failed_images: list[str] = []


class DeletedBoard(Record):
    """A deleted board: `deleted_images` were deleted with it, `deleted_board_images` remain without a board."""

    board_id: str
    deleted_board_images: list[str]
    deleted_images: list[str]
