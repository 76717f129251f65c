"""Which output may feed which input, as the web UI decides."""

from __future__ import annotations

import pytest

from invokeai_py_client.workflow.templates import Cardinality, FieldType
from invokeai_py_client.workflow.type_compatibility import are_equal, can_feed, item_of, suit_each_other

SINGLE, COLLECTION, EITHER = Cardinality.SINGLE, Cardinality.COLLECTION, Cardinality.SINGLE_OR_COLLECTION


def kind(text: str) -> FieldType:
    """`Integer` is one, `Integer*` a list, `Integer?` either; `batch:` in front makes it a batch port."""
    batch = text.startswith("batch:")
    name = text.removeprefix("batch:")
    cardinality = {"*": COLLECTION, "?": EITHER}.get(name[-1], SINGLE)
    return FieldType(f"{name.rstrip('*?')}Field", cardinality, batch=batch)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Image", "Image"),
        ("CollectionItem", "Image"),
        ("CollectionItem", "Image?"),
        ("Image", "CollectionItem"),
        ("Image", "Image?"),
        ("Image*", "Image?"),
        ("Collection*", "Image*"),
        ("Collection*", "Image?"),
        ("Image*", "Collection*"),
        ("Integer", "Float"),
        ("Integer", "Float?"),
        ("Integer*", "Float*"),
        ("Integer", "String"),
        ("Float?", "String?"),
        ("Image*", "Any"),
        ("Any", "Image"),
        ("batch:Integer*", "batch:Float*"),
    ],
)
def test_what_may_feed_what(source: str, target: str) -> None:
    assert can_feed(kind(source), kind(target))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Image", "Latents"),
        ("CollectionItem", "Image*"),
        ("Image*", "CollectionItem"),
        ("Image*", "Image"),
        ("Image", "Image*"),
        ("Collection*", "Image"),
        ("Image", "Collection*"),
        ("Float", "Integer"),
        ("String", "Integer"),
        ("Integer*", "Float"),
        ("Integer", "Float*"),
        ("Any", "Image*"),
        ("Integer", "batch:Integer"),
        ("batch:Integer", "Any"),
    ],
)
def test_what_may_not_feed_what(source: str, target: str) -> None:
    assert not can_feed(kind(source), kind(target))


def test_a_type_also_matches_by_what_its_json_alone_says() -> None:
    scheduler = FieldType("SchedulerField", original=FieldType("EnumField"))
    assert are_equal(scheduler, FieldType("EnumField"))
    assert are_equal(FieldType("EnumField"), scheduler)
    assert not are_equal(scheduler, FieldType("StringField"))


@pytest.mark.parametrize(
    ("one", "other", "suits"),
    [
        ("Image", "Image*", True),
        ("Image", "Image", True),
        # Either may feed the other.
        ("Integer", "Float", True),
        ("Image", "Latents", False),
        ("Image", "Latents*", False),
        ("Image", "batch:Image*", False),
        ("Float*", "Integer", False),
    ],
)
def test_two_types_suit_each_other_in_either_order(one: str, other: str, suits: bool) -> None:
    assert suit_each_other(kind(one), kind(other)) is suits
    assert suit_each_other(kind(other), kind(one)) is suits


@pytest.mark.parametrize(
    ("collected", "item"),
    [("Image", "Image"), ("Image*", "Image"), ("Image?", "Image"), ("batch:Image*", "batch:Image")],
)
def test_an_item_of_a_list_is_one_of_its_type(collected: str, item: str) -> None:
    assert item_of(kind(collected)) == kind(item)


def test_an_item_of_any_collection_can_be_anything() -> None:
    assert item_of(kind("Collection*")) is None
