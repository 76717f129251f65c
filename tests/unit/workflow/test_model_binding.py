from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_factory import field_for
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET, Field, FieldPlace
from invokeai_py_client.workflow.model_binding import ModelBinding, bind_models
from invokeai_py_client.workflow.references import ModelReference, SavedModel
from invokeai_py_client.workflow.resource_fields import ModelField
from invokeai_py_client.workflow.templates import Cardinality, FieldType, InputTemplate, NodeTemplates, unknown_input


def model(key: str, name: str = "dream", base: str = "sd-1", kind: str = "main", digest: str = "") -> dict[str, Any]:
    return {"key": key, "hash": digest or f"hash-{key}", "name": name, "base": base, "type": kind}


def bound(templates: NodeTemplates, wanted: Any, installed: list[dict[str, Any]], **rules: bool) -> str | None:
    field = ModelField(FieldPlace("n", "t", "", "model"), templates["main_model_loader"].inputs["model"], wanted)
    binding = bind_models([field], installed, **{"by_name": True, "by_base": True, **rules})
    assert len(binding) + len(binding.unbound) <= 1
    return None if binding.unbound or field.value is None else dict(field.raw)["key"]


WANTED = model("w", "dream", "sd-1", digest="dh")


@pytest.mark.parametrize(
    ("installed", "rules", "key"),
    [
        ([model("w"), model("x", digest="dh")], {}, "w"),
        ([model("x", digest="dh"), model("y", "dream")], {}, "x"),
        ([model("x", "dream"), model("y", "dream", "sd-2")], {}, "x"),
        ([model("y", "dream", "sd-2")], {}, "y"),
        ([model("y", "dream", "sd-2")], {"by_name": False}, None),
        ([model("z", "other"), model("y", "more", "sd-2")], {}, "z"),
        ([model("z", "other")], {"by_base": False}, None),
        ([model("z", "other"), model("y", "more")], {}, None),
        ([model("z", "dream", "flux")], {}, None),
        ([model("w", "dream", "sd-1", "vae")], {}, None),
        ([], {}, None),
    ],
)
def test_the_rules_go_in_their_order(
    templates: NodeTemplates, installed: list[dict[str, Any]], rules: dict[str, bool], key: str | None
) -> None:
    assert bound(templates, WANTED, installed, **rules) == key


def test_an_input_without_a_model_takes_the_only_one_that_fits(templates: NodeTemplates) -> None:
    assert bound(templates, UNSET, [model("a"), model("b", base="flux")]) == "a"
    assert bound(templates, UNSET, [model("a"), model("b")]) is None
    assert bound(templates, UNSET, [model("a")], by_base=False) is None


def test_what_is_right_already_is_not_a_change(templates: NodeTemplates) -> None:
    field = ModelField(FieldPlace("n", "t", "", "model"), templates["main_model_loader"].inputs["model"], model("a"))
    binding = bind_models([field], [model("a")], by_name=True, by_base=True)
    assert (len(binding), binding.unbound) == (0, ())
    assert not field.is_changed


OLD = {"model_name": "dream", "base_model": "sd-1", "model_type": "main"}


def of_file(templates: NodeTemplates, version: str, value: Any, declared: str = "MainModelField") -> ModelField:
    """The model field of a workflow file."""
    model_input = {"id": "x", "name": "model", "fieldKind": "input", "type": declared, "value": value}
    data = {"id": "m", "type": "main_model_loader", "version": "1.0.0", "inputs": {"model": model_input}}
    document = {
        "name": "old",
        "meta": {"version": version},
        "nodes": [{"id": "m", "type": "invocation", "data": data}],
        "edges": [],
    }
    definition = WorkflowDefinition.from_json(json.dumps(document))
    field = WorkflowFields(definition, templates).get("m", "model")
    assert isinstance(field, ModelField)
    return field


@pytest.mark.parametrize(
    ("version", "declared", "value"),
    [
        *((version, "MainModelField", OLD) for version in ("1.0.0", "2.0.0", "3.0.0", "4.0.0")),
        ("1.0.0", "VaeModelField", {"model_name": "dream", "base_model": "sd-1"}),
        ("2.0.0", "VAEModelField", {"model_name": "dream", "base_model": "sd-1"}),
        ("3.0.0", "ModelIdentifierField", {"name": "dream", "base": "sd-1"}),
        ("4.0.0", "ModelIdentifierField", {"name": "dream", "base_model": "sd-1", "model_type": "main"}),
    ],
)
def test_a_reference_of_an_old_format_is_bound_by_what_it_says(
    templates: NodeTemplates, version: str, declared: str, value: dict[str, str]
) -> None:
    field = of_file(templates, version, value, declared)
    assert field.saved is not None
    assert (field.saved.name, field.saved.base) == ("dream", "sd-1")
    installed = [model("x", "other"), model("y", "dream"), model("z", "dream", "sd-2")]
    (change,) = bind_models([field], installed, by_name=True, by_base=True)
    assert "'dream' (sd-1" in str(change)
    assert not change.is_renamed
    assert field.value == model("y", "dream")
    assert field.fault() is None


def test_an_old_reference_that_is_not_installed_is_named(templates: NodeTemplates) -> None:
    field = of_file(templates, "2.0.0", OLD)
    installed = [model("x", "other"), model("y", "more")]
    (unbound,) = bind_models([field], installed, by_name=True, by_base=True).unbound
    assert "'dream' (sd-1 main)" in str(unbound)
    assert unbound.wanted == {"name": "dream", "base": "sd-1", "type": "main"}


def test_what_the_user_sets_goes_before_the_old_reference(templates: NodeTemplates) -> None:
    field = of_file(templates, "2.0.0", OLD)
    field.value = model("x", "other")
    binding = bind_models([field], [model("x", "other"), model("y", "dream")], by_name=True, by_base=True)
    assert (len(binding), binding.unbound) == (0, ())


def test_a_change_of_the_name_is_reported(templates: NodeTemplates) -> None:
    template = templates["main_model_loader"].inputs["model"]

    def binding(wanted: Any, installed: dict[str, Any]) -> Any:
        field = ModelField(FieldPlace("n", "t", "", "model"), template, wanted)
        return bind_models([field], [installed], by_name=True, by_base=True)

    (renamed,) = binding(model("a", "dreamshaper-8"), model("b", "tiny")).renamed
    assert str(renamed).endswith("'dreamshaper-8' (sd-1 main) -> 'tiny' (sd-1 main)")
    assert binding(model("a", "dream"), model("b", "dream", "sd-2")).renamed == ()
    assert binding(UNSET, model("b", "tiny")).renamed == ()


def field(wanted: Any, name: str = "model", **template: Any) -> ModelField:
    known = dataclasses.replace(unknown_input(name), type=FieldType("ModelIdentifierField"), required=True)
    return ModelField(FieldPlace("n", "loader", "", name), dataclasses.replace(known, **template), wanted)


def bind(
    *fields: ModelField, installed: list[dict[str, Any]], by_name: bool = True, by_base: bool = True
) -> ModelBinding:
    return bind_models(fields, installed, by_name=by_name, by_base=by_base)


def test_every_input_is_bound_on_its_own() -> None:
    named = field(UNSET, "named")
    named.value = ModelReference("mine")
    optional = field(UNSET, "optional", required=False)
    gone = field(model("gone", "gone", "flux"), "gone")
    last = field(model("old", "dream"), "last")
    binding = bind(named, optional, gone, last, installed=[model("a", "dream"), model("b", "other")])
    assert [(change.place.name, dict(change.old or {}), dict(change.new)) for change in binding] == [
        ("last", model("old", "dream"), model("a", "dream"))
    ]
    assert [(one.place.name, one.wanted) for one in binding.unbound] == [("gone", model("gone", "gone", "flux"))]
    # The user has named one: it is looked up when the workflow is submitted.
    assert named.value == ModelReference("mine")
    assert not optional.is_set


@pytest.mark.parametrize(
    ("wanted", "installed", "why"),
    [
        (UNSET, [], "the server has no model; install one"),
        (
            UNSET,
            [model("a"), model("b", "other")],
            "it does not name a model, and 2 installed models are suitable: 'dream', 'other'",
        ),
        (model("x", "gone", "flux"), [model("a"), model("b")], "none of the 2 installed models"),
    ],
)
def test_what_cannot_be_bound_says_why(wanted: Any, installed: list[dict[str, Any]], why: str) -> None:
    (unbound,) = bind(field(wanted), installed=installed).unbound
    assert unbound.why.startswith(why)
    assert unbound.place.name == "model"
    assert why in str(unbound)


@pytest.mark.parametrize(
    ("wanted", "installed", "rules", "key"),
    [
        # By the type too, where one name stands for several models of a base.
        (model("w"), [model("a", kind="vae"), model("b"), model("c", "other")], {}, "b"),
        (model("w"), [model("a", kind="vae"), model("b", base="sd-2")], {}, None),
        (model("w", "gone"), [model("a", kind="vae"), model("b")], {}, "b"),
        (model("w", "gone"), [model("a", kind="vae"), model("b")], {"by_base": False}, None),
        (model("w", "gone"), [model("a", base="sd-2"), model("b")], {}, "b"),
        # A key is a key, whatever else it says.
        (model("a", "gone", "flux"), [model("a"), model("b")], {"by_name": False, "by_base": False}, "a"),
        (model("x", "gone", digest="hash-b"), [model("a"), model("b")], {"by_name": False, "by_base": False}, "b"),
        # Two of one key say nothing: the next rule decides.
        (model("a", "dream", digest="hash-c"), [model("a", "x"), model("a", "y"), model("c", "z")], {}, "c"),
    ],
)
def test_a_rule_that_leaves_one_model_decides(
    wanted: Any, installed: list[dict[str, Any]], rules: dict[str, bool], key: str | None
) -> None:
    one = field(wanted)
    bind(one, installed=installed, **rules)
    assert dict(one.raw)["key"] == (key or wanted["key"])


def test_a_reference_without_a_base_is_not_bound_by_its_type_alone() -> None:
    one = field(UNSET)
    one.saved = SavedModel(name="gone", type="main")
    assert bind(one, installed=[model("a")]).unbound
    assert not one.is_set


def test_what_a_value_says_beside_the_identity_stays() -> None:
    one = field({**model("old", "dream"), "submodel_type": "vae"})
    bind(one, installed=[model("a", "dream")])
    assert one.value == {**model("a", "dream"), "submodel_type": "vae"}


def test_a_binding_is_a_sequence_of_its_changes() -> None:
    binding = bind(field(model("old", "dream"), "one"), field(UNSET, "two"), installed=[model("a", "dream")])
    assert len(binding) == 2
    assert [str(change.place.name) for change in binding[:1]] == ["one"]
    assert binding[-1].old is None
    assert "one" in repr(binding)
    assert "two" in repr(binding)


def lora(key: str, name: str, base: str = "sd-1") -> dict[str, Any]:
    return model(key, name, base, "lora")


def loras_of(templates: NodeTemplates, value: Any, node_type: str = "lora_collection_loader") -> Field[Any]:
    """The input that takes LoRAs, of the only node of a workflow, among the inputs that are bound."""
    inputs = {"loras": {"name": "loras", "value": value}}
    data = {"id": "l", "type": node_type, "version": templates[node_type].version, "inputs": inputs}
    document = {
        "name": "loras",
        "meta": {"version": "3.0.0"},
        "nodes": [{"id": "l", "type": "invocation", "data": data}],
        "edges": [],
    }
    fields = WorkflowFields(WorkflowDefinition.from_dict(document), templates)
    (field,) = fields.of_models(fields.edges)
    return field


@pytest.mark.parametrize("node_type", ["lora_collection_loader", "krea2_lora_collection_loader"])
def test_each_lora_of_a_list_is_bound_and_keeps_its_weight(templates: NodeTemplates, node_type: str) -> None:
    gone = [{"lora": lora("old", "cats"), "weight": 0.5}, {"lora": lora("k", "dogs"), "weight": -1}]
    field = loras_of(templates, gone, node_type)
    installed = [lora("new", "cats"), lora("k", "dogs"), model("m", "cats")]
    (change,) = bind_models([field], installed, by_name=True, by_base=True)
    assert str(change).endswith("'cats' (sd-1 lora) -> 'cats' (sd-1 lora)")
    assert field.value == [
        {"lora": lora("new", "cats"), "weight": 0.5},
        {"lora": lora("k", "dogs"), "weight": -1},
    ]


def test_a_lora_of_a_list_that_is_not_installed_is_unbound(templates: NodeTemplates) -> None:
    value = [{"lora": lora("old", "cats"), "weight": 0.5}, {"lora": lora("older", "dogs"), "weight": 0.25}]
    field = loras_of(templates, value)
    binding = bind_models([field], [lora("new", "dogs"), lora("x", "birds")], by_name=True, by_base=True)
    assert [change.new["key"] for change in binding] == ["new"]
    assert [unbound.wanted for unbound in binding.unbound] == [lora("old", "cats")]
    assert field.value == [value[0], {"lora": lora("new", "dogs"), "weight": 0.25}]


def test_a_lora_of_another_base_is_not_taken_for_one_of_the_list(templates: NodeTemplates) -> None:
    field = loras_of(templates, [{"lora": lora("old", "cats"), "weight": 1}])
    binding = bind_models([field], [lora("new", "cats", "flux")], by_name=True, by_base=True)
    assert len(binding.unbound) == 1


def test_loras_that_the_user_names_are_left_alone(templates: NodeTemplates) -> None:
    field = loras_of(templates, [])
    assert not bind_models([field], [lora("a", "cats")], by_name=True, by_base=True).unbound
    assert not field.is_changed
    field.value = "cats"
    assert not bind_models([field], [], by_name=True, by_base=True).unbound
    field.value = lora("old", "cats")
    assert len(bind_models([field], [lora("a", "cats")], by_name=True, by_base=True)) == 1
    assert field.value == {"lora": lora("a", "cats"), "weight": 0.75}


def test_a_list_of_models_is_bound_one_by_one() -> None:
    kind = FieldType("ModelIdentifierField", Cardinality.COLLECTION)
    template = InputTemplate(
        name="models", title="Models", description="", type=kind, required=True, default=None, input="any"
    )
    field = field_for(FieldPlace("n", "t", "", "models"), template, [model("old"), model("b", "more")])
    bind_models([field], [model("a"), model("b", "more")], by_name=True, by_base=True)
    assert field.value == [model("a"), model("b", "more")]
