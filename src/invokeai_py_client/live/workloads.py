"""The kinds of work of the batches that this client has sent, for estimates from similar batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Workload = frozenset[str]
"""The types of a graph's nodes."""

REMEMBERED = 1000


class Workloads:
    """The kinds of the latest batches, by batch id. Used on the engine only."""

    def __init__(self) -> None:
        self._of_batch: dict[str, Workload] = {}

    def remember(self, batch_id: str, graph: Any) -> None:
        """Store the kind of a batch; a malformed graph is ignored."""
        nodes = graph.get("nodes") if isinstance(graph, Mapping) else None
        if not isinstance(nodes, Mapping):
            return
        self._of_batch.pop(batch_id, None)
        self._of_batch[batch_id] = frozenset(
            str(node.get("type")) for node in nodes.values() if isinstance(node, Mapping)
        )
        while len(self._of_batch) > REMEMBERED:
            del self._of_batch[next(iter(self._of_batch))]

    def of(self, batch_id: str) -> Workload | None:
        """Return the kind of a batch; None if it is unknown."""
        return self._of_batch.get(batch_id)
