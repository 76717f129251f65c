"""An image on the server, and its download to a file or into memory."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from invokeai_py_client.errors import InvokeAIError, NotFetchedError, UnsafePathError
from invokeai_py_client.files import check_target, file_for, path_of, shown_name
from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.pillow import PIL, pillow_image
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire import calls, records
from invokeai_py_client.workflow.outputs import NodePath

if TYPE_CHECKING:
    from invokeai_py_client.transport.other_server import OtherServer

IMAGE_SECONDS, THUMBNAIL_SECONDS = 5.0, 2.0
"""Seconds that a notebook waits for an image, and for thumbnails."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


class AsyncImage(ReadsAsMapping):
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

    # A list may contain thousands of images.
    __slots__ = ("__weakref__", "_engine", "_http", "_name", "_node", "_record")

    def __init__(
        self,
        engine: Engine,
        http: HttpTransport | OtherServer,
        name: str,
        node: NodePath | None = None,
        record: records.images.ImageRecord | None = None,
    ) -> None:
        self._engine = engine
        self._http = http
        self._name = name
        self._node = node
        self._record = record

    @classmethod
    def _of(cls, engine: Engine, http: HttpTransport, record: records.images.ImageRecord) -> Self:
        return cls(engine, http, record.image_name, record=record)

    @property
    def name(self) -> str:
        """The name of the image on the server, such as `71d64297-4d99-4ada-9269-45dd652073ae.png`."""
        return self._name

    @property
    def image_name(self) -> str:
        """The same as `name`, under the name of the server's field."""
        return self._name

    @property
    def record(self) -> records.images.ImageRecord | None:
        """The record as of the last listing, fetch or refresh; None if only the name is known."""
        return self._record

    @property
    def node(self) -> NodePath | None:
        """The node that made the image, if it belongs to a run: its id, and the call nodes that lead to its workflow.

        Example:
            >>> str(image.node)
            'call/blur'
        """
        return self._node

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self._known.width

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self._known.height

    @property
    def image_category(self) -> str:
        """`general`, `mask`, `control`, `user` or `other`."""
        return self._known.image_category

    @property
    def image_origin(self) -> str:
        """`internal` if the server made the image, `external` if it was uploaded."""
        return self._known.image_origin

    @property
    def is_intermediate(self) -> bool:
        """Whether the image is an intermediate result, which the web UI hides."""
        return self._known.is_intermediate

    @property
    def created_at(self) -> str:
        """The time of creation or upload, as the server formats it."""
        return self._known.created_at

    @property
    def starred(self) -> bool:
        """Whether the image is starred."""
        return self._known.starred

    @property
    def board_id(self) -> str | None:
        """The id of the board; None if the image is not on a board."""
        return self._known.board_id

    @property
    def session_id(self) -> str | None:
        """The id of the session that made the image; None if it was uploaded."""
        return self._known.session_id

    @property
    def node_id(self) -> str | None:
        """The id of the prepared node that made the image; None if it was uploaded."""
        return self._known.node_id

    @property
    def _known(self) -> records.images.ImageRecord:
        if self._record is None:
            raise NotFetchedError(
                f"Only the name of the image {self._name!r} is known.",
                hint="Call image.refresh(), which fetches the rest; `await` it on an AsyncImage.",
            )
        return self._record

    @on_engine
    async def refresh(self) -> records.images.ImageRecord:
        """Fetch the current record of the image from the server.

        Endpoint: GET /api/v1/images/i/{image_name}

        Raises:
            NotFoundError: the server does not have the image, or no longer.
        """
        self._record = await self._http.send(calls.images.get_image(self._name))
        return self._record

    @on_engine
    async def bytes(self) -> bytes:
        """Download the image file into memory, as the server stores it.

        Endpoint: GET /api/v1/images/i/{image_name}/full

        Returns:
            The content of the file.

        Raises:
            NotFoundError: the server does not have the image, or no longer.
        """
        return await self._http.send(calls.images.get_image_bytes(self.name))

    @on_engine
    async def save_as(self, path: str | os.PathLike[str]) -> Path:
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
        target = file_for(path, self.name)
        check_target(target)
        await self._http.download(calls.images.get_image_bytes(self.name), target)
        return target

    @on_engine
    async def save(self, folder: str | os.PathLike[str] = ".") -> Path:
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
        target = path_of(folder)
        if target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir():
            raise UnsafePathError(
                f"{str(target)!r} is the name of an image file, but save() takes a folder.",
                name=str(target),
                hint=f"Use save_as({str(target)!r}), or pass the name of a folder.",
            )
        return await self.save_as(target / shown_name(self.name))

    async def pil(self) -> PIL.Image.Image:
        """Download the image, and return it as a loaded Pillow image.

        Raises:
            NotFoundError: the server does not have the image, or no longer.
            InvokeAIError: Pillow is not installed (`pip install "invokeai-py-client[images]"`).
        """
        return await asyncio.to_thread(pillow_image, await self.bytes(), needed_by="Image.pil()")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the notebook representation: the image, or the reason why it cannot be shown."""
        from invokeai_py_client.notebook.output import image_bundle

        return image_bundle(lambda: self._engine.block(self._bytes_soon()), self.name)

    async def _bytes_soon(self) -> builtins.bytes:
        async with asyncio.timeout(IMAGE_SECONDS):
            return await self.bytes()

    def _names(self) -> Collection[str]:
        return ("image_name",) if self._record is None else self._record.keys()

    def __getitem__(self, name: str) -> Any:
        """Return the value of a key: `image_name`, or a field of the record.

        Raises:
            KeyError: there is no such key.
        """
        if name == "image_name":
            return self._name
        if self._record is None:
            raise KeyError(name)
        return self._record[name]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AsyncImage)
            and (self._name, self._record) == (other._name, other._record)
            and self._http == other._http
        )

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f"<AsyncImage {self.name}>"


async def thumbnails_of(http: HttpTransport | OtherServer, names: Collection[str]) -> dict[str, bytes]:
    """Fetch the thumbnails of images that arrive within 2 s, by image name. Runs on the engine.

    Endpoint: GET /api/v1/images/i/{image_name}/thumbnail
    """
    found: dict[str, bytes] = {}

    async def fetch(name: str) -> None:
        with contextlib.suppress(InvokeAIError):
            found[name] = await http.send(calls.images.get_thumbnail(name))

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(THUMBNAIL_SECONDS):
            await asyncio.gather(*map(fetch, names))
    return found


def thumbnails_now(engine: Engine, http: HttpTransport, names: Collection[str]) -> dict[str, bytes]:
    """Fetch thumbnails like `thumbnails_of`, blocking. Returns an empty dict once the client is closed."""
    with contextlib.suppress(InvokeAIError):
        return engine.block(thumbnails_of(http, names))
    return {}
