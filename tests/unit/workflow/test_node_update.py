from __future__ import annotations

from typing import Any

import pytest
from tests.documents import node

from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.node_update import may_update, updated_inputs
from invokeai_py_client.workflow.templates import (
    Cardinality,
    FieldType,
    InputTemplate,
    NodeTemplate,
    NodeTemplates,
    unknown_input,
)


def the_node(node_type: str, version: str, **values: Any) -> Node:
    document = {"meta": {"version": "4.0.0"}, "nodes": [node("n", node_type, version, **values)], "edges": []}
    return WorkflowDefinition.from_dict(document).nodes["n"]


@pytest.mark.parametrize(
    ("version", "may"),
    [
        ("1.0.0", True),
        ("01.9.9", True),
        ("1.0.0.7", True),
        ("2.0.0", False),
        ("0.1.0", False),
        # What the web UI cannot compare stays as it is.
        ("1..0", False),
        (" 1.0.0", False),
        ("1.0.0.0.1", False),
        ("1" * 5000 + ".0.0", False),
        ("x", False),
    ],
)
def test_a_node_of_one_major_version_may_be_updated(version: str, may: bool, templates: NodeTemplates) -> None:
    assert templates["add"].version.startswith("1.")
    assert may_update(the_node("add", version), templates["add"]) is may


def template(*inputs: InputTemplate) -> NodeTemplate:
    return NodeTemplate(
        type="made_up",
        title="",
        version="1.1.0",
        category="",
        node_pack="",
        output_type="",
        use_cache=True,
        inputs={one.name: one for one in inputs},
        outputs={},
    )


def of_type(name: str, type_name: str, default: Any, cardinality: Cardinality = Cardinality.SINGLE) -> InputTemplate:
    bare = unknown_input(name)
    return InputTemplate(
        name=bare.name,
        title=bare.title,
        description="",
        type=FieldType(type_name, cardinality),
        required=False,
        default=default,
        input="any",
    )


def values_after_update(known: NodeTemplate, **values: Any) -> dict[str, Any]:
    old = the_node("made_up", "1.0.0", **values)
    updated = updated_inputs(old, old.inputs, known, connected=tuple)
    return {name: given.get("value") for name, given in updated.items()}


def test_what_a_value_lacks_of_an_object_or_list_is_filled_in_from_the_default() -> None:
    known = template(
        of_type("color", "ColorField", {"r": 1, "g": 2, "b": 3, "a": 4}), of_type("list", "IntegerField", [1, 2, 3])
    )
    assert values_after_update(known, color={"image_name": "a"}, list=[7]) == {
        "color": {"image_name": "a", "r": 1, "g": 2, "b": 3, "a": 4},
        "list": [7, 2, 3],
    }
    # A value of another kind than the default is left alone.
    assert values_after_update(known, color=5, list={"x": 1}) == {"color": 5, "list": {"x": 1}}


@pytest.mark.parametrize(
    ("type_name", "cardinality", "value"),
    [
        ("IntegerField", Cardinality.COLLECTION, 0),
        ("FloatField", Cardinality.COLLECTION, 0),
        ("StringField", Cardinality.COLLECTION, ""),
        ("EnumField", Cardinality.SINGLE, ""),
        ("ImageField", Cardinality.COLLECTION, None),
        ("ModelIdentifierField", Cardinality.SINGLE, None),
        ("LatentsField", Cardinality.SINGLE, None),
    ],
)
def test_an_input_without_a_default_gets_what_the_web_ui_falls_back_to(
    type_name: str, cardinality: Cardinality, value: Any
) -> None:
    assert values_after_update(template(of_type("x", type_name, None, cardinality))) == {"x": value}


def test_one_image_or_a_list_of_them_has_no_default(templates: NodeTemplates) -> None:
    assert templates["ip_adapter"].inputs["image"].type.cardinality is Cardinality.SINGLE_OR_COLLECTION
    assert templates["ip_adapter"].inputs["image"].default is None


def test_lists_are_filled_in_item_by_item() -> None:
    known = template(of_type("list", "MetadataItemField", [{"a": 1, "b": {"c": 2}}, {"a": 3}], Cardinality.COLLECTION))
    assert values_after_update(known, list=[{"a": 7}]) == {"list": [{"a": 7, "b": {"c": 2}}, {"a": 3}]}
    assert values_after_update(known, list=[{"b": {"d": 4}}, 5, 6]) == {"list": [{"a": 1, "b": {"d": 4, "c": 2}}, 5, 6]}
    assert values_after_update(known, list=[]) == {"list": [{"a": 1, "b": {"c": 2}}, {"a": 3}]}


def test_an_updated_node_has_the_inputs_of_its_template_and_keeps_what_its_file_says() -> None:
    known = template(of_type("kept", "IntegerField", 1), of_type("new", "IntegerField", 2))
    old = the_node("made_up", "1.0.0", kept=5, gone=6)
    saved = {**old.inputs, "kept": {**old.inputs["kept"], "label": "Mine"}}
    assert updated_inputs(old, saved, known, connected=tuple) == {
        "kept": {"name": "kept", "label": "Mine", "value": 5},
        "new": {"name": "new", "label": "", "value": 2},
    }


@pytest.mark.parametrize("version", ["1.1.0", "2.0.0", "x"])
def test_a_node_that_needs_no_update_or_may_have_none_is_left_as_it_is(version: str) -> None:
    node = the_node("made_up", version, other=5)
    assert (
        updated_inputs(node, node.inputs, template(of_type("new", "IntegerField", 2)), connected=tuple) is node.inputs
    )


def test_a_default_is_a_copy() -> None:
    known = template(of_type("list", "IntegerField", [1]))
    values_after_update(known)["list"].append(2)
    assert known.inputs["list"].default == [1]


def test_a_whole_default_is_an_integer_as_in_the_web_ui() -> None:
    assert isinstance(values_after_update(template(of_type("x", "FloatField", 1.0)))["x"], int)


def test_metadata_nodes_keep_inputs_that_their_template_lacks(templates: NodeTemplates) -> None:
    old = the_node("core_metadata", "1.0.0", mine=5)
    updated = updated_inputs(old, old.inputs, templates["core_metadata"], connected=tuple)
    assert updated["mine"]["value"] == 5


IMAGES = [{"image_name": "a"}]


@pytest.mark.parametrize(
    ("version", "collection", "images", "connected", "moved"),
    [
        ("1.0.0", IMAGES, None, (), True),
        ("1.0.1", IMAGES, [], (), True),
        ("1.0.1", IMAGES, "none", (), True),
        ("1.0.1", IMAGES, [{"image_name": "b"}], (), False),
        ("1.0.1", IMAGES, None, ("collection",), False),
        ("1.0.1", None, None, (), False),
        ("1.0.3", IMAGES, None, (), False),
    ],
)
def test_images_of_an_older_collection_move_to_their_input_of_today(
    templates: NodeTemplates, version: str, collection: Any, images: Any, connected: tuple[str, ...], moved: bool
) -> None:
    assert templates["image_collection"].version == "1.0.2"
    given = {name: value for name, value in (("collection", collection), ("images", images)) if value is not None}
    old = the_node("image_collection", version, **given)
    updated = updated_inputs(old, old.inputs, templates["image_collection"], connected=lambda: connected)
    held = (updated["collection"].get("value"), updated["images"].get("value"))
    assert (held == ([], collection)) is moved
    assert moved or (held[0] or None, held[1] or None) == (collection, images or None)


def test_only_image_collections_move_their_inputs() -> None:
    known = template(of_type("collection", "ImageField", None), of_type("images", "ImageField", None))
    assert values_after_update(known, collection=IMAGES) == {"collection": IMAGES, "images": None}
