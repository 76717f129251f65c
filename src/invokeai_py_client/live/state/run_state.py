"""The state of a run, and how events and REST records change it.

The order of states: `pending` < `in_progress`, `waiting` < `completed`, `failed`, `canceled`. A state never moves
back in this order, a terminal state is final, and duplicate and late events change nothing. So it does not matter
whether the end of an item is learned from its event, from REST, or from both, in any order.

An item *has a gap* while events about it may have been missed. Its end is then not settled until a full record has
added the missing outputs. A failed item is not settled either until the failed node is known: the server sends that a
moment after the status.

A `RunState` belongs to the engine's thread. Other threads read its `snapshot`, which is immutable and replaced with
each change. Totals are updated as items change, so that a snapshot costs the same for one item as for 10,000.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from invokeai_py_client.live.state.called_items import CalledItems, CallProgress, call_path_of, called_by
from invokeai_py_client.live.state.progress import GraphShape, NodeDurations, StepCounter, Workload
from invokeai_py_client.live.state.queue_item import NodeOutput, OutputsSoFar, QueueItem
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
from invokeai_py_client.workflow.outputs import boards_sent

_RANK = {"pending": 0, "in_progress": 1, "waiting": 1, "completed": 2, "failed": 2, "canceled": 2}
_WORST_FIRST = ("failed", "canceled", "completed")
_TOLD_OF_AN_ERROR = ("error_type", "error_message", "error_traceback")
_OF_AN_ERROR = ("error", *_TOLD_OF_AN_ERROR, "error_node_id", "error_node_type")
_TIMES = ("started_at", "completed_at")

_MOST_BEFORE_THE_END = 99.9
"""Percent: 100 is shown only once an item has completed."""

_GONE_TYPE = "QueueItemGone"
GONE = "The item is no longer in the server's queue: it was deleted, cleared or pruned before its end was seen."


@dataclass(slots=True, eq=False)
class ItemState:
    """One item of a run. Changed only by `RunState`."""

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
    workload: Workload | None = None
    counter: StepCounter | None = None
    percentage: float = 0.0
    step: int = 0
    steps: int = 0

    def lacks_details(self) -> bool:
        """Return whether it has ended, but its error or outputs may be incomplete."""
        return self.view.is_finished and not self.is_settled

    def awaits_error(self) -> bool:
        """Return whether only the error of the failed node is missing, which the server is about to send."""
        return self.lacks_details() and not self.has_gap


class RunFacts(NamedTuple):
    """What of a run stays as it is while its nodes report their progress.

    `base` is the queue item that the rest is added to. `sessions` is a list that is only appended to; its first
    `session_count` elements belong to the snapshot.
    """

    base: QueueItem
    status: str
    started_at: str | None
    completed_at: str | None
    item_ids: tuple[int, ...]
    is_finished: bool
    outputs: OutputsSoFar
    sessions: list[tuple[int, str]]
    session_count: int
    called: list[RunState]
    called_count: int


class RunSnapshot(NamedTuple):
    """A run at one moment. Immutable, so that any thread may read it."""

    facts: RunFacts
    progress_percentage: float
    current_step: int
    total_steps: int

    def item(self) -> QueueItem:
        """Return the run as one queue item."""
        facts = self.facts
        return replace(
            facts.base,
            status=facts.status,
            progress_percentage=self.progress_percentage,
            current_step=self.current_step,
            total_steps=self.total_steps,
            started_at=facts.started_at,
            completed_at=facts.completed_at,
            outputs=facts.outputs,
            children=self.children(),
        )

    def children(self) -> tuple[QueueItem, ...]:
        """Return the items of called workflows as they are when this is called, in the order of their ids."""
        items = (state.snapshot.item() for state in self.facts.called[: self.facts.called_count])
        return tuple(sorted(items, key=attrgetter("item_id")))

    def session_ids(self) -> tuple[str, ...]:
        """Return the known session ids, in the order of the items."""
        session_of = dict(self.facts.sessions[: self.facts.session_count])
        return tuple(session_of[item_id] for item_id in sorted(session_of.keys() & {*self.facts.item_ids}))


def _ignore(item_id: int) -> None:
    pass


E = TypeVar("E", bound=InvocationEvent)


@dataclass(slots=True, eq=False)
class RunState:
    """The state of the items of one submission. Changed on the engine's thread only; see `snapshot`.

    Args:
        batch_id: the id of the batch.
        queue_id: its queue.
        graph: the graph as sent; None for a run that was submitted elsewhere, until a record contains it.
        has_gap: events may be missed from the start, because no socket is open.
        only: the items of the batch that the run is about; None for all.
        resubmits: whether an item that a restarted server canceled is run again, and so has not ended.
        durations: the expected durations of nodes, to which those of this run are added.
        follows_calls: whether the items of called workflows belong to the run.
    """

    batch_id: str
    queue_id: str
    graph: Mapping[str, Any] | None
    has_gap: bool = False
    only: frozenset[int] | None = None
    items: dict[int, ItemState] = field(default_factory=dict)
    is_enqueued: bool = False
    named: int = 0
    """The number of items that the server has named in a response: the first ones, in the order of their ids."""
    resubmits: bool = False
    durations: NodeDurations = field(default_factory=NodeDurations)
    follows_calls: bool = True
    called: CalledItems = field(init=False)
    boards: Mapping[str, str] = field(init=False)
    snapshot: RunSnapshot = field(init=False)
    """The run at this moment, for any thread."""
    item_added: Callable[[int], None] = _ignore
    item_removed: Callable[[int], None] = _ignore
    _shape: GraphShape | None = field(init=False, default=None)
    _expected: int = 0
    _open: set[int] = field(default_factory=set)
    _lacking: set[int] = field(default_factory=set)
    _lost: set[int] = field(default_factory=set)
    _wanted: set[int] = field(default_factory=set)
    _counts: Counter[str] = field(default_factory=Counter)
    _percentages: float = 0.0
    _percentage: float = 0.0
    _alone: ItemState | None = None
    _latest: ItemState | None = None
    _started_at: str | None = None
    _completed_at: str | None = None
    _item_ids: tuple[int, ...] = ()
    _outputs: list[NodeOutput] = field(default_factory=list)
    _sessions: list[tuple[int, str]] = field(default_factory=list)
    _item_of_session: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.called = CalledItems(self._make_child)
        self.boards = {} if self.graph is None else boards_sent(self.graph)
        self._shape = None if self.graph is None else GraphShape(self.graph)
        self._publish()

    def enqueued(self, item_ids: Iterable[int], *, all_of_them: bool = True, expected: int = 0) -> None:
        """Apply the server's response to a submission.

        Args:
            item_ids: the new items.
            all_of_them: whether the run has no other items; False while the rest of the batch waits for room.
            expected: the number of items that the run will have at the end; 0 if that is unknown.
        """
        for item_id in sorted(item_ids):
            self._item(item_id)
            self.named += 1
            if item_id in self.called:
                self.called.forget(item_id)
                self.items[item_id].has_gap = True
        self._expected = max(self._expected, expected)
        self._sort_items()
        self.is_enqueued = all_of_them
        self._publish()

    def has(self, item_id: int) -> bool:
        """Return whether an item of the batch belongs to the run."""
        return self.only is None or item_id in self.only

    def item_ids(self) -> set[int]:
        """Return the ids of all items of the run, including those of called workflows."""
        return {*self.items, *(self.only or ()), *self.called}

    def is_settled(self, item_id: int) -> bool:
        """Return whether an item, or one of a called workflow, has ended and its outputs or error are known."""
        item, called = self.items.get(item_id), self.called.state_of(item_id)
        return called.is_finished if called is not None else item is not None and item.is_settled

    def replaced(self, item_id: int, new_item_id: int) -> None:
        """Replace a lost item by the new item with which the server runs it again."""
        lost = self.items.pop(item_id, None)
        self._open.discard(item_id)
        self._lacking.discard(item_id)
        self._lost.discard(item_id)
        if self.only is not None:
            self.only = self.only - {item_id} | {new_item_id}
        if lost is not None:
            self._counts[lost.view.status] -= 1
            self._percentages -= lost.percentage
            # Snapshots refer to the old list, which must not change.
            self._outputs = [output for output in self._outputs if output.item_id != item_id]
            self.item_removed(item_id)
        for child_id in self.called.drop(item_id):
            self.item_removed(child_id)
        self._item(new_item_id).has_gap = True
        self._sort_items()
        self._publish()

    @property
    def is_finished(self) -> bool:
        """Whether every item has ended and its outputs or error are known."""
        return self.is_enqueued and not self._open and not self.called.open

    @property
    def is_waiting(self) -> bool:
        """Whether an item of the run is still pending."""
        return not self.is_enqueued or self._counts["pending"] > 0

    @property
    def needs_requests(self) -> bool:
        """Whether the full record of an item must be fetched, or an item is to be run again."""
        return bool(self._lacking or self._lost or self._wanted or self.called.lacking)

    def pending_ids(self) -> list[int]:
        """Return the items that are still pending."""
        return [item_id for item_id in self._open if self.items[item_id].view.status == "pending"]

    def learned_session(self, item_id: int, session_id: str) -> None:
        """Record an item's session id, which was requested before an event contained it."""
        item = self.items.get(item_id)
        if item is not None and item.view.session_id is None:
            self._set(item, session_id=session_id)
            self._publish()

    def item_of_session(self, session_id: str) -> int | None:
        """Return the id of the item with a session, or None if it is not known. Any thread may call this."""
        item_id = self._item_of_session.get(session_id)
        called = (state.item_of_session(session_id) for state in self.called.states)
        return item_id if item_id is not None else next((found for found in called if found is not None), None)

    def unsettled(self) -> list[int]:
        """Return the items that have not ended, or whose outputs or error are not complete."""
        return sorted(self._open | self.called.open)

    def lacking_details(self) -> list[int]:
        """Return the items whose full record must be fetched.

        Those are the items that have ended, but whose outputs or error may be incomplete, and those whose calls, or
        callers, are not known.
        """
        return sorted(self._lacking | self._wanted | self.called.lacking)

    def want_record(self, item_id: int) -> None:
        """Request the full record of an item, although it may not have ended."""
        self._wanted.add(item_id)

    def awaits_error(self) -> bool:
        """Return whether an item has failed whose error the server is about to send."""
        own = any(self.items[item_id].awaits_error() for item_id in self._lacking)
        return own or self.called.awaits_error()

    def missed(self) -> None:
        """Record that the connection of the socket was lost: all items that are not settled now have a gap."""
        self.has_gap = True
        for item_id in self._open:
            self.items[item_id].has_gap = True
        self.called.missed()

    def view(self) -> QueueItem:
        """Return the run as one queue item."""
        return self.snapshot.item()

    def item(self, item_id: int) -> QueueItem:
        """Return one item of the run, with its outputs and the items of the workflows that it calls."""
        item = self.items[item_id]
        children = [state.view() for state in self.called.states] if self.called.states else []
        return replace(
            self._with_cause(item.view),
            outputs=tuple(item.outputs.values()),
            children=tuple(child for child in children if self.called.root_of(child.item_id) == item_id),
        )

    def _publish(self) -> None:
        """Replace the snapshot; every method that changes what callers see ends with this."""
        items, finished, counts = self.items, self.is_finished, self._counts
        first = next(iter(items.values()), None)
        self._alone = None
        if first is None:
            base = QueueItem(item_id=0, batch_id=self.batch_id, queue_id=self.queue_id, boards=self.boards)
            status, started_at, completed_at = base.status, None, None
        elif len(items) == 1 and self._expected <= 1 and self.is_enqueued:
            self._alone = first
            base = self._with_cause(first.view)
            status, started_at, completed_at = base.status, base.started_at, base.completed_at
        else:
            base, started_at = first.view, self._started_at
            if finished:
                status = next(status for status in _WORST_FIRST if counts[status])
                completed_at = self._completed_at
                worst = next(item for item in items.values() if item.view.status == status)
                base = replace(self._with_cause(worst.view), item_id=base.item_id, session_id=base.session_id)
            else:
                status = "pending" if counts["pending"] == len(items) else "in_progress"
                completed_at = None
        facts = RunFacts(
            base=base,
            status=status,
            started_at=started_at,
            completed_at=completed_at,
            item_ids=self._item_ids,
            is_finished=finished,
            outputs=OutputsSoFar(self._outputs),
            sessions=self._sessions,
            session_count=len(self._sessions),
            called=self.called.states,
            called_count=len(self.called.states),
        )
        self._publish_progress(facts, is_completed=finished and status == "completed")

    def _publish_progress(self, facts: RunFacts, *, is_completed: bool = False) -> None:
        """Replace the snapshot. Unless `facts` is a new object, only the progress may have changed."""
        alone, latest = self._alone, self._latest
        if alone is not None:
            percentage = alone.percentage
        else:
            mean = self._percentages / max(len(self.items), self._expected, 1)
            percentage = mean if facts.is_finished else min(mean, _MOST_BEFORE_THE_END)
        # Items that are added, or run again, must not move the percentage back.
        if percentage > self._percentage:
            self._percentage = percentage
        self.snapshot = RunSnapshot(
            facts,
            100.0 if is_completed else self._percentage,
            0 if latest is None else latest.step,
            0 if latest is None else latest.steps,
        )

    def _with_cause(self, view: QueueItem) -> QueueItem:
        """Replace the error of a calling item by the error of the called workflow that caused it."""
        cause = self.called.failure_below(view.item_id) if view.status == "failed" else None
        if cause is None:
            return view
        return replace(view, error_call_path=cause.call_path, **{name: getattr(cause, name) for name in _OF_AN_ERROR})

    def _set(self, item: ItemState, **changes: Any) -> None:
        """Change an item's view, and the totals with it."""
        before = item.view
        after = item.view = replace(before, **changes)
        if after.is_finished:
            after = item.view = replace(after, error=_error_line(after))
            item.counter = None
        if after.status != before.status:
            self._counts[before.status] -= 1
            self._counts[after.status] += 1
            if after.status == "completed":
                self._set_percentage(item, 100.0)
        if after.started_at is not None and (self._started_at is None or after.started_at < self._started_at):
            self._started_at = after.started_at
        if after.completed_at is not None and (self._completed_at is None or after.completed_at > self._completed_at):
            self._completed_at = after.completed_at
        if after.session_id is not None and after.session_id != before.session_id:
            self._sessions.append((after.item_id, after.session_id))
            self._item_of_session[after.session_id] = after.item_id

    def _set_percentage(self, item: ItemState, percentage: float) -> None:
        if percentage > item.percentage:
            self._percentages += percentage - item.percentage
            item.percentage = percentage

    def _sort_items(self) -> None:
        self.items = dict(sorted(self.items.items()))
        self._item_ids = tuple(self.items)

    def apply_event(self, event: ItemEvent) -> list[Event]:
        """Apply an event, other than one of progress.

        The event itself is not changed, because other runs and watchers of the queue may get it as well.

        Returns:
            The events for the run's consumers: this one, completed with the run's progress; a `session_complete` after
            it if it ended the item; nothing if it is a duplicate or comes late.
        """
        item = self.items.get(event.item_id)
        if item is None:
            if self._is_called(event):
                events = self.called.apply_event(event)
                return self._take_called(event.item_id, events, has_new_status=type(event) is QueueItemStatusChanged)
            item = self._unnamed(event.item_id)
            if item is None:
                return []
        told = self._take(item, event)
        if type(event) is QueueItemStatusChanged:
            self._look_for_calls(event.item_id)
        if told or item.held_back:
            self._publish()
        return told

    def apply_progress(self, report: ProgressReport) -> ItemProgress | None:
        """Apply what a node reports of its progress. Most events are of this kind, so it does no more than it must.

        Returns:
            The progress of the item, for the run's consumers. None if the item has ended or is not the run's, and for a
            report that says nothing new: with a second-order scheduler each comes twice.
        """
        item = self.items.get(report.item_id)
        if item is None:
            if report.item_id in self.called:
                progress = self.called.apply_progress(report)
                self._take_called(report.item_id, [], has_new_status=False)
                return progress
            item = self._unnamed(report.item_id)
            if item is None:
                return None
        counter, percentage = item.counter, report.progress_percentage
        if counter is None or counter.invocation_id != report.invocation_id or percentage is None:
            # The first report of the node, or one without a percentage.
            if item.view.is_finished:
                return None
            self._started(item, report.session_id)
            self._latest = item
            self._publish()
            if percentage is None:
                return (item.percentage, 0, 0)
            counter = item.counter = StepCounter(steps_of(report.node()), report.invocation_id)
        before = (counter.step, counter.percentage)
        step = counter.count(percentage)
        total = counter.total
        if total:
            if before == (step, percentage):
                return None
            item.step, item.steps = step, total
        workload = item.workload or self._workload_of(item)
        if workload is not None:
            share = workload.node_progressed(report.node_id, report.invocation_id, percentage / 100)
            self._set_percentage(item, min(100.0 * share, _MOST_BEFORE_THE_END))
        self._latest = item
        self._publish_progress(self.snapshot.facts)
        return (item.percentage, step, total)

    def _unnamed(self, item_id: int) -> ItemState | None:
        """Return a new item whose first event arrived before the response that names the run's items."""
        if self.is_enqueued or self.graph is None or not self.has(item_id):
            # Another item of the batch: of another run, or a retried one. While the items of a run that was submitted
            # elsewhere are being fetched, it may also be an item of a called workflow.
            return None
        item = self._item(item_id)
        self._sort_items()
        return item

    def _take(self, item: ItemState, event: ItemEvent) -> list[Event]:
        # Types are compared, as `isinstance` takes ten times as long for classes that are mappings.
        if type(event) is InvocationError:
            return self._failed(item, event)
        if item.view.is_finished:
            return []
        if type(event) is QueueItemStatusChanged:
            return self._status_changed(item, event)
        workload = self._workload_of(item)
        if type(event) is InvocationComplete:
            if event.invocation_id in item.outputs:
                return []
            self._add_output(item, event.node_id, event.invocation_id, event.result, event.node)
            if workload is not None:
                workload.node_done(event.node_id, event.node, event.result)
            return [self._completed(item, event)]
        if type(event) is InvocationStarted:
            if workload is not None:
                workload.node_started(event.node_id, event.node)
            return [self._completed(item, event)]
        return [event]

    def _failed(self, item: ItemState, event: InvocationError) -> list[Event]:
        view = item.view
        if view.error_node_id is not None:
            # A repetition: an item ends with its first error.
            return []
        if not view.is_finished:
            self._workload_of(item)
            self._take_error(item, event)
            return [self._completed(item, event)]
        if view.status != "failed" or not item.lacks_details():
            return []
        self._take_error(item, event)
        item.held_back.append(self._completed(item, event))
        return self._release(item)

    def apply_snapshot(self, record: records.queue.QueueItemSummary, *, nothing_missed: bool = False) -> list[Event]:
        """Apply a REST record of an item.

        Args:
            record: a summary, or the full record, which settles an item that has ended.
            nothing_missed: events were received from before the record was made until now, so that an item that is
                still pending has no gap.

        Returns:
            The events for the run's consumers, in place of those that were missed.
        """
        if record.item_id in self.called:
            told = self.called.apply_snapshot(record, nothing_missed=nothing_missed)
            if record.item_id not in self.called:
                self.item_removed(record.item_id)
                self._publish()
                return []
            if isinstance(record, records.queue.QueueItemRecord):
                self._add_called(record)
                return self._take_called(record.item_id, told, has_new_status=False)
            return self._take_called(record.item_id, told)
        item = self.items.get(record.item_id)
        if item is None:
            return []
        if record.item_id in self._wanted and isinstance(record, records.queue.QueueItemRecord):
            self._learn_calls(item, record)
            if not item.has_gap and not item.view.is_finished:
                # Its other contents may be newer than the events.
                self._publish()
                return []
        if item.is_settled:
            self._publish()
            return []
        if nothing_missed and record.status == "pending" and item.view.status == "pending":
            item.has_gap = False
        changed = _RANK[record.status] > _RANK[item.view.status] or (
            item.has_gap and {record.status, item.view.status} == {"in_progress", "waiting"}
        )
        full = record if isinstance(record, records.queue.QueueItemRecord) else None
        if changed:
            self._set(
                item,
                status=record.status,
                canceled_by=self._canceled_by(item, record) if record.status == "canceled" else None,
                **_newest(item, record, _TIMES),
            )
            if self.resubmits and item.view.canceled_by == "server":
                item.is_lost = True
                self._lost.add(record.item_id)
            # No event has reported this yet: some were missed, or are late.
            item.has_gap = item.has_gap or item.view.is_finished
            item.held_back.append(_status_event(item.view))
        recovered: list[Event] = []
        if full is not None:
            self._learn_calls(item, full)
            if full.status == item.view.status:
                recovered = self._fill_in(item, full)
        told = self._release(item, recovered, is_whole=full is not None)
        if full is None:
            # A full record that does not name the called items is not fetched again at once: they may not exist yet.
            self._look_for_calls(record.item_id)
        self._publish()
        return told

    def _is_called(self, event: ItemEvent) -> bool:
        # For a run of single items only the records of those tell which items they call.
        is_new = self.follows_calls and self.only is None and self.called.announces(event)
        return is_new or event.item_id in self.called

    def _make_child(self, item_id: int, has_gap: bool) -> RunState:
        child = RunState(
            self.batch_id,
            self.queue_id,
            None,
            has_gap=has_gap,
            durations=self.durations,
            follows_calls=False,
        )
        child.enqueued([item_id])
        self.item_added(item_id)
        return child

    def _take_called(self, item_id: int, events: list[Event], *, has_new_status: bool = True) -> list[Event]:
        """Bring the run up to date after an item of a called workflow has changed."""
        if has_new_status:
            self._look_for_calls(item_id)
        for progress in self.called.progress_above(item_id):
            (self.called.state_of(progress.caller_id) or self).call_progressed(progress)
        self._publish()
        return events

    def call_progressed(self, progress: CallProgress) -> None:
        """Record the progress of a workflow that an item calls."""
        item = self.items.get(progress.caller_id)
        workload = None if item is None else self._workload_of(item)
        if item is not None and workload is not None and not item.view.is_finished:
            workload.node_progressed(progress.node_id, progress.invocation_id, progress.share)
            self._set_percentage(item, min(100.0 * workload.share, _MOST_BEFORE_THE_END))
            self._publish()

    def _learn_calls(self, item: ItemState, record: records.queue.QueueItemRecord) -> None:
        """Apply what only a full record contains: the caller of the item, and the items that it calls."""
        self._wanted.discard(record.item_id)
        self.learned_graph(record.session.get("graph"))
        item.view = replace(item.view, parent_item_id=record.parent_item_id, call_path=call_path_of(record))
        self._add_called(record)

    def _add_called(self, record: records.queue.QueueItemRecord) -> None:
        if self.follows_calls:
            caller = (self.called.state_of(record.item_id) or self).items[record.item_id]
            for item_id in called_by(record):
                self.called.add(item_id, has_gap=True)
                if caller.cancel_was_asked:
                    # The server cancels it together with its caller.
                    self.called.cancel_asked([item_id])

    def _look_for_calls(self, item_id: int) -> None:
        """Request an item's record if it waits for items that are not known."""
        called = self.called.state_of(item_id)
        status = (called or self).items[item_id].view.status
        if status == "waiting" and self.follows_calls and self.called.waits_for_unknown(item_id):
            if called is None:
                self.want_record(item_id)
            else:
                self.called.want_record(item_id)

    def apply_gone(self, item_id: int) -> list[Event]:
        """Record that the server no longer has an item: it ends as canceled, with a message that says so."""
        self._wanted.discard(item_id)
        if item_id in self.called:
            return self._take_called(item_id, self.called.apply_gone(item_id))
        item = self.items.get(item_id)
        if item is None or item.is_settled:
            return []
        if not item.view.is_finished:
            self._set(item, status="canceled", error_type=_GONE_TYPE, error_message=GONE)
            item.held_back.append(_status_event(item.view))
        told = self._release(item, is_whole=True)
        self._publish()
        return told

    def _item(self, item_id: int) -> ItemState:
        item = self.items.get(item_id)
        if item is None:
            view = QueueItem(item_id=item_id, batch_id=self.batch_id, queue_id=self.queue_id, boards=self.boards)
            item = self.items[item_id] = ItemState(view=view, has_gap=self.has_gap)
            self._open.add(item_id)
            self._counts[view.status] += 1
            self.item_added(item_id)
        return item

    def _workload_of(self, item: ItemState) -> Workload | None:
        """Return the workload of an item. It is created when the item starts, as thousands may be pending."""
        if item.workload is None and self._shape is not None:
            item.workload = Workload(self._shape, self.durations)
            # The graph of a called workflow becomes known when some of its nodes may have run.
            for output in item.outputs.values():
                item.workload.node_done(output.node_id, {}, output.result)
        return item.workload

    def _add_output(
        self, item: ItemState, node_id: str, invocation_id: str, result: Mapping[str, Any], node: Mapping[str, Any]
    ) -> None:
        output = NodeOutput(
            node_id=node_id,
            invocation_id=invocation_id,
            result=result,
            item_id=item.view.item_id,
            node_type=str(node.get("type") or ""),
            is_intermediate=node.get("is_intermediate") is not False,
        )
        item.outputs[invocation_id] = output
        self._outputs.append(output)

    def _started(self, item: ItemState, session_id: str | None) -> None:
        """Apply what an event of a node implies: its item has started, in this session."""
        view = item.view
        session_id = session_id or view.session_id
        if view.status == "pending" or session_id != view.session_id:
            status = "in_progress" if view.status == "pending" else view.status
            self._set(item, status=status, session_id=session_id)

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
        self._set(
            item,
            status=event.status,
            canceled_by=self._canceled_by(item, None) if event.status == "canceled" else None,
            **_newest(item, event, ("session_id", "created_at", *_TIMES, *_TOLD_OF_AN_ERROR)),
        )
        item.held_back.append(with_text(event))
        return self._release(item)

    def _release(self, item: ItemState, recovered: Iterable[Event] = (), *, is_whole: bool = False) -> list[Event]:
        """Settle an item that has ended, if its details are complete.

        Args:
            item: the item.
            recovered: the events of its nodes that were missed.
            is_whole: whether the server has returned everything that it has stored of the item.

        Returns:
            The events that consumers have not received yet: outputs, the item's status, its error, its end. None while
            events before the end are about to be recovered.
        """
        settled = self._settle(item, is_whole=is_whole)
        if item.lacks_details() and item.has_gap and not item.is_lost:
            return []
        outputs = [event for event in recovered if not isinstance(event, InvocationError)]
        errors = [event for event in recovered if isinstance(event, InvocationError)]
        held_back, item.held_back = item.held_back, []
        return [*outputs, *held_back, *errors, *settled]

    def _take_error(self, item: ItemState, event: InvocationError) -> None:
        told = {name: getattr(item.view, name) or getattr(event, name) for name in _TOLD_OF_AN_ERROR}
        self._set(item, error_node_id=event.node_id, error_node_type=event.node.get("type"), **told)

    def _completed(self, item: ItemState, event: E) -> E:
        """Return the event with the progress of its item. An invocation's event implies that the item has started."""
        overall = item.percentage
        if item.workload is not None:
            overall = max(overall, 100.0 * item.workload.share)
            self._set_percentage(item, min(overall, _MOST_BEFORE_THE_END))
            if type(event) is not InvocationComplete:
                overall = item.percentage
        self._latest = item
        self._started(item, event.session_id)
        return with_text(event, overall_percentage=overall)

    def cancel_asked(self, item_ids: Iterable[int] | None = None) -> None:
        """Record that this client cancels these items, or all that have not ended.

        The server cancels an item of a called workflow with its callers, and with all that they call.
        """
        if item_ids is not None:
            item_ids = set().union(*(self.called.chain_of(item_id) for item_id in item_ids))
        for item_id in self._open if item_ids is None else self._open.intersection(item_ids):
            self.items[item_id].cancel_was_asked = True
        self.called.cancel_asked(item_ids)

    def server_was_away(self) -> None:
        """Record that the server was restarted, and so has canceled running items."""
        for item_id in self._open:
            self.items[item_id].server_was_away = True
        self.called.server_was_away()

    def lost_items(self) -> list[int]:
        """Return the items that a restarted server canceled, and that are to be run again."""
        return sorted(self._lost)

    def given_up(self, item_id: int) -> list[Event]:
        """Record that a lost item cannot be run again: it stays canceled."""
        item = self.items[item_id]
        item.is_lost = False
        self._lost.discard(item_id)
        told = self._release(item, is_whole=True)
        self._publish()
        return told

    @staticmethod
    def _canceled_by(item: ItemState, record: records.queue.QueueItemSummary | None) -> str:
        if item.cancel_was_asked:
            return "client"
        # Pending items stay in the queue when the server is restarted.
        began = record is not None and record.started_at is not None
        return "server" if item.server_was_away and began else "unknown"

    def learned_graph(self, graph: object) -> None:
        """Set the graph of a run that was submitted elsewhere, from a record."""
        if self.graph is None and isinstance(graph, Mapping) and "nodes" in graph and "edges" in graph:
            self.graph, self.boards, self._shape = graph, boards_sent(graph), GraphShape(graph)
            for item in self.items.values():
                item.view = replace(item.view, boards=self.boards)
            self._publish()

    def _lacks_parts(self, item: ItemState) -> bool:
        """Return whether an event that the server must have sent is missing: of a node that ran, or of the failed one.

        A websocket does not lose messages, but a proxy may.
        """
        if item.view.status == "failed":
            return item.view.error_node_id is None
        workload = self._workload_of(item)
        if item.view.status != "completed" or self.graph is None or workload is None:
            return False
        ended = {output.node_id for output in item.outputs.values()}
        return not self.graph["nodes"].keys() <= ended or len(item.outputs) < workload.total

    def _fill_in(self, item: ItemState, record: records.queue.QueueItemRecord) -> list[Event]:
        """Copy what only the record contains, and return events that report it."""
        results: Mapping[str, Mapping[str, Any]] = record.session.get("results") or {}
        failed = next(iter(record.session.get("errors") or {}), None)
        self._set(
            item,
            session_id=record.session_id,
            **_newest(item, record, ("created_at", *_TOLD_OF_AN_ERROR)),
        )
        recovered: list[Event] = []
        for invocation_id, result in results.items():
            if invocation_id not in item.outputs:
                facts = self._recovered(item, record, invocation_id)
                self._add_output(item, facts["node_id"], invocation_id, result, facts["node"])
                recovered.append(InvocationComplete(**facts, result=result))
        if failed is not None and item.view.error_node_id is None:
            facts = self._recovered(item, record, failed)
            self._set(item, error_node_id=facts["node_id"], error_node_type=facts["node"].get("type"))
            told: dict[str, Any] = {name: getattr(item.view, name) or "" for name in _TOLD_OF_AN_ERROR}
            recovered.append(InvocationError(**facts, **told))
        return recovered

    def _recovered(self, item: ItemState, record: records.queue.QueueItemRecord, invocation_id: str) -> dict[str, Any]:
        """Return the attributes that all recovered events of a node share."""
        source_of: Mapping[str, str] = record.session.get("prepared_source_mapping") or {}
        node_id = source_of.get(invocation_id, invocation_id)
        prepared: Mapping[str, Any] = (record.session.get("execution_graph") or {}).get("nodes") or {}
        sent: Mapping[str, Any] = {} if self.graph is None else self.graph["nodes"]
        return {
            "queue_id": item.view.queue_id,
            "item_id": item.view.item_id,
            "batch_id": item.view.batch_id,
            "session_id": record.session_id,
            "node_id": node_id,
            "invocation_id": invocation_id,
            "node": prepared.get(invocation_id) or {**sent.get(node_id, {}), "id": invocation_id},
            "overall_percentage": item.percentage,
            "recovered": True,
        }

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


def _newest(item: ItemState, source: Event | records.queue.QueueItemSummary, names: Iterable[str]) -> dict[str, Any]:
    """Return some attributes of an event or a record; for missing ones, their previous values."""
    return {name: getattr(source, name) or getattr(item.view, name) for name in names}


def _status_event(view: QueueItem) -> QueueItemStatusChanged:
    names = ("queue_id", "item_id", "batch_id", "session_id", "status", *_TIMES, *_TOLD_OF_AN_ERROR)
    return QueueItemStatusChanged(recovered=True, **{name: getattr(view, name) for name in names})


def _error_line(view: QueueItem) -> str | None:
    """Return the error of an item as one line; None for an item that has not ended, or has completed."""
    # The client's own message is a sentence that needs no type before it.
    told = [text for text in (view.error_type, view.error_message) if text and text != _GONE_TYPE]
    return ": ".join(told).splitlines()[0] if told and view.status in TERMINAL_STATUSES - {"completed"} else None
