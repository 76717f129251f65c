"""Routes of boards."""

from __future__ import annotations

from collections.abc import Sequence

from invokeai_py_client.wire.call import Call, Response, api_path
from invokeai_py_client.wire.records import BoardRecord


def list_boards(*, include_archived: bool) -> Call[list[BoardRecord]]:
    """`GET /api/v1/boards/` with `all`: every board that the user may see, in one answer."""
    return Call(
        method="GET",
        path=api_path("boards") + "/",
        query={"all": True, "include_archived": include_archived},
        parse=lambda response: [BoardRecord.model_validate(board) for board in response.json()],
        idempotent=True,
    )


def list_image_names(board_id: str, *, categories: Sequence[str], is_intermediate: bool) -> Call[list[str]]:
    """`GET /api/v1/boards/{board_id}/image_names`: the names of a board's images; `none` for those on no board."""
    return Call(
        method="GET",
        path=api_path("boards", board_id, "image_names"),
        query={"categories": tuple(categories), "is_intermediate": is_intermediate},
        parse=_names,
        idempotent=True,
    )


def _names(response: Response) -> list[str]:
    return [str(name) for name in response.json()]
