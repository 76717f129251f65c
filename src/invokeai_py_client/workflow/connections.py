"""Which edges of a document hold (`validateWorkflow.ts`, `validateConnection.ts`).

Edges are checked in file order, each against those already kept. An edge from a connector counts as one from what
feeds the chain of connectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from invokeai_py_client.workflow.document import Edge, Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import input_template
from invokeai_py_client.workflow.field_types import are_equal, can_feed, item_of, suit_each_other
from invokeai_py_client.workflow.templates import FieldType, NodeTemplates

CONNECTOR_INPUT = "in"
CONNECTOR_OUTPUT = "out"

_IF_INPUTS = ("true_input", "false_input")
_OTHER_INPUT = dict(zip(_IF_INPUTS, reversed(_IF_INPUTS), strict=True))


@dataclass(frozen=True, slots=True)
class Port:
    """An output or input: its node, name and type; for an input also where its value may come from."""

    node: Node
    name: str
    type: FieldType
    input: str = "any"


class _Fault(Exception):
    """Why an edge does not hold."""


def kept_edges(definition: WorkflowDefinition, templates: NodeTemplates) -> tuple[tuple[Edge, ...], tuple[str, ...]]:
    """Sort out the edges that do not hold.

    Args:
        definition: the document.
        templates: the server's node templates.

    Returns:
        The edges that are kept, those of collapsed nodes left out, and a sentence for each that is not.
    """
    checker = _Checker(definition.nodes, templates)
    kept: list[Edge] = []
    warnings: list[str] = []
    for edge in definition.edges:
        try:
            checker.check_ends(edge)
            if not edge.is_collapsed:
                checker.check(edge, kept)
        except _Fault as fault:
            warnings.append(f"edge {edge} is left out: {fault}")
        else:
            kept.append(edge)
    return tuple(edge for edge in kept if not edge.is_collapsed), tuple(warnings)


def origin_of(edge: Edge, nodes: Mapping[str, Node], edges: Sequence[Edge]) -> Edge | None:
    """The edge by which a value really comes: where this one comes from a connector, the one that feeds the chain.

    Returns:
        An edge whose source is no connector; None if nothing feeds the chain.
    """
    passed = set()
    found: Edge | None = edge
    while found is not None and found.source in nodes and nodes[found.source].kind == "connector":
        if found.source in passed:
            return None
        passed.add(found.source)
        connector = found.source
        found = next((e for e in edges if e.target == connector and e.target_field == CONNECTOR_INPUT), None)
    return found if found is not None and found.source in nodes else None


class _Checker:
    def __init__(self, nodes: Mapping[str, Node], templates: NodeTemplates) -> None:
        self._nodes = nodes
        self._templates = templates

    def check_ends(self, edge: Edge) -> None:
        for node_id in (edge.source, edge.target):
            node = self._nodes.get(node_id)
            if node is None:
                raise _Fault(f"there is no node {node_id!r}")
            if node.kind == "invocation" and node.type not in self._templates:
                raise _Fault(f"the server has no node type {node.type!r}")

    def check(self, edge: Edge, kept: Sequence[Edge]) -> None:
        if edge.source == edge.target:
            raise _Fault("it joins a node to itself")
        if edge in kept:
            raise _Fault("it repeats another")
        target_node = self._nodes[edge.target]
        source = self._source(edge, kept)
        if target_node.kind == "connector":
            self._check_into_connector(edge, source, kept)
            return
        target = self._target(edge)
        if target.input == "direct":
            raise _Fault(f"{target.name!r} takes no edge")
        if source is None:
            self._check_unfed(edge, target, kept)
            return
        self._check_collect(source, target, kept)
        self._check_if_inputs(edge, source, target, kept)
        is_taken = any((e.target, e.target_field) == (edge.target, edge.target_field) for e in kept)
        if is_taken and target.type.name != "CollectionItemField":
            raise _Fault(f"{target.name!r} has an edge already")
        self._check_types(source, target, kept)
        if _has_loop([*kept, edge]):
            raise _Fault("it would close a loop")

    def _source(self, edge: Edge, kept: Sequence[Edge]) -> Port | None:
        """The output that an edge really comes from; None for a chain of connectors that nothing feeds."""
        node = self._nodes[edge.source]
        if node.kind == "connector" and edge.source_field != CONNECTOR_OUTPUT:
            raise _Fault(f"a connector has no {edge.source_field!r}")
        origin = origin_of(edge, self._nodes, kept)
        return None if origin is None else self._output(origin)

    def _output(self, edge: Edge) -> Port:
        node = self._nodes[edge.source]
        template = self._templates.get(node.type) if node.kind == "invocation" else None
        if template is None:
            raise _Fault(f"a {node.type} makes nothing")
        output = template.outputs.get(edge.source_field)
        if output is None:
            raise _Fault(f"a {node.type} makes no {edge.source_field!r}")
        return Port(node, edge.source_field, output.type)

    def _target(self, edge: Edge) -> Port:
        node = self._nodes[edge.target]
        port = self._input(node, edge.target_field)
        if port is None:
            raise _Fault(f"a {node.type} takes no {edge.target_field!r}")
        return port

    def _input(self, node: Node, name: str) -> Port | None:
        template = self._templates.get(node.type) if node.kind == "invocation" else None
        if template is None:
            return None
        known = input_template(node, template, name)
        return None if known is None else Port(node, name, known.type, known.input)

    def _check_into_connector(self, edge: Edge, source: Port | None, kept: Sequence[Edge]) -> None:
        if edge.target_field != CONNECTOR_INPUT:
            raise _Fault(f"a connector has no {edge.target_field!r}")
        if any((e.target, e.target_field) == (edge.target, edge.target_field) for e in kept):
            raise _Fault("the connector is fed already")
        if source is None:
            return
        # What is fed now must suit everything that the chain leads to.
        inside, ends = _downstream(edge.target, self._nodes, kept)
        others = [e for e in kept if e not in inside]
        for end in ends:
            self.check(Edge(edge.source, edge.source_field, end.target, end.target_field), others)

    def _check_unfed(self, edge: Edge, target: Port, kept: Sequence[Edge]) -> None:
        """A chain that nothing feeds may stay, as long as all that it leads to could be fed by one thing."""
        _, ends = _downstream(edge.source, self._nodes, kept)
        for end in ends:
            if (end.target, end.target_field) == (edge.target, edge.target_field):
                continue
            other = self._input(self._nodes[end.target], end.target_field)
            if other is None or not suit_each_other(other.type, target.type):
                raise _Fault("what the connector leads to cannot be fed by one thing")

    def _check_collect(self, source: Port, target: Port, kept: Sequence[Edge]) -> None:
        if target.node.type != "collect":
            return
        if target.name == "item":
            held = self._collected(target.node, kept)
            if held is not None and not are_equal(source.type, held):
                raise _Fault(f"the collect holds {held}, not {source.type}")
        elif target.name == "collection" and source.node.type == "collect" and source.name == "collection":
            theirs, held = self._collected(source.node, kept), self._collected(target.node, kept)
            if theirs is not None and held is not None and not are_equal(theirs, held):
                raise _Fault(f"the collect holds {held}, not {theirs}")

    def _collected(self, node: Node, kept: Sequence[Edge]) -> FieldType | None:
        """What a collect holds, by the first of its items, else by the collect or list that it goes on from."""
        passed = set()
        while node.id not in passed:
            passed.add(node.id)
            first = next((e for e in kept if (e.target, e.target_field) == (node.id, "item")), None)
            if first is None:
                first = next((e for e in kept if (e.target, e.target_field) == (node.id, "collection")), None)
                if first is None:
                    return None
                if self._nodes[first.source].type == "collect" and first.source_field == "collection":
                    node = self._nodes[first.source]
                    continue
            template = self._templates.get(self._nodes[first.source].type)
            output = None if template is None else template.outputs.get(first.source_field)
            return None if output is None else item_of(output.type)
        return None

    def _check_if_inputs(self, edge: Edge, source: Port, target: Port, kept: Sequence[Edge]) -> None:
        if target.node.type != "if" or target.name not in _IF_INPUTS:
            return
        other = next((e for e in kept if (e.target, e.target_field) == (edge.target, _OTHER_INPUT[target.name])), None)
        if other is None:
            return
        sibling = self._source(other, kept)
        if sibling is None or not suit_each_other(source.type, sibling.type):
            raise _Fault("the two inputs of an if must suit each other")

    def _check_types(self, source: Port, target: Port, kept: Sequence[Edge]) -> None:
        types = [source.type]
        if source.node.type == "if" and source.name == "value":
            # What comes out is what goes in.
            types = [port.type for port in self._if_sources(source.node, kept)] or types
        for source_type in types:
            if not can_feed(source_type, target.type):
                raise _Fault(f"{source_type} cannot feed {target.type}")

    def _if_sources(self, node: Node, kept: Sequence[Edge]) -> Iterator[Port]:
        for edge in kept:
            if edge.target == node.id and edge.target_field in _IF_INPUTS:
                try:
                    source = self._source(edge, kept)
                except _Fault:
                    continue
                if source is not None:
                    yield source


def _downstream(connector: str, nodes: Mapping[str, Node], edges: Sequence[Edge]) -> tuple[set[Edge], list[Edge]]:
    """The edges of the chain that begins at a connector, and those of them that leave it."""
    inside: set[Edge] = set()
    ends: list[Edge] = []
    passed = set()
    todo = [connector]
    while todo:
        current = todo.pop(0)
        if current in passed:
            continue
        passed.add(current)
        for edge in edges:
            if edge.source == current and edge.source_field == CONNECTOR_OUTPUT:
                inside.add(edge)
                if nodes[edge.target].kind == "connector":
                    todo.append(edge.target)
                else:
                    ends.append(edge)
    return inside, ends


def _has_loop(edges: Sequence[Edge]) -> bool:
    """Whether one can walk along the edges and come back: what is left when all that feeds nothing more is gone."""
    left = {(edge.source, edge.target) for edge in edges}
    while left:
        sources = {source for source, _ in left}
        still = {(source, target) for source, target in left if target in sources}
        if len(still) == len(left):
            return True
        left = still
    return False
