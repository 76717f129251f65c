"""Follows the chunks that were sent to one server, and passes the outcome of each row to the recorder."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from invokeai_py_client.batch.control import FATAL, BatchControl, one_line
from invokeai_py_client.batch.downloads import ServerImages
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
    """Rows that are sent together as one batch of the queue, and have not all ended.

    Args:
        sent: the chunk as it is recorded in the journal.
        rows: the rows whose items have not ended, by position in the chunk.
        places: the positions by item id; None if the order of the items determines them.
    """

    sent: SentChunk
    rows: dict[int, PlannedRow]
    places: Mapping[int, int] | None = None
    run: TrackedRun | None = None
    watcher: Watcher | None = None
    is_arriving: bool = True
    """Whether the response to the enqueue request is outstanding."""
    is_in_doubt: bool = False
    """Whether the chunk may be in the queue although a request to enqueue it has failed."""
    settled: list[int] = field(default_factory=list)
    """Items that have ended, but whose rows are not known yet."""
    _named: int = 0
    _place_of: Mapping[int, int] = field(default_factory=dict)

    def doubted(self, is_in_doubt: bool) -> None:
        """Set `is_in_doubt`."""
        self.is_in_doubt = is_in_doubt

    def place_of(self, run: TrackedRun, item_id: int) -> int | None:
        """Return the position of the row that an item runs; None if it is unknown, or the item does not run a row."""
        if self.places is not None:
            return self.places.get(item_id)
        state = run.state
        if state.named != self._named:
            self._named = state.named
            self._place_of = dict(zip(itertools.islice(state.items, state.named), itertools.count()))
        return self._place_of.get(item_id)

    @property
    def unfinished_part(self) -> float:
        """The completed part of the rows that have not ended, in rows. Any thread may read it."""
        run = self.run
        if run is None:
            return 0.0
        snapshot = run.state.snapshot
        count = len(snapshot.facts.item_ids)
        # Until the response arrives, the run does not know its items.
        ended = max(0, count - len(self.rows))
        return max(0.0, count * snapshot.progress_percentage / 100 - ended)


class ChunkFollower:
    """Follows chunks on one server. Its methods run on the engine.

    Args:
        http: sends the requests.
        tracker: follows the runs.
        recorder: records the outcomes of the rows.
        control: the shared state of the batch.
    """

    def __init__(self, http: HttpTransport, tracker: RunTracker, recorder: Recorder, control: BatchControl) -> None:
        self._http = http
        self._images = ServerImages(http)
        self._tracker = tracker
        self._recorder = recorder
        self._control = control
        self._live: dict[str, LiveChunk] = {}
        control.at_end(self._let_go)

    @property
    def unfinished_part(self) -> float:
        """The completed part of the rows that have not ended, in rows. Any thread may read it."""
        return sum(chunk.unfinished_part for chunk in self._live.copy().values())

    # Adding and removing chunks

    def expect(self, sent: SentChunk, rows: Mapping[int, PlannedRow]) -> LiveChunk:
        """Add a chunk that is, or soon will be, in the queue. `rows` are its rows by position."""
        chunk = LiveChunk(sent, dict(rows))
        for row in chunk.rows.values():
            self._recorder.sent(row)
        self._live[sent.batch_id] = chunk
        return chunk

    def watch(self, chunk: LiveChunk, run: TrackedRun) -> None:
        """Handle the events of a chunk from now on."""
        chunk.run = run
        run.keeps_history = False
        chunk.watcher = partial(self._told, chunk, run)
        run.watch(chunk.watcher)

    def arrived(self, chunk: LiveChunk, run: TrackedRun) -> None:
        """Handle the response to a chunk that was sent, after which its run knows the items."""
        chunk.is_arriving = False
        for item_id, item in run.state.items.items():
            if item.view.status == "in_progress":
                self._begun(chunk, run, item_id)
        self._took(chunk, run, [])

    def find_in(self, chunk: LiveChunk, found: FoundChunk) -> None:
        """Handle a chunk that was found on the server. Rows that are missing or canceled will be sent again."""
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
                    # Canceled by a restarted server or another client: the row has not run.
                    self._unsend(chunk, place)
                else:
                    chunk.settled.append(item_id)
            elif state.items[item_id].view.status == "in_progress":
                self._recorder.begun(chunk.rows[place])
        self._took(chunk, found.run, [])

    def adopt(self, found: FoundChunk, rows: Mapping[int, PlannedRow]) -> None:
        """Follow a chunk that was sent earlier. `rows` are the rows without an outcome, by position in the chunk."""
        self.find_in(self.expect(found.chunk, dict(sorted(rows.items()))), found)

    def drop(self, chunk: LiveChunk) -> None:
        """Remove a chunk that is not in the queue. Its rows are sent again."""
        for place in [*chunk.rows]:
            self._unsend(chunk, place, was_tried=False)

    async def cancel(self) -> None:
        """Cancel the rows that have not ended, of all chunks whose requests were answered.

        Raises:
            InvokeAIError: a request failed.
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

    # Events of a chunk

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
            # Lets the run, which holds all its items, be garbage collected.
            run.unwatch(chunk.watcher)
            chunk.watcher = None
        if run.failure is not None:
            self._following_failed(chunk, run.failure)
        elif run.state.is_finished:
            for place in [*chunk.rows]:
                # The row did not fit into the queue, and the run was canceled before the rest was enqueued.
                self._unsend(chunk, place, was_tried=False)
        self._control.notify()

    def _settle(self, chunk: LiveChunk, run: TrackedRun) -> None:
        """Handle the items that have ended."""
        settled, chunk.settled = chunk.settled, []
        for item_id in settled:
            place = chunk.place_of(run, item_id)
            if place is not None:
                if place in chunk.rows:
                    self._item_ended(chunk, place, run.state.item(item_id))
            elif item_id in run.state.items and not run.state.is_enqueued:
                # The response that lists the item has not arrived yet.
                chunk.settled.append(item_id)

    def _begun(self, chunk: LiveChunk, run: TrackedRun, item_id: int) -> None:
        place = chunk.place_of(run, item_id)
        if place in chunk.rows:
            self._recorder.begun(chunk.rows[place])

    def _item_ended(self, chunk: LiveChunk, place: int, item: QueueItem) -> None:
        if item.status == "canceled" and item.canceled_by == "server" and not self._control.is_canceled:
            logger.info("row %d was canceled by a restart of the server, running it again", chunk.rows[place].index)
            self._unsend(chunk, place)
        else:
            self._recorder.ended(self._taken_out(chunk, place), item, self._images)

    def _following_failed(self, chunk: LiveChunk, failure: InvokeAIError) -> None:
        if isinstance(failure, FATAL):
            raise failure
        if failure.is_transient or isinstance(failure, EnqueueInDoubtError | RunError):
            self.find_again(chunk)
            return
        chunk.run = None
        for place in [*chunk.rows]:
            row = self._taken_out(chunk, place)
            self._recorder.failed(row, one_line(failure), self._images.url, batch_id=chunk.sent.batch_id)

    def find_again(self, chunk: LiveChunk) -> None:
        """Look for a chunk that may be in the queue, and follow what is found. Missing rows will be sent again."""
        chunk.run = None
        self._control.spawn(partial(self._find_again, chunk), name=f"batch {chunk.sent.batch_id}")

    async def _find_again(self, chunk: LiveChunk) -> None:
        # A withdrawal that comes later would cancel the rows that are found.
        await self._tracker.submissions.withdrawn(chunk.sent.batch_id)
        look = partial(find, self._http, self._tracker, [chunk.sent], may_be_on_the_way=True)
        found = await self._control.patiently(look, even_if_canceled=True)
        if not found:
            self.drop(chunk)
        else:
            self.find_in(chunk, found[0])
            await self.cancel_if_asked(found[0].run)
        self._control.notify()

    async def cancel_if_asked(self, run: TrackedRun) -> None:
        """Cancel a run if the batch was canceled before the run was known.

        Raises:
            InvokeAIError: the request failed.
        """
        if self._control.is_canceled and not run.is_over:
            await self._control.patiently(partial(self._cancel, [run]), even_if_canceled=True)
