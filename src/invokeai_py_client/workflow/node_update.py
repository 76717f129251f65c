"""The inputs that a node has once it is brought to its template's version, as the web UI's `nodeUpdate.ts` does."""

from __future__ import annotations

from collections.abc import Mapping
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
    node: Node, saved: Mapping[str, Mapping[str, Any]], template: NodeTemplate
) -> Mapping[str, Mapping[str, Any]]:
    """The node's inputs by name, each with a `value` if it has one.

    Args:
        node: the node.
        saved: its inputs as the file holds them.
        template: the server's.

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
    return inputs


def _fresh(template: InputTemplate) -> dict[str, Any]:
    return {"name": template.name, "label": "", **({} if template.default is None else {"value": template.default})}


def _major(version: str) -> str:
    return version.split(".", 1)[0]
