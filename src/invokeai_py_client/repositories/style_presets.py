"""`client.style_preset_repo`: style presets, which are prompt templates."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from invokeai_py_client.errors import NotFoundError, RejectedError
from invokeai_py_client.files import path_of
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transfers.uploads import ImageSource, Upload
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Part
from invokeai_py_client.wire.calls import style_presets
from invokeai_py_client.wire.records.app import StylePreset


class AsyncStylePresets(FixedAttributes):
    """Style presets, which are prompt templates: `client.style_preset_repo`, awaited `client.aio.style_preset_repo`."""

    def __init__(self, engine: Engine, http: HttpTransport) -> None:
        self._engine = engine
        self._http = http

    @on_engine
    async def list_style_presets(self) -> list[StylePreset]:
        """Return the user's presets, and those that are included with the server.

        Endpoint: GET /api/v1/style_presets/
        """
        return await self._http.send(style_presets.list_style_presets())

    @on_engine
    async def get_style_preset(self, style_preset_id: str) -> StylePreset:
        """Return a preset.

        Endpoint: GET /api/v1/style_presets/i/{style_preset_id}

        Raises:
            NotFoundError: there is no preset with that id.
        """
        return await self._http.send(style_presets.get_style_preset(style_preset_id))

    @on_engine
    async def create_style_preset(
        self,
        name: str,
        positive_prompt: str,
        negative_prompt: str = "",
        *,
        is_public: bool | None = None,
        image: ImageSource | None = None,
    ) -> StylePreset:
        """Create a preset.

        Endpoint: POST /api/v1/style_presets/

        Args:
            name: the name; not necessarily unique.
            positive_prompt: the template for the positive prompt, with `{prompt}` in place of the user's prompt.
            negative_prompt: the template for the negative prompt.
            is_public: whether other users of the server see it; None for the server's default, which is no.
            image: the picture in the web UI.

        Raises:
            NotAnImageError: the image does not have a known format.
        """
        data = _data(name, positive_prompt, negative_prompt, is_public)
        return await self._http.send(style_presets.create_style_preset(data, await _part(image)))

    @on_engine
    async def update_style_preset(
        self,
        style_preset_id: str,
        *,
        name: str | None = None,
        positive_prompt: str | None = None,
        negative_prompt: str | None = None,
        is_public: bool | None = None,
        image: ImageSource | None = None,
        remove_image: bool = False,
    ) -> StylePreset:
        """Change one of the user's presets. Arguments that are None are not changed.

        Endpoint: PATCH /api/v1/style_presets/i/{style_preset_id}

        Args:
            style_preset_id: the preset.
            name: the new name.
            positive_prompt: the template for the positive prompt, with `{prompt}` in place of the user's prompt.
            negative_prompt: the template for the negative prompt.
            is_public: whether other users of the server see it.
            image: the picture in the web UI.
            remove_image: remove the picture.

        Raises:
            NotFoundError: there is no preset with that id.
            RejectedError: it is included with the server, and cannot be changed.
            NotAnImageError: the image does not have a known format.
        """
        if remove_image and image is not None:
            raise TypeError("update_style_preset() takes either an image or remove_image=True, not both")
        old = await self._own(style_preset_id)
        if image is None and old.image is not None and not remove_image:
            # The server removes the image if the request has none.
            image = await self._http.send(style_presets.get_style_preset_image(style_preset_id))
        data = _data(
            old.name if name is None else name,
            old.preset_data.positive_prompt if positive_prompt is None else positive_prompt,
            old.preset_data.negative_prompt if negative_prompt is None else negative_prompt,
            old.is_public if is_public is None else is_public,
        )
        return await self._http.send(style_presets.update_style_preset(style_preset_id, data, await _part(image)))

    @on_engine
    async def delete_style_preset(self, style_preset_id: str) -> str:
        """Delete one of the user's presets; return its id.

        Endpoint: DELETE /api/v1/style_presets/i/{style_preset_id}

        Raises:
            NotFoundError: there is no preset with that id.
            RejectedError: it is included with the server, and cannot be deleted.
        """
        await self._own(style_preset_id)
        await self._http.send(style_presets.delete_style_preset(style_preset_id))
        return style_preset_id

    async def _own(self, style_preset_id: str) -> StylePreset:
        """Return a preset of the user's. The server itself lets administrators change the included ones, for all users.

        Raises:
            RejectedError: the preset is included with the server.
        """
        call = style_presets.get_style_preset(style_preset_id)
        preset = await self._http.send(call)
        if preset.type == "default":
            raise RejectedError(
                f"The style preset {preset.name!r} ({style_preset_id}) is included with the server: it is read-only.",
                status=200,
                method=call.method,
                url=self._http.url_of(call.path),
                hint="Create a copy with create_style_preset() and change that.",
            )
        return preset

    @on_engine
    async def get_style_preset_image(self, style_preset_id: str) -> bytes:
        """Return the picture of a preset in the web UI, as an image file.

        Endpoint: GET /api/v1/style_presets/i/{style_preset_id}/image

        Raises:
            NotFoundError: there is no preset with that id, or it has no image.
        """
        call = style_presets.get_style_preset_image(style_preset_id)
        if (await self._http.send(style_presets.get_style_preset(style_preset_id))).image is None:
            raise not_there(
                f"The style preset {style_preset_id!r} has no image.",
                call,
                self._http,
                hint="Set one with update_style_preset(image=...).",
            )
        return await self._http.send(call)

    @on_engine
    async def export_style_presets(self, path: str | os.PathLike[str]) -> Path:
        """Write the user's presets to a CSV file. The file is replaced atomically.

        Endpoint: GET /api/v1/style_presets/export (administrators only)

        Raises:
            NotFoundError: the user has no presets.
            OSError: the file cannot be written.
        """
        target = path_of(path)
        call = style_presets.export_style_presets()
        if not any(preset.type == "user" for preset in await self._http.send(style_presets.list_style_presets())):
            raise NotFoundError(
                "The user has no style presets to export.",
                status=200,
                method=call.method,
                url=self._http.url_of(call.path),
                hint="Create one with create_style_preset().",
            )
        await self._http.download(call, target)
        return target

    @on_engine
    async def import_style_presets(self, path: str | os.PathLike[str]) -> None:
        """Create presets from a file.

        Endpoint: POST /api/v1/style_presets/import (administrators only)

        Args:
            path: a CSV file with the columns `name`, `prompt` and `negative_prompt`, or a JSON list of such objects.

        Raises:
            RejectedError: the file has another format.
            OSError: the file cannot be read.
        """
        source = path_of(path)
        content_type = "application/json" if source.suffix.lower() == ".json" else "text/csv"
        await self._http.send(
            style_presets.import_style_presets(source, filename=source.name, content_type=content_type)
        )


def _data(name: str, positive_prompt: str, negative_prompt: str, is_public: bool | None) -> dict[str, Any]:
    data = {"name": name, "type": "user", "positive_prompt": positive_prompt, "negative_prompt": negative_prompt}
    return data if is_public is None else {**data, "is_public": is_public}


async def _part(image: ImageSource | None) -> Part | None:
    if image is None:
        return None
    upload = await asyncio.to_thread(Upload, image)
    return Part("image", upload.content, upload.filename, upload.content_type)
