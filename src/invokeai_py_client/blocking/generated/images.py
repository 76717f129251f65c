# Generated from repositories/media/images.py by scripts/generate_blocking.py. Do not edit.
"""`Images`: the methods of `AsyncImages`, blocking."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.blocking.generated.image import Image
from invokeai_py_client.repositories.arguments import BoardLike, ImageLike, ImagesLike
from invokeai_py_client.repositories.media.common import Category, Origin
from invokeai_py_client.repositories.media.images import AsyncImages
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.reporting import block_reporting
from invokeai_py_client.runtime.twins import Blocking, read_here
from invokeai_py_client.transfers.concurrent import CONCURRENCY, TransferCallback, TransferReport
from invokeai_py_client.transfers.uploads import ImageSource
from invokeai_py_client.wire.records.images import ImageUrls


class Images(Blocking[AsyncImages]):
    """The server's images: `client.image_repo`, awaited `client.aio.image_repo`.

    Methods accept an image as its name, its record, or an `Image`.

    Example:
        >>> client.image_repo.download_image("71d64297-4d99-4ada-9269-45dd652073ae.png", "tiger.png")
    """

    def list_images(
        self,
        *,
        board: BoardLike | None = None,
        categories: Category | Sequence[Category] = (),
        origin: Origin | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search: str | None = None,
        newest_first: bool = True,
    ) -> Listing[Image]:
        """Iterate over images of the server, with `for` or `async for`. Records are fetched in pages of 1,000.

        The list of images is fetched when the iteration starts, which is also when errors are raised. Images that are
        deleted during the iteration are skipped.

        Endpoint: GET /api/v1/images/names
        Endpoint: POST /api/v1/images/images_by_names (InvokeAI 6.0 or later)

        Args:
            board: only images of this board, by id, name or record; `none` for images that are not on a board.
            categories: only images of these categories; empty for all.
            origin: only images that the server created (`internal`) or that were uploaded (`external`).
            is_intermediate: True: only intermediate images. False: no intermediate images. None: both.
            starred: True: only starred images. False: no starred images. None: both.
            search: only images whose metadata contain this text.
            newest_first: True for the newest first, False for the oldest first.

        Returns:
            A list, which is fetched again by each iteration.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several boards have that name.

        Example:
            >>> [image.image_name for image in client.image_repo.list_images(board="tigers", starred=True)]
        """
        return self._aio.list_images(
            board=board,
            categories=categories,
            origin=origin,
            is_intermediate=is_intermediate,
            starred=starred,
            search=search,
            newest_first=newest_first,
        )._mapped(Image)

    def list_image_names(
        self,
        *,
        board: BoardLike | None = None,
        categories: Category | Sequence[Category] = (),
        origin: Origin | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search: str | None = None,
        newest_first: bool = True,
    ) -> list[str]:
        """Return the names of images of the server as a list. The arguments are those of `list_images`.

        Endpoint: GET /api/v1/images/names (InvokeAI 6.0 or later)
        """
        work = self._aio.list_image_names(
            board=board,
            categories=read_here(categories),
            origin=origin,
            is_intermediate=is_intermediate,
            starred=starred,
            search=search,
            newest_first=newest_first,
        )
        del board, categories, origin, is_intermediate, starred, search, newest_first
        return self._aio._engine.block(work)

    def get_image(self, image_name: ImageLike) -> Image:
        """Return an image, with its record but without its pixels.

        Endpoint: GET /api/v1/images/i/{image_name}

        Raises:
            NotFoundError: there is no image with that name.
        """
        work = self._aio.get_image(image_name)
        del image_name
        return Image(self._aio._engine.block(work))

    def get_metadata(self, image_name: ImageLike) -> dict[str, Any] | None:
        """Return the generation metadata of an image (prompt, seed, model and so on); None if it has none.

        Endpoint: GET /api/v1/images/i/{image_name}/metadata

        Raises:
            NotFoundError: there is no image with that name.
        """
        work = self._aio.get_metadata(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_workflow(self, image_name: ImageLike) -> dict[str, Any] | None:
        """Return the workflow that the server stores with an image; None if it has none.

        `WorkflowDefinition.from_image(image_name, client)` returns it as a definition that can be run.

        Endpoint: GET /api/v1/images/i/{image_name}/workflow

        Raises:
            NotFoundError: there is no image with that name.
        """
        work = self._aio.get_workflow(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_graph(self, image_name: ImageLike) -> dict[str, Any] | None:
        """Return the graph that created an image; None if the server has none.

        Endpoint: GET /api/v1/images/i/{image_name}/workflow

        Raises:
            NotFoundError: there is no image with that name.
        """
        work = self._aio.get_graph(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_urls(self, image_name: ImageLike) -> ImageUrls:
        """Return the URLs of an image and its thumbnail, relative to the server's root.

        Endpoint: GET /api/v1/images/i/{image_name}/urls

        Raises:
            NotFoundError: there is no image with that name.
        """
        work = self._aio.get_urls(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_image_bytes(self, image_name: ImageLike) -> bytes:
        """Return the content of an image file.

        Endpoint: GET /api/v1/images/i/{image_name}/full

        Raises:
            NotFoundError: there is no image with that name.
            AnswerTooLargeError: the file is larger than the setting `max_answer_bytes`. Use `download_image`, which has
                a higher limit.
        """
        work = self._aio.get_image_bytes(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_thumbnail(self, image_name: ImageLike) -> bytes:
        """Return a thumbnail of an image: a WebP file of at most 256 by 256 pixels.

        Endpoint: GET /api/v1/images/i/{image_name}/thumbnail

        Raises:
            NotFoundError: there is no image with that name.
        """
        work = self._aio.get_thumbnail(image_name)
        del image_name
        return self._aio._engine.block(work)

    def download_image(self, image_name: ImageLike, path: str | os.PathLike[str]) -> Path:
        """Stream an image to a file. The file is replaced atomically, when the download is complete.

        Endpoint: GET /api/v1/images/i/{image_name}/full

        Args:
            image_name: the image.
            path: the file, or a folder, where the file gets the image's name. A path that ends in a separator is a
                folder, which is created if it is missing. An existing file is replaced.

        Returns:
            The path of the file.

        Raises:
            NotFoundError: there is no image with that name.
            UnsafePathError: `path` is a folder, and the image's name cannot be a file name.
            OSError: the file cannot be written.
        """
        work = self._aio.download_image(image_name, path)
        del image_name, path
        return self._aio._engine.block(work)

    def upload_image(
        self,
        image: ImageSource,
        *,
        board: BoardLike | None = None,
        category: Category = "user",
        is_intermediate: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> Image:
        """Upload an image. Files are streamed; the format is detected from the content.

        The request is not retried if the server may have stored the image, as that would create a duplicate.

        Endpoint: POST /api/v1/images/upload

        Args:
            image: a path, the content of a file, an open binary file, or a Pillow image, which is sent as PNG. A Pillow
                image in a mode that PNG does not have is converted to RGB, or to a mode that keeps its transparency or
                16 bits. In mode `F`, the range is 0 to 1 if all values are in it, otherwise 0 to 255.
            board: the board for the image, by id, name or record.
            category: the category of the image.
            is_intermediate: mark the image as intermediate, which hides it in the gallery.
            metadata: the generation metadata, instead of those in the file.

        Returns:
            The uploaded image, with the name that the server gave it.

        Raises:
            NotAnImageError: it is not a regular file in a known image format, or Pillow cannot write it.
            NotFoundError: there is no such board.
            AmbiguousNameError: several boards have that name.
            RejectedError: the server cannot read the image.
            UnsafePathError: the path is invalid.
            OSError: the file cannot be read.

        Example:
            >>> client.image_repo.upload_image("cub.png", board="tigers").image_name
            '71d64297-4d99-4ada-9269-45dd652073ae.png'
        """
        work = self._aio.upload_image(
            image, board=board, category=category, is_intermediate=is_intermediate, metadata=metadata
        )
        del image, board, category, is_intermediate, metadata
        return Image(self._aio._engine.block(work))

    def copy_image(self, image_name: ImageLike, *, board: BoardLike | None = None) -> Image:
        """Copy an image, with its pixels, metadata, workflow and graph. The server treats the copy as an upload.

        The server has no route for this: the file is downloaded and uploaded again.

        Args:
            image_name: the image.
            board: the board for the copy; by default that of the image.

        Raises:
            NotFoundError: there is no such image or board.
        """
        work = self._aio.copy_image(image_name, board=board)
        del image_name, board
        return Image(self._aio._engine.block(work))

    def update_image(
        self,
        image_name: ImageLike,
        *,
        category: Category | None = None,
        is_intermediate: bool | None = None,
        starred: bool | None = None,
    ) -> Image:
        """Change the category, intermediate flag or star of an image. Arguments that are None are not changed.

        Endpoint: PATCH /api/v1/images/i/{image_name}

        Raises:
            NotFoundError: there is no image with that name.
        """
        work = self._aio.update_image(image_name, category=category, is_intermediate=is_intermediate, starred=starred)
        del image_name, category, is_intermediate, starred
        return Image(self._aio._engine.block(work))

    def star_image(self, image_name: ImagesLike) -> list[str]:
        """Star one image or many; return the names of those that are starred now.

        Endpoint: POST /api/v1/images/star

        Raises:
            NotFoundError: a single image was passed, and it does not exist.
        """
        work = self._aio.star_image(read_here(image_name))
        del image_name
        return self._aio._engine.block(work)

    def unstar_image(self, image_name: ImagesLike) -> list[str]:
        """Unstar one image or many; return the names of those that are unstarred now.

        Endpoint: POST /api/v1/images/unstar

        Raises:
            NotFoundError: a single image was passed, and it does not exist.
        """
        work = self._aio.unstar_image(read_here(image_name))
        del image_name
        return self._aio._engine.block(work)

    def delete_image(self, image_name: ImageLike) -> str:
        """Permanently delete an image from the server; return its name.

        Endpoint: DELETE /api/v1/images/i/{image_name}

        Raises:
            NotFoundError: there is no image with that name.
            ForbiddenError: it belongs to another user.
        """
        work = self._aio.delete_image(image_name)
        del image_name
        return self._aio._engine.block(work)

    def delete_images(self, image_names: ImagesLike) -> list[str]:
        """Permanently delete many images; return the names of the deleted ones.

        Endpoint: POST /api/v1/images/delete
        """
        work = self._aio.delete_images(read_here(image_names))
        del image_names
        return self._aio._engine.block(work)

    def delete_uncategorized(self) -> list[str]:
        """Permanently delete all images that are not on a board; return the names of the deleted ones.

        Endpoint: DELETE /api/v1/images/uncategorized
        """
        return self._aio._engine.block(self._aio.delete_uncategorized())

    def count_intermediates(self) -> int:
        """Return the number of intermediate images.

        Endpoint: GET /api/v1/images/intermediates
        """
        return self._aio._engine.block(self._aio.count_intermediates())

    def clear_intermediates(self) -> int:
        """Permanently delete all intermediate images; return their number.

        Endpoint: DELETE /api/v1/images/intermediates (administrators only)
        """
        return self._aio._engine.block(self._aio.clear_intermediates())

    def download_many(
        self,
        image_names: ImagesLike,
        folder: str | os.PathLike[str],
        *,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
    ) -> TransferReport[Path]:
        """Download many images into a folder, each to a file with the image's name.

        Files of an earlier call are skipped if their size and checksum still match the log in the folder
        (`.invokeai-downloads.jsonl`), as images never change on the server. If an image fails, the others are still
        downloaded. An error that concerns all of them, such as a full disk or an unreachable server, fails the
        remaining images without further attempts.

        Endpoint: GET /api/v1/images/i/{image_name}/full

        Args:
            image_names: the images, by name, record or `Image`, one or many. Duplicates are downloaded once.
            folder: the folder; created if it is missing.
            concurrency: the maximum number of concurrent downloads.
            progress_callback: called with a `TransferProgress`, on the caller's loop or in the waiting thread. A slow
                callback gets the latest progress only. An exception in it stops the downloads.

        Returns:
            The files that were downloaded, those that were skipped, and those that failed, with their errors.

        Raises:
            OSError: the folder cannot be created or written. No request was sent.
            TransferRefusedError: the log in the folder is not a log of this client.
            TypeError: an item is not an image; the message has its index.

        Example:
            >>> report = client.image_repo.download_many(client.image_repo.list_images(board="tigers"), "tigers")
            >>> len(report.done), report.failed
            (12, [])
        """
        image_names = read_here(image_names)
        return block_reporting(
            self._aio._engine,
            lambda report: self._aio.download_many(
                image_names, folder, concurrency=concurrency, progress_callback=report
            ),
            progress_callback,
        )

    def upload_many(
        self,
        paths: ImageSource | Iterable[ImageSource],
        *,
        board: BoardLike | None = None,
        category: Category = "user",
        log: str | os.PathLike[str] | None = None,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
    ) -> TransferReport[Image]:
        """Upload many images. If an image fails, the others are still uploaded, unless the error concerns all of them.

        Endpoint: POST /api/v1/images/upload

        Args:
            paths: one image or many, each as for `upload_image`, or a folder of files.
            board: the board for the images, by id, name or record.
            category: the category of the images.
            log: a file that records uploads by content, server, board and category. Images in it are skipped if they
                are still on the server.
            concurrency: the maximum number of concurrent uploads.
            progress_callback: as for `download_many`.

        Returns:
            The images that were uploaded, those that were skipped, and those that failed, with their errors.

        Raises:
            NotFoundError: there is no such board. Nothing was uploaded.
            AmbiguousNameError: several boards have that name. Nothing was uploaded.
            OSError: the log cannot be read or written. Nothing was uploaded.
            TransferRefusedError: `log` is another kind of file, which is left unchanged.
            TypeError: an item cannot be uploaded; the message has its index.
        """
        paths = read_here(paths)
        return block_reporting(
            self._aio._engine,
            lambda report: self._aio.upload_many(
                paths, board=board, category=category, log=log, concurrency=concurrency, progress_callback=report
            ),
            progress_callback,
        )._mapped(Image)

    def download_zip(
        self, path: str | os.PathLike[str], *, image_names: ImagesLike = (), board: BoardLike | None = None
    ) -> Path:
        """Download images, or all images of a board, as a zip that the server creates.

        Requires the socket, through which the server announces that the zip is ready.

        Endpoint: POST /api/v1/images/download
        Endpoint: GET /api/v1/images/download/{bulk_download_item_name}

        Args:
            path: the zip file, or a folder, where the file gets the server's name for it. A path that ends in a
                separator is a folder, which is created if it is missing. An existing file is replaced.
            image_names: the images, one or many. Pass either this or `board`.
            board: the board, by id, name or record.

        Returns:
            The path of the zip.

        Raises:
            TransferRefusedError: both images and a board were passed, or neither.
            TransferError: the server could not create the zip, or the socket is not connected.
            NotFoundError: there is no such board; in multi-user mode also for an image. Otherwise, a missing image is a
                `TransferError`.
            AmbiguousNameError: several boards have that name.
            OSError: the zip cannot be written.
        """
        work = self._aio.download_zip(path, image_names=read_here(image_names), board=board)
        del path, image_names, board
        return self._aio._engine.block(work)

    def download_unzipped(
        self, folder: str | os.PathLike[str], *, image_names: ImagesLike = (), board: BoardLike | None = None
    ) -> list[Path]:
        """Download images as a zip, as `download_zip` does, and unpack it into a folder.

        Returns:
            The paths of the images.

        Raises:
            TransferError: as for `download_zip`; or the zip is encrypted, contains a name twice, or exceeds the
                settings `max_zip_files` or `max_download_bytes`, and was not unpacked; or it is damaged.
            UnsafePathError: a name in the zip is hidden, or leads out of the folder. Nothing was unpacked.
        """
        work = self._aio.download_unzipped(folder, image_names=read_here(image_names), board=board)
        del folder, image_names, board
        return self._aio._engine.block(work)
