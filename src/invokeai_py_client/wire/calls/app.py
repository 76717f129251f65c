"""Routes of the application itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import Call, Response, api_path, get, idempotent
from invokeai_py_client.wire.reading import content, list_of, nothing, number, record

MAX_OPENAPI_BYTES = 16 * 1024 * 1024
"""The document of InvokeAI 6.14 has 1.8 MB. Parsing may take 30 times the memory of the text."""


def get_version() -> Call[str]:
    """`GET /api/v1/app/version`: does not need a token, so it shows whether this is an InvokeAI server."""
    return idempotent("GET", api_path("app", "version"), _version, needs_token=False)


def get_openapi() -> Call[bytes]:
    """`GET /openapi.json`: the description of all routes and node types, unparsed (1.8 MB)."""
    return idempotent("GET", "/openapi.json", content, max_bytes=MAX_OPENAPI_BYTES, needs_token=False)


def get_dependencies() -> Call[dict[str, str]]:
    """`GET /api/v1/app/app_deps`: the versions of the server's dependencies."""
    return get(api_path("app", "app_deps"), _versions)


def get_config() -> Call[records.app.RuntimeConfig]:
    """`GET /api/v1/app/runtime_config`: the current configuration."""
    return get(api_path("app", "runtime_config"), record(records.app.RuntimeConfig))


def update_config(changes: Mapping[str, Any]) -> Call[records.app.RuntimeConfig]:
    """`PATCH /api/v1/app/runtime_config`: changes settings of the running server. For administrators."""
    return idempotent("PATCH", api_path("app", "runtime_config"), record(records.app.RuntimeConfig), body=dict(changes))


def list_generation_devices() -> Call[list[records.app.GenerationDevice]]:
    """`GET /api/v1/app/generation_device_options`: what it could generate on. Servers from 6.14."""
    return get(api_path("app", "generation_device_options"), list_of(records.app.GenerationDevice))


def get_log_level() -> Call[int]:
    """`GET /api/v1/app/logging`: 10 (debug) to 50 (critical)."""
    return get(api_path("app", "logging"), number)


def set_log_level(level: int) -> Call[int]:
    """`POST /api/v1/app/logging`. For administrators."""
    return idempotent("POST", api_path("app", "logging"), number, body=level)


def get_invocation_cache() -> Call[records.app.InvocationCacheStatus]:
    """`GET /api/v1/app/invocation_cache/status`: the cache of node outputs."""
    return get(api_path("app", "invocation_cache", "status"), record(records.app.InvocationCacheStatus))


def enable_invocation_cache() -> Call[None]:
    """`PUT /api/v1/app/invocation_cache/enable`. For administrators."""
    return idempotent("PUT", api_path("app", "invocation_cache", "enable"), nothing)


def disable_invocation_cache() -> Call[None]:
    """`PUT /api/v1/app/invocation_cache/disable`: makes every node run. For administrators."""
    return idempotent("PUT", api_path("app", "invocation_cache", "disable"), nothing)


def clear_invocation_cache() -> Call[None]:
    """`DELETE /api/v1/app/invocation_cache`. For administrators."""
    return idempotent("DELETE", api_path("app", "invocation_cache"), nothing)


def _version(response: Response) -> str:
    version = response.json()["version"]
    if not isinstance(version, str):
        raise TypeError(f"version is {version!r}")
    return version


def _versions(response: Response) -> dict[str, str]:
    return {str(name): str(version) for name, version in response.json().items()}
