from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.errors import UnsafePathError, WorkflowFileError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.index_map import compare_index_map, save_index_map
from invokeai_py_client.workflow.inputs import WorkflowInputs, shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates


def inputs(templates: NodeTemplates, exposed: list[str], label: str = "") -> WorkflowInputs:
    values: dict[str, Any] = {name: {"name": name, "label": label, "value": 8} for name in ("width", "height", "seed")}
    document = {
        "meta": {"version": "3.0.0"},
        "nodes": [{"id": "n", "type": "invocation", "data": {"id": "n", "type": "noise", "inputs": values}}],
        "edges": [],
        "exposedFields": [{"nodeId": "n", "fieldName": name} for name in exposed],
    }
    definition = WorkflowDefinition.from_dict(document)
    return shown_inputs(definition, templates, WorkflowFields(definition, templates))


def test_it_tells_what_moved_appeared_and_vanished(templates: NodeTemplates, tmp_path: Path) -> None:
    path = save_index_map(tmp_path / "map.json", "noise", inputs(templates, ["width", "height"]))
    same = compare_index_map(path, inputs(templates, ["width", "height"]))
    assert not same
    assert str(same) == "no input has changed"
    changes = compare_index_map(path, inputs(templates, ["seed", "width"]))
    assert changes
    assert [(was.field_name, was.index, now.index) for was, now in changes.moved] == [("width", 0, 1)]
    assert [entry.field_name for entry in changes.appeared] == ["seed"]
    assert [entry.field_name for entry in changes.vanished] == ["height"]
    assert "vanished: [1] Height (n.height: IntegerField)" in str(changes)
    assert dict(changes) == {
        "unchanged": [],
        "moved": [{"from": 0, "to": 1, "label": "Width"}],
        "missing": [{"index": 1, "label": "Height"}],
        "new": [{"index": 0, "label": "Seed"}],
    }
    assert [entry["label"] for entry in same["unchanged"]] == ["Width", "Height"]


def test_another_label_is_reported(templates: NodeTemplates, tmp_path: Path) -> None:
    path = save_index_map(tmp_path / "map.json", "noise", inputs(templates, ["width"]))
    changes = compare_index_map(path, inputs(templates, ["width"], "How wide"))
    assert [(was.label, now.label) for was, now in changes.changed] == [("Width", "How wide")]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "other"}'])
def test_what_is_not_a_map_is_refused(content: str, templates: NodeTemplates, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(WorkflowFileError, match=r"map\.json"):
        compare_index_map(path, inputs(templates, ["width"]))


@pytest.mark.parametrize(("part", "value"), [("node_id", []), ("field_name", None), ("index", "0"), ("index", True)])
def test_a_map_of_odd_parts_is_refused(part: str, value: Any, templates: NodeTemplates, tmp_path: Path) -> None:
    path = save_index_map(tmp_path / "map.json", "noise", inputs(templates, ["width"]))
    saved = json.loads(path.read_text())
    saved["inputs"][0][part] = value
    path.write_text(json.dumps(saved))
    with pytest.raises(WorkflowFileError, match="it holds the input"):
        compare_index_map(path, inputs(templates, ["width"]))


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        (["seed", "width"], ["seed", "width", "width"], ["appeared: [2] Width (n.width: IntegerField)"]),
        (["seed", "width", "width"], ["seed", "width"], ["vanished: [2] Width (n.width: IntegerField)"]),
        (["width", "seed", "width"], ["width", "width", "seed"], ["moved: [2] Width (n.width: IntegerField) -> [1]"]),
        (["width", "width"], ["width", "width"], []),
    ],
)
def test_an_input_that_is_shown_twice_is_compared_place_by_place(
    before: list[str], now: list[str], lines: list[str], templates: NodeTemplates, tmp_path: Path
) -> None:
    path = save_index_map(tmp_path / "map.json", "noise", inputs(templates, before))
    changes = compare_index_map(path, inputs(templates, now))
    told = [line for line in str(changes).splitlines() if "Width" in line]
    assert told == lines


def test_a_map_is_saved_under_a_path_only(templates: NodeTemplates, tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError):
        save_index_map(tmp_path / "a\0b", "noise", inputs(templates, ["width"]))


def test_changes_are_reported_a_line_each(templates: NodeTemplates, tmp_path: Path) -> None:
    path = save_index_map(str(tmp_path / "map.json"), "noise", inputs(templates, ["width", "height"]))
    changes = compare_index_map(str(path), inputs(templates, ["seed", "width"], "Mine"))
    assert str(changes).splitlines() == [
        "moved: [0] Width (n.width: IntegerField) -> [1]",
        "changed: [0] Width (n.width: IntegerField) -> Mine: IntegerField",
        "appeared: [0] Mine (n.seed: IntegerField)",
        "vanished: [1] Height (n.height: IntegerField)",
    ]


def test_another_type_is_reported(templates: NodeTemplates, tmp_path: Path) -> None:
    path = save_index_map(tmp_path / "map.json", "noise", inputs(templates, ["width"]))
    path.write_text(path.read_text().replace("IntegerField", "FloatField"))
    changes = compare_index_map(path, inputs(templates, ["width"]))
    assert [(was.type_name, now.type_name) for was, now in changes.changed] == [("FloatField", "IntegerField")]
    assert not changes.moved


def test_a_map_names_its_format_and_workflow(templates: NodeTemplates, tmp_path: Path) -> None:
    path = save_index_map(tmp_path / "map.json", "noise", inputs(templates, ["width"]))
    assert json.loads(path.read_text()) == {
        "format": "invokeai-py-client input index map 1",
        "workflow": "noise",
        "inputs": [{"index": 0, "label": "Width", "node_id": "n", "field_name": "width", "type_name": "IntegerField"}],
    }


def test_a_map_that_cannot_be_read_names_its_file(templates: NodeTemplates, tmp_path: Path) -> None:
    with pytest.raises(WorkflowFileError) as caught:
        compare_index_map(tmp_path / "gone.json", inputs(templates, ["width"]))
    assert caught.value.source == str(tmp_path / "gone.json")
