"""The values of a workflow's fields: those of its document, and those that one handle gives them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.documents import edge, node

from invokeai_py_client.errors import InputConnectedError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_factory import RawField
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET, Field, FieldPlace, IntegerField
from invokeai_py_client.workflow.references import SavedModel
from invokeai_py_client.workflow.resource_fields import ModelField
from invokeai_py_client.workflow.templates import NodeTemplates

MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sd-1", "type": "main"}
NOTES: dict[str, Any] = {"id": "note", "type": "notes", "data": {}}
NOISE = "1.1.0"


def load(
    templates: NodeTemplates, *nodes: dict[str, Any], edges: Any = ()
) -> tuple[WorkflowDefinition, WorkflowFields]:
    definition = WorkflowDefinition.from_dict({"meta": {"version": "3.0.0"}, "nodes": [*nodes], "edges": [*edges]})
    return definition, WorkflowFields(definition, templates)


def the_field(fields: WorkflowFields, node_id: str, name: str) -> Field[Any]:
    found = fields.get(node_id, name)
    assert found is not None
    return found


@pytest.fixture
def fed(templates: NodeTemplates) -> WorkflowFields:
    """A noise node whose seed is fed by one node, and its width by two of which the second does not hold."""
    nodes = [
        node("r", "rand_int", "1.0.1"),
        node("i", "integer", "1.0.1", value=64),
        node("n", "noise", NOISE, seed=1, width=64, height=64),
    ]
    edges = [edge("r", "value", "n", "seed"), edge("i", "value", "n", "width"), edge("r", "value", "n", "width")]
    return load(templates, *nodes, edges=edges)[1]


def test_a_field_is_made_once_and_holds_what_the_document_has(templates: NodeTemplates) -> None:
    _, fields = load(templates, node("n", "noise", NOISE, width=64))
    width = the_field(fields, "n", "width")
    assert isinstance(width, IntegerField)
    assert fields.get("n", "width") is width
    assert (width.raw, width.place) == (64, FieldPlace("n", "noise", "", "width", "Width"))
    assert [*fields.made()] == [width]


def test_an_input_that_only_the_type_has_can_be_set(templates: NodeTemplates) -> None:
    definition, fields = load(templates, node("n", "noise", NOISE, width=64))
    seed = the_field(fields, "n", "seed")
    assert seed.raw is UNSET
    assert fields.added() == {}
    seed.value = 5
    assert fields.added() == {id(definition.nodes["n"]): ["seed"]}
    assert [*fields.changed()] == [("n", "seed", 5)]


@pytest.mark.parametrize(("node_id", "name"), [("gone", "width"), ("n", "gone"), ("note", "width"), ("unknown", "new")])
def test_what_neither_the_document_nor_the_type_has_is_not_a_field(
    templates: NodeTemplates, node_id: str, name: str
) -> None:
    _, fields = load(templates, node("n", "noise", NOISE, width=64), NOTES, node("unknown", "gone", "1.0.0", old=1))
    assert fields.get(node_id, name) is None
    assert [*fields.made()] == []


@pytest.mark.parametrize(("node_type", "name"), [("gone", "old"), ("noise", "old")])
def test_an_input_that_the_server_does_not_know_is_raw_json(
    templates: NodeTemplates, node_type: str, name: str
) -> None:
    values: dict[str, Any] = {name: [1, 2]}
    _, fields = load(templates, node("n", node_type, NOISE, **values))
    found = the_field(fields, "n", name)
    assert isinstance(found, RawField)
    assert (found.raw, found.place.label) == ([1, 2], "")


def test_the_label_of_an_input_is_its_own_else_that_of_its_type(templates: NodeTemplates) -> None:
    named = node("n", "noise", NOISE, width=64, height=64)
    named["data"]["label"] = "Start"
    named["data"]["inputs"]["width"]["label"] = "How wide"
    definition, fields = load(templates, named, node("u", "gone", "1.0.0", old=1))
    one = definition.nodes["n"]
    assert fields.place(one, "width") == FieldPlace("n", "noise", "Start", "width", "How wide")
    assert fields.place(one, "height").label == "Height"
    assert fields.place(one, "seed").label == "Seed"
    assert fields.place(definition.nodes["u"], "old").label == ""
    assert fields.title_of(one) == templates["noise"].title
    assert fields.title_of(definition.nodes["u"]) == "gone"


def test_the_names_of_a_node_are_those_of_the_document_then_those_of_its_type(templates: NodeTemplates) -> None:
    definition, fields = load(templates, node("n", "noise", NOISE, old=1, seed=1), node("u", "gone", "1.0.0", b=1, a=2))
    names = fields.names_of(definition.nodes["n"])
    assert names[:2] == ["old", "seed"]
    assert sorted(names) == sorted({"old", *templates["noise"].inputs})
    assert fields.names_of(definition.nodes["u"]) == ["b", "a"]


def test_a_field_that_an_edge_feeds_knows_it(fed: WorkflowFields) -> None:
    assert [str(one) for one in fed.into("n", "seed")] == ["r.value -> n.seed"]
    assert [str(one) for one in fed.into("n", "width")] == ["i.value -> n.width"]
    assert fed.into("n", "height") == ()
    assert [str(one) for one in fed.edges] == ["r.value -> n.seed", "i.value -> n.width"]
    assert the_field(fed, "n", "seed").edge == fed.edges[0]


def test_an_edge_that_does_not_hold_says_why(fed: WorkflowFields) -> None:
    (dropped,) = fed.dropped_edges
    assert fed.why_dropped("n", "width") == str(dropped)
    assert str(dropped) == f"the edge r.value -> n.width is ignored: {dropped.why}"
    assert fed.why_dropped("n", "seed") is None
    assert fed.why_dropped("n", "height") is None


def test_a_value_may_override_an_edge_and_give_it_back(fed: WorkflowFields) -> None:
    seed = the_field(fed, "n", "seed")
    seed.set(7, override_edge=True)
    assert fed.is_overridden("n", "seed")
    assert not fed.is_overridden("n", "width")
    assert fed.into("n", "seed") == ()
    assert [str(one) for one in fed.edges] == ["i.value -> n.width"]
    # All edges of the node that fed it are overridden now.
    assert fed.is_cut_off("r")
    assert not fed.is_cut_off("i")
    seed.reset()
    assert not fed.is_overridden("n", "seed")
    assert len(fed.edges) == 2
    assert not fed.is_cut_off("r")


def test_a_restored_field_overrides_its_edge_if_it_did(fed: WorkflowFields) -> None:
    seed = the_field(fed, "n", "seed")
    as_in_the_file = seed.snapshot()
    seed.set(7, override_edge=True)
    overriding = seed.snapshot()
    for state, is_overridden in ((as_in_the_file, False), (overriding, True), (as_in_the_file, False)):
        seed.restore(state)
        assert fed.is_overridden("n", "seed") is is_overridden


def test_a_node_is_cut_off_only_if_all_its_edges_are_overridden(templates: NodeTemplates) -> None:
    nodes = [node("i", "integer", "1.0.1"), node("n", "noise", NOISE), node("alone", "integer", "1.0.1")]
    edges = [edge("i", "value", "n", "width"), edge("i", "value", "n", "height")]
    _, fields = load(templates, *nodes, edges=edges)
    fields.override("n", "width", removed=True)
    assert not fields.is_cut_off("i")
    fields.override("n", "height", removed=True)
    assert fields.is_cut_off("i")
    # A node without edges was never connected.
    assert not fields.is_cut_off("alone")


def test_a_snapshot_has_the_values_and_edges_of_its_moment(fed: WorkflowFields) -> None:
    seed = the_field(fed, "n", "seed")
    seed.set(7, override_edge=True)
    taken = fed.snapshot()
    seed.reset()
    the_field(fed, "n", "height").value = 128
    assert the_field(taken, "n", "seed").raw == 7
    assert the_field(taken, "n", "height").raw == 64
    assert taken.is_overridden("n", "seed")
    assert not fed.is_overridden("n", "seed")
    # A field of the snapshot is among its own edges.
    the_field(taken, "n", "seed").reset()
    assert the_field(taken, "n", "seed").edge is not None
    assert not taken.is_overridden("n", "seed")


def test_a_connector_that_nothing_feeds_brings_no_value(templates: NodeTemplates) -> None:
    nodes = [{"id": "c", "type": "connector", "data": {}}, node("n", "noise", NOISE, seed=1)]
    _, fields = load(templates, *nodes, edges=[edge("c", "out", "n", "seed")])
    assert len(fields.edges) == 1
    assert fields.into("n", "seed") == ()
    the_field(fields, "n", "seed").value = 5


def test_a_fault_is_found_in_what_the_file_holds_and_in_what_was_set(templates: NodeTemplates) -> None:
    _, fields = load(templates, node("n", "noise", NOISE, width=65, height=64))
    assert "a multiple of 8" in str(fields.fault_of("n", "width"))
    assert fields.fault_of("n", "height") is None
    assert fields.fault_of("n", "seed") is None
    assert fields.fault_of("n", "gone") is None
    # A field was not made for it, so that a large document costs little.
    assert [*fields.made()] == []
    width = the_field(fields, "n", "width")
    width.value = 64
    assert fields.fault_of("n", "width") is None
    width.reset()
    assert "a multiple of 8" in str(fields.fault_of("n", "width"))


def test_a_model_that_the_file_names_in_an_old_form_is_a_fault(templates: NodeTemplates) -> None:
    old = {"model_name": "dream", "base_model": "sd-1", "model_type": "main"}
    _, fields = load(templates, node("m", "main_model_loader", "9.0.0", model=old))
    assert "'dream' (sd-1 main)" in str(fields.fault_of("m", "model"))
    model = the_field(fields, "m", "model")
    assert isinstance(model, ModelField)
    assert model.saved == SavedModel("dream", "sd-1", "main")
    assert fields.given("m", "model")["name"] == "model"


def test_the_value_of_an_input_is_its_fields_else_the_documents(templates: NodeTemplates) -> None:
    definition, fields = load(templates, node("n", "noise", NOISE, width=64))
    inputs = fields.inputs_of(definition.nodes["n"])
    assert fields.value_of("n", "width", inputs["width"]) == 64
    assert fields.value_of("n", "seed", {}) is UNSET
    the_field(fields, "n", "width").value = 128
    the_field(fields, "n", "seed").value = 5
    assert fields.value_of("n", "width", inputs["width"]) == 128
    assert fields.value_of("n", "seed", {}) == 5


def test_where_ids_repeat_a_field_is_of_the_node_that_runs(templates: NodeTemplates) -> None:
    first, last = node("n", "noise", NOISE, width=64, mine=1), node("n", "noise", NOISE, width=128)
    definition, fields = load(templates, first, NOTES, last)
    nodes = [one for one in definition.all_nodes if one.kind == "invocation"]
    the_field(fields, "n", "width").value = 256
    values = [fields.value_of("n", "width", fields.inputs_of(one)["width"]) for one in nodes]
    assert values == [64, 256]
    # What only the first has is found there: the form means it.
    assert fields.given("n", "mine")["value"] == 1
    assert fields.given("n", "gone") == {}


def test_only_set_fields_are_changed(templates: NodeTemplates) -> None:
    _, fields = load(templates, node("n", "noise", NOISE, width=64, height=64))
    the_field(fields, "n", "height")
    the_field(fields, "n", "width").value = 128
    assert [*fields.changed()] == [("n", "width", 128)]
    assert [one.place.name for one in fields.made()] == ["height", "width"]


def test_the_model_fields_are_those_that_take_a_value(templates: NodeTemplates) -> None:
    nodes = [
        NOTES,
        node("unknown", "gone", "1.0.0", model=MODEL),
        node("m", "main_model_loader", templates["main_model_loader"].version),
        node("fed", "vae_loader", templates["vae_loader"].version, vae_model=MODEL),
        node("n", "noise", NOISE),
        node("last", "lora_selector", templates["lora_selector"].version),
    ]
    _, fields = load(templates, *nodes)
    wire = WorkflowDefinition.from_dict(
        {"meta": {"version": "3.0.0"}, "nodes": [], "edges": [edge("x", "model", "fed", "vae_model")]}
    ).edges
    assert [(one.place.node_id, one.place.name) for one in fields.of_models(wire)] == [("m", "model"), ("last", "lora")]
    assert len([*fields.of_models(())]) == 3


@pytest.mark.parametrize(
    ("node_type", "name", "saved", "held"),
    [
        ("img_blur", "image", {"image_name": " a ", "width": 3}, {"image_name": "a"}),
        ("img_blur", "image", None, UNSET),
        ("img_blur", "image", [1, "a"], UNSET),
        # Metadata may be anything.
        ("core_metadata", "mine", [2**60 + 1, "a"], [1152921504606847000, "a"]),
        (
            "image_generator",
            "generator",
            {"type": "image_generator_images_from_board", "board_id": "b", "x": 1},
            {"type": "image_generator_images_from_board", "board_id": "b", "category": "images"},
        ),
        ("image_generator", "generator", {"board_id": "b"}, {"board_id": "b"}),
    ],
)
def test_a_value_is_read_as_the_web_ui_reads_it(
    templates: NodeTemplates, node_type: str, name: str, saved: Any, held: Any
) -> None:
    definition, fields = load(templates, node("n", node_type, templates[node_type].version, **{name: saved}))
    given = fields.inputs_of(definition.nodes["n"])[name]
    assert given.get("value", UNSET) == held
    assert given["name"] == name


def test_an_older_node_has_the_inputs_of_the_servers_version(templates: NodeTemplates) -> None:
    definition, fields = load(templates, node("n", "noise", "1.0.0", width=64, old=1))
    inputs = fields.inputs_of(definition.nodes["n"])
    assert {name: given.get("value") for name, given in inputs.items()} == {
        "width": 64,
        "height": 512,
        "seed": 0,
        "use_cpu": True,
        "noise_type": "SD",
    }
    assert fields.inputs_of(definition.nodes["n"]) is inputs


def test_an_error_about_an_edge_names_the_input_and_the_edge(fed: WorkflowFields) -> None:
    with pytest.raises(InputConnectedError) as caught:
        the_field(fed, "n", "seed").value = 7
    error = caught.value
    assert (error.node_id, error.node_type, error.field, error.value) == ("n", "noise", "seed", 7)
    assert error.edge == "r.value -> n.seed"
    assert "override_edge=True" in error.hint


def test_a_value_overrides_no_edge_where_there_is_none(fed: WorkflowFields) -> None:
    height = the_field(fed, "n", "height")
    for override_edge in (False, True):
        height.set(128, override_edge=override_edge)
        assert not fed.is_overridden("n", "height")
    height.value = 64
    assert not height.is_changed
