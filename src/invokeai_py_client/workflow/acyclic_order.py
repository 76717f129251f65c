"""Detects edges that would close a loop, without a search of the whole graph for each edge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from invokeai_py_client.workflow.edge import Edge


class AcyclicOrder:
    """A topological order of the nodes, kept up to date as edges are added (Pearce and Kelly's algorithm).

    An edge that leads forward in the order cannot close a loop. Only if it leads backward, the part of the graph
    between its ends is searched. The initial order is a topological order of all edges that may be added, so in a
    document without loops every edge leads forward.

    Args:
        candidates: the edges that may be added.
    """

    def __init__(self, candidates: Iterable[Edge]) -> None:
        self._rank = {node: rank for rank, node in enumerate(_topological(candidates))}
        self._out: dict[str, list[Edge]] = {}
        self._into: dict[str, list[Edge]] = {}
        self._edges: list[Edge] = []
        self._has_loop = False
        self.visited = 0
        """The number of nodes that all searches visited, as a measure of the work."""

    def add(self, edge: Edge) -> None:
        """Add an edge, even if it closes a loop: the web UI does not check all edges for loops."""
        if not self._has_loop and self._leads_backward(edge.source, edge.target):
            self._has_loop = self._reaches(edge.target, edge.source, ())
            if not self._has_loop:
                self._reorder(edge.source, edge.target)
        self._edges.append(edge)
        self._out.setdefault(edge.source, []).append(edge)
        self._into.setdefault(edge.target, []).append(edge)

    def would_loop(self, source: str, target: str, without: Collection[str] = ()) -> bool:
        """Return whether the graph has a loop once one more edge is added.

        Args:
            source: the source node of the additional edge.
            target: its target node.
            without: the ids of edges to ignore.
        """
        if not self._has_loop:
            return self._leads_backward(source, target) and self._reaches(target, source, without)
        if not without:
            return True
        left = [(edge.source, edge.target) for edge in self._edges if edge.id not in without]
        self.visited += len(left)
        ends: dict[str, list[str]] = {}
        for start, end in [*left, (source, target)]:
            ends.setdefault(start, []).append(end)
        return has_loop(ends)

    def _leads_backward(self, source: str, target: str) -> bool:
        return self._rank[source] >= self._rank[target]

    def _reaches(self, start: str, end: str, without: Collection[str]) -> bool:
        last = self._rank[end]
        return any(node == end for node in self._walk(start, lambda node: self._forward(node, last, without)))

    def _forward(self, node: str, last: int, without: Collection[str]) -> Iterator[str]:
        for edge in self._out.get(node, ()):
            if self._rank[edge.target] <= last and edge.id not in without:
                yield edge.target

    def _backward(self, node: str, first: int) -> Iterator[str]:
        for edge in self._into.get(node, ()):
            if self._rank[edge.source] >= first:
                yield edge.source

    def _walk(self, start: str, onward: Callable[[str], Iterable[str]]) -> Iterator[str]:
        seen, todo = {start}, [start]
        while todo:
            node = todo.pop()
            self.visited += 1
            yield node
            for neighbor in onward(node):
                if neighbor not in seen:
                    seen.add(neighbor)
                    todo.append(neighbor)

    def _reorder(self, source: str, target: str) -> None:
        """Move what leads to the source before what the target leads to."""
        first, last = self._rank[target], self._rank[source]
        before = sorted(self._walk(source, lambda node: self._backward(node, first)), key=self._rank.__getitem__)
        after = sorted(self._walk(target, lambda node: self._forward(node, last, ())), key=self._rank.__getitem__)
        moved = [*before, *after]
        for node, rank in zip(moved, sorted(self._rank[node] for node in moved), strict=True):
            self._rank[node] = rank


def has_loop(ends: Mapping[str, Sequence[str]]) -> bool:
    """Return whether a graph has a loop. `ends` has the targets of each node's edges."""
    order = {node: rank for rank, node in enumerate(_reverse_postorder(ends))}
    return any(order[start] >= order[end] for start, reached in ends.items() for end in reached)


def _topological(edges: Iterable[Edge]) -> Iterator[str]:
    ends: dict[str, list[str]] = {}
    for edge in edges:
        ends.setdefault(edge.source, []).append(edge.target)
    return _reverse_postorder(ends)


def _reverse_postorder(ends: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Return the nodes in reverse postorder of a depth-first search: a topological order of a graph without loops."""
    seen: set[str] = set()
    left: list[str] = []
    for start in ends:
        if start in seen:
            continue
        seen.add(start)
        todo = [(start, iter(ends[start]))]
        while todo:
            node, onward = todo[-1]
            neighbor = next((end for end in onward if end not in seen), None)
            if neighbor is None:
                left.append(node)
                todo.pop()
            else:
                seen.add(neighbor)
                todo.append((neighbor, iter(ends.get(neighbor, ()))))
    return reversed(left)
