"""Updates the inputs of a node to the version of its template, as the web UI's `nodeUpdate.ts` does."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from invokeai_py_client.workflow.document import Node
from invokeai_py_client.workflow.json_values import as_javascript
from invokeai_py_client.workflow.templates import InputTemplate, NodeTemplate

NODES_WITH_EXTRA_INPUTS = frozenset({"core_metadata"})
"""Types of nodes that accept inputs that are not in their template."""

# The web UI's defaults for types whose template has no default.
_FALLBACKS: dict[str, Any] = {
    "EnumField": "",
    "BooleanField": False,
    "ColorField": {"r": 0, "g": 0, "b": 0, "a": 1},
    "FloatField": 0,
    "IntegerField": 0,
    "LoRAField": [],
    "SchedulerField": "dpmpp_3m_k",
    "SavedWorkflowField": "",
    "StringField": "",
}

_VERSION = re.compile(r"[0-9]{1,300}(?:\.[0-9]{1,300}){2,3}")
_IMAGES_HAVE_AN_INPUT_OF_THEIR_OWN = (1, 0, 2)


def needs_update(node: Node, template: NodeTemplate) -> bool:
    """Return whether the node and its template have different versions."""
    return node.version != template.version


def may_update(node: Node, template: NodeTemplate) -> bool:
    """Return whether the node can be updated to the template's version, which needs equal major versions."""
    version = _version(node.version)
    return version is not None and version[:1] == (_version(template.version) or ())[:1]


def updated_inputs(
    node: Node,
    saved: Mapping[str, Mapping[str, Any]],
    template: NodeTemplate,
    *,
    connected: Callable[[], Collection[str]],
) -> Mapping[str, Mapping[str, Any]]:
    """Return the node's inputs by name, each with a `value` if it has one.

    If the node has another minor version, missing values become the template's defaults, and inputs that the template
    lacks are removed. If it has the same version or another major version, it is not changed.

    Args:
        node: the node.
        saved: its inputs in the file.
        template: the server's template of its type.
        connected: returns the names of the inputs that have an edge. Called only if necessary, as that takes time.
    """
    if not needs_update(node, template) or not may_update(node, template):
        return saved
    inputs: dict[str, Mapping[str, Any]] = {}
    for name, given in saved.items():
        known = template.inputs.get(name)
        if known is not None:
            fresh = _fresh(known)
            inputs[name] = {**fresh, **given}
            if "value" in given and "value" in fresh:
                inputs[name] = {**inputs[name], "value": _with_defaults(given["value"], fresh["value"])}
        elif node.type in NODES_WITH_EXTRA_INPUTS:
            inputs[name] = given
    for name, known in template.inputs.items():
        inputs.setdefault(name, _fresh(known))
    version = _version(node.version)
    if node.type == "image_collection" and version is not None and version < _IMAGES_HAVE_AN_INPUT_OF_THEIR_OWN:
        _move_collection(inputs, connected)
    return inputs


def _move_collection(inputs: dict[str, Mapping[str, Any]], connected: Callable[[], Collection[str]]) -> None:
    """Move images from `collection`, which only takes edges since version 1.0.2, to `images`."""
    old, new = inputs.get("collection"), inputs.get("images")
    if old is None or new is None or not isinstance(old.get("value"), list) or "collection" in connected():
        return
    if not (isinstance(new.get("value"), list) and new["value"]):
        inputs["images"] = {**new, "value": old["value"]}
        inputs["collection"] = {**old, "value": []}


def _fresh(template: InputTemplate) -> dict[str, Any]:
    """Return the input of a newly created node."""
    value = template.default if template.default is not None else _FALLBACKS.get(template.type.name)
    return {"name": template.name, "label": "", **({} if value is None else {"value": as_javascript(value)})}


def _with_defaults(value: Any, default: Any) -> Any:
    """Return a value with the missing parts of the default, at any depth, as the web UI merges the two."""
    if isinstance(value, Mapping) and isinstance(default, Mapping):
        merged = {
            name: _with_defaults(value[name], inner) if name in value else inner for name, inner in default.items()
        }
        return {**value, **merged}
    if isinstance(value, list) and isinstance(default, list):
        both = [
            _with_defaults(*pair) if isinstance(pair[0], Mapping) else pair[0]
            for pair in zip(value, default, strict=False)
        ]
        return [*both, *value[len(both) :], *default[len(both) :]]
    return value


def _version(version: str) -> tuple[int, ...] | None:
    """Return a version as numbers; None if the web UI cannot compare it with another version."""
    return tuple(map(int, version.split("."))) if _VERSION.fullmatch(version) else None
