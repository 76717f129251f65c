"""What is known of a run, and how events and snapshots change it: one pure function for both.

The rule: `pending` < `in_progress`, `waiting` < `completed`, `failed`, `canceled`. A state never goes down that
order, a terminal one is final, and what is a duplicate or comes late changes nothing. So it does not matter whether
an item's end is learned from its event, from REST, or from both, in whatever order.

An item *has a gap* while events about it may have been missed. Its end is then not believed to be the whole story
until a full record has filled in what its nodes made. A failed item's story is not whole either until it is known
which node failed: the server tells that a moment after the status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from invokeai_py_client.live.queue_item import NodeOutput, QueueItem
from invokeai_py_client.wire.events import (
    TERMINAL_STATUSES,
    Event,
    GeneratorProgress,
    InvocationComplete,
    InvocationError,
    InvocationStarted,
    ItemEvent,
    QueueItemStatusChanged,
    SessionComplete,
)
from invokeai_py_client.wire.records import QueueItemRecord, QueueItemSummary

_RANK = {"pending": 0, "in_progress": 1, "waiting": 1, "completed": 2, "failed": 2, "canceled": 2}
_BADNESS = {"completed": 0, "canceled": 1, "failed": 2}

GONE = "The item is no longer in the server's queue: it was deleted, cleared or pruned before its end was seen."


@dataclass(slots=True)
class ItemState:
    """One item of a run. Changed only by `RunState`."""

    view: QueueItem
    has_gap: bool
    is_settled: bool = False
    status_sequence: int = -1
    outputs: dict[str, NodeOutput] = field(default_factory=dict)
    done_nodes: set[str] = field(default_factory=set)
    share: float = 0.0

    def snapshot(self) -> QueueItem:
        """The item as callers see it, with its outputs so far."""
        return replace(self.view, outputs=tuple(self.outputs.values()))

    def lacks_details(self) -> bool:
        """Whether it has ended, but not all is known of its end."""
        return self.view.is_finished and not self.is_settled

    def awaits_error(self) -> bool:
        """Whether all that it lacks is the error of the node that failed, which is on its way."""
        return self.lacks_details() and not self.has_gap


@dataclass(slots=True)
class RunState:
    """All that is known of one submission's items.

    Args:
        batch_id: the batch, chosen by the client.
        queue_id: its queue.
        node_count: how many nodes its graph has, for the overall progress.
        boards: the ids of the boards that its nodes use, by node id.
        has_gap: events may be missed from the start on, because no socket is open.
    """

    batch_id: str
    queue_id: str
    node_count: int
    boards: Mapping[str, str] = field(default_factory=dict)
    has_gap: bool = False
    items: dict[int, ItemState] = field(default_factory=dict)
    is_enqueued: bool = False

    def enqueued(self, item_ids: Iterable[int]) -> None:
        """The server's answer: these are all the items that the run has."""
        for item_id in sorted(item_ids):
            self._item(item_id)
        self.items = dict(sorted(self.items.items()))
        self.is_enqueued = True

    @property
    def is_finished(self) -> bool:
        """Whether every item has ended and all that it made is known."""
        return self.is_enqueued and all(item.is_settled for item in self.items.values())

    def unsettled(self) -> list[int]:
        """The items whose whole story is not known yet."""
        return [item_id for item_id, item in self.items.items() if not item.is_settled]

    def lacking_details(self) -> list[int]:
        """The items that have ended, but of whose end not all is known."""
        return [item_id for item_id, item in self.items.items() if item.lacks_details()]

    def awaits_error(self) -> bool:
        """Whether an item has failed whose error is on its way."""
        return any(item.awaits_error() for item in self.items.values())

    def missed(self) -> None:
        """The socket was lost: whatever has not ended has a gap now."""
        self.has_gap = True
        for item in self.items.values():
            item.has_gap = item.has_gap or not item.is_settled

    def view(self) -> QueueItem:
        """The run as one queue item."""
        views = [item.snapshot() for item in self.items.values()]
        if not views:
            return QueueItem(item_id=0, batch_id=self.batch_id, queue_id=self.queue_id, boards=self.boards)
        if len(views) == 1:
            return views[0]
        finished = self.is_finished
        worst = max(views, key=lambda view: _BADNESS.get(view.status, -1))
        busy = next((view for view in views if not view.is_finished), views[-1])
        started = any(view.status != "pending" for view in views)
        return replace(
            worst if finished else views[0],
            item_id=views[0].item_id,
            session_id=views[0].session_id,
            status=worst.status if finished else "in_progress" if started else "pending",
            progress_percentage=sum(view.progress_percentage for view in views) / len(views),
            current_step=busy.current_step,
            total_steps=busy.total_steps,
            started_at=min((view.started_at for view in views if view.started_at), default=None),
            completed_at=max((view.completed_at for view in views if view.completed_at), default=None)
            if finished
            else None,
            outputs=tuple(output for view in views for output in view.outputs),
        )

    def apply_event(self, event: ItemEvent) -> list[Event]:
        """Take in one event.

        Returns:
            The events that a consumer should see: this one, a `session_complete` after it if it ended the item, or
            nothing if it is a duplicate or comes late.
        """
        item = self._item(event.item_id)
        if item.view.is_finished:
            if not isinstance(event, InvocationError) or not item.lacks_details() or item.view.status != "failed":
                return []
            self._tell_error(item, event)
            return [event, *self._settle(item, is_whole=False)]
        if isinstance(event, QueueItemStatusChanged):
            return self._status_changed(item, event)
        if isinstance(event, InvocationComplete):
            if event.invocation_id in item.outputs:
                return []
            output = NodeOutput(node_id=event.node_id, invocation_id=event.invocation_id, result=event.result)
            item.outputs[event.invocation_id] = output
            item.done_nodes.add(event.node_id)
            item.share = 0.0
            self._update(item, event)
        elif isinstance(event, GeneratorProgress):
            item.share = (event.progress_percentage or 0.0) / 100
            if event.total_steps:
                self._update(item, event, current_step=event.step, total_steps=event.total_steps)
            else:
                self._update(item, event)
        elif isinstance(event, InvocationError):
            self._tell_error(item, event)
        elif isinstance(event, InvocationStarted):
            item.share = 0.0
            self._update(item, event)
        return [event]

    def apply_snapshot(self, record: QueueItemSummary, *, nothing_missed: bool = False) -> list[Event]:
        """Take in what REST says of an item.

        Args:
            record: a summary, or the full record, which settles an item that has ended.
            nothing_missed: events were watched from before the record was made until now, so that an item that is
                still pending has no gap.

        Returns:
            The events that a consumer should see in place of those that were missed.
        """
        item = self.items.get(record.item_id)
        if item is None or item.is_settled:
            return []
        if nothing_missed and record.status == "pending" and item.view.status == "pending":
            item.has_gap = False
        changed = _RANK[record.status] > _RANK[item.view.status]
        full = record if isinstance(record, QueueItemRecord) else None
        if changed:
            item.view = replace(
                item.view,
                status=record.status,
                started_at=record.started_at or item.view.started_at,
                completed_at=record.completed_at or item.view.completed_at,
                progress_percentage=100.0 if record.status == "completed" else item.view.progress_percentage,
            )
        if full is not None and full.status == item.view.status:
            self._fill_in(item, full)
        events: list[Event] = [_status_event(item.view)] if changed else []
        return events + self._settle(item, is_whole=full is not None)

    def apply_gone(self, item_id: int) -> list[Event]:
        """The server has no such item any more: it ends as canceled, with a message that says so."""
        item = self.items[item_id]
        if item.is_settled:
            return []
        if not item.view.is_finished:
            item.view = replace(
                item.view, status="canceled", error_type="QueueItemGone", error_message=GONE, error=GONE
            )
        return [_status_event(item.view), *self._settle(item, is_whole=True)]

    def _item(self, item_id: int) -> ItemState:
        item = self.items.get(item_id)
        if item is None:
            view = QueueItem(item_id=item_id, batch_id=self.batch_id, queue_id=self.queue_id, boards=self.boards)
            item = self.items[item_id] = ItemState(view=view, has_gap=self.has_gap)
        return item

    def _status_changed(self, item: ItemState, event: QueueItemStatusChanged) -> list[Event]:
        rank = _RANK.get(event.status)
        if rank is None or rank < _RANK[item.view.status]:
            return []
        if event.status_sequence is not None:
            if event.status_sequence <= item.status_sequence:
                return []
            item.status_sequence = event.status_sequence
        elif event.status == item.view.status:
            return []
        error_type = event.error_type or item.view.error_type
        error_message = event.error_message or item.view.error_message
        item.view = replace(
            item.view,
            status=event.status,
            session_id=event.session_id or item.view.session_id,
            created_at=event.created_at or item.view.created_at,
            started_at=event.started_at or item.view.started_at,
            completed_at=event.completed_at or item.view.completed_at,
            error_type=error_type,
            error_message=error_message,
            error_traceback=event.error_traceback or item.view.error_traceback,
            error=_one_line(event.status, error_type, error_message),
            progress_percentage=100.0 if event.status == "completed" else item.view.progress_percentage,
        )
        return [event, *self._settle(item, is_whole=False)]

    def _tell_error(self, item: ItemState, event: InvocationError) -> None:
        item.view = replace(
            item.view,
            error_node_id=event.node_id,
            error_node_type=event.node.get("type"),
            error_type=item.view.error_type or event.error_type,
            error_message=item.view.error_message or event.error_message,
            error_traceback=item.view.error_traceback or event.error_traceback,
        )

    def _update(self, item: ItemState, event: ItemEvent, **changes: Any) -> None:
        """Take over what changed; an invocation's event also tells that the item has started."""
        progress = 100.0 * min(1.0, (len(item.done_nodes) + item.share) / max(1, self.node_count))
        item.view = replace(
            item.view,
            status="in_progress" if item.view.status == "pending" else item.view.status,
            session_id=event.session_id or item.view.session_id,
            # An iterated node begins again and again; a bar that went back would lie about the work done.
            progress_percentage=max(item.view.progress_percentage, progress),
            **changes,
        )

    def _fill_in(self, item: ItemState, record: QueueItemRecord) -> None:
        source_of: Mapping[str, str] = record.session.get("prepared_source_mapping") or {}
        results: Mapping[str, Mapping[str, Any]] = record.session.get("results") or {}
        for invocation_id, result in results.items():
            item.outputs.setdefault(
                invocation_id,
                NodeOutput(
                    node_id=source_of.get(invocation_id, invocation_id), invocation_id=invocation_id, result=result
                ),
            )
        failed = next(iter(record.session.get("errors") or {}), None)
        if failed is not None and item.view.error_node_id is None:
            prepared = (record.session.get("execution_graph") or {}).get("nodes") or {}
            item.view = replace(
                item.view,
                error_node_id=source_of.get(failed, failed),
                error_node_type=(prepared.get(failed) or {}).get("type"),
            )
        item.view = replace(
            item.view,
            session_id=record.session_id,
            created_at=record.created_at or item.view.created_at,
            error_type=record.error_type or item.view.error_type,
            error_message=record.error_message or item.view.error_message,
            error_traceback=record.error_traceback or item.view.error_traceback,
            error=_one_line(record.status, record.error_type, record.error_message),
        )

    def _settle(self, item: ItemState, *, is_whole: bool) -> list[Event]:
        if item.is_settled or not item.view.is_finished:
            return []
        if not is_whole and (item.has_gap or (item.view.status == "failed" and item.view.error_node_id is None)):
            return []
        item.is_settled = True
        view = item.view
        return [
            SessionComplete(
                queue_id=view.queue_id,
                item_id=view.item_id,
                batch_id=view.batch_id,
                session_id=view.session_id,
                status=view.status,
            )
        ]


def _status_event(view: QueueItem) -> QueueItemStatusChanged:
    return QueueItemStatusChanged(
        queue_id=view.queue_id,
        item_id=view.item_id,
        batch_id=view.batch_id,
        session_id=view.session_id,
        status=view.status,
        started_at=view.started_at,
        completed_at=view.completed_at,
        error_type=view.error_type,
        error_message=view.error_message,
        error_traceback=view.error_traceback,
    )


def _one_line(status: str, error_type: str | None, error_message: str | None) -> str | None:
    if status not in TERMINAL_STATUSES - {"completed"} or not (error_type or error_message):
        return None
    text = ": ".join(part for part in (error_type, error_message) if part)
    return text.splitlines()[0]
