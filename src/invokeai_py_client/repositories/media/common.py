"""The base of the image and video repositories: listings with filters, uploads and downloads, bulk changes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import InvokeAIError, NotFoundError, UnsafePathError, WorkflowFileError
from invokeai_py_client.files import FileKind, path_of, shown_name
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.json_text import read_json
from invokeai_py_client.repositories.arguments import BoardLike, board_id_of, is_one, names_of, several
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import in_parts
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transfers.concurrent import TransferCallback, TransferReport, crc32_of, transfer_all
from invokeai_py_client.transfers.journal import TransferLog
from invokeai_py_client.transfers.uploads import Upload, name_of_source
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.call import Call, Query
from invokeai_py_client.wire.calls import boards, images
from invokeai_py_client.wire.records.images import ImageNames, ImageRecord, VideoNames, VideoRecord

R = TypeVar("R", ImageRecord, VideoRecord)
A = TypeVar("A")

Category = Literal["general", "mask", "control", "user", "other"]
"""`general` for generated images. The others are assets; `user` is for uploads."""

Origin = Literal["internal", "external"]
"""`internal`: created by the server. `external`: uploaded."""

DOWNLOAD_LOG = ".invokeai-downloads.jsonl"
"""The file in which `download_many` records the files that it has written to a folder."""

_HALF = re.compile("[\ud800-\udfff]")

_LINES_AT_ONCE = 32
"""The number of lines that a download log buffers. If a crash loses them, those files are downloaded again."""


@dataclass(frozen=True, slots=True)
class MediaKind:
    """Either images or videos: the noun, the file formats, and the routes that both have."""

    noun: Literal["image", "video"]
    file: FileKind
    get: Callable[[str], Call[Any]]
    get_bytes: Callable[[str], Call[bytes]]
    list_names: Callable[[Query], Call[Any]]
    upload: Callable[..., Call[Any]]
    name_of: Callable[[object], str]


class AsyncMedia(FixedAttributes, Generic[R]):
    """The base of `client.aio.image_repo` and `client.aio.video_repo`. Its coroutines run on the engine."""

    _kind: ClassVar[MediaKind]

    def __init__(self, engine: Engine, http: HttpTransport, catalog: Catalog) -> None:
        self._engine = engine
        self._http = http
        self._catalog = catalog

    async def _board_id(self, board: BoardLike | None) -> str | None:
        return None if board is None else await board_id_of(board, self._catalog, self._http)

    async def _list_names(
        self,
        board: BoardLike | None,
        categories: Category | Iterable[Category],
        origin: Origin | None,
        is_intermediate: bool | None,
        starred: bool | None,
        search: str | None,
        newest_first: bool,
    ) -> list[str]:
        filters: Query = {
            "board_id": await self._board_id(board),
            "categories": tuple(several(categories)) or None,
            f"{self._kind.noun}_origin": origin,
            "is_intermediate": is_intermediate,
            "search_term": search,
            "order_dir": "DESC" if newest_first else "ASC",
            # The response has the number of starred images, but not which ones: listing them first identifies them.
            "starred_first": starred is not None,
        }
        listed: ImageNames | VideoNames = await self._http.send(self._kind.list_names(filters))
        if starred is None:
            return listed.names
        return listed.names[: listed.starred_count] if starred else listed.names[listed.starred_count :]

    def _check_there(self, name: str, found: Sequence[str]) -> None:
        """Check that a name is in the response, as the server skips images that do not exist.

        Raises:
            NotFoundError: the name is missing.
        """
        if name not in found:
            call = self._kind.get(name)
            raise not_there(
                f"The server has no {self._kind.noun} {name!r} that this user may change.",
                call,
                self._http,
                hint="Check the name. It may have been deleted, or belong to another user.",
            )

    async def _change(
        self,
        things: object,
        call: Callable[[Sequence[str]], Call[A]],
        changed: Callable[[A], list[str]],
    ) -> list[str]:
        """Change one image or video, or many; return the names of those that were changed.

        Raises:
            NotFoundError: a single one was passed, and it does not exist.
        """
        names = names_of(things, self._kind.name_of)
        done = await change_all(self._http, names, call, changed, noun=self._kind.noun)
        if is_one(things):
            self._check_there(self._kind.name_of(things), done)
        return done

    async def _download_all(
        self, names: Sequence[str], folder: str | os.PathLike[str], concurrency: int, report: TransferCallback
    ) -> TransferReport[Path]:
        target = path_of(folder)
        start = os.path.join(target, "")

        # Opening the log creates the folder, so that a failure to do so comes before any request.
        with TransferLog(target / DOWNLOAD_LOG, lines_at_once=_LINES_AT_ONCE) as log:

            async def download(name: str) -> tuple[str, bool]:
                path = start + shown_name(name)
                known = log.get(name)
                if known is not None and await asyncio.to_thread(_is_whole, Path(path), known):
                    return path, False
                got = await self._http.download(self._kind.get_bytes(name), path)
                log.remember(name, size=got.size, crc32=got.crc32)
                return path, True

            report_of_texts = await transfer_all(names, download, name=str, concurrency=concurrency, report=report)
        # Paths take far less time to make one after another than between two downloads.
        return report_of_texts._mapped(Path)

    async def _upload_all(
        self,
        sources: Sequence[Any],
        board: BoardLike | None,
        category: str,
        log: str | os.PathLike[str] | None,
        concurrency: int,
        report: TransferCallback,
    ) -> TransferReport[R]:
        done = None if log is None else TransferLog(path_of(log))
        # With a log, equal files are uploaded once: the second one waits for the first and then finds it in the log.
        turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

        # The log is opened before any request.
        with done or contextlib.nullcontext():
            board_id = await self._board_id(board)

            async def upload(source: Any) -> tuple[R, bool]:
                read = await self._read(source)
                if done is None:
                    return await self._send_upload(read, board_id, category, False), True
                digest = await asyncio.to_thread(read.digest)
                key = f"{self._http.settings.url} {board_id or 'none'} {category} {digest}"
                async with turns[key]:
                    there = await self._find(done.get(key))
                    if there is not None:
                        return there, False
                    record = await self._send_upload(read, board_id, category, False)
                    done.remember(key, **{self._name_key: self._kind.name_of(record)})
                    return record, True

            return await transfer_all(sources, upload, name=name_of_source, concurrency=concurrency, report=report)

    @property
    def _name_key(self) -> str:
        return f"{self._kind.noun}_name"

    async def _find(self, known: Mapping[str, object] | None) -> R | None:
        """Return the record of an upload in the log, if the server still has the image."""
        name = None if known is None else known.get(self._name_key)
        if not isinstance(name, str):
            return None
        try:
            found: R = await self._http.send(self._kind.get(name))
        except (NotFoundError, UnsafePathError):
            return None
        return found

    async def _read(self, source: Any) -> Upload:
        """Read the source of an upload, in a thread if that takes time."""
        if isinstance(source, str | os.PathLike):
            return Upload(source, kind=self._kind.file)
        return await asyncio.to_thread(Upload, source, kind=self._kind.file)

    @on_engine
    async def _send_upload(
        self,
        upload: Upload,
        board_id: str | None,
        category: str,
        is_intermediate: bool,
        metadata: Mapping[str, Any] | None = None,
    ) -> R:
        """Upload a source that has been read. The server does not know the board `none` in uploads."""
        call: Call[R] = self._kind.upload(
            upload.content,
            filename=upload.filename,
            content_type=upload.content_type,
            category=category,
            is_intermediate=is_intermediate,
            board_id=None if board_id == boards.UNCATEGORIZED else board_id,
            metadata=metadata,
        )
        return await self._http.send(call)


async def change_all(
    http: Sender,
    names: Sequence[str],
    call: Callable[[Sequence[str]], Call[A]],
    changed: Callable[[A], list[str]],
    *,
    noun: str = "image",
) -> list[str]:
    """Change many images or videos, in several requests if necessary; return the names of those that were changed.

    If a request fails after others have succeeded, its error has a note with the number of changed images.
    """
    done: list[str] = []
    for part in parts_of(names):
        try:
            done += changed(await http.send(call(part)))
        except InvokeAIError as error:
            if done:
                error.add_note(f"Earlier requests changed {len(done)} of the {len(names)} {noun}s.")
            raise
    return done


def parts_of(names: Sequence[str]) -> list[Sequence[str]]:
    """Split names into parts that the server accepts in one request.

    Raises:
        UnsafePathError: a name has an unpaired surrogate, so that its part could not be sent.
    """
    for name in names:
        if not name.isascii() and _HALF.search(name):
            raise UnsafePathError(
                f"The name {name!r} has an unpaired surrogate.", name=name, hint="Pass the name as the server lists it."
            )
    return [*in_parts(names, images.MAX_NAMES_PER_REQUEST)]


def document_of(text: str | None) -> dict[str, Any] | None:
    """Parse the workflow or graph that the server stores with an image, as JSON.

    Raises:
        WorkflowFileError: the text is not JSON.
    """
    try:
        document: dict[str, Any] | None = None if text is None else read_json(text)
    except ValueError as error:
        raise WorkflowFileError(
            f"The workflow or graph that the server stores with the image is not JSON: {error}.",
            hint="It comes from the uploaded file, and cannot be run again.",
        ) from error
    return document


def _is_whole(path: Path, known: Mapping[str, object]) -> bool:
    try:
        return path.stat().st_size == known.get("size") and crc32_of(path) == known.get("crc32")
    except OSError:
        return False
