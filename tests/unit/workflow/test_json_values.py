from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.workflow.json_values import MAX_DEPTH, as_json, copied, is_too_deep


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_a_copy_shares_nothing() -> None:
    value = {"a": [1, {"b": []}]}
    copy = copied(value)
    copy["a"][1]["b"].append(2)
    assert value == {"a": [1, {"b": []}]}


def test_depth_is_bounded() -> None:
    assert not is_too_deep(nested(MAX_DEPTH))
    assert is_too_deep(nested(MAX_DEPTH + 1))
    assert not is_too_deep("text")


def test_what_json_cannot_hold_is_told() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for odd in (float("nan"), float("inf"), {1, 2}, object(), loop, nested(MAX_DEPTH + 1), nested(50_000)):
        with pytest.raises(ValueError):  # noqa: PT011 - json's own words
            as_json(odd)
    assert as_json({"a": (1, None)}) == {"a": [1, None]}
