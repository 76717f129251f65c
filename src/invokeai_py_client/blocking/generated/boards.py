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
        """The boards that the user may see.

        Endpoint: GET /api/v1/boards/

        Args:
            all: there is no other way; scripts of the earlier client give it.
            include_uncategorized: at first the board that stands for the images on no board.
            include_archived: those that are archived too.
        """
        work = self._aio.list_boards(all, include_uncategorized, include_archived=include_archived)
        del all, include_uncategorized, include_archived
        return self._aio._engine.block(work)

    def get_board_by_id(self, board_id: str) -> BoardRecord:
        """A board.

        Endpoint: GET /api/v1/boards/{board_id}

        Raises:
            NotFoundError: there is none of that id.
        """
        work = self._aio.get_board_by_id(board_id)
        del board_id
        return self._aio._engine.block(work)

    def get_boards_by_name(self, name: str) -> list[BoardRecord]:
        """The boards of exactly that name: names need not be unique."""
        work = self._aio.get_boards_by_name(name)
        del name
        return self._aio._engine.block(work)

    def create_board(self, name: str, *, visibility: Visibility | None = None, **unknown: Never) -> Board:
        """Make a board. There may be others of that name.

        Endpoint: POST /api/v1/boards/

        Args:
            name: at most 300 characters.
            visibility: who sees it, on a server with several users; `private` if it is left out.
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
        work = self._aio.update_board(
            board_id, name, archived=archived, cover_image_name=cover_image_name, visibility=visibility, **unknown
        )
        del board_id, name, archived, cover_image_name, visibility
        return self._aio._engine.block(work)

    def delete_board(self, board_id: BoardLike, delete_images: bool = False) -> DeletedBoard:
        """Delete a board, given by id, name, record or handle; its images go with it, or are on no board then.

        Endpoint: DELETE /api/v1/boards/{board_id}

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several have that name.
        """
        work = self._aio.delete_board(board_id, delete_images)
        del board_id, delete_images
        return self._aio._engine.block(work)

    def get_board_handle(self, board_id: BoardLike | None) -> Board:
        """A handle of a board, by id, name or record; None or `none` for the images on no board.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several have that name.
        """
        work = self._aio.get_board_handle(board_id)
        del board_id
        return Board(self._aio._engine.block(work))

    def get_board_handle_by_name(self, name: str) -> Board:
        """A handle of the board of exactly that name; errors as in `get_board_handle`."""
        work = self._aio.get_board_handle_by_name(name)
        del name
        return Board(self._aio._engine.block(work))

    def get_image_by_name(self, image_name: str) -> Image:
        """`client.image_repo.get_image`."""
        work = self._aio.get_image_by_name(image_name)
        del image_name
        return Image(self._aio._engine.block(work))

    def get_uncategorized_handle(self) -> Board:
        """A handle of the board that stands for the images on no board; `refresh()` counts them."""
        return Board(self._aio._engine.block(self._aio.get_uncategorized_handle()))

    def get_uncategorized_board(self) -> BoardRecord:
        """The board that stands for the images on no board, with how many they are."""
        return self._aio._engine.block(self._aio.get_uncategorized_board())
