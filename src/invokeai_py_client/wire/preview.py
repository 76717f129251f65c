"""The preview image that a denoising node sends with its progress."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from invokeai_py_client.pillow import PIL, pillow_image


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview: the `content` of an image file of type `content_type`, and the size in pixels at which to show it."""

    content: bytes = field(repr=False)
    content_type: str
    width: int
    height: int

    def pil(self) -> PIL.Image.Image:
        """Return the preview as a loaded Pillow image, which may be smaller than `width` by `height`.

        Raises:
            InvokeAIError: Pillow is not installed (`pip install "invokeai-py-client[images]"`).
        """
        return pillow_image(self.content, needed_by="Preview.pil()")


def read_preview(image: Any) -> Preview | None:
    """Read the preview from the `image` of a progress event, which has a data URL and a size; None if it has none."""
    url = image.get("dataURL") if isinstance(image, Mapping) else None
    if not isinstance(url, str) or not url.startswith("data:"):
        return None
    head, _, encoded = url[len("data:") :].partition(",")
    if not head.endswith(";base64"):
        return None
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    width, height = (image.get(side) for side in ("width", "height"))
    return Preview(
        content,
        head.removesuffix(";base64"),
        width if isinstance(width, int) else 0,
        height if isinstance(height, int) else 0,
    )
