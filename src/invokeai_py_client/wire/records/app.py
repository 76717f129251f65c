"""Records about the server itself."""

from __future__ import annotations

from typing import Any

from invokeai_py_client.wire.records.base import Record


class DynamicPromptsResult(Record):
    """The prompts that a template expands to; `error` says why it cannot be parsed, if so."""

    prompts: list[str]
    error: str | None = None


class RuntimeConfig(Record):
    """The server's configuration, and the names of the settings that differ from their defaults."""

    config: dict[str, Any]
    set_fields: list[str] = []


class GenerationDevice(Record):
    """A device that a server can generate on: its id, such as `cuda:0`, and the name of the model."""

    device: str
    name: str


class InvocationCacheStatus(Record):
    """The cache of node outputs, with `size` of at most `max_size` entries."""

    size: int
    hits: int
    misses: int
    enabled: bool
    max_size: int


class PresetData(Record):
    """The prompt templates of a style preset; `{prompt}` stands for the user's prompt."""

    positive_prompt: str
    negative_prompt: str


class StylePreset(Record):
    """A style preset: prompt templates. `type` is `user` or `default`. Other users see it if `is_public`."""

    id: str
    name: str
    type: str
    preset_data: PresetData
    is_public: bool = False
    image: str | None = None
