from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.documents import edge, node

from invokeai_py_client.workflow.batching import batch_nodes
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.graph import BuiltGraph, build_graph, with_values
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

DOCUMENT: dict[str, Any] = {
    "name": "blur",
    "meta": {"version": "3.0.0"},
    "nodes": [
        node("blank", "blank_image", "1.2.2", width=64, height=64),
        node("blur", "img_blur", "1.2.2", intermediate=False, radius=2, board="auto", image={"image_name": "old"}),
        {"id": "note", "type": "notes", "data": {"id": "note", "label": "", "notes": "hi"}},
    ],
    "edges": [edge("blank", "image", "blur", "image")],
    "exposedFields": [{"nodeId": "blur", "fieldName": "radius"}, {"nodeId": "blur", "fieldName": "board"}],
}


class Workflow:
    def __init__(self, document: dict[str, Any], templates: NodeTemplates) -> None:
        self.definition = WorkflowDefinition.from_dict(document)
        self.templates = templates
        self.fields = WorkflowFields(self.definition, templates)
        self.inputs = shown_inputs(self.definition, templates, self.fields)

    def build(self, default_board: str | None = None) -> BuiltGraph:
        edges, warnings = kept_edges(self.definition, self.templates)
        built = build_graph(self.definition, self.templates, self.fields, edges, default_board=default_board)
        return BuiltGraph(built.graph, (*map(str, warnings), *built.warnings))


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(DOCUMENT)


def test_an_edge_of_a_collapsed_node_is_kept_whatever_its_handles(
    document: dict[str, Any], templates: NodeTemplates
) -> None:
    collapsed = {"id": "c", "type": "collapsed", "source": "blank", "target": "blur", "targetHandle": []}
    document["edges"].append(collapsed)
    workflow = Workflow(document, templates)
    workflow.inputs["blur", "image"].set("mine.png", override_edge=True)
    assert with_values(workflow.definition, workflow.fields)["edges"] == [collapsed]


def test_whole_numbers_are_sent_as_integers_however_the_file_writes_them(templates: NodeTemplates) -> None:
    color = dict.fromkeys("rgba", 255.0)
    nodes = [
        node("blank", "blank_image", "1.2.2", width=64.0, height=64, color=color),
        node("list", "integer_collection", "1.0.1", collection=[3.0]),
        node("blur", "img_blur", "1.2.2", radius=2.5),
    ]
    sent = Workflow({**DOCUMENT, "nodes": nodes, "edges": [], "exposedFields": []}, templates).build().graph["nodes"]
    written = [sent["blank"]["width"], sent["blank"]["color"], sent["list"]["collection"], sent["blur"]["radius"]]
    assert json.dumps(written) == '[64, {"r": 255, "g": 255, "b": 255, "a": 255}, [3], 2.5]'


def test_the_graph_is_what_the_web_ui_would_send(document: dict[str, Any], templates: NodeTemplates) -> None:
    workflow = Workflow(document, templates)
    workflow.inputs["Radius"].value = 5
    built = workflow.build()
    assert built.warnings == ()
    assert built.graph == {
        "nodes": {
            "blank": {
                "type": "blank_image",
                "id": "blank",
                "width": 64,
                "height": 64,
                "use_cache": False,
                "is_intermediate": True,
            },
            "blur": {"type": "img_blur", "id": "blur", "radius": 5, "use_cache": False, "is_intermediate": False},
        },
        "edges": [
            {"source": {"node_id": "blank", "field": "image"}, "destination": {"node_id": "blur", "field": "image"}}
        ],
    }


@pytest.mark.parametrize(
    ("value", "default", "sent"),
    [
        ("auto", None, None),
        ("auto", "mine", {"board_id": "mine"}),
        (None, "mine", {"board_id": "mine"}),
        ("none", "mine", None),
        ({"board_id": "b"}, "mine", {"board_id": "b"}),
    ],
)
def test_boards(document: dict[str, Any], templates: NodeTemplates, value: Any, default: str | None, sent: Any) -> None:
    document["nodes"][1]["data"]["inputs"]["board"]["value"] = value
    assert Workflow(document, templates).build(default).graph["nodes"]["blur"].get("board") == sent


def test_a_generator_without_a_value_gets_the_web_uis_first_when_it_is_updated(templates: NodeTemplates) -> None:
    document = {
        **DOCUMENT,
        "nodes": [
            node("make", "integer_generator", "1.0.7"),
            node("batch", "integer_batch", templates["integer_batch"].version, batch_group_id="None", integers=[]),
            node("add", "add", templates["add"].version, a=1, b=2),
        ],
        "edges": [edge("make", "integers", "batch", "integers"), edge("batch", "integers", "add", "a")],
        "exposedFields": [],
    }
    workflow = Workflow(document, templates)
    edges, _ = kept_edges(workflow.definition, templates)
    (batch,) = batch_nodes(workflow.definition, workflow.fields, edges)
    assert batch.items == list(range(10))


def test_a_node_of_an_older_minor_version_is_updated(document: dict[str, Any], templates: NodeTemplates) -> None:
    data = document["nodes"][1]["data"]
    data["version"] = "1.0.0"
    data["inputs"]["vanished"] = {"value": 1}
    sent = Workflow(document, templates).build().graph["nodes"]["blur"]
    assert sent["blur_type"] == "gaussian"
    assert "vanished" not in sent


def test_a_node_of_another_major_version_is_left_as_it_is_with_a_warning(
    document: dict[str, Any], templates: NodeTemplates
) -> None:
    document["nodes"][1]["data"]["version"] = "0.9.0"
    built = Workflow(document, templates).build()
    assert "blur_type" not in built.graph["nodes"]["blur"]
    assert any("version 0.9.0" in warning for warning in built.warnings)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (edge("gone", "image", "blur", "mask"), "no node 'gone'"),
        (edge("blank", "image", "gone", "image"), "no node 'gone'"),
        (edge("blank", "picture", "blur", "image"), "has no output 'picture'"),
        (edge("blank", "image", "blur", "picture"), "has no input 'picture'"),
    ],
)
def test_an_edge_that_points_nowhere_is_left_out_with_a_warning(
    document: dict[str, Any], templates: NodeTemplates, change: dict[str, str], why: str
) -> None:
    document["edges"] = [change]
    built = Workflow(document, templates).build()
    assert built.graph["edges"] == []
    (warning,) = built.warnings
    assert why in warning
    assert built.graph["nodes"]["blur"]["image"] == {"image_name": "old"}


def test_an_unknown_node_is_left_out_with_its_edges(document: dict[str, Any], templates: NodeTemplates) -> None:
    document["nodes"][0]["data"]["type"] = "no_such_node"
    built = Workflow(document, templates).build()
    assert list(built.graph["nodes"]) == ["blur"]
    assert built.graph["edges"] == []
    assert len(built.warnings) == 2


def test_connectors_are_flattened_and_equal_edges_sent_once(document: dict[str, Any], templates: NodeTemplates) -> None:
    for name in ("c1", "c2", "unfed"):
        document["nodes"].append({"id": name, "type": "connector", "data": {"id": name, "type": "connector"}})
    document["edges"] = [
        edge("blank", "image", "c1", "in"),
        edge("c1", "out", "c2", "in"),
        edge("c2", "out", "blur", "image"),
        edge("blank", "image", "blur", "image"),
        edge("unfed", "out", "blur", "mask"),
    ]
    assert Workflow(document, templates).build().graph["edges"] == [
        {"source": {"node_id": "blank", "field": "image"}, "destination": {"node_id": "blur", "field": "image"}}
    ]


def test_the_embedded_workflow_has_the_values_that_run(document: dict[str, Any], templates: NodeTemplates) -> None:
    document["id"] = "library-id"
    workflow = Workflow(document, templates)
    workflow.inputs["Radius"].value = 9
    embedded = with_values(workflow.definition, workflow.fields)
    assert "id" not in embedded
    assert embedded["nodes"][1]["data"]["inputs"]["radius"]["value"] == 9
    assert workflow.definition.nodes["blur"].inputs["radius"]["value"] == 2
    assert json.loads(json.dumps(embedded)) == embedded


def test_lists_are_each_handles_own(templates: NodeTemplates) -> None:
    document = {
        **DOCUMENT,
        "nodes": [node("n", "integer_collection", templates["integer_collection"].version, collection=[1, 2])],
        "edges": [],
        "exposedFields": [{"nodeId": "n", "fieldName": "collection"}],
    }
    one = Workflow(document, templates)
    two = Workflow(document, templates)
    two.definition = one.definition
    two.fields = WorkflowFields(one.definition, templates)
    one.inputs[0].value.append(3)
    assert one.build().graph["nodes"]["n"]["collection"] == [1, 2, 3]
    saved = with_values(one.definition, one.fields)
    assert saved["nodes"][0]["data"]["inputs"]["collection"]["value"] == [1, 2, 3]
    two.build().graph["nodes"]["n"]["collection"].append(4)
    assert two.build().graph["nodes"]["n"]["collection"] == [1, 2]
    assert one.definition.to_dict()["nodes"][0]["data"]["inputs"]["collection"]["value"] == [1, 2]


@pytest.mark.parametrize(("version", "moves"), [("1.0.0", True), ("1.0.1", True), ("1.0.2", False)])
@pytest.mark.parametrize("connected", [False, True])
def test_an_older_image_collection_keeps_its_images(
    templates: NodeTemplates, version: str, moves: bool, connected: bool
) -> None:
    images = [{"image_name": "a.png"}]
    document = {
        **DOCUMENT,
        "nodes": [
            node("more", "image_collection", templates["image_collection"].version),
            node("n", "image_collection", version, collection=images),
        ],
        "edges": [edge("more", "collection", "n", "collection")] if connected else [],
        "exposedFields": [],
    }
    sent = Workflow(document, templates).build().graph["nodes"]["n"]
    assert sent.get("images") == (images if moves and not connected else None)
    assert sent.get("collection") == (None if connected else [] if moves else images)


def test_metadata_may_have_any_name(templates: NodeTemplates) -> None:
    document = {
        **DOCUMENT,
        "nodes": [
            node("text", "string", templates["string"].version, value="a tiger"),
            node("m", "core_metadata", templates["core_metadata"].version, workflow_inputs="mine"),
        ],
        "edges": [edge("text", "value", "m", "positive_prompt")],
        "exposedFields": [],
    }
    assert Workflow(document, templates).build().graph["nodes"]["m"]["workflow_inputs"] == "mine"


def graph_of(templates: NodeTemplates, *nodes: dict[str, Any], edges: Any = ()) -> dict[str, Any]:
    document = {"meta": {"version": "4.0.0"}, "nodes": [*nodes], "edges": [*edges]}
    return Workflow(document, templates).build().graph


def test_a_called_workflows_input_without_a_value_is_absent(templates: NodeTemplates) -> None:
    # The server would override what the called workflow has saved with null.
    call = node("call", "call_saved_workflow", templates["call_saved_workflow"].version)
    for name, given in (("set", {"value": 3}), ("unset", {}), ("null", {"value": None})):
        call["data"]["inputs"][f"saved_workflow_input::n::{name}"] = {"name": name, **given}
    assert graph_of(templates, call)["nodes"]["call"]["workflow_inputs"] == {"saved_workflow_input::n::set": 3}


def test_inputs_that_the_document_describes_itself_are_inputs(templates: NodeTemplates) -> None:
    name = "saved_workflow_input::n::seed"
    call = node("call", "call_saved_workflow", templates["call_saved_workflow"].version)
    call["data"]["inputs"][name] = {"name": name, "label": "", "value": 3}
    described = {"name": "IntegerField", "cardinality": "SINGLE", "batch": False}
    call["data"]["dynamicInputTemplates"] = {
        name: {
            "name": name,
            "title": "The seed",
            "type": described,
            "input": "any",
            "required": True,
            "fieldKind": "input",
        }
    }
    document = {
        "meta": {"version": "4.0.0"},
        "nodes": [call],
        "edges": [],
        "exposedFields": [{"nodeId": "call", "fieldName": name}, {"nodeId": "call", "fieldName": "gone"}],
    }
    workflow = Workflow(document, templates)
    assert [(entry.label, entry.type_name) for entry in workflow.inputs] == [("The seed", "IntegerField")]
    workflow.inputs["The seed"].value = 5
    assert workflow.build().graph["nodes"]["call"]["workflow_inputs"] == {name: 5}


def test_where_ids_repeat_the_last_node_runs_and_edges_are_checked_against_the_first(templates: NodeTemplates) -> None:
    number = node("number", "integer", templates["integer"].version, value=3)
    first, last = (node("twice", kind, templates[kind].version, value=1) for kind in ("integer", "float"))
    graph = graph_of(templates, number, first, last, edges=[edge("number", "value", "twice", "value")])
    assert graph["nodes"]["twice"]["type"] == "float"
    assert [wire["destination"]["node_id"] for wire in graph["edges"]] == ["twice"]
    assert "value" not in graph["nodes"]["twice"]
    mask = node("twice", "img_blur", templates["img_blur"].version)
    assert graph_of(templates, number, mask, last, edges=[edge("number", "value", "twice", "value")])["edges"] == []


@pytest.mark.parametrize("value", [0, "", "gone", [1], {"image_name": "a"}])
def test_a_board_of_another_shape_is_sent_as_it_is(templates: NodeTemplates, value: Any) -> None:
    blur = node("blur", "img_blur", templates["img_blur"].version, board=value)
    assert graph_of(templates, blur)["nodes"]["blur"]["board"] == value


def test_metadata_is_sent_as_javascript_would_write_it(templates: NodeTemplates) -> None:
    metadata = node("meta", "core_metadata", templates["core_metadata"].version, extra=[{"a": 10**400, "b": 2**60 + 1}])
    sent = graph_of(templates, metadata)["nodes"]["meta"]
    assert sent["extra"] == [{"a": None, "b": 1152921504606847000}]
    json.dumps(sent, allow_nan=False)


def test_the_embedded_workflow_lacks_what_was_emptied_and_the_edges_that_were_overridden(
    document: dict[str, Any], templates: NodeTemplates
) -> None:
    document["nodes"][1]["data"]["inputs"]["board"] = {"name": "board", "label": "", "value": {"board_id": "b"}}
    document["id"] = "of the library"
    workflow = Workflow(document, templates)
    board, image = workflow.fields.get("blur", "board"), workflow.fields.get("blur", "image")
    assert board is not None
    assert image is not None
    board.value = None
    image.set("a.png", override_edge=True)
    embedded = with_values(workflow.definition, workflow.fields)
    inputs = next(node for node in embedded["nodes"] if node["id"] == "blur")["data"]["inputs"]
    assert "value" not in inputs["board"]
    assert inputs["image"]["value"] == {"image_name": "a.png"}
    assert embedded["edges"] == []
    assert "id" not in embedded
