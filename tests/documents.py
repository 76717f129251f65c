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
