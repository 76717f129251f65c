"""Runs the rows of a plan: sends them in chunks as the queue drains, follows them, and records what became of each."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeVar, get_args
from uuid import uuid4

from invokeai_py_client.batch.batch_report import BatchReport
from invokeai_py_client.batch.downloads import download, images_of, suffixes_of
from invokeai_py_client.batch.file_names import DEFAULT_TEMPLATE, FileNames
from invokeai_py_client.batch.folder import BatchFolder
from invokeai_py_client.batch.journal import SentChunk, SentRow, Start, checksums
from invokeai_py_client.batch.manifest import BatchRow, RowFile, is_intact
from invokeai_py_client.batch.recovery import FoundChunk, find, places_in, unfinished
from invokeai_py_client.batch.row_table import QUEUED, UNSENT, RowTable
from invokeai_py_client.batch.rows import GroupBodies, PlannedRow, RowGroup
from invokeai_py_client.errors import (
    AuthenticationError,
    BatchFolderError,
    ClientClosedError,
    EnqueueInDoubtError,
    ForbiddenError,
    InvokeAIError,
    NotEnqueuedError,
    NotFoundError,
    NotInvokeAIError,
    ProcessorStoppedError,
    RedirectedError,
    RunError,
    SettingsError,
)
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.tracked_run import TrackedRun, Watcher
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Mailbox
from invokeai_py_client.runtime.timeouts import set_within
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.events import Event, QueueItemStatusChanged, SessionComplete
from invokeai_py_client.workflow.outputs import NodePath

T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client.batch")

WhichImages = Literal["outputs", "all", "none"]
"""Which images of a row are downloaded: those of output nodes, those of intermediate nodes as well, or none."""

WINDOW = 1000
"""How many items of a batch are in the queue at most, unless the caller says otherwise."""

_REFILL_AT = 3
"""The queue is filled up when a third of the window is left: it does not run dry, and the chunks are large."""

_CHUNK_BYTES = 4 << 20
"""Roughly the largest size of the values of one chunk."""

_DOWNLOADS = 8
"""How many rows are downloaded at once."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between the attempts at what a server that is away must do; the last is repeated."""

_CANCELED_PART = 1000
"""How many rows are recorded at once as canceled before they were sent."""

_CANCELED = {
    "client": "canceled by this client",
    "server": "canceled by the server, which was restarted",
    "unknown": "canceled by another client, or by a restart of the server",
}
"""The error of a canceled row, by who canceled it."""

_FATAL = (
    AuthenticationError,
    ForbiddenError,
    BatchFolderError,
    ClientClosedError,
    NotInvokeAIError,
    ProcessorStoppedError,
    RedirectedError,
)
"""Errors that would meet all other rows as well."""

_OF_ONE_FILE = (FileExistsError, IsADirectoryError)
"""Errors of writing that other files do not have."""


class PlanRows(Protocol):
    """The part of a plan that the runner needs."""

    @property
    def workflow(self) -> str:
        """The hash of what runs, apart from the values of the columns."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[PlannedRow]: ...

    def groups(self) -> Iterable[RowGroup]:
        """Return the rows that run, by graph, in running order."""
        ...


class Bodies(Protocol):
    """Makes the submissions of a plan."""

    async def check(self) -> None:
        """Check the graphs of the plan."""
        ...

    async def prepare(self, group: RowGroup) -> GroupBodies:
        """Check and build the graph of a group."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How a plan is run. See `AsyncPlan.submit`."""

    queue_id: str = "default"
    priority: Priority = Priority.NORMAL
    window: int = WINDOW
    images: WhichImages = "outputs"
    file_name: str = DEFAULT_TEMPLATE
    stop_after_failures: int | None = None
    report: bool = False

    def checked(self) -> BatchOptions:
        """Return the options with their values as they are used.

        Raises:
            SettingsError: one cannot be used.
        """
        for name, least in (("window", self.window), ("stop_after_failures", self.stop_after_failures)):
            if least is not None and (type(least) is not int or least < 1):
                raise _unusable(name, least, "an integer of at least 1")
        if self.images not in get_args(WhichImages):
            raise _unusable("images", self.images, "'outputs', 'all' or 'none'")
        return replace(self, priority=Priority.of(self.priority))

    def saved(self) -> dict[str, Any]:
        """Return the options as plain JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(slots=True)
class _SentRow:
    row: PlannedRow
    claimed: str
    """The name that its files will have."""
    is_being_saved: bool = False


@dataclass(slots=True)
class _LiveChunk:
    """Rows that were sent together, and have not all ended.

    Args:
        sent: what was sent.
        rows: the rows that have not ended, by their place in the batch.
        places: their places by the ids of the items; None if they follow from the order of the items.
    """

    sent: SentChunk
    rows: dict[int, _SentRow]
    places: Mapping[int, int] | None = None
    run: TrackedRun | None = None
    watcher: Watcher | None = None
    is_being_sent: bool = False
    settled: list[int] = field(default_factory=list)
    """The items that have ended, and whose rows are not known yet."""
    _named: int = 0
    _place_of: Mapping[int, int] = field(default_factory=dict)

    def place_of(self, item_id: int) -> int | None:
        """Return the place of the row that an item runs; None if that is not known, or it runs none."""
        if self.places is not None:
            return self.places.get(item_id)
        assert self.run is not None
        state = self.run.state
        if state.named != self._named:
            self._named = state.named
            self._place_of = dict(zip(itertools.islice(state.items, state.named), itertools.count()))
        return self._place_of.get(item_id)

    @property
    def unfinished_part(self) -> float:
        """How much has been done of its rows that have not ended, in rows."""
        if self.run is None:
            return 0.0
        snapshot = self.run.state.snapshot
        count = len(snapshot.item_ids)
        return max(0.0, count * snapshot.progress_percentage / 100 - (count - len(self.rows)))


class Runner:
    """Runs the rows of one plan. Its methods run on the engine; what it shows may be read in any thread.

    Args:
        plan: the rows.
        bodies: makes the submissions.
        engine: runs the background tasks.
        http: sends the requests.
        tracker: submits and follows.
        folder: keeps what became of the rows, and the files.
        options: how the plan is run.
        report: shows what became of the rows; None for no report.
    """

    def __init__(
        self,
        plan: PlanRows,
        bodies: Bodies,
        engine: Engine,
        http: HttpTransport,
        tracker: RunTracker,
        folder: BatchFolder,
        options: BatchOptions,
        report: BatchReport | None = None,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.options = options
        self.table = RowTable(len(plan))
        self.batch_id = str(uuid4())
        """The beginning of the ids of the batches that this runner sends."""
        self.failure: Exception | None = None
        """Why it has stopped before all rows had ended."""
        self.is_over = False
        self._report = report
        self._bodies = bodies
        self._engine = engine
        self._http = http
        self._tracker = tracker
        self._names = FileNames(options.file_name, plan.columns)
        self._numbers = itertools.count()
        self._live: dict[str, _LiveChunk] = {}
        self._in_flight = 0
        self._failed = 0
        self._is_paused = False
        self._is_canceled = False
        self._has_no_plan = False
        self._stopped_by: RunError | None = None
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._saving = asyncio.Semaphore(_DOWNLOADS)
        self._main: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: asyncio.Task[TrackedRun] | None = None
        self._mailboxes: dict[Mailbox[None], None] = {}
        self._is_telling = False

    # What callers do

    async def start(self, *, redoes: bool) -> None:
        """Find out what has been done, follow what the server has, and begin to send the rest.

        Args:
            redoes: run rows again that have failed, were canceled, or whose files are gone or altered.

        Raises:
            BatchFolderError: the folder cannot be read or written.
            InputsNotReadyError: the workflow could not run.
            InvokeAIError: as any request.
        """
        with self.folder.writing():
            sent = await asyncio.to_thread(self._load, redoes)
            if self._report is not None:
                await asyncio.to_thread(self._report.begin, self._ended())
        if self.folder.overwritten:
            await self._http.send(queue.cancel_batches(self.options.queue_id, self.folder.overwritten))
        rows_of = {chunk.batch_id: rows for chunk, rows in sent}
        chunks = [chunk for chunk, _ in sent]
        options = self.options
        if chunks:
            found = await find(self._http, self._tracker, options.queue_id, chunks, may_be_on_the_way=True)
            for one in found:
                self._adopt(one, rows_of[one.chunk.batch_id])
        if self.table.unsent and not self._is_canceled:
            await self._bodies.check()
        self._launch()

    def pause(self) -> None:
        """Send nothing more, until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        """Send again what is left."""
        self._is_paused = False
        self._notify()

    async def stop_sending(self) -> None:
        """Pause, and wait until what is being sent has been sent."""
        self.pause()
        await self._until(lambda: self._sending is None)

    async def cancel(self) -> None:
        """Send nothing more, and cancel what has not ended.

        Raises:
            InvokeAIError: as any request.
        """
        if not self.is_over:
            with self.folder.writing():
                await asyncio.to_thread(self.folder.journal.canceled)
            await self._stop()

    def follow(self, found: Iterable[tuple[FoundChunk, Mapping[int, PlannedRow]]]) -> None:
        """Follow what is in the queue to its end, without a plan to send."""
        self._is_canceled = self._has_no_plan = True
        for chunk, rows in found:
            self._adopt(chunk, rows)
        self._launch()

    def retry_failed(self) -> int:
        """Run the failed rows again; return how many there are.

        Raises:
            BatchFolderError: the folder cannot be used any more.
            SettingsError: the plan is not known.
        """
        if self._has_no_plan:
            raise SettingsError(
                "Rows of a batch that was found by its id cannot be run again: their plan is not known.",
                setting="batch_id",
                hint="Submit the plan, or find the batch by its folder.",
            )
        failed = self.table.having("failed")
        if not failed:
            return 0
        if self.is_over:
            self.folder.lock()
        if self._is_canceled:
            with self.folder.writing():
                self.folder.journal.started(Start(self.plan.workflow, self.options.saved()))
            self._is_canceled, self._stopped_by = False, None
        for index in failed:
            self.table.set_state(index, UNSENT)
        if self.is_over:
            self._launch()
        self._notify()
        return len(failed)

    def watch(self, mailbox: Mailbox[None]) -> None:
        """Put something into a mailbox at each change."""
        self._mailboxes[mailbox] = None

    def unwatch(self, mailbox: Mailbox[None]) -> None:
        """Undo `watch`."""
        self._mailboxes.pop(mailbox, None)

    # What any thread may read

    def outcome(self, index: int) -> BatchRow | None:
        """Return what became of a row; None if it has not ended."""
        offset = self.table.outcome(index)
        return None if offset is None else self.folder.manifest.read(offset, index)

    def rows(self) -> Iterator[BatchRow]:
        """Yield all rows as they are now, in the order of the plan."""
        for row in self.plan:
            yield self.outcome(row.index) or BatchRow(
                index=row.index,
                row_id=row.row_id,
                values=row.values,
                seed=row.seed,
                status=self.table.status(row.index),
                attempts=self.table.attempts(row.index),
            )

    def _ended(self) -> Iterator[BatchRow]:
        for place in range(len(self.table.ended)):
            index = self.table.ended_at(place)
            row = None if index is None else self.outcome(index)
            if row is not None:
                yield row

    @property
    def progress(self) -> float:
        """The estimated part of the work that is done, 0..100."""
        if not len(self.table):
            return 100.0
        begun = sum(chunk.unfinished_part for chunk in self._live.copy().values())
        return min(100.0, 100.0 * (self.table.ended_count + begun) / len(self.table))

    # Finding out what has been done

    def _load(self, redoes: bool) -> list[tuple[SentChunk, dict[int, PlannedRow]]]:
        """Read the journal and the manifest, in a thread.

        Returns:
            The chunks whose outcomes are not all known, with the rows of the plan that these concern, by their place.
        """
        manifest, journal = self.folder.manifest, self.folder.journal
        is_canceled = journal.is_canceled and not redoes
        latest = manifest.latest()
        parts = [*unfinished(journal.chunks(), manifest.chunks_of())]
        wanted = {row_id for _, places in parts for row_id in places.values()}
        rows: dict[str, PlannedRow] = {}
        taken: list[str] = []
        for row in self.plan:
            offset = latest.pop(row.row_id, None)
            outcome = None if offset is None else manifest.read(offset, row.index)
            if row.problems:
                self._load_invalid(row, offset if outcome is not None and outcome.status == "invalid" else None)
                continue
            if outcome is not None:
                self.table.add_attempts(row.index, outcome.attempts)
            if row.row_id in wanted:
                rows[row.row_id] = row
            elif outcome is not None and offset is not None and _stays(outcome, redoes):
                self.table.end(row.index, outcome.status, offset)
                taken += [file.path.name for file in outcome.files]
        # Rows of earlier plans keep their files.
        taken += [file.path.name for offset in latest.values() for file in manifest.read(offset).files]
        self._names = FileNames(self.options.file_name, self.plan.columns, taken)
        self._is_canceled = is_canceled
        if not is_canceled:
            journal.started(Start(self.plan.workflow, self.options.saved()))
        return [
            (chunk, {place: rows[row_id] for place, row_id in places.items() if row_id in rows})
            for chunk, places in parts
            if any(row_id in rows for row_id in places.values())
        ]

    def _load_invalid(self, row: PlannedRow, offset: int | None) -> None:
        if offset is None:
            why = "; ".join(map(str, row.problems))
            outcome = BatchRow(
                index=row.index, row_id=row.row_id, values=row.values, seed=row.seed, status="invalid", error=why
            )
            offset = self.folder.manifest.add(outcome)
        self.table.end(row.index, "invalid", offset)

    # Sending

    def _launch(self) -> None:
        self.is_over, self.failure, self._failed = False, None, 0
        self._stopping.clear()
        self._main = self._engine.spawn(self._run(), name=f"batch {self.batch_id}")

    async def _run(self) -> None:
        try:
            while True:
                before = self.table.unsent
                if not self._is_canceled:
                    await self._send_unsent()
                    if before and self.table.unsent == before and not self._is_canceled:
                        raise AssertionError(f"{before} rows are in no group of the plan")
                await self._until(lambda: not self._in_flight or (self.table.unsent > 0 and not self._is_canceled))
                if not self._in_flight and (self._is_canceled or not self.table.unsent):
                    break
            if self._is_canceled and self._stopped_by is None:
                await self._end_unsent()
            if self._report is not None:
                with self.folder.writing():
                    await asyncio.to_thread(self._report.finish, self.rows())
            self._end_run(self._stopped_by)
        except asyncio.CancelledError:
            if not self.is_over:
                self._end_run(ClientClosedError("The client was closed while a batch was running."))
            raise
        except InvokeAIError as error:
            self._end_run(error)
        except Exception as error:
            logger.exception("batch %s has stopped", self.batch_id)
            self._end_run(error)

    async def _send_unsent(self) -> None:
        groups = iter(await asyncio.to_thread(self.plan.groups))
        while (group := await asyncio.to_thread(next, groups, None)) is not None:
            rows = iter(group)
            prepared: GroupBodies | None = None
            while room := await self._room():
                part = await asyncio.to_thread(self._next_unsent, rows, room)
                if not part:
                    break
                try:
                    if prepared is None:
                        prepared = await self._patiently(partial(self._bodies.prepare, group))
                    await self._send(prepared, part)
                except _FATAL:
                    raise
                except InvokeAIError as error:
                    for row in part:
                        if self.table.state(row.index) == UNSENT:
                            self._record(row, "failed", error=_one_line(error))
            if self._is_canceled:
                return

    def _next_unsent(self, rows: Iterator[PlannedRow], room: int) -> list[PlannedRow]:
        """Take rows that are to be sent, as many as there is room for."""
        part: list[PlannedRow] = []
        size = 0
        while len(part) < room and size < _CHUNK_BYTES:
            row = next((row for row in rows if self.table.state(row.index) == UNSENT), None)
            if row is None:
                break
            part.append(row)
            size += sum(len(value) if isinstance(value, str) else 16 for value in row.values.values())
        return part

    async def _room(self) -> int:
        """Wait until items may be sent, and return how many; 0 if nothing more is to be sent."""
        window = self.options.window
        await self._until(
            lambda: self._is_canceled or (not self._is_paused and self._in_flight <= window // _REFILL_AT)
        )
        return 0 if self._is_canceled else window - self._in_flight

    async def _send(self, bodies: GroupBodies, rows: Sequence[PlannedRow]) -> None:
        """Send rows.

        Raises:
            InvokeAIError: they cannot be sent. Those that are still unsent are not in the queue.
        """
        made = await self._patiently(partial(bodies.body, rows))
        for row, why in made.refused:
            self._record(row, "failed", error=why)
        if not made.rows:
            return
        body = made.body
        batch_id = f"{self.batch_id}-{next(self._numbers):05d}"
        with self.folder.writing():
            sent = await asyncio.to_thread(self._write_down, batch_id, made.rows, body)
        if self._is_canceled:
            return
        chunk = _LiveChunk(sent, {place: self._sent(row) for place, row in enumerate(made.rows)})
        chunk.is_being_sent = True
        self._live[batch_id] = chunk
        self._sending = asyncio.create_task(self._enqueue(chunk, body))
        try:
            run = await self._sending
        except asyncio.CancelledError:
            # If it was not this task, but the sending that was cancelled, the batch is being withdrawn.
            self._drop(chunk)
            if not self._is_canceled:
                raise
            return
        except InvokeAIError:
            self._drop(chunk)
            raise
        finally:
            self._sending = None
            self._notify()
        chunk.is_being_sent = False
        for item_id, item in run.state.items.items():
            if item.view.status == "in_progress":
                self._begun(chunk, item_id)
        self._took(chunk, run, [])
        if self._is_canceled:
            # It was canceled when the chunk had just been sent.
            await self._cancel_sent([run])

    def _write_down(self, batch_id: str, rows: Sequence[PlannedRow], body: Mapping[str, Any]) -> SentChunk:
        sums = checksums(body["batch"].get("data") or [], len(rows))
        sent = SentChunk(batch_id, [SentRow(row.row_id, each) for row, each in zip(rows, sums, strict=True)])
        self.folder.journal.sending(sent)
        return sent

    async def _enqueue(self, chunk: _LiveChunk, body: dict[str, Any]) -> TrackedRun:
        """Enqueue a chunk. A server that is away, or whose queue is full, is waited for.

        Raises:
            InvokeAIError: the chunk is not in the queue, and would be refused again.
        """
        submissions, queue_id = self._tracker.submissions, self.options.queue_id

        async def submit() -> TrackedRun:
            return await submissions.submit(
                queue_id,
                body,
                batch_id=chunk.sent.batch_id,
                priority=self.options.priority,
                on_followed=lambda run: self._watch(chunk, run),
            )

        try:
            # Nobody else can have sent it: its id is new.
            return await submit()
        except InvokeAIError as error:
            failure = error
        for pause in _endless(_PAUSES):
            if not (failure.is_transient or isinstance(failure, EnqueueInDoubtError)):
                raise failure
            if not isinstance(failure, NotEnqueuedError):
                logger.warning("batch %s could not be sent, trying again: %s", chunk.sent.batch_id, failure)
            await asyncio.sleep(pause)
            try:
                # A batch in doubt may be stored later than the server answers again.
                in_doubt = isinstance(failure, EnqueueInDoubtError)
                found = await find(self._http, self._tracker, queue_id, [chunk.sent], may_be_on_the_way=in_doubt)
                if not found:
                    return await submit()
                self._follow(chunk, found[0])
                return found[0].run
            except InvokeAIError as error:
                failure = error
        raise AssertionError("the loop above returns or raises")

    async def _patiently(self, attempt: Callable[[], Awaitable[T]], *, until_canceled: bool = True) -> T:
        """Repeat what fails because the server is away, until it succeeds, or the batch is canceled.

        Raises:
            InvokeAIError: another failure.
        """
        for pause in _endless(_PAUSES):
            try:
                return await attempt()
            except InvokeAIError as error:
                if not error.is_transient or (until_canceled and self._is_canceled):
                    raise
                logger.info("batch %s waits for the server: %s", self.batch_id, error)
            if until_canceled:
                await set_within(self._stopping, pause)
            else:
                await asyncio.sleep(pause)
        raise AssertionError("the loop above returns or raises")

    async def _stop(self) -> None:
        """Send nothing more, and cancel what has not ended."""
        self._is_canceled = True
        self._stopping.set()
        self._notify()
        if self._sending is not None:
            self._sending.cancel()
        runs = [chunk.run for chunk in self._live.values() if chunk.run is not None and not chunk.is_being_sent]
        if runs:
            await self._cancel_sent(runs)

    async def _cancel_sent(self, runs: Sequence[TrackedRun]) -> None:
        with self._tracker.canceling(runs):
            batch_ids = [run.state.batch_id for run in runs]
            await self._http.send(queue.cancel_batches(self.options.queue_id, batch_ids))

    # Following

    def _sent(self, row: PlannedRow) -> _SentRow:
        """Count a row as being in the queue."""
        self.table.set_state(row.index, QUEUED)
        self.table.add_attempts(row.index, 1)
        self._in_flight += 1
        if self.folder.path is None:
            return _SentRow(row, "")
        facts = {"index": row.index, "row_id": row.row_id, "seed": row.seed, "repetition": row.repetition}
        return _SentRow(row, self._names.claim({**row.values, **facts}))

    def _unsend(self, chunk: _LiveChunk, place: int) -> None:
        """Have a row sent again."""
        row = self._taken_out(chunk, place).row
        self.table.set_state(row.index, UNSENT)

    def _drop(self, chunk: _LiveChunk) -> None:
        """Forget a chunk that is not in the queue."""
        for place in [*chunk.rows]:
            self.table.add_attempts(chunk.rows[place].row.index, -1)
            self._unsend(chunk, place)

    def _taken_out(self, chunk: _LiveChunk, place: int, *, keeps_name: bool = False) -> _SentRow:
        sent = chunk.rows.pop(place)
        self._in_flight -= 1
        if sent.claimed and not keeps_name:
            self._names.release(sent.claimed)
        if not chunk.rows:
            self._live.pop(chunk.sent.batch_id, None)
        return sent

    def _adopt(self, found: FoundChunk, rows: Mapping[int, PlannedRow]) -> None:
        """Go on with rows that the server may have."""
        chunk = _LiveChunk(found.chunk, {place: self._sent(row) for place, row in sorted(rows.items())})
        self._live[chunk.sent.batch_id] = chunk
        self._follow(chunk, found)
        self._took(chunk, found.run, [])

    def _follow(self, chunk: _LiveChunk, found: FoundChunk) -> None:
        """Follow the items that the server has of a chunk. The rows that it lacks, or has canceled, are sent again."""
        chunk.places = found.places
        self._watch(chunk, found.run)
        state = found.run.state
        item_of = {place: item_id for item_id, place in found.places.items()}
        for place, sent in [*chunk.rows.items()]:
            item_id = item_of.get(place)
            if sent.is_being_saved:
                continue
            if item_id is None:
                self.table.add_attempts(sent.row.index, -1)
                self._unsend(chunk, place)
            elif state.is_settled(item_id):
                if state.item(item_id).status == "canceled" and not self._is_canceled:
                    # By a server that was restarted, or by somebody else: the row has not been done.
                    self._unsend(chunk, place)
                else:
                    chunk.settled.append(item_id)

    def _watch(self, chunk: _LiveChunk, run: TrackedRun) -> None:
        chunk.run = run
        run.keeps_history = False
        chunk.watcher = partial(self._took, chunk, run)
        run.watchers.append(chunk.watcher)

    def _took(self, chunk: _LiveChunk, run: TrackedRun, events: Iterable[Event]) -> None:
        """Take in what has happened to a chunk."""
        if chunk.run is not run or self.is_over:
            return
        for event in events:
            if isinstance(event, SessionComplete):
                chunk.settled.append(event.item_id)
            elif isinstance(event, QueueItemStatusChanged) and event.status == "in_progress":
                self._begun(chunk, event.item_id)
        if run.state.named:
            self._settle(chunk, run)
        if chunk.is_being_sent:
            return
        if run.is_over and chunk.watcher is not None:
            # So that the run, with all that it knows, is gone as soon as nothing needs it.
            run.unwatch(chunk.watcher)
            chunk.watcher = None
        if run.failure is not None:
            self._following_failed(chunk, run.failure)
        elif run.state.is_finished:
            for place in [place for place, sent in chunk.rows.items() if not sent.is_being_saved]:
                # It did not fit into the queue, and was canceled before it could be sent.
                self._unsend(chunk, place)
        self._notify()

    def _settle(self, chunk: _LiveChunk, run: TrackedRun) -> None:
        """Take in the ends of items."""
        settled, chunk.settled = chunk.settled, []
        for item_id in settled:
            place = chunk.place_of(item_id)
            if place is not None:
                if place in chunk.rows:
                    self._item_ended(chunk, place, run.state.item(item_id))
            elif item_id in run.state.items and not run.state.is_enqueued:
                # The response that names it has not come yet.
                chunk.settled.append(item_id)

    def _begun(self, chunk: _LiveChunk, item_id: int) -> None:
        place = chunk.place_of(item_id)
        if place in chunk.rows:
            self.table.set_state(chunk.rows[place].row.index, "in_progress")

    def _item_ended(self, chunk: _LiveChunk, place: int, item: QueueItem) -> None:
        if item.status == "canceled" and item.canceled_by == "server" and not self._is_canceled:
            logger.info("row %d, which a restarted server canceled, is run again", chunk.rows[place].row.index)
            self._unsend(chunk, place)
        elif item.status == "completed":
            made = images_of(item, with_intermediate=self.options.images == "all")
            if made and self.folder.path is not None and self.options.images != "none":
                chunk.rows[place].is_being_saved = True
                self._spawn(self._save(chunk, place, item, made), name=f"images of item {item.item_id}")
            else:
                self._end_sent(chunk, place, item, made=made)
        else:
            error = item.error or _CANCELED.get(item.canceled_by or "", f"the item has {item.status}")
            self._end_sent(chunk, place, item, error=error)

    def _following_failed(self, chunk: _LiveChunk, failure: InvokeAIError) -> None:
        chunk.run = None
        if isinstance(failure, _FATAL):
            self._abort(failure)
        elif failure.is_transient or isinstance(failure, EnqueueInDoubtError | RunError):
            self._spawn(self._find_again(chunk), name=f"batch {chunk.sent.batch_id}")
        else:
            for place, sent in [*chunk.rows.items()]:
                if not sent.is_being_saved:
                    self._taken_out(chunk, place)
                    self._record(sent.row, "failed", error=_one_line(failure), batch_id=chunk.sent.batch_id)

    async def _find_again(self, chunk: _LiveChunk) -> None:
        """Follow a chunk again, of which the rest could not be sent."""
        attacher, queue_id = self._tracker.attacher, self.options.queue_id

        async def attempt() -> FoundChunk | None:
            run = await attacher.attach_if_there(queue_id, chunk.sent.batch_id)
            return None if run is None else await places_in(self._http, chunk.sent, run)

        try:
            found = await self._patiently(attempt)
        except InvokeAIError as error:
            self._abort(error)
            return
        if found is None:
            self._drop(chunk)
        else:
            self._follow(chunk, found)
            self._took(chunk, found.run, [])
        self._notify()

    async def _save(self, chunk: _LiveChunk, place: int, item: QueueItem, made: Mapping[str, NodePath]) -> None:
        assert self.folder.path is not None
        names = self._names.files_of(chunk.rows[place].claimed, suffixes_of([*made]))
        paths = [self.folder.path / name for name in names]
        error: str
        try:
            async with self._saving:
                files = await self._patiently(partial(download, self._http, made, paths), until_canceled=False)
            self._end_sent(chunk, place, item, made=made, files=files)
            return
        except NotFoundError as missing:
            error = f"image not found: {missing.url.split('/')[-2]}"
        except _FATAL as fatal:
            self._abort(fatal)
            return
        except InvokeAIError as refused:
            error = _one_line(refused)
        except _OF_ONE_FILE as occupied:
            error = f"the image cannot be saved: {occupied}"
        except OSError as unwritable:
            self._abort(self.folder.unwritable(unwritable))
            return
        for path in paths:
            path.unlink(missing_ok=True)
        self._end_sent(chunk, place, item, error=error, made=made)

    # Recording

    def _end_sent(
        self,
        chunk: _LiveChunk,
        place: int,
        item: QueueItem,
        *,
        error: str | None = None,
        made: Mapping[str, NodePath] = MappingProxyType({}),
        files: tuple[RowFile, ...] = (),
    ) -> None:
        """Record what became of a row that was sent."""
        sent = self._taken_out(chunk, place, keeps_name=bool(files))
        status = "failed" if error is not None and item.status == "completed" else item.status
        self._record(
            sent.row,
            status,
            error=error,
            images=tuple(made),
            nodes=tuple(map(str, made.values())),
            files=files,
            started_at=item.started_at,
            completed_at=item.completed_at,
            batch_id=item.batch_id,
            item_id=item.item_id,
        )

    def _record(self, row: PlannedRow, status: str, **facts: Any) -> None:
        """Record what became of a row."""
        outcome = BatchRow(
            index=row.index,
            row_id=row.row_id,
            values=row.values,
            seed=row.seed,
            status=status,
            attempts=self.table.attempts(row.index),
            server=str(self._http.settings.url),
            **facts,
        )
        try:
            with self.folder.writing():
                offset = self.folder.manifest.add(outcome)
                if self._report is not None:
                    self._report.add(outcome)
        except BatchFolderError as error:
            self._abort(error)
            return
        self.table.end(row.index, status, offset)
        self._notify()
        if status == "failed":
            self._failed += 1
            if self._failed == self.options.stop_after_failures:
                self._stopped_by = RunError(
                    f"The batch was stopped after {self._failed} failed rows, the last with: {outcome.error}.",
                    batch_id=self.batch_id,
                    hint="batch.failures() has the reasons. Submit the plan to the same folder again to run the rest.",
                )
                self._spawn(self._stop_for_failures(), name=f"end of batch {self.batch_id}")

    async def _stop_for_failures(self) -> None:
        try:
            await self._stop()
        except InvokeAIError as error:
            # What has not ended runs on; it is followed to its end.
            logger.warning("batch %s: what has not ended could not be canceled: %s", self.batch_id, error)

    async def _end_unsent(self) -> None:
        rows = iter(self.plan)
        while part := await asyncio.to_thread(self._next_unsent, rows, _CANCELED_PART):
            for row in part:
                self._record(row, "canceled", error=_CANCELED["client"])

    def _abort(self, failure: InvokeAIError) -> None:
        """Stop because of an error that all rows would meet."""
        if not self.is_over:
            self._end_run(failure)
            if self._main is not None:
                self._main.cancel()

    def _end_run(self, failure: Exception | None) -> None:
        self.failure, self.is_over = failure, True
        for chunk in self._live.values():
            chunk.run = None
        if failure is not None:
            level = logging.DEBUG if isinstance(failure, ClientClosedError) else logging.WARNING
            logger.log(level, "batch %s has stopped: %s", self.batch_id, failure)
            for task in self._tasks:
                task.cancel()
        self.folder.release()
        self._changed.set()
        self._tell()

    # Helpers

    def _spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        task = self._engine.spawn(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    def _notify(self) -> None:
        """Tell what waits that something has changed; once for all that changes in one burst of events."""
        self._changed.set()
        if not self._is_telling:
            self._is_telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._is_telling = False
        for mailbox in self._mailboxes.copy():
            mailbox.put(None, key="changed")


def _stays(outcome: BatchRow, redoes: bool) -> bool:
    """Return whether a row need not be run again."""
    if not redoes:
        return True
    return outcome.status == "completed" and all(map(is_intact, outcome.files))


def _unusable(name: str, value: object, wanted: str) -> SettingsError:
    return SettingsError(f"`{name}` must be {wanted}, got {value!r}.", setting=name, hint="Nothing was submitted.")


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _endless(pauses: Sequence[float]) -> Iterator[float]:
    yield from pauses
    while True:
        yield pauses[-1]
