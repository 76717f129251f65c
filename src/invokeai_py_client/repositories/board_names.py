"""Boards by their id, name or record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import AmbiguousNameError
from invokeai_py_client.transport.answers import nearest, not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import boards
from invokeai_py_client.wire.records import BoardRecord


class HasBoardId(Protocol):
    """A board's record, or a handle of it."""

    @property
    def board_id(self) -> str:
        """The board's id."""
        ...


BoardLike = str | HasBoardId
"""A board's id, its name, its record, or a handle; `none` stands for the images on no board."""


async def board_id_of(board: BoardLike, catalog: Catalog, http: HttpTransport) -> str:
    """The id of a board. An id goes before a name; names are asked of the server each time.

    Raises:
        NotFoundError: there is no such board; the message names the nearest.
        AmbiguousNameError: several boards have that name.
        TypeError: it is nothing of these.
    """
    if not isinstance(board, str):
        board_id = getattr(board, "board_id", None)
        if not isinstance(board_id, str):
            raise TypeError(f"a board is given by its id, name, record or handle, not by {type(board).__name__}")
        return board_id
    if board == boards.UNCATEGORIZED:
        return board
    known = await catalog.boards()
    if any(one.board_id == board for one in known):
        return board
    return board_named(board, known, http).board_id


def board_named(name: str, known: Sequence[BoardRecord], http: HttpTransport) -> BoardRecord:
    """The one of the known boards that has a name; errors as in `board_id_of`."""
    named = [one for one in known if one.board_name == name]
    if len(named) > 1:
        raise AmbiguousNameError(
            f"{len(named)} boards are named {name!r}.",
            name=name,
            choices=tuple(one.board_id for one in named),
            hint=f"Give the id of one: {', '.join(one.board_id for one in named)}.",
        )
    if not named:
        call = boards.list_boards(include_archived=True)
        raise not_there(
            f"The server has no board {name!r}.",
            method=call.method,
            url=http.url_of(call.path),
            hint=nearest(name, (one.board_name for one in known), "Its boards are"),
        )
    return named[0]
