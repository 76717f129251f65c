# Generated from repositories/boards/boards.py by scripts/generate_blocking.py. Do not edit.
"""`Boards`: the methods of `AsyncBoards`, blocking."""

from __future__ import annotations

from typing import Literal, Never

from invokeai_py_client.blocking.generated.board import Board
from invokeai_py_client.blocking.generated.image import Image
from invokeai_py_client.repositories.arguments import BoardLike
from invokeai_py_client.repositories.boards.boards import AsyncBoards, Visibility
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.wire.records.boards import BoardRecord, DeletedBoard


class Boards(Blocking[AsyncBoards]):
    """The server's boards: `client.board_repo`, awaited `client.aio.board_repo`."""

    def list_boards(
        self, all: Literal[True] = True, include_uncategorized: bool = False, *, include_archived: bool = True
    ) -> list[BoardRecord]:
        """Return the boards that the user can see.

        Endpoint: GET /api/v1/boards/

        Args:
            all: has no effect; accepted for scripts of client 1.1.
            include_uncategorized: start the list with the board `none`, for the images that are not on a board.
            include_archived: include archived boards.
        """
        work = self._aio.list_boards(all, include_uncategorized, include_archived=include_archived)
        del all, include_uncategorized, include_archived
        return self._aio._engine.block(work)

    def get_board_by_id(self, board_id: str) -> BoardRecord:
        """Return the record of a board.

        Endpoint: GET /api/v1/boards/{board_id}

        Raises:
            NotFoundError: there is no board with that id.
        """
        work = self._aio.get_board_by_id(board_id)
        del board_id
        return self._aio._engine.block(work)

    def get_boards_by_name(self, name: str) -> list[BoardRecord]:
        """Return the boards with exactly this name. Names are not necessarily unique."""
        work = self._aio.get_boards_by_name(name)
        del name
        return self._aio._engine.block(work)

    def create_board(self, name: str, *, visibility: Visibility | None = None, **unknown: Never) -> Board:
        """Create a board. Other boards may have the same name.

        Endpoint: POST /api/v1/boards/

        Args:
            name: the name, at most 300 characters.
            visibility: who has access to the board in multi-user mode; by default `private`.
        """
        work = self._aio.create_board(name, visibility=visibility, **unknown)
        del name, visibility
        return Board(self._aio._engine.block(work))

    def update_board(
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
        work = self._aio.update_board(
            board_id, name, archived=archived, cover_image_name=cover_image_name, visibility=visibility, **unknown
        )
        del board_id, name, archived, cover_image_name, visibility
        return self._aio._engine.block(work)

    def delete_board(self, board_id: BoardLike, delete_images: bool = False) -> DeletedBoard:
        """Delete a board, given by id, name, record or handle.

        Endpoint: DELETE /api/v1/boards/{board_id}

        Args:
            board_id: the board.
            delete_images: delete its images as well; otherwise they remain, without a board.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several boards have that name.
        """
        work = self._aio.delete_board(board_id, delete_images)
        del board_id, delete_images
        return self._aio._engine.block(work)

    def get_board_handle(self, board_id: BoardLike | None) -> Board:
        """Return a handle of a board, by id, name or record; None or `none` for the images that are not on a board.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several boards have that name.
        """
        work = self._aio.get_board_handle(board_id)
        del board_id
        return Board(self._aio._engine.block(work))

    def get_board_handle_by_name(self, name: str) -> Board:
        """Return a handle of the board with this name; case is ignored if no name is exactly this one.

        Errors are those of `get_board_handle`.
        """
        work = self._aio.get_board_handle_by_name(name)
        del name
        return Board(self._aio._engine.block(work))

    def get_image_by_name(self, image_name: str) -> Image:
        """Call `client.image_repo.get_image`."""
        work = self._aio.get_image_by_name(image_name)
        del image_name
        return Image(self._aio._engine.block(work))

    def get_uncategorized_handle(self) -> Board:
        """Return a handle for the images that are not on a board. Call `refresh()` on it to count them."""
        return Board(self._aio._engine.block(self._aio.get_uncategorized_handle()))

    def get_uncategorized_board(self) -> BoardRecord:
        """Return a record for the images that are not on a board, with their number."""
        return self._aio._engine.block(self._aio.get_uncategorized_board())
