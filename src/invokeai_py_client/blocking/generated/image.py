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

    @property
    def name(self) -> str:
        """The server's name for it, such as `71d64297-4d99-4ada-9269-45dd652073ae.png`."""
        return self._aio.name

    @property
    def image_name(self) -> str:
        """The same, as the server calls it."""
        return self._aio.image_name

    @property
    def record(self) -> records.images.ImageRecord | None:
        """What was known of it when it was listed, fetched or refreshed; None if only its name is known."""
        return self._aio.record

    @property
    def node(self) -> NodePath | None:
        """The node that made it, if it is an image of a run: its id, and the call nodes that lead to its workflow.

        Example:
            >>> str(image.node)
            'call/blur'
        """
        return self._aio.node

    @property
    def width(self) -> int:
        """Its width in pixels."""
        return self._aio.width

    @property
    def height(self) -> int:
        """Its height in pixels."""
        return self._aio.height

    @property
    def image_category(self) -> str:
        """`general`, `mask`, `control`, `user` or `other`."""
        return self._aio.image_category

    @property
    def image_origin(self) -> str:
        """`internal` if the server made it, `external` if it was uploaded."""
        return self._aio.image_origin

    @property
    def is_intermediate(self) -> bool:
        """Whether the web UI does not show it."""
        return self._aio.is_intermediate

    @property
    def created_at(self) -> str:
        """When it was made or uploaded, as the server tells it."""
        return self._aio.created_at

    @property
    def starred(self) -> bool:
        """Whether it is starred."""
        return self._aio.starred

    @property
    def board_id(self) -> str | None:
        """The id of its board, None if it is on none."""
        return self._aio.board_id

    @property
    def session_id(self) -> str | None:
        """The session of the run that made it, None if it was uploaded."""
        return self._aio.session_id

    @property
    def node_id(self) -> str | None:
        """The prepared node that made it, None if it was uploaded."""
        return self._aio.node_id

    def refresh(self) -> records.images.ImageRecord:
        """Fetch what the server knows of the image now.

        Endpoint: GET /api/v1/images/i/{image_name}

        Raises:
            NotFoundError: the server has no such image (any more).
        """
        return self._aio._engine.block(self._aio.refresh())

    def bytes(self) -> bytes:
        """The file as the server keeps it, in memory.

        Endpoint: GET /api/v1/images/i/{image_name}/full

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
            The file.

        Raises:
            UnsafePathError: `folder` has the name of an image file; `save_as` takes a file. Otherwise as in `save_as`.
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

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the image file for a notebook; in its place, the reason if it cannot be had."""
        return self._aio._repr_mimebundle_(include, exclude)

    def _names(self) -> Collection[str]:

        return self._aio._names()

    def __getitem__(self, name: str) -> Any:
        """Return what is under a name: `image_name`, and whatever the server has sent.

        Raises:
            KeyError: nothing is.
        """
        return self._aio.__getitem__(name)

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
