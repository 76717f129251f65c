"""Batch nodes as the batch data that the web UI would send (`useEnqueueWorkflows.ts`, `resolveBatchValue.ts`)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.errors import BatchError
from invokeai_py_client.workflow.connections import origin_of
from invokeai_py_client.workflow.document import Edge, Node, WorkflowDefinition
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.generators import ServerGenerator, generate
from invokeai_py_client.workflow.inputs import WorkflowFields

UNGROUPED = "None"
"""The group of batch nodes that are multiplied with all others."""

_LISTS = {"float_batch": "floats", "integer_batch": "integers", "string_batch": "strings", "image_batch": "images"}


@dataclass(frozen=True, slots=True)
class BatchNode:
    """A batch node: its group, and the items that it holds, or what must be asked of the server to have them."""

    node: Node
    group: str
    items: list[Any] | ServerGenerator


def batch_nodes(definition: WorkflowDefinition, fields: WorkflowFields, edges: Sequence[Edge]) -> list[BatchNode]:
    """The batch nodes of a document, in its order.

    Args:
        definition: the document.
        fields: the values.
        edges: those of the document's edges that hold.

    Raises:
        BatchError: a generator's value cannot be understood.
    """
    return [
        batch_node(node, definition, fields, edges) for node in definition.nodes.values() if takes_part(node, fields)
    ]


def takes_part(node: Node, fields: WorkflowFields) -> bool:
    """Whether a node is a batch node that feeds others, and not cut off because values override all its edges."""
    return node.kind == "invocation" and node.type in _LISTS and not fields.is_cut_off(node.id)


def batch_node(node: Node, definition: WorkflowDefinition, fields: WorkflowFields, edges: Sequence[Edge]) -> BatchNode:
    """Read one batch node; arguments and errors as for `batch_nodes`."""
    return BatchNode(node, str(_value(node, "batch_group_id", fields)), _items(node, definition, fields, edges))


def batch_data(
    nodes: Sequence[BatchNode], edges: Sequence[Edge], answers: Mapping[str, list[Any]]
) -> list[list[dict[str, Any]]]:
    """The batch data of `enqueue_batch`: inner lists are zipped, outer ones multiplied.

    Args:
        nodes: the batch nodes.
        edges: those of the document's edges that hold.
        answers: the items that the server made, by the id of the batch node.
    """
    groups: dict[str, list[list[dict[str, Any]]]] = {}
    for batch in nodes:
        items = items_of(batch, answers)
        output = "image" if batch.node.type == "image_batch" else "value"
        data = [
            {"node_path": edge.target, "field_name": edge.target_field, "items": items}
            for edge in edges
            if edge.source == batch.node.id and edge.source_field == output
        ]
        groups.setdefault(batch.group, []).append(data)
    ordered: list[list[dict[str, Any]]] = []
    for group, lists in groups.items():
        ordered += lists if group == UNGROUPED else [[datum for data in lists for datum in data]]
    return [data for data in ordered if data]


def batch_faults(
    nodes: Sequence[BatchNode], edges: Sequence[Edge], answers: Mapping[str, list[Any]]
) -> list[tuple[Node, str, str]]:
    """Find what keeps batch nodes from making a batch, as the web UI does before it offers to run a workflow.

    Args:
        nodes: the batch nodes.
        edges: those of the document's edges that hold.
        answers: the items that the server made, by the id of the batch node.

    Returns:
        (node, input name, reason) for each fault; the name is "" where the whole node is meant.
    """
    faults: list[tuple[Node, str, str]] = []
    groups: dict[str, list[BatchNode]] = {}
    for batch in nodes:
        name = _LISTS[batch.node.type]
        if not any(edge.source == batch.node.id for edge in edges):
            faults.append((batch.node, "", "no edge leads from this batch node to another node"))
        if not items_of(batch, answers):
            faults.append((batch.node, name, "it has no items, which makes an empty batch"))
        if batch.group != UNGROUPED:
            groups.setdefault(batch.group, []).append(batch)
    for group, members in groups.items():
        lengths = [len(items_of(batch, answers)) for batch in members]
        if len(set(lengths)) > 1:
            why = f"the batch nodes of {group!r} must have equally many items, but have {', '.join(map(str, lengths))}"
            faults += [(batch.node, _LISTS[batch.node.type], why) for batch in members]
    return faults


def rest_of(batch: Mapping[str, Any], taken: int) -> dict[str, Any]:
    """What is left of a batch of which the server took only the first items, as a batch of its own.

    Args:
        batch: as it was sent, with `data` and `runs`.
        taken: how many items the server took. It makes them run by run, the last list of `data` changing fastest.
    """
    data: Sequence[Sequence[Mapping[str, Any]]] = batch.get("data") or []
    if not data:
        return {**batch, "runs": batch["runs"] - taken}
    zipped = [list(zip(*(datum["items"] for datum in group), strict=True)) for group in data]
    rows = (
        [value for group in row for value in group] for _ in range(batch["runs"]) for row in itertools.product(*zipped)
    )
    left = [*itertools.islice(rows, taken, None)]
    places = [datum for group in data for datum in group]
    flat = [{**datum, "items": [row[column] for row in left]} for column, datum in enumerate(places)]
    return {**batch, "data": [flat], "runs": 1}


def items_of(batch: BatchNode, answers: Mapping[str, list[Any]]) -> list[Any]:
    """The items of a batch node: its own, or those that the server made for it."""
    return batch.items if isinstance(batch.items, list) else answers[batch.node.id]


def _items(
    node: Node, definition: WorkflowDefinition, fields: WorkflowFields, edges: Sequence[Edge]
) -> list[Any] | ServerGenerator:
    name = _LISTS[node.type]
    wire = next((edge for edge in edges if (edge.target, edge.target_field) == (node.id, name)), None)
    if wire is None:
        own = _value(node, name, fields)
        return list(own) if isinstance(own, list) else []
    origin = origin_of(wire, definition.nodes, edges)
    if origin is None:
        return []
    generator = definition.nodes[origin.source]
    try:
        return generate(_value(generator, "generator", fields))
    except ValueError as error:
        raise BatchError(
            f"The generator {_named([generator])} of {definition.source or definition.name or 'the workflow'} "
            f"cannot be understood: {error}.",
            node_ids=(generator.id,),
            source=definition.source,
            hint="Set it anew in the web UI.",
        ) from error


def _value(node: Node, name: str, fields: WorkflowFields) -> Any:
    value = fields.value_of(node.id, name, fields.inputs_of(node).get(name, {}))
    return None if value is UNSET else value


def _named(nodes: Sequence[Node]) -> str:
    return ", ".join(f"{node.label or node.type!r} (node {node.id})" for node in nodes)
