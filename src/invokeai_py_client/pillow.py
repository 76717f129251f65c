"""Pillow, which is optional, and is imported when it is first used."""

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

# What keeps transparency and depth; all others become RGB.
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
        InvokeAIError: it is not installed.
    """
    try:
        _ = PIL.Image
    except ImportError as error:
        raise InvokeAIError(
            f"{needed_by} needs Pillow, which is not installed.",
            hint='Install it with: pip install "invokeai-py-client[images]"',
        ) from error


def is_pillow(source: object) -> TypeGuard[PIL.Image.Image]:
    """Whether something is a Pillow image, told without Pillow."""
    return hasattr(source, "save") and hasattr(source, "mode") and hasattr(source, "convert")


def png_of(image: PIL.Image.Image) -> bytes:
    """Return a Pillow image as the content of a PNG file; a mode that PNG lacks becomes the nearest that it has.

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
                # Straight to another order of bytes, Pillow would keep eight bits only.
                image = image.convert("I")
            image = image.convert(_NEAREST_MODES.get(image.mode, "RGB"))
        image.save(buffer, format="PNG", compress_level=1)
    except Exception as error:
        # Pillow raises whatever its readers and writers do: OSError, ValueError, SyntaxError.
        raise NotAnImageError(
            f"Pillow cannot write {image!r} as PNG: {error}.", name="image.png", hint="Give an image that it can."
        ) from error
    return buffer.getvalue()
