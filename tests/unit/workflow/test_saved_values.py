from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.saved_values import saved_value

MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sd-1", "type": "main"}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text",
        0,
        1.5,
        True,
        [],
        [1, 2.5],
        ["a", "b"],
        {"board_id": "b"},
        {"r": 1, "g": 2, "b": 3, "a": 255},
        MODEL,
        {**MODEL, "submodel_type": "vae"},
        [{"lora": MODEL, "weight": 0.5}],
        {"type": "string_generator_parse_string", "input": "a", "splitOn": ","},
    ],
)
def test_what_fits_a_shape_is_kept(value: Any) -> None:
    assert saved_value(value) == value


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"image_name": " a.png ", "width": 3}, {"image_name": "a.png"}),
        ([{"image_name": "a", "x": 1}], [{"image_name": "a"}]),
        ({**MODEL, "format": "diffusers"}, MODEL),
        ([{"lora": {**MODEL, "x": 1}, "weight": 1, "y": 2}], [{"lora": MODEL, "weight": 1}]),
        (
            {"type": "integer_generator_arithmetic_sequence", "start": 3},
            {"type": "integer_generator_arithmetic_sequence", "start": 3, "step": 1, "count": 10},
        ),
        (
            {"latents_name": "x"},
            {"type": "float_generator_arithmetic_sequence", "start": 0, "step": 0.1, "count": 10},
        ),
    ],
)
def test_objects_lose_what_their_shape_does_not_name(value: Any, read: Any) -> None:
    assert saved_value(value) == read


@pytest.mark.parametrize("value", [None, [1, "a"], [None], [[1]], [{"x": 1}], {"type": "other"}])
def test_what_fits_no_shape_counts_as_not_set(value: Any) -> None:
    assert saved_value(value) is UNSET
