"""`inputs`: what a workflow takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.workflow_argument import keys_of, load, node_name, workflow_argument

if TYPE_CHECKING:
    from invokeai_py_client.workflow.inputs import WorkflowInput, WorkflowInputs
    from invokeai_py_client.workflow.templates import InputTemplate

_JSON_TYPES = {"IntegerField": "integer", "FloatField": "number", "BooleanField": "boolean", "StringField": "string"}


@click.command(
    "inputs",
    cls=Command,
    help="""List the inputs of a workflow's form: what --set of the command run takes.

An input is named by its label, or by node.field where others have the same label or the form does not show it.""",
    example="invokeai-client inputs workflow.json",
)
@workflow_argument
@click.option("--all", "is_all", is_flag=True, help="List the inputs of all nodes, not only those of the form.")
@click.option("--json-schema", is_flag=True, help="Print a JSON Schema of the values, by key.")
@with_session
def command(session: Session, workflow: str, is_all: bool, json_schema: bool) -> None:
    """List the inputs of a workflow."""
    from invokeai_py_client.workflow.input_table import takes

    output = session.output
    definition = load(session, workflow)
    wf = session.client.workflow_repo.create_workflow(definition)
    entries = [*wf.inputs]
    if is_all:
        entries += [one for node in wf.nodes for one in node.inputs if one.index is None]
    keys = keys_of(wf.inputs, entries)
    if json_schema:
        free = [(key, entry) for key, entry in zip(keys, entries, strict=True) if entry.edge is None]
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": wf.definition.name,
            "type": "object",
            "properties": {key: _schema(entry) for key, entry in free},
            "required": [key for key, entry in free if entry.required and not entry.field.is_set],
            "additionalProperties": False,
        }
        output.done(schema, quiet=[key for key, _ in free], human=lambda: output.line(schema))
        return
    rows = [_row(key, entry) for key, entry in zip(keys, entries, strict=True)]
    output.done(
        {"workflow": wf.definition.name, "inputs": rows},
        quiet=keys,
        human=lambda: output.table(
            ("#", "Key", "Type", "Takes", "Value"),
            [
                (row["index"], row["key"], row["type"].replace("Field", ""), takes(entry), _value(wf.inputs, entry))
                for row, entry in zip(rows, entries, strict=True)
            ],
        ),
    )


def _row(key: str, entry: WorkflowInput) -> dict[str, Any]:
    template = entry.field.template
    return {
        "index": entry.index,
        "key": key,
        "label": entry.label,
        "node_id": entry.node_id,
        "field": entry.field_name,
        "type": entry.type_name,
        "required": entry.required,
        "options": [*template.options],
        "minimum": template.minimum,
        "maximum": template.maximum,
        "exclusive_minimum": template.exclusive_minimum,
        "exclusive_maximum": template.exclusive_maximum,
        "multiple_of": template.multiple_of,
        "model_bases": [*template.model_bases],
        "model_types": [*template.model_types],
        "value": entry.value,
        "connected_to": None if entry.edge is None else f"{entry.edge.source}.{entry.edge.source_field}",
    }


def _value(form: WorkflowInputs, entry: WorkflowInput) -> object:
    if entry.edge is not None:
        return f"<- {node_name(form, entry.edge.source)}.{entry.edge.source_field}"
    value = entry.value
    if isinstance(value, dict):
        return value.get("name") or value.get("image_name") or value.get("board_id") or value
    return value


def _schema(entry: WorkflowInput) -> dict[str, Any]:
    template = entry.field.template
    one = _schema_of_one(template)
    cardinality = template.type.cardinality
    many = {"type": "array", "items": one, **_given(minItems=template.min_items, maxItems=template.max_items)}
    schema = {"SINGLE": one, "COLLECTION": many, "SINGLE_OR_COLLECTION": {"anyOf": [one, many]}}[cardinality.value]
    schema = {"title": entry.label, "description": f"{entry.node_id}.{entry.field_name}", **schema}
    if isinstance(entry.value, str | int | float | list):
        schema["default"] = entry.value
    return schema


def _schema_of_one(template: InputTemplate) -> dict[str, Any]:
    if template.options:
        return {"enum": [*template.options]}
    kind = _JSON_TYPES.get(template.type.name)
    return _given(
        type=kind,
        minimum=template.minimum,
        maximum=template.maximum,
        exclusiveMinimum=template.exclusive_minimum,
        exclusiveMaximum=template.exclusive_maximum,
        multipleOf=template.multiple_of,
        minLength=template.min_length if kind == "string" else None,
        maxLength=template.max_length if kind == "string" else None,
    )


def _given(**parts: Any) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value is not None}
