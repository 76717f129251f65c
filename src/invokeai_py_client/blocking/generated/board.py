# Generated from repositories/boards/board.py by scripts/generate_blocking.py. Do not edit.
"""`Board`: the methods of `AsyncBoard`, blocking."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from invokeai_py_client.blocking.generated.image import Image
from invokeai_py_client.repositories.arguments import BoardLike, ImagesLike
from invokeai_py_client.repositories.boards.board import AsyncBoard
from invokeai_py_client.repositories.media.common import Category
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.reporting import block_reporting
from invokeai_py_client.runtime.twins import Blocking, read_here
from invokeai_py_client.transfers.concurrent import CONCURRENCY, TransferCallback, TransferReport
from invokeai_py_client.transfers.uploads import ImageSource
from invokeai_py_client.wire.records.boards import BoardRecord


class Board(Blocking[AsyncBoard]):
    """A board of the server: `Board` blocks, `AsyncBoard` (`board.aio`) is awaited.

    The board of the images that are on none has the id `none`. What moves, takes off or deletes one of its images makes
    sure that it is on this board; the other methods take any image.

    Example:
        >>> board = client.board_repo.get_board_handle_by_name("tigers")
        >>> board.upload_image("cub.png")
        >>> board.download("tigers").failed
        []
    """

    @property
    def record(self) -> BoardRecord:
        """What was known of the board when the handle was made, or refreshed."""
        return self._aio.record

    @property
    def board_id(self) -> str:
        """Its id; `none` for the board of the images that are on none."""
        return self._aio.board_id

    @property
    def board_name(self) -> str:
        """Its name."""
        return self._aio.board_name

    @property
    def is_uncategorized(self) -> bool:
        """Whether it stands for the images that are on no board."""
        return self._aio.is_uncategorized

    def refresh(self) -> BoardRecord:
        """What the server knows of it now.

        For the images on no board these are their numbers, with the time of this request as `created_at`.

        Endpoint: GET /api/v1/boards/{board_id}

        Raises:
            NotFoundError: it no longer exists.
        """
        return self._aio._engine.block(self._aio.refresh())

    def images(
        self,
        *,
        categories: Sequence[Category] = (),
        starred: bool | None = None,
        search: str | None = None,
        newest_first: bool = True,
    ) -> Listing[Image]:
        """Its images, for `for` and for `async for`; the arguments are those of `image_repo.list_images`.

        Raises, when the reading begins:
            NotFoundError: the board no longer exists.
        """
        return self._aio.images(
            categories=categories, starred=starred, search=search, newest_first=newest_first
        )._mapped(Image)

    def list_images(
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
        work = self._aio.list_images(offset, limit, order_by, order_dir, starred_first, search_term)
        del offset, limit, order_by, order_dir, starred_first, search_term
        return self._aio._engine.block(work)

    def upload_image(
        self, file_path: ImageSource, is_intermediate: bool = False, image_category: Category = "user"
    ) -> Image:
        """Upload an image to it: a path, bytes, an open file or a Pillow image; see `image_repo.upload_image`."""
        work = self._aio.upload_image(file_path, is_intermediate, image_category)
        del file_path, is_intermediate, image_category
        return Image(self._aio._engine.block(work))

    def upload_image_data(
        self,
        image_data: bytes,
        filename: str | None = None,
        is_intermediate: bool = False,
        image_category: Category = "user",
    ) -> Image:
        """`upload_image` of a file's content; `filename` is what the server, and an error, may call it."""
        work = self._aio.upload_image_data(image_data, filename, is_intermediate, image_category)
        del image_data, filename, is_intermediate, image_category
        return Image(self._aio._engine.block(work))

    def upload(
        self,
        paths: ImageSource | Iterable[ImageSource],
        *,
        log: str | os.PathLike[str] | None = None,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
    ) -> TransferReport[Image]:
        """Upload many files to it: `image_repo.upload_many`."""
        paths = read_here(paths)
        return block_reporting(
            self._aio._engine,
            lambda report: self._aio.upload(paths, log=log, concurrency=concurrency, progress_callback=report),
            progress_callback,
        )._mapped(Image)

    def download(
        self,
        folder: str | os.PathLike[str],
        *,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
    ) -> TransferReport[Path]:
        """Download all its images into a folder: `image_repo.download_many`."""
        return block_reporting(
            self._aio._engine,
            lambda report: self._aio.download(folder, concurrency=concurrency, progress_callback=report),
            progress_callback,
        )

    def download_image(self, image_name: str, full_resolution: bool = True) -> bytes:
        """The file of one of its images, or with `full_resolution=False` its thumbnail, in memory.

        Raises:
            NotFoundError: there is no image of that name.
        """
        work = self._aio.download_image(image_name, full_resolution)
        del image_name, full_resolution
        return self._aio._engine.block(work)

    def add_images(self, image_names: ImagesLike) -> list[str]:
        """Put images on it, which then are on no other; the names of those that are on it now.

        Of several, those that do not exist, or may not be moved, are left out.

        Endpoint: POST /api/v1/board_images/batch
        Endpoint: POST /api/v1/board_images/batch/delete (for the images on no board)

        Raises:
            NotFoundError: the board is no more, or the one image that was given does not exist or may not be moved.
        """
        work = self._aio.add_images(read_here(image_names))
        del image_names
        return self._aio._engine.block(work)

    def remove_images(self, image_names: ImagesLike) -> list[str]:
        """Take images off it; they are on no board then. The names of those that are.

        Those that are not on it, or may not be moved, are left out.

        Endpoint: POST /api/v1/board_images/batch/delete
        """
        work = self._aio.remove_images(read_here(image_names))
        del image_names
        return self._aio._engine.block(work)

    def move_image_to(self, image_name: str, target_board_id: BoardLike | None) -> bool:
        """Put one of its images on another board; None or `none` for no board. True.

        Raises:
            NotFoundError: there is no such board, or no such image on this one.
            AmbiguousNameError: several boards have that name.
            ForbiddenError: the user may not move it.
        """
        work = self._aio.move_image_to(image_name, target_board_id)
        del image_name, target_board_id
        return self._aio._engine.block(work)

    def remove_image(self, image_name: str) -> bool:
        """Take one of its images off it; True. Errors as in `move_image_to`."""
        work = self._aio.remove_image(image_name)
        del image_name
        return self._aio._engine.block(work)

    def star_image(self, image_name: ImagesLike) -> list[str]:
        """Star one image, or many, as `image_repo.star_image`; return the names of those that are starred now."""
        work = self._aio.star_image(read_here(image_name))
        del image_name
        return self._aio._engine.block(work)

    def unstar_image(self, image_name: ImagesLike) -> list[str]:
        """Take the star off one image, or many, as `image_repo.unstar_image`; return the names of those without."""
        work = self._aio.unstar_image(read_here(image_name))
        del image_name
        return self._aio._engine.block(work)

    def delete_image(self, image_name: str) -> str:
        """Delete one of its images, for good; return its name.

        Raises:
            NotFoundError: there is no such image on it.
            ForbiddenError: it is somebody else's.
        """
        work = self._aio.delete_image(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_image_count(self) -> int:
        """How many images are on it, as the server counts them: what was uploaded as an asset is not one."""
        return self._aio._engine.block(self._aio.get_image_count())

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
