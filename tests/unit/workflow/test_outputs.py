"""Which nodes make what the user wants to see, and what each of them made."""

from __future__ import annotations

from typing import Any

import pytest
from tests.documents import node

from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.inputs import WorkflowInputs, shown_inputs
from invokeai_py_client.workflow.outputs import (
    NodePath,
    NodeResult,
    OutputMapping,
    boards_sent,
    images_in,
    map_outputs,
    output_nodes,
)
from invokeai_py_client.workflow.templates import NodeTemplates


def load(
    templates: NodeTemplates, nodes: list[dict[str, Any]], shown: list[tuple[str, str]]
) -> tuple[WorkflowDefinition, WorkflowInputs]:
    exposed = [{"nodeId": node_id, "fieldName": name} for node_id, name in shown]
    document = {"meta": {"version": "3.0.0"}, "nodes": nodes, "edges": [], "exposedFields": exposed}
    definition = WorkflowDefinition.from_dict(document)
    return definition, shown_inputs(definition, templates, WorkflowFields(definition, templates))


def blur(node_id: str, *, intermediate: bool = False, **values: Any) -> dict[str, Any]:
    return node(node_id, "img_blur", "1.2.2", intermediate=intermediate, board="auto", **values)


def image(*names: str) -> dict[str, Any]:
    """The result of a node that made one image."""
    return {"type": "image_output", "image": {"image_name": names[0]}, "width": 8}


def test_those_with_a_board_on_the_form_come_first_in_its_order(templates: NodeTemplates) -> None:
    nodes = [blur("a"), blur("b"), blur("c"), blur("d")]
    definition, shown = load(templates, nodes, [("a", "radius"), ("d", "board"), ("b", "board")])
    assert [one.id for one in output_nodes(definition, templates, shown)] == ["d", "b", "a", "c"]


def test_only_nodes_that_run_and_make_images_for_the_gallery_are_outputs(templates: NodeTemplates) -> None:
    nodes = [
        blur("hidden", intermediate=True),
        node("number", "add", "1.0.1", intermediate=False),
        node("unknown", "gone", "1.0.0", intermediate=False),
        {"id": "note", "type": "notes", "data": {}},
        node("film", "wan_l2v", "1.0.0", intermediate=False),
        node("batch", "image_batch", "1.0.0", intermediate=False),
        blur("last"),
    ]
    definition, shown = load(templates, nodes, [])
    assert [one.id for one in output_nodes(definition, templates, shown)] == ["film", "last"]


def test_each_output_node_has_what_it_made_in_order(templates: NodeTemplates) -> None:
    named = blur("b", radius=2)
    named["data"]["label"] = "Mine"
    nodes = [blur("a"), named, node("film", "wan_l2v", "1.0.0", intermediate=False)]
    definition, shown = load(templates, nodes, [("b", "radius"), ("b", "board")])
    results: list[tuple[str, dict[str, Any]]] = [
        ("b", image("one")),
        ("film", {"video": {"video_name": "v.mp4"}}),
        ("gone", image("of a node that the workflow does not have")),
        ("b", image("two")),
        ("b", {"image": None}),
        ("b", {"image": {"image_name": None}}),
        ("b", {"other": {"image_name": "of an output that the node does not have"}}),
        ("b", {"image": {"video_name": "not an image"}}),
    ]
    assert map_outputs(definition, templates, shown, results, {"b": "board"}) == [
        OutputMapping(
            node_id="b",
            node_type="img_blur",
            label="Mine",
            input_index=1,
            board_id="board",
            image_names=("one", "two"),
        ),
        OutputMapping(
            node_id="a", node_type="img_blur", label="Blur Image", input_index=None, board_id=None, image_names=()
        ),
        OutputMapping(
            node_id="film",
            node_type="wan_l2v",
            label=templates["wan_l2v"].title,
            input_index=None,
            board_id=None,
            image_names=(),
            video_names=("v.mp4",),
        ),
    ]


def test_a_node_may_make_several_images_at_once(templates: NodeTemplates) -> None:
    nodes = [
        node("maps", "pbr_maps", "1.0.0", intermediate=False),
        node("list", "image_collection", "1.0.2", intermediate=False),
    ]
    definition, shown = load(templates, nodes, [])
    results: list[tuple[str, dict[str, Any]]] = [
        ("maps", {"roughness_map": {"image_name": "r"}, "normal_map": {"image_name": "n"}, "displacement_map": None}),
        ("list", {"collection": [{"image_name": "x"}, {"image_name": "y"}]}),
    ]
    # In the order of the outputs of the node's type.
    assert [one.image_names for one in map_outputs(definition, templates, shown, results, {})] == [
        ("n", "r"),
        ("x", "y"),
    ]


def result(path: NodePath, made: dict[str, Any], *, node_type: str = "img_blur", **more: Any) -> NodeResult:
    return NodeResult(path=path, node_type=node_type, result=made, **{"is_intermediate": False, **more})


def test_nodes_of_called_workflows_follow_if_they_made_something(templates: NodeTemplates) -> None:
    definition, shown = load(templates, [blur("a")], [])
    inner, deep = NodePath("blur", ("call",)), NodePath("blur", ("call", "again"))
    called = [
        result(NodePath("x", ("call",)), image("hidden"), is_intermediate=True),
        result(NodePath("y", ("call",)), image("unknown"), node_type="gone"),
        result(NodePath("z", ("call",)), {"value": 1}, node_type="add"),
        result(deep, image("one"), board_id="b"),
        result(inner, image("two")),
        result(deep, image("three")),
        result(inner, {"video": {"video_name": "v.mp4"}}, node_type="wan_l2v"),
    ]
    own, *others = map_outputs(definition, templates, shown, [], {}, called)
    assert (own.node_id, own.call_path, own.path) == ("a", (), NodePath("a"))
    assert others == [
        OutputMapping(
            node_id="blur",
            call_path=("call", "again"),
            node_type="img_blur",
            label="Blur Image",
            input_index=None,
            board_id="b",
            image_names=("one", "three"),
        ),
        OutputMapping(
            node_id="blur",
            call_path=("call",),
            node_type="img_blur",
            label="Blur Image",
            input_index=None,
            board_id=None,
            image_names=("two",),
            video_names=("v.mp4",),
        ),
    ]
    assert [str(one.path) for one in others] == ["call/again/blur", "call/blur"]


def test_a_mapping_reads_as_one(templates: NodeTemplates) -> None:
    definition, shown = load(templates, [blur("a")], [("a", "board")])
    (one,) = map_outputs(definition, templates, shown, [("a", image("one"))], {})
    assert dict(one) == {
        "node_id": "a",
        "node_type": "img_blur",
        "label": "Blur Image",
        "input_index": 0,
        "board_id": None,
        "image_names": ("one",),
        "video_names": (),
        "call_path": (),
        "tier": "results",
    }
    assert one.to_dict()["image_names"] == ["one"]


@pytest.mark.parametrize(
    ("nodes", "boards"),
    [
        ({}, {}),
        ({"a": {"board": {"board_id": "b"}}, "c": {"board": {"board_id": "d"}}}, {"a": "b", "c": "d"}),
        ({"a": {}, "b": {"board": None}, "c": {"board": "auto"}, "d": {"board": {"board_id": 5}}}, {}),
    ],
)
def test_the_boards_of_a_graph_are_found(nodes: dict[str, Any], boards: dict[str, str]) -> None:
    assert boards_sent({"nodes": nodes}) == boards


def test_images_are_found_without_a_document() -> None:
    a, b = NodePath("a"), NodePath("b", ("call",))
    results = [
        result(NodePath("x"), image("hidden"), is_intermediate=True),
        result(a, image("one")),
        result(b, {"collection": [{"image_name": "two"}, {"image_name": "one"}, "three"], "width": 8}),
        result(b, {"image": {"image_name": 5}, "other": {"board_id": "b"}}),
    ]
    assert images_in(results) == {"one": a, "two": b}
    assert [*images_in(results)] == ["one", "two"]
