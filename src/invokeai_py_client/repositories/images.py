"""`client.image_repo`: the server's images."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from invokeai_py_client.image import AsyncImage
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import Blocking, blocking, on_engine
from invokeai_py_client.transport.answers import not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import images
from invokeai_py_client.wire.records import ImageRecord


class AsyncImages:
    """The awaited face: `client.aio.image_repo`."""

    def __init__(self, engine: Engine, http: HttpTransport) -> None:
        self._engine = engine
        self._http = http

    @on_engine
    async def get_image(self, image_name: str) -> ImageRecord:
        """What the server knows of an image; its pixels are another matter.

        Rests on `GET /api/v1/images/i/{image_name}`.

        Raises:
            NotFoundError: there is no image of that name.
        """
        return await self._http.send(images.get_image(image_name))

    @on_engine
    async def download_image(self, image_name: str, path: str | os.PathLike[str]) -> Path:
        """Stream an image into a file, which appears under its name when it is whole.

        Rests on `GET /api/v1/images/i/{image_name}/full`.

        Args:
            image_name: the server's name for it.
            path: the file; one of that name is replaced. An existing folder takes it under the image's own name.

        Returns:
            The file.

        Raises:
            NotFoundError: there is no image of that name.
            UnsafePathError: the image's own name is to be used, and cannot be a file name.
            OSError: the file cannot be written.
        """
        return await AsyncImage(self._engine, self._http, image_name).save_as(path)

    @on_engine
    async def delete_image(self, image_name: str) -> None:
        """Delete an image from the server, for good.

        Rests on `DELETE /api/v1/images/i/{image_name}`, which answers 200 for a name that is not there.

        Raises:
            NotFoundError: there is no image of that name.
        """
        call = images.delete_image(image_name)
        answer = await self._http.send(call)
        if image_name not in answer.deleted_images:
            raise not_there(
                f"The server deleted nothing: it has no image {image_name!r}, or may not delete it.",
                method=call.method,
                url=self._http.url_of(call.path),
                detail=dict(answer),
                hint="Check the name; it may have been deleted meanwhile.",
            )

    @on_engine
    async def get_workflow(self, image_name: str) -> dict[str, Any] | None:
        """The workflow that the server keeps for an image; None where it has none.

        `WorkflowDefinition.from_image(image_name, client)` makes one of it that can be run.

        Rests on `GET /api/v1/images/i/{image_name}/workflow`.

        Raises:
            NotFoundError: there is no image of that name.
        """
        kept = (await self._http.send(images.get_image_workflow(image_name))).workflow
        document: dict[str, Any] | None = None if kept is None else json.loads(kept)
        return document


class Images(Blocking[AsyncImages]):
    """The server's images: `client.image_repo`.

    Example:
        >>> client.image_repo.download_image("71d64297-4d99-4ada-9269-45dd652073ae.png", "tiger.png")
    """

    get_image = blocking(AsyncImages.get_image)
    download_image = blocking(AsyncImages.download_image)
    delete_image = blocking(AsyncImages.delete_image)
    get_workflow = blocking(AsyncImages.get_workflow)
