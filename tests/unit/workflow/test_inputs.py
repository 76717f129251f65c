from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.documents import container, form, heading, shown

from invokeai_py_client.errors import InputNotFoundError, InputValueError, UnknownNodeError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.inputs import WorkflowFields, WorkflowInputs, check_nodes, set_all, shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates


def node(node_id: str, kind: str, label: str = "", **inputs: Any) -> dict[str, Any]:
    data = {"id": node_id, "type": kind, "version": "1.0.0", "label": label, "inputs": inputs}
    return {"id": node_id, "type": "invocation", "data": data}


DOCUMENT: dict[str, Any] = {
    "name": "two prompts",
    "meta": {"version": "3.0.0"},
    "nodes": [
        node("p", "compel", "Positive", prompt={"label": "Positive Prompt", "value": "a"}, clip={}),
        node("n", "compel", "Negative", prompt={"label": "Negative Prompt", "value": "b"}),
        node("x", "noise", "", width={"value": 64}, height={"value": 64}, seed={"label": "SEED", "value": 1}),
        node("y", "noise", "", width={"value": 64}),
    ],
    "edges": [],
    "exposedFields": [
        {"nodeId": "p", "fieldName": "prompt"},
        {"nodeId": "n", "fieldName": "prompt"},
        {"nodeId": "gone", "fieldName": "prompt"},
        {"nodeId": "p", "fieldName": "gone"},
        {"nodeId": "x", "fieldName": "width"},
        {"nodeId": "y", "fieldName": "width"},
        {"nodeId": "x", "fieldName": "seed"},
        {"nodeId": "x", "fieldName": "seed"},
    ],
}


@pytest.fixture
def inputs(templates: NodeTemplates) -> WorkflowInputs:
    definition = WorkflowDefinition.from_dict(DOCUMENT)
    return shown_inputs(definition, templates, WorkflowFields(definition, templates))


def test_the_exposed_fields_are_the_inputs_as_far_as_they_exist(inputs: WorkflowInputs) -> None:
    assert [(i.index, i.label) for i in inputs] == [
        (0, "Positive Prompt"),
        (1, "Negative Prompt"),
        (2, "Width"),
        (3, "Width"),
        (4, "SEED"),
        (5, "SEED"),
    ]
    assert inputs[4].field is inputs[5].field
    assert len(inputs) == 6
    assert [i.index for i in inputs[1:3]] == [1, 2]
    assert inputs[-1].label == "SEED"


def test_an_input_answers_to_its_label(inputs: WorkflowInputs) -> None:
    inputs["Positive Prompt"].value = "a tiger"
    assert inputs[0].field.value == "a tiger"
    inputs["seed"].value = 5
    assert inputs[4].value == 5
    inputs["x", "width"].value = 128
    assert inputs[2].value == 128
    assert inputs["Negative", "prompt"].index == 1
    with pytest.raises(InputValueError):
        inputs["seed"].value = "5"


def test_an_unknown_label_lists_the_choices_and_the_nearest(inputs: WorkflowInputs) -> None:
    with pytest.raises(InputNotFoundError, match="Did you mean 'Positive Prompt'") as caught:
        inputs["Positiv Promt"]
    assert len(caught.value.choices) == 6
    assert "Negative Prompt" in str(caught.value)


def test_an_ambiguous_label_lists_those_it_could_mean(inputs: WorkflowInputs) -> None:
    with pytest.raises(InputNotFoundError, match="2 inputs answer to 'Width'") as caught:
        inputs["Width"]
    assert len(caught.value.choices) == 2


def test_an_index_out_of_range_is_a_lookup_error(inputs: WorkflowInputs) -> None:
    for index in (6, -7, 10**30):
        with pytest.raises(LookupError):
            inputs[index]
    with pytest.raises(InputNotFoundError):
        inputs["x", "gone"]


def test_a_form_goes_before_exposed_fields(templates: NodeTemplates) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["form"] = form(container("root", "seed"), shown("seed", "x", "seed"))
    definition = WorkflowDefinition.from_dict(document)
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    assert [i.label for i in inputs] == ["SEED"]


def test_two_handles_of_one_document_have_values_of_their_own(templates: NodeTemplates) -> None:
    definition = WorkflowDefinition.from_dict(DOCUMENT)
    one, two = (shown_inputs(definition, templates, WorkflowFields(definition, templates)) for _ in range(2))
    one[0].value = "mine"
    assert two[0].value == "a"


def test_several_are_set_together_or_not_at_all(inputs: WorkflowInputs) -> None:
    set_all(inputs, {"Positive Prompt": "a tiger", 2: 128, ("y", "width"): 256})
    assert (inputs[0].value, inputs[2].value, inputs[3].value) == ("a tiger", 128, 256)
    with pytest.raises(InputValueError):
        set_all(inputs, {0: "a fox", 2: "wide"})
    with pytest.raises(InputNotFoundError):
        set_all(inputs, {"Positive Prompt": "a fox", "no such": 1})
    assert (inputs[0].value, inputs[2].value) == ("a tiger", 128)


def test_nodes_that_the_server_lacks_are_named(templates: NodeTemplates) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["nodes"][2]["data"]["type"] = "noize"
    with pytest.raises(UnknownNodeError, match=r"'noize' \(node x\).*noise") as caught:
        check_nodes(WorkflowDefinition.from_dict(document), templates)
    assert (caught.value.node_types, caught.value.node_ids) == (("noize",), ("x",))
    check_nodes(WorkflowDefinition.from_dict(DOCUMENT), templates)


def test_keys_of_a_wrong_shape_are_not_found(inputs: WorkflowInputs) -> None:
    odd: list[Any] = [("x", "width", "more"), ("x",), ([], {}), None, 1.5]
    for key in odd:
        with pytest.raises(InputNotFoundError):
            inputs[key]


def test_a_form_that_shows_no_field_hides_the_exposed_fields(templates: NodeTemplates) -> None:
    only_a_heading = form(container("root", "head"), heading("head"))
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "form": only_a_heading})
    assert len(shown_inputs(definition, templates, WorkflowFields(definition, templates))) == 0


def test_an_input_that_is_listed_twice_is_one_and_answers_to_its_label(inputs: WorkflowInputs) -> None:
    inputs["SEED"].value = 7
    assert (inputs[4].value, inputs[5].value) == (7, 7)
    assert inputs["x", "seed"].index == 4


def test_the_two_inputs_of_an_image_collection_are_shown_as_one_twice(templates: NodeTemplates) -> None:
    data = {
        "type": "image_collection",
        "version": templates["image_collection"].version,
        "inputs": {name: {"name": name, "label": ""} for name in ("collection", "images")},
    }
    document = {
        "meta": {"version": "3.0.0"},
        "nodes": [{"id": "c", "type": "invocation", "data": data}],
        "edges": [],
        "exposedFields": [{"nodeId": "c", "fieldName": name} for name in ("collection", "images")],
    }
    definition = WorkflowDefinition.from_dict(document)
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    assert [i.field_name for i in inputs] == ["images", "images"]


def test_an_exposed_field_of_a_node_that_is_no_invocation_shows_nothing(templates: NodeTemplates) -> None:
    nodes = [{"id": "a", "type": "notes", "data": {}}, *({**node, "id": "a"} for node in DOCUMENT["nodes"][:1])]
    exposed = [{"nodeId": "a", "fieldName": "prompt"}]
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "nodes": nodes, "exposedFields": exposed})
    assert len(shown_inputs(definition, templates, WorkflowFields(definition, templates))) == 0
    # A form, in contrast, means the first invocation.
    document = form(container("root", "p"), shown("p", "a", "prompt"))
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "nodes": nodes, "form": document})
    assert len(shown_inputs(definition, templates, WorkflowFields(definition, templates))) == 1
