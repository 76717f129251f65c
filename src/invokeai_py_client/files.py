"""Files and folders: the cache folder, safe file names, detection of file types, atomic writes."""

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

# On Windows, these are names of devices, with any extension.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")

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
    """Return the folder for caches: local servers, models, node templates.

    Returns:
        `INVOKEAI_CLIENT_CACHE` if it is set, otherwise `invokeai-py-client` in the platform's cache folder of the user.
        The folder may not exist yet, and may not be writable. None if the user has no home directory.
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
        # The errors of pathlib if the user has no home directory, or the working directory was deleted.
        return None
    return base / "invokeai-py-client"


def read_regular_file(path: Path, *, limit: int) -> bytes:
    """Return the content of a regular file. Anything else, such as a FIFO, is an error, without waiting for content.

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
        name: the name, to be used as the last part of a path.

    Returns:
        The same name.

    Raises:
        UnsafePathError: the name is empty or too long, contains a separator, a drive or a control character, or has a
            special meaning, such as `..` or the name of a device.

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
            hint="Choose a plain file name.",
        )
    return name


def path_of(path: str | os.PathLike[str]) -> Path:
    """Convert a path from the user to a `Path`.

    Raises:
        UnsafePathError: it contains a NUL or an unpaired surrogate, so it cannot be the path of a file.
    """
    try:
        if b"\0" not in os.fsencode(path):
            return Path(os.fsdecode(path))
    except UnicodeEncodeError:
        pass
    raise UnsafePathError(
        f"{os.fspath(path)!r} cannot be a path: it contains a NUL character or an unpaired surrogate.",
        name=os.fsdecode(path),
        hint="Pass the path of a file.",
    )


def shown_name(name: str) -> str:
    """Do the same as `safe_name`, and reject hidden files: a file from a server must not become a program's settings.

    Raises:
        UnsafePathError: as for `safe_name`, or the name starts with a dot.
    """
    if name.startswith("."):
        raise UnsafePathError(f"{name!r} would be a hidden file.", name=name, hint="Choose a plain file name.")
    return safe_name(name)


def file_for(path: str | os.PathLike[str], name: str) -> Path:
    """Return the path itself; if it is an existing folder or ends in a separator, return the file `name` in it.

    Raises:
        UnsafePathError: the path is invalid; or it is a folder, and `name` is not a valid file name or is hidden.
    """
    target = path_of(path)
    is_folder = os.fsdecode(path).endswith(_SEPARATORS) or target.is_dir()
    return target / shown_name(name) if is_folder else target


def image_path(value: object) -> PurePath | None:
    """Return a value as a path if it is the absolute path of an image file, on any system; otherwise None."""
    if not isinstance(value, str) or not value.lower().endswith(IMAGE_SUFFIXES):
        return None
    paths: tuple[PurePath, ...] = (PurePosixPath(value), PureWindowsPath(value))
    return next((path for path in paths if path.is_absolute()), None)


def image_type(start: bytes) -> str | None:
    """Detect the MIME type of an image from the first bytes of its content.

    Args:
        start: the first 16 bytes, or more.

    Returns:
        The type of a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file; None for anything else.

    Example:
        >>> image_type(bytes.fromhex("89504e470d0a1a0a"))
        'image/png'
    """
    for mime, place, marks in _IMAGE_MARKS:
        if any(start[place : place + len(mark)] == mark for mark in marks):
            return mime
    return None


def video_type(start: bytes) -> str | None:
    """Detect the MIME type of a video from the first bytes of its content.

    Args:
        start: the first 16 bytes, or more.

    Returns:
        The type of an MP4 file; None for anything else.
    """
    return "video/mp4" if start[4:8] == b"ftyp" and image_type(start) is None else None


class FileKind(NamedTuple):
    """A kind of file: a function that detects the type from the first 16 bytes, a noun, and a hint for errors."""

    type_of: Callable[[bytes], str | None]
    called: str
    hint: str

    def checked(self, start: bytes, name: str) -> str:
        """Return the MIME type of a file whose content starts with `start`.

        Raises:
            NotAnImageError: the file is not of this kind.
        """
        found = self.type_of(start)
        if found is None:
            raise NotAnImageError(
                f"{name} is not {self.called}: it begins with {start[:16]!r}.", name=name, hint=self.hint
            )
        return found


IMAGE = FileKind(image_type, "an image in a known format", "Pass a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file.")
VIDEO = FileKind(video_type, "an MP4 video", "The server only accepts MP4 files.")


def image_type_of(image: bytes | Path) -> str:
    """Return the MIME type of an image file, given its path or its content.

    Raises:
        NotAnImageError: the image does not have a known format.
        OSError: the file cannot be read.
    """
    if isinstance(image, Path):
        with image.open("rb") as file:
            return IMAGE.checked(file.read(16), str(image))
    return IMAGE.checked(image[:16], "The content")


class PartFile:
    """A new file that gets its name when it is complete. Until then it has a temporary name in the same folder.

    It is written with system calls. A file object would add a buffer, which large pieces bypass, and further calls.

    Args:
        path: the final path. Its folder is created if it is missing, and an existing file is replaced. If it is a link,
            the target of the link is replaced.
        permissions: of the new file, from its beginning; the umask is taken away from them.

    Raises:
        FileExistsError: the path exists, but is not a file, such as a folder or a device.
        OSError: the file cannot be written.
    """

    __slots__ = ("_final", "_temporary", "descriptor")

    def __init__(self, path: str | Path, permissions: int = 0o666) -> None:
        self._final = check_target(path)
        folder = os.path.dirname(self._final)
        self._temporary = os.path.join(folder, f".{os.urandom(8).hex()}.part")
        try:
            self.descriptor = os.open(self._temporary, _NEW_FILE, permissions)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            self.descriptor = os.open(self._temporary, _NEW_FILE, permissions)

    def write(self, piece: bytes) -> None:
        """Append a piece.

        Raises:
            OSError: it cannot be written.
        """
        written = os.write(self.descriptor, piece)
        while written < len(piece):
            written += os.write(self.descriptor, memoryview(piece)[written:])

    def keep(self) -> None:
        """Close the file and give it its name.

        Raises:
            OSError: that failed. The file is removed.
        """
        try:
            os.close(self.descriptor)
            os.replace(self._temporary, self._final)
        except BaseException:
            self._remove()
            raise

    def discard(self) -> None:
        """Close and remove the file."""
        with contextlib.suppress(OSError):
            os.close(self.descriptor)
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temporary)


_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

_PART = re.compile(r"\.[0-9a-f]{16}\.part")


def remove_parts(folder: Path) -> None:
    """Remove the temporary files that a killed program has left in a folder. Its subfolders are not searched.

    Raises:
        OSError: the folder cannot be read, or a file cannot be removed.
    """
    for path in folder.glob(".*.part"):
        if _PART.fullmatch(path.name):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_file(path: Path, permissions: int = 0o666) -> Iterator[BinaryIO]:
    """Write a file atomically: it gets its name when it is complete.

    Args:
        path: the final path, as for `PartFile`.
        permissions: as for `PartFile`.

    Yields:
        A temporary binary file in the same folder, which is renamed at the end of the block, or removed after an
        exception.

    Raises:
        FileExistsError: the path exists, but is not a file, such as a folder or a device.
        OSError: the file cannot be written.
    """
    part = PartFile(path, permissions)
    try:
        with open(part.descriptor, "wb", closefd=False) as file:
            yield file
    except BaseException:
        part.discard()
        raise
    part.keep()


def check_target(path: str | Path) -> str:
    """Return the path at which a file is written: the path itself, or its target if it is a link.

    Raises:
        FileExistsError: the path exists, but is not a file, such as a folder or a device.
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
        raise FileExistsError(errno.EEXIST, "It exists, is not a file, and was not replaced", final)
    return final
