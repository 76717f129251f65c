"""Routes of boards."""

from __future__ import annotations

from collections.abc import Sequence

from invokeai_py_client.wire.call import Call, Response, api_path


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
