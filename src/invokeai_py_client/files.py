"""Files and folders: where the cache is, names that stay inside their folder, writes that are whole or absent."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from invokeai_py_client.errors import NotAnImageError, UnsafePathError

CACHE_VARIABLE = "INVOKEAI_CLIENT_CACHE"

_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')

# Windows gives these names to devices, whatever their extension.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


_IMAGE_MARKS = (
    ("image/png", 0, (b"\x89PNG\r\n\x1a\n",)),
    ("image/jpeg", 0, (b"\xff\xd8\xff",)),
    ("image/webp", 8, (b"WEBP",)),
    ("image/gif", 0, (b"GIF87a", b"GIF89a")),
    ("image/bmp", 0, (b"BM",)),
    ("image/tiff", 0, (b"II*\0", b"MM\0*")),
    ("image/avif", 4, (b"ftypavif", b"ftypavis")),
)


def cache_folder() -> Path:
    """The folder for what can be made again: servers, models, node templates.

    Returns:
        `INVOKEAI_CLIENT_CACHE` where that is set, else `invokeai-py-client` in the user's cache folder of this
        platform. It need not exist yet.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "invokeai-py-client"


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


def file_for(path: str | os.PathLike[str], name: str) -> Path:
    """The path itself, or, if it is an existing folder, the file of that name in it.

    Raises:
        UnsafePathError: the name is needed and cannot be a file name.
    """
    target = Path(path)
    return target / safe_name(name) if target.is_dir() else target


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


def is_mp4(path: Path) -> bool:
    """Whether a file is an MP4 video, told by how its content begins.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


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
            start = file.read(16)
    else:
        start = image[:16]
    found = image_type(start)
    if found is None:
        name = name or (str(image) if isinstance(image, Path) else "The content")
        raise NotAnImageError(
            f"{name} is no image of a known kind: it begins with {start!r}.",
            name=name,
            hint="Give a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF.",
        )
    return found


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when it is complete.

    Args:
        path: the final name; its folder is made if it is missing, and a file of that name is replaced.

    Yields:
        A binary file beside it, which takes the name when the block ends well and is removed when it does not.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".part-{secrets.token_hex(8)}{os.path.splitext(name)[1]}")
    try:
        file = open(temporary, "xb")  # noqa: SIM115 - it is closed below
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        file = open(temporary, "xb")  # noqa: SIM115
    try:
        with file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
