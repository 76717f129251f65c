"""The inputs that a node has once it is brought to its template's version, as the web UI's `nodeUpdate.ts` does."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from invokeai_py_client.workflow.document import Node
from invokeai_py_client.workflow.templates import InputTemplate, NodeTemplate

NODES_WITH_EXTRA_INPUTS = frozenset({"core_metadata"})
"""Nodes that take inputs which their template does not name, and pass them on."""


def needs_update(node: Node, template: NodeTemplate) -> bool:
    """Whether the node was made by another version of its type."""
    return node.version != template.version


def may_update(node: Node, template: NodeTemplate) -> bool:
    """Whether it can be brought to the template's version: within one major version, inputs keep their meaning."""
    return _major(node.version) == _major(template.version)


def updated_inputs(
    node: Node,
    saved: Mapping[str, Mapping[str, Any]],
    template: NodeTemplate,
    *,
    connected: Callable[[], Collection[str]],
) -> Mapping[str, Mapping[str, Any]]:
    """The node's inputs by name, each with a `value` if it has one.

    Args:
        node: the node.
        saved: its inputs as the file holds them.
        template: the server's.
        connected: tells the names of its inputs that an edge feeds; asked only where it matters.

    A node of another minor version gets the template's default where it has no value, and loses the inputs that the
    template lacks. A node of the same version, or of another major one, is left as it is.
    """
    if not needs_update(node, template) or not may_update(node, template):
        return saved
    inputs: dict[str, Mapping[str, Any]] = {}
    for name, given in saved.items():
        known = template.inputs.get(name)
        if known is not None:
            inputs[name] = given if "value" in given else {**_fresh(known), **given}
        elif node.type in NODES_WITH_EXTRA_INPUTS:
            inputs[name] = given
    for name, known in template.inputs.items():
        inputs.setdefault(name, _fresh(known))
    if node.type == "image_collection" and _version(node.version) < (1, 0, 2):
        _move_collection(inputs, connected)
    return inputs


def _move_collection(inputs: dict[str, Mapping[str, Any]], connected: Callable[[], Collection[str]]) -> None:
    """Since 1.0.2 the images that a user chose are in `images`, and `collection` is for edges alone."""
    old, new = inputs.get("collection"), inputs.get("images")
    if old is None or new is None or not isinstance(old.get("value"), list) or "collection" in connected():
        return
    if not (isinstance(new.get("value"), list) and new["value"]):
        inputs["images"] = {**new, "value": old["value"]}
        inputs["collection"] = {**old, "value": []}


def _fresh(template: InputTemplate) -> dict[str, Any]:
    return {"name": template.name, "label": "", **({} if template.default is None else {"value": template.default})}


def _major(version: str) -> str:
    return version.split(".", 1)[0]


def _version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version)[:3])
