# Generated from image.py by scripts/generate_blocking.py. Do not edit.
"""`Image`, the blocking face of `AsyncImage`."""

from __future__ import annotations

import os
from pathlib import Path

from invokeai_py_client.image import AsyncImage
from invokeai_py_client.pillow import PIL
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.workflow.outputs import NodePath


class Image(Blocking[AsyncImage]):
    """One image on the server, by its name. `Image` blocks, `AsyncImage` (`image.aio`) is awaited.

    Example:
        >>> for image in run.images:
        ...     print(image.save("out"))
    """

    @property
    def name(self) -> str:
        """The server's name for it, such as `71d64297-4d99-4ada-9269-45dd652073ae.png`."""
        return self._aio.name

    @property
    def image_name(self) -> str:
        """The same, as `ImageRecord` calls it."""
        return self._aio.image_name

    @property
    def node(self) -> NodePath | None:
        """The node that made it, if it is an image of a run: its id, and the call nodes that lead to its workflow.

        Example:
            >>> str(image.node)
            'call/blur'
        """
        return self._aio.node

    def bytes(self) -> bytes:
        """The file as the server keeps it, in memory.

        Rests on `GET /api/v1/images/i/{image_name}/full`.

        Raises:
            NotFoundError: the server has no such image (any more).
        """
        return self._aio._engine.block(self._aio.bytes())

    def save_as(self, path: str | os.PathLike[str]) -> Path:
        """Stream the image into a file, which appears under its name when it is whole.

        Args:
            path: the file; one of that name is replaced. A folder takes it under the image's own name; what ends in a
                separator is one, and is made if it is missing.

        Returns:
            The file.

        Raises:
            NotFoundError: the server has no such image (any more).
            UnsafePathError: the image's own name is to be used, and cannot be a file name.
            OSError: the file cannot be written.
        """
        work = self._aio.save_as(path)
        del path
        return self._aio._engine.block(work)

    def save(self, folder: str | os.PathLike[str] = ".") -> Path:
        """Stream the image into a folder, under its own name; the folder is made if it is missing.

        Returns:
            The file; errors as in `save_as`.
        """
        work = self._aio.save(folder)
        del folder
        return self._aio._engine.block(work)

    def pil(self) -> PIL.Image.Image:
        """The image as a Pillow image, loaded.

        Raises:
            NotFoundError: the server has no such image (any more).
            InvokeAIError: Pillow is not installed (`pip install "invokeai-py-client[images]"`).
        """
        return self._aio._engine.block(self._aio.pil())

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
