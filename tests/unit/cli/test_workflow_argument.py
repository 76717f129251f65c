"""What the keys of `--set` and `--vary` are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.documents import node
from tests.support.forms import FormOf

from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.session import Session
from invokeai_py_client.cli.workflow_argument import keys_of, load
from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.workflow.templates import NodeTemplates


def test_a_label_that_no_other_input_has_and_that_can_be_typed_is_a_key(templates: NodeTemplates) -> None:
    labels = ["Positive Prompt", "a=b", "Same", "same", " padded", "x\x1b[2J", "7"]
    nodes = [node(f"n{number}", "string", "1.0.1", value="") for number in range(len(labels))]
    for one, label in zip(nodes, labels, strict=True):
        one["data"]["inputs"]["value"]["label"] = label
    exposed = [{"nodeId": one["id"], "fieldName": "value"} for one in nodes]
    form = FormOf({"nodes": nodes, "edges": [], "exposedFields": exposed, "meta": {"version": "3.0.0"}}, templates)
    by_place = [f"n{number}.value" for number in range(1, 6)]
    assert keys_of(form.inputs, form.inputs) == ["Positive Prompt", *by_place, "7"]


def test_a_node_is_named_as_a_person_would_where_that_names_no_other(templates: NodeTemplates) -> None:
    nodes = [
        node("1", "string", "1.0.1", value=""),
        node("2", "string", "1.0.1", value=""),
        node("3", "integer", "1.0.1"),
    ]
    nodes.append(node("4", "integer", "1.0.1"))
    nodes[1]["data"]["label"] = "Negative"
    nodes[3]["data"]["label"] = "a=b"
    document = {"nodes": nodes, "edges": [], "exposedFields": [], "meta": {"version": "3.0.0"}}
    form = FormOf(document, templates).inputs
    entries = [one.inputs["value"] for one in form.nodes]
    assert keys_of(form, entries) == ["1.value", "Negative.value", "3.value", "4.value"]
    alone = FormOf({**document, "nodes": nodes[:1]}, templates).inputs
    keys = keys_of(alone, [*alone.nodes[0].inputs])
    assert keys == ["string.value"]


class EmptyLibrary:
    def download_workflow(self, name: str) -> Any:
        raise NotFoundError("no such workflow", status=404, method="GET", url="http://x")

    def list_available_workflows(self) -> list[Any]:
        return [SimpleNamespace(name="Text to Image")]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("worflow.json", "'worflow.json' is neither a file nor a workflow of the server's library.", "workflow.json"),
        ("Text to Imag", "'Text to Imag' is neither a file nor a workflow of the server's library.", "Text to Image"),
        ("photos", "'photos' is a folder, not a workflow.", None),
        ("cat.json", "'cat.json' is neither a file nor a workflow of the server's library.", None),
        ("none/tiger.json", "'none/tiger.json' is neither a file nor a workflow of the server's library.", None),
    ],
)
def test_a_workflow_that_is_not_there_is_told_with_the_nearest_one(
    name: str, message: str, hint: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("workflow.json").touch()
    Path("photos").mkdir()
    session = cast(Session, SimpleNamespace(client=SimpleNamespace(workflow_repo=EmptyLibrary())))
    with pytest.raises(Failure) as caught:
        load(session, name)
    expected = f"Did you mean {hint!r}?" if hint else "Give the path of a file that the web UI exported."
    assert (caught.value.message, caught.value.hint) == (message, expected)
