"""`inputs` and `check`: what they print can be given to `--set`, whatever the labels are."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.cli.conftest import CLI
from tests.documents import edge, node

MISSING = {"key": "k", "hash": "h", "name": "gone\x1b[2J", "base": "sdxl", "type": "lora"}


@pytest.fixture
def odd() -> dict[str, Any]:
    """A workflow in which labels repeat, and stand for nothing on a command line."""
    nodes = [
        node("first", "string", "1.0.1", value="a"),
        node("second", "string", "1.0.1", value="b"),
        node("third", "string", "1.0.1", value="c"),
        node("list", "integer_collection", "1.0.1", collection=[1, 2]),
        node("noise", "noise", "1.0.3", seed=1, width=64, height=64),
        node("int", "integer", "1.0.1", value=72),
    ]
    for one, label in zip(nodes, ("Prompt", "prompt", "A=B"), strict=False):
        one["data"]["inputs"]["value"]["label"] = label
    shown = [("first", "value"), ("second", "value"), ("third", "value"), ("list", "collection"), ("noise", "width")]
    return {
        "name": "odd",
        "meta": {"version": "3.0.0", "category": "user"},
        "exposedFields": [{"nodeId": node_id, "fieldName": name} for node_id, name in [*shown, ("noise", "height")]],
        "nodes": nodes,
        "edges": [edge("int", "value", "noise", "height")],
    }


def test_each_key_can_be_set(cli: CLI, odd: dict[str, Any]) -> None:
    rows = cli("inputs", "-", stdin=json.dumps(odd)).data()["inputs"]
    keys = [row["key"] for row in rows]
    assert keys == ["first.value", "second.value", "third.value", "Collection", "Width", "Height"]
    values = ["x", "y", "z", "[3]", "72"]
    arguments = [f"--set={key}={value}" for key, value in zip(keys, values, strict=False)]
    body = cli("run", "-", *arguments, "--dry-run", stdin=json.dumps(odd)).data()
    nodes = body["batch"]["graph"]["nodes"]
    assert [nodes[name]["value"] for name in ("first", "second", "third")] == ["x", "y", "z"]
    assert (nodes["list"]["collection"], nodes["noise"]["width"]) == ([3], 72)


def test_the_schema_has_every_input_that_can_be_set(cli: CLI, odd: dict[str, Any]) -> None:
    odd["nodes"].append(node("loader", "main_model_loader", "1.0.4", model=None))
    odd["exposedFields"].append({"nodeId": "loader", "fieldName": "model"})
    schema = cli("inputs", "-", "--json-schema", stdin=json.dumps(odd)).data()
    properties = schema["properties"]
    assert [*properties] == ["first.value", "second.value", "third.value", "Collection", "Width", "Model"]
    assert schema["required"] == ["Model"]
    assert properties["first.value"] == {
        "title": "Prompt",
        "description": "first.value",
        "type": "string",
        "default": "a",
    }
    assert properties["Collection"]["type"] == "array"
    assert properties["Collection"]["items"] == {"type": "integer"}
    assert properties["Width"]["exclusiveMinimum"] == 0
    assert properties["Width"]["multipleOf"] == 8


def test_a_person_sees_ranges_and_kinds_of_models(cli: CLI, odd: dict[str, Any]) -> None:
    odd["nodes"].append(node("loader", "main_model_loader", "1.0.4", model=None))
    odd["exposedFields"].append({"nodeId": "loader", "fieldName": "model"})
    out = cli("inputs", "-", "--format", "human", stdin=json.dumps(odd)).out
    assert "above 0, a multiple of 8" in out
    assert "base: sd-1, sd-2; type: main" in out
    (row,) = [row for row in cli("inputs", "-", stdin=json.dumps(odd)).data()["inputs"] if row["key"] == "Model"]
    assert (row["model_bases"], row["model_types"]) == (["sd-1", "sd-2"], ["main"])


def test_a_problem_is_told_by_label_and_place(cli: CLI, odd: dict[str, Any]) -> None:
    broken = copy.deepcopy(odd)
    broken["nodes"][4]["data"]["inputs"]["width"]["value"] = 65
    broken["nodes"].append(node("lora", "lora_loader", "1.0.4", lora=MISSING))
    ended = cli("check", "-", stdin=json.dumps(broken))
    problems = {problem["field"]: problem for problem in ended.error()["details"]["problems"]}
    assert (problems["width"]["label"], problems["width"]["node"]) == ("Width", "noise")
    assert problems["lora"]["label"] == ""
    ended = cli("check", "-", "--format", "human", stdin=json.dumps(broken))
    assert "warning: " not in ended.err, "it is told once"
    lines = ended.out.splitlines()
    assert any(line.startswith("Width (noise.width): ") for line in lines)
    assert any(line.startswith("lora_loader.lora: ") for line in lines)
    assert "\x1b" not in "".join(lines)
