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

    The images that are not on a board form a board with the id `none`. Methods that move, remove or delete a single
    image check that it is on this board; the other methods accept any image.

    Example:
        >>> board = client.board_repo.get_board_handle_by_name("tigers")
        >>> board.upload_image("cub.png")
        >>> board.download("tigers").failed
        []
    """

    @property
    def record(self) -> BoardRecord:
        """The server's record of the board, as of the creation or last refresh of the handle."""
        return self._aio.record

    @property
    def board_id(self) -> str:
        """The id of the board; `none` for the images that are not on a board."""
        return self._aio.board_id

    @property
    def board_name(self) -> str:
        """The name of the board."""
        return self._aio.board_name

    @property
    def is_uncategorized(self) -> bool:
        """Whether this stands for the images that are not on a board."""
        return self._aio.is_uncategorized

    def refresh(self) -> BoardRecord:
        """Fetch the server's record of the board, and return it.

        For the images that are not on a board, the record has their numbers, and the current time as `created_at`.

        Endpoint: GET /api/v1/boards/{board_id}

        Raises:
            NotFoundError: the board no longer exists.
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
        """Iterate over the images of the board, with `for` or `async for`.

        The arguments are those of `image_repo.list_images`. Errors are raised when the iteration starts.

        Raises:
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
        work = self._aio.list_images(offset, limit, order_by, order_dir, starred_first, search_term)
        del offset, limit, order_by, order_dir, starred_first, search_term
        return self._aio._engine.block(work)

    def upload_image(
        self, file_path: ImageSource, is_intermediate: bool = False, image_category: Category = "user"
    ) -> Image:
        """Upload an image to the board: a path, bytes, an open file or a Pillow image, as `image_repo.upload_image`."""
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
        """Upload an image, given as the content of a file. `filename` is its name in the upload and in errors."""
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
        """Upload many files to the board; see `image_repo.upload_many`."""
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
        """Download all images of the board into a folder; see `image_repo.download_many`."""
        return block_reporting(
            self._aio._engine,
            lambda report: self._aio.download(folder, concurrency=concurrency, progress_callback=report),
            progress_callback,
        )

    def download_image(self, image_name: str, full_resolution: bool = True) -> bytes:
        """Return the content of an image file, or with `full_resolution=False` that of its thumbnail.

        Raises:
            NotFoundError: there is no image with that name.
        """
        work = self._aio.download_image(image_name, full_resolution)
        del image_name, full_resolution
        return self._aio._engine.block(work)

    def add_images(self, image_names: ImagesLike) -> list[str]:
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
        work = self._aio.add_images(read_here(image_names))
        del image_names
        return self._aio._engine.block(work)

    def remove_images(self, image_names: ImagesLike) -> list[str]:
        """Remove images from the board, without deleting them.

        Images that are not on the board, or that the user may not move, are skipped.

        Endpoint: POST /api/v1/board_images/batch/delete

        Returns:
            The names of the images that were removed.
        """
        work = self._aio.remove_images(read_here(image_names))
        del image_names
        return self._aio._engine.block(work)

    def move_image_to(self, image_name: str, target_board_id: BoardLike | None) -> bool:
        """Move an image of this board to another board; None or `none` removes it from the board. Returns True.

        Raises:
            NotFoundError: there is no such board, or the image is not on this one.
            AmbiguousNameError: several boards have that name.
            ForbiddenError: the user may not move the image.
        """
        work = self._aio.move_image_to(image_name, target_board_id)
        del image_name, target_board_id
        return self._aio._engine.block(work)

    def remove_image(self, image_name: str) -> bool:
        """Remove an image from the board, without deleting it. Returns True. Errors are those of `move_image_to`."""
        work = self._aio.remove_image(image_name)
        del image_name
        return self._aio._engine.block(work)

    def star_image(self, image_name: ImagesLike) -> list[str]:
        """Star one image or many, and return the names of the starred ones; see `image_repo.star_image`."""
        work = self._aio.star_image(read_here(image_name))
        del image_name
        return self._aio._engine.block(work)

    def unstar_image(self, image_name: ImagesLike) -> list[str]:
        """Unstar one image or many, and return the names of the unstarred ones; see `image_repo.unstar_image`."""
        work = self._aio.unstar_image(read_here(image_name))
        del image_name
        return self._aio._engine.block(work)

    def delete_image(self, image_name: str) -> str:
        """Permanently delete an image of the board; return its name.

        Raises:
            NotFoundError: the image does not exist, or is not on this board.
            ForbiddenError: it belongs to another user.
        """
        work = self._aio.delete_image(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_image_count(self) -> int:
        """Return the server's count of the images on the board, which does not include assets."""
        return self._aio._engine.block(self._aio.get_image_count())

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
