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

    An image is given by its name, its record, or as an `Image`.

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
        """The images of the server, for `for` and for `async for`; fetched a thousand at a time as they are read.

        What is in the list is fixed when its reading begins: what is deleted meanwhile is left out.

        Endpoint: GET /api/v1/images/names
        Endpoint: POST /api/v1/images/images_by_names (InvokeAI 6.0 or later)

        Args:
            board: only those of this board, by id, name or record; `none` for those on no board.
            categories: only these; all if there is none.
            origin: only those made by the server (`internal`), or uploaded (`external`).
            is_intermediate: those nobody is to see (True), the others (False), or all (None).
            starred: only those that are starred (True), or are not (False).
            search: only those in whose metadata this text occurs.
            newest_first: or the oldest first.

        Raises:
            NotFoundError, AmbiguousNameError: of the board; raised when the reading begins.

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
        """The names of the images of the server, all at once; the arguments are those of `list_images`.

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
        """What the server knows of an image; its pixels are another matter.

        Endpoint: GET /api/v1/images/i/{image_name}

        Raises:
            NotFoundError: there is no image of that name.
        """
        work = self._aio.get_image(image_name)
        del image_name
        return Image(self._aio._engine.block(work))

    def get_metadata(self, image_name: ImageLike) -> dict[str, Any] | None:
        """What an image says of how it was made (prompt, seed, model and the like); None where it says nothing.

        Endpoint: GET /api/v1/images/i/{image_name}/metadata

        Raises:
            NotFoundError: there is no image of that name.
        """
        work = self._aio.get_metadata(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_workflow(self, image_name: ImageLike) -> dict[str, Any] | None:
        """The workflow that the server keeps for an image; None where it has none.

        `WorkflowDefinition.from_image(image_name, client)` makes one of it that can be run.

        Endpoint: GET /api/v1/images/i/{image_name}/workflow

        Raises:
            NotFoundError: there is no image of that name.
        """
        work = self._aio.get_workflow(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_graph(self, image_name: ImageLike) -> dict[str, Any] | None:
        """The graph that made an image, as it was run; None where the server has none.

        Endpoint: GET /api/v1/images/i/{image_name}/workflow

        Raises:
            NotFoundError: there is no image of that name.
        """
        work = self._aio.get_graph(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_urls(self, image_name: ImageLike) -> ImageUrls:
        """Where an image and its thumbnail are to be had, relative to the server's root.

        Endpoint: GET /api/v1/images/i/{image_name}/urls

        Raises:
            NotFoundError: there is no image of that name.
        """
        work = self._aio.get_urls(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_image_bytes(self, image_name: ImageLike) -> bytes:
        """The file of an image, in memory.

        Endpoint: GET /api/v1/images/i/{image_name}/full

        Raises:
            NotFoundError: there is no image of that name.
            AnswerTooLargeError: it is larger than the setting `max_answer_bytes`; `download_image` has no limit.
        """
        work = self._aio.get_image_bytes(image_name)
        del image_name
        return self._aio._engine.block(work)

    def get_thumbnail(self, image_name: ImageLike) -> bytes:
        """A small WebP of an image, of at most 256 by 256 pixels.

        Endpoint: GET /api/v1/images/i/{image_name}/thumbnail

        Raises:
            NotFoundError: there is no image of that name.
        """
        work = self._aio.get_thumbnail(image_name)
        del image_name
        return self._aio._engine.block(work)

    def download_image(self, image_name: ImageLike, path: str | os.PathLike[str]) -> Path:
        """Stream an image into a file, which appears under its name when it is whole.

        Endpoint: GET /api/v1/images/i/{image_name}/full

        Args:
            image_name: the server's name for it.
            path: the file; one of that name is replaced. A folder takes it under the image's own name; what ends in a
                separator is one, and is made if it is missing.

        Returns:
            The file.

        Raises:
            NotFoundError: there is no image of that name.
            UnsafePathError: the image's own name is to be used, and cannot be a file name.
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
        """Put an image on the server, which gives it a name. A file is streamed; its kind is told by its content.

        Not retried if the server may have stored the image: it would exist twice.

        Endpoint: POST /api/v1/images/upload

        Args:
            image: a path, the content of a file, an open binary file, or a Pillow image, which is sent as PNG. One of
                a mode that a PNG has not becomes RGB, or what keeps its transparency or its 16 bits; of mode `F`,
                which has no scale of its own, 0 to 1 is from black to white if it has nothing else, else 0 to 255.
            board: where it goes, by id, name or record.
            category: what it is.
            is_intermediate: nobody is to see it.
            metadata: what it is to say of how it was made, in place of what is in the file.

        Returns:
            What the server knows of it now.

        Raises:
            NotAnImageError: it is neither an image of a known kind in a regular file, nor one that Pillow can write.
            NotFoundError, AmbiguousNameError: of the board.
            RejectedError: the server cannot read it.
            UnsafePathError: it is not a path.
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
        """Another image with the same pixels, metadata, workflow and graph; it counts as uploaded.

        The server has no route for it: the file is downloaded and uploaded again.

        Args:
            image_name: the image.
            board: where the copy goes; by default where the image is.

        Raises:
            NotFoundError: there is no image of that name, or no such board.
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
        """Change what the server knows of an image; what is left out stays.

        Endpoint: PATCH /api/v1/images/i/{image_name}

        Raises:
            NotFoundError: there is no image of that name.
        """
        work = self._aio.update_image(image_name, category=category, is_intermediate=is_intermediate, starred=starred)
        del image_name, category, is_intermediate, starred
        return Image(self._aio._engine.block(work))

    def star_image(self, image_name: ImagesLike) -> list[str]:
        """Star one image, or many; the names of those that are starred now.

        Endpoint: POST /api/v1/images/star

        Raises:
            NotFoundError: there is no image of the one name that was given.
        """
        work = self._aio.star_image(read_here(image_name))
        del image_name
        return self._aio._engine.block(work)

    def unstar_image(self, image_name: ImagesLike) -> list[str]:
        """Take the star off one image, or many; the names of those that have none now.

        Endpoint: POST /api/v1/images/unstar

        Raises:
            NotFoundError: there is no image of the one name that was given.
        """
        work = self._aio.unstar_image(read_here(image_name))
        del image_name
        return self._aio._engine.block(work)

    def delete_image(self, image_name: ImageLike) -> str:
        """Delete an image from the server, for good; return its name.

        Endpoint: DELETE /api/v1/images/i/{image_name}

        Raises:
            NotFoundError: there is no image of that name.
            ForbiddenError: it is somebody else's.
        """
        work = self._aio.delete_image(image_name)
        del image_name
        return self._aio._engine.block(work)

    def delete_images(self, image_names: ImagesLike) -> list[str]:
        """Delete many images, for good; the names of those that are gone now.

        Endpoint: POST /api/v1/images/delete
        """
        work = self._aio.delete_images(read_here(image_names))
        del image_names
        return self._aio._engine.block(work)

    def delete_uncategorized(self) -> list[str]:
        """Delete every image that is on no board, for good; the names of those that are gone now.

        Endpoint: DELETE /api/v1/images/uncategorized
        """
        return self._aio._engine.block(self._aio.delete_uncategorized())

    def count_intermediates(self) -> int:
        """How many images there are that nobody is to see.

        Endpoint: GET /api/v1/images/intermediates
        """
        return self._aio._engine.block(self._aio.count_intermediates())

    def clear_intermediates(self) -> int:
        """Delete every image that nobody is to see; how many it were.

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
        """Download many images into a folder, each under its own name, which it gets when it is whole.

        What an earlier call has put there is skipped, if it still has the size and the checksum that it had: a log in
        the folder (`.invokeai-downloads.jsonl`) remembers them. Images never change on the server. One failure does
        not stop the rest; what would meet them all, such as a full disk or a server that is gone, fails those that
        are left, untried.

        Endpoint: GET /api/v1/images/i/{image_name}/full

        Args:
            image_names: the images, by name, record or `Image`, one or many; each is downloaded once.
            folder: it is made if it is missing.
            concurrency: how many at once.
            progress_callback: called with a `TransferProgress`, on the caller's loop or in the thread that waits; a
                slow one sees the latest. What it raises ends the work.

        Returns:
            What was downloaded, what was there already, and what failed, each with its error.

        Raises:
            OSError: the folder cannot be made, or written; nothing is asked for then.
            TransferRefusedError: the folder's log is some other file.
            TypeError: one is not an image; the message says where it stands.

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
        """Upload many images. One failure does not stop the rest, but for one that would meet them all.

        Endpoint: POST /api/v1/images/upload

        Args:
            paths: the files, one or many, or a folder of files; each may be whatever `upload_image` takes.
            board: where they go, by id, name or record.
            category: what they are.
            log: a file that remembers what was uploaded to which server and board, and as what: what is in it, with
                the same content, and is still on the server, is skipped.
            concurrency: how many at once.
            progress_callback: as in `download_many`.

        Returns:
            What was uploaded, what was there already, and what failed, each with its error.

        Raises:
            NotFoundError, AmbiguousNameError: of the board; nothing is uploaded then.
            OSError: the log cannot be read or written; nothing is uploaded then.
            TransferRefusedError: the log is some other file, which stays as it is.
            TypeError: one is nothing that can be uploaded; the message says where it stands.
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
        """Have the server zip images, or a board, and download the zip.

        Needs the socket: an event says when the zip is ready.

        Endpoint: POST /api/v1/images/download
        Endpoint: GET /api/v1/images/download/{bulk_download_item_name}

        Args:
            path: the zip; one of that name is replaced. A folder takes it under the name that the server gives it;
                what ends in a separator is a folder, which is made if it is missing.
            image_names: the images, one or many; or
            board: a board, by id, name or record.

        Returns:
            The zip.

        Raises:
            TransferRefusedError: images and a board are given, or neither.
            TransferError: the server could not make it, or there is no socket to tell that it is made.
            NotFoundError, AmbiguousNameError: of the board.
            NotFoundError: of an image, where the server has several users; where it has none, that is a TransferError.
            OSError: it cannot be written.
        """
        work = self._aio.download_zip(path, image_names=read_here(image_names), board=board)
        del path, image_names, board
        return self._aio._engine.block(work)

    def download_unzipped(
        self, folder: str | os.PathLike[str], *, image_names: ImagesLike = (), board: BoardLike | None = None
    ) -> list[Path]:
        """`download_zip`, unpacked into a folder: the images, each under its own name.

        Raises:
            TransferError: as `download_zip`, or the zip is broken, encrypted, has a name twice, or is above the
                settings max_zip_files and max_download_bytes; nothing is unpacked unless it is broken.
            UnsafePathError: a name in it would lead out of the folder, or is hidden; nothing is unpacked then.
        """
        work = self._aio.download_unzipped(folder, image_names=read_here(image_names), board=board)
        del folder, image_names, board
        return self._aio._engine.block(work)
