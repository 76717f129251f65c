"""What scripts of client 1.1 do with inputs, fields, definitions and results."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

import pytest
from tests.documents import node

from invokeai_py_client import NodeTemplates, WorkflowDefinition, WorkflowInputs
from invokeai_py_client.errors import InputNotFoundError, InputValueError
from invokeai_py_client.live.state.queue_item import NodeOutput, QueueItem
from invokeai_py_client.workflow.field_factory import field_for
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import Field, FieldPlace, FloatField, IntegerField, SchedulerField
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.model_binding import bind_models
from invokeai_py_client.workflow.references import ModelReference
from invokeai_py_client.workflow.resource_fields import ModelField

TINY = {"key": "k", "hash": "h", "name": "tiny", "base": "sd-1", "type": "main"}


def field(templates: NodeTemplates, kind: str, name: str, value: Any) -> Field[Any]:
    return field_for(FieldPlace("id", kind, "", name), templates[kind].inputs[name], value)


def model_field(templates: NodeTemplates, value: Any = TINY) -> ModelField:
    found = field(templates, "main_model_loader", "model", value)
    assert isinstance(found, ModelField)
    return found


def inputs_of(templates: NodeTemplates) -> WorkflowInputs:
    document = {
        "meta": {"version": "3.0.0"},
        "nodes": [node("n", "noise", templates["noise"].version, width=8)],
        "edges": [],
        "exposedFields": [{"nodeId": "n", "fieldName": "width"}],
    }
    definition = WorkflowDefinition.from_dict(document)
    return shown_inputs(definition, templates, WorkflowFields(definition, templates))


def test_an_input_has_its_index_and_the_name_of_its_node(templates: NodeTemplates) -> None:
    (one,) = inputs_of(templates)
    assert (one.input_index, one.node_name) == (0, "noise")


def test_a_wrong_index_is_an_index_error(templates: NodeTemplates) -> None:
    with pytest.raises(IndexError) as caught:
        inputs_of(templates)[7]
    assert isinstance(caught.value, InputNotFoundError)


def test_the_changes_of_models_unpack(templates: NodeTemplates) -> None:
    one = model_field(templates, {**TINY, "key": "gone", "hash": "gone", "name": "dream"})
    for old, new in bind_models([one], [TINY], by_name=True, by_base=True):
        assert (old.name, new.name, new.key) == ("dream", "tiny", "k")
        assert json.dumps(new.to_dict())
    assert one.key == "k"
    for old, new in bind_models([model_field(templates, None)], [TINY], by_name=True, by_base=True):
        assert (old.name, new.name) == (None, "tiny")


def test_the_parts_of_a_model_are_read(templates: NodeTemplates) -> None:
    one = model_field(templates)
    assert {part: getattr(one, part) for part in TINY} == TINY
    none = model_field(templates, None)
    assert (none.key, none.name, none.base) == (None, None, None)


@pytest.mark.parametrize("part", ["key", "hash", "name"])
def test_setting_a_part_of_a_model_chooses_the_model(templates: NodeTemplates, part: str) -> None:
    one = model_field(templates)
    setattr(one, part, "other")
    assert isinstance(one.value, ModelReference)
    assert one.value.text == "other"
    assert one.name == "other"
    assert one.key is None


def test_base_and_type_narrow_down_what_was_chosen(templates: NodeTemplates) -> None:
    one = model_field(templates)
    one.key, one.hash, one.name, one.base, one.type = "k2", "h2", "dream", "sd-2", "main"
    assert one.value == ModelReference("dream", ("sd-2",), ("main",))
    assert (one.base, one.type) == ("sd-2", "main")


def test_base_and_type_alone_choose_no_model(templates: NodeTemplates) -> None:
    one = model_field(templates)
    one.base = "sd-1"
    with pytest.raises(InputValueError, match="set its key or name first"):
        one.base = "sdxl"
    one.name = "dream"
    with pytest.raises(InputValueError, match="a model of type main"):
        one.type = "vae"


def test_a_list_or_number_is_an_instance_of_a_number_field(templates: NodeTemplates) -> None:
    one = field(templates, "denoise_latents", "cfg_scale", 7.5)
    assert isinstance(one, FloatField)
    one.value = [7.5, 8]
    assert not isinstance(field(templates, "float_collection", "collection", [1.0]), FloatField)
    assert not isinstance(one, IntegerField)


def test_a_member_of_an_enumeration_is_its_text(templates: NodeTemplates) -> None:
    class Name(StrEnum):
        EULER_A = "euler_a"

    one = field(templates, "denoise_latents", "scheduler", "euler")
    one.value = Name.EULER_A
    assert type(one.value) is str


@pytest.mark.parametrize("name", ["euler_ancestral", "Euler-Ancestral", "euler ancestral"])
def test_another_name_of_a_scheduler_is_known(name: str) -> None:
    assert SchedulerField.normalize_alias(name) == "euler_a"
    assert SchedulerField.normalize_alias("dpmpp_2m") == "dpmpp_2m"


def test_a_definition_shows_its_metadata_and_form(templates: NodeTemplates) -> None:
    document = {"name": "a", "meta": {"version": "3.0.0", "category": "user"}, "nodes": [], "edges": []}
    definition = WorkflowDefinition.from_dict(document)
    assert definition.meta.get("category") == "user"
    assert isinstance(definition.form.get("elements", {}), dict)
    assert definition.to_json(indent=2).startswith('{\n  "')
    with pytest.raises(TypeError):
        definition.meta["author"] = "me"  # type: ignore[index]


def test_a_result_is_json_after_to_dict() -> None:
    item = QueueItem(
        item_id=1,
        batch_id="b",
        queue_id="default",
        outputs=(NodeOutput(node_id="n", invocation_id="i", result={"image": {"image_name": "a.png"}}),),
        children=(QueueItem(item_id=2, batch_id="b", queue_id="default"),),
    )
    plain = json.loads(json.dumps(item.to_dict()))
    assert plain["outputs"][0]["result"] == {"image": {"image_name": "a.png"}}
    assert plain["children"][0]["item_id"] == 2
    assert dict(item.items())["status"] == "pending"
