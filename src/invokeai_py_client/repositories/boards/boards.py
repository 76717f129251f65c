"""`client.board_repo`: the server's boards; `board_handle.py` has single ones."""

from __future__ import annotations

from typing import Literal, Never, get_args

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.earlier_names import refuse
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.image import AsyncImage
from invokeai_py_client.repositories.arguments import BoardLike, board_id_of, board_named, given
from invokeai_py_client.repositories.boards.board import UNCATEGORIZED, AsyncBoard
from invokeai_py_client.repositories.media.images import AsyncImages
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import boards, images
from invokeai_py_client.wire.records.boards import BoardRecord, DeletedBoard

Visibility = Literal["private", "shared", "public"]
"""Who sees a board of a server with several users: its owner; all; or all, who also may put images on it and take them
off. Only its owner, and administrators, rename or delete it."""

_VISIBILITY = "Pass visibility='private', 'shared' or 'public'; a new board is private."


class AsyncBoards(FixedAttributes):
    """The server's boards: `client.board_repo`, awaited `client.aio.board_repo`."""

    def __init__(self, engine: Engine, http: HttpTransport, catalog: Catalog, image_repo: AsyncImages) -> None:
        self._engine = engine
        self._http = http
        self._catalog = catalog
        self._image_repo = image_repo

    @on_engine
    async def list_boards(
        self, all: Literal[True] = True, include_uncategorized: bool = False, *, include_archived: bool = True
    ) -> list[BoardRecord]:
        """The boards that the user may see.

        Endpoint: GET /api/v1/boards/

        Args:
            all: there is no other way; scripts of the earlier client give it.
            include_uncategorized: at first the board that stands for the images on no board.
            include_archived: those that are archived too.
        """
        found = await self._http.send(boards.list_boards(include_archived=include_archived))
        return [await self._handle(UNCATEGORIZED).refresh(), *found] if include_uncategorized else found

    @on_engine
    async def get_board_by_id(self, board_id: str) -> BoardRecord:
        """A board.

        Endpoint: GET /api/v1/boards/{board_id}

        Raises:
            NotFoundError: there is none of that id.
        """
        if board_id == boards.UNCATEGORIZED:
            return await self.get_uncategorized_board()
        return await self._http.send(boards.get_board(board_id))

    @on_engine
    async def get_boards_by_name(self, name: str) -> list[BoardRecord]:
        """The boards of exactly that name: names need not be unique."""
        return [board for board in await self._catalog.boards() if board.board_name == name]

    @on_engine  # type: ignore[arg-type]  # "self" could be one of the unknown arguments
    async def create_board(self, name: str, *, visibility: Visibility | None = None, **unknown: Never) -> AsyncBoard:
        """Make a board. There may be others of that name.

        Endpoint: POST /api/v1/boards/

        Args:
            name: at most 300 characters.
            visibility: who sees it, on a server with several users; `private` if it is left out.
        """
        refuse("create_board", unknown, is_private=_VISIBILITY)
        if visibility is not None and visibility not in get_args(Visibility):
            raise ValueError(f"a board's visibility is {', '.join(get_args(Visibility))}, not {visibility!r}")
        record = await self._http.send(boards.create_board(name))
        if visibility is not None:
            record = await self._http.send(boards.update_board(record.board_id, {"board_visibility": visibility}))
        return self._handle(record)

    @on_engine  # type: ignore[arg-type]
    async def update_board(
        self,
        board_id: BoardLike,
        name: str | None = None,
        *,
        archived: bool | None = None,
        cover_image_name: str | None = None,
        visibility: Visibility | None = None,
        **unknown: Never,
    ) -> BoardRecord:
        """Rename or archive a board, choose its cover, or who sees it; what is left out stays.

        Endpoint: PATCH /api/v1/boards/{board_id}

        Args:
            board_id: the board, by id, name, record or handle.
            name: at most 300 characters.
            archived: whether it is put away.
            cover_image_name: the image that stands for it.
            visibility: who sees it.

        Raises:
            NotFoundError: there is no such board, or no such image.
            AmbiguousNameError: several boards have that name.
        """
        refuse("update_board", unknown, is_private=_VISIBILITY)
        known_id = await self._existing(board_id)
        if cover_image_name is not None:
            # The server answers 500 for an image that is not there.
            await self._http.send(images.get_image(cover_image_name))
        changes = given(
            board_name=name, archived=archived, cover_image_name=cover_image_name, board_visibility=visibility
        )
        return await self._http.send(boards.update_board(known_id, changes))

    @on_engine
    async def delete_board(self, board_id: BoardLike, delete_images: bool = False) -> DeletedBoard:
        """Delete a board, given by id, name, record or handle; its images go with it, or are on no board then.

        Endpoint: DELETE /api/v1/boards/{board_id}

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several have that name.
        """
        known_id = await self._existing(board_id)
        return await self._http.send(boards.delete_board(known_id, include_images=delete_images))

    @on_engine
    async def get_board_handle(self, board_id: BoardLike | None) -> AsyncBoard:
        """A handle of a board, by id, name or record; None or `none` for the images on no board.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several have that name.
        """
        if board_id is None or board_id == boards.UNCATEGORIZED:
            return await self.get_uncategorized_handle()
        known_id = await board_id_of(board_id, self._catalog, self._http)
        return self._handle(await self._http.send(boards.get_board(known_id)))

    @on_engine
    async def get_board_handle_by_name(self, name: str) -> AsyncBoard:
        """A handle of the board of exactly that name; errors as in `get_board_handle`."""
        return self._handle(board_named(name, await self._catalog.boards(), self._http))

    @on_engine
    async def get_image_by_name(self, image_name: str) -> AsyncImage:
        """`client.image_repo.get_image`."""
        return await self._image_repo.get_image(image_name)

    @on_engine
    async def get_uncategorized_handle(self) -> AsyncBoard:
        """A handle of the board that stands for the images on no board; `refresh()` counts them."""
        return self._handle(UNCATEGORIZED)

    @on_engine
    async def get_uncategorized_board(self) -> BoardRecord:
        """The board that stands for the images on no board, with how many they are."""
        return await self._handle(UNCATEGORIZED).refresh()

    async def _existing(self, board: BoardLike) -> str:
        board_id = await board_id_of(board, self._catalog, self._http)
        if board_id == boards.UNCATEGORIZED:
            raise not_there(
                "The images on no board have no board that could be changed.",
                boards.list_boards(include_archived=True),
                self._http,
                hint="Give a board's id or name.",
            )
        return board_id

    def _handle(self, record: BoardRecord) -> AsyncBoard:
        return AsyncBoard(self._engine, self._http, self._catalog, self._image_repo, record)
