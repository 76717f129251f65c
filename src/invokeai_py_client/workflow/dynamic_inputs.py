"""Inputs that are described in the document instead of the node's template (`dynamicInputTemplates`).

A `call_saved_workflow` node has one for each input that the called workflow exposes. Its name is
`saved_workflow_input::<node id>::<field name>`, with the node and field of the called workflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.workflow.document import Node
from invokeai_py_client.workflow.json_values import copied
from invokeai_py_client.workflow.templates import (
    RESERVED_INPUTS,
    Cardinality,
    FieldType,
    InputTemplate,
    NodeTemplate,
)

CALL_NODE = "call_saved_workflow"
"""The type of the nodes that call a workflow of the server's library."""

CALLED_INPUT_PREFIX = "saved_workflow_input::"

_BOUNDS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusive_minimum": "exclusiveMinimum",
    "exclusive_maximum": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_items": "minItems",
    "max_items": "maxItems",
}


def called_input_name(node_id: str, field_name: str) -> str:
    """Return the name that a call node has for an input of the called workflow.

    Example:
        >>> called_input_name("blur", "radius")
        'saved_workflow_input::blur::radius'
    """
    return f"{CALLED_INPUT_PREFIX}{node_id}::{field_name}"


def is_called_input(node: Node, name: str) -> bool:
    """Return whether an input of a call node belongs to the called workflow."""
    return node.type == CALL_NODE and name.startswith(CALLED_INPUT_PREFIX)


def input_template(node: Node, template: NodeTemplate, name: str) -> InputTemplate | None:
    """Return the template of an input: the one in the document if there is one, otherwise that of the node's type."""
    return dynamic_template(node, name) or template.inputs.get(name)


def dynamic_template(node: Node, name: str) -> InputTemplate | None:
    """Return the template that the document has for an input; None if it is missing or malformed."""
    described: Any = node.data.get("dynamicInputTemplates")
    found = described.get(name) if isinstance(described, Mapping) and name not in RESERVED_INPUTS else None
    return _read(name, found) if isinstance(found, Mapping) and isinstance(found.get("type"), Mapping) else None


def template_as_json(template: InputTemplate) -> dict[str, Any]:
    """Return a template as the web UI writes it into `data.dynamicInputTemplates`."""
    written: dict[str, Any] = {
        "name": template.name,
        "title": template.title,
        "description": template.description,
        "fieldKind": "input",
        "input": template.input,
        "required": template.required,
        "ui_hidden": template.is_hidden,
        "type": {
            "name": template.type.name,
            "cardinality": template.type.cardinality.value,
            "batch": template.type.batch,
        },
    }
    if template.default is not None:
        written["default"] = copied(template.default)
    if template.options:
        written["options"] = list(template.options)
    if template.option_labels:
        written["ui_choice_labels"] = dict(template.option_labels)
    if template.model_bases:
        written["ui_model_base"] = list(template.model_bases)
    if template.model_types:
        written["ui_model_type"] = list(template.model_types)
    for ours, theirs in _BOUNDS.items():
        bound = getattr(template, ours)
        if bound is not None:
            written[theirs] = bound
    return written


def _read(name: str, described: Mapping[str, Any]) -> InputTemplate:
    labels, options = described.get("ui_choice_labels"), described.get("options")
    return InputTemplate(
        name=name,
        title=str(described.get("title") or name),
        description=str(described.get("description") or ""),
        type=_type(described["type"]),
        required=described.get("required") is True,
        default=described.get("default"),
        input=str(described.get("input") or "any"),
        # Without a value, the called workflow uses its own.
        nullable=described.get("required") is not True,
        options=tuple(options) if isinstance(options, list) else (),
        option_labels={option: label for option, label in labels.items() if isinstance(label, str)}
        if isinstance(labels, Mapping)
        else {},
        model_bases=_texts(described.get("ui_model_base")),
        model_types=_texts(described.get("ui_model_type")),
        is_hidden=described.get("ui_hidden") is True,
        **{ours: _number(described.get(theirs)) for ours, theirs in _BOUNDS.items()},
    )


def _type(described: Mapping[str, Any]) -> FieldType:
    cardinality = described.get("cardinality")
    known = {kind.value: kind for kind in Cardinality}
    return FieldType(
        str(described.get("name")),
        known.get(cardinality, Cardinality.SINGLE) if isinstance(cardinality, str) else Cardinality.SINGLE,
        batch=bool(described.get("batch")),
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
