"""The state of one queue item, and how events and REST records change it.

The order of states: `pending` < `in_progress`, `waiting` < `completed`, `failed`, `canceled`. A state never moves
back in this order, a terminal state is final, and duplicate and late events change nothing. So it does not matter
whether the end of an item is learned from its event, from REST, or from both, in any order.

An item *has a gap* while events about it may have been missed. Its end is then not settled until a full record has
added the missing outputs. A failed item is not settled either until the failed node is known: the server sends that a
moment after the status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from invokeai_py_client.live.state.progress import StepCounter, Workload
from invokeai_py_client.live.state.queue_item import NodeOutput, QueueItem
from invokeai_py_client.live.state.shared_state import SharedState
from invokeai_py_client.wire import records
from invokeai_py_client.wire.events import (
    TERMINAL_STATUSES,
    Event,
    InvocationComplete,
    InvocationError,
    InvocationEvent,
    InvocationStarted,
    ItemEvent,
    ItemProgress,
    ProgressReport,
    QueueItemStatusChanged,
    SessionComplete,
    steps_of,
    with_text,
)

_RANK = {"pending": 0, "in_progress": 1, "waiting": 1, "completed": 2, "failed": 2, "canceled": 2}
_TOLD_OF_AN_ERROR = ("error_type", "error_message", "error_traceback")
_TIMES = ("started_at", "completed_at")

ERROR_ATTRIBUTES = ("error", *_TOLD_OF_AN_ERROR, "error_node_id", "error_node_type")
"""The attributes of a queue item that describe its error."""

MOST_BEFORE_THE_END = 99.9
"""Percent: 100 is shown only once an item has completed."""

_GONE_TYPE = "QueueItemGone"
GONE = "The item is no longer in the server's queue: it was deleted, cleared or pruned. Its outcome is unknown."

E = TypeVar("E", bound=InvocationEvent)


@dataclass(slots=True, eq=False)
class ItemState:
    """One item of a run. Changed only on the engine's thread, by its `RunState`."""

    shared: SharedState
    view: QueueItem
    has_gap: bool
    is_settled: bool = False
    status_sequence: int = -1
    cancel_was_asked: bool = False
    server_was_away: bool = False
    is_lost: bool = False
    outputs: dict[str, NodeOutput] = field(default_factory=dict)
    held_back: list[Event] = field(default_factory=list)
    """Events of the item's end that are delivered after those that were missed before it."""
    counter: StepCounter | None = None
    progress: ItemProgress = (0.0, 0, 0)
    """Its percentage, and the steps of the node that last reported steps. Replaced with each change: see `snapshot`."""
    item_id: int = field(init=False)
    _workload: Workload | None = None

    def __post_init__(self) -> None:
        self.item_id = self.view.item_id
        self.shared.add(self.view)

    def lacks_details(self) -> bool:
        """Return whether it has ended, but its error or outputs may be incomplete."""
        return self.view.is_finished and not self.is_settled

    def awaits_error(self) -> bool:
        """Return whether only the error of the failed node is missing, which the server is about to send."""
        return self.lacks_details() and not self.has_gap

    def set(self, **changes: Any) -> None:
        """Change attributes of the view, and the totals of the run with them."""
        before = self.view
        after = replace(before, **changes)
        if after.is_finished:
            after = replace(after, error=_error_line(after))
            self.counter = None
        self.view = after
        self.shared.changed(before, after)
        if after.status == "completed":
            self._advance(100.0)

    def apply_event(self, event: ItemEvent) -> list[Event]:
        """Apply an event, other than one of progress; see `RunState.apply_event`."""
        # Types are compared, as `isinstance` takes ten times as long for classes that are mappings.
        if type(event) is InvocationError:
            return self._failed(event)
        if self.view.is_finished:
            return []
        if type(event) is QueueItemStatusChanged:
            return self._status_changed(event)
        workload = self._known_workload()
        if type(event) is InvocationComplete:
            if event.invocation_id in self.outputs:
                return []
            self._add_output(event.node_id, event.invocation_id, event.result, event.node)
            if workload is not None:
                workload.node_done(event.node_id, event.node, event.result)
            return [self._completed(event)]
        if type(event) is InvocationStarted:
            if workload is not None:
                workload.node_started(event.node_id, event.node)
            return [self._completed(event)]
        return [event]

    def apply_progress(self, report: ProgressReport) -> ItemProgress | None:
        """Apply what a node reports of its progress; see `RunState.apply_progress`."""
        counter, percentage, before = self.counter, report.progress_percentage, self.progress
        if counter is None or counter.invocation_id != report.invocation_id or percentage is None:
            # The first report of the node, or one without a percentage.
            if self.view.is_finished:
                return None
            self._started(report.session_id)
            if percentage is None:
                return (before[0], 0, 0)
            counter = self.counter = StepCounter(steps_of(report.node()), report.invocation_id)
        if not counter.count(percentage):
            return None
        if not counter.weight:
            self._weigh(counter, report)
        overall = max(before[0], min(counter.start + counter.weight * percentage, MOST_BEFORE_THE_END))
        progress = (overall, counter.step, counter.total)
        self.progress = progress if counter.total else (overall, *before[1:])
        return progress

    def call_progressed(self, node_id: str, invocation_id: str, share: float) -> None:
        """Apply the progress of a workflow that one of the nodes calls."""
        workload = self._known_workload()
        if workload is not None and not self.view.is_finished:
            workload.node_progressed(node_id, invocation_id, share)
            self._advance(min(100.0 * workload.share, MOST_BEFORE_THE_END))

    def apply_record(
        self, record: records.queue.QueueItemSummary, *, nothing_missed: bool, resubmits: bool
    ) -> list[Event]:
        """Apply a REST record of an item that is not settled; see `RunState.apply_snapshot`."""
        if nothing_missed and record.status == "pending" and self.view.status == "pending":
            self.has_gap = False
        full = record if isinstance(record, records.queue.QueueItemRecord) else None
        if _RANK[record.status] > _RANK[self.view.status] or (
            self.has_gap and {record.status, self.view.status} == {"in_progress", "waiting"}
        ):
            self.set(
                status=record.status,
                canceled_by=self._canceled_by(record) if record.status == "canceled" else None,
                **self._newest(record, _TIMES),
            )
            if resubmits and self.view.canceled_by == "server":
                self.is_lost = True
                self.shared.lost.add(record.item_id)
            # No event has reported this yet: some were missed, or are late.
            self.has_gap = self.has_gap or self.view.is_finished
            self.held_back.append(_status_event(self.view))
        is_current = full is not None and full.status == self.view.status
        return self._release(self._fill_in(full) if full is not None and is_current else (), is_whole=full is not None)

    def apply_gone(self) -> list[Event]:
        """Record that the server no longer has the item; see `RunState.apply_gone`."""
        if not self.view.is_finished:
            self.set(status="canceled", error_type=_GONE_TYPE, error_message=GONE)
            self.held_back.append(_status_event(self.view))
        return self._release(is_whole=True)

    def given_up(self) -> list[Event]:
        """Record that the lost item cannot be run again: it stays canceled."""
        self.is_lost = False
        self.shared.lost.discard(self.view.item_id)
        return self._release(is_whole=True)

    def _advance(self, percentage: float) -> None:
        """Set the percentage, unless it is higher already."""
        if percentage > self.progress[0]:
            self.shared.percentages += percentage - self.progress[0]
            self.progress = (percentage, *self.progress[1:])

    def _weigh(self, counter: StepCounter, report: ProgressReport) -> None:
        """Find the part of the item's work that a node does, with its first report."""
        workload = self._known_workload()
        if workload is not None and report.progress_percentage is not None:
            workload.node_progressed(report.node_id, report.invocation_id, report.progress_percentage / 100)
            before, part = workload.part
            counter.start, counter.weight = 100.0 * before, part

    def _known_workload(self) -> Workload | None:
        """Return the workload. It is created when the item starts, as thousands may be pending."""
        if self._workload is None and self.shared.shape is not None:
            self._workload = Workload(self.shared.shape, self.shared.durations)
            # The graph of a called workflow becomes known when some of its nodes may have run.
            for output in self.outputs.values():
                self._workload.node_done(output.node_id, {}, output.result)
        return self._workload

    def _add_output(self, node_id: str, invocation_id: str, result: Mapping[str, Any], node: Mapping[str, Any]) -> None:
        output = NodeOutput(
            node_id=node_id,
            invocation_id=invocation_id,
            result=result,
            item_id=self.view.item_id,
            node_type=str(node.get("type") or ""),
            is_intermediate=node.get("is_intermediate") is not False,
        )
        self.outputs[invocation_id] = output
        self.shared.outputs.append(output)

    def _started(self, session_id: str | None) -> None:
        """Apply what an event of a node implies: the item has started, in this session."""
        view = self.view
        session_id = session_id or view.session_id
        if view.status == "pending" or session_id != view.session_id:
            status = "in_progress" if view.status == "pending" else view.status
            self.set(status=status, session_id=session_id)

    def _status_changed(self, event: QueueItemStatusChanged) -> list[Event]:
        rank = _RANK.get(event.status)
        if rank is None or rank < _RANK[self.view.status]:
            return []
        if event.status_sequence is not None:
            if event.status_sequence <= self.status_sequence:
                return []
            self.status_sequence = event.status_sequence
        elif event.status == self.view.status:
            return []
        self.set(
            status=event.status,
            canceled_by=self._canceled_by(None) if event.status == "canceled" else None,
            **self._newest(event, ("session_id", "created_at", *_TIMES, *_TOLD_OF_AN_ERROR)),
        )
        self.held_back.append(with_text(event))
        return self._release()

    def _failed(self, event: InvocationError) -> list[Event]:
        view = self.view
        if view.error_node_id is not None:
            # A repetition: an item ends with its first error.
            return []
        if not view.is_finished:
            self._known_workload()
            self._take_error(event)
            return [self._completed(event)]
        if view.status != "failed" or not self.lacks_details():
            return []
        self._take_error(event)
        self.held_back.append(self._completed(event))
        return self._release()

    def _take_error(self, event: InvocationError) -> None:
        told = {name: getattr(self.view, name) or getattr(event, name) for name in _TOLD_OF_AN_ERROR}
        self.set(error_node_id=event.node_id, error_node_type=event.node.get("type"), **told)

    def _completed(self, event: E) -> E:
        """Return the event with the progress of its item. An invocation's event implies that the item has started."""
        overall = self.progress[0]
        if self._workload is not None:
            overall = max(overall, 100.0 * self._workload.share)
            self._advance(min(overall, MOST_BEFORE_THE_END))
            if type(event) is not InvocationComplete:
                overall = self.progress[0]
        self.shared.latest = self
        self._started(event.session_id)
        return with_text(event, overall_percentage=overall)

    def _canceled_by(self, record: records.queue.QueueItemSummary | None) -> str:
        if self.cancel_was_asked:
            return "client"
        # Pending items stay in the queue when the server is restarted.
        began = record is not None and record.started_at is not None
        return "server" if self.server_was_away and began else "unknown"

    def _release(self, recovered: Iterable[Event] = (), *, is_whole: bool = False) -> list[Event]:
        """Settle the item if it has ended and its details are complete.

        Args:
            recovered: the events of its nodes that were missed.
            is_whole: whether the server has returned everything that it has stored of the item.

        Returns:
            The events that consumers have not received yet: outputs, the item's status, its error, its end. None while
            events before the end are about to be recovered.
        """
        settled = self._settle(is_whole=is_whole)
        if self.lacks_details() and self.has_gap and not self.is_lost:
            return []
        outputs = [event for event in recovered if not isinstance(event, InvocationError)]
        errors = [event for event in recovered if isinstance(event, InvocationError)]
        held_back, self.held_back = self.held_back, []
        return [*outputs, *held_back, *errors, *settled]

    def _settle(self, *, is_whole: bool) -> list[Event]:
        view = self.view
        if self.is_settled or self.is_lost or not view.is_finished:
            return []
        if not is_whole and (self.has_gap or self._lacks_parts()):
            self.has_gap = self.has_gap or view.status == "completed"
            self.shared.lacking.add(view.item_id)
            return []
        self.is_settled = True
        self.shared.open.discard(view.item_id)
        self.shared.lacking.discard(view.item_id)
        return [
            SessionComplete(
                queue_id=view.queue_id,
                item_id=view.item_id,
                batch_id=view.batch_id,
                session_id=view.session_id,
                status=view.status,
            )
        ]

    def _lacks_parts(self) -> bool:
        """Return whether an event that the server must have sent is missing: of a node that ran, or of the failed one.

        A websocket does not lose messages, but a proxy may.
        """
        if self.view.status == "failed":
            return self.view.error_node_id is None
        shape, workload = self.shared.shape, self._known_workload()
        if self.view.status != "completed" or shape is None or workload is None:
            return False
        ended = {output.node_id for output in self.outputs.values()}
        return not shape.nodes.keys() <= ended or len(self.outputs) < workload.total

    def _fill_in(self, record: records.queue.QueueItemRecord) -> list[Event]:
        """Copy what only the record contains, and return events that report it."""
        results: Mapping[str, Mapping[str, Any]] = record.session.get("results") or {}
        failed = next(iter(record.session.get("errors") or {}), None)
        self.set(session_id=record.session_id, **self._newest(record, ("created_at", *_TOLD_OF_AN_ERROR)))
        recovered: list[Event] = []
        for invocation_id, result in results.items():
            if invocation_id not in self.outputs:
                facts = self._recovered(record, invocation_id)
                self._add_output(facts["node_id"], invocation_id, result, facts["node"])
                recovered.append(InvocationComplete(**facts, result=result))
        if failed is not None and self.view.error_node_id is None:
            facts = self._recovered(record, failed)
            self.set(error_node_id=facts["node_id"], error_node_type=facts["node"].get("type"))
            told: dict[str, Any] = {name: getattr(self.view, name) or "" for name in _TOLD_OF_AN_ERROR}
            recovered.append(InvocationError(**facts, **told))
        return recovered

    def _recovered(self, record: records.queue.QueueItemRecord, invocation_id: str) -> dict[str, Any]:
        """Return the attributes that all recovered events of a node share."""
        source_of: Mapping[str, str] = record.session.get("prepared_source_mapping") or {}
        node_id = source_of.get(invocation_id, invocation_id)
        prepared: Mapping[str, Any] = (record.session.get("execution_graph") or {}).get("nodes") or {}
        sent: Mapping[str, Any] = {} if self.shared.shape is None else self.shared.shape.nodes
        return {
            "queue_id": self.view.queue_id,
            "item_id": self.view.item_id,
            "batch_id": self.view.batch_id,
            "session_id": record.session_id,
            "node_id": node_id,
            "invocation_id": invocation_id,
            "node": prepared.get(invocation_id) or {**sent.get(node_id, {}), "id": invocation_id},
            "overall_percentage": self.progress[0],
            "recovered": True,
        }

    def _newest(self, source: Event | records.queue.QueueItemSummary, names: Iterable[str]) -> dict[str, Any]:
        """Return some attributes of an event or a record; for missing ones, their previous values."""
        return {name: getattr(source, name) or getattr(self.view, name) for name in names}


def _status_event(view: QueueItem) -> QueueItemStatusChanged:
    names = ("queue_id", "item_id", "batch_id", "session_id", "status", *_TIMES, *_TOLD_OF_AN_ERROR)
    return QueueItemStatusChanged(recovered=True, **{name: getattr(view, name) for name in names})


def _error_line(view: QueueItem) -> str | None:
    """Return the error of an item as one line; None for an item that has not ended, or has completed."""
    # The client's own message is a sentence that needs no type before it.
    told = [text for text in (view.error_type, view.error_message) if text and text != _GONE_TYPE]
    return ": ".join(told).splitlines()[0] if told and view.status in TERMINAL_STATUSES - {"completed"} else None
