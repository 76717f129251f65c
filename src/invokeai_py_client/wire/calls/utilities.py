"""Routes of the server's utilities."""

from __future__ import annotations

from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import Call, api_path, idempotent
from invokeai_py_client.wire.reading import record


def dynamic_prompts(
    prompt: str, *, max_prompts: int, combinatorial: bool, seed: int | None
) -> Call[records.app.DynamicPromptsResult]:
    """`POST /api/v1/utilities/dynamicprompts`: if the template cannot be parsed, `error` says why."""
    return idempotent(
        "POST",
        api_path("utilities", "dynamicprompts"),
        record(records.app.DynamicPromptsResult),
        body={"prompt": prompt, "max_prompts": max_prompts, "combinatorial": combinatorial, "seed": seed},
    )
