"""Turns batch nodes into batch data, as the web UI does (`useEnqueueWorkflows.ts`, `resolveBatchValue.ts`)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from invokeai_py_client.errors import BatchError
from invokeai_py_client.workflow.connections import Origins
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.generators import ServerGenerator, generate
from invokeai_py_client.workflow.references import LocalImage
from invokeai_py_client.workflow.saved_values import LISTS

_ARRAY_INDEX = re.compile("0|[1-9][0-9]{0,9}")

UNGROUPED = "None"
"""The group of batch nodes that are multiplied with all others."""

LIST_INPUTS = {
    "float_batch": "floats",
    "integer_batch": "integers",
    "string_batch": "strings",
    "image_batch": "images",
}
"""The types of batch nodes, and the input that holds the items of each."""


class BatchNode(NamedTuple):
    """A batch node: its group, and its items or the request that makes the server create them."""

    node: Node
    group: str
    items: list[Any] | ServerGenerator


def batch_nodes(definition: WorkflowDefinition, fields: WorkflowFields, edges: Sequence[Edge]) -> list[BatchNode]:
    """Return the batch nodes of a document, in document order.

    Args:
        definition: the document.
        fields: the values.
        edges: the valid edges of the document.

    Raises:
        BatchError: a batch node has no list of its kind, or is fed by something other than a readable generator.
    """
    nodes, errors = read_batches(definition, fields, edges)
    for _, error in errors:
        raise error
    return nodes


def read_batches(
    definition: WorkflowDefinition, fields: WorkflowFields, edges: Sequence[Edge]
) -> tuple[list[BatchNode], list[tuple[Node, BatchError]]]:
    """Return the batch nodes of a document that can be read, and the others with their errors.

    A batch node is skipped if values override all its edges.
    """
    origins = Origins(definition.first_nodes, edges)
    feeds: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        feeds.setdefault((edge.target, edge.target_field), edge)
    nodes: list[BatchNode] = []
    errors: list[tuple[Node, BatchError]] = []
    for node in definition.all_nodes:
        if node.kind == "invocation" and node.type in LIST_INPUTS and not fields.is_cut_off(node.id):
            try:
                items = _items(node, definition, fields, feeds, origins)
            except BatchError as error:
                errors.append((node, error))
            else:
                nodes.append(BatchNode(node, _group(node, fields), items))
    return nodes, errors


def batch_data(
    nodes: Sequence[BatchNode], edges: Sequence[Edge], generated: Mapping[str, list[Any]]
) -> list[list[dict[str, Any]]]:
    """Return the batch data of `enqueue_batch`: inner lists are zipped, outer ones multiplied.

    Args:
        nodes: the batch nodes.
        edges: the valid edges of the document.
        generated: the items that the server made, by the id of the batch node.
    """
    groups: dict[str, list[list[dict[str, Any]]]] = {}
    carrying = item_edges(nodes, edges)
    for batch in nodes:
        items = items_of(batch, generated)
        data = [
            {"node_path": edge.target, "field_name": edge.target_field, "items": items}
            for edge in carrying.get(batch.node.id, ())
        ]
        groups.setdefault(batch.group, []).append(data)
    ordered: list[list[dict[str, Any]]] = []
    for group in _in_javascript_order(groups):
        lists = groups[group]
        ordered += lists if group == UNGROUPED else [[datum for data in lists for datum in data]]
    return [data for data in ordered if data]


def batch_faults(
    nodes: Sequence[BatchNode], edges: Sequence[Edge], generated: Mapping[str, list[Any]]
) -> list[tuple[Node, str, str]]:
    """Find the reasons why batch nodes do not form a batch, as the web UI does before it enables its Invoke button.

    Args:
        nodes: the batch nodes.
        edges: the valid edges of the document.
        generated: the items that the server made, by the id of the batch node.

    Returns:
        (node, input name, reason) for each fault; the name is "" for a fault of the whole node.
    """
    faults: list[tuple[Node, str, str]] = []
    groups: dict[str, list[BatchNode]] = {}
    sources = {edge.source for edge in edges}
    for batch in nodes:
        name = LIST_INPUTS[batch.node.type]
        if batch.node.id not in sources:
            faults.append((batch.node, "", "no edge leads from this batch node to another node"))
        if not items_of(batch, generated):
            faults.append((batch.node, name, "it has no items, so the batch would be empty"))
        if batch.group != UNGROUPED:
            groups.setdefault(batch.group, []).append(batch)
    for group, members in groups.items():
        lengths = [len(items_of(batch, generated)) for batch in members]
        if len(set(lengths)) > 1:
            listed = ", ".join(map(str, lengths))
            why = f"the batch nodes of {group!r} must have the same number of items, but have {listed}"
            faults += [(batch.node, LIST_INPUTS[batch.node.type], why) for batch in members]
    return faults


def item_edges(nodes: Iterable[BatchNode], edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    """Return the edges that carry the items of batch nodes, by the node's id."""
    outputs = {(batch.node.id, "image" if batch.node.type == "image_batch" else "value") for batch in nodes}
    found: dict[str, list[Edge]] = {}
    for edge in edges:
        if (edge.source, edge.source_field) in outputs:
            found.setdefault(edge.source, []).append(edge)
    return found


def rest_of(batch: Mapping[str, Any], taken: int) -> dict[str, Any]:
    """Return a batch with the items that the server did not accept of another batch.

    Args:
        batch: the batch as it was sent, with `data` and `runs`.
        taken: the number of items that the server accepted. It creates them run by run, the last list of `data`
            changing fastest.
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


def items_of(batch: BatchNode, generated: Mapping[str, list[Any]]) -> list[Any]:
    """Return the items of a batch node: its own, or those that the server made for it."""
    return batch.items if isinstance(batch.items, list) else generated[batch.node.id]


def _items(
    node: Node,
    definition: WorkflowDefinition,
    fields: WorkflowFields,
    feeds: Mapping[tuple[str, str], Edge],
    origins: Origins,
) -> list[Any] | ServerGenerator:
    name = LIST_INPUTS[node.type]
    own = _value(node, name, fields)
    if own is UNSET and name not in fields.inputs_of(node):
        raise _unusable([node], f"has no input {name!r}", definition)
    items = [] if own is UNSET else own
    # Images that have yet to be uploaded were set by the user, and checked at that time.
    read = [item for item in items if not isinstance(item, LocalImage)] if isinstance(items, list) else items
    if LISTS[name](read) is UNSET:
        raise _unusable([node], f"contains {own!r:.80} instead of a list of {name}", definition)
    wire = feeds.get((node.id, name))
    if wire is None:
        return [*items]
    origin = origins.of(wire)
    generator = None if origin is None else definition.first_invocations.get(origin.source)
    if generator is None:
        raise _unusable([node], "is fed by a connector without a source", definition)
    value = _value(generator, "generator", fields)
    try:
        return generate(value, node.type.removesuffix("_batch"))
    except ValueError as error:
        raw = generator.inputs.get("generator", {}).get("value") if value is UNSET else None
        why = error if raw is None else f"its value {raw!r:.200} is not that of a generator"
        raise _unusable([generator], f"cannot be read: {why}", definition) from error


def _unusable(nodes: Sequence[Node], why: str, definition: WorkflowDefinition) -> BatchError:
    return BatchError(
        f"{_named(nodes)} of {definition.source or definition.name or 'the workflow'} {why}.",
        node_ids=tuple(node.id for node in nodes),
        source=definition.source,
        hint="Set it again in the web UI.",
    )


def _group(node: Node, fields: WorkflowFields) -> str:
    return _javascript_text(_value(node, "batch_group_id", fields))


def _javascript_text(value: Any) -> str:
    """Convert a value to a key as JavaScript does, by which the web UI groups batch nodes."""
    if value is UNSET:
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(_javascript_text, value))
    if isinstance(value, Mapping):
        return "[object Object]"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _in_javascript_order(groups: Iterable[str]) -> list[str]:
    """Return keys in the order in which JavaScript lists them: whole numbers first, by size."""
    indexes = {key for key in groups if _ARRAY_INDEX.fullmatch(key) and int(key) < 2**32 - 1}
    return [*sorted(indexes, key=int), *(key for key in groups if key not in indexes)]


def _value(node: Node, name: str, fields: WorkflowFields) -> Any:
    return fields.value_of(node.id, name, fields.inputs_of(node).get(name, {}))


def _named(nodes: Sequence[Node]) -> str:
    return ", ".join(f"{node.label or node.type!r} (node {node.id})" for node in nodes)
