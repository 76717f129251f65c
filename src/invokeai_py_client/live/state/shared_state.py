"""What the items of a run share: the shape of its graph, the expected durations, and the totals of all items."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from invokeai_py_client.live.state.progress import GraphShape, NodeDurations
from invokeai_py_client.live.state.queue_item import NodeOutput, QueueItem

if TYPE_CHECKING:
    from invokeai_py_client.live.state.item_state import ItemState


@dataclass(slots=True, eq=False)
class SharedState:
    """What the items of a run share. The totals are updated as items change, so they are never computed anew.

    `outputs` and `sessions` are only appended to, or replaced, because snapshots refer to the lists.
    """

    durations: NodeDurations
    shape: GraphShape | None = None
    """None until the graph is known."""
    open: set[int] = field(default_factory=set)
    """The items that are not settled."""
    lacking: set[int] = field(default_factory=set)
    """The items that have ended, but whose outputs or error may be incomplete."""
    lost: set[int] = field(default_factory=set)
    """The items that are to be run again."""
    counts: Counter[str] = field(default_factory=Counter)
    """The number of items by status."""
    percentages: float = 0.0
    """The sum of the items' percentages; not kept while there is one item."""
    latest: ItemState | None = None
    """The item of the latest event of a node; not kept while there is one item."""
    started_at: str | None = None
    completed_at: str | None = None
    outputs: list[NodeOutput] = field(default_factory=list)
    sessions: list[tuple[int, str]] = field(default_factory=list)
    item_of_session: dict[str, int] = field(default_factory=dict)

    def add(self, view: QueueItem) -> None:
        """Add a new item."""
        self.open.add(view.item_id)
        self.counts[view.status] += 1

    def remove(self, item: ItemState) -> None:
        """Remove an item, with its outputs."""
        item_id = item.view.item_id
        for ids in (self.open, self.lacking, self.lost):
            ids.discard(item_id)
        self.counts[item.view.status] -= 1
        self.percentages -= item.progress[0]
        self.outputs = [output for output in self.outputs if output.item_id != item_id]

    def changed(self, before: QueueItem, after: QueueItem) -> None:
        """Update the totals after an item has changed."""
        if after.status != before.status:
            self.counts[before.status] -= 1
            self.counts[after.status] += 1
        if after.started_at is not None and (self.started_at is None or after.started_at < self.started_at):
            self.started_at = after.started_at
        if after.completed_at is not None and (self.completed_at is None or after.completed_at > self.completed_at):
            self.completed_at = after.completed_at
        if after.session_id is not None and after.session_id != before.session_id:
            self.sessions.append((after.item_id, after.session_id))
            self.item_of_session[after.session_id] = after.item_id
