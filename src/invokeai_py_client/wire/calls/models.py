"""Routes of models."""

from __future__ import annotations

from invokeai_py_client.wire.call import Call, api_path
from invokeai_py_client.wire.records import ModelRecord


def list_models() -> Call[list[ModelRecord]]:
    """`GET /api/v2/models/`: every installed model."""
    return Call(
        method="GET",
        path=api_path("models", version=2) + "/",
        parse=lambda response: [ModelRecord.model_validate(model) for model in response.json()["models"]],
        idempotent=True,
    )
