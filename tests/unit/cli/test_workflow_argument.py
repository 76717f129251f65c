"""What the keys of `--set` and `--vary` are."""

from __future__ import annotations

from tests.documents import node
from tests.support.forms import FormOf

from invokeai_py_client.cli.workflow_argument import keys_of
from invokeai_py_client.workflow.templates import NodeTemplates


def test_a_label_that_no_other_input_has_and_that_can_be_typed_is_a_key(templates: NodeTemplates) -> None:
    labels = ["Positive Prompt", "a=b", "Same", "same", " padded", "x\x1b[2J", "7"]
    nodes = [node(f"n{number}", "string", "1.0.1", value="") for number in range(len(labels))]
    for one, label in zip(nodes, labels, strict=True):
        one["data"]["inputs"]["value"]["label"] = label
    exposed = [{"nodeId": one["id"], "fieldName": "value"} for one in nodes]
    form = FormOf({"nodes": nodes, "edges": [], "exposedFields": exposed, "meta": {"version": "3.0.0"}}, templates)
    by_place = [f"n{number}.value" for number in range(1, 6)]
    assert keys_of(form.inputs) == ["Positive Prompt", *by_place, "7"]
