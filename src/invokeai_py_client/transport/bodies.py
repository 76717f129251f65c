"""Bodies of requests and responses: multipart forms with files, and responses of limited size."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import threading
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import aiohttp

from invokeai_py_client.errors import AnswerTooLargeError
from invokeai_py_client.files import PartFile
from invokeai_py_client.wire.call import Call, Part

_CHUNK = 256 * 1024
_SENT_IN_ONE_PIECE = 2**20
"""Bytes. aiohttp warns about larger `bytes`, because sending them at once blocks the loop."""


class Downloaded(NamedTuple):
    """The size in bytes and the CRC-32 of what was downloaded."""

    size: int
    crc32: int


class FileError(Exception):
    """A local file could not be read or written. `error` is the operating system's error."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


class Sink:
    """The file that a body is written to, created with the first piece. Its methods block.

    A context manager: at the end of the block the file gets its name; after an exception it is removed.

    Args:
        path: the path of the file.

    Attributes:
        size: the number of bytes that were written.
        crc32: their CRC-32.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._file: PartFile | None = None
        self.size = 0
        self.crc32 = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        if kind is None:
            self._file.keep()
        else:
            self._file.discard()

    def write(self, piece: bytes) -> None:
        """Write a piece of the body.

        Raises:
            FileError: the file cannot be written. An `OSError` would be taken for a network error.
        """
        try:
            if self._file is None:
                self._file = PartFile(self._path)
            self._file.write(piece)
        except OSError as error:
            raise FileError(error) from error
        self.size += len(piece)
        self.crc32 = zlib.crc32(piece, self.crc32)


class OpenFile:
    """An open file of the caller, sent from its current position in each attempt.

    Each attempt has a separate position, so a read that is still running for an earlier attempt does not affect it.

    Attributes:
        size: the number of bytes from the position to the end.
        error: the error with which reading failed; None if it did not.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()
        self._lock = threading.Lock()
        self.size = file.seek(0, os.SEEK_END) - self._start
        file.seek(self._start)
        self.error: OSError | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the content in chunks."""
        place = self._start
        while chunk := await asyncio.to_thread(self._read, place):
            yield chunk
            place += len(chunk)

    def _read(self, place: int) -> bytes:
        try:
            with self._lock:
                self._file.seek(place)
                return self._file.read(_CHUNK)
        except Exception as error:
            # Kept, because aiohttp would turn it into a network error. A file object of the caller may raise anything.
            self.error = error if isinstance(error, OSError) else OSError(errno.EIO, str(error))
            raise self.error from error


OpenFiles = Mapping[str, OpenFile]
"""Open files by the names of their parts."""

NO_FILES: OpenFiles = {}


def as_form(parts: Iterable[Part], files: OpenFiles, opened: contextlib.ExitStack) -> tuple[aiohttp.FormData, int]:
    """Return a form and its approximate size in bytes.

    Args:
        parts: the parts of the form.
        files: the open files among them.
        opened: closes the files that are opened here.

    Raises:
        FileError: a file cannot be opened.
    """
    form, size = aiohttp.FormData(), 0
    for part in parts:
        content: Any = part.content
        if isinstance(content, Path):
            try:
                content = opened.enter_context(content.open("rb"))
            except OSError as error:
                raise FileError(error) from error
            size += os.fstat(content.fileno()).st_size
        elif isinstance(content, str | bytes):
            size += len(content)
            if len(content) > _SENT_IN_ONE_PIECE and isinstance(content, bytes):
                content = io.BytesIO(content)
        else:
            # An open file of the caller: not passed on as it is, because aiohttp would close it.
            file = files[part.name]
            size += file.size
            content = file.chunks()
        form.add_field(part.name, content, filename=_shown(part.filename), content_type=part.content_type)
    return form, size


def _shown(filename: str | None) -> str | None:
    """Return a file name with characters that are not allowed in a header replaced."""
    return filename and "".join(one if one.isprintable() else "_" for one in filename)


def what_was_sent(call: Call[Any], files: OpenFiles) -> str:
    """Return the names and sizes of the files of a call, for an error; an empty string if there are none."""
    named = []
    for part in call.parts:
        if part.filename is None and not isinstance(part.content, bytes | Path):
            continue
        if isinstance(part.content, Path):
            with contextlib.suppress(OSError):
                named.append(f"{str(part.content)!r} ({part.content.stat().st_size:,} bytes)")
        else:
            size = len(part.content) if isinstance(part.content, str | bytes) else files[part.name].size
            named.append(f"{part.filename or part.name!r} ({size:,} bytes)")
    return ", ".join(named)


async def read_body(
    answer: aiohttp.ClientResponse, shown: str, limit: int, setting: str | None = "max_answer_bytes"
) -> bytes:
    """Return the whole body. The limit applies to the decompressed size.

    Args:
        answer: the response.
        shown: the URL as errors may show it.
        limit: the maximum size in bytes.
        setting: the name of the setting with the limit; None for a limit of the call.

    Raises:
        AnswerTooLargeError: the body has more than `limit` bytes.
    """
    if answer.method == "HEAD":
        return b""
    if answer.content_length is not None and answer.content_length > limit:
        raise _too_large(answer, shown, limit, setting)
    if answer.content_length is not None and "Content-Encoding" not in answer.headers:
        return await answer.read()
    parts, size = [], 0
    async for chunk in answer.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise _too_large(answer, shown, limit, setting)
    return b"".join(parts)


async def stream_body(answer: aiohttp.ClientResponse, shown: str, sink: Sink, limit: int) -> None:
    """Write the body into a file. The limit applies to the decompressed size.

    Raises:
        AnswerTooLargeError: the body has more than `limit` bytes.
        FileError: the file cannot be written.
    """
    length = answer.content_length
    if length is not None and length > limit:
        raise _too_large(answer, shown, limit, "max_download_bytes")
    # `iter_any` would do the same with one more coroutine for each piece.
    while piece := await answer.content.readany():
        if sink.size + len(piece) > limit:
            raise _too_large(answer, shown, limit, "max_download_bytes")
        sink.write(piece)


def _too_large(answer: aiohttp.ClientResponse, shown: str, limit: int, setting: str | None) -> AnswerTooLargeError:
    # The rest of the body is not read, so the connection cannot be used again.
    answer.close()
    return AnswerTooLargeError(
        f"The response to {answer.method} {shown} has more than {limit:,} bytes.",
        status=answer.status,
        method=answer.method,
        url=shown,
        limit=limit,
        hint="Check that this is the address of an InvokeAI server."
        if setting is None
        else f"If that is expected, increase the setting {setting}.",
    )
