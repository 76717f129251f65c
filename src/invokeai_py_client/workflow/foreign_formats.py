"""Recognizes JSON in other formats that is often passed as a workflow, so that the error can say what to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def what_else(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Recognize a JSON object of another format.

    Args:
        document: the parsed JSON.

    Returns:
        (what it is, what to do with it); None if it is not recognized, or may be a workflow.
    """
    for check in (_comfyui_prompt, _comfyui_workflow, _batch, _graph, _record):
        found = check(document)
        if found is not None:
            return found
    return None


_NOT_CONVERTED = "InvokeAI cannot run it: rebuild the workflow in InvokeAI's web UI, and download it there."


def _comfyui_prompt(document: Mapping[str, Any]) -> tuple[str, str] | None:
    inner = document.get("prompt")
    nodes = inner if isinstance(inner, Mapping) else document
    if any(isinstance(node, Mapping) and isinstance(node.get("class_type"), str) for node in nodes.values()):
        return "a ComfyUI workflow in its API format", _NOT_CONVERTED
    return None


def _comfyui_workflow(document: Mapping[str, Any]) -> tuple[str, str] | None:
    nodes = document.get("nodes")
    has_widgets = isinstance(nodes, list) and any(
        isinstance(node, Mapping) and "widgets_values" in node for node in nodes
    )
    if "last_node_id" in document or "last_link_id" in document or has_widgets:
        return "a ComfyUI workflow", _NOT_CONVERTED
    return None


def _batch(document: Mapping[str, Any]) -> tuple[str, str] | None:
    batch = document.get("batch")
    if isinstance(batch, Mapping) and isinstance(batch.get("graph"), Mapping):
        return (
            "a body of the server's enqueue_batch",
            'Send it with client.request("POST", "/api/v1/queue/default/enqueue_batch", json=...), or load the '
            "workflow under its batch.workflow, if it has one.",
        )
    return None


def _graph(document: Mapping[str, Any]) -> tuple[str, str] | None:
    graph = document.get("graph") if "nodes" not in document else document
    nodes = graph.get("nodes") if isinstance(graph, Mapping) else None
    if not isinstance(nodes, Mapping) or "meta" in document:
        return None
    if all(isinstance(node, Mapping) and "data" not in node for node in nodes.values()):
        return (
            "a graph for the server's API",
            'Send it with client.request("POST", "/api/v1/queue/default/enqueue_batch", json={"batch": {"graph": ..., '
            '"runs": 1}}), or download the workflow itself in the web UI.',
        )
    return None


def _record(document: Mapping[str, Any]) -> tuple[str, str] | None:
    inner = document.get("workflow")
    if "nodes" in document or not inner or not isinstance(inner, Mapping | str):
        return None
    way = "from_json" if isinstance(inner, str) else "from_dict"
    return "a record that contains a workflow", f"Load its 'workflow': WorkflowDefinition.{way}(...)."
