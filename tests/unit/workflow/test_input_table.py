from __future__ import annotations

import json

import pytest

from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.input_table import input_table, show
from invokeai_py_client.workflow.inputs import WorkflowFields, shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

NODE = {
    "id": "n",
    "type": "invocation",
    "data": {
        "id": "n",
        "type": "blank_image",
        "inputs": {
            "width": {"name": "width", "label": "How <wide>", "value": 64},
            "mode": {"name": "mode", "label": "", "value": "RGB"},
        },
    },
}
DOCUMENT = {
    "meta": {"version": "3.0.0"},
    "nodes": [NODE],
    "edges": [],
    "exposedFields": [{"nodeId": "n", "fieldName": "width"}, {"nodeId": "n", "fieldName": "mode"}],
}


def test_it_shows_index_label_type_choices_default_and_current(
    templates: NodeTemplates, capsys: pytest.CaptureFixture[str]
) -> None:
    definition = WorkflowDefinition.from_json(json.dumps(DOCUMENT))
    table = input_table(shown_inputs(definition, templates, WorkflowFields(definition, templates)))
    assert [*table.rows] == [
        ("0", "How <wide>", "Integer", "", "512", "64"),
        ("1", "Mode", "Enum", "RGB, RGBA", "RGB", "RGB"),
    ]
    show(table)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["#", "Input", "Type", "Takes", "Default", "Current"]
    assert lines[2].split() == ["0", "How", "<wide>", "Integer", "512", "64"]
    assert "How &lt;wide&gt;" in table._repr_html_()
