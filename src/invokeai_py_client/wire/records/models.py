"""What the server answers about models."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import model_validator

from invokeai_py_client.wire.records.base import Record

InstallStatus = Literal[
    "waiting", "downloading", "downloads_done", "running", "paused", "completed", "error", "cancelled"
]


class ModelRecord(Record):
    """An installed model."""

    key: str
    hash: str
    name: str
    base: str
    type: str
    path: str | None = None
    format: str | None = None


class InstallJobRecord(Record):
    """The installation of one model; `config_out` is the installed model once it is `completed`.

    `bytes` of `total_bytes` have been downloaded. The server forgets its jobs when it ends. What it says of access
    tokens is left out, and so is what may be secret in the addresses that it names.
    """

    id: int
    status: InstallStatus = "waiting"
    source: dict[str, Any] | str
    error: str | None = None
    error_reason: str | None = None
    error_traceback: str | None = None
    bytes: int = 0
    total_bytes: int = 0
    config_out: ModelRecord | None = None

    @model_validator(mode="before")
    @classmethod
    def _leave_tokens_out(cls, answer: Any) -> Any:
        return _without_tokens(answer)


_SECRET_IN_URL = re.compile(
    r"(?<=://)[^/@\s]*@|(?<=[?&])([^=&\s]*(?:token|key|password|secret|sig)[^=&\s]*=)[^&\s\"']*", re.IGNORECASE
)


def _without_tokens(answer: Any) -> Any:
    if isinstance(answer, str):
        return _SECRET_IN_URL.sub(lambda found: f"{found[1]}..." if found[1] else "", answer)
    if isinstance(answer, dict):
        return {name: _without_tokens(value) for name, value in answer.items() if name != "access_token"}
    if isinstance(answer, list):
        return [_without_tokens(value) for value in answer]
    return answer


class StarterModel(Record):
    """A model that the server's makers recommend, and where it comes from."""

    name: str
    description: str
    source: str
    base: str
    type: str
    is_installed: bool = False


class FoundModel(Record):
    """A file or folder on the server's machine that may be a model."""

    path: str
    is_installed: bool


class HuggingFaceFiles(Record):
    """What can be installed from a Hugging Face repository: single files by URL, or all of it as one model."""

    urls: list[str] | None = None
    is_diffusers: bool = False


class ModelCacheStats(Record):
    """The cache of loaded models; sizes in bytes."""

    hits: int = 0
    misses: int = 0
    high_watermark: int = 0
    in_cache: int = 0
    cleared: int = 0
    cache_size: int = 0
    loaded_model_sizes: dict[str, int] = {}


class DeletedModels(Record):
    """The keys of the models that are gone; `failed` says of each other one why not."""

    deleted: list[str]
    failed: list[dict[str, Any]] = []


class OrphanedModel(Record):
    """A folder below the server's models that no installed model owns."""

    path: str
    absolute_path: str
    files: list[str]
    size_bytes: int


class DeletedOrphans(Record):
    """The orphaned folders that are gone; `errors` says of each other one why not."""

    deleted: list[str]
    errors: dict[str, str] = {}
