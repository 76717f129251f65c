"""Decides which edges of a document are valid, as the web UI does (`validateWorkflow.ts`, `validateConnection.ts`).

Edges are checked in file order, each against those already kept. An edge from a connector counts as an edge from the
source of the chain of connectors. If node ids repeat, an edge refers to the first node with the id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from invokeai_py_client.workflow.acyclic_order import AcyclicOrder
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import input_template
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.templates import FieldType, NodeTemplates
from invokeai_py_client.workflow.type_compatibility import are_equal, can_feed, item_of, suit_each_other

CONNECTOR_INPUT = "in"
CONNECTOR_OUTPUT = "out"

_IF_INPUTS = ("true_input", "false_input")
_OTHER_INPUT = dict(zip(_IF_INPUTS, reversed(_IF_INPUTS), strict=True))
_NOTHING: frozenset[str] = frozenset()


class Port(NamedTuple):
    """An output or input: its node, name and type, and for an input, where its value may come from."""

    node: Node
    name: str
    type: FieldType
    input: str = "any"


class DroppedEdge(NamedTuple):
    """An edge that is not valid, and the reason."""

    edge: Edge
    why: str

    def __str__(self) -> str:
        return f"the edge {self.edge} is ignored: {self.why}"


class _Fault(Exception):
    """The reason why an edge is not valid."""


def kept_edges(
    definition: WorkflowDefinition, templates: NodeTemplates
) -> tuple[tuple[Edge, ...], tuple[DroppedEdge, ...]]:
    """Return the valid edges of a document, in time proportional to the number of edges.

    Args:
        definition: the document.
        templates: the server's node templates.

    Returns:
        The valid edges, without those of collapsed nodes, and the invalid edges.
    """
    checker = _Checker(definition, templates)
    kept: list[Edge] = []
    dropped: list[DroppedEdge] = []
    for edge in definition.edges:
        try:
            checker.keep(edge)
        except _Fault as fault:
            dropped.append(DroppedEdge(edge, str(fault)))
        else:
            kept.append(edge)
    return tuple(edge for edge in kept if not edge.is_collapsed), tuple(dropped)


class Origins:
    """Follows chains of connectors back to the edges that feed them.

    Args:
        nodes: the nodes by id.
        edges: the edges among them.
    """

    def __init__(self, nodes: Mapping[str, Node], edges: Iterable[Edge]) -> None:
        self._nodes = nodes
        self._feeds: dict[str, Edge] = {}
        self._upstream: dict[str, str] = {}
        for edge in edges:
            self.add(edge)

    def add(self, edge: Edge) -> None:
        """Add an edge. If there are several into one connector, the first one is used."""
        if _is_connector(self._nodes, edge.target):
            self._feeds.setdefault(edge.target, edge)

    def of(self, edge: Edge, without: frozenset[str] = _NOTHING) -> Edge | None:
        """Return the edge that feeds the chain of connectors before an edge; the edge itself if there is no chain.

        Args:
            edge: the edge.
            without: the ids of edges to ignore.

        Returns:
            An edge whose source is an invocation; None if nothing feeds the chain.
        """
        passed: dict[str, None] = {}
        found: Edge | None = edge
        while found is not None and _is_connector(self._nodes, found.source):
            connector = found.source
            if not without:
                connector = self._upstream.get(connector, connector)
            if connector in passed:
                return None
            passed[connector] = None
            found = self._feeds.get(connector)
            if found is not None and found.id in without:
                found = None
        if not without:
            # Path compression: all connectors of this chain now point to the last one.
            self._upstream.update(dict.fromkeys([edge.source, *passed], [*passed][-1]) if passed else {})
        return found if found is not None and found.source in self._nodes else None


def _is_connector(nodes: Mapping[str, Node], node_id: str) -> bool:
    node = nodes.get(node_id)
    return node is not None and node.kind == "connector"


class _Kept:
    """The edges kept so far, indexed for the checks. `without` has the ids of edges to ignore."""

    def __init__(self, definition: WorkflowDefinition) -> None:
        self._nodes = definition.first_nodes
        self._edges: dict[Edge, list[Edge]] = {}
        self._into: dict[tuple[str, str], list[Edge]] = {}
        self._leaving: dict[str, list[Edge]] = {}
        # The edges from a connector by type and input of their targets, as equal inputs need to be checked only once.
        self._led_to: dict[str, dict[tuple[str, str], list[Edge]]] = {}
        self.origins = Origins(self._nodes, ())
        self.order = AcyclicOrder(definition.edges)
        # A cache: from a collect to the collect at the start of its chain. Cleared when one of them gets an item.
        self.collect_sources: dict[str, str] = {}

    def add(self, edge: Edge) -> None:
        self.order.add(edge)
        if edge.is_collapsed:
            return
        self._edges.setdefault(edge, []).append(edge)
        self._into.setdefault((edge.target, edge.target_field), []).append(edge)
        self.origins.add(edge)
        if edge.source_field == CONNECTOR_OUTPUT and _is_connector(self._nodes, edge.source):
            self._leaving.setdefault(edge.source, []).append(edge)
            kind = (self._nodes[edge.target].type, edge.target_field)
            self._led_to.setdefault(edge.source, {}).setdefault(kind, []).append(edge)
        if edge.target_field == "item" and len(self._into[edge.target, "item"]) == 1:
            self.collect_sources.clear()

    def has(self, edge: Edge, without: frozenset[str]) -> bool:
        return any(kept.id not in without for kept in self._edges.get(edge, ()))

    def first_into(self, node_id: str, name: str, without: frozenset[str]) -> Edge | None:
        return next((edge for edge in self._into.get((node_id, name), ()) if edge.id not in without), None)

    def into(self, node_id: str, name: str, without: frozenset[str]) -> Iterator[Edge]:
        return (edge for edge in self._into.get((node_id, name), ()) if edge.id not in without)

    def downstream(self, connector: str, without: frozenset[str]) -> tuple[list[Edge], list[Edge]]:
        """Return the edges of the chain that starts at a connector, and those among them that lead to other nodes."""
        inside = [
            edge
            for passed in self._chain(connector, without)
            for edge in self._leaving.get(passed, ())
            if edge.id not in without
        ]
        return inside, [edge for edge in inside if not _is_connector(self._nodes, edge.target)]

    def kinds_downstream(self, connector: str, but: Edge, without: frozenset[str]) -> Iterator[tuple[str, str]]:
        """Yield (node type, input) for each input behind the chain that begins at a connector, except one."""
        for passed in self._chain(connector, without):
            for kind, edges in self._led_to.get(passed, {}).items():
                if not _is_connector(self._nodes, edges[0].target) and any(
                    (edge.target, edge.target_field) != (but.target, but.target_field) and edge.id not in without
                    for edge in edges
                ):
                    yield kind

    def _chain(self, connector: str, without: frozenset[str]) -> Iterator[str]:
        seen, todo = {connector}, [connector]
        while todo:
            passed = todo.pop()
            yield passed
            for (node_type, _), edges in self._led_to.get(passed, {}).items():
                if node_type != "connector":
                    continue
                for edge in edges:
                    if edge.target not in seen and edge.id not in without and _is_connector(self._nodes, edge.target):
                        seen.add(edge.target)
                        todo.append(edge.target)


class _Checker:
    def __init__(self, definition: WorkflowDefinition, templates: NodeTemplates) -> None:
        self._nodes = definition.first_nodes
        self._templates = templates
        self._kept = _Kept(definition)

    def keep(self, edge: Edge) -> None:
        """Keep an edge if it is valid; otherwise raise a _Fault."""
        for node_id in (edge.source, edge.target):
            node = self._nodes.get(node_id)
            if node is None:
                raise _Fault(f"there is no node {node_id!r}")
            if node.kind == "invocation" and node.type not in self._templates:
                raise _Fault(f"the server has no node type {node.type!r}")
        if not edge.is_collapsed:
            self._check(edge, _NOTHING)
        self._kept.add(edge)

    def _check(self, edge: Edge, without: frozenset[str]) -> None:
        if edge.source == edge.target:
            raise _Fault("it connects a node to itself")
        if self._kept.has(edge, without):
            raise _Fault("it is a duplicate")
        target_node = self._nodes[edge.target]
        source = self._source(edge, without)
        if target_node.kind == "connector":
            self._check_into_connector(edge, source, without)
            return
        target = self._target(edge)
        if target.input == "direct":
            raise _Fault(f"{target.name!r} does not accept an edge")
        if source is None:
            self._check_unfed(edge, target, without)
            return
        self._check_collect(source, target, without)
        self._check_if_inputs(edge, source, target, without)
        is_taken = self._kept.first_into(edge.target, edge.target_field, without) is not None
        if is_taken and target.type.name != "CollectionItemField":
            raise _Fault(f"{target.name!r} already has an edge")
        self._check_types(source, target, without)
        if self._kept.order.would_loop(edge.source, edge.target, without):
            raise _Fault("it would close a loop")

    def _source(self, edge: Edge, without: frozenset[str]) -> Port | None:
        """Return the output that feeds an edge; None for a chain of connectors without a source."""
        node = self._nodes[edge.source]
        if node.kind == "connector" and edge.source_field != CONNECTOR_OUTPUT:
            raise _Fault(f"a connector has no {edge.source_field!r}")
        origin = self._kept.origins.of(edge, without)
        return None if origin is None else self._output(origin)

    def _output(self, edge: Edge) -> Port:
        node = self._nodes[edge.source]
        template = self._templates.get(node.type) if node.kind == "invocation" else None
        if template is None:
            raise _Fault(f"a {node.type} has no outputs")
        output = template.outputs.get(edge.source_field)
        if output is None:
            raise _Fault(f"a {node.type} has no output {edge.source_field!r}")
        return Port(node, edge.source_field, output.type)

    def _target(self, edge: Edge) -> Port:
        node = self._nodes[edge.target]
        template = self._templates.get(node.type) if node.kind == "invocation" else None
        known = None if template is None else input_template(node, template, edge.target_field)
        if known is None:
            raise _Fault(f"a {node.type} has no input {edge.target_field!r}")
        return Port(node, edge.target_field, known.type, known.input)

    def _check_into_connector(self, edge: Edge, source: Port | None, without: frozenset[str]) -> None:
        if edge.target_field != CONNECTOR_INPUT:
            raise _Fault(f"a connector has no {edge.target_field!r}")
        if self._kept.first_into(edge.target, edge.target_field, without) is not None:
            raise _Fault("the connector already has a source")
        if source is None:
            return
        # The source must be compatible with every input that the chain leads to.
        inside, ends = self._kept.downstream(edge.target, without)
        left_out = without | {kept.id for kept in inside}
        for end in ends:
            self._check(Edge(edge.source, edge.source_field, end.target, end.target_field), left_out)

    def _check_unfed(self, edge: Edge, target: Port, without: frozenset[str]) -> None:
        """Check that one output could feed all inputs of a chain of connectors that has no source yet."""
        for node_type, name in self._kept.kinds_downstream(edge.source, edge, without):
            # Here, the web UI only considers inputs of the node's type, not dynamic inputs from the document.
            template = self._templates.get(node_type)
            other = None if template is None else template.inputs.get(name)
            if other is None:
                raise _Fault(f"a {node_type} has no input {name!r}")
            if not suit_each_other(other.type, target.type):
                raise _Fault("the inputs that the connector leads to have no common type")

    def _check_collect(self, source: Port, target: Port, without: frozenset[str]) -> None:
        if target.node.type != "collect":
            return
        if target.name == "item":
            held = self._collected(target.node.id, without)
            if held is not None and not are_equal(source.type, held):
                raise _Fault(f"the collect contains {held}, not {source.type}")
        elif target.name == "collection" and source.node.type == "collect" and source.name == "collection":
            theirs, held = self._collected(source.node.id, without), self._collected(target.node.id, without)
            if theirs is not None and held is not None and not are_equal(theirs, held):
                raise _Fault(f"the collect contains {held}, not {theirs}")

    def _collected(self, node_id: str, without: frozenset[str]) -> FieldType | None:
        """Return the item type of a collect node: that of its first item, or of the collection that it extends."""
        sources = {} if without else self._kept.collect_sources
        passed: dict[str, None] = {}
        first = None
        while node_id not in passed:
            passed[node_id] = None
            if node_id in sources:
                node_id = sources[node_id]
                continue
            first = self._kept.first_into(node_id, "item", without)
            if first is None:
                first = self._kept.first_into(node_id, "collection", without)
                if (
                    first is not None
                    and self._nodes[first.source].type == "collect"
                    and first.source_field == "collection"
                ):
                    node_id = first.source
                    first = None
                    continue
            break
        # Path compression: all collects that were passed now point to this one.
        sources.update((one, node_id) for one in passed if one != node_id)
        if first is None:
            return None
        template = self._templates.get(self._nodes[first.source].type)
        output = None if template is None else template.outputs.get(first.source_field)
        return None if output is None else item_of(output.type)

    def _check_if_inputs(self, edge: Edge, source: Port, target: Port, without: frozenset[str]) -> None:
        if target.node.type != "if" or target.name not in _IF_INPUTS:
            return
        other = self._kept.first_into(edge.target, _OTHER_INPUT[target.name], without)
        if other is None:
            return
        sibling = self._source(other, without)
        if sibling is None or not suit_each_other(source.type, sibling.type):
            raise _Fault("the two inputs of an if must have compatible types")

    def _check_types(self, source: Port, target: Port, without: frozenset[str]) -> None:
        types = [source.type]
        if source.node.type == "if" and source.name == "value":
            # The output of an `if` has the type of its inputs.
            types = [port.type for port in self._if_sources(source.node, without)] or types
        for source_type in types:
            if not can_feed(source_type, target.type):
                raise _Fault(f"{source_type} cannot feed {target.type}")

    def _if_sources(self, node: Node, without: frozenset[str]) -> Iterator[Port]:
        for name in _IF_INPUTS:
            for edge in self._kept.into(node.id, name, without):
                try:
                    source = self._source(edge, without)
                except _Fault:
                    continue
                if source is not None:
                    yield source
