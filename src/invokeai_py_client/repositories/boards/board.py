"""One board of the server, as a handle."""

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
"""What stands for the board of the images that are on none."""


class AsyncBoard(FixedAttributes):
    """A board of the server: `Board` blocks, `AsyncBoard` (`board.aio`) is awaited.

    The board of the images that are on none has the id `none`. What moves, takes off or deletes one of its images makes
    sure that it is on this board; the other methods take any image.

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
        """What was known of the board when the handle was made, or refreshed."""
        return self._record

    @property
    def board_id(self) -> str:
        """Its id; `none` for the board of the images that are on none."""
        return self.record.board_id

    @property
    def board_name(self) -> str:
        """Its name."""
        return self.record.board_name

    @property
    def is_uncategorized(self) -> bool:
        """Whether it stands for the images that are on no board."""
        return self.board_id == boards.UNCATEGORIZED

    @on_engine
    async def refresh(self) -> BoardRecord:
        """What the server knows of it now.

        For the images on no board these are their numbers, with the time of this request as `created_at`.

        Endpoint: GET /api/v1/boards/{board_id}

        Raises:
            NotFoundError: it no longer exists.
        """
        if self.is_uncategorized:
            counts = {
                "image_count": await self._http.send(boards.count_images(self.board_id, boards.GENERATED)),
                "asset_count": await self._http.send(boards.count_images(self.board_id, boards.ASSETS)),
            }
            # So that it can be sorted among boards.
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
        """Its images, for `for` and for `async for`; the arguments are those of `image_repo.list_images`.

        Raises, when the reading begins:
            NotFoundError: the board no longer exists.
        """
        # By its id, not its record: of a board that is no more the server would say that it is empty.
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
        """The names of its images.

        Endpoint: GET /api/v1/images/names (InvokeAI 6.0 or later)

        Args:
            offset: skip so many.
            limit: at most so many; None for all.
            order_by: the only order that the server has.
            order_dir: `DESC` for the newest first.
            starred_first: the starred ones before the others.
            search_term: only those in whose metadata this text occurs.

        Raises:
            NotFoundError: the board no longer exists.
            ValueError: `offset` or `limit` is below 0.
        """
        if offset < 0 or (limit or 0) < 0:
            raise ValueError(f"offset and limit count from 0 on, not from {min(offset, limit or 0)}")
        filters: Query = {
            "board_id": self.board_id,
            "is_intermediate": False,
            "order_dir": order_dir,
            "starred_first": starred_first,
            "search_term": search_term,
        }
        names = (await self._http.send(images.list_image_names(filters))).image_names
        if not names:
            # Of a board that is no more the server says that it is empty.
            await self.refresh()
        return names[offset:] if limit is None else names[offset : offset + limit]

    @on_engine
    async def upload_image(
        self, file_path: ImageSource, is_intermediate: bool = False, image_category: Category = "user"
    ) -> AsyncImage:
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
    ) -> AsyncImage:
        """`upload_image` of a file's content; `filename` is what the server, and an error, may call it."""
        target = self._target()
        board_id = None if target is None else target.board_id
        upload = Upload(image_data, filename=filename)
        record = await self._image_repo._send_upload(upload, board_id, image_category, is_intermediate)
        return AsyncImage._of(self._engine, self._http, record)

    async def upload(
        self,
        paths: ImageSource | Iterable[ImageSource] | AsyncIterable[ImageSource],
        *,
        log: str | os.PathLike[str] | None = None,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
    ) -> TransferReport[AsyncImage]:
        """Upload many files to it: `image_repo.upload_many`."""
        return await self._image_repo.upload_many(
            paths, board=self._target(), log=log, concurrency=concurrency, progress_callback=progress_callback
        )

    async def download(
        self,
        folder: str | os.PathLike[str],
        *,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
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
    async def add_images(self, image_names: ImagesLike) -> list[str]:
        """Put images on it, which then are on no other; the names of those that are on it now.

        Of several, those that do not exist, or may not be moved, are left out.

        Endpoint: POST /api/v1/board_images/batch
        Endpoint: POST /api/v1/board_images/batch/delete (for the images on no board)

        Raises:
            NotFoundError: the board is no more, or the one image that was given does not exist or may not be moved.
        """
        names = image_names_of(image_names)
        added = await self._put(names, self.board_id)
        if is_one(image_names) and not added:
            raise not_there(
                f"The server has no image {names[0]!r} that could be put on the board {self.board_name!r}.",
                images.get_image(names[0]),
                self._http,
                hint="Give an image's name on the server; `upload` takes files.",
            )
        return added

    @on_engine
    async def remove_images(self, image_names: ImagesLike) -> list[str]:
        """Take images off it; they are on no board then. The names of those that are.

        Those that are not on it, or may not be moved, are left out.

        Endpoint: POST /api/v1/board_images/batch/delete
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
        """Put one of its images on another board; None or `none` for no board. True.

        Raises:
            NotFoundError: there is no such board, or no such image on this one.
            AmbiguousNameError: several boards have that name.
            ForbiddenError: the user may not move it.
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
                hint="Only its owner and administrators may.",
            )
        return True

    @on_engine
    async def remove_image(self, image_name: str) -> bool:
        """Take one of its images off it; True. Errors as in `move_image_to`."""
        return await self.move_image_to(image_name, None)

    @on_engine
    async def star_image(self, image_name: ImagesLike) -> list[str]:
        """Star one image, or many, as `image_repo.star_image`; return the names of those that are starred now."""
        return await self._image_repo.star_image(image_name)

    @on_engine
    async def unstar_image(self, image_name: ImagesLike) -> list[str]:
        """Take the star off one image, or many, as `image_repo.unstar_image`; return the names of those without."""
        return await self._image_repo.unstar_image(image_name)

    @on_engine
    async def delete_image(self, image_name: str) -> str:
        """Delete one of its images, for good; return its name.

        Raises:
            NotFoundError: there is no such image on it.
            ForbiddenError: it is somebody else's.
        """
        await self._check_has(image_name)
        return await self._image_repo.delete_image(image_name)

    @on_engine
    async def get_image_count(self) -> int:
        """How many images are on it, as the server counts them: what was uploaded as an asset is not one."""
        return (await self.refresh()).image_count

    async def _put(self, image_names: list[str], board_id: str) -> list[str]:
        """Put images on a board, or on none; the names of those that are there now."""
        if board_id == boards.UNCATEGORIZED:
            return await change_all(self._http, image_names, boards.remove_images, lambda answer: answer.removed_images)

        def add(part: Sequence[str]) -> Call[BoardAdditions]:
            return boards.add_images(board_id, part)

        return await change_all(self._http, image_names, add, lambda answer: answer.added_images)

    def _has(self, record: ImageRecord) -> bool:
        return (record.board_id or boards.UNCATEGORIZED) == self.board_id

    async def _check_has(self, image_name: str) -> None:
        call = images.get_image(image_name)
        record = await self._http.send(call)
        if not self._has(record):
            where = "on none" if record.board_id is None else f"on the board with the id {record.board_id!r}"
            raise not_there(
                f"The image {image_name!r} is not on the board {self.board_name!r}: it is {where}.",
                call,
                self._http,
                hint="Use the handle of that board.",
            )

    def _target(self) -> BoardRecord | None:
        return None if self.is_uncategorized else self.record

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.board_name!r} {self.board_id}>"
