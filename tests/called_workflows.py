"""Documents of workflows that call others, as the web UI would save them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.documents import edge, node

PREFIX = "saved_workflow_input::"


def field(node_id: str, name: str) -> str:
    """The name, on a call node, of an input of the called workflow."""
    return f"{PREFIX}{node_id}::{name}"


def workflow(
    name: str,
    nodes: list[dict[str, Any]],
    edges: list[dict[str, str]],
    exposed: list[tuple[str, str]] | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "author": "",
        "description": "",
        "version": "",
        "contact": "",
        "tags": "",
        "notes": "",
        "meta": {"version": "4.0.0", "category": "user"},
        "exposedFields": [{"nodeId": node_id, "fieldName": field_name} for node_id, field_name in exposed or []],
        "nodes": nodes,
        "edges": edges,
    }


def returning(*nodes: dict[str, Any], edges: list[dict[str, str]], value: tuple[str, str]) -> tuple[Any, Any]:
    """The nodes and edges of a callee that returns one value under the key `result`."""
    return (
        [
            *nodes,
            node("value", "workflow_return_value", "1.0.0", key="result"),
            node("return", "workflow_return", "1.0.0"),
        ],
        [
            *edges,
            edge(*value, "value", "value"),
            edge("value", "value", "return", "values"),
        ],
    )


def blur_callee(name: str = "blurred", *, radius: float = 2.0) -> dict[str, Any]:
    """A blank image is blurred, goes to the gallery, and is returned; radius and width can be set by the caller."""
    nodes, edges = returning(
        node("blank", "blank_image", "1.2.2", width=64, height=64, mode="RGB"),
        node("blur", "img_blur", "1.2.2", intermediate=False, radius=radius, blur_type="gaussian", board="auto"),
        edges=[edge("blank", "image", "blur", "image")],
        value=("blur", "image"),
    )
    return workflow(name, nodes, edges, [("blur", "radius"), ("blank", "width")])


def sleep_callee(name: str = "slept", *, fail_at: int = -1, seconds: float = 0.4) -> dict[str, Any]:
    """One node that takes its time, tells its progress, and fails where it is told to."""
    nodes, edges = returning(
        node("sleep", "test_sleep", "1.0.0", steps=4, seconds=seconds, fail_at=fail_at),
        edges=[],
        value=("sleep", "value"),
    )
    return workflow(name, nodes, edges, [("sleep", "steps"), ("sleep", "fail_at")])


def batch_callee(name: str = "batched", radii: tuple[float, ...] = (1.0, 2.0, 3.0)) -> dict[str, Any]:
    """`blur_callee` as a batch: an item for each radius."""
    document = blur_callee(name)
    document["nodes"].append(
        node("radii", "float_batch", "1.0.0", floats=list(radii), batch_group_id="None"),
    )
    document["edges"].append(edge("radii", "floats", "blur", "radius"))
    document["exposedFields"] = []
    return document


def caller(
    workflow_id: str, values: Mapping[str, Any] | None = None, *, node_id: str = "call", name: str = "caller"
) -> dict[str, Any]:
    """A workflow that calls one, and makes an image of its own by a node that has the id of one of the callee's."""
    call = node(node_id, "call_saved_workflow", "1.0.0", workflow_id=workflow_id)
    for input_name, value in (values or {}).items():
        call["data"]["inputs"][input_name] = {"name": input_name, "label": "", "value": value}
    call["data"]["dynamicInputTemplates"] = {}
    return workflow(
        name,
        [
            node("blank", "blank_image", "1.2.2", width=64, height=64, mode="RGB"),
            node("blur", "img_blur", "1.2.2", intermediate=False, radius=5.0, blur_type="gaussian", board="auto"),
            call,
        ],
        [edge("blank", "image", "blur", "image")],
    )
