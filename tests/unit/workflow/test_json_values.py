from __future__ import annotations

import sys
from types import MappingProxyType
from typing import Any

import pytest

from invokeai_py_client.workflow.json_values import MAX_DEPTH, as_double, as_javascript, as_json, copied, is_too_deep


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


def test_what_json_cannot_hold_is_reported() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for odd in (float("nan"), float("inf"), {1, 2}, object(), loop, nested(MAX_DEPTH + 1), nested(50_000)):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - json's own words
            as_json(odd)
        assert len(str(caught.value)) > 10
    assert as_json({"a": (1, None)}) == {"a": [1, None]}
    assert as_json(nested(MAX_DEPTH)) == nested(MAX_DEPTH)


def test_any_mapping_is_an_object_however_deep() -> None:
    assert as_json(MappingProxyType({"a": [MappingProxyType({"b": 1})]})) == {"a": [{"b": 1}]}


def test_what_comes_back_from_json_is_a_copy() -> None:
    value = {"a": [1, {"b": []}]}
    as_json(value)["a"][1]["b"].append(2)
    assert value == {"a": [1, {"b": []}]}


def test_depth_counts_lists_and_objects_alike() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH // 2):
        value = {"a": [value], "b": 1}
    assert not is_too_deep(value)
    assert is_too_deep({"first": 1, "then": value})


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (3, 3),
        (64.0, 64),
        (-0.0, 0),
        (2**53 - 1, 2**53 - 1),
        (-(2**53) + 1, -(2**53) + 1),
        (2**53 + 1, 2**53),
        (1152921504606846977, 1152921504606847000),
        (1.2345678901234567e20, 123456789012345670000),
        (10**21 - 1, 1e21),
        (10**22, 1e22),
        (0.1, 0.1),
        (sys.float_info.max, sys.float_info.max),
        (-sys.float_info.max, -sys.float_info.max),
        (10**400, None),
        (-(10**400), None),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_numbers_are_those_that_javascript_would_write(number: float, written: float | None) -> None:
    found = as_double(number)
    assert (found, type(found)) == (written, type(written))
    assert as_javascript({"a": [number, True, "x", None]}) == {"a": [written, True, "x", None]}
