"""Downloads the images of a row into the folder of its batch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Protocol

from invokeai_py_client.batch.manifest import RowFile, sha256_of
from invokeai_py_client.files import IMAGE_SUFFIXES
from invokeai_py_client.live.state.queue_item import QueueItem, called_results, own_results
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import images
from invokeai_py_client.workflow.outputs import NodePath, images_in


class ImageSource(Protocol):
    """The server that ran a row, as the source of its images."""

    @property
    def url(self) -> str:
        """The URL of the server."""
        ...

    async def save(self, image: str, path: Path) -> int:
        """Write an image to a file atomically, and return its size in bytes.

        Raises:
            NotFoundError: the server no longer has the image.
            InvokeAIError: a request failed.
            OSError: the file cannot be written.
        """
        ...


class ServerImages:
    """The images of one server, which are downloaded when they are saved.

    Args:
        http: sends the requests.
    """

    def __init__(self, http: HttpTransport) -> None:
        self.url = str(http.settings.url)
        self._http = http

    async def save(self, image: str, path: Path) -> int:
        """Download an image; see `ImageSource.save`."""
        return (await self._http.download(images.get_image_bytes(image), path)).size


def images_of(item: QueueItem, *, with_intermediate: bool) -> dict[str, NodePath]:
    """Map the names of the images of an item to the nodes that created them."""
    return images_in((*own_results(item), *called_results(item)), with_intermediate=with_intermediate)


def suffixes_of(image_names: Sequence[str]) -> list[str]:
    """Return the file name suffix of each image; `.png` if it is not that of an image."""
    suffixes = [PurePath(name).suffix for name in image_names]
    return [suffix if suffix.lower() in IMAGE_SUFFIXES else ".png" for suffix in suffixes]


async def download(source: ImageSource, made: Mapping[str, NodePath], paths: Sequence[Path]) -> tuple[RowFile, ...]:
    """Download the images of a row. If one fails, none is kept. Existing files are replaced atomically.

    Args:
        source: the server that has the images.
        made: the names of the images, with the nodes that created them.
        paths: the files, in the same order.

    Raises:
        NotFoundError: the server no longer has an image.
        InvokeAIError: a request failed.
        OSError: a file cannot be written.
    """
    files: list[RowFile] = []
    try:
        for one, path in zip(made.items(), paths, strict=True):
            files.append(await _downloaded(source, *one, path))
    except BaseException:
        for file in files:
            file.path.unlink(missing_ok=True)
        raise
    return tuple(files)


async def _downloaded(source: ImageSource, image: str, node: NodePath, path: Path) -> RowFile:
    size = await source.save(image, path)
    sha256 = await asyncio.to_thread(sha256_of, path)
    return RowFile(path=path, sha256=sha256, bytes=size, node=str(node), image=image)
