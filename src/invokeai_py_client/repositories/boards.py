"""`client.board_repo`: the server's boards, and handles of single ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.repositories.board_names import BoardLike, board_id_of
from invokeai_py_client.repositories.image_transfers import Category
from invokeai_py_client.repositories.images import AsyncImages
from invokeai_py_client.repositories.several import in_parts, several
from invokeai_py_client.repositories.transfers import CONCURRENCY, ProgressCallback, TransferReport
from invokeai_py_client.repositories.uploads import Upload
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.reporting import blocking_reporting
from invokeai_py_client.runtime.twins import Blocking, blocking, on_engine, shared
from invokeai_py_client.transport.answers import not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Query
from invokeai_py_client.wire.calls import boards, images
from invokeai_py_client.wire.records import BoardRecord, DeletedBoard, ImageRecord

if TYPE_CHECKING:
    from invokeai_py_client.repositories.uploads import ImageSource

Visibility = Literal["private", "shared", "public"]
"""Who sees a board of a server with several users, and who may change it: its owner; all see it; all change it."""

_UNCATEGORIZED = BoardRecord(board_id=boards.UNCATEGORIZED, board_name="Uncategorized")


class AsyncBoard:
    """The awaited face of one board; `Board` blocks. `record` is what was known of it when it was made, or refreshed.

    The board of the images that are on none has the id `none`.
    """

    def __init__(
        self, engine: Engine, http: HttpTransport, catalog: Catalog, image_repo: AsyncImages, record: BoardRecord
    ) -> None:
        self._engine = engine
        self._http = http
        self._catalog = catalog
        self._image_repo = image_repo
        self.record = record

    @property
    def board_id(self) -> str:
        """Its id."""
        return self.record.board_id

    @on_engine
    async def refresh(self) -> BoardRecord:
        """What the server knows of it now; for the images on no board, how many there are.

        Rests on `GET /api/v1/boards/{board_id}`.

        Raises:
            NotFoundError: it is no more.
        """
        if self.board_id == boards.UNCATEGORIZED:
            names = await self._http.send(boards.list_image_names(self.board_id, is_intermediate=False))
            self.record = _UNCATEGORIZED.model_copy(update={"image_count": len(names)})
        else:
            self.record = await self._http.send(boards.get_board(self.board_id))
        return self.record

    def images(
        self,
        *,
        categories: Sequence[Category] = (),
        starred: bool | None = None,
        search: str | None = None,
        newest_first: bool = True,
    ) -> Listing[ImageRecord]:
        """Its images, for `for` and for `async for`; the arguments are those of `image_repo.list_images`."""
        return self._image_repo.list_images(
            board=self.record, categories=categories, starred=starred, search=search, newest_first=newest_first
        )

    @on_engine
    async def list_images(
        self,
        offset: int = 0,
        limit: int | None = None,
        *,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
        search_term: str | None = None,
    ) -> list[str]:
        """The names of its images.

        Rests on `GET /api/v1/images/names`, of servers from 6.0.

        Args:
            offset: skip so many.
            limit: at most so many; None for all.
            order_dir: `DESC` for the newest first.
            starred_first: the starred ones before the others.
            search_term: only those in whose metadata this text occurs.
        """
        filters: Query = {
            "board_id": self.board_id,
            "is_intermediate": False,
            "order_dir": order_dir,
            "starred_first": starred_first,
            "search_term": search_term,
        }
        names = (await self._http.send(images.list_image_names(filters))).image_names
        return names[offset:] if limit is None else names[offset : offset + limit]

    @on_engine
    async def upload_image(
        self, file_path: ImageSource, is_intermediate: bool = False, image_category: Category = "user"
    ) -> ImageRecord:
        """Upload an image to it: a path, bytes, an open file or a Pillow image; see `image_repo.upload_image`."""
        return await self._image_repo.upload_image(
            file_path, board=self._target(), category=image_category, is_intermediate=is_intermediate
        )

    @on_engine
    async def upload_image_data(
        self,
        image_data: bytes,
        filename: str | None = None,
        is_intermediate: bool = False,
        image_category: Category = "user",
    ) -> ImageRecord:
        """`upload_image` of a file's content; `filename` is what the server, and an error, may call it."""
        target = self._target()
        board_id = None if target is None else target.board_id
        upload = Upload(image_data, filename=filename)
        return await self._image_repo.send_upload(upload, board_id, image_category, is_intermediate)

    async def upload(
        self,
        paths: str | Iterable[str | os.PathLike[str]],
        *,
        log: str | os.PathLike[str] | None = None,
        concurrency: int = CONCURRENCY,
        progress_callback: ProgressCallback | None = None,
    ) -> TransferReport[ImageRecord]:
        """Upload many files to it: `image_repo.upload_many`."""
        return await self._image_repo.upload_many(
            paths, board=self._target(), log=log, concurrency=concurrency, progress_callback=progress_callback
        )

    async def download(
        self,
        folder: str | os.PathLike[str],
        *,
        concurrency: int = CONCURRENCY,
        progress_callback: ProgressCallback | None = None,
    ) -> TransferReport[Path]:
        """Download all its images into a folder: `image_repo.download_many`."""
        names = await self.list_images()
        return await self._image_repo.download_many(
            names, folder, concurrency=concurrency, progress_callback=progress_callback
        )

    @on_engine
    async def download_image(self, image_name: str, full_resolution: bool = True) -> bytes:
        """The file of one of its images, or with `full_resolution=False` its thumbnail, in memory.

        Raises:
            NotFoundError: there is no image of that name.
        """
        call = images.get_image_bytes if full_resolution else images.get_thumbnail
        return await self._http.send(call(image_name))

    @on_engine
    async def add_images(self, image_names: str | Iterable[str]) -> list[str]:
        """Put images on it, which then are on no other; the names of those that are on it now.

        Rests on `POST /api/v1/board_images/batch`; for the board of no board as `remove_images`.
        """
        if self.board_id == boards.UNCATEGORIZED:
            return await self.remove_images(image_names)
        return await _move(self._http, several(image_names), self.board_id)

    @on_engine
    async def remove_images(self, image_names: str | Iterable[str]) -> list[str]:
        """Take images off it; they are on no board then. The names of those that are.

        Rests on `POST /api/v1/board_images/batch/delete`.
        """
        parts = in_parts(several(image_names), images.MAX_NAMES_PER_REQUEST)
        answers = [await self._http.send(boards.remove_images(part)) for part in parts]
        return [name for answer in answers for name in answer.removed_images]

    @on_engine
    async def move_image_to(self, image_name: str, target_board_id: BoardLike) -> None:
        """Put one of its images on another board; `none` for no board.

        Raises:
            NotFoundError: there is no such image or board.
            AmbiguousNameError: several boards have that name.
        """
        target = await board_id_of(target_board_id, self._catalog, self._http)
        if target == boards.UNCATEGORIZED:
            await self.remove_image(image_name)
        elif image_name not in await _move(self._http, [image_name], target):
            raise self._no_image(image_name)

    @on_engine
    async def remove_image(self, image_name: str) -> None:
        """Take one image off it.

        Raises:
            NotFoundError: there is no such image.
        """
        if image_name not in await self.remove_images(image_name):
            raise self._no_image(image_name)

    @on_engine
    async def star_image(self, image_name: str) -> None:
        """Star one of its images; NotFoundError if there is none of that name."""
        await self._image_repo.star_image(image_name)

    @on_engine
    async def unstar_image(self, image_name: str) -> None:
        """Take the star off one of its images; NotFoundError if there is none of that name."""
        await self._image_repo.unstar_image(image_name)

    @on_engine
    async def delete_image(self, image_name: str) -> None:
        """Delete one of its images, for good; NotFoundError if there is none of that name."""
        await self._image_repo.delete_image(image_name)

    @on_engine
    async def get_image_count(self) -> int:
        """How many images are on it, as the server counts them: without intermediates and assets."""
        return (await self.refresh()).image_count

    def _target(self) -> BoardRecord | None:
        return None if self.board_id == boards.UNCATEGORIZED else self.record

    def _no_image(self, image_name: str) -> Exception:
        call = images.get_image(image_name)
        return not_there(
            f"The server has no image {image_name!r}, or may not move it.",
            method=call.method,
            url=self._http.url_of(call.path),
            hint="Check the name; it may have been deleted meanwhile.",
        )


class Board(Blocking[AsyncBoard]):
    """One board of the server. `board.aio` has the same verbs, awaited.

    Example:
        >>> board = client.board_repo.get_board_handle_by_name("tigers")
        >>> board.upload_image("cub.png")
        >>> board.download("tigers").failed
        []
    """

    refresh = blocking(AsyncBoard.refresh)
    images = shared(AsyncBoard.images)
    list_images = blocking(AsyncBoard.list_images)
    upload_image = blocking(AsyncBoard.upload_image)
    upload_image_data = blocking(AsyncBoard.upload_image_data)
    upload = blocking_reporting(AsyncBoard.upload)
    download = blocking_reporting(AsyncBoard.download)
    download_image = blocking(AsyncBoard.download_image)
    add_images = blocking(AsyncBoard.add_images)
    remove_images = blocking(AsyncBoard.remove_images)
    move_image_to = blocking(AsyncBoard.move_image_to)
    remove_image = blocking(AsyncBoard.remove_image)
    star_image = blocking(AsyncBoard.star_image)
    unstar_image = blocking(AsyncBoard.unstar_image)
    delete_image = blocking(AsyncBoard.delete_image)
    get_image_count = blocking(AsyncBoard.get_image_count)

    @property
    def record(self) -> BoardRecord:
        """What was known of it when it was made, or refreshed."""
        return self.aio.record

    @property
    def board_id(self) -> str:
        """Its id; `none` for the board of the images that are on none."""
        return self.aio.board_id

    @property
    def board_name(self) -> str:
        """Its name."""
        return self.aio.record.board_name

    @property
    def is_uncategorized(self) -> bool:
        """Whether it stands for the images that are on no board."""
        return self.board_id == boards.UNCATEGORIZED

    def __repr__(self) -> str:
        return f"<Board {self.board_name!r} {self.board_id}>"


class AsyncBoards:
    """The awaited face: `client.aio.board_repo`."""

    def __init__(self, engine: Engine, http: HttpTransport, catalog: Catalog, image_repo: AsyncImages) -> None:
        self._engine = engine
        self._http = http
        self._catalog = catalog
        self._image_repo = image_repo

    @on_engine
    async def list_boards(
        self, *, include_archived: bool = True, include_uncategorized: bool = False
    ) -> list[BoardRecord]:
        """The boards that the user may see.

        Rests on `GET /api/v1/boards/`.

        Args:
            include_archived: those that are archived too.
            include_uncategorized: at first the board that stands for the images on no board.
        """
        found = await self._http.send(boards.list_boards(include_archived=include_archived))
        return [await self._handle(_UNCATEGORIZED).refresh(), *found] if include_uncategorized else found

    @on_engine
    async def get_board_by_id(self, board_id: str) -> BoardRecord:
        """A board.

        Rests on `GET /api/v1/boards/{board_id}`.

        Raises:
            NotFoundError: there is none of that id.
        """
        if board_id == boards.UNCATEGORIZED:
            return await self.get_uncategorized_board()
        return await self._http.send(boards.get_board(board_id))

    @on_engine
    async def get_boards_by_name(self, name: str) -> list[BoardRecord]:
        """The boards of exactly that name: names need not be unique."""
        return [board for board in await self.list_boards() if board.board_name == name]

    @on_engine
    async def create_board(self, name: str, *, visibility: Visibility | None = None) -> Board:
        """Make a board. There may be others of that name.

        Rests on `POST /api/v1/boards/`.

        Args:
            name: at most 300 characters.
            visibility: who sees it, on a server with several users; `private` if it is left out.
        """
        record = await self._http.send(boards.create_board(name))
        if visibility is not None:
            record = await self._http.send(boards.update_board(record.board_id, {"board_visibility": visibility}))
        return Board(self._handle(record))

    @on_engine
    async def update_board(
        self,
        board_id: BoardLike,
        name: str | None = None,
        *,
        archived: bool | None = None,
        cover_image_name: str | None = None,
        visibility: Visibility | None = None,
    ) -> BoardRecord:
        """Rename or archive a board, choose its cover, or who sees it; what is left out stays.

        A board is given by id, name or record.

        Rests on `PATCH /api/v1/boards/{board_id}`.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several have that name.
        """
        known_id = await self._existing(board_id)
        changes: dict[str, Any] = {
            "board_name": name,
            "archived": archived,
            "cover_image_name": cover_image_name,
            "board_visibility": visibility,
        }
        return await self._http.send(
            boards.update_board(known_id, {key: value for key, value in changes.items() if value is not None})
        )

    @on_engine
    async def delete_board(self, board_id: BoardLike, delete_images: bool = False) -> DeletedBoard:
        """Delete a board, given by id, name or record; its images go with it, or are on no board then.

        Rests on `DELETE /api/v1/boards/{board_id}`.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several have that name.
        """
        known_id = await self._existing(board_id)
        return await self._http.send(boards.delete_board(known_id, include_images=delete_images))

    @on_engine
    async def get_board_handle(self, board_id: BoardLike | None) -> Board:
        """A handle of a board, by id, name or record; None or `none` for the images on no board.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several have that name.
        """
        if board_id is None or board_id == boards.UNCATEGORIZED:
            return await self.get_uncategorized_handle()
        record = await self._http.send(boards.get_board(await board_id_of(board_id, self._catalog, self._http)))
        return Board(self._handle(record))

    @on_engine
    async def get_board_handle_by_name(self, name: str) -> Board:
        """A handle of the board of that name; errors as in `get_board_handle`."""
        return await self.get_board_handle(name)

    @on_engine
    async def get_uncategorized_handle(self) -> Board:
        """A handle of the board that stands for the images on no board."""
        handle = self._handle(_UNCATEGORIZED)
        await handle.refresh()
        return Board(handle)

    @on_engine
    async def get_uncategorized_board(self) -> BoardRecord:
        """The board that stands for the images on no board, with how many they are."""
        return await self._handle(_UNCATEGORIZED).refresh()

    async def _existing(self, board: BoardLike) -> str:
        board_id = await board_id_of(board, self._catalog, self._http)
        if board_id == boards.UNCATEGORIZED:
            raise not_there(
                "The images on no board have no board that could be changed.",
                method="PATCH",
                url=self._http.url_of("/api/v1/boards/"),
                hint="Give a board's id or name.",
            )
        return board_id

    def _handle(self, record: BoardRecord) -> AsyncBoard:
        return AsyncBoard(self._engine, self._http, self._catalog, self._image_repo, record)


class Boards(Blocking[AsyncBoards]):
    """The server's boards: `client.board_repo`."""

    list_boards = blocking(AsyncBoards.list_boards)
    get_board_by_id = blocking(AsyncBoards.get_board_by_id)
    get_boards_by_name = blocking(AsyncBoards.get_boards_by_name)
    create_board = blocking(AsyncBoards.create_board)
    update_board = blocking(AsyncBoards.update_board)
    delete_board = blocking(AsyncBoards.delete_board)
    get_board_handle = blocking(AsyncBoards.get_board_handle)
    get_board_handle_by_name = blocking(AsyncBoards.get_board_handle_by_name)
    get_uncategorized_handle = blocking(AsyncBoards.get_uncategorized_handle)
    get_uncategorized_board = blocking(AsyncBoards.get_uncategorized_board)


async def _move(http: HttpTransport, names: list[str], board_id: str) -> list[str]:
    parts = in_parts(names, images.MAX_NAMES_PER_REQUEST)
    answers = [await http.send(boards.add_images(board_id, part)) for part in parts]
    return [name for answer in answers for name in answer.added_images]
