"""Parts of workflow documents, as the web UI would write them."""

from __future__ import annotations

from typing import Any


def node(node_id: str, node_type: str, version: str, *, intermediate: bool = True, **values: Any) -> dict[str, Any]:
    return {
        "id": node_id,
        "type": "invocation",
        "position": {"x": 0, "y": 0},
        "data": {
            "id": node_id,
            "type": node_type,
            "version": version,
            "nodePack": "invokeai",
            "label": "",
            "notes": "",
            "isOpen": True,
            "isIntermediate": intermediate,
            "useCache": False,
            "inputs": {name: {"name": name, "label": "", "value": value} for name, value in values.items()},
        },
    }


def edge(source: str, source_field: str, target: str, target_field: str) -> dict[str, str]:
    return {
        "id": f"{source}.{source_field}-{target}.{target_field}",
        "type": "default",
        "source": source,
        "sourceHandle": source_field,
        "target": target,
        "targetHandle": target_field,
    }


def form(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"rootElementId": "root", "elements": {element["id"]: element for element in elements}}


def container(element_id: str, *children: str, parent: str | None = None) -> dict[str, Any]:
    data = {"layout": "column", "children": [*children]}
    return _element(element_id, "container", data, parent if element_id != "root" else None)


def shown(element_id: str, node_id: str, name: str, parent: str = "root") -> dict[str, Any]:
    """A form's element that shows an input."""
    data = {"fieldIdentifier": {"nodeId": node_id, "fieldName": name}, "showDescription": True}
    return _element(element_id, "node-field", data, parent)


def heading(element_id: str, parent: str = "root") -> dict[str, Any]:
    return _element(element_id, "heading", {"content": "Hello"}, parent)


def _element(element_id: str, kind: str, data: dict[str, Any], parent: str | None) -> dict[str, Any]:
    return {"id": element_id, "type": kind, "data": data, **({} if parent is None else {"parentId": parent})}


HUE_AND_BLUR: dict[str, Any] = {
    "name": "Hue and blur of a photograph",
    "meta": {"version": "3.0.0", "category": "user"},
    "exposedFields": [
        {"nodeId": "hue", "fieldName": "image"},
        {"nodeId": "hue", "fieldName": "hue"},
        {"nodeId": "blur", "fieldName": "radius"},
    ],
    "nodes": [
        node("hue", "img_hue_adjust", "1.2.2", image=None, hue=0),
        node("blur", "img_blur", "1.2.2", intermediate=False, radius=0.0, blur_type="gaussian", board="auto"),
    ],
    "edges": [edge("hue", "image", "blur", "image")],
}
"""Turns the hue of an image, and blurs it."""

BLANK: dict[str, Any] = {
    "name": "blank",
    "meta": {"version": "3.0.0"},
    "nodes": [node("blank", "blank_image", "1.2.2", intermediate=False, width=64, height=64)],
    "edges": [],
    "exposedFields": [{"nodeId": "blank", "fieldName": "width"}],
}
"""One node that makes an image of a given width."""
