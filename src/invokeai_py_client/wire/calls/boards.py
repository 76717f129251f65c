"""Routes of boards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import GONE, Call, Response, api_path, get, idempotent
from invokeai_py_client.wire.reading import list_of, record, texts

UNCATEGORIZED = "none"
"""The board id that stands for the images that are not on a board."""

GENERATED = ("general",)
ASSETS = ("control", "mask", "user", "other")
"""The image categories that count as images of a board, and those that count as assets."""


def list_boards(*, include_archived: bool) -> Call[list[records.boards.BoardRecord]]:
    """`GET /api/v1/boards/` with `all`: every board that the user can see, in one response."""
    return get(
        api_path("boards") + "/",
        list_of(records.boards.BoardRecord),
        {"all": True, "include_archived": include_archived},
    )


def get_board(board_id: str) -> Call[records.boards.BoardRecord]:
    """`GET /api/v1/boards/{board_id}`."""
    return get(api_path("boards", board_id), record(records.boards.BoardRecord))


def create_board(board_name: str) -> Call[records.boards.BoardRecord]:
    """`POST /api/v1/boards/`: names are not necessarily unique. Not idempotent."""
    return Call("POST", api_path("boards") + "/", record(records.boards.BoardRecord), query={"board_name": board_name})


def update_board(board_id: str, changes: Mapping[str, Any]) -> Call[records.boards.BoardRecord]:
    """`PATCH /api/v1/boards/{board_id}`: its name, cover, visibility, or whether it is archived."""
    return idempotent("PATCH", api_path("boards", board_id), record(records.boards.BoardRecord), body=dict(changes))


def delete_board(board_id: str, *, include_images: bool) -> Call[records.boards.DeletedBoard]:
    """`DELETE /api/v1/boards/{board_id}`: deletes the board, with or without its images.

    If the first response was lost, the names of the images are unknown, and the lists are empty.
    """

    def read(response: Response) -> records.boards.DeletedBoard:
        if response.status_code in GONE:
            return records.boards.DeletedBoard(board_id=board_id, deleted_board_images=[], deleted_images=[])
        return records.boards.DeletedBoard.model_validate(response.json())

    return idempotent(
        "DELETE", api_path("boards", board_id), read, query={"include_images": include_images}, done_statuses=GONE
    )


def list_image_names(
    board_id: str, *, categories: Sequence[str] = (), is_intermediate: bool | None = None
) -> Call[list[str]]:
    """`GET /api/v1/boards/{board_id}/image_names`: the names of a board's images; `none` for images without a board."""
    return get(
        api_path("boards", board_id, "image_names"),
        texts,
        {"categories": tuple(categories) or None, "is_intermediate": is_intermediate},
    )


def count_images(board_id: str, categories: Sequence[str]) -> Call[int]:
    """`GET /api/v1/images/`: the number of a board's images in some categories; `none` for images without a board."""
    return get(
        api_path("images") + "/",
        lambda response: int(response.json()["total"]),
        {"board_id": board_id, "categories": tuple(categories), "is_intermediate": False, "limit": 1},
    )


def add_images(board_id: str, image_names: Sequence[str]) -> Call[records.boards.BoardAdditions]:
    """`POST /api/v1/board_images/batch`: moves images, as an image is on one board at most."""
    return idempotent(
        "POST",
        api_path("board_images", "batch"),
        record(records.boards.BoardAdditions),
        body={"board_id": board_id, "image_names": list(image_names)},
    )


def remove_images(image_names: Sequence[str]) -> Call[records.boards.BoardRemovals]:
    """`POST /api/v1/board_images/batch/delete`: removes images from their boards without deleting them."""
    return idempotent(
        "POST",
        api_path("board_images", "batch", "delete"),
        record(records.boards.BoardRemovals),
        body={"image_names": list(image_names)},
    )
