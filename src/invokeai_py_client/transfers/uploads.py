"""What can be uploaded as an image or a video: a path, bytes, an open file, and for an image what Pillow has."""

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
    """A `PIL.Image.Image`, or what has the same methods. Pillow is optional."""

    @property
    def mode(self) -> str:
        """The kind of its pixels, such as `RGB`."""
        ...

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Write the image into a file."""
        ...


FileSource = str | os.PathLike[str] | bytes | BinaryIO
"""A file's path, its content, or an open binary file, which is read from where it stands."""

ImageSource = FileSource | PillowImage
"""A file's path, its content, an open binary file, which is read from where it stands, or a Pillow image."""

_SMALL = 512 * 1024

_CHUNK = 2**20


class Upload:
    """A file that is to be sent, with its name and MIME type, told by its content.

    Args:
        source: see `ImageSource`.
        filename: what it is to be called, in place of a name of its own.
        kind: what it must be.

    Raises:
        NotAnImageError: it is none of that kind, or no regular file.
        UnsafePathError: it is a path that cannot be one.
        OSError: it cannot be read.
        TypeError: it is nothing of the kinds above.
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
        """The SHA-256 of what is sent, in hexadecimal.

        Raises:
            NotAnImageError, OSError: it cannot be read.
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
    """See that something is of a type that can be uploaded, before anything is sent.

    Raises:
        TypeError: it is not; `place` says where it stands.
    """
    if isinstance(source, io.TextIOBase):
        raise TypeError(f"{place}{name_of_source(source)} is open for text; open it with mode 'rb'")
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(source, "read"):
        return
    if kind is IMAGE and is_pillow(source):
        return
    pillow = ", a binary file or a Pillow image" if kind is IMAGE else " or a binary file"
    noun = "an image" if kind is IMAGE else "a video"
    raise TypeError(f"{place}{noun} is a path, bytes{pillow}, not {type(source).__name__}")


def name_of_source(source: object) -> str:
    """What a report calls it: its path, else what it is."""
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    if isinstance(name, str | os.PathLike):
        return str(os.fspath(name))
    return f"<{type(source).__name__}>"


def _of_path(path: Path) -> tuple[bytes | Path, bytes]:
    """What is to be sent of a path, and how it begins."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        # A pipe could be waited for for ever. Opening a folder raises its own error.
        raise NotAnImageError(f"{path} is not a regular file.", name=str(path), hint="Give an open file to read that.")
    with path.open("rb") as file:
        # One small enough is read at once, which spares it being opened again and sent in pieces.
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
            raise TypeError(f"it gives {type(start).__name__}, no bytes")
        found = kind.checked(start, shown)
        filename = Path(shown).name if isinstance(name, str) else _plain_name(found)
        if not (hasattr(file, "seekable") and file.seekable()):
            return start + file.read(), found, filename
        file.seek(-len(start), os.SEEK_CUR)
    return file, found, filename


@contextlib.contextmanager
def _reading(shown: str) -> Iterator[None]:
    """A file of the caller's, which may be closed, cut short, or anything that has a `read`."""
    try:
        yield
    except InvokeAIError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, io.UnsupportedOperation):
            raise
        raise NotAnImageError(
            f"{shown} cannot be read: {error}.", name=shown, hint="Give an open file, opened with mode 'rb'."
        ) from error


def _plain_name(content_type: str) -> str:
    kind, extension = content_type.split("/")
    return f"{kind}.{extension}"
