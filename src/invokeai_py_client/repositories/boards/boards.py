"""`client.board_repo`: the server's boards. `board.py` has the handle of a single board."""

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
"""Who has access to a board in multi-user mode. `private`: only its owner. `shared`: all users see it. `public`: all
users see it, and add and remove images. Only the owner and administrators can rename or delete a board."""

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
        """Return the boards that the user can see.

        Endpoint: GET /api/v1/boards/

        Args:
            all: has no effect; accepted for scripts of client 1.1.
            include_uncategorized: start the list with the board `none`, for the images that are not on a board.
            include_archived: include archived boards.
        """
        found = await self._http.send(boards.list_boards(include_archived=include_archived))
        return [await self._handle(UNCATEGORIZED).refresh(), *found] if include_uncategorized else found

    @on_engine
    async def get_board_by_id(self, board_id: str) -> BoardRecord:
        """Return the record of a board.

        Endpoint: GET /api/v1/boards/{board_id}

        Raises:
            NotFoundError: there is no board with that id.
        """
        if board_id == boards.UNCATEGORIZED:
            return await self.get_uncategorized_board()
        return await self._http.send(boards.get_board(board_id))

    @on_engine
    async def get_boards_by_name(self, name: str) -> list[BoardRecord]:
        """Return the boards with exactly this name. Names are not necessarily unique."""
        return [board for board in await self._catalog.boards() if board.board_name == name]

    @on_engine  # type: ignore[arg-type]  # "self" could be one of the unknown arguments
    async def create_board(self, name: str, *, visibility: Visibility | None = None, **unknown: Never) -> AsyncBoard:
        """Create a board. Other boards may have the same name.

        Endpoint: POST /api/v1/boards/

        Args:
            name: the name, at most 300 characters.
            visibility: who has access to the board in multi-user mode; by default `private`.
        """
        refuse("create_board", unknown, is_private=_VISIBILITY)
        if visibility is not None and visibility not in get_args(Visibility):
            raise ValueError(f"the visibility must be one of {', '.join(get_args(Visibility))}, got {visibility!r}")
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
        """Change the name, cover image, visibility or archived state of a board. None leaves a property unchanged.

        Endpoint: PATCH /api/v1/boards/{board_id}

        Args:
            board_id: the board, by id, name, record or handle.
            name: the new name, at most 300 characters.
            archived: whether the board is archived.
            cover_image_name: the name of the image that represents the board.
            visibility: who has access to the board.

        Raises:
            NotFoundError: there is no such board, or no such image.
            AmbiguousNameError: several boards have that name.
        """
        refuse("update_board", unknown, is_private=_VISIBILITY)
        known_id = await self._existing(board_id)
        if cover_image_name is not None:
            # The server responds with status 500 if the image does not exist.
            await self._http.send(images.get_image(cover_image_name))
        changes = given(
            board_name=name, archived=archived, cover_image_name=cover_image_name, board_visibility=visibility
        )
        return await self._http.send(boards.update_board(known_id, changes))

    @on_engine
    async def delete_board(self, board_id: BoardLike, delete_images: bool = False) -> DeletedBoard:
        """Delete a board, given by id, name, record or handle.

        Endpoint: DELETE /api/v1/boards/{board_id}

        Args:
            board_id: the board.
            delete_images: delete its images as well; otherwise they remain, without a board.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several boards have that name.
        """
        known_id = await self._existing(board_id)
        return await self._http.send(boards.delete_board(known_id, include_images=delete_images))

    @on_engine
    async def get_board_handle(self, board_id: BoardLike | None) -> AsyncBoard:
        """Return a handle of a board, by id, name or record; None or `none` for the images that are not on a board.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several boards have that name.
        """
        if board_id is None or board_id == boards.UNCATEGORIZED:
            return await self.get_uncategorized_handle()
        known_id = await board_id_of(board_id, self._catalog, self._http)
        return self._handle(await self._http.send(boards.get_board(known_id)))

    @on_engine
    async def get_board_handle_by_name(self, name: str) -> AsyncBoard:
        """Return a handle of the board with this name; case is ignored if no name is exactly this one.

        Errors are those of `get_board_handle`.
        """
        return self._handle(board_named(name, await self._catalog.boards(), self._http))

    @on_engine
    async def get_image_by_name(self, image_name: str) -> AsyncImage:
        """Call `client.image_repo.get_image`."""
        return await self._image_repo.get_image(image_name)

    @on_engine
    async def get_uncategorized_handle(self) -> AsyncBoard:
        """Return a handle for the images that are not on a board. Call `refresh()` on it to count them."""
        return self._handle(UNCATEGORIZED)

    @on_engine
    async def get_uncategorized_board(self) -> BoardRecord:
        """Return a record for the images that are not on a board, with their number."""
        return await self._handle(UNCATEGORIZED).refresh()

    async def _existing(self, board: BoardLike) -> str:
        board_id = await board_id_of(board, self._catalog, self._http)
        if board_id == boards.UNCATEGORIZED:
            raise not_there(
                "The board 'none' stands for the images that are not on a board, and cannot be changed.",
                boards.list_boards(include_archived=True),
                self._http,
                hint="Pass the id or name of another board.",
            )
        return board_id

    def _handle(self, record: BoardRecord) -> AsyncBoard:
        return AsyncBoard(self._engine, self._http, self._catalog, self._image_repo, record)
