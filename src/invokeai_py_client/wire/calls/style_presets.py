"""Routes of style presets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import GONE, Call, Part, api_path, get, idempotent, json_of
from invokeai_py_client.wire.reading import content as the_bytes
from invokeai_py_client.wire.reading import list_of, nothing, record


def list_style_presets() -> Call[list[records.app.StylePreset]]:
    """`GET /api/v1/style_presets/`: the user's presets, and those included with the server."""
    return get(api_path("style_presets") + "/", list_of(records.app.StylePreset))


def get_style_preset(style_preset_id: str) -> Call[records.app.StylePreset]:
    """`GET /api/v1/style_presets/i/{style_preset_id}`."""
    return get(api_path("style_presets", "i", style_preset_id), record(records.app.StylePreset))


def create_style_preset(data: Mapping[str, Any], image: Part | None = None) -> Call[records.app.StylePreset]:
    """`POST /api/v1/style_presets/`: not idempotent."""
    return Call("POST", api_path("style_presets") + "/", record(records.app.StylePreset), parts=_parts(data, image))


def update_style_preset(
    style_preset_id: str, data: Mapping[str, Any], image: Part | None = None
) -> Call[records.app.StylePreset]:
    """`PATCH /api/v1/style_presets/i/{style_preset_id}`: replaces a preset. Without `image`, its image is removed."""
    return idempotent(
        "PATCH",
        api_path("style_presets", "i", style_preset_id),
        record(records.app.StylePreset),
        parts=_parts(data, image),
    )


def delete_style_preset(style_preset_id: str) -> Call[None]:
    """`DELETE /api/v1/style_presets/i/{style_preset_id}`."""
    return idempotent("DELETE", api_path("style_presets", "i", style_preset_id), nothing, done_statuses=GONE)


def get_style_preset_image(style_preset_id: str) -> Call[bytes]:
    """`GET /api/v1/style_presets/i/{style_preset_id}/image`."""
    return get(api_path("style_presets", "i", style_preset_id, "image"), the_bytes)


def export_style_presets() -> Call[bytes]:
    """`GET /api/v1/style_presets/export`: the user's presets, as CSV."""
    return get(api_path("style_presets", "export"), the_bytes)


def import_style_presets(content: bytes | Path, *, filename: str, content_type: str) -> Call[None]:
    """`POST /api/v1/style_presets/import`: CSV or JSON."""
    return Call(
        "POST", api_path("style_presets", "import"), nothing, parts=(Part("file", content, filename, content_type),)
    )


def _parts(data: Mapping[str, Any], image: Part | None) -> tuple[Part, ...]:
    text = Part("data", json_of(data, "A style preset").decode())
    return (text,) if image is None else (text, image)
