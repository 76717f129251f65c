"""The state of a run: its items, their totals, and the items of the workflows that they call.

A `RunState` belongs to the engine's thread. Other threads read its `snapshot`, which is immutable and replaced with
each change. Totals are updated as items change, so that a snapshot costs the same for one item as for 10,000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from invokeai_py_client.live.state.called_items import CalledItems, CallProgress, call_path_of, called_by
from invokeai_py_client.live.state.item_state import ERROR_ATTRIBUTES, MOST_BEFORE_THE_END, ItemState
from invokeai_py_client.live.state.progress import GraphShape, NodeDurations
from invokeai_py_client.live.state.queue_item import OutputsSoFar, QueueItem
from invokeai_py_client.live.state.run_snapshot import RunFacts, RunSnapshot
from invokeai_py_client.live.state.shared_state import SharedState
from invokeai_py_client.wire import records
from invokeai_py_client.wire.events import Event, ItemEvent, ItemProgress, ProgressReport, QueueItemStatusChanged
from invokeai_py_client.workflow.outputs import boards_sent

_WORST_FIRST = ("failed", "canceled", "completed")


def _ignore(item_id: int) -> None:
    pass


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
    resubmits: bool = False
    durations: NodeDurations = field(default_factory=NodeDurations)
    follows_calls: bool = True
    items: dict[int, ItemState] = field(init=False, default_factory=dict)
    is_enqueued: bool = field(init=False, default=False)
    named: int = field(init=False, default=0)
    """The number of items that the server has named in a response: the first ones, in the order of their ids."""
    called: CalledItems = field(init=False)
    boards: Mapping[str, str] = field(init=False)
    item_added: Callable[[int], None] = field(init=False, default=_ignore)
    item_removed: Callable[[int], None] = field(init=False, default=_ignore)
    _shared: SharedState = field(init=False)
    _expected: int = field(init=False, default=0)
    _wanted: set[int] = field(init=False, default_factory=set)
    _facts: RunFacts = field(init=False)
    _progress: ItemProgress = field(init=False, default=(0.0, 0, 0))
    _alone: ItemState | None = field(init=False, default=None)
    """The only item of the run, once it is known to be the only one."""
    _item_ids: tuple[int, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        self.called = CalledItems(self._make_child)
        self.boards = {} if self.graph is None else boards_sent(self.graph)
        self._shared = SharedState(self.durations, None if self.graph is None else GraphShape(self.graph))
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
        if self.only is not None:
            self.only = self.only - {item_id} | {new_item_id}
        if lost is not None:
            self._shared.remove(lost)
            self.item_removed(item_id)
        for child_id in self.called.drop(item_id):
            self.item_removed(child_id)
        self._item(new_item_id).has_gap = True
        self._sort_items()
        self._publish()

    @property
    def is_finished(self) -> bool:
        """Whether every item has ended and its outputs or error are known."""
        return self.is_enqueued and not self._shared.open and not self.called.open

    @property
    def is_waiting(self) -> bool:
        """Whether an item of the run is still pending."""
        return not self.is_enqueued or self._shared.counts["pending"] > 0

    @property
    def needs_requests(self) -> bool:
        """Whether the full record of an item must be fetched, or an item is to be run again."""
        return bool(self._shared.lacking or self._shared.lost or self._wanted or self.called.lacking)

    def pending_ids(self) -> list[int]:
        """Return the items that are still pending."""
        return [item_id for item_id in self._shared.open if self.items[item_id].view.status == "pending"]

    def learned_session(self, item_id: int, session_id: str) -> None:
        """Record an item's session id, which was requested before an event contained it."""
        item = self.items.get(item_id)
        if item is not None and item.view.session_id is None:
            item.set(session_id=session_id)
            self._publish()

    def item_of_session(self, session_id: str) -> int | None:
        """Return the id of the item with a session, or None if it is not known. Any thread may call this."""
        item_id = self._shared.item_of_session.get(session_id)
        called = (state.item_of_session(session_id) for state in self.called.states)
        return item_id if item_id is not None else next((found for found in called if found is not None), None)

    def unsettled(self) -> list[int]:
        """Return the items that have not ended, or whose outputs or error are not complete."""
        return sorted(self._shared.open | self.called.open)

    def lacking_details(self) -> list[int]:
        """Return the items whose full record must be fetched.

        Those are the items that have ended, but whose outputs or error may be incomplete, and those whose calls, or
        callers, are not known.
        """
        return sorted(self._shared.lacking | self._wanted | self.called.lacking)

    def want_record(self, item_id: int) -> None:
        """Request the full record of an item, although it may not have ended."""
        self._wanted.add(item_id)

    def awaits_error(self) -> bool:
        """Return whether an item has failed whose error the server is about to send."""
        own = any(self.items[item_id].awaits_error() for item_id in self._shared.lacking)
        return own or self.called.awaits_error()

    def lost_items(self) -> list[int]:
        """Return the items that a restarted server canceled, and that are to be run again."""
        return sorted(self._shared.lost)

    def missed(self) -> None:
        """Record that the connection of the socket was lost: all items that are not settled now have a gap."""
        self.has_gap = True
        for item_id in self._shared.open:
            self.items[item_id].has_gap = True
        self.called.missed()

    def cancel_asked(self, item_ids: Iterable[int] | None = None) -> None:
        """Record that this client cancels these items, or all that have not ended.

        The server cancels an item of a called workflow with its callers, and with all that they call.
        """
        if item_ids is not None:
            item_ids = set().union(*(self.called.chain_of(item_id) for item_id in item_ids))
        for item_id in self._shared.open if item_ids is None else self._shared.open.intersection(item_ids):
            self.items[item_id].cancel_was_asked = True
        self.called.cancel_asked(item_ids)

    def server_was_away(self) -> None:
        """Record that the server was restarted, and so has canceled running items."""
        for item_id in self._shared.open:
            self.items[item_id].server_was_away = True
        self.called.server_was_away()

    @property
    def snapshot(self) -> RunSnapshot:
        """The run at this moment, for any thread."""
        # The facts are written last and read first, so the progress is never older, but it may be newer.
        facts = self._facts
        percentage, step, steps = self._shown()
        if facts.is_completed:
            percentage = 100.0
        elif percentage >= 100 and facts.status != "completed":
            percentage = MOST_BEFORE_THE_END
        return RunSnapshot(facts, percentage, step, steps)

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
        told = item.apply_event(event)
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
        item = self._alone
        if item is None or item.item_id != report.item_id:
            item = self.items.get(report.item_id)
        if item is None:
            if report.item_id in self.called:
                progress = self.called.apply_progress(report)
                self._take_called(report.item_id, [], has_new_status=False)
                return progress
            item = self._unnamed(report.item_id)
            if item is None:
                return None
        counter, before = item.counter, item.progress
        progress = item.apply_progress(report)
        if self._alone is None and progress is not None:
            self._shared.percentages += item.progress[0] - before[0]
            self._shared.latest = item
            self._progress = self._progress_of_all(is_finished=False)
        if item.counter is not counter or report.progress_percentage is None:
            # The first report of a node, which may imply that the item has started.
            self._publish()
        return progress

    def apply_snapshot(self, record: records.queue.QueueItemSummary, *, nothing_missed: bool = False) -> list[Event]:
        """Apply a REST record of an item.

        Args:
            record: a summary, or the full record, which settles an item that has ended.
            nothing_missed: events were received from before the record was made until now, so that an item that is
                still pending has no gap.

        Returns:
            The events for the run's consumers, in place of those that were missed.
        """
        item_id = record.item_id
        full = record if isinstance(record, records.queue.QueueItemRecord) else None
        if item_id in self.called:
            told = self.called.apply_snapshot(record, nothing_missed=nothing_missed)
            if item_id not in self.called:
                self.item_removed(item_id)
                self._publish()
                return []
            if full is not None:
                self._add_called(full)
            return self._take_called(item_id, told, has_new_status=full is None)
        item = self.items.get(item_id)
        if item is None:
            return []
        was_wanted = full is not None and item_id in self._wanted
        if full is not None and (was_wanted or not item.is_settled):
            self._learn_calls(item, full)
        told = []
        # What a record that was requested for its calls says otherwise may be older than the events.
        if not item.is_settled and (item.has_gap or item.view.is_finished or not was_wanted):
            told = item.apply_record(record, nothing_missed=nothing_missed, resubmits=self.resubmits)
            if full is None:
                # A full record that does not name the called items is not fetched again at once: they may come later.
                self._look_for_calls(item_id)
        self._publish()
        return told

    def apply_gone(self, item_id: int) -> list[Event]:
        """Record that the server no longer has an item: it ends as canceled, with a message that says so."""
        self._wanted.discard(item_id)
        if item_id in self.called:
            return self._take_called(item_id, self.called.apply_gone(item_id))
        item = self.items.get(item_id)
        if item is None or item.is_settled:
            return []
        told = item.apply_gone()
        self._publish()
        return told

    def given_up(self, item_id: int) -> list[Event]:
        """Record that a lost item cannot be run again: it stays canceled."""
        told = self.items[item_id].given_up()
        self._publish()
        return told

    def call_progressed(self, progress: CallProgress) -> None:
        """Record the progress of a workflow that an item calls."""
        item = self.items.get(progress.caller_id)
        if item is not None:
            item.call_progressed(progress.node_id, progress.invocation_id, progress.share)
            self._publish()

    def learned_graph(self, graph: object) -> None:
        """Set the graph of a run that was submitted elsewhere, from a record."""
        if self.graph is None and isinstance(graph, Mapping) and "nodes" in graph and "edges" in graph:
            self.graph, self.boards, self._shared.shape = graph, boards_sent(graph), GraphShape(graph)
            for item in self.items.values():
                item.view = replace(item.view, boards=self.boards)
            self._publish()

    def _item(self, item_id: int) -> ItemState:
        item = self.items.get(item_id)
        if item is None:
            view = QueueItem(item_id=item_id, batch_id=self.batch_id, queue_id=self.queue_id, boards=self.boards)
            item = self.items[item_id] = ItemState(self._shared, view, self.has_gap)
            self.item_added(item_id)
        return item

    def _unnamed(self, item_id: int) -> ItemState | None:
        """Return a new item whose first event arrived before the response that names the run's items."""
        if self.is_enqueued or self.graph is None or not self.has(item_id):
            # Another item of the batch: of another run, or a retried one. While the items of a run that was submitted
            # elsewhere are being fetched, it may also be an item of a called workflow.
            return None
        item = self._item(item_id)
        self._sort_items()
        return item

    def _sort_items(self) -> None:
        self.items = dict(sorted(self.items.items()))
        self._item_ids = tuple(self.items)

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

    def _with_cause(self, view: QueueItem) -> QueueItem:
        """Replace the error of a calling item by the error of the called workflow that caused it."""
        cause = self.called.failure_below(view.item_id) if view.status == "failed" else None
        if cause is None:
            return view
        return replace(
            view, error_call_path=cause.call_path, **{name: getattr(cause, name) for name in ERROR_ATTRIBUTES}
        )

    def _publish(self) -> None:
        """Replace what snapshots show; every method that changes what callers see ends with this."""
        items, finished, shared = self.items, self.is_finished, self._shared
        first = next(iter(items.values()), None)
        alone, was_alone = None, self._alone
        if first is None:
            base = QueueItem(item_id=0, batch_id=self.batch_id, queue_id=self.queue_id, boards=self.boards)
            status, started_at, completed_at = base.status, None, None
        elif len(items) == 1 and self._expected <= 1 and self.is_enqueued:
            alone = first
            base = self._with_cause(first.view)
            status, started_at, completed_at = base.status, base.started_at, base.completed_at
        else:
            base, started_at = first.view, shared.started_at
            if finished:
                status = next(status for status in _WORST_FIRST if shared.counts[status])
                completed_at = shared.completed_at
                worst = next(item for item in items.values() if item.view.status == status)
                base = replace(self._with_cause(worst.view), item_id=base.item_id, session_id=base.session_id)
            else:
                status = "pending" if shared.counts["pending"] == len(items) else "in_progress"
                completed_at = None
        if alone is None and was_alone is not None:
            shared.percentages = sum(item.progress[0] for item in items.values())
            shared.latest = was_alone
        self._progress = self._shown() if alone is not None else self._progress_of_all(is_finished=finished)
        self._alone = alone
        self._facts = RunFacts(
            base=base,
            status=status,
            started_at=started_at,
            completed_at=completed_at,
            item_ids=self._item_ids,
            is_finished=finished,
            outputs=OutputsSoFar(shared.outputs),
            sessions=shared.sessions,
            session_count=len(shared.sessions),
            called=self.called.states,
            called_count=len(self.called.states),
        )

    def _shown(self) -> ItemProgress:
        """Return the progress as it is now. That of the only item is not copied with each of its reports."""
        alone, progress = self._alone, self._progress
        return progress if alone is None else (max(alone.progress[0], progress[0]), *alone.progress[1:])

    def _progress_of_all(self, *, is_finished: bool) -> ItemProgress:
        """Return the progress of several items, or of some of which more are to come."""
        latest = self._shared.latest
        mean = self._shared.percentages / max(len(self.items), self._expected, 1)
        # Items that are added, or run again, must not move the percentage back.
        percentage = max(mean if is_finished else min(mean, MOST_BEFORE_THE_END), self._shown()[0])
        return (percentage, *latest.progress[1:]) if latest is not None else (percentage, 0, 0)
