# Generated from image.py by scripts/generate_blocking.py. Do not edit.
"""`Image`: the methods of `AsyncImage`, blocking."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from invokeai_py_client.image import AsyncImage
from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.pillow import PIL
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.wire import records
from invokeai_py_client.workflow.outputs import NodePath


class Image(Blocking[AsyncImage], ReadsAsMapping):
    """One image on the server. `Image` blocks, `AsyncImage` (`image.aio`) is awaited.

    An image from `image_repo` or from a board has the attributes that the server returned, such as `image.width`. As a
    mapping (`image["width"]`) it contains all fields of the response. An image of a run has only a name until `refresh`
    fetches the other attributes.

    In a notebook, an image that is the last line of a cell is downloaded and shown, if that takes at most 5 s.

    Example:
        >>> for image in run.images:
        ...     print(image.save("out"))
        >>> for image in client.image_repo.list_images(starred=True):
        ...     print(image.width, image.save("starred"))
    """

    @property
    def name(self) -> str:
        """The name of the image on the server, such as `71d64297-4d99-4ada-9269-45dd652073ae.png`."""
        return self._aio.name

    @property
    def image_name(self) -> str:
        """The same as `name`, under the name of the server's field."""
        return self._aio.image_name

    @property
    def record(self) -> records.images.ImageRecord | None:
        """The record as of the last listing, fetch or refresh; None if only the name is known."""
        return self._aio.record

    @property
    def node(self) -> NodePath | None:
        """The node that made the image, if it belongs to a run: its id, and the call nodes that lead to its workflow.

        Example:
            >>> str(image.node)
            'call/blur'
        """
        return self._aio.node

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self._aio.width

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self._aio.height

    @property
    def image_category(self) -> str:
        """`general`, `mask`, `control`, `user` or `other`."""
        return self._aio.image_category

    @property
    def image_origin(self) -> str:
        """`internal` if the server made the image, `external` if it was uploaded."""
        return self._aio.image_origin

    @property
    def is_intermediate(self) -> bool:
        """Whether the image is an intermediate result, which the web UI hides."""
        return self._aio.is_intermediate

    @property
    def created_at(self) -> str:
        """The time of creation or upload, as the server formats it."""
        return self._aio.created_at

    @property
    def starred(self) -> bool:
        """Whether the image is starred."""
        return self._aio.starred

    @property
    def board_id(self) -> str | None:
        """The id of the board; None if the image is not on a board."""
        return self._aio.board_id

    @property
    def session_id(self) -> str | None:
        """The id of the session that made the image; None if it was uploaded."""
        return self._aio.session_id

    @property
    def node_id(self) -> str | None:
        """The id of the prepared node that made the image; None if it was uploaded."""
        return self._aio.node_id

    def refresh(self) -> records.images.ImageRecord:
        """Fetch the current record of the image from the server.

        Endpoint: GET /api/v1/images/i/{image_name}

        Raises:
            NotFoundError: the server does not have the image, or no longer.
        """
        return self._aio._engine.block(self._aio.refresh())

    def bytes(self) -> bytes:
        """Download the image file into memory, as the server stores it.

        Endpoint: GET /api/v1/images/i/{image_name}/full

        Returns:
            The content of the file.

        Raises:
            NotFoundError: the server does not have the image, or no longer.
        """
        return self._aio._engine.block(self._aio.bytes())

    def save_as(self, path: str | os.PathLike[str]) -> Path:
        """Download the image into a file. The file gets its name when it is complete.

        Args:
            path: the file, which is replaced if it exists; or a folder, in which the file gets the image's name. A path
                that ends with a separator is a folder, which is created if it does not exist.

        Returns:
            The path of the file.

        Raises:
            NotFoundError: the server does not have the image, or no longer.
            UnsafePathError: `path` is a folder, and the image's name is not a valid file name.
            OSError: the file cannot be written.
        """
        work = self._aio.save_as(path)
        del path
        return self._aio._engine.block(work)

    def save(self, folder: str | os.PathLike[str] = ".") -> Path:
        """Download the image into a folder, under its own name.

        Args:
            folder: the folder, which is created if it does not exist.

        Returns:
            The path of the file.

        Raises:
            UnsafePathError: `folder` looks like the name of an image file, for which there is `save_as`; or the image's
                name is not a valid file name.
            NotFoundError: the server does not have the image, or no longer.
            OSError: the file cannot be written.

        Example:
            >>> [image.save("out") for image in run.images]
        """
        work = self._aio.save(folder)
        del folder
        return self._aio._engine.block(work)

    def pil(self) -> PIL.Image.Image:
        """Download the image, and return it as a loaded Pillow image.

        Raises:
            NotFoundError: the server does not have the image, or no longer.
            InvokeAIError: Pillow is not installed (`pip install "invokeai-py-client[images]"`).
        """
        return self._aio._engine.block(self._aio.pil())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the notebook representation: the image, or the reason why it cannot be shown."""
        return self._aio._repr_mimebundle_(include, exclude)

    def _names(self) -> Collection[str]:

        return self._aio._names()

    def __getitem__(self, name: str) -> Any:
        """Return the value of a key: `image_name`, or a field of the record.

        Raises:
            KeyError: there is no such key.
        """
        return self._aio.__getitem__(name)

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
