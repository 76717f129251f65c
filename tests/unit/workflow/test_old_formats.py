"""Files of formats 1 and 2: a value is read by the type that the file declares for its input."""

from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.errors import WorkflowFileError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.old_formats import read_format_1, read_format_2
from invokeai_py_client.workflow.templates import NodeTemplates

IMAGE = {"image_name": "a.png"}
COLOR = {"r": 1, "g": 2, "b": 3, "a": 4}
MAIN = {"model_name": "dreamshaper", "base_model": "sd-1", "model_type": "main"}
TODAYS_MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sd-1", "type": "main"}


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("IntegerField", 3),
        ("FloatField", 1.5),
        ("StringField", ""),
        ("BooleanField", False),
        ("EnumField", "a"),
        ("ImageField", IMAGE),
        ("BoardField", {"board_id": "b"}),
        ("ColorField", COLOR),
        ("SchedulerField", "euler_a"),
        ("MainModelField", MAIN),
        ("LoRAModelField", {"model_name": "more", "base_model": "sdxl"}),
    ],
)
def test_format_2_keeps_what_is_of_the_declared_type(declared: str, value: Any) -> None:
    assert read_format_2(value, declared) == value


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("IntegerField", 1.5),
        ("IntegerField", [1, 2]),
        ("FloatField", "1"),
        ("StringField", 3),
        ("BooleanField", 0),
        ("ImageField", [IMAGE]),
        ("BoardField", "auto"),
        ("ColorField", {**COLOR, "a": 256}),
        # Not a scheduler of its day.
        ("SchedulerField", "dpmpp_3m_k"),
        ("MainModelField", TODAYS_MODEL),
        ("MainModelField", {**MAIN, "model_name": "ab"}),
        ("MainModelField", {**MAIN, "base_model": "flux"}),
        ("MainModelField", {**MAIN, "model_type": "onnx"}),
        # Types that had no widget had no value either.
        ("CollectionField", [1, 2]),
        ("AnyField", 3),
        ("ModelIdentifierField", TODAYS_MODEL),
        ("LatentsField", {"latents_name": "l"}),
        ("IntegerField", None),
    ],
)
def test_format_2_drops_what_is_not(declared: str, value: Any) -> None:
    assert read_format_2(value, declared) is UNSET


def test_format_2_trims_names_and_drops_what_a_schema_does_not_name() -> None:
    assert read_format_2({"image_name": " a.png ", "width": 3}, "ImageField") == IMAGE
    assert read_format_2({**MAIN, "hash": "h"}, "MainModelField") == MAIN


def test_what_kind_of_model_a_reference_names_is_kept_for_its_binding() -> None:
    vae = {"model_name": "better", "base_model": "sd-1", "model_type": "vae"}
    assert read_format_2(vae, "VAEModelField") == vae
    assert read_format_1(vae, "VaeModelField") == vae


@pytest.mark.parametrize(
    ("declared", "value", "read"),
    [
        ("integer", 3, 3),
        ("float", 3, 3),
        ("enum", "a", "a"),
        ("Scheduler", "lcm", "lcm"),
        ("ImagePolymorphic", IMAGE, IMAGE),
        ("ColorPolymorphic", COLOR, COLOR),
        ("MainModelField", MAIN, MAIN),
        # What a list, a reference to a result, or any value was is lost.
        ("IntegerCollection", [1, 2], UNSET),
        ("ColorPolymorphic", [COLOR], UNSET),
        ("Collection", [1, "a"], UNSET),
        ("CollectionItem", 3, UNSET),
        ("Any", {"a": 1}, UNSET),
        ("LatentsField", {"latents_name": "l", "seed": 1}, UNSET),
        ("ControlField", {"image": IMAGE, "control_model": MAIN, "control_weight": [1]}, UNSET),
        ("UNetField", {"unet": MAIN, "scheduler": MAIN, "loras": [{**MAIN, "weight": 1}]}, UNSET),
        ("MetadataItemPolymorphic", [{"label": "a", "value": None}], UNSET),
        ("MainModelField", {**MAIN, "model_type": "onnx"}, UNSET),
    ],
)
def test_format_1_reads_a_value_by_its_type_of_then(declared: str, value: Any, read: Any) -> None:
    assert read_format_1(value, declared) == read


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("integer", 1.5),
        ("integer", None),
        ("IntegerPolymorphic", [1]),
        ("FloatCollection", 1),
        ("string", 3),
        ("boolean", "true"),
        ("Scheduler", "dpmpp_3m_k"),
        ("MainModelField", TODAYS_MODEL),
        ("Collection", 3),
        ("LatentsField", {}),
        ("ControlField", {"image": IMAGE}),
    ],
)
def test_format_1_refuses_a_value_of_another_type_as_the_web_ui_does(declared: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"does not have its type '{declared}'"):
        read_format_1(value, declared)


def document(version: str, declared: Any, value: Any) -> dict[str, Any]:
    given = {"id": "i", "name": "a", "fieldKind": "input", "label": "", "type": declared, "value": value}
    data = {"id": "n", "type": "add", "version": "1.0.0", "inputs": {"a": given}, "outputs": {}}
    return {"meta": {"version": version}, "nodes": [{"id": "n", "type": "invocation", "data": data}], "edges": []}


def value_of(document: dict[str, Any], templates: NodeTemplates) -> Any:
    definition = WorkflowDefinition.from_dict(document)
    field = WorkflowFields(definition, templates).get("n", "a")
    assert field is not None
    return field.raw


def test_a_dropped_value_becomes_the_default_where_the_node_is_updated(templates: NodeTemplates) -> None:
    structured = {"name": "IntegerField", "isCollection": False, "isCollectionOrScalar": False}
    assert value_of(document("2.0.0", structured, 5), templates) == 5
    updated = document("2.0.0", structured, "five")
    assert value_of(updated, templates) == 0
    same = document("2.0.0", structured, "five")
    same["nodes"][0]["data"]["version"] = templates["add"].version
    assert value_of(same, templates) is UNSET


def test_a_value_whose_type_is_not_declared_is_read_as_todays_and_that_is_logged(
    templates: NodeTemplates, caplog: pytest.LogCaptureFixture
) -> None:
    assert value_of(document("2.0.0", None, 5), templates) == 5
    assert any("an input of format 2.0.0 does not declare its type" in message for message in caplog.messages)


def test_a_value_or_type_that_format_1_does_not_have_says_where_it_is() -> None:
    with pytest.raises(
        WorkflowFileError, match=r"nodes\[0\]\.data\.inputs\.a cannot be read: its value 'x' does not have"
    ):
        WorkflowDefinition.from_dict(document("1.0.0", "integer", "x"))
    with pytest.raises(WorkflowFileError, match=r"nodes\[0\]\.data\.inputs\.a has the type 'FancyField'"):
        WorkflowDefinition.from_dict(document("1.0.0", "FancyField", 1))
    made = document("1.0.0", "integer", 1)
    made["nodes"][0]["data"]["outputs"] = {"value": {"type": "FancyField"}}
    with pytest.raises(WorkflowFileError, match=r"outputs\.value has the type 'FancyField'"):
        WorkflowDefinition.from_dict(made)
