"""The type, default and description of the dataclass field for an input."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from invokeai_py_client.codegen.form_snapshot import KEEP, choices_of
from invokeai_py_client.codegen.source_text import sentence
from invokeai_py_client.errors import InputValueError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_factory import RawField
from invokeai_py_client.workflow.fields import UNSET, Field, bounds
from invokeai_py_client.workflow.inputs import WorkflowInput
from invokeai_py_client.workflow.resource_fields import ModelField
from invokeai_py_client.workflow.templates import Cardinality, InputTemplate, is_model_type

REQUIRED = object()
"""Stands for a missing default: the workflow has no valid value."""

_TYPES = {
    "IntegerField": "int",
    "FloatField": "float",
    "BooleanField": "bool",
    "StringField": "str",
    "ColorField": "ColorLike",
    "BoundingBoxField": "BoxLike",
    "ImageField": "ImageInput",
    "VideoField": "VideoLike",
    "BoardField": "BoardLike",
    "LoRAField": "ModelLike",
    "SavedWorkflowField": "str",
    "StylePresetField": "str",
    "SystemPromptField": "str",
    "FloatGeneratorField": "Mapping[str, object]",
    "IntegerGeneratorField": "Mapping[str, object]",
    "StringGeneratorField": "Mapping[str, object]",
    "ImageGeneratorField": "Mapping[str, object]",
}
_NAMED = ("image_name", "video_name", "board_id", "style_preset_id", "system_prompt_id")


def literal_choices(definition: WorkflowDefinition, one: WorkflowInput) -> tuple[Any, ...]:
    """Return the choices of an input if they are valid in `Literal`; otherwise ()."""
    choices = choices_of(definition, one)
    return choices if all(isinstance(choice, str | int) for choice in choices) else ()


def type_of(one: WorkflowInput, choices_name: str) -> str:
    """Return the type of an input's values, without None.

    Args:
        one: the input.
        choices_name: the name of the type of its choices, "" if it has none.
    """
    kind = one.field.template.type
    if isinstance(one.field, RawField):
        return "object"
    plain = choices_name or ("ModelLike" if is_model_type(kind.name) else _TYPES.get(kind.name, "object"))
    if kind.cardinality is Cardinality.SINGLE:
        return plain
    return f"Sequence[{plain}]" if kind.cardinality is Cardinality.COLLECTION else f"{plain} | Sequence[{plain}]"


def default_of(field: Field[Any], choices: tuple[Any, ...]) -> object:
    """Return the workflow's value in a form that `literal` can write; KEEP if that is impossible; or REQUIRED."""
    if isinstance(field, ModelField) and (field.is_set or field.saved is not None):
        return KEEP
    if not field.is_set:
        if field.template.required:
            return REQUIRED
        return None if field.template.nullable else KEEP
    if field.fault() is not None:
        return REQUIRED
    value = _plain(field.raw)
    return value if (not choices or value in choices) and _takes(field, value) else KEEP


def description_of(definition: WorkflowDefinition, one: WorkflowInput, default: object) -> str:
    """Return the description of an input: its label, its valid values, and its purpose."""
    takes = _range_of(definition, one) or _models_of(one.field)
    words = sentence(f"{one.label}: {takes}" if takes else one.label)
    if one.description and one.description.strip().rstrip(".") != one.label:
        words += f" {sentence(one.description)}"
    saved = one.field.saved if isinstance(one.field, ModelField) else None
    if saved is not None:
        words += f" {sentence(f'The workflow has {saved}')}"
    elif default is REQUIRED and one.field.is_set:
        words += f" {sentence(f'The value of the workflow cannot be used: {one.field.fault()}')}"
    return words


def _range_of(definition: WorkflowDefinition, one: WorkflowInput) -> str:
    template = one.field.template
    settings = definition.form_settings.get((one.node_id, one.field_name), {})
    if template.type.name not in ("IntegerField", "FloatField"):
        return _lengths_of(template)
    narrowed = dataclasses.replace(
        template,
        minimum=max(_given(template.minimum, settings.get("min")), default=None),
        maximum=min(_given(template.maximum, settings.get("max")), default=None),
    )
    return bounds(narrowed).strip()


def _given(*numbers: float | None) -> list[float]:
    return [number for number in numbers if number is not None]


def _lengths_of(template: InputTemplate) -> str:
    is_list = template.type.cardinality is not Cardinality.SINGLE
    low, high = (template.min_items, template.max_items) if is_list else (template.min_length, template.max_length)
    unit = "elements" if is_list else "characters"
    parts = [f"at least {low} {unit}"] if low else []
    return ", ".join(parts + ([f"at most {high} {unit}"] if high is not None else []))


def _models_of(field: Field[Any]) -> str:
    if not isinstance(field, ModelField) or not (field.types or field.bases):
        return ""
    kinds = " or ".join(field.types) or "model"
    return f"type {kinds}" + (f", base {' or '.join(field.bases)}" if field.bases else "")


def _plain(value: Any) -> object:
    """Convert a value in a file to a string, number or tuple that the input also accepts; KEEP if there is none."""
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        parts = tuple(map(_plain, value))
        return KEEP if KEEP in parts else parts
    if isinstance(value, Mapping):
        if set(value) == set("rgba"):
            digits = bytes(value[part] for part in "rgba").hex()
            return f"#{digits.removesuffix('ff') if len(digits) == 8 else digits}"
        if len(value) == 1 and (part := next(iter(value))) in _NAMED:
            # A string with a separator would be the path of an image.
            return KEEP if {"/", "\\"} & set(value[part]) else value[part]
    return KEEP


def _takes(field: Field[Any], value: object) -> bool:
    """Return whether a value can be assigned."""
    if value is KEEP or value is UNSET:
        return False
    before = field.snapshot()
    try:
        field.set(value)
    except InputValueError:
        return False
    finally:
        field.restore(before)
    return True
