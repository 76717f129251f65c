"""`Image`: the blocking class of an image, which a notebook shows."""

from __future__ import annotations

import asyncio
from typing import Any

from invokeai_py_client.blocking.generated.image_methods import ImageMethods

SECONDS = 5
"""How long a cell waits for an image."""


class Image(ImageMethods):
    """One image on the server; `image.aio` is awaited.

    An image of `image_repo` or of a board has what the server knew of it when it was fetched: `image.width`, or
    `image["width"]` for this and for whatever else the server sent. Of an image of a run only the name is known, until
    `refresh` has fetched the rest.

    In a notebook, an image that is the last line of a cell is downloaded and shown, if that takes no more than 5 s.

    Example:
        >>> for image in run.images:
        ...     print(image.save("out"))
        >>> for image in client.image_repo.list_images(starred=True):
        ...     print(image.width, image.save("starred"))
    """

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the image file for a notebook; in its place, the reason if it cannot be had."""
        from invokeai_py_client.notebook.output import image_bundle

        async def content() -> bytes:
            async with asyncio.timeout(SECONDS):
                return await self.aio.bytes()

        return image_bundle(lambda: self.aio._engine.block(content()), repr(self))
