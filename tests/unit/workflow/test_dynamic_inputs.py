"""Inputs that a document describes itself: those of a called workflow."""

from __future__ import annotations

from typing import Any

import pytest
from tests.called_workflows import caller, field
from tests.documents import edge, node

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import dynamic_template, is_called_input, template_as_json
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.graph import build_graph, with_values
from invokeai_py_client.workflow.inputs import WorkflowInputs, shown_inputs
from invokeai_py_client.workflow.named_resources import named_resources
from invokeai_py_client.workflow.readiness import missing_inputs
from invokeai_py_client.workflow.references import ModelReference
from invokeai_py_client.workflow.templates import Cardinality, FieldType, InputTemplate, NodeTemplates

RADIUS = field("blur", "radius")
IMAGE = field("blur", "image")
MODEL = field("loader", "model")


def described(name: str, type_name: str, *, title: str = "", required: bool = False, **more: Any) -> dict[str, Any]:
    """A template as the web UI writes it."""
    return {
        "name": name,
        "title": title or name,
        "description": "",
        "fieldKind": "input",
        "input": "any",
        "required": required,
        "ui_hidden": False,
        "type": {"name": type_name, "cardinality": "SINGLE", "batch": False},
        **more,
    }


def document(described_inputs: dict[str, dict[str, Any]], **values: Any) -> dict[str, Any]:
    made = caller("w-1", values)
    call = made["nodes"][-1]["data"]
    call["dynamicInputTemplates"] = described_inputs
    for name in described_inputs:
        call["inputs"].setdefault(name, {"name": name, "label": ""})
    made["exposedFields"] = [{"nodeId": "call", "fieldName": name} for name in described_inputs]
    return made


class Loaded:
    def __init__(self, made: dict[str, Any], templates: NodeTemplates) -> None:
        self.definition = WorkflowDefinition.from_dict(made)
        self.templates = templates
        self.fields = WorkflowFields(self.definition, templates)
        self.inputs: WorkflowInputs = shown_inputs(self.definition, templates, self.fields)
        self.edges, self.dropped = kept_edges(self.definition, templates)

    def sent(self) -> dict[str, Any]:
        graph = build_graph(self.definition, self.templates, self.fields, self.edges).graph
        inputs: dict[str, Any] = graph["nodes"]["call"]["workflow_inputs"]
        return inputs


def test_an_exposed_input_of_a_called_workflow_is_a_typed_input(templates: NodeTemplates) -> None:
    loaded = Loaded(
        document({RADIUS: described(RADIUS, "FloatField", title="Radius", minimum=0)}, **{RADIUS: 2.5}), templates
    )
    (radius,) = loaded.inputs
    assert (radius.label, radius.type_name, radius.value) == ("Radius", "FloatField", 2.5)
    with pytest.raises(InputValueError, match="at least 0"):
        radius.value = -1
    radius.value = 7
    assert loaded.sent() == {RADIUS: 7}


def test_an_input_in_a_form_is_one_too(templates: NodeTemplates) -> None:
    made = document({RADIUS: described(RADIUS, "FloatField")})
    made["exposedFields"] = []
    made["form"] = {
        "rootElementId": "root",
        "elements": {
            "root": {"id": "root", "type": "container", "data": {"layout": "column", "children": ["radius"]}},
            "radius": {
                "id": "radius",
                "type": "node-field",
                "parentId": "root",
                "data": {"fieldIdentifier": {"nodeId": "call", "fieldName": RADIUS}},
            },
        },
    }
    assert [(i.node_id, i.field_name, i.type_name) for i in Loaded(made, templates).inputs] == [
        ("call", RADIUS, "FloatField")
    ]


def test_an_input_without_a_value_is_not_sent(templates: NodeTemplates) -> None:
    # The server would override what the called workflow has saved with null.
    loaded = Loaded(document({RADIUS: described(RADIUS, "FloatField")}), templates)
    assert loaded.sent() == {}
    loaded.inputs[0].value = 3.0
    assert loaded.sent() == {RADIUS: 3.0}
    loaded.inputs[0].field.reset()
    assert loaded.sent() == {}


def test_a_changed_value_goes_into_the_document_that_is_kept_with_the_images(templates: NodeTemplates) -> None:
    loaded = Loaded(document({RADIUS: described(RADIUS, "FloatField")}), templates)
    loaded.inputs[0].value = 3.0
    call = next(node for node in with_values(loaded.definition, loaded.fields)["nodes"] if node["id"] == "call")
    assert call["data"]["inputs"][RADIUS]["value"] == 3.0


def test_a_required_input_without_a_value_is_missing(templates: NodeTemplates) -> None:
    loaded = Loaded(document({IMAGE: described(IMAGE, "ImageField", required=True)}), templates)
    (problem,) = missing_inputs(loaded.definition, templates, loaded.fields)
    assert (problem.place.node_id, problem.place.name, problem.why) == ("call", IMAGE, "it needs a value")


def test_models_and_images_of_a_called_workflow_are_bound_and_looked_for(templates: NodeTemplates) -> None:
    model = {"key": "k", "hash": "h", "name": "n", "base": "sd-1", "type": "main"}
    loaded = Loaded(
        document(
            {
                MODEL: described(MODEL, "ModelIdentifierField", ui_model_base=["sd-1"], ui_model_type=["main"]),
                IMAGE: described(IMAGE, "ImageField"),
            },
            **{MODEL: model, IMAGE: {"image_name": "a.png"}},
        ),
        templates,
    )
    (bound,) = loaded.fields.of_models(loaded.edges)
    assert (bound.place.name, bound.template.model_bases, bound.template.model_types) == (MODEL, ("sd-1",), ("main",))
    named = named_resources(loaded.definition, templates, loaded.fields, loaded.edges)
    assert {(thing.kind, thing.name) for thing in named} == {("model", "k"), ("image", "a.png")}


def test_the_documents_description_of_an_input_comes_before_the_servers(templates: NodeTemplates) -> None:
    made = document({"workflow_id": described("workflow_id", "StringField", title="Which")})
    assert Loaded(made, templates).inputs[0].label == "Which"


@pytest.mark.parametrize("broken", [None, [], "text", {"type": None}, {"type": []}, {}])
def test_a_description_that_cannot_be_read_is_as_good_as_none(broken: Any, templates: NodeTemplates) -> None:
    made = document({RADIUS: broken}, **{RADIUS: 2})
    loaded = Loaded(made, templates)
    assert dynamic_template(loaded.definition.nodes["call"], RADIUS) is None
    assert loaded.inputs[("call", RADIUS)].type_name == "unknown"


def test_a_multiple_of_zero_bounds_nothing(templates: NodeTemplates) -> None:
    loaded = Loaded(document({RADIUS: described(RADIUS, "IntegerField", multipleOf=0, minimum=1)}), templates)
    loaded.inputs[0].value = 3
    with pytest.raises(InputValueError, match="at least 1"):
        loaded.inputs[0].value = 0


def test_odd_labels_bases_and_types_of_a_description_are_left_out(templates: NodeTemplates) -> None:
    enum = described(RADIUS, "EnumField", options=["p", "q"], ui_choice_labels={"p": ["l"], "q": "Q"})
    model = described(MODEL, "ModelIdentifierField", ui_model_base=[["x"], "sd-1"], ui_model_type=[{}, "main"])
    loaded = Loaded(document({RADIUS: enum, MODEL: model}), templates)
    loaded.inputs[0].value = "Q"
    assert loaded.inputs[0].value == "q"
    with pytest.raises(InputValueError, match="one of 'p', 'q'"):
        loaded.inputs[0].value = "l"
    loaded.inputs[1].value = "dream"
    assert loaded.inputs[1].value == ModelReference("dream", ("sd-1",), ("main",))


@pytest.mark.parametrize("name", ["id", "type", "use_cache"])
def test_what_every_node_has_is_not_an_input(name: str, templates: NodeTemplates) -> None:
    made = document({name: described(name, "IntegerField")}, **{name: 5})
    made["nodes"].append(node("add", "add", "1.0.1", a=1, b=2))
    made["edges"] = [edge("add", "value", "call", name)]
    loaded = Loaded(made, templates)
    assert dynamic_template(loaded.definition.nodes["call"], name) is None
    assert [*map(str, loaded.dropped)] == [
        f"the edge add.value -> call.{name} is ignored: a call_saved_workflow has no input {name!r}"
    ]
    assert loaded.sent() == {}


@pytest.mark.parametrize(
    ("node_type", "name"),
    [
        ("img_blur", "radius"),
        ("img_blur", "blur_type"),
        ("noise", "width"),
        ("denoise_latents", "scheduler"),
        ("denoise_latents", "cfg_scale"),
        ("main_model_loader", "model"),
        ("string_join", "string_left"),
        ("image_collection", "images"),
        ("save_image", "board"),
    ],
)
def test_a_written_template_is_read_back(node_type: str, name: str, templates: NodeTemplates) -> None:
    template = templates[node_type].inputs[name]
    made = document({name: template_as_json(template)})
    assert dynamic_template(WorkflowDefinition.from_dict(made).nodes["call"], name) == template


FULL = described(
    RADIUS,
    "FloatField",
    title="Radius",
    required=True,
    description="How wide.",
    input="direct",
    ui_hidden=True,
    default=2.5,
    options=["a", "b"],
    ui_choice_labels={"a": "First"},
    ui_model_base=["sd-1"],
    ui_model_type=["main"],
    minimum=1,
    maximum=2,
    exclusiveMinimum=3,
    exclusiveMaximum=4,
    multipleOf=5,
    minLength=6,
    maxLength=7,
    minItems=8,
    maxItems=9,
)


def read(description: dict[str, Any]) -> InputTemplate:
    call = WorkflowDefinition.from_dict(document({RADIUS: description})).nodes["call"]
    found = dynamic_template(call, RADIUS)
    assert found is not None
    return found


def test_a_description_is_read_whole_and_written_as_it_was() -> None:
    template = read({**FULL, "type": {"name": "FloatField", "cardinality": "COLLECTION", "batch": True}})
    assert template == InputTemplate(
        name=RADIUS,
        title="Radius",
        description="How wide.",
        type=FieldType("FloatField", Cardinality.COLLECTION, batch=True),
        required=True,
        default=2.5,
        input="direct",
        minimum=1,
        maximum=2,
        exclusive_minimum=3,
        exclusive_maximum=4,
        multiple_of=5,
        min_length=6,
        max_length=7,
        min_items=8,
        max_items=9,
        options=("a", "b"),
        option_labels={"a": "First"},
        model_bases=("sd-1",),
        model_types=("main",),
        is_hidden=True,
    )
    assert not template.nullable
    assert template_as_json(read(FULL)) == FULL


def test_what_a_description_lacks_is_filled_in() -> None:
    template = read({"type": {"name": "IntegerField"}})
    assert template == InputTemplate(
        name=RADIUS,
        title=RADIUS,
        description="",
        type=FieldType("IntegerField"),
        required=False,
        default=None,
        input="any",
    )
    # Without a value, the called workflow runs with its own.
    assert template.nullable
    assert template_as_json(template) == described(RADIUS, "IntegerField")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("required", "yes"),
        ("ui_hidden", 1),
        ("options", "ab"),
        ("ui_choice_labels", ["a"]),
        ("ui_model_base", "sd-1"),
        ("ui_model_type", {"main": 1}),
        ("minimum", "0"),
        ("maximum", True),
    ],
)
def test_a_part_of_a_wrong_type_is_as_good_as_absent(name: str, value: Any) -> None:
    assert read({**described(RADIUS, "FloatField"), name: value}) == read(described(RADIUS, "FloatField"))


@pytest.mark.parametrize(
    ("cardinality", "expected"),
    [
        ("SINGLE", Cardinality.SINGLE),
        ("COLLECTION", Cardinality.COLLECTION),
        ("SINGLE_OR_COLLECTION", Cardinality.SINGLE_OR_COLLECTION),
        ("MANY", Cardinality.SINGLE),
        (["COLLECTION"], Cardinality.SINGLE),
        (None, Cardinality.SINGLE),
    ],
)
def test_an_unknown_cardinality_is_one(cardinality: Any, expected: Cardinality) -> None:
    template = read({"type": {"name": "FloatField", "cardinality": cardinality}})
    assert template.type == FieldType("FloatField", expected)


def test_a_default_is_a_copy() -> None:
    template = read(described(RADIUS, "FloatField", default=[1]))
    template_as_json(template)["default"].append(2)
    assert template.default == [1]


@pytest.mark.parametrize(
    ("node_type", "name", "is_called"),
    [("call_saved_workflow", RADIUS, True), ("call_saved_workflow", "workflow_id", False), ("add", RADIUS, False)],
)
def test_an_input_of_a_called_workflow_is_known_by_its_name(node_type: str, name: str, is_called: bool) -> None:
    made = document({})
    made["nodes"][-1]["data"]["type"] = node_type
    assert is_called_input(WorkflowDefinition.from_dict(made).nodes["call"], name) is is_called
