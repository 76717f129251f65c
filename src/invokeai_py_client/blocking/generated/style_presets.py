# Generated from repositories/style_presets.py by scripts/generate_blocking.py. Do not edit.
"""`StylePresets`: the methods of `AsyncStylePresets`, blocking."""

from __future__ import annotations

import os
from pathlib import Path

from invokeai_py_client.repositories.style_presets import AsyncStylePresets
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.transfers.uploads import ImageSource
from invokeai_py_client.wire.records.app import StylePreset


class StylePresets(Blocking[AsyncStylePresets]):
    """Style presets, which are prompt templates: `client.style_preset_repo`, awaited `client.aio.style_preset_repo`."""

    def list_style_presets(self) -> list[StylePreset]:
        """Return the user's presets, and those that are included with the server.

        Endpoint: GET /api/v1/style_presets/
        """
        return self._aio._engine.block(self._aio.list_style_presets())

    def get_style_preset(self, style_preset_id: str) -> StylePreset:
        """Return a preset.

        Endpoint: GET /api/v1/style_presets/i/{style_preset_id}

        Raises:
            NotFoundError: there is no preset with that id.
        """
        work = self._aio.get_style_preset(style_preset_id)
        del style_preset_id
        return self._aio._engine.block(work)

    def create_style_preset(
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
        work = self._aio.create_style_preset(name, positive_prompt, negative_prompt, is_public=is_public, image=image)
        del name, positive_prompt, negative_prompt, is_public, image
        return self._aio._engine.block(work)

    def update_style_preset(
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
        work = self._aio.update_style_preset(
            style_preset_id,
            name=name,
            positive_prompt=positive_prompt,
            negative_prompt=negative_prompt,
            is_public=is_public,
            image=image,
            remove_image=remove_image,
        )
        del style_preset_id, name, positive_prompt, negative_prompt, is_public, image, remove_image
        return self._aio._engine.block(work)

    def delete_style_preset(self, style_preset_id: str) -> str:
        """Delete one of the user's presets; return its id.

        Endpoint: DELETE /api/v1/style_presets/i/{style_preset_id}

        Raises:
            NotFoundError: there is no preset with that id.
            RejectedError: it is included with the server, and cannot be deleted.
        """
        work = self._aio.delete_style_preset(style_preset_id)
        del style_preset_id
        return self._aio._engine.block(work)

    def get_style_preset_image(self, style_preset_id: str) -> bytes:
        """Return the picture of a preset in the web UI, as an image file.

        Endpoint: GET /api/v1/style_presets/i/{style_preset_id}/image

        Raises:
            NotFoundError: there is no preset with that id, or it has no image.
        """
        work = self._aio.get_style_preset_image(style_preset_id)
        del style_preset_id
        return self._aio._engine.block(work)

    def export_style_presets(self, path: str | os.PathLike[str]) -> Path:
        """Write the user's presets to a CSV file. The file is replaced atomically.

        Endpoint: GET /api/v1/style_presets/export (administrators only)

        Raises:
            NotFoundError: the user has no presets.
            OSError: the file cannot be written.
        """
        work = self._aio.export_style_presets(path)
        del path
        return self._aio._engine.block(work)

    def import_style_presets(self, path: str | os.PathLike[str]) -> None:
        """Create presets from a file.

        Endpoint: POST /api/v1/style_presets/import (administrators only)

        Args:
            path: a CSV file with the columns `name`, `prompt` and `negative_prompt`, or a JSON list of such objects.

        Raises:
            RejectedError: the file has another format.
            OSError: the file cannot be read.
        """
        work = self._aio.import_style_presets(path)
        del path
        return self._aio._engine.block(work)
