"""The field of an input, by its type; lists, generators and raw JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from invokeai_py_client.errors import InputConnectedError, InputValueError
from invokeai_py_client.workflow import fields as plain
from invokeai_py_client.workflow import resource_fields as resources
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_factory import GeneratorField, ListField, RawField, field_for
from invokeai_py_client.workflow.fields import UNSET, Field, FieldPlace
from invokeai_py_client.workflow.templates import Cardinality, FieldType, InputTemplate, unknown_input

PLACE = FieldPlace("id", "mine", "", "value")


class Fed:
    """Edges of which one feeds every input."""

    def into(self, node_id: str, name: str) -> Sequence[Edge]:
        return [Edge("a", "value", node_id, name)]

    def source_of(self, edge: Edge) -> str:
        return f"add ({edge.source})"

    def is_overridden(self, node_id: str, name: str) -> bool:
        return False

    def override(self, node_id: str, name: str, removed: bool) -> None:
        raise AssertionError("nothing is overridden")


def template(type_name: str, cardinality: Cardinality = Cardinality.SINGLE, **changes: Any) -> InputTemplate:
    return dataclasses.replace(unknown_input("value"), type=FieldType(type_name, cardinality), **changes)


def field(
    type_name: str, cardinality: Cardinality = Cardinality.SINGLE, initial: Any = UNSET, **changes: Any
) -> Field[Any]:
    return field_for(PLACE, template(type_name, cardinality, **changes), initial)


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("IntegerField", plain.IntegerField),
        ("FloatField", plain.FloatField),
        ("BooleanField", plain.BooleanField),
        ("StringField", plain.StringField),
        ("EnumField", plain.EnumField),
        ("SchedulerField", plain.SchedulerField),
        ("ColorField", plain.ColorField),
        ("BoundingBoxField", plain.BoundingBoxField),
        ("ImageField", resources.ImageField),
        ("VideoField", resources.VideoField),
        ("BoardField", resources.BoardField),
        ("LoRAField", resources.LoRAField),
        ("ModelIdentifierField", resources.ModelField),
        ("SDXLMainModelField", resources.ModelField),
        ("ModelField", RawField),
        ("SavedWorkflowField", plain.StringField),
        ("StylePresetField", resources.StylePresetField),
        ("SystemPromptField", resources.SystemPromptField),
        *((f"{kind}GeneratorField", GeneratorField) for kind in ("Float", "Integer", "String", "Image")),
        ("unknown", RawField),
    ],
)
def test_the_type_decides_on_the_field(type_name: str, expected: type[Field[Any]]) -> None:
    assert type(field(type_name)) is expected
    listed = field(type_name, Cardinality.COLLECTION)
    # A list of what is not known is JSON as a whole.
    assert type(listed) is (RawField if expected is RawField else ListField)


@pytest.mark.parametrize("cardinality", Cardinality)
def test_a_field_has_the_place_the_template_the_value_and_the_edges(cardinality: Cardinality) -> None:
    known = template("IntegerField", cardinality)
    one = field_for(PLACE, known, 5, edges=Fed())
    assert (one.place, one.template, one.raw, one.is_changed) == (PLACE, known, 5, False)
    with pytest.raises(InputConnectedError):
        one.value = 6


@pytest.mark.parametrize(
    ("cardinality", "given", "sent"),
    [
        (Cardinality.COLLECTION, [1, 2.0], [1, 2]),
        (Cardinality.COLLECTION, (1, 2), [1, 2]),
        (Cardinality.COLLECTION, [], []),
        (Cardinality.SINGLE_OR_COLLECTION, [1, 2], [1, 2]),
        (Cardinality.SINGLE_OR_COLLECTION, 1.0, 1),
    ],
)
def test_a_list_takes_what_its_items_take(cardinality: Cardinality, given: Any, sent: Any) -> None:
    one = field("IntegerField", cardinality)
    one.value = given
    assert one.raw == sent
    assert one.fault() is None


@pytest.mark.parametrize(
    ("type_name", "given", "wants"),
    [
        ("IntegerField", 1, "a list of IntegerField"),
        ("IntegerField", "12", "a list of IntegerField"),
        ("IntegerField", b"12", "a list of IntegerField"),
        ("IntegerField", {1: 2}, "a list of IntegerField"),
        ("IntegerField", {1, 2}, "a list of IntegerField"),
        ("IntegerField", [1, "2"], "a whole number"),
        ("StringField", "ab", "a list of StringField"),
        ("IntegerField", [1], "2 to 3 elements"),
        ("IntegerField", [1, 2, 3, 4], "2 to 3 elements"),
    ],
)
def test_a_list_refuses_what_is_none_or_has_a_bad_item(type_name: str, given: Any, wants: str) -> None:
    one = field(type_name, Cardinality.COLLECTION, min_items=2, max_items=3)
    with pytest.raises(InputValueError) as caught:
        one.value = given
    assert caught.value.expected == wants
    assert caught.value.value in (given, "2")
    assert one.raw is UNSET


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (5, "its value 5 is not allowed: it takes a list of IntegerField"),
        ([1, "2"], "its value '2' is not allowed: it takes a whole number"),
        ([1], "its value [1] is not allowed: it takes 2 to any number of elements"),
    ],
)
def test_a_list_of_a_file_is_checked_item_by_item(held: Any, why: str) -> None:
    assert field("IntegerField", Cardinality.COLLECTION, held, min_items=2).fault() == why


def test_one_item_of_a_file_may_stand_for_a_list_of_it() -> None:
    assert field("IntegerField", Cardinality.SINGLE_OR_COLLECTION, 5).fault() is None
    assert field("IntegerField", Cardinality.SINGLE_OR_COLLECTION, "5").fault() is not None
    # What the server converts in an item is not a fault.
    assert field("IntegerField", Cardinality.COLLECTION, [True]).fault() is None


def test_a_generator_must_make_values_of_its_kind() -> None:
    one = field("FloatGeneratorField")
    mine = {"type": "float_generator_parse_string", "input": "1,2", "splitOn": ","}
    one.value = mine
    assert one.raw == mine
    assert one.raw is not mine
    for bad in ({"type": "integer_generator_parse_string", "input": "1"}, {"type": "x"}, "1,2", {**mine, "input": 5}):
        with pytest.raises(InputValueError, match="a generator as the web UI writes it"):
            one.value = bad
    assert one.raw == mine
    assert field("FloatGeneratorField", initial={"type": "x"}).fault() is None


@pytest.mark.parametrize("given", [None, [1, {"a": "b"}], {"a": None}, "text", 1.5, True])
def test_raw_json_is_kept_as_it_is(given: Any) -> None:
    one = field("unknown", initial=0)
    one.value = given
    assert one.value == given


def test_what_is_not_json_is_refused() -> None:
    one = field("unknown")
    for odd in (object(), float("nan"), {1: {2}}):
        with pytest.raises(InputValueError, match="a JSON value"):
            one.value = odd
    assert one.raw is UNSET
