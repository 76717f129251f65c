"""Builds the graph from a document and its values, as the web UI does (`buildNodesGraph.ts`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from invokeai_py_client.workflow.connections import Origins
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import CALL_NODE, input_template, is_called_input
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.json_values import copied
from invokeai_py_client.workflow.node_update import NODES_WITH_EXTRA_INPUTS, may_update, needs_update
from invokeai_py_client.workflow.templates import NodeTemplates

_NOT_EXECUTABLE = {
    *(f"{kind}_batch" for kind in ("float", "integer", "string", "image")),
    *(f"{kind}_generator" for kind in ("float", "integer", "string", "image")),
}
_NO_INPUT: Mapping[str, Any] = {}


class BuiltGraph(NamedTuple):
    """The graph, and a sentence for each part of the document that was left out."""

    graph: dict[str, Any]
    warnings: tuple[str, ...]


def build_graph(
    definition: WorkflowDefinition,
    templates: NodeTemplates,
    fields: WorkflowFields,
    edges: Sequence[Edge],
    *,
    default_board: str | None = None,
) -> BuiltGraph:
    """Build the graph that runs a workflow with the values of its fields.

    Args:
        definition: the document.
        templates: the server's node templates.
        fields: the values.
        edges: the valid edges of the document, as returned by `kept_edges`.
        default_board: the id of the board that `auto` stands for; None for no board.

    Returns:
        The graph as `enqueue_batch` takes it, with `nodes` and `edges`.
    """
    warnings: list[str] = []
    nodes: dict[str, dict[str, Any]] = {}
    added = fields.added()
    runs: set[str] = set()
    for node in definition.all_nodes:
        if is_executable(node):
            runs.add(node.id)
            if node.type not in templates:
                warnings.append(f"the node {node.id!r} is ignored: the server has no node type {node.type!r}")
                continue
            nodes[node.id] = _graph_node(node, templates, fields, added.get(id(node), ()), default_board, warnings)
    wires = []
    for edge in _flattened(edges, definition, runs):
        if edge.source in nodes and edge.target in nodes:
            # An input with an edge is sent without a value, which the server would check although it is not used.
            nodes[edge.target].pop(edge.target_field, None)
            if nodes[edge.target]["type"] == CALL_NODE:
                nodes[edge.target]["workflow_inputs"].pop(edge.target_field, None)
            wires.append(
                {
                    "source": {"node_id": edge.source, "field": edge.source_field},
                    "destination": {"node_id": edge.target, "field": edge.target_field},
                }
            )
    return BuiltGraph({"nodes": nodes, "edges": wires}, tuple(warnings))


def is_executable(node: Node) -> bool:
    """Return whether a node becomes part of the graph; notes, connectors, batch and generator nodes do not."""
    return node.kind == "invocation" and node.type not in _NOT_EXECUTABLE


def with_values(definition: WorkflowDefinition, fields: WorkflowFields) -> dict[str, Any]:
    """Return the document with the current values of its fields, to be stored with the images.

    Edges that values override are left out, so that loading the workflow of an image gives the same result.
    """
    document = definition.to_dict()
    document["edges"] = [
        written
        for written, edge in zip(document["edges"], definition.edges, strict=True)
        if not fields.is_overridden(edge.target, edge.target_field)
    ]
    # The id is that of the library's workflow, which this one may differ from.
    document.pop("id", None)
    nodes = {node["id"]: node for node in document["nodes"] if node["type"] == "invocation"}
    for node_id, name, value in fields.changed():
        given = nodes[node_id]["data"]["inputs"].setdefault(name, {"name": name, "label": "", "description": ""})
        if value is UNSET:
            given.pop("value", None)
        else:
            given["value"] = copied(value)
    return document


def _graph_node(
    node: Node,
    templates: NodeTemplates,
    fields: WorkflowFields,
    added: Iterable[str],
    default_board: str | None,
    warnings: list[str],
) -> dict[str, Any]:
    template = templates[node.type]
    if needs_update(node, template) and not may_update(node, template):
        warnings.append(
            f"the node {node.id!r} ({node.type}) has version {node.version}, the server has {template.version}: "
            "it is sent unchanged, and may have a different effect"
        )
    values: dict[str, Any] = {}
    saved: dict[str, Any] = {}
    for name, given in (*fields.inputs_of(node).items(), *((name, _NO_INPUT) for name in added)):
        # A copy, as the caller may modify the graph.
        value = copied(fields.value_of(node.id, name, given))
        known = input_template(node, template, name)
        if is_called_input(node, name):
            # Any value, including null, would override the value in the called workflow.
            if value is not UNSET:
                saved[name] = value
        elif node.type == CALL_NODE and name == "workflow_inputs":
            continue
        elif known is None:
            if node.type in NODES_WITH_EXTRA_INPUTS and value is not UNSET:
                values[name] = value
            else:
                warnings.append(f"the input {name!r} of node {node.id!r} is ignored: a {node.type} does not have it")
        elif known.type.name == "BoardField":
            values[name] = _board(value, default_board)
        elif value is not UNSET:
            values[name] = value
    if node.type == CALL_NODE:
        values["workflow_inputs"] = saved
    return {
        "type": node.type,
        "id": node.id,
        **{name: value for name, value in values.items() if value is not UNSET},
        "use_cache": node.use_cache,
        "is_intermediate": node.is_intermediate,
    }


def _board(value: Any, default_board: str | None) -> Any:
    if value == "none":
        return UNSET
    if value is UNSET or value is None or value == "auto":
        return UNSET if default_board is None else {"board_id": default_board}
    return value


def _flattened(edges: Sequence[Edge], definition: WorkflowDefinition, runs: Collection[str]) -> list[Edge]:
    """Return the edges between nodes that run, without duplicates. Chains of connectors become direct edges."""
    flat: dict[Edge, None] = {}
    origins = Origins(definition.first_nodes, edges)
    for edge in edges:
        source = definition.first_nodes[edge.source]
        if is_executable(definition.first_nodes[edge.target]) and (source.kind == "connector" or is_executable(source)):
            origin = origins.of(edge)
            if origin is not None and origin.source in runs:
                flat[Edge(origin.source, origin.source_field, edge.target, edge.target_field)] = None
    return [*flat]
