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

from invokeai_py_client.live.progress import Expansion, StepCounter
from invokeai_py_client.live.queue_item import NodeOutput, QueueItem
from invokeai_py_client.wire.events import (
    TERMINAL_STATUSES,
    Event,
    GeneratorProgress,
    InvocationComplete,
    InvocationError,
    InvocationEvent,
    InvocationStarted,
    ItemEvent,
    QueueItemStatusChanged,
    SessionComplete,
)
from invokeai_py_client.wire.records import QueueItemRecord, QueueItemSummary
from invokeai_py_client.workflow.outputs import boards_sent

_RANK = {"pending": 0, "in_progress": 1, "waiting": 1, "completed": 2, "failed": 2, "canceled": 2}
_BADNESS = {"completed": 0, "canceled": 1, "failed": 2}

GONE = "The item is no longer in the server's queue: it was deleted, cleared or pruned before its end was seen."


@dataclass(slots=True)
class ItemState:
    """One item of a run. Changed only by `RunState`.

    How far it is changes with each event, so it stands beside the view, which is made anew with each change.
    """

    view: QueueItem
    has_gap: bool
    is_settled: bool = False
    status_sequence: int = -1
    cancel_was_asked: bool = False
    server_was_away: bool = False
    is_lost: bool = False
    outputs: dict[str, NodeOutput] = field(default_factory=dict)
    expansion: Expansion | None = None
    counter: StepCounter | None = None
    counted: str = ""
    share: float = 0.0
    percentage: float = 0.0
    step: int = 0
    steps: int = 0

    def snapshot(self) -> QueueItem:
        """The item as callers see it, with its outputs so far."""
        return replace(
            self.view,
            outputs=tuple(self.outputs.values()),
            progress_percentage=100.0 if self.view.status == "completed" else self.percentage,
            current_step=self.step,
            total_steps=self.steps,
        )

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
        graph: as it was sent; None for a run that was begun elsewhere, until a record tells it.
        has_gap: events may be missed from the start on, because no socket is open.
        only: the items of the batch that the run is about; None for all.
        resubmits: an item that a restarted server canceled is run anew, and so is not over.
    """

    batch_id: str
    queue_id: str
    graph: Mapping[str, Any] | None
    has_gap: bool = False
    only: frozenset[int] | None = None
    items: dict[int, ItemState] = field(default_factory=dict)
    is_enqueued: bool = False
    resubmits: bool = False
    boards: Mapping[str, str] = field(init=False)
    _open: set[int] = field(default_factory=set)
    _lacking: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.boards = {} if self.graph is None else boards_sent(self.graph)

    def enqueued(self, item_ids: Iterable[int], *, all_of_them: bool = True) -> None:
        """The server's answer: these items the run has, and, unless more are to be sent, no others."""
        for item_id in sorted(item_ids):
            self._item(item_id)
        self.items = dict(sorted(self.items.items()))
        self.is_enqueued = all_of_them

    def has(self, item_id: int) -> bool:
        """Whether an item of the batch is one that the run is about."""
        return self.only is None or item_id in self.only

    def replaced(self, item_id: int, new_item_id: int) -> None:
        """The server runs a lost item anew, as another item: that one stands for it from now on."""
        lost = self.items.pop(item_id, None)
        self._open.discard(item_id)
        self._lacking.discard(item_id)
        if self.only is not None:
            self.only = self.only - {item_id} | {new_item_id}
        self._item(new_item_id).has_gap = True
        if lost is not None:
            self.items = dict(sorted(self.items.items()))

    @property
    def is_finished(self) -> bool:
        """Whether every item has ended and all that it made is known."""
        return self.is_enqueued and not self._open

    @property
    def is_waiting(self) -> bool:
        """Whether an item of it is still pending."""
        return not self.is_enqueued or bool(self.pending_ids())

    def pending_ids(self) -> list[int]:
        """The items that are still pending."""
        return [item_id for item_id in self._open if self.items[item_id].view.status == "pending"]

    def learned_session(self, item_id: int, session_id: str) -> None:
        """What an item's session is, asked of the server before any event told it."""
        item = self.items.get(item_id)
        if item is not None and item.view.session_id is None:
            item.view = replace(item.view, session_id=session_id)

    def unsettled(self) -> list[int]:
        """The items whose whole story is not known yet."""
        return sorted(self._open)

    def lacking_details(self) -> list[int]:
        """The items that have ended, but of whose end not all is known."""
        return sorted(self._lacking)

    def awaits_error(self) -> bool:
        """Whether an item has failed whose error is on its way."""
        return any(self.items[item_id].awaits_error() for item_id in self._lacking)

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
        if not self.has(event.item_id):
            return []
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
            if item.expansion is not None:
                item.expansion.node_done(event.node_id, event.result)
            item.share = 0.0
            self._update(item, event)
        elif isinstance(event, GeneratorProgress):
            return self._progress(item, event)
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
                canceled_by=self._canceled_by(item, record) if record.status == "canceled" else None,
            )
            item.is_lost = self.resubmits and item.view.canceled_by == "server"
            # What is learned here was not told by an event: some were missed, or are late.
            item.has_gap = item.has_gap or item.view.is_finished
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
            self._open.add(item_id)
            item = self.items[item_id] = ItemState(
                view=view,
                has_gap=self.has_gap,
                expansion=None if self.graph is None else Expansion(self.graph),
            )
        return item

    def _progress(self, item: ItemState, event: GeneratorProgress) -> list[Event]:
        """A node tells how far it is; nothing if it says again what it has said, as second-order schedulers do."""
        item.share = (event.progress_percentage or 0.0) / 100
        if event.progress_percentage is None or not event.total_steps:
            self._update(item, event)
            return [event]
        if item.counter is None or item.counted != event.invocation_id:
            item.counter, item.counted = StepCounter(event.total_steps), event.invocation_id
            said_before = None
        else:
            said_before = (item.counter.step, item.counter.percentage)
        step = item.counter.count(event.progress_percentage)
        if said_before == (step, event.progress_percentage):
            return []
        item.step, item.steps = step, event.total_steps
        _complete(event, step=step)
        self._update(item, event)
        return [event]

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
            canceled_by=self._canceled_by(item, None) if event.status == "canceled" else None,
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

    def _update(self, item: ItemState, event: InvocationEvent) -> None:
        """Take over how far it is; an invocation's event also tells that the item has started."""
        total = 1 if item.expansion is None else item.expansion.total
        progress = 100.0 * min(1.0, (len(item.outputs) + item.share) / max(1, total))
        # What is found out about a run may make it longer; a bar that went back would lie about the work done.
        item.percentage = max(item.percentage, progress)
        _complete(event, overall_percentage=item.percentage)
        session_id = event.session_id or item.view.session_id
        if item.view.status == "pending" or session_id != item.view.session_id:
            status = "in_progress" if item.view.status == "pending" else item.view.status
            item.view = replace(item.view, status=status, session_id=session_id)

    def cancel_asked(self, item_ids: Iterable[int] | None = None) -> None:
        """This client asks the server to cancel these items, or all that have not ended."""
        for item_id, item in self.items.items():
            if item_ids is None or item_id in item_ids:
                item.cancel_was_asked = True

    def server_was_away(self) -> None:
        """The server was not there for a while: it was restarted, and has canceled what was running."""
        for item in self.items.values():
            item.server_was_away = item.server_was_away or not item.is_settled

    def lost_items(self) -> list[int]:
        """The items that a restarted server canceled, and that are to be run anew."""
        return [item_id for item_id, item in self.items.items() if item.is_lost]

    def given_up(self, item_id: int) -> list[Event]:
        """A lost item cannot be run anew: it stays canceled."""
        item = self.items[item_id]
        item.is_lost = False
        return self._settle(item, is_whole=True)

    @staticmethod
    def _canceled_by(item: ItemState, record: QueueItemSummary | None) -> str:
        if item.cancel_was_asked:
            return "client"
        # What had not begun stays in the queue of a server that is restarted.
        began = record is not None and record.started_at is not None
        return "server" if item.server_was_away and began else "unknown"

    def _learn_graph(self, graph: Any) -> None:
        """A run that was begun elsewhere: what it runs is told by the first record."""
        if self.graph is None and isinstance(graph, Mapping) and "nodes" in graph and "edges" in graph:
            self.graph, self.boards = graph, boards_sent(graph)
            for item in self.items.values():
                item.expansion = Expansion(graph)
                item.view = replace(item.view, boards=self.boards)

    def _lacks_parts(self, item: ItemState) -> bool:
        """Whether an event that must have been sent was not seen: of each node that ran, or of the one that failed.

        A websocket loses nothing, but what stands between it and this client may.
        """
        if item.view.status == "failed":
            return item.view.error_node_id is None
        if item.view.status != "completed" or self.graph is None or item.expansion is None:
            return False
        ended = {output.node_id for output in item.outputs.values()}
        return not self.graph["nodes"].keys() <= ended or len(item.outputs) < item.expansion.total

    def _fill_in(self, item: ItemState, record: QueueItemRecord) -> None:
        self._learn_graph(record.session.get("graph"))
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
        if item.is_settled or item.is_lost or not item.view.is_finished:
            return []
        if not is_whole and (item.has_gap or self._lacks_parts(item)):
            item.has_gap = item.has_gap or item.view.status == "completed"
            self._lacking.add(item.view.item_id)
            return []
        item.is_settled = True
        self._open.discard(item.view.item_id)
        self._lacking.discard(item.view.item_id)
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


def _complete(event: InvocationEvent, **facts: float) -> None:
    """Put into an event what only its run's state knows: nobody has seen it yet, so it need not be copied."""
    for name, fact in facts.items():
        object.__setattr__(event, name, fact)


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
