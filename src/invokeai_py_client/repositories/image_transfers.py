"""Images up and down: many at once, and as zips."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.files import safe_name
from invokeai_py_client.live.following import Following
from invokeai_py_client.repositories.board_names import BoardLike, board_id_of
from invokeai_py_client.repositories.bulk_download import download_unzipped, download_zip
from invokeai_py_client.repositories.several import several
from invokeai_py_client.repositories.transfer_log import TransferLog
from invokeai_py_client.repositories.transfers import (
    CONCURRENCY,
    ProgressCallback,
    TransferReport,
    crc32_of,
    transfer_all,
)
from invokeai_py_client.repositories.uploads import Upload
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.reporting import reporting
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import images
from invokeai_py_client.wire.records import ImageRecord

Category = Literal["general", "mask", "control", "user", "other"]
"""`general` for what was generated; the others are assets, `user` for what somebody uploaded."""

DOWNLOAD_LOG = ".invokeai-downloads.jsonl"
"""The file in a folder that remembers what `download_many` has put there."""

_LINES_AT_ONCE = 32
"""Of a log of downloads: losing the last of it costs no more than to download those again."""


class AsyncImageTransfers:
    """The part of `client.aio.image_repo` that moves files."""

    def __init__(self, engine: Engine, http: HttpTransport, following: Following, catalog: Catalog) -> None:
        self._engine = engine
        self._http = http
        self._following = following
        self._catalog = catalog

    @reporting
    async def download_many(
        self,
        image_names: str | Iterable[str | ImageRecord],
        folder: str | os.PathLike[str],
        *,
        concurrency: int = CONCURRENCY,
        progress_callback: ProgressCallback | None = None,
    ) -> TransferReport[Path]:
        """Download many images into a folder, each under its own name, which it gets when it is whole.

        What an earlier call has put there is skipped, if it still has the size and the checksum that it had: a log in
        the folder (`.invokeai-downloads.jsonl`) remembers them. Images never change on the server. One failure does
        not stop the rest.

        Rests on `GET /api/v1/images/i/{image_name}/full`.

        Args:
            image_names: the images, by name or record; each is downloaded once.
            folder: it is made if it is missing.
            concurrency: how many at once.
            progress_callback: called with a `TransferProgress`, on the caller's loop or in the thread that waits; a
                slow one sees the latest. What it raises ends the work.

        Returns:
            What was downloaded, what was there already, and what failed, each with its error.

        Example:
            >>> report = client.image_repo.download_many(client.image_repo.list_image_names(board="tigers"), "tigers")
            >>> len(report.done), report.failed
            (12, [])
        """
        target = Path(folder)
        names = dict.fromkeys(one if isinstance(one, str) else one.image_name for one in several(image_names))

        assert progress_callback is not None
        # It makes the folder: one that cannot be made is told before anything is asked for.
        with TransferLog(target / DOWNLOAD_LOG, lines_at_once=_LINES_AT_ONCE) as log:

            async def download(name: str) -> tuple[Path, bool]:
                path = target / safe_name(name)
                known = log.get(name)
                if known is not None and await asyncio.to_thread(_is_whole, path, known):
                    return path, False
                got = await self._http.download(images.get_image_bytes(name), path)
                log.remember(name, size=got.size, crc32=got.crc32)
                return path, True

            return await transfer_all(names, download, name=str, concurrency=concurrency, report=progress_callback)

    @reporting
    async def upload_many(
        self,
        paths: str | Iterable[str | os.PathLike[str]],
        *,
        board: BoardLike | None = None,
        category: Category = "user",
        log: str | os.PathLike[str] | None = None,
        concurrency: int = CONCURRENCY,
        progress_callback: ProgressCallback | None = None,
    ) -> TransferReport[ImageRecord]:
        """Upload many files. One failure does not stop the rest.

        Rests on `POST /api/v1/images/upload`.

        Args:
            paths: the files.
            board: where they go, by id, name or record.
            category: what they are.
            log: a file that remembers what was uploaded to which server: what is in it, with the same content, and is
                still on the server, is skipped.
            concurrency: how many at once.
            progress_callback: as in `download_many`.

        Returns:
            What was uploaded, what was there already, and what failed, each with its error.

        Raises:
            NotFoundError, AmbiguousNameError: of the board; nothing is uploaded then.
        """
        board_id = None if board is None else await board_id_of(board, self._catalog, self._http)

        done = None if log is None else TransferLog(Path(log))

        async def upload(path: str | os.PathLike[str]) -> tuple[ImageRecord, bool]:
            source = Upload(path)
            if done is None:
                return await self.send_upload(source, board_id, category, False), True
            key = f"{self._http.settings.url} {await asyncio.to_thread(source.digest)}"
            known = done.get(key)
            if known is not None:
                try:
                    return await self._http.send(images.get_image(str(known["image_name"]))), False
                except NotFoundError:
                    pass
            record = await self.send_upload(source, board_id, category, False)
            done.remember(key, image_name=record.image_name)
            return record, True

        assert progress_callback is not None
        with done or contextlib.nullcontext():
            return await transfer_all(
                several(paths),
                upload,
                name=lambda path: str(os.fspath(path)),
                concurrency=concurrency,
                report=progress_callback,
            )

    @on_engine
    async def download_zip(
        self, path: str | os.PathLike[str], *, image_names: str | Sequence[str] = (), board: BoardLike | None = None
    ) -> Path:
        """Have the server zip images, or a board, and download the zip.

        Rests on `POST /api/v1/images/download` and, when an event tells that the zip is made, `GET
        /api/v1/images/download/{bulk_download_item_name}`: it needs the socket.

        Args:
            path: the zip; one of that name is replaced.
            image_names: the images; or
            board: a board, by id, name or record.

        Raises:
            TransferError: the server could not make it, or there is no socket to tell that it is made.
            NotFoundError, AmbiguousNameError: of the board.
            NotFoundError: of an image, where the server has several users; where it has none, that is a TransferError.
        """
        board_id = None if board is None else await board_id_of(board, self._catalog, self._http)
        return await download_zip(self._http, self._following, Path(path), several(image_names), board_id)

    @on_engine
    async def download_unzipped(
        self, folder: str | os.PathLike[str], *, image_names: str | Sequence[str] = (), board: BoardLike | None = None
    ) -> list[Path]:
        """`download_zip`, unpacked into a folder: the images, each under its own name.

        Raises:
            TransferError: as `download_zip`, or the zip is broken.
            UnsafePathError: a name in it would lead out of the folder; nothing is unpacked then.
        """
        board_id = None if board is None else await board_id_of(board, self._catalog, self._http)
        return await download_unzipped(self._http, self._following, Path(folder), several(image_names), board_id)

    async def send_upload(
        self,
        upload: Upload,
        board_id: str | None,
        category: str,
        is_intermediate: bool,
        metadata: Mapping[str, Any] | None = None,
    ) -> ImageRecord:
        """`upload_image` for those who are on the engine, and have read the image."""
        call = images.upload_image(
            upload.content,
            filename=upload.filename,
            content_type=upload.content_type,
            category=category,
            is_intermediate=is_intermediate,
            board_id=board_id,
            metadata=metadata,
        )
        return await self._http.send(call)


def _is_whole(path: Path, known: Mapping[str, object]) -> bool:
    try:
        return path.stat().st_size == known.get("size") and crc32_of(path) == known.get("crc32")
    except OSError:
        return False
