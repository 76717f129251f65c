"""The progress of an item: the steps of a node, the nodes that will run, and their expected durations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from invokeai_py_client.wire.events import steps_of


@dataclass(slots=True, eq=False)
class StepCounter:
    """Counts the steps of one node from the percentages that it reports.

    A node of n steps reports k/n after step k. With a second-order scheduler it reports each percentage twice, as a
    multiple of 1/(n-1): it reaches 100 % one step early, and reports 100 % again for the last step.

    `start` is the percentage of the item when the node reports 0, and `weight` is the number of percentage points that
    each of the node's adds to it; 0 until that is known.
    """

    total: int
    invocation_id: str = ""
    step: int = 0
    percentage: float | None = None
    is_second_order: bool = False
    start: float = 0.0
    weight: float = 0.0

    def count(self, percentage: float) -> bool:
        """Count the finished steps for a reported percentage, 0..100.

        Returns:
            Whether the report says anything new: with a second-order scheduler each comes twice.
        """
        total, share = self.total, percentage / 100
        exact = share * total
        done = round(exact)
        is_new = total > 1 and abs(exact - done) > _ROUNDING and _is_whole(share * (total - 1))
        if self.is_second_order or is_new:
            self.is_second_order = True
            done = round(share * (total - 1))
            if share >= 1 and self.percentage == percentage:
                done = total
        before, self.percentage = self.percentage, percentage
        if done > self.step:
            self.step = done
            return True
        return total == 0 or percentage != before


_ROUNDING = 1e-6


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) <= _ROUNDING


class Duration(NamedTuple):
    """The duration of a node in seconds: its setup, and its steps, or its whole work if it has no steps."""

    setup: float
    work: float

    @property
    def total(self) -> float:
        """The total duration in seconds."""
        return self.setup + self.work


_NOTHING = Duration(setup=0.0, work=0.0)

_STEP = Duration(setup=0.25, work=0.25)
"""The expected duration of a node with steps before one of its type has run: its setup, and each step.

Of these estimates only the ratios matter. They are rounded means of Stable Diffusion 1.5 and XL on a GPU.
"""

_WITHOUT_STEPS = (
    (("l2i", "i2l", "vae_encode", "vae_decode"), 0.75),
    (("compel", "text_encoder", "upscale", "esrgan", "detector", "depth", "segment"), 0.3),
    (("",), 0.02),
)
"""The same for nodes without steps. The key is a part of the node type; the first match is used."""

_WEIGHT_OF_LATEST = 0.5


class NodeDurations:
    """The durations of nodes by type, as measured in the runs of one client, or else built-in estimates.

    Nodes with steps are measured per step. The average gives half of the weight to the latest node, so it follows a
    change of model or size within a few runs.

    Args:
        clock: returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._measured: dict[tuple[str, bool], Duration] = {}

    def learn(self, node: Mapping[str, Any], duration: Duration) -> None:
        """Add the measured duration of a prepared node."""
        steps = steps_of(node)
        key = (str(node.get("type")), steps > 0)
        latest = Duration(duration.setup, duration.work / max(1, steps))
        before = self._measured.get(key, latest)
        self._measured[key] = Duration(
            *(old + _WEIGHT_OF_LATEST * (new - old) for old, new in zip(before, latest, strict=True))
        )

    def measured(self, node: Mapping[str, Any]) -> Duration | None:
        """Return the expected duration of a node as measured for its type; None if no such node was measured."""
        steps = steps_of(node)
        unit = self._measured.get((str(node.get("type")), steps > 0))
        return None if unit is None else Duration(unit.setup, unit.work * max(1, steps))

    def expected(self, node: Mapping[str, Any]) -> Duration:
        """Return the expected duration of a node, or a built-in estimate if no node of its type was measured."""
        measured = self.measured(node)
        if measured is not None:
            return measured
        node_type, steps = str(node.get("type")), steps_of(node)
        if steps:
            return Duration(_STEP.setup, _STEP.work * steps)
        return Duration(
            0.0, next(seconds for parts, seconds in _WITHOUT_STEPS if any(part in node_type for part in parts))
        )


class GraphShape:
    """The data that all items of a graph share: its nodes, and the `iterate` nodes above each.

    Args:
        graph: the graph as it was sent.
    """

    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.nodes: Mapping[str, Mapping[str, Any]] = graph["nodes"]
        self.feeders: dict[str, tuple[str, str]] = {}
        """By `iterate` node: the node and the output that its collection comes from."""
        self.iterates_above: dict[str, frozenset[str]] = {}
        """By node, if there is an `iterate`: those whose elements it runs for, itself included."""
        iterates = {node_id for node_id, node in self.nodes.items() if node["type"] == "iterate"}
        if not iterates:
            return
        parents: dict[str, list[str]] = {node_id: [] for node_id in self.nodes}
        for edge in graph["edges"]:
            target, source = edge["destination"], edge["source"]
            parents[target["node_id"]].append(source["node_id"])
            if target["node_id"] in iterates and target["field"] == "collection":
                self.feeders[target["node_id"]] = (source["node_id"], source["field"])
        self._find_iterates_above(parents, iterates)

    def _find_iterates_above(self, parents: Mapping[str, list[str]], iterates: set[str]) -> None:
        """Find the `iterate` nodes above each node. Not recursive: chains may be longer than the recursion limit."""
        todo = [*self.nodes]
        opened: set[str] = set()
        while todo:
            node_id = todo[-1]
            if node_id in self.iterates_above:
                todo.pop()
                continue
            missing = [parent for parent in parents[node_id] if parent not in self.iterates_above]
            if missing and node_id not in opened:
                opened.add(node_id)
                todo += missing
                continue
            above = frozenset().union(*(self.iterates_above.get(parent, frozenset()) for parent in parents[node_id]))
            if self.nodes[node_id]["type"] == "collect":
                # It collects the results of all iterations, and runs once.
                above = frozenset()
            self.iterates_above[node_id] = above | {node_id} if node_id in iterates else above
            todo.pop()


@dataclass(slots=True, eq=False)
class _RunningNode:
    invocation_id: str
    since: float | None
    setup: float
    work: float
    first_report: tuple[float, float] | None = None
    done: float = 0.0

    def duration(self, now: float) -> Duration:
        """Return the duration of the finished node. Its reports separate the setup from the steps."""
        assert self.since is not None
        whole = now - self.since
        if self.first_report is None:
            return Duration(0.0, whole)
        at, share = self.first_report
        work = min(whole, (now - at) / (1 - share)) if share < 1 else whole
        return Duration(whole - work, work)


class Workload:
    """The work of one item: the number of nodes that it will run, their expected durations, and the finished part.

    Each node below an `iterate` runs once for each element. The server prepares nodes when it reaches them, and the
    length of a collection is known only when it has been made. Until then an `iterate` counts as one element.

    Args:
        shape: the shape of the item's graph.
        durations: the expected durations of nodes. They are read once, so that later measurements do not change the
            progress of a running item.
    """

    __slots__ = ("_all", "_done", "_durations", "_expected", "_lengths", "_running", "_shape", "total")

    def __init__(self, shape: GraphShape, durations: NodeDurations) -> None:
        self._shape = shape
        self._durations = durations
        self._lengths: dict[str, int] = {}
        self._expected = {node_id: durations.expected(node) for node_id, node in shape.nodes.items()}
        self._done = 0.0
        self._running: _RunningNode | None = None
        self._count()

    def _count(self) -> None:
        runs = {node_id: self._runs_of(node_id) for node_id in self._shape.nodes}
        self.total = sum(runs.values())
        """The number of nodes that will have run at the end."""
        self._all = sum(self._expected[node_id].total * count for node_id, count in runs.items())

    def node_started(self, node_id: str, node: Mapping[str, Any]) -> None:
        """Record that a node has started; `node` is its prepared copy with its input values."""
        if node_id in self._expected and steps_of(node) != steps_of(self._shape.nodes[node_id]):
            # The number of steps comes from an edge.
            self._expected[node_id] = self._durations.expected(node)
            self._count()
        self._running = self._running_node(node_id, str(node["id"]), self._durations.clock())

    def _running_node(self, node_id: str, invocation_id: str, since: float | None) -> _RunningNode:
        return _RunningNode(invocation_id, since, *self._expected.get(node_id, _NOTHING))

    def node_progressed(self, node_id: str, invocation_id: str, share: float) -> None:
        """Record the finished fraction of the work of a node, 0..1."""
        running = self._running
        if running is None or running.invocation_id != invocation_id:
            # Its start was missed, so its duration cannot be measured.
            running = self._running = self._running_node(node_id, invocation_id, None)
        if running.first_report is None:
            running.first_report = (self._durations.clock(), share)
        running.done = running.setup + share * running.work

    def node_done(self, node_id: str, node: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Record that a node has ended. If it feeds an `iterate`, the length of its collection is now known."""
        running, self._running = self._running, None
        if running is not None and running.invocation_id == node["id"] and running.since is not None:
            self._durations.learn(node, running.duration(self._durations.clock()))
        if node_id in self._expected:
            self._done += self._expected[node_id].total
        changed = False
        for iterate, (feeder, output) in self._shape.feeders.items():
            collection = result.get(output) if feeder == node_id else None
            if isinstance(collection, list):
                self._lengths[iterate] = self._lengths.get(iterate, 0) + len(collection)
                changed = True
        if changed:
            self._count()

    @property
    def share(self) -> float:
        """The elapsed fraction of the expected time, 0..1."""
        done = self._done + (self._running.done if self._running is not None else 0.0)
        return min(1.0, done / self._all) if self._all else 0.0

    @property
    def part(self) -> tuple[float, float]:
        """The fraction of the expected time that elapses before the work of the running node, and that of its work."""
        running = self._running
        if running is None or not self._all:
            return 0.0, 0.0
        return (self._done + running.setup) / self._all, running.work / self._all

    def _runs_of(self, node_id: str) -> int:
        above = self._shape.iterates_above.get(node_id)
        if not above:
            return 1
        # An inner iterate's length is the sum over its outer ones: those count with it.
        outer = {further for iterate in above for further in self._shape.iterates_above[iterate] if further != iterate}
        return math.prod(self._lengths.get(iterate, 1) for iterate in above - outer)
