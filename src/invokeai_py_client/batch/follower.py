"""Follows the chunks that were sent to one server, and has the end of each row recorded."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from invokeai_py_client.batch.control import FATAL, BatchControl, one_line
from invokeai_py_client.batch.journal import SentChunk
from invokeai_py_client.batch.recorder import Recorder
from invokeai_py_client.batch.recovery import FoundChunk, cancel_batches, find
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.errors import EnqueueInDoubtError, InvokeAIError, RunError
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.tracked_run import TrackedRun, Watcher
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.events import Event, QueueItemStatusChanged, SessionComplete

logger = logging.getLogger("invokeai_py_client.batch")


@dataclass(slots=True)
class LiveChunk:
    """Rows that are sent together, and have not all ended.

    Args:
        sent: what is sent.
        rows: the rows whose items have not ended, by their place in the batch.
        places: their places by the ids of the items; None if they follow from the order of the items.
    """

    sent: SentChunk
    rows: dict[int, PlannedRow]
    places: Mapping[int, int] | None = None
    run: TrackedRun | None = None
    watcher: Watcher | None = None
    is_arriving: bool = True
    """Whether the response has not come yet."""
    settled: list[int] = field(default_factory=list)
    """The items that have ended, and whose rows are not known yet."""
    _named: int = 0
    _place_of: Mapping[int, int] = field(default_factory=dict)

    def place_of(self, run: TrackedRun, item_id: int) -> int | None:
        """Return the place of the row that an item runs; None if that is not known, or it runs none."""
        if self.places is not None:
            return self.places.get(item_id)
        state = run.state
        if state.named != self._named:
            self._named = state.named
            self._place_of = dict(zip(itertools.islice(state.items, state.named), itertools.count()))
        return self._place_of.get(item_id)

    @property
    def unfinished_part(self) -> float:
        """How much has been done of its rows that have not ended, in rows. Any thread may read it."""
        run = self.run
        if run is None:
            return 0.0
        snapshot = run.state.snapshot
        count = len(snapshot.facts.item_ids)
        return max(0.0, count * snapshot.progress_percentage / 100 - (count - len(self.rows)))


class ChunkFollower:
    """Follows chunks on one server. Its methods run on the engine.

    Args:
        http: sends the requests.
        tracker: follows the runs.
        recorder: records what becomes of the rows.
        control: tells whether canceled rows are to be run again.
    """

    def __init__(self, http: HttpTransport, tracker: RunTracker, recorder: Recorder, control: BatchControl) -> None:
        self._http = http
        self._tracker = tracker
        self._recorder = recorder
        self._control = control
        self._live: dict[str, LiveChunk] = {}
        control.at_end(self._let_go)

    @property
    def unfinished_part(self) -> float:
        """How much has been done of the rows that have not ended, in rows. Any thread may read it."""
        return sum(chunk.unfinished_part for chunk in self._live.copy().values())

    # Chunks that come and go

    def expect(self, sent: SentChunk, rows: Mapping[int, PlannedRow]) -> LiveChunk:
        """Return a chunk of rows, by their places, that is or will be in the queue."""
        chunk = LiveChunk(sent, dict(rows))
        for row in chunk.rows.values():
            self._recorder.sent(row)
        self._live[sent.batch_id] = chunk
        return chunk

    def watch(self, chunk: LiveChunk, run: TrackedRun) -> None:
        """Take in what happens to a chunk from now on."""
        chunk.run = run
        run.keeps_history = False
        chunk.watcher = partial(self._told, chunk, run)
        run.watchers.append(chunk.watcher)

    def arrived(self, chunk: LiveChunk, run: TrackedRun) -> None:
        """Take in the response to a chunk that was sent: its run knows items of it."""
        chunk.is_arriving = False
        for item_id, item in run.state.items.items():
            if item.view.status == "in_progress":
                self._begun(chunk, run, item_id)
        self._took(chunk, run, [])

    def find_in(self, chunk: LiveChunk, found: FoundChunk) -> None:
        """Take in what the server has of a chunk. The rows that it lacks, or has canceled, are to be sent again."""
        chunk.is_arriving = False
        chunk.places = found.places
        self.watch(chunk, found.run)
        state = found.run.state
        item_of = {place: item_id for item_id, place in found.places.items()}
        for place in [*chunk.rows]:
            item_id = item_of.get(place)
            if item_id is None:
                self._unsend(chunk, place, was_tried=False)
            elif state.is_settled(item_id):
                if state.item(item_id).status == "canceled" and not self._control.is_canceled:
                    # By a server that was restarted, or by somebody else: the row has not been done.
                    self._unsend(chunk, place)
                else:
                    chunk.settled.append(item_id)
            elif state.items[item_id].view.status == "in_progress":
                self._recorder.begun(chunk.rows[place])
        self._took(chunk, found.run, [])

    def adopt(self, found: FoundChunk, rows: Mapping[int, PlannedRow]) -> None:
        """Follow rows that the server may have, by their places in a chunk that was sent earlier."""
        self.find_in(self.expect(found.chunk, dict(sorted(rows.items()))), found)

    def drop(self, chunk: LiveChunk) -> None:
        """Forget a chunk that is not in the queue. Its rows are to be sent again."""
        for place in [*chunk.rows]:
            self._unsend(chunk, place, was_tried=False)

    async def cancel(self) -> None:
        """Cancel what has not ended of the chunks that have arrived.

        Raises:
            InvokeAIError: as any request.
        """
        runs = [chunk.run for chunk in self._live.values() if chunk.run is not None and not chunk.is_arriving]
        if runs:
            await self._cancel(runs)

    async def _cancel(self, runs: Sequence[TrackedRun]) -> None:
        with self._tracker.canceling(runs):
            await cancel_batches(self._http, ((run.state.queue_id, run.state.batch_id) for run in runs))

    def _let_go(self) -> None:
        for chunk in self._live.values():
            if chunk.run is not None and chunk.watcher is not None:
                chunk.run.unwatch(chunk.watcher)
            chunk.run = None

    def _unsend(self, chunk: LiveChunk, place: int, *, was_tried: bool = True) -> None:
        self._recorder.unsent(self._taken_out(chunk, place), was_tried=was_tried)

    def _taken_out(self, chunk: LiveChunk, place: int) -> PlannedRow:
        row = chunk.rows.pop(place)
        if not chunk.rows:
            self._live.pop(chunk.sent.batch_id, None)
        return row

    # What happens to a chunk

    def _told(self, chunk: LiveChunk, run: TrackedRun, events: Iterable[Event]) -> None:
        with self._control.guarding():
            self._took(chunk, run, events)

    def _took(self, chunk: LiveChunk, run: TrackedRun, events: Iterable[Event]) -> None:
        if chunk.run is not run or self._control.is_over:
            return
        for event in events:
            if isinstance(event, SessionComplete):
                chunk.settled.append(event.item_id)
            elif isinstance(event, QueueItemStatusChanged) and event.status == "in_progress":
                self._begun(chunk, run, event.item_id)
        if run.state.named:
            self._settle(chunk, run)
        if chunk.is_arriving:
            return
        if run.is_over and chunk.watcher is not None:
            # So that the run, with all that it knows, is gone as soon as nothing needs it.
            run.unwatch(chunk.watcher)
            chunk.watcher = None
        if run.failure is not None:
            self._following_failed(chunk, run.failure)
        elif run.state.is_finished:
            for place in [*chunk.rows]:
                # It did not fit into the queue, and was canceled before it could be sent.
                self._unsend(chunk, place, was_tried=False)
        self._control.notify()

    def _settle(self, chunk: LiveChunk, run: TrackedRun) -> None:
        """Take in the ends of items."""
        settled, chunk.settled = chunk.settled, []
        for item_id in settled:
            place = chunk.place_of(run, item_id)
            if place is not None:
                if place in chunk.rows:
                    self._item_ended(chunk, place, run.state.item(item_id))
            elif item_id in run.state.items and not run.state.is_enqueued:
                # The response that names it has not come yet.
                chunk.settled.append(item_id)

    def _begun(self, chunk: LiveChunk, run: TrackedRun, item_id: int) -> None:
        place = chunk.place_of(run, item_id)
        if place in chunk.rows:
            self._recorder.begun(chunk.rows[place])

    def _item_ended(self, chunk: LiveChunk, place: int, item: QueueItem) -> None:
        if item.status == "canceled" and item.canceled_by == "server" and not self._control.is_canceled:
            logger.info("row %d, which a restarted server canceled, is run again", chunk.rows[place].index)
            self._unsend(chunk, place)
        else:
            self._recorder.ended(self._taken_out(chunk, place), item, self._http)

    def _following_failed(self, chunk: LiveChunk, failure: InvokeAIError) -> None:
        chunk.run = None
        if isinstance(failure, FATAL):
            raise failure
        if failure.is_transient or isinstance(failure, EnqueueInDoubtError | RunError):
            self._control.spawn(partial(self._find_again, chunk), name=f"batch {chunk.sent.batch_id}")
            return
        for place in [*chunk.rows]:
            row = self._taken_out(chunk, place)
            self._recorder.failed(row, one_line(failure), self._http, batch_id=chunk.sent.batch_id)

    async def _find_again(self, chunk: LiveChunk) -> None:
        """Follow a chunk again, of which the rest could not be sent."""
        look = partial(find, self._http, self._tracker, [chunk.sent], may_be_on_the_way=True)
        found = await self._control.patiently(look, even_if_canceled=True)
        if not found:
            self.drop(chunk)
        else:
            self.find_in(chunk, found[0])
            await self.cancel_if_asked(found[0].run)
        self._control.notify()

    async def cancel_if_asked(self, run: TrackedRun) -> None:
        """Cancel a run if the batch was canceled while nothing was known of it.

        Raises:
            InvokeAIError: the server refuses to.
        """
        if self._control.is_canceled and not run.is_over:
            await self._control.patiently(partial(self._cancel, [run]), even_if_canceled=True)
