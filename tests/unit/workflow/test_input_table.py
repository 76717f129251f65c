from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from tests.documents import edge, node

from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.input_table import InputTable, input_table, show
from invokeai_py_client.workflow.inputs import shown_inputs
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


def rows(
    templates: NodeTemplates, nodes: list[Any], shown: list[tuple[str, str]], edges: Any = ()
) -> list[tuple[str, ...]]:
    exposed = [{"nodeId": node_id, "fieldName": name} for node_id, name in shown]
    document = {**DOCUMENT, "nodes": nodes, "edges": [*edges], "exposedFields": exposed}
    definition = WorkflowDefinition.from_dict(document)
    return [*input_table(shown_inputs(definition, templates, WorkflowFields(definition, templates))).rows]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8", "utf-16"])
def test_it_is_printed_in_any_encoding(
    templates: NodeTemplates, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = node("n", "string", "1.0.1", value="ein Tiger 🐅 雪")
    table = InputTable(rows(templates, [text], [("n", "value")]))
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    monkeypatch.setattr(sys, "stdout", output)
    show(table)
    output.seek(0)
    printed = output.read()
    assert "ein Tiger" in printed
    assert ("🐅" if encoding.startswith("utf") else "\\U0001f405") in printed


def test_inputs_of_one_label_are_told_apart_by_their_nodes(templates: NodeTemplates) -> None:
    nodes = [node(name, "compel", "1.2.0", prompt="") for name in ("a", "b", "c")]
    nodes[0]["data"]["label"] = "Positive"
    nodes.append(node("n", "noise", "1.0.3", width=64))
    shown = [("a", "prompt"), ("b", "prompt"), ("c", "prompt"), ("n", "width")]
    assert [row[1] for row in rows(templates, nodes, shown)] == [
        "Prompt (Positive)",
        "Prompt (compel b)",
        "Prompt (compel c)",
        "Width",
    ]


def test_bases_and_types_edges_and_models_that_are_not_bound_are_shown(templates: NodeTemplates) -> None:
    old = {"model_name": "dreamshaper", "base_model": "sd-1", "model_type": "main"}
    nodes = [
        node("m", "main_model_loader", "1.0.4", model=old),
        node("r", "rand_int", "1.0.1"),
        node("n", "noise", "1.0.3", seed=1),
    ]
    (model, seed) = rows(templates, nodes, [("m", "model"), ("n", "seed")], [edge("r", "value", "n", "seed")])
    assert model[3] == "base: sd-1, sd-2; type: main"
    assert model[5] == "'dreamshaper' (sd-1 main), not bound"
    assert seed[5] == "<- r.value"
