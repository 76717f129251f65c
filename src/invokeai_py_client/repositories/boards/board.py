"""`AsyncBoard`: a handle of one board."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import ForbiddenError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.image import AsyncImage
from invokeai_py_client.repositories.arguments import BoardLike, ImagesLike, board_id_of, image_names_of, is_one
from invokeai_py_client.repositories.media.common import Category, change_all, parts_of
from invokeai_py_client.repositories.media.images import AsyncImages
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transfers.concurrent import CONCURRENCY, TransferCallback, TransferReport
from invokeai_py_client.transfers.uploads import ImageSource, Upload
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call, Query
from invokeai_py_client.wire.calls import boards, images
from invokeai_py_client.wire.records.boards import BoardAdditions, BoardRecord
from invokeai_py_client.wire.records.images import ImageRecord

UNCATEGORIZED = BoardRecord(board_id=boards.UNCATEGORIZED, board_name="Uncategorized")
"""The record that stands for the images that are not on a board."""


class AsyncBoard(FixedAttributes):
    """A board of the server: `Board` blocks, `AsyncBoard` (`board.aio`) is awaited.

    The images that are not on a board form a board with the id `none`. Methods that move, remove or delete a single
    image check that it is on this board; the other methods accept any image.

    Example:
        >>> board = client.board_repo.get_board_handle_by_name("tigers")
        >>> board.upload_image("cub.png")
        >>> board.download("tigers").failed
        []
    """

    def __init__(
        self, engine: Engine, http: HttpTransport, catalog: Catalog, image_repo: AsyncImages, record: BoardRecord
    ) -> None:
        self._engine = engine
        self._http = http
        self._catalog = catalog
        self._image_repo = image_repo
        self._record = record

    @property
    def record(self) -> BoardRecord:
        """The server's record of the board, as of the creation or last refresh of the handle."""
        return self._record

    @property
    def board_id(self) -> str:
        """The id of the board; `none` for the images that are not on a board."""
        return self.record.board_id

    @property
    def board_name(self) -> str:
        """The name of the board."""
        return self.record.board_name

    @property
    def is_uncategorized(self) -> bool:
        """Whether this stands for the images that are not on a board."""
        return self.board_id == boards.UNCATEGORIZED

    @on_engine
    async def refresh(self) -> BoardRecord:
        """Fetch the server's record of the board, and return it.

        For the images that are not on a board, the record has their numbers, and the current time as `created_at`.

        Endpoint: GET /api/v1/boards/{board_id}

        Raises:
            NotFoundError: the board no longer exists.
        """
        if self.is_uncategorized:
            counts = {
                "image_count": await self._http.send(boards.count_images(self.board_id, boards.GENERATED)),
                "asset_count": await self._http.send(boards.count_images(self.board_id, boards.ASSETS)),
            }
            # Scripts sort boards by this.
            now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
            self._record = UNCATEGORIZED.model_copy(update={**counts, "created_at": now, "updated_at": now})
        else:
            self._record = await self._http.send(boards.get_board(self.board_id))
        return self.record

    def images(
        self,
        *,
        categories: Sequence[Category] = (),
        starred: bool | None = None,
        search: str | None = None,
        newest_first: bool = True,
    ) -> Listing[AsyncImage]:
        """Iterate over the images of the board, with `for` or `async for`.

        The arguments are those of `image_repo.list_images`. Errors are raised when the iteration starts.

        Raises:
            NotFoundError: the board no longer exists.
        """
        # Passing the id makes `list_images` look the board up: the server reports a deleted board as empty.
        return self._image_repo.list_images(
            board=self.board_id, categories=categories, starred=starred, search=search, newest_first=newest_first
        )

    @on_engine
    async def list_images(
        self,
        offset: int = 0,
        limit: int | None = None,
        order_by: Literal["created_at"] = "created_at",
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
        search_term: str | None = None,
    ) -> list[str]:
        """Return the names of the images on the board.

        Endpoint: GET /api/v1/images/names (InvokeAI 6.0 or later)

        Args:
            offset: the number of images to skip.
            limit: the maximum number of names; None for all.
            order_by: always `created_at`, the only order that the server has.
            order_dir: `DESC` for the newest first, `ASC` for the oldest first.
            starred_first: list starred images before the others.
            search_term: only images whose metadata contain this text.

        Raises:
            NotFoundError: the board no longer exists.
            ValueError: `offset` or `limit` is below 0.
        """
        if offset < 0 or (limit or 0) < 0:
            raise ValueError(f"offset and limit must be at least 0, got {min(offset, limit or 0)}")
        filters: Query = {
            "board_id": self.board_id,
            "is_intermediate": False,
            "order_dir": order_dir,
            "starred_first": starred_first,
            "search_term": search_term,
        }
        names = (await self._http.send(images.list_image_names(filters))).image_names
        if not names:
            # The server reports a deleted board as empty.
            await self.refresh()
        return names[offset:] if limit is None else names[offset : offset + limit]

    @on_engine
    async def upload_image(
        self, file_path: ImageSource, is_intermediate: bool = False, image_category: Category = "user"
    ) -> AsyncImage:
        """Upload an image to the board: a path, bytes, an open file or a Pillow image, as `image_repo.upload_image`."""
        return await self._image_repo.upload_image(
            file_path, board=self, category=image_category, is_intermediate=is_intermediate
        )

    @on_engine
    async def upload_image_data(
        self,
        image_data: bytes,
        filename: str | None = None,
        is_intermediate: bool = False,
        image_category: Category = "user",
    ) -> AsyncImage:
        """Upload an image, given as the content of a file. `filename` is its name in the upload and in errors."""
        upload = Upload(image_data, filename=filename)
        record = await self._image_repo._send_upload(upload, self.board_id, image_category, is_intermediate)
        return AsyncImage._of(self._engine, self._http, record)

    async def upload(
        self,
        paths: ImageSource | Iterable[ImageSource] | AsyncIterable[ImageSource],
        *,
        log: str | os.PathLike[str] | None = None,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
    ) -> TransferReport[AsyncImage]:
        """Upload many files to the board; see `image_repo.upload_many`."""
        return await self._image_repo.upload_many(
            paths, board=self, log=log, concurrency=concurrency, progress_callback=progress_callback
        )

    async def download(
        self,
        folder: str | os.PathLike[str],
        *,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
    ) -> TransferReport[Path]:
        """Download all images of the board into a folder; see `image_repo.download_many`."""
        names = await self.list_images()
        return await self._image_repo.download_many(
            names, folder, concurrency=concurrency, progress_callback=progress_callback
        )

    @on_engine
    async def download_image(self, image_name: str, full_resolution: bool = True) -> bytes:
        """Return the content of an image file, or with `full_resolution=False` that of its thumbnail.

        Raises:
            NotFoundError: there is no image with that name.
        """
        call = images.get_image_bytes if full_resolution else images.get_thumbnail
        return await self._http.send(call(image_name))

    @on_engine
    async def add_images(self, image_names: ImagesLike) -> list[str]:
        """Move images to this board, from the board that they are on.

        If several images are passed, those that do not exist or that the user may not move are skipped.

        Endpoint: POST /api/v1/board_images/batch
        Endpoint: POST /api/v1/board_images/batch/delete (for the board `none`)

        Returns:
            The names of those images that are on this board now.

        Raises:
            NotFoundError: the board no longer exists; or a single image was passed, and it does not exist or the user
                may not move it.
        """
        names = image_names_of(image_names)
        added = await self._put(names, self.board_id)
        if is_one(image_names) and not added:
            raise not_there(
                f"The server has no image {names[0]!r} that this user may move to the board {self.board_name!r}.",
                images.get_image(names[0]),
                self._http,
                hint="Check the name; to add files of this machine, use upload().",
            )
        return added

    @on_engine
    async def remove_images(self, image_names: ImagesLike) -> list[str]:
        """Remove images from the board, without deleting them.

        Images that are not on the board, or that the user may not move, are skipped.

        Endpoint: POST /api/v1/board_images/batch/delete

        Returns:
            The names of the images that were removed.
        """
        found = [
            record
            for part in parts_of(image_names_of(image_names))
            for record in await self._image_repo._records_of(part)
        ]
        on_it = [record.image_name for record in found if self._has(record)]
        return await self._put(on_it, boards.UNCATEGORIZED)

    @on_engine
    async def move_image_to(self, image_name: str, target_board_id: BoardLike | None) -> bool:
        """Move an image of this board to another board; None or `none` removes it from the board. Returns True.

        Raises:
            NotFoundError: there is no such board, or the image is not on this one.
            AmbiguousNameError: several boards have that name.
            ForbiddenError: the user may not move the image.
        """
        target = boards.UNCATEGORIZED
        if target_board_id is not None:
            target = await board_id_of(target_board_id, self._catalog, self._http)
        await self._check_has(image_name)
        if image_name not in await self._put([image_name], target):
            call = images.get_image(image_name)
            raise ForbiddenError(
                f"The server did not move the image {image_name!r} from the board {self.board_name!r}.",
                status=200,
                method=call.method,
                url=self._http.url_of(call.path),
                hint="Only its owner and administrators may move it.",
            )
        return True

    @on_engine
    async def remove_image(self, image_name: str) -> bool:
        """Remove an image from the board, without deleting it. Returns True. Errors are those of `move_image_to`."""
        return await self.move_image_to(image_name, None)

    @on_engine
    async def star_image(self, image_name: ImagesLike) -> list[str]:
        """Star one image or many, and return the names of the starred ones; see `image_repo.star_image`."""
        return await self._image_repo.star_image(image_name)

    @on_engine
    async def unstar_image(self, image_name: ImagesLike) -> list[str]:
        """Unstar one image or many, and return the names of the unstarred ones; see `image_repo.unstar_image`."""
        return await self._image_repo.unstar_image(image_name)

    @on_engine
    async def delete_image(self, image_name: str) -> str:
        """Permanently delete an image of the board; return its name.

        Raises:
            NotFoundError: the image does not exist, or is not on this board.
            ForbiddenError: it belongs to another user.
        """
        await self._check_has(image_name)
        return await self._image_repo.delete_image(image_name)

    @on_engine
    async def get_image_count(self) -> int:
        """Return the server's count of the images on the board, which does not include assets."""
        return (await self.refresh()).image_count

    async def _put(self, image_names: list[str], board_id: str) -> list[str]:
        """Move images to a board, or for `none` off their boards; return the names of those that are there now."""
        if board_id == boards.UNCATEGORIZED:
            return await change_all(self._http, image_names, boards.remove_images, lambda result: result.removed_images)

        def add(part: Sequence[str]) -> Call[BoardAdditions]:
            return boards.add_images(board_id, part)

        return await change_all(self._http, image_names, add, lambda result: result.added_images)

    def _has(self, record: ImageRecord) -> bool:
        return (record.board_id or boards.UNCATEGORIZED) == self.board_id

    async def _check_has(self, image_name: str) -> None:
        call = images.get_image(image_name)
        record = await self._http.send(call)
        if not self._has(record):
            where = "not on a board" if record.board_id is None else f"on the board with the id {record.board_id!r}"
            raise not_there(
                f"The image {image_name!r} is not on the board {self.board_name!r}: it is {where}.",
                call,
                self._http,
                hint="Use the handle of that board.",
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.board_name!r} {self.board_id}>"
