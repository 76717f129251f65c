"""Pillow, which is optional and is imported at first use."""

from __future__ import annotations

import importlib
import io
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

from invokeai_py_client.errors import InvokeAIError, NotAnImageError

if TYPE_CHECKING:
    import PIL as PIL
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont
else:

    class _LazyPackage:
        """`PIL` in type hints, so that `typing.get_type_hints` can read them."""

        def __getattr__(self, name: str) -> ModuleType:
            if name.startswith("_"):
                raise AttributeError(name)
            return importlib.import_module(f"PIL.{name}")

    PIL = _LazyPackage()

_PNG_MODES = {"1", "L", "LA", "I;16", "P", "RGB", "RGBA"}

# The modes that PNG lacks, with those that keep transparency and depth. All others are converted to RGB.
_NEAREST_MODES = {"RGBa": "RGBA", "La": "LA", "PA": "RGBA", "I": "I;16"}


def pillow_image(content: bytes, *, needed_by: str) -> PIL.Image.Image:
    """Read an image file with Pillow.

    Args:
        content: the file's content.
        needed_by: the method that needs Pillow, for the error.

    Raises:
        InvokeAIError: Pillow is not installed.
    """
    check_pillow(needed_by=needed_by)
    picture = PIL.Image.open(io.BytesIO(content))
    picture.load()
    return picture


def check_pillow(*, needed_by: str) -> None:
    """Import Pillow.

    Args:
        needed_by: the function or method that needs it, for the error.

    Raises:
        InvokeAIError: Pillow is not installed.
    """
    try:
        _ = PIL.Image
    except ImportError as error:
        raise InvokeAIError(
            f"{needed_by} needs Pillow, which is not installed.",
            hint='Install it with: pip install "invokeai-py-client[images]"',
        ) from error


def is_pillow(source: object) -> TypeGuard[PIL.Image.Image]:
    """Return whether an object is a Pillow image, without importing Pillow."""
    return hasattr(source, "save") and hasattr(source, "mode") and hasattr(source, "convert")


def png_of(image: PIL.Image.Image) -> bytes:
    """Return a Pillow image as the content of a PNG file. A mode that PNG lacks is converted to a similar one.

    Raises:
        NotAnImageError: Pillow cannot write it.
    """
    buffer = io.BytesIO()
    try:
        if image.mode == "F":
            extrema: Any = image.getextrema()
            if extrema[0] >= 0 and extrema[1] <= 1:
                image = image.point(lambda value: value * 255 + 0)
            image = image.convert("L")
        elif image.mode not in _PNG_MODES:
            if image.mode.startswith("I;16"):
                # A direct conversion to another byte order would keep only 8 bits.
                image = image.convert("I")
            image = image.convert(_NEAREST_MODES.get(image.mode, "RGB"))
        image.save(buffer, format="PNG", compress_level=1)
    except Exception as error:
        # Pillow's readers and writers raise OSError, ValueError, SyntaxError and others.
        raise NotAnImageError(
            f"Pillow cannot write {image!r} as PNG: {error}.", name="image.png", hint="Convert the image to RGB first."
        ) from error
    return buffer.getvalue()
