"""Records about models."""

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

    `bytes` of `total_bytes` have been downloaded. Jobs do not survive a restart of the server. Access tokens are
    removed, as are parts of URLs that may be secret.
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
    def _leave_tokens_out(cls, body: Any) -> Any:
        return _without_tokens(body)


_SECRET_IN_URL = re.compile(
    r"(?<=://)[^/@\s]*@|(?<=[?&])([^=&\s]*(?:token|key|password|secret|sig)[^=&\s]*=)[^&\s\"']*", re.IGNORECASE
)


def _without_tokens(body: Any) -> Any:
    if isinstance(body, str):
        return _SECRET_IN_URL.sub(lambda found: f"{found[1]}..." if found[1] else "", body)
    if isinstance(body, dict):
        return {name: _without_tokens(value) for name, value in body.items() if name != "access_token"}
    if isinstance(body, list):
        return [_without_tokens(value) for value in body]
    return body


class StarterModel(Record):
    """A model that InvokeAI recommends, with its source."""

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
    """The files of a Hugging Face repository that can be installed; or the repository can be installed as one model."""

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
    """The keys of the deleted models. `failed` has the other models, with the reasons."""

    deleted: list[str]
    failed: list[dict[str, Any]] = []


class OrphanedModel(Record):
    """A folder in the server's models folder that does not belong to an installed model."""

    path: str
    absolute_path: str
    files: list[str]
    size_bytes: int


class DeletedOrphans(Record):
    """The deleted folders. `errors` has the other folders, with the reasons."""

    deleted: list[str]
    errors: dict[str, str] = {}
