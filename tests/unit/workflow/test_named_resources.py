"""The models, images, videos and boards that a workflow names."""

from __future__ import annotations

from typing import Any

import pytest
from tests.documents import edge, node

from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.named_resources import NamedResource, named_resources
from invokeai_py_client.workflow.templates import NodeTemplates

MODEL = {"key": "k", "hash": "h", "name": "dream", "base": "sd-1", "type": "main"}
LORA = {**MODEL, "key": "l", "name": "ink", "type": "lora"}
FROM_BOARD = {"type": "image_generator_images_from_board", "board_id": "b", "category": "images"}


def named(templates: NodeTemplates, *nodes: dict[str, Any], edges: Any = ()) -> list[NamedResource]:
    definition = WorkflowDefinition.from_dict({"meta": {"version": "3.0.0"}, "nodes": [*nodes], "edges": [*edges]})
    fields = WorkflowFields(definition, templates)
    return [*named_resources(definition, templates, fields, fields.edges)]


@pytest.mark.parametrize(
    ("node_type", "name", "value", "found"),
    [
        ("main_model_loader", "model", MODEL, [("model", "k")]),
        ("main_model_loader", "model", {**MODEL, "key": 5}, []),
        ("main_model_loader", "model", {"image_name": "a"}, []),
        ("main_model_loader", "model", None, []),
        ("img_blur", "image", {"image_name": "a"}, [("image", "a")]),
        ("img_blur", "image", "a", []),
        ("image_collection", "images", [{"image_name": "a"}, {"image_name": "b"}], [("image", "a"), ("image", "b")]),
        ("image_collection", "images", [], []),
        ("video_frame_extract", "video", {"video_name": "v"}, [("video", "v")]),
        ("save_image", "board", {"board_id": "b"}, [("board", "b")]),
        ("save_image", "board", "auto", []),
        ("lora_collection_loader", "loras", [{"lora": LORA, "weight": 1}], [("model", "l")]),
        ("image_generator", "generator", FROM_BOARD, [("board", "b")]),
        # Images on no board are those of the board `none`, which always exists.
        ("image_generator", "generator", {**FROM_BOARD, "board_id": "none"}, []),
        ("image_generator", "generator", {"type": "other"}, []),
        ("float_generator", "generator", {"type": "float_generator_parse_string", "input": "1"}, []),
        ("compel", "prompt", "a", []),
    ],
)
def test_an_input_names_resources(
    templates: NodeTemplates, node_type: str, name: str, value: Any, found: list[tuple[str, str]]
) -> None:
    one = node("n", node_type, templates[node_type].version, **{name: value})
    resources = named(templates, one)
    assert [(resource.kind, resource.name) for resource in resources] == found
    assert {(r.place.node_id, r.place.node_type, r.place.name) for r in resources} <= {("n", node_type, name)}


def test_the_value_that_counts_is_the_one_that_was_set(templates: NodeTemplates) -> None:
    version = templates["img_blur"].version
    document = {
        "meta": {"version": "3.0.0"},
        "nodes": [node("n", "img_blur", version, image={"image_name": "old"})],
        "edges": [],
    }
    definition = WorkflowDefinition.from_dict(document)
    fields = WorkflowFields(definition, templates)
    field = fields.get("n", "image")
    assert field is not None
    field.value = "new"
    (found,) = named_resources(definition, templates, fields, fields.edges)
    assert (found.name, found.label) == ("new", "new")


def test_what_an_edge_feeds_names_nothing(templates: NodeTemplates) -> None:
    version = templates["img_blur"].version
    fed = node("fed", "img_blur", version, image={"image_name": "a"}, board={"board_id": "b"})
    source = node("source", "img_blur", version, image={"image_name": "c"})
    found = named(templates, fed, source, edges=[edge("source", "image", "fed", "image")])
    # In document order.
    assert [(resource.place.node_id, resource.name) for resource in found] == [("fed", "b"), ("source", "c")]


def test_nodes_that_do_not_run_or_are_unknown_name_nothing(templates: NodeTemplates) -> None:
    notes = {
        "id": "x",
        "type": "notes",
        "data": {"type": "img_blur", "inputs": {"image": {"value": {"image_name": "a"}}}},
    }
    unknown = node("y", "gone", "1.0.0", image={"image_name": "a"})
    extra = node("z", "img_blur", "1.0.0", other={"image_name": "a"})
    last = node("n", "img_blur", templates["img_blur"].version, image={"image_name": "b"})
    assert [resource.name for resource in named(templates, notes, unknown, extra, last)] == ["b"]


def test_what_is_set_on_an_input_that_the_file_lacks_is_named_too(templates: NodeTemplates) -> None:
    document = {"meta": {"version": "3.0.0"}, "nodes": [node("n", "main_model_loader", "9.0.0")], "edges": []}
    definition = WorkflowDefinition.from_dict(document)
    fields = WorkflowFields(definition, templates)
    assert [*named_resources(definition, templates, fields, ())] == []
    field = fields.get("n", "model")
    assert field is not None
    field.value = MODEL
    assert [str(found) for found in named_resources(definition, templates, fields, ())] == [
        "the model 'dream' (sd-1 main, key k)"
    ]


def test_an_image_is_said_by_its_name(templates: NodeTemplates) -> None:
    (found,) = named(templates, node("n", "img_blur", templates["img_blur"].version, image={"image_name": "a"}))
    assert str(found) == "the image 'a'"
