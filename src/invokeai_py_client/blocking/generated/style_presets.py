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
    """Prompts around the user's own: `client.style_preset_repo`, awaited `client.aio.style_preset_repo`."""

    def list_style_presets(self) -> list[StylePreset]:
        """The user's presets, and those that came with the server.

        Endpoint: GET /api/v1/style_presets/
        """
        return self._aio._engine.block(self._aio.list_style_presets())

    def get_style_preset(self, style_preset_id: str) -> StylePreset:
        """A preset.

        Endpoint: GET /api/v1/style_presets/i/{style_preset_id}

        Raises:
            NotFoundError: there is none of that id.
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
        """Delete a preset of the user's; return its id.

        Endpoint: DELETE /api/v1/style_presets/i/{style_preset_id}

        Raises:
            NotFoundError: there is none of that id.
            RejectedError: it came with the server, and cannot be deleted.
        """
        work = self._aio.delete_style_preset(style_preset_id)
        del style_preset_id
        return self._aio._engine.block(work)

    def get_style_preset_image(self, style_preset_id: str) -> bytes:
        """What the web UI shows of a preset.

        Endpoint: GET /api/v1/style_presets/i/{style_preset_id}/image

        Raises:
            NotFoundError: there is none of that id, or it has no image.
        """
        work = self._aio.get_style_preset_image(style_preset_id)
        del style_preset_id
        return self._aio._engine.block(work)

    def export_style_presets(self, path: str | os.PathLike[str]) -> Path:
        """Write the user's presets into a CSV file, which appears when it is whole.

        Endpoint: GET /api/v1/style_presets/export (administrators only)

        Raises:
            NotFoundError: the user has none.
            OSError: the file cannot be written.
        """
        work = self._aio.export_style_presets(path)
        del path
        return self._aio._engine.block(work)

    def import_style_presets(self, path: str | os.PathLike[str]) -> None:
        """Make presets of a file.

        Endpoint: POST /api/v1/style_presets/import (administrators only)

        Args:
            path: CSV with the columns `name`, `prompt` and `negative_prompt`, or JSON with a list of such objects.

        Raises:
            RejectedError: the file is neither.
            OSError: it cannot be read.
        """
        work = self._aio.import_style_presets(path)
        del path
        return self._aio._engine.block(work)
