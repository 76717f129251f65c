"""One image on the server: its pixels, on disk or in memory."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from invokeai_py_client.files import check_target, file_for, path_of, safe_name
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.pillow import PIL, pillow_image
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import images
from invokeai_py_client.workflow.outputs import NodePath


class AsyncImage(FixedAttributes):
    """One image on the server, by its name. `Image` blocks, `AsyncImage` (`image.aio`) is awaited.

    Example:
        >>> for image in run.images:
        ...     print(image.save("out"))
    """

    def __init__(self, engine: Engine, http: HttpTransport, name: str, node: NodePath | None = None) -> None:
        self._engine = engine
        self._http = http
        self._name = name
        self._node = node

    @property
    def name(self) -> str:
        """The server's name for it, such as `71d64297-4d99-4ada-9269-45dd652073ae.png`."""
        return self._name

    @property
    def image_name(self) -> str:
        """The same, as `ImageRecord` calls it."""
        return self._name

    @property
    def node(self) -> NodePath | None:
        """The node that made it, if it is an image of a run: its id, and the call nodes that lead to its workflow.

        Example:
            >>> str(image.node)
            'call/blur'
        """
        return self._node

    @on_engine
    async def bytes(self) -> bytes:
        """The file as the server keeps it, in memory.

        Rests on `GET /api/v1/images/i/{image_name}/full`.

        Raises:
            NotFoundError: the server has no such image (any more).
        """
        return await self._http.send(images.get_image_bytes(self.name))

    @on_engine
    async def save_as(self, path: str | os.PathLike[str]) -> Path:
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
        target = file_for(path, self.name)
        check_target(target)
        await self._http.download(images.get_image_bytes(self.name), target)
        return target

    @on_engine
    async def save(self, folder: str | os.PathLike[str] = ".") -> Path:
        """Stream the image into a folder, under its own name; the folder is made if it is missing.

        Returns:
            The file; errors as in `save_as`.
        """
        return await self.save_as(path_of(folder) / safe_name(self.name))

    async def pil(self) -> PIL.Image.Image:
        """The image as a Pillow image, loaded.

        Raises:
            NotFoundError: the server has no such image (any more).
            InvokeAIError: Pillow is not installed (`pip install "invokeai-py-client[images]"`).
        """
        return await asyncio.to_thread(pillow_image, await self.bytes(), needed_by="Image.pil()")

    def __repr__(self) -> str:
        return f"<AsyncImage {self.name}>"
