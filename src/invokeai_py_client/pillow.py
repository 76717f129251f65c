"""Pillow, which is optional, and is imported when it is first used."""

from __future__ import annotations

import importlib
import io
from types import ModuleType
from typing import TYPE_CHECKING

from invokeai_py_client.errors import InvokeAIError

if TYPE_CHECKING:
    import PIL as PIL
    import PIL.Image
else:

    class _LazyPackage:
        """`PIL` in type hints, so that `typing.get_type_hints` can read them."""

        def __getattr__(self, name: str) -> ModuleType:
            if name.startswith("_"):
                raise AttributeError(name)
            return importlib.import_module(f"PIL.{name}")

    PIL = _LazyPackage()


def pillow_image(content: bytes, *, needed_by: str) -> PIL.Image.Image:
    """Read an image file with Pillow.

    Args:
        content: the file's content.
        needed_by: the method that needs Pillow, for the error.

    Raises:
        InvokeAIError: Pillow is not installed.
    """
    try:
        picture = PIL.Image.open(io.BytesIO(content))
    except ImportError as error:
        raise InvokeAIError(
            f"{needed_by} needs Pillow, which is not installed.",
            hint='Install it with: pip install "invokeai-py-client[images]"',
        ) from error
    picture.load()
    return picture
