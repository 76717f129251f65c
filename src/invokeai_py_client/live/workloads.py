"""What kind of work the batches were that this client has sent, so that like can be compared with like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Workload = frozenset[str]
"""The types of a graph's nodes."""

_REMEMBERED = 1000


class Workloads:
    """The kinds of the batches that were sent last, by their ids. Used on the engine only."""

    def __init__(self) -> None:
        self._of_batch: dict[str, Workload] = {}

    def remember(self, batch_id: str, graph: Any) -> None:
        """Remember of what kind a batch is; a graph that is none tells nothing."""
        nodes = graph.get("nodes") if isinstance(graph, Mapping) else None
        if not isinstance(nodes, Mapping):
            return
        self._of_batch.pop(batch_id, None)
        self._of_batch[batch_id] = frozenset(
            str(node.get("type")) for node in nodes.values() if isinstance(node, Mapping)
        )
        while len(self._of_batch) > _REMEMBERED:
            del self._of_batch[next(iter(self._of_batch))]

    def of(self, batch_id: str) -> Workload | None:
        """The kind of a batch; None where it is not known."""
        return self._of_batch.get(batch_id)
