"""Finds the inputs that make a run random."""

from __future__ import annotations

from collections.abc import Sequence

from invokeai_py_client.errors import InputNotFoundError
from invokeai_py_client.workflow.connections import Origins
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import is_called_input
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.graph import is_executable
from invokeai_py_client.workflow.inputs import WorkflowInput, WorkflowInputs
from invokeai_py_client.workflow.node_update import NODES_WITH_EXTRA_INPUTS
from invokeai_py_client.workflow.templates import Cardinality

RANDOM_INTEGER = "rand_int"
"""The type of the node that draws a new number for each run."""


def seed_inputs(definition: WorkflowDefinition, fields: WorkflowFields, inputs: WorkflowInputs) -> list[WorkflowInput]:
    """Return the seed inputs: integers named `seed` without an edge, and integers that are fed by a random node.

    Args:
        definition: the document.
        fields: the values, and the valid edges.
        inputs: the workflow's inputs.

    Returns:
        The inputs in document order. A seed input of a metadata node is only included if there is another seed input.
    """
    edges = fields.edges
    feeding = {(edge.target, edge.target_field): edge for edge in reversed(edges)}
    origins = Origins(definition.first_nodes, edges)
    found = [
        one
        for node in inputs.nodes
        if is_executable(node.node)
        for name in node.inputs.names
        if (_is_named_seed(node.node, name) or (node.id, name) in feeding)
        and (one := _integer(node.inputs[name])) is not None
        and _takes_seed(definition, origins, feeding.get((node.id, name)))
    ]
    return found if any(definition.nodes[one.node_id].type not in NODES_WITH_EXTRA_INPUTS for one in found) else []


def require_seed_inputs(
    definition: WorkflowDefinition, fields: WorkflowFields, inputs: WorkflowInputs
) -> list[WorkflowInput]:
    """Return `seed_inputs`, at least one.

    Raises:
        InputNotFoundError: the workflow has no seed input; the message lists the nodes that its seeds come from.
    """
    found = seed_inputs(definition, fields, inputs)
    if not found:
        fed = _fed_seeds(fields.edges)
        names = [fields.source_of(edge) for edge in fed]
        raise InputNotFoundError(
            f"{definition.name or 'The workflow'} has no seed: it has no integer input 'seed' without an edge, and no "
            f"{RANDOM_INTEGER} node.",
            key="seed",
            choices=tuple(names),
            hint=f"Its seeds come from {', '.join(names)}: set the inputs there instead."
            if names
            else "Leave out the seed: runs with the same values give the same result.",
        )
    return found


def _is_named_seed(node: Node, name: str) -> bool:
    return name == "seed" or (is_called_input(node, name) and name.rpartition("::")[2] == "seed")


def _integer(one: WorkflowInput) -> WorkflowInput | None:
    kind = one.field.template.type
    return one if kind.name == "IntegerField" and kind.cardinality is Cardinality.SINGLE else None


def _takes_seed(definition: WorkflowDefinition, origins: Origins, edge: Edge | None) -> bool:
    if edge is None:
        return True
    origin = origins.of(edge)
    return origin is not None and definition.first_nodes[origin.source].type == RANDOM_INTEGER


def _fed_seeds(edges: Sequence[Edge]) -> list[Edge]:
    return [edge for edge in edges if edge.target_field == "seed"]
