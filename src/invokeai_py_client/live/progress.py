"""How far a run is: the steps of a node, and how many nodes there will be once iterated ones are counted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class StepCounter:
    """Counts the steps of one node from the percentages that it reports.

    A node of n steps reports k/n after step k. With a scheduler of second order it reports twice for each step, the
    same percentage both times, and in (n-1)ths: it reaches 100 % one step too early, and tells the last step by
    saying so again.
    """

    total: int
    step: int = 0
    percentage: float | None = None
    is_second_order: bool = False

    def count(self, percentage: float) -> int:
        """The steps that are done, given what the node reports, 0..100."""
        share = percentage / 100
        if self.total > 1 and 0 < share < 1 and not self.is_second_order:
            self.is_second_order = not _is_whole(share * self.total) and _is_whole(share * (self.total - 1))
        if share >= 1:
            done = self.total - 1 if self.is_second_order and self.percentage != percentage else self.total
        else:
            done = round(share * (self.total - 1 if self.is_second_order else self.total))
        self.percentage = percentage
        self.step = max(self.step, min(done, self.total))
        return self.step


def _is_whole(number: float) -> bool:
    return math.isclose(number, round(number), abs_tol=1e-6)


@dataclass(slots=True)
class Expansion:
    """How many nodes a graph will have run in the end: each below an `iterate` runs once for each element.

    The server prepares nodes as it comes to them, and tells of a collection's length only when it is made. Until then
    an iterate counts for one.

    Args:
        graph: as it was sent.
    """

    graph: Mapping[str, Any]
    total: int = 0
    _feeder: dict[str, tuple[str, str]] = field(default_factory=dict)
    _lengths: dict[str, int] = field(default_factory=dict)
    _iterates_above: dict[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        nodes: Mapping[str, Any] = self.graph["nodes"]
        iterates = {node_id for node_id, node in nodes.items() if node["type"] == "iterate"}
        self.total = len(nodes)
        if not iterates:
            return
        parents: dict[str, list[str]] = {node_id: [] for node_id in nodes}
        for edge in self.graph["edges"]:
            target, source = edge["destination"], edge["source"]
            parents[target["node_id"]].append(source["node_id"])
            if target["node_id"] in iterates and target["field"] == "collection":
                self._feeder[target["node_id"]] = (source["node_id"], source["field"])
        self._find_iterates_above(nodes, parents, iterates)

    def node_done(self, node_id: str, result: Mapping[str, Any]) -> None:
        """Take in that a node has run; if it feeds an iterate, the length of its collection is known now."""
        changed = False
        for iterate, (feeder, output) in self._feeder.items():
            collection = result.get(output) if feeder == node_id else None
            if isinstance(collection, list):
                self._lengths[iterate] = self._lengths.get(iterate, 0) + len(collection)
                changed = True
        if changed:
            self.total = sum(map(self._runs_of, self._iterates_above))

    def _runs_of(self, node_id: str) -> int:
        above = self._iterates_above[node_id]
        # An inner iterate's length is the sum over its outer ones: those count with it.
        outer = {further for iterate in above for further in self._iterates_above[iterate] if further != iterate}
        return math.prod(self._lengths.get(iterate, 1) for iterate in above - outer)

    def _find_iterates_above(
        self, nodes: Mapping[str, Any], parents: Mapping[str, list[str]], iterates: set[str]
    ) -> None:
        """Parents first, without recursion: a chain of nodes may be longer than Python's stack."""
        todo = [*nodes]
        opened: set[str] = set()
        while todo:
            node_id = todo[-1]
            if node_id in self._iterates_above:
                todo.pop()
                continue
            missing = [parent for parent in parents[node_id] if parent not in self._iterates_above]
            if missing and node_id not in opened:
                opened.add(node_id)
                todo += missing
                continue
            above = frozenset().union(*(self._iterates_above.get(parent, frozenset()) for parent in parents[node_id]))
            if nodes[node_id]["type"] == "collect":
                # It gathers what all iterations made, and runs once.
                above = frozenset()
            self._iterates_above[node_id] = above | {node_id} if node_id in iterates else above
            todo.pop()
