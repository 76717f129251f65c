"""Downloads the images of a row into the folder of its batch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from invokeai_py_client.batch.manifest import RowFile, sha256_of
from invokeai_py_client.live.state.queue_item import QueueItem, called_results, own_results
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import images
from invokeai_py_client.workflow.outputs import NodePath, images_in


def images_of(item: QueueItem, *, with_intermediate: bool) -> dict[str, NodePath]:
    """Map the names of the images of an item to the nodes that created them."""
    return images_in((*own_results(item), *called_results(item)), with_intermediate=with_intermediate)


def suffixes_of(image_names: Sequence[str]) -> list[str]:
    """Return the file name suffix of each image."""
    return [PurePath(name).suffix or ".png" for name in image_names]


async def download(http: HttpTransport, made: Mapping[str, NodePath], paths: Sequence[Path]) -> tuple[RowFile, ...]:
    """Download the images of a row. If one fails, none is kept. Existing files are replaced atomically.

    Args:
        http: sends the requests.
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
            files.append(await _downloaded(http, *one, path))
    except BaseException:
        for file in files:
            file.path.unlink(missing_ok=True)
        raise
    return tuple(files)


async def _downloaded(http: HttpTransport, image: str, node: NodePath, path: Path) -> RowFile:
    got = await http.download(images.get_image_bytes(image), path)
    sha256 = await asyncio.to_thread(sha256_of, path)
    return RowFile(path=path, sha256=sha256, bytes=got.size, node=str(node), image=image)
