"""Thumbnails of the images of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from invokeai_py_client.errors import NotAnImageError
from invokeai_py_client.files import image_type_of
from invokeai_py_client.pillow import PIL

_LOOKED_AT = 100


def thumbnail(path: Path, size: tuple[int, int]) -> PIL.Image.Image | str:
    """Return an image as RGB, scaled down to fit into a size; or the reason why it cannot be read."""
    try:
        image_type_of(path)
        with PIL.Image.open(path) as image:
            # Decodes a JPEG at about the required size.
            image.draft("RGB", size)
            image.thumbnail(size, PIL.Image.Resampling.LANCZOS, reducing_gap=2.0)
            if not image.has_transparency_data:
                return image.convert("RGB")
            clear = image.convert("RGBA")
            white = PIL.Image.new("RGBA", clear.size, "white")
            return PIL.Image.alpha_composite(white, clear).convert("RGB")
    except FileNotFoundError:
        return "the file is missing"
    except NotAnImageError:
        return "the file is not an image"
    except Exception as error:
        # For a damaged file, Pillow's readers raise OSError, ValueError, SyntaxError, struct.error and others.
        return f"the file cannot be read: {error}"


def usual_size(folder: Path, rows: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the largest width and height of the first images, reading only their headers; (0, 0) if there are none."""
    width = height = looked_at = 0
    for row in rows:
        for file in row.get("files", ()):
            try:
                with PIL.Image.open(folder / file["path"]) as image:
                    width, height = max(width, image.width), max(height, image.height)
            except Exception:
                # `thumbnail` reports the reason.
                continue
            looked_at += 1
            if looked_at >= _LOOKED_AT:
                return width, height
    return width, height
