"""The sources of image and video uploads: a path, bytes, an open file, and for images a Pillow image."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from invokeai_py_client.errors import InvokeAIError, NotAnImageError
from invokeai_py_client.files import IMAGE, FileKind, path_of
from invokeai_py_client.pillow import is_pillow, png_of


class PillowImage(Protocol):
    """A `PIL.Image.Image`, or an object with the same methods. Pillow is optional."""

    @property
    def mode(self) -> str:
        """The pixel format, such as `RGB`."""
        ...

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Write the image into a file."""
        ...


FileSource = str | os.PathLike[str] | bytes | BinaryIO
"""The path of a file, its content, or an open binary file, which is read from its current position."""

ImageSource = FileSource | PillowImage
"""The path of a file, its content, an open binary file, which is read from its current position, or a Pillow image."""

_SMALL = 512 * 1024

_CHUNK = 2**20


class Upload:
    """A file to upload, with its name, and its MIME type as detected from the content.

    Args:
        source: see `ImageSource`.
        filename: the name to upload it under; None for the name of the source.
        kind: the required kind of file.

    Raises:
        NotAnImageError: the content is not of that kind, or the path is not that of a regular file.
        UnsafePathError: the path is not valid.
        OSError: the file cannot be read.
        TypeError: the type of `source` is not supported.
    """

    def __init__(self, source: Any, *, filename: str | None = None, kind: FileKind = IMAGE) -> None:
        check_source(source, kind)
        self.content: bytes | Path | BinaryIO
        if isinstance(source, str | os.PathLike):
            path = path_of(source)
            self.content, start = _of_path(path)
            self.content_type = kind.checked(start, str(path))
            self.filename = path.name
        elif isinstance(source, bytes | bytearray | memoryview):
            self.content = bytes(source)
            self.content_type = kind.checked(self.content[:16], filename or "The content")
            self.filename = _plain_name(self.content_type)
        elif hasattr(source, "read"):
            self.content, self.content_type, self.filename = _of_file(source, kind)
        else:
            self.content, self.content_type, self.filename = png_of(source), "image/png", "image.png"
        self.filename = filename or self.filename

    def digest(self) -> str:
        """Return the SHA-256 of the content, in hexadecimal.

        Raises:
            NotAnImageError: the open file cannot be read.
            OSError: the file cannot be read.
        """
        if isinstance(self.content, bytes):
            return hashlib.sha256(self.content).hexdigest()
        if isinstance(self.content, Path):
            with self.content.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        with _reading(self.filename):
            place = self.content.tell()
            while chunk := self.content.read(_CHUNK):
                digest.update(chunk)
            self.content.seek(place)
        return digest.hexdigest()


def check_source(source: object, kind: FileKind = IMAGE, place: str = "") -> None:
    """Check that an object is of a type that can be uploaded, before anything is sent.

    Raises:
        TypeError: its type is not supported; the message begins with `place`.
    """
    if isinstance(source, io.TextIOBase):
        raise TypeError(f"{place}{name_of_source(source)} is open for text; open it with mode 'rb'")
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(source, "read"):
        return
    if kind is IMAGE and is_pillow(source):
        return
    pillow = ", a binary file or a Pillow image" if kind is IMAGE else " or a binary file"
    noun = "an image" if kind is IMAGE else "a video"
    raise TypeError(f"{place}{noun} must be a path, bytes{pillow}, not {type(source).__name__}")


def name_of_source(source: object) -> str:
    """Return the name of a source for reports: its path, or else its type."""
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    if isinstance(name, str | os.PathLike):
        return str(os.fspath(name))
    return f"<{type(source).__name__}>"


def _of_path(path: Path) -> tuple[bytes | Path, bytes]:
    """Return the content of a small file or the path of a large one, and the first 16 bytes."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        # Reading a pipe could block forever. Opening a folder raises its own error.
        raise NotAnImageError(f"{path} is not a regular file.", name=str(path), hint="Pass an open file instead.")
    with path.open("rb") as file:
        # A small file is read now, so it is not opened again and sent in chunks.
        if found.st_size <= _SMALL:
            content = file.read()
            return content, content[:16]
        return path, file.read(16)


def _of_file(file: BinaryIO, kind: FileKind) -> tuple[bytes | BinaryIO, str, str]:
    name = getattr(file, "name", None)
    shown = name if isinstance(name, str) else "The file"
    with _reading(shown):
        start: Any = file.read(16)
        if not isinstance(start, bytes):
            raise TypeError(f"its read() returned {type(start).__name__}, not bytes")
        found = kind.checked(start, shown)
        filename = Path(shown).name if isinstance(name, str) else _plain_name(found)
        if not (hasattr(file, "seekable") and file.seekable()):
            return start + file.read(), found, filename
        file.seek(-len(start), os.SEEK_CUR)
    return file, found, filename


@contextlib.contextmanager
def _reading(shown: str) -> Iterator[None]:
    """Translate errors from reading a file object of the caller, which may be closed or have its own `read`."""
    try:
        yield
    except InvokeAIError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, io.UnsupportedOperation):
            raise
        raise NotAnImageError(
            f"{shown} cannot be read: {error}.", name=shown, hint="Pass a file that is open in mode 'rb'."
        ) from error


def _plain_name(content_type: str) -> str:
    kind, extension = content_type.split("/")
    return f"{kind}.{extension}"
