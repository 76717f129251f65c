"""Boards by their id, name or record."""

from __future__ import annotations

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import AmbiguousNameError
from invokeai_py_client.transport.answers import nearest, not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import boards
from invokeai_py_client.wire.records import BoardRecord

BoardLike = str | BoardRecord
"""A board's id, its name, or its record; `none` stands for the images on no board."""


async def board_id_of(board: BoardLike, catalog: Catalog, http: HttpTransport) -> str:
    """The id of a board. An id goes before a name; names are asked of the server each time.

    Raises:
        NotFoundError: there is no such board; the message names the nearest.
        AmbiguousNameError: several boards have that name.
    """
    if isinstance(board, BoardRecord):
        return board.board_id
    if board == boards.UNCATEGORIZED:
        return board
    known = await catalog.boards()
    if any(one.board_id == board for one in known):
        return board
    named = [one for one in known if one.board_name == board]
    if len(named) > 1:
        raise AmbiguousNameError(
            f"{len(named)} boards are named {board!r}.",
            name=board,
            choices=tuple(one.board_id for one in named),
            hint=f"Give the id of one: {', '.join(one.board_id for one in named)}.",
        )
    if not named:
        call = boards.list_boards(include_archived=True)
        raise not_there(
            f"The server has no board {board!r}.",
            method=call.method,
            url=http.url_of(call.path),
            hint=nearest(board, (one.board_name for one in known), "Its boards are"),
        )
    return named[0].board_id
