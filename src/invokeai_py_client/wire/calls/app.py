"""Routes of the application itself."""

from __future__ import annotations

from invokeai_py_client.wire.call import Call, api_path
from invokeai_py_client.wire.records import AppVersion


def get_version() -> Call[AppVersion]:
    """`GET /api/v1/app/version`: needs no token, so it tells whether an InvokeAI server is there at all."""
    return Call(
        method="GET",
        path=api_path("app", "version"),
        parse=lambda response: AppVersion.model_validate(response.json()),
        idempotent=True,
    )


def get_openapi() -> Call[bytes]:
    """`GET /openapi.json`: the description of all routes and node types, as it came (1.8 MB)."""
    return Call(method="GET", path="/openapi.json", parse=lambda response: response.content, idempotent=True)
