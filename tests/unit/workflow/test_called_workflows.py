"""The workflows that a workflow calls: what they expose, and what keeps them from being called."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from tests.called_workflows import blur_callee, caller, field, returning, workflow
from tests.documents import edge, node

from invokeai_py_client.workflow.called_workflows import (
    CalledWorkflow,
    call_problems,
    exposed_inputs,
    ignored_inputs,
    read_called_workflow,
    with_called_inputs,
)
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.graph import build_graph
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.outputs import NodePath, NodeResult, images_in, map_outputs
from invokeai_py_client.workflow.readiness import missing_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

RADIUS = field("blur", "radius")
WIDTH = field("blank", "width")
IMAGE = field("blur", "image")


def labelled(document: dict[str, Any], node_id: str, name: str, label: str) -> dict[str, Any]:
    next(n for n in document["nodes"] if n["id"] == node_id)["data"]["inputs"][name]["label"] = label
    return document


class Call:
    """A workflow that calls those of a library: as its handle was made, and as the library is when it is checked."""

    def __init__(
        self,
        document: dict[str, Any],
        templates: NodeTemplates,
        *,
        made_with: dict[str, dict[str, Any]],
        now: dict[str, dict[str, Any] | None] | None = None,
    ) -> None:
        self.templates = templates
        self.original = WorkflowDefinition.from_dict(document)
        self.definition = with_called_inputs(self.original, self.library(made_with), templates)
        self.fields = WorkflowFields(self.definition, templates)
        self.inputs = shown_inputs(self.definition, templates, self.fields)
        self.edges, _ = kept_edges(self.definition, templates)
        self.now = self.library(made_with if now is None else now)

    def library(self, documents: Any) -> dict[str, CalledWorkflow]:
        return {
            workflow_id: CalledWorkflow(workflow_id, "", None, "the server's library does not have it (any more)")
            if document is None
            else read_called_workflow(workflow_id, document["name"], document, None, self.templates)
            for workflow_id, document in documents.items()
        }

    def problems(self) -> list[tuple[str, str]]:
        found = [
            *missing_inputs(self.definition, self.templates, self.fields),
            *call_problems(self.original, self.definition, self.templates, self.fields, self.edges, self.now),
        ]
        assert {problem.place.node_id for problem in found} <= {"call"}
        return [(problem.place.name, problem.why) for problem in found]

    def sent(self) -> dict[str, Any]:
        graph = build_graph(self.definition, self.templates, self.fields, self.edges).graph
        inputs: dict[str, Any] = graph["nodes"]["call"]["workflow_inputs"]
        return inputs


def test_the_exposed_inputs_come_with_the_called_workflows_types_labels_and_values(templates: NodeTemplates) -> None:
    callee = labelled(blur_callee(radius=4.5), "blur", "radius", "How much")
    call = Call(caller("w"), templates, made_with={"w": callee})
    radius, width = call.inputs["call", RADIUS], call.inputs["call", WIDTH]
    assert (radius.label, radius.type_name, radius.value) == ("How much", "FloatField", 4.5)
    assert (width.label, width.type_name, width.value) == ("Width", "IntegerField", 64)
    assert call.sent() == {RADIUS: 4.5, WIDTH: 64}
    assert call.problems() == []


def test_the_form_of_a_called_workflow_comes_before_its_exposed_fields(templates: NodeTemplates) -> None:
    callee = blur_callee()
    callee["form"] = {
        "rootElementId": "root",
        "elements": {
            "root": {"id": "root", "type": "container", "data": {"layout": "column", "children": ["type"]}},
            "type": {
                "id": "type",
                "type": "node-field",
                "data": {"fieldIdentifier": {"nodeId": "blur", "fieldName": "blur_type"}},
            },
        },
    }
    assert [*exposed_inputs(WorkflowDefinition.from_dict(callee), templates)] == [field("blur", "blur_type")]


def test_what_is_not_an_input_of_the_called_workflow_is_not_exposed(templates: NodeTemplates) -> None:
    callee = blur_callee()
    callee["exposedFields"] += [
        {"nodeId": "gone", "fieldName": "radius"},
        {"nodeId": "blur", "fieldName": "gone"},
        # Only ever connected.
        {"nodeId": "return", "fieldName": "values"},
    ]
    # What the document lacks is not an input of its node, although the type has it.
    del next(n for n in callee["nodes"] if n["id"] == "blur")["data"]["inputs"]["board"]
    callee["exposedFields"].append({"nodeId": "blur", "fieldName": "board"})
    callee["nodes"].append({"id": "note", "type": "notes", "data": {}})
    callee["exposedFields"].append({"nodeId": "note", "fieldName": "text"})
    assert [*exposed_inputs(WorkflowDefinition.from_dict(callee), templates)] == [RADIUS, WIDTH]


def test_what_is_only_connected_is_not_exposed_even_if_the_document_has_it(templates: NodeTemplates) -> None:
    callee = blur_callee()
    returned = next(n for n in callee["nodes"] if n["id"] == "return")
    returned["data"]["inputs"]["values"] = {"name": "values", "label": ""}
    callee["exposedFields"].append({"nodeId": "return", "fieldName": "values"})
    assert [*exposed_inputs(WorkflowDefinition.from_dict(callee), templates)] == [RADIUS, WIDTH]


def test_an_exposed_input_is_described_as_the_caller_sees_it(templates: NodeTemplates) -> None:
    callee = labelled(blur_callee(radius=4.5), "blur", "radius", "How much")
    exposed = exposed_inputs(WorkflowDefinition.from_dict(callee), templates)[RADIUS]
    known = templates["img_blur"].inputs["radius"]
    assert (exposed.label, exposed.description, exposed.value) == ("How much", known.description, 4.5)
    assert exposed.template == dataclasses.replace(
        known, name=RADIUS, title="How much", description=known.description, input="any", is_hidden=False
    )


def test_a_value_and_its_input_stay_while_the_label_is_renewed(templates: NodeTemplates) -> None:
    callee = labelled(blur_callee(), "blur", "radius", "How much")
    document = labelled(caller("w", {RADIUS: 9.0}), "call", RADIUS, "Old label")
    call = Call(document, templates, made_with={"w": callee})
    assert (call.inputs["call", RADIUS].label, call.sent()[RADIUS]) == ("How much", 9.0)


def test_the_description_is_the_called_workflows_own_else_the_servers(templates: NodeTemplates) -> None:
    callee = blur_callee()
    next(n for n in callee["nodes"] if n["id"] == "blur")["data"]["inputs"]["radius"]["description"] = "How soft"
    call = Call(caller("w"), templates, made_with={"w": callee})
    assert call.inputs["call", RADIUS].description == "How soft"
    assert call.inputs["call", WIDTH].description == templates["blank_image"].inputs["width"].description


def test_a_note_with_the_id_of_a_call_node_is_left_alone(templates: NodeTemplates) -> None:
    note = {"id": "call", "type": "notes", "data": {"id": "call", "label": "", "notes": "x"}}
    document = caller("w-1", {})
    document["nodes"].insert(0, note)
    call = Call(document, templates, made_with={"w-1": blur_callee()})
    assert call.definition.to_dict()["nodes"][0]["data"] == note["data"]
    assert RADIUS in call.definition.nodes["call"].inputs


def test_nothing_is_changed_where_nothing_is_called(templates: NodeTemplates) -> None:
    definition = WorkflowDefinition.from_dict(blur_callee())
    assert with_called_inputs(definition, {}, templates) is definition


def test_a_document_is_not_changed_by_bringing_it_up_to_date(templates: NodeTemplates) -> None:
    document = caller("w")
    call = Call(copy.deepcopy(document), templates, made_with={"w": blur_callee()})
    assert RADIUS not in call.original.nodes["call"].inputs
    assert RADIUS in call.definition.nodes["call"].inputs


def test_no_workflow_is_chosen(templates: NodeTemplates) -> None:
    assert Call(caller(""), templates, made_with={}).problems() == [
        ("workflow_id", "no workflow is chosen; set it to the id of a saved workflow")
    ]


def test_a_workflow_that_is_gone(templates: NodeTemplates) -> None:
    ((name, why),) = Call(caller("w"), templates, made_with={"w": blur_callee()}, now={"w": None}).problems()
    assert name == "workflow_id"
    assert "'w' cannot be called: the server's library does not have it" in why


@pytest.mark.parametrize(("returns", "says"), [(0, "it has no workflow_return node"), (2, "workflow_return")])
def test_a_workflow_without_exactly_one_return_node(returns: int, says: str, templates: NodeTemplates) -> None:
    callee = blur_callee()
    callee["nodes"] = [n for n in callee["nodes"] if n["data"]["type"] != "workflow_return"]
    callee["nodes"] += [node(f"return{n}", "workflow_return", "1.0.0") for n in range(returns)]
    callee["edges"] = [e for e in callee["edges"] if e["target"] != "return"]
    ((name, why),) = Call(caller("w"), templates, made_with={"w": blur_callee()}, now={"w": callee}).problems()
    assert name == "workflow_id"
    assert says in why
    assert "'blurred' (w)" in why


def test_a_workflow_with_nodes_that_the_server_lacks(templates: NodeTemplates) -> None:
    callee = blur_callee()
    callee["nodes"].append(node("odd", "odd_node", "1.0.0"))
    ((name, why),) = Call(caller("w"), templates, made_with={"w": callee}).problems()
    assert (name, "'odd_node'" in why) == ("workflow_id", True)


def test_the_servers_verdict_on_a_node_is_reported(templates: NodeTemplates) -> None:
    verdict = {"is_callable": False, "reason": "unsupported_node", "message": "no such batch"}
    assert read_called_workflow("w", "", blur_callee(), verdict, templates).fault == "no such batch"


def test_a_verdict_that_rests_on_placeholders_is_not(templates: NodeTemplates) -> None:
    verdict = {"is_callable": False, "reason": "unsupported_batch_input", "message": "an empty batch"}
    assert read_called_workflow("w", "", blur_callee(), verdict, templates).fault == ""


def test_a_document_that_is_not_a_workflow(templates: NodeTemplates) -> None:
    assert "cannot be read" in read_called_workflow("w", "odd", {"nodes": 1}, None, templates).fault


def test_an_exposed_input_that_was_taken_away(templates: NodeTemplates) -> None:
    fewer = blur_callee()
    fewer["exposedFields"] = [{"nodeId": "blank", "fieldName": "width"}]
    call = Call(caller("w", {RADIUS: 9.0}), templates, made_with={"w": blur_callee()}, now={"w": fewer})
    ((name, why),) = call.problems()
    assert (name, "no longer exposes it" in why) == (RADIUS, True)


def test_an_input_that_was_taken_away_is_none_of_its_callers_worry_without_a_value(templates: NodeTemplates) -> None:
    fewer = blur_callee()
    fewer["exposedFields"] = []
    call = Call(caller("w", {RADIUS: 9.0}), templates, made_with={"w": fewer})
    call.fields.get("call", RADIUS).value = None  # type: ignore[union-attr]
    assert (call.problems(), call.sent()) == ([], {})


def test_an_edge_into_an_input_that_was_taken_away(templates: NodeTemplates) -> None:
    document = Call(caller("w"), templates, made_with={"w": blur_callee()}).definition.to_dict()
    document["nodes"].append(node("number", "float", "1.0.1", value=3.0))
    document["edges"].append(edge("number", "value", "call", RADIUS))
    fewer = blur_callee()
    fewer["exposedFields"] = [{"nodeId": "blank", "fieldName": "width"}]
    call = Call(document, templates, made_with={"w": blur_callee()}, now={"w": fewer})
    assert [name for name, _ in call.problems()] == [RADIUS]


def retyped() -> dict[str, Any]:
    """`blur_callee` whose radius has become a text: another node has taken the place of the first."""
    nodes, edges = returning(
        node("blank", "blank_image", "1.2.2", width=64, height=64, mode="RGB"),
        node("blur", "string", "1.0.1", value="soft"),
        edges=[],
        value=("blank", "image"),
    )
    return workflow("blurred", nodes, edges, [("blur", "value"), ("blank", "width")])


def saved_with(callee: dict[str, Any], templates: NodeTemplates, **values: Any) -> dict[str, Any]:
    """A caller as the web UI would have saved it when the called workflow was like this."""
    return Call(caller("w", values), templates, made_with={"w": callee}).definition.to_dict()


def test_an_exposed_input_that_has_another_type_since_the_file_was_saved(templates: NodeTemplates) -> None:
    name = field("blur", "value")
    was = retyped()
    was["nodes"][1] = node("blur", "integer", "1.0.1", value=5)
    call = Call(saved_with(was, templates), templates, made_with={"w": retyped()})
    ((place, why),) = call.problems()
    assert (place, "saved with the type IntegerField" in why, "now takes StringField" in why) == (name, True, True)
    call.inputs["call", name].value = "soft"
    assert (call.problems(), call.sent()[name]) == ([], "soft")


def test_an_exposed_input_that_has_another_type_since_the_handle_was_made(templates: NodeTemplates) -> None:
    name = field("blur", "value")
    was = retyped()
    was["nodes"][1] = node("blur", "integer", "1.0.1", value=5)
    call = Call(caller("w"), templates, made_with={"w": was}, now={"w": retyped()})
    ((place, why),) = call.problems()
    assert (place, "create_workflow()" in why) == (name, True)


def needing_an_image(*, exposed: bool) -> dict[str, Any]:
    """`blur_callee` that takes the image to blur from its caller."""
    callee = blur_callee()
    callee["edges"] = [e for e in callee["edges"] if e["target"] != "blur"]
    next(n for n in callee["nodes"] if n["id"] == "blur")["data"]["inputs"]["image"] = {"name": "image", "label": ""}
    if exposed:
        callee["exposedFields"].append({"nodeId": "blur", "fieldName": "image"})
    return callee


def test_a_new_required_input(templates: NodeTemplates) -> None:
    call = Call(saved_with(blur_callee(), templates), templates, made_with={"w": needing_an_image(exposed=True)})
    assert call.problems() == [(IMAGE, "it needs a value")]
    call.inputs["call", IMAGE].value = "a.png"
    assert call.problems() == []


def test_a_new_required_input_since_the_handle_was_made(templates: NodeTemplates) -> None:
    call = Call(caller("w"), templates, made_with={"w": blur_callee()}, now={"w": needing_an_image(exposed=True)})
    ((place, why),) = call.problems()
    assert (place, "needs a value" in why, "create_workflow()" in why) == (IMAGE, True, True)


def test_a_called_workflow_lacks_a_value_that_its_caller_cannot_pass(templates: NodeTemplates) -> None:
    call = Call(caller("w"), templates, made_with={"w": needing_an_image(exposed=False)})
    ((place, why),) = call.problems()
    assert place == "workflow_id"
    assert "img_blur.image" in why


def calling(workflow_id: str) -> dict[str, Any]:
    nodes, edges = returning(
        node("inner", "call_saved_workflow", "1.0.0", workflow_id=workflow_id),
        node("got", "workflow_return_get", "1.0.0", key="result"),
        edges=[edge("inner", "values", "got", "values")],
        value=("got", "value"),
    )
    return workflow(f"calls {workflow_id}", nodes, edges)


def test_a_workflow_that_calls_one_that_is_gone(templates: NodeTemplates) -> None:
    call = Call(caller("w"), templates, made_with={}, now={"w": calling("v"), "v": calling("u"), "u": None})
    ((place, why),) = call.problems()
    assert place == "workflow_id"
    assert "'calls u' (v) calls another at its node 'inner'" in why


def test_workflows_that_call_each_other_are_looked_at_once(templates: NodeTemplates) -> None:
    # An `if` may end it; the server has a limit of its own.
    library: dict[str, Any] = {"w": calling("v"), "v": calling("u"), "u": calling("v")}
    assert Call(caller("w"), templates, made_with={}, now=library).problems() == []


def test_a_workflow_that_an_edge_chooses_is_not_known_beforehand(templates: NodeTemplates) -> None:
    document = caller("")
    document["nodes"].append(node("which", "string", "1.0.1", value="w"))
    document["edges"].append(edge("which", "value", "call", "workflow_id"))
    assert Call(document, templates, made_with={}).problems() == []


@pytest.mark.parametrize(("radius", "told"), [(9.0, True), (2.0, False)])
def test_values_that_a_called_workflow_saved_for_a_further_call_are_lost(
    radius: float, told: bool, templates: NodeTemplates
) -> None:
    middle = calling("v")
    call = next(n for n in middle["nodes"] if n["id"] == "inner")
    call["data"]["inputs"][RADIUS] = {"name": RADIUS, "label": "", "value": radius}
    now = Call(caller("w"), templates, made_with={}, now={"w": middle, "v": blur_callee(radius=2.0)}).now
    warnings = [*ignored_inputs(now, templates)]
    assert [("'Radius'" in one, "'inner'" in one) for one in warnings] == [(True, True)] * told


def test_what_comes_over_an_edge_to_a_further_call_is_not_lost(templates: NodeTemplates) -> None:
    middle = calling("v")
    call = next(n for n in middle["nodes"] if n["id"] == "inner")
    call["data"]["inputs"][RADIUS] = {"name": RADIUS, "label": "", "value": 9.0}
    middle["nodes"].append(node("number", "float", "1.0.1", value=3.0))
    middle["edges"].append(edge("number", "value", "inner", RADIUS))
    now = Call(caller("w"), templates, made_with={}, now={"w": middle, "v": blur_callee(radius=2.0)}).now
    assert [*ignored_inputs(now, templates)] == []


# What they made


def result(path: NodePath, kind: str = "img_blur", *, intermediate: bool = False, **value: Any) -> NodeResult:
    return NodeResult(path=path, node_type=kind, is_intermediate=intermediate, result=value, board_id="b")


def test_a_called_workflow_has_output_nodes_of_its_own(templates: NodeTemplates) -> None:
    call = Call(caller("w"), templates, made_with={"w": blur_callee()})
    own, called = map_outputs(
        call.definition,
        templates,
        call.inputs,
        [("blur", {"image": {"image_name": "own.png"}})],
        {},
        [
            result(NodePath("blank", ("call",)), "blank_image", intermediate=True, image={"image_name": "blank.png"}),
            result(NodePath("blur", ("call",)), image={"image_name": "one.png"}),
            result(NodePath("value", ("call",)), "workflow_return_value", value=1),
            # The callee has batch nodes: it ran twice.
            result(NodePath("blur", ("call",)), image={"image_name": "two.png"}),
        ],
    )
    assert (str(own.path), own.image_names) == ("blur", ("own.png",))
    assert (str(called.path), called.image_names) == ("call/blur", ("one.png", "two.png"))
    assert (called.node_type, called.label, called.board_id, called.input_index) == (
        "img_blur",
        templates["img_blur"].title,
        "b",
        None,
    )


def test_images_without_a_document_are_those_that_are_not_intermediate(templates: NodeTemplates) -> None:
    inner = NodePath("blur", ("call", "inner"))
    assert images_in(
        [
            result(NodePath("blank"), "blank_image", intermediate=True, image={"image_name": "blank.png"}),
            result(NodePath("grid"), "grid", collection=[{"image_name": "a.png"}, {"image_name": "b.png"}]),
            result(inner, image={"image_name": "c.png"}),
        ]
    ) == {"a.png": NodePath("grid"), "b.png": NodePath("grid"), "c.png": inner}


def test_an_input_that_the_web_ui_hides_is_shown_if_it_is_exposed(templates: NodeTemplates) -> None:
    name = "gemini_image_generation"
    assert templates[name].inputs["mode"].is_hidden
    callee = blur_callee()
    callee["nodes"].append(node("g", name, templates[name].version, mode="txt2img"))
    callee["exposedFields"] = [{"nodeId": "g", "fieldName": "mode"}]
    (exposed,) = exposed_inputs(WorkflowDefinition.from_dict(callee), templates).values()
    assert not exposed.template.is_hidden


def test_every_call_is_checked(templates: NodeTemplates) -> None:
    document = caller("")
    calls = [
        node(name, "call_saved_workflow", "1.0.0", workflow_id=called) for name, called in (("x", "?"), ("y", "w"))
    ]
    document["nodes"] += [*calls, node("z", "call_saved_workflow", "1.0.0", workflow_id="")]
    definition = WorkflowDefinition.from_dict(document)
    fields = WorkflowFields(definition, templates)
    gone = {"w": CalledWorkflow("w", "", None, "it is gone")}
    problems = call_problems(definition, definition, templates, fields, fields.edges, gone)
    # Nothing is known of `?`, as on a server without call nodes.
    assert [(problem.place.node_id, problem.place.name) for problem in problems] == [
        ("call", "workflow_id"),
        ("y", "workflow_id"),
        ("z", "workflow_id"),
    ]
