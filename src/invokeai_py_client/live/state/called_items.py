"""The queue items of called workflows, which the server creates when an item reaches a `call_saved_workflow` node.

Such an item, a *child*, belongs to the batch of its caller. Its first event has the status `pending`, which submitted
items have no event for. Events do not name the caller: the full record of the child does, and the caller's record
names the child.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.wire import records
from invokeai_py_client.wire.events import Event, ItemEvent, ItemProgress, ProgressReport, QueueItemStatusChanged

if TYPE_CHECKING:
    from invokeai_py_client.live.state.run_state import RunState


def call_path_of(record: records.queue.QueueItemRecord) -> tuple[str, ...]:
    """Return the ids of the call nodes that lead to an item, the outermost first; empty for a submitted item."""
    return tuple(str(frame.get("source_call_node_id")) for frame in _frames(record))


def called_by(record: records.queue.QueueItemRecord) -> Iterator[int]:
    """Yield the ids of the items that an item has called so far."""
    session = record.session
    running = session.get("waiting_workflow_call_execution")
    for call in (*(session.get("workflow_call_history") or ()), *([running] if running else ())):
        for item_id in call.get("child_item_ids") or ():
            yield int(item_id)


def _frames(record: records.queue.QueueItemRecord) -> list[dict[str, Any]]:
    return record.session.get("workflow_call_stack") or []


@dataclass(slots=True, eq=False)
class CalledItem:
    """One child.

    `call` is the prepared call node that made it: one call may make several children. A child is placed once its record
    has named its caller, or does not exist any more.
    """

    state: RunState
    is_placed: bool = False
    parent_item_id: int | None = None
    call: str = ""
    call_path: tuple[str, ...] = ()


class CallProgress(NamedTuple):
    """The progress of a call: the calling item, its call node and that node's prepared copy, and the fraction done."""

    caller_id: int
    node_id: str
    invocation_id: str
    share: float


@dataclass(slots=True, eq=False)
class CalledItems:
    """The children of a run, and their children: each is a run of one item by itself.

    Args:
        make: creates the state of a child; its argument is whether events of the child may have been missed.
    """

    make: Callable[[int, bool], RunState]
    states: list[RunState] = field(default_factory=list)
    """The children in the order in which they became known. The list is only appended to, or replaced."""
    open: set[int] = field(default_factory=set)
    lacking: set[int] = field(default_factory=set)
    _items: dict[int, CalledItem] = field(default_factory=dict)
    _unplaced: set[int] = field(default_factory=set)
    _of_parent: dict[int, list[CalledItem]] = field(default_factory=dict)
    _of_call: dict[str, list[CalledItem]] = field(default_factory=dict)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    def __iter__(self) -> Iterator[int]:
        return iter(self._items)

    def add(self, item_id: int, *, has_gap: bool) -> None:
        """Add a child that the server has created. Its record must be fetched, because it names the caller."""
        if item_id in self._items:
            return
        state = self.make(item_id, has_gap)
        state.want_record(item_id)
        self._items[item_id] = CalledItem(state)
        self._unplaced.add(item_id)
        self.states.append(state)
        self._note(item_id)

    def announces(self, event: ItemEvent) -> bool:
        """Return whether an event of an unknown item is the first one of a child."""
        return isinstance(event, QueueItemStatusChanged) and event.status == "pending"

    def apply_event(self, event: ItemEvent) -> list[Event]:
        """Apply an event of a child, which is added if it is new; see `RunState.apply_event`."""
        self.add(event.item_id, has_gap=False)
        events = self._items[event.item_id].state.apply_event(event)
        self._note(event.item_id)
        return events

    def apply_progress(self, report: ProgressReport) -> ItemProgress | None:
        """Apply what a node of a child reports; see `RunState.apply_progress`."""
        return self._items[report.item_id].state.apply_progress(report)

    def apply_snapshot(self, record: records.queue.QueueItemSummary, *, nothing_missed: bool) -> list[Event]:
        """Apply a record of a child; see `RunState.apply_snapshot`."""
        item = self._items[record.item_id]
        if isinstance(record, records.queue.QueueItemRecord) and not item.is_placed:
            if record.parent_item_id is None:
                # It was not called, but added to the batch in another way.
                self.forget(record.item_id)
                return []
            self._place(item, record, record.parent_item_id)
        events = item.state.apply_snapshot(record, nothing_missed=nothing_missed)
        self._note(record.item_id)
        return events

    def apply_gone(self, item_id: int) -> list[Event]:
        """Record that the server no longer has an item; see `RunState.apply_gone`."""
        item = self._items[item_id]
        item.is_placed = True
        self._unplaced.discard(item_id)
        events = item.state.apply_gone(item_id)
        self._note(item_id)
        return events

    def _place(self, item: CalledItem, record: records.queue.QueueItemRecord, parent_item_id: int) -> None:
        item.is_placed = True
        self._unplaced.discard(record.item_id)
        item.call_path = call_path_of(record)
        item.parent_item_id = parent_item_id
        item.call = next((str(frame.get("prepared_call_node_id")) for frame in reversed(_frames(record))), "")
        self._of_parent.setdefault(parent_item_id, []).append(item)
        self._of_call.setdefault(item.call, []).append(item)

    def forget(self, item_id: int) -> None:
        """Remove an item that has turned out not to be a child."""
        gone = self._items.pop(item_id)
        for ids in (self.open, self.lacking, self._unplaced):
            ids.discard(item_id)
        self.states = [state for state in self.states if state is not gone.state]

    def waits_for_unknown(self, item_id: int) -> bool:
        """Return whether an item that waits must have children that are not known."""
        return not self._unplaced and all(item.state.is_finished for item in self._of_parent.get(item_id, ()))

    def want_record(self, item_id: int) -> None:
        """Request the record of a child, although it has not ended."""
        self._items[item_id].state.want_record(item_id)
        self._note(item_id)

    def missed(self) -> None:
        """Record that the connection of the socket was lost."""
        for item_id in self.open:
            self._items[item_id].state.missed()

    def cancel_asked(self, item_ids: Iterable[int] | None = None) -> None:
        """Record that this client cancels these children, or all."""
        for item_id in self.open if item_ids is None else self.open.intersection(item_ids):
            self._items[item_id].state.cancel_asked()

    def server_was_away(self) -> None:
        """Record that the server was unreachable for a while."""
        for item_id in self.open:
            self._items[item_id].state.server_was_away()

    def awaits_error(self) -> bool:
        """Return whether the server is about to send the error of a child."""
        return any(self._items[item_id].state.awaits_error() for item_id in self.lacking)

    def chain_of(self, item_id: int) -> set[int]:
        """Return the items that the server cancels with an item: all that have the same outermost caller."""
        root = self.root_of(item_id)
        return {root, *(child for child in self._items if self.root_of(child) == root)}

    def root_of(self, item_id: int) -> int:
        """Return the outermost caller of an item, as far as it is known; the item itself if it was not called."""
        while (item := self._items.get(item_id)) is not None and item.parent_item_id is not None:
            item_id = item.parent_item_id
        return item_id

    def drop(self, root_id: int) -> list[int]:
        """Forget all children of a submitted item, and return their ids."""
        gone = [item_id for item_id in self._items if self.root_of(item_id) == root_id]
        for item_id in gone:
            self._of_parent.pop(item_id, None)
            self._of_call.pop(self._items.pop(item_id).call, None)
        self._of_parent.pop(root_id, None)
        self._unplaced.difference_update(gone)
        self.open.difference_update(gone)
        self.lacking.difference_update(gone)
        # Snapshots refer to the old list, which must not change.
        self.states = [item.state for item in self._items.values()]
        return gone

    def progress_above(self, item_id: int) -> Iterator[CallProgress]:
        """Yield the progress of the calls that a child belongs to, the innermost first.

        The state of a caller must be brought up to date before the next call is taken.
        """
        item = self._items.get(item_id)
        while item is not None and item.parent_item_id is not None and item.call_path:
            calls = self._of_call[item.call]
            done = sum(other.state.snapshot.progress_percentage for other in calls) / len(calls)
            yield CallProgress(item.parent_item_id, item.call_path[-1], item.call, done / 100)
            item = self._items.get(item.parent_item_id)

    def state_of(self, item_id: int) -> RunState | None:
        """Return the state of a child."""
        item = self._items.get(item_id)
        return None if item is None else item.state

    def failure_below(self, item_id: int) -> QueueItem | None:
        """Return the child in which the failure of an item began, if it failed because of a call."""
        found = None
        while True:
            children = (child.state.snapshot for child in self._of_parent.get(item_id, ()))
            cause = next((child.facts.base for child in children if child.facts.status == "failed"), None)
            if cause is None:
                return found
            found, item_id = cause, cause.item_id

    def _note(self, item_id: int) -> None:
        item = self._items[item_id]
        state = item.state
        (self.open.discard if state.is_finished and item.is_placed else self.open.add)(item_id)
        (self.lacking.add if state.needs_requests else self.lacking.discard)(item_id)
