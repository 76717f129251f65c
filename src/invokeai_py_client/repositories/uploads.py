"""What can be uploaded as an image: a path, bytes, a Pillow image, an open file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from invokeai_py_client.errors import NotAnImageError
from invokeai_py_client.files import image_type, image_type_of

if TYPE_CHECKING:
    import PIL.Image

    ImageSource = str | os.PathLike[str] | bytes | BinaryIO | PIL.Image.Image
    """A file's path, its content, an open binary file, which is read from where it stands, or a Pillow image."""

_SMALL = 512 * 1024

_PNG_MODES = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}


class Upload:
    """An image that is to be sent, with its name and MIME type, told by its content.

    Args:
        source: see `ImageSource`.
        filename: what it is to be called, in place of a name of its own.

    Raises:
        NotAnImageError: it is no image of a known kind.
        OSError: it cannot be read.
        TypeError: it is nothing of the kinds above.
    """

    def __init__(self, source: Any, *, filename: str | None = None) -> None:
        self.content: bytes | Path | BinaryIO
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            # One small enough is read at once, which spares it being opened again and sent in pieces.
            self.content = path.read_bytes() if path.stat().st_size <= _SMALL else path
            self.filename = path.name
            self.content_type = image_type_of(self.content, name=str(path))
        elif isinstance(source, bytes | bytearray | memoryview):
            self.content = bytes(source)
            self.content_type = image_type_of(self.content, name=filename)
            self.filename = f"image.{self.content_type.split('/')[1]}"
        elif hasattr(source, "read"):
            self.content, self.content_type, self.filename = _of_file(source)
        elif hasattr(source, "save") and hasattr(source, "mode"):
            self.content, self.content_type, self.filename = _as_png(source), "image/png", "image.png"
        else:
            raise TypeError(f"an image is a path, bytes, a binary file or a Pillow image, not {type(source).__name__}")
        self.filename = filename or self.filename


def _of_file(file: BinaryIO) -> tuple[bytes | BinaryIO, str, str]:
    name = getattr(file, "name", None)
    shown = name if isinstance(name, str) else "The file"
    start = file.read(16)
    if isinstance(start, str):
        raise TypeError(f"{shown} is open for text; open it with mode 'rb'")
    found = image_type(start)
    if found is None:
        raise NotAnImageError(
            f"{shown} is no image of a known kind: it begins with {start!r}.",
            name=shown,
            hint="Give a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF.",
        )
    filename = Path(shown).name if isinstance(name, str) else f"image.{found.split('/')[1]}"
    if not file.seekable():
        return start + file.read(), found, filename
    file.seek(-len(start), os.SEEK_CUR)
    return file, found, filename


def _as_png(image: PIL.Image.Image) -> bytes:
    if image.mode not in _PNG_MODES:
        image = image.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
