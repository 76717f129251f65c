from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.saved_values import saved_value
from invokeai_py_client.workflow.templates import ModelTerms, NodeTemplates

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


TERMS = ModelTerms(frozenset({"sd-1"}), frozenset({"main"}), frozenset({"vae"}))


def test_the_names_of_a_model_are_kept_with_their_blanks() -> None:
    blank = {**MODEL, "key": " ", "hash": " h ", "name": "  "}
    assert saved_value(blank, TERMS) == blank


@pytest.mark.parametrize(
    "change", [{"base": "sd-99"}, {"type": "painter"}, {"submodel_type": "tail"}, {"name": ""}, {"base": None}]
)
def test_a_model_that_the_server_has_no_terms_for_is_not_read(change: dict[str, Any]) -> None:
    assert saved_value({**MODEL, **change, "type": change.get("type", "main")}, TERMS) is UNSET
    assert saved_value([{"lora": {**MODEL, **change}, "weight": 1}], TERMS) is UNSET


def test_the_terms_of_a_server_are_those_of_its_document(templates: NodeTemplates) -> None:
    terms = templates.model_terms
    assert terms.bases is not None
    assert {"sd-1", "flux", "any"} <= terms.bases
    assert NodeTemplates.from_lines(templates.to_lines()).model_terms == terms


@pytest.mark.parametrize("value", [10**400, [1, 10**400], {"type": "x", "seed": 1}, {"type": "x", "start": 10**400}])
def test_a_number_that_is_too_large_is_not_read(value: Any) -> None:
    assert saved_value(value) is UNSET


def test_a_large_integer_is_rounded_as_the_web_ui_rounds_it() -> None:
    assert saved_value(2**60 + 1) == 1152921504606847000
