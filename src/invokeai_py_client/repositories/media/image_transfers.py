"""Images up and down: many at once, and as zips."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable
from pathlib import Path

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import TransferRefusedError
from invokeai_py_client.files import IMAGE, path_of
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.repositories.arguments import BoardLike, ImagesLike, image_name_of, image_names_of, sources_of
from invokeai_py_client.repositories.media.common import AsyncMedia, Category, MediaKind
from invokeai_py_client.repositories.media.zips import download_unzipped, download_zip
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.reporting import reporting
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transfers.concurrent import CONCURRENCY, ProgressCallback, TransferReport
from invokeai_py_client.transfers.uploads import ImageSource
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import images
from invokeai_py_client.wire.records.images import ImageRecord


class AsyncImageTransfers(AsyncMedia[ImageRecord]):
    """The part of `client.aio.image_repo` that moves files."""

    _kind = MediaKind(
        noun="image",
        file=IMAGE,
        get=images.get_image,
        get_bytes=images.get_image_bytes,
        list_names=images.list_image_names,
        upload=images.upload_image,
        name_of=image_name_of,
    )

    def __init__(self, engine: Engine, http: HttpTransport, tracker: RunTracker, catalog: Catalog) -> None:
        super().__init__(engine, http, catalog)
        self._tracker = tracker

    @reporting
    async def download_many(
        self,
        image_names: ImagesLike,
        folder: str | os.PathLike[str],
        *,
        concurrency: int = CONCURRENCY,
        progress_callback: ProgressCallback | None = None,
    ) -> TransferReport[Path]:
        """Download many images into a folder, each under its own name, which it gets when it is whole.

        What an earlier call has put there is skipped, if it still has the size and the checksum that it had: a log in
        the folder (`.invokeai-downloads.jsonl`) remembers them. Images never change on the server. One failure does
        not stop the rest; what would meet them all, such as a full disk or a server that is gone, fails those that
        are left, untried.

        Rests on `GET /api/v1/images/i/{image_name}/full`.

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
            TypeError: one is no image; the message says where it stands.

        Example:
            >>> report = client.image_repo.download_many(client.image_repo.list_images(board="tigers"), "tigers")
            >>> len(report.done), report.failed
            (12, [])
        """
        assert progress_callback is not None
        return await self._download_all(image_names_of(image_names), folder, concurrency, progress_callback)

    @reporting
    async def upload_many(
        self,
        paths: ImageSource | Iterable[ImageSource] | AsyncIterable[ImageSource],
        *,
        board: BoardLike | None = None,
        category: Category = "user",
        log: str | os.PathLike[str] | None = None,
        concurrency: int = CONCURRENCY,
        progress_callback: ProgressCallback | None = None,
    ) -> TransferReport[ImageRecord]:
        """Upload many images. One failure does not stop the rest, but for one that would meet them all.

        Rests on `POST /api/v1/images/upload`.

        Args:
            paths: the files, one or many; each may be whatever `upload_image` takes.
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
        assert progress_callback is not None
        sources = sources_of(paths, IMAGE)
        return await self._upload_all(sources, board, category, log, concurrency, progress_callback)

    @on_engine
    async def download_zip(
        self, path: str | os.PathLike[str], *, image_names: ImagesLike = (), board: BoardLike | None = None
    ) -> Path:
        """Have the server zip images, or a board, and download the zip.

        Rests on `POST /api/v1/images/download` and, when an event tells that the zip is made, `GET
        /api/v1/images/download/{bulk_download_item_name}`: it needs the socket.

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
        names, board_id = await self._zipped(image_names, board)
        return await download_zip(self._http, self._tracker, path, names, board_id)

    @on_engine
    async def download_unzipped(
        self, folder: str | os.PathLike[str], *, image_names: ImagesLike = (), board: BoardLike | None = None
    ) -> list[Path]:
        """`download_zip`, unpacked into a folder: the images, each under its own name.

        Raises:
            TransferError: as `download_zip`, or the zip is broken, encrypted, has a name twice, or is above the
                settings max_zip_files and max_download_bytes; nothing is unpacked unless it is broken.
            UnsafePathError: a name in it would lead out of the folder, or is hidden; nothing is unpacked then.
        """
        names, board_id = await self._zipped(image_names, board)
        return await download_unzipped(self._http, self._tracker, path_of(folder), names, board_id)

    async def _zipped(self, image_names: ImagesLike, board: BoardLike | None) -> tuple[list[str], str | None]:
        names = image_names_of(image_names)
        if bool(names) == (board is not None):
            raise TransferRefusedError(
                f"A zip is of images or of a board, and {'both were' if names else 'neither was'} given.",
                hint="Give image_names or board.",
            )
        return names, await self._board_id(board)
