"""`client.style_preset_repo`: prompts around the user's own."""

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
    """Prompts around the user's own: `client.style_preset_repo`, awaited `client.aio.style_preset_repo`."""

    def __init__(self, engine: Engine, http: HttpTransport) -> None:
        self._engine = engine
        self._http = http

    @on_engine
    async def list_style_presets(self) -> list[StylePreset]:
        """The user's presets, and those that came with the server.

        Endpoint: GET /api/v1/style_presets/
        """
        return await self._http.send(style_presets.list_style_presets())

    @on_engine
    async def get_style_preset(self, style_preset_id: str) -> StylePreset:
        """A preset.

        Endpoint: GET /api/v1/style_presets/i/{style_preset_id}

        Raises:
            NotFoundError: there is none of that id.
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
        """Make a preset.

        Endpoint: POST /api/v1/style_presets/

        Args:
            name: need not be unique.
            positive_prompt: `{prompt}` in it stands for the user's own.
            negative_prompt: likewise.
            is_public: the other users see it, on a server that has users; None for what the server does, which is no.
            image: what the web UI shows of it.

        Raises:
            NotAnImageError: it is not an image of a known kind.
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
        """Change a preset of the user's; what is left out stays.

        Endpoint: PATCH /api/v1/style_presets/i/{style_preset_id}

        Args:
            style_preset_id: the preset.
            name: its new name.
            positive_prompt: `{prompt}` in it stands for the user's own.
            negative_prompt: likewise.
            is_public: whether the other users see it.
            image: what the web UI shows of it.
            remove_image: it is to have no image.

        Raises:
            NotFoundError: there is none of that id.
            RejectedError: it came with the server, and cannot be changed.
            NotAnImageError: the image is none of a known kind.
        """
        if remove_image and image is not None:
            raise TypeError("update_style_preset() takes an image, or remove_image=True")
        old = await self._own(style_preset_id)
        if image is None and old.image is not None and not remove_image:
            # Without an image it would have none.
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
        """Delete a preset of the user's; return its id.

        Endpoint: DELETE /api/v1/style_presets/i/{style_preset_id}

        Raises:
            NotFoundError: there is none of that id.
            RejectedError: it came with the server, and cannot be deleted.
        """
        await self._own(style_preset_id)
        await self._http.send(style_presets.delete_style_preset(style_preset_id))
        return style_preset_id

    async def _own(self, style_preset_id: str) -> StylePreset:
        """A preset that did not come with the server, which lets administrators change its own, for everybody."""
        call = style_presets.get_style_preset(style_preset_id)
        preset = await self._http.send(call)
        if preset.type == "default":
            raise RejectedError(
                f"The style preset {preset.name!r} ({style_preset_id}) came with the server, and cannot be changed.",
                status=200,
                method=call.method,
                url=self._http.url_of(call.path),
                hint="Make a copy of it with create_style_preset().",
            )
        return preset

    @on_engine
    async def get_style_preset_image(self, style_preset_id: str) -> bytes:
        """What the web UI shows of a preset.

        Endpoint: GET /api/v1/style_presets/i/{style_preset_id}/image

        Raises:
            NotFoundError: there is none of that id, or it has no image.
        """
        call = style_presets.get_style_preset_image(style_preset_id)
        if (await self._http.send(style_presets.get_style_preset(style_preset_id))).image is None:
            raise not_there(
                f"The style preset {style_preset_id!r} has no image.",
                call,
                self._http,
                hint="update_style_preset gives it one.",
            )
        return await self._http.send(call)

    @on_engine
    async def export_style_presets(self, path: str | os.PathLike[str]) -> Path:
        """Write the user's presets into a CSV file, which appears when it is whole.

        Endpoint: GET /api/v1/style_presets/export (administrators only)

        Raises:
            NotFoundError: the user has none.
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
                hint="create_style_preset makes one.",
            )
        await self._http.download(call, target)
        return target

    @on_engine
    async def import_style_presets(self, path: str | os.PathLike[str]) -> None:
        """Make presets of a file.

        Endpoint: POST /api/v1/style_presets/import (administrators only)

        Args:
            path: CSV with the columns `name`, `prompt` and `negative_prompt`, or JSON with a list of such objects.

        Raises:
            RejectedError: the file is neither.
            OSError: it cannot be read.
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
