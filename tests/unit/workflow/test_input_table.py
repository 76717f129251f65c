from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

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
    assert "How &lt;wide&gt;" in table._repr_mimebundle_()["text/html"]


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


def test_inputs_of_one_label_are_distinguished_by_their_nodes(templates: NodeTemplates) -> None:
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


@pytest.mark.parametrize(
    ("node_type", "name", "value", "shown"),
    [
        ("noise", "width", 64, "64"),
        ("noise", "width", 0, "0"),
        ("compel", "prompt", "", ""),
        ("l2i", "tiled", False, "False"),
        ("l2i", "board", None, "-"),
        ("l2i", "board", {"board_id": "b"}, "b"),
        ("img_blur", "image", {"image_name": "a.png"}, "a.png"),
        ("video_frame_extract", "video", {"video_name": "v.mp4"}, "v.mp4"),
        ("blank_image", "color", {"r": 1, "g": 2, "b": 3, "a": 4}, "{'r': 1, 'g': 2, 'b': 3, 'a': 4}"),
        (
            "main_model_loader",
            "model",
            {"key": "k", "hash": "h", "name": "dream", "base": "sd-1", "type": "main"},
            "dream",
        ),
    ],
)
def test_a_value_is_shown_by_its_name(
    templates: NodeTemplates, node_type: str, name: str, value: Any, shown: str
) -> None:
    one = node("n", node_type, templates[node_type].version, **{name: value})
    if value is None:
        del one["data"]["inputs"][name]["value"]
    ((*_, current),) = rows(templates, [one], [("n", name)])
    assert current == shown


@pytest.mark.parametrize(
    ("node_type", "name", "takes"),
    [
        ("noise", "width", "above 0, a multiple of 8"),
        ("compel", "prompt", ""),
        ("img_blur", "blur_type", "gaussian, box"),
        ("lora_selector", "lora", "type: lora"),
    ],
)
def test_what_an_input_takes_is_shown(templates: NodeTemplates, node_type: str, name: str, takes: str) -> None:
    values: dict[str, Any] = {name: None}
    ((*_, shown, _, _),) = rows(templates, [node("n", node_type, "1.0.0", **values)], [("n", name)])
    assert shown == takes


def test_a_required_input_without_a_value_or_an_edge_is_marked(templates: NodeTemplates) -> None:
    version = templates["img_blur"].version
    nodes = [
        node("empty", "img_blur", version, image=None, radius=1),
        node("set", "img_blur", version, image={"image_name": "a"}),
        node("fed", "img_blur", version, image=None),
    ]
    shown = [("empty", "image"), ("empty", "radius"), ("set", "image"), ("fed", "image")]
    wires = [edge("set", "image", "fed", "image")]
    assert [row[1].endswith(" *") for row in rows(templates, nodes, shown, wires)] == [True, False, False, False]


def test_inputs_that_the_form_does_not_show_have_no_index(templates: NodeTemplates) -> None:
    definition = WorkflowDefinition.from_dict(DOCUMENT)
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    table = input_table(inputs.nodes["n"].inputs)
    assert {row[1]: row[0] for row in table.rows}["How <wide>"] == "0"
    assert {row[0] for row in table.rows} == {"", "0", "1"}


def row(*cells: str) -> tuple[str, ...]:
    return (*cells, *[""] * (6 - len(cells)))


def test_a_table_is_laid_out_in_columns() -> None:
    assert str(InputTable([row("0", "Steps", "Integer", "", "10", "30"), row("1", "x")])).splitlines() == [
        "#  Input  Type     Takes  Default  Current",
        "-  -----  -------  -----  -------  -------",
        "0  Steps  Integer         10       30",
        "1  x",
    ]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("x" * 48, "x" * 48), ("x" * 49, "x" * 45 + "..."), ("two\nlines  and\ttabs", "two lines and tabs")],
)
def test_a_cell_is_one_line_of_48_characters(cell: str, shown: str) -> None:
    last = str(InputTable([row("0", cell)])).splitlines()[-1]
    assert last == f"0  {shown}"


def test_a_notebook_gets_every_cell_escaped() -> None:
    html = InputTable([row("0", "<" * 60, "a & b")], "a title")._repr_mimebundle_()["text/html"]
    assert html.count("<tr>") == 2
    assert html.count("<th ") == html.count("<td ") == 6
    assert ">Current</th>" in html
    assert f">{'&lt;' * 60}</td>" in html
    assert ">a &amp; b</td>" in html
    assert "<strong>a title</strong>" in html


class Shell:
    def __init__(self, **parts: object) -> None:
        self.__dict__.update(parts)


@pytest.mark.parametrize(("shell", "is_displayed"), [(None, False), (Shell(), False), (Shell(kernel=None), True)])
def test_only_a_notebook_displays_a_table(
    shell: Shell | None,
    is_displayed: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = Mock()
    fake = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    table = InputTable([row("0", "Steps")])
    show(table)
    assert [call.args for call in display.mock_calls[:1]] == ([(table,)] if is_displayed else [])
    assert ("Steps" in capsys.readouterr().out) is not is_displayed


def test_an_output_without_an_encoding_is_taken_for_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    assert output.encoding is None
    show(InputTable([row("0", "größe 🐅")]))
    assert "größe 🐅" in output.getvalue()
