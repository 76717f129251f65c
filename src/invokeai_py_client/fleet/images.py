"""The images of a row, which are sent along with its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.files import whole_file


class FetchedImages:
    """The images of a row in memory; an `ImageSource`.

    Args:
        url: the URL of the server that generated them.
        contents: the content of each image by its name, or the reason why it is not available.
    """

    def __init__(self, url: str, contents: Mapping[str, bytes | str]) -> None:
        self.url = url
        self._contents = contents

    async def save(self, image: str, path: Path) -> int:
        """Write an image to a file, and return its size in bytes.

        Raises:
            InvokeAIError: the server did not have it.
            OSError: the file cannot be written.
        """
        content = self._contents.get(image, f"image not found: {image}")
        if isinstance(content, str):
            raise InvokeAIError(content)
        await asyncio.to_thread(_write, path, content)
        return len(content)


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as file:
        file.write(content)
