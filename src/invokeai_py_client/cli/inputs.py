"""`inputs`: what a workflow takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.workflow_argument import load, workflow_argument

if TYPE_CHECKING:
    from invokeai_py_client.workflow.inputs import WorkflowInput

_JSON_TYPES = {"IntegerField": "integer", "FloatField": "number", "BooleanField": "boolean"}


@click.command(
    "inputs",
    cls=Command,
    help="""List the inputs of a workflow's form: what --set of the command run takes.""",
    example="invokeai-client inputs workflow.json",
)
@workflow_argument
@click.option("--all", "is_all", is_flag=True, help="List the inputs of all nodes, not only those of the form.")
@click.option("--json-schema", is_flag=True, help="Print a JSON Schema of the values, by label.")
@with_session
def command(session: Session, workflow: str, is_all: bool, json_schema: bool) -> None:
    """List the inputs of a workflow."""
    output = session.output
    wf = session.client.workflow_repo.create_workflow(load(session, workflow))
    entries = [*wf.inputs]
    if is_all:
        entries += [one for node in wf.nodes for one in node.inputs if one.index is None]
    if json_schema:
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": wf.definition.name,
            "type": "object",
            "properties": {key_of(entry): _schema(entry) for entry in entries},
            "additionalProperties": False,
        }
        output.done(schema, quiet=[key_of(entry) for entry in entries], human=lambda: output.line(schema))
        return
    rows = [_row(entry) for entry in entries]
    output.done(
        {"workflow": wf.definition.name, "inputs": rows},
        quiet=[row["key"] for row in rows],
        human=lambda: output.table(
            ("#", "Key", "Type", "Takes", "Value"),
            [(row["index"], row["key"], row["type"], _takes(row), _value(row)) for row in rows],
        ),
    )


def key_of(entry: WorkflowInput) -> str:
    """Return what `--set` takes for an input: its label if the form shows it, else `node.field`."""
    return entry.label if entry.index is not None else f"{entry.node_id}.{entry.field_name}"


def _row(entry: WorkflowInput) -> dict[str, Any]:
    template = entry.field.template
    return {
        "index": entry.index,
        "key": key_of(entry),
        "label": entry.label,
        "node_id": entry.node_id,
        "field": entry.field_name,
        "type": entry.type_name,
        "required": entry.required,
        "options": [*template.options],
        "minimum": template.minimum,
        "maximum": template.maximum,
        "value": entry.value,
        "connected_to": None if entry.edge is None else f"{entry.edge.source}.{entry.edge.source_field}",
    }


def _takes(row: dict[str, Any]) -> str:
    if row["options"]:
        return ", ".join(map(str, row["options"]))
    bounds = [f">= {row['minimum']:g}"] if row["minimum"] is not None else []
    return ", ".join(bounds + ([f"<= {row['maximum']:g}"] if row["maximum"] is not None else []))


def _value(row: dict[str, Any]) -> object:
    value = row["value"]
    if row["connected_to"]:
        return f"<- {row['connected_to']}"
    if isinstance(value, dict):
        return value.get("name") or value.get("image_name") or value.get("board_id") or value
    return value


def _schema(entry: WorkflowInput) -> dict[str, Any]:
    template = entry.field.template
    schema: dict[str, Any] = {"title": entry.label, "description": f"{entry.node_id}.{entry.field_name}"}
    if template.options:
        schema["enum"] = [*template.options]
    elif kind := _JSON_TYPES.get(entry.type_name):
        schema["type"] = kind
    elif entry.type_name == "StringField":
        schema["type"] = "string"
    for name, bound in (
        ("minimum", template.minimum),
        ("maximum", template.maximum),
        ("exclusiveMinimum", template.exclusive_minimum),
        ("exclusiveMaximum", template.exclusive_maximum),
        ("multipleOf", template.multiple_of),
    ):
        if bound is not None:
            schema[name] = bound
    if isinstance(entry.value, str | int | float | bool):
        schema["default"] = entry.value
    return schema
