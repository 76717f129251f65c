"""Files and folders: where the cache is, names that stay inside their folder, writes that are whole or absent."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import BinaryIO, NamedTuple

from invokeai_py_client.errors import NotAnImageError, UnsafePathError

CACHE_VARIABLE = "INVOKEAI_CLIENT_CACHE"

_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]')

_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))

# Windows gives these names to devices, whatever their extension.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")

_IMAGE_MARKS = (
    ("image/png", 0, (b"\x89PNG\r\n\x1a\n",)),
    ("image/jpeg", 0, (b"\xff\xd8\xff",)),
    ("image/webp", 8, (b"WEBP",)),
    ("image/gif", 0, (b"GIF87a", b"GIF89a")),
    ("image/bmp", 0, (b"BM",)),
    ("image/tiff", 0, (b"II*\0", b"MM\0*")),
    ("image/avif", 4, (b"ftypavif", b"ftypavis")),
)


def cache_folder() -> Path | None:
    """Return the folder for what can be made again: servers, models, node templates.

    Returns:
        `INVOKEAI_CLIENT_CACHE` where that is set, else `invokeai-py-client` in the user's cache folder of this
        platform. It need not exist yet, and may turn out to be unusable. None if the user has no home directory.
    """
    try:
        chosen = os.environ.get(CACHE_VARIABLE)
        if chosen:
            return Path(chosen).expanduser().absolute()
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except (RuntimeError, OSError):
        # pathlib's errors for a user without a home, and for a working directory that was deleted.
        return None
    return base / "invokeai-py-client"


def read_regular_file(path: Path, *, limit: int) -> bytes:
    """Return the content of a regular file; anything else, such as a FIFO, is refused without waiting for it.

    Raises:
        OSError: the path is not a regular file, the file has more than `limit` bytes, or it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "It is not a regular file", os.fspath(path))
        if found.st_size > limit:
            raise OSError(errno.EFBIG, "The file is too large", os.fspath(path))
        return file.read()


def safe_name(name: str) -> str:
    """Check that a name, which may come from a server, is a plain file name.

    Args:
        name: what is to become the last part of a path.

    Returns:
        The same name.

    Raises:
        UnsafePathError: it is empty, has a separator, a drive, a NUL or another control character, or means
            something else than a file of that name.

    Example:
        >>> safe_name("0f4b7c1e.png")
        '0f4b7c1e.png'
    """
    plain = (
        name
        and name not in {".", ".."}
        and len(name.encode("utf-8", "surrogatepass")) <= 255
        and not _UNSAFE.search(name)
        and name == name.rstrip(". ")
        and name.split(".")[0].lower() not in _DEVICES
    )
    if not plain:
        raise UnsafePathError(
            f"{name!r} cannot be a file name: it is empty, too long, or could lead out of its folder.",
            name=name,
            hint="Give the file a plain name of your own.",
        )
    return name


def path_of(path: str | os.PathLike[str]) -> Path:
    """A path that the user gave.

    Raises:
        UnsafePathError: it has a NUL, or half a character, which no file's path has.
    """
    try:
        if b"\0" not in os.fsencode(path):
            return Path(os.fsdecode(path))
    except UnicodeEncodeError:
        pass
    raise UnsafePathError(
        f"{os.fspath(path)!r} cannot be a path: it has a NUL, or half a character.",
        name=os.fsdecode(path),
        hint="Give the path of a file.",
    )


def shown_name(name: str) -> str:
    """`safe_name` of a file that is not hidden: one of many from a server must not be a program's settings.

    Raises:
        UnsafePathError: as `safe_name`, or it begins with a dot.
    """
    if name.startswith("."):
        raise UnsafePathError(
            f"{name!r} would be a hidden file.", name=name, hint="Give the file a plain name of your own."
        )
    return safe_name(name)


def file_for(path: str | os.PathLike[str], name: str) -> Path:
    """The path itself, or, if it is an existing folder or ends in a separator, the file of that name in it.

    Raises:
        UnsafePathError: the name is needed and cannot be a file name, or the path cannot be one.
    """
    target = path_of(path)
    is_folder = os.fsdecode(path).endswith(_SEPARATORS) or target.is_dir()
    return target / safe_name(name) if is_folder else target


def image_path(value: object) -> PurePath | None:
    """Return a value as a path if it is the absolute path of an image file, on whatever system; else None."""
    if not isinstance(value, str) or not value.lower().endswith(_IMAGE_SUFFIXES):
        return None
    paths: tuple[PurePath, ...] = (PurePosixPath(value), PureWindowsPath(value))
    return next((path for path in paths if path.is_absolute()), None)


def image_type(start: bytes) -> str | None:
    """The MIME type of an image, told by how its content begins.

    Args:
        start: its first 16 bytes, or more.

    Returns:
        The type of a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF; None for anything else.

    Example:
        >>> image_type(bytes.fromhex("89504e470d0a1a0a"))
        'image/png'
    """
    for mime, place, marks in _IMAGE_MARKS:
        if any(start[place : place + len(mark)] == mark for mark in marks):
            return mime
    return None


def video_type(start: bytes) -> str | None:
    """The MIME type of a video, told by how its content begins: that of an MP4; None for anything else.

    Args:
        start: its first 16 bytes, or more.
    """
    return "video/mp4" if start[4:8] == b"ftyp" and image_type(start) is None else None


class FileKind(NamedTuple):
    """What a file may be: how its type is told by its first 16 bytes, what to call it, and what to give instead."""

    type_of: Callable[[bytes], str | None]
    called: str
    hint: str

    def checked(self, start: bytes, name: str) -> str:
        """The MIME type of a file that begins so.

        Raises:
            NotAnImageError: it is none of this kind.
        """
        found = self.type_of(start)
        if found is None:
            raise NotAnImageError(
                f"{name} is no {self.called}: it begins with {start[:16]!r}.", name=name, hint=self.hint
            )
        return found


IMAGE = FileKind(image_type, "image of a known kind", "Give a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF.")
VIDEO = FileKind(video_type, "MP4 video", "The server takes only MP4.")


def image_type_of(image: bytes | Path, *, name: str | None = None) -> str:
    """The MIME type of an image file, or of the content of one.

    Args:
        image: its path or its content.
        name: what the error is to call it.

    Raises:
        NotAnImageError: it is of no known kind.
        OSError: it cannot be read.
    """
    if isinstance(image, Path):
        with image.open("rb") as file:
            return IMAGE.checked(file.read(16), name or str(image))
    return IMAGE.checked(image[:16], name or "The content")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when it is complete.

    Args:
        path: the final name; its folder is made if it is missing, and a file of that name is replaced. Where it is a
            link, what that leads to is replaced.

    Yields:
        A binary file beside it, which takes the name when the block ends well and is removed when it does not.

    Raises:
        FileExistsError: of that name there is something that is not a file, such as a folder or a device.
        OSError: it cannot be written.
    """
    final = check_target(path)
    folder = os.path.dirname(final)
    temporary = os.path.join(folder, f".{os.urandom(8).hex()}.part")
    try:
        file = open(temporary, "xb")  # noqa: SIM115 - it is closed below
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        file = open(temporary, "xb")  # noqa: SIM115
    try:
        with file:
            yield file
        os.replace(temporary, final)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def check_target(path: Path) -> str:
    """Where a file of that name is written: the path, or what it leads to if it is a link.

    Raises:
        FileExistsError: there is something that is not a file, such as a folder or a device.
    """
    final = os.fspath(path)
    try:
        mode = os.lstat(final).st_mode
        if stat.S_ISLNK(mode):
            final = os.path.realpath(final)
            mode = os.lstat(final).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return final
    if not stat.S_ISREG(mode):
        raise FileExistsError(errno.EEXIST, "There is something that is not a file, and it is not replaced", final)
    return final
