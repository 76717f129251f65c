"""What is often given in place of a workflow is recognized, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from invokeai_py_client.workflow.foreign_formats import what_else

WORKFLOW = {
    "name": "mine",
    "meta": {"version": "3.0.0"},
    "nodes": [{"id": "a", "type": "invocation", "data": {"type": "add", "inputs": {}}}],
    "edges": [],
}
GRAPH = {"id": "g", "nodes": {"a": {"id": "a", "type": "add", "a": 1}}, "edges": []}
PROMPT = {"3": {"class_type": "KSampler", "inputs": {}}, "4": "a comment"}


@pytest.mark.parametrize(
    ("document", "what", "way_out"),
    [
        (PROMPT, "ComfyUI workflow in its API format", "web UI"),
        ({"prompt": PROMPT, "client_id": "c"}, "ComfyUI workflow in its API format", "web UI"),
        ({"nodes": [{"id": 1, "widgets_values": []}]}, "ComfyUI workflow", "web UI"),
        ({"nodes": [], "last_node_id": 3}, "ComfyUI workflow", "web UI"),
        ({"nodes": [], "last_link_id": 3}, "ComfyUI workflow", "web UI"),
        ({"batch": {"graph": GRAPH, "runs": 1}, "prepend": False}, "enqueue_batch", "client.request"),
        (GRAPH, "a graph for the server's API", "client.request"),
        ({"graph": GRAPH, "runs": 1}, "a graph for the server's API", "client.request"),
        ({"nodes": {}, "edges": []}, "a graph for the server's API", "client.request"),
        ({"workflow_id": "w", "workflow": WORKFLOW}, "a record that contains a workflow", "from_dict"),
        ({"workflow": json.dumps(WORKFLOW)}, "a record that contains a workflow", "from_json"),
    ],
)
def test_a_foreign_document_is_named_with_a_way_out(document: Any, what: str, way_out: str) -> None:
    found = what_else(document)
    assert found is not None
    assert what in found[0]
    assert way_out in found[1]


@pytest.mark.parametrize(
    "document",
    [
        {},
        WORKFLOW,
        {**WORKFLOW, "workflow": "its own entry"},
        {**WORKFLOW, "graph": GRAPH},
        {**WORKFLOW, "nodes": [5]},
        {"prompt": "a tiger"},
        {"3": {"class_type": 5}},
        {"batch": "mine"},
        {"batch": {"graph": "mine"}},
        {"graph": "mine"},
        {"graph": {"nodes": []}},
        # Nodes by id that look like those of a workflow are a damaged workflow.
        {"nodes": {"a": {"data": {}}}},
        {"nodes": {"a": 5}},
        {"nodes": {}, "meta": {"version": "3.0.0"}},
        {"workflow": {}},
        {"workflow": ""},
        {"workflow": 5},
        {"workflow": [WORKFLOW]},
    ],
)
def test_what_may_be_a_workflow_is_not_taken_for_something_else(document: Any) -> None:
    assert what_else(document) is None
