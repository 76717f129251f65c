"""Sends the rows of a plan to one server, in chunks, as its queue drains."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.checksums import checksums
from invokeai_py_client.batch.control import FATAL, BatchControl, one_line, pauses
from invokeai_py_client.batch.follower import ChunkFollower, LiveChunk
from invokeai_py_client.batch.journal import ChunkIds, SentChunk, SentRow, Start
from invokeai_py_client.batch.recorder import Recorder, WorkflowRows
from invokeai_py_client.batch.recovery import FoundChunk, find
from invokeai_py_client.batch.rows import GroupBodies, PlannedRow, RowGroup
from invokeai_py_client.errors import EnqueueInDoubtError, InvokeAIError, NotEnqueuedError
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.sender import Sender

_REFILL_AT = 3
"""The queue is refilled when 1/3 of the window is left, so it does not run empty, and chunks are large."""

_FIRST_CHUNK = 1000
_LARGEST_CHUNK = 10_000
"""The number of rows in the first chunk. It is small, so that the server stores it while the next one is prepared. The
others are as large as the window allows, because each request has a fixed cost for the server."""

logger = logging.getLogger("invokeai_py_client.batch")


class PlanRows(WorkflowRows, Protocol):
    """The part of a plan that the sender needs."""

    def groups(self) -> Iterable[RowGroup]:
        """Return the rows that can run, grouped by graph, in running order."""
        ...


class Bodies(Protocol):
    """Makes the request bodies of a plan."""

    async def check(self) -> None:
        """Check the graphs of the plan."""
        ...

    async def prepare(self, group: RowGroup) -> GroupBodies:
        """Return the object that makes the request bodies of a group."""
        ...


class _ReadyChunk(NamedTuple):
    """A chunk that is in the journal, and its request body."""

    chunk: LiveChunk
    body: dict[str, Any]


class ChunkSender:
    """Sends the unsent rows of a plan. Its methods run on the engine.

    Args:
        plan: the rows.
        bodies: makes the request bodies.
        http: sends the requests.
        tracker: submits the chunks.
        options: the options of the batch.
        recorder: knows which rows are unsent.
        follower: follows the chunks that were sent.
        control: the shared state of the batch.
    """

    def __init__(
        self,
        plan: PlanRows,
        bodies: Bodies,
        http: HttpTransport,
        tracker: RunTracker,
        options: BatchOptions,
        recorder: Recorder,
        follower: ChunkFollower,
        control: BatchControl,
    ) -> None:
        self._plan = plan
        self._bodies = bodies
        self._http = http
        self._tracker = tracker
        self._options = options
        self._recorder = recorder
        self._follower = follower
        self._control = control
        self._ids = ChunkIds(control.batch_id)
        self._request: asyncio.Task[TrackedRun | FoundChunk] | None = None

    @property
    def is_sending(self) -> bool:
        """Whether a chunk is being sent."""
        return self._request is not None

    def give_up(self) -> None:
        """Withdraw the chunk that is being sent. Its rows become unsent once it is known that the server has none."""
        if self._request is not None:
            self._request.cancel()

    def write_start(self) -> None:
        """Record in the journal that the batch starts, or is resumed.

        Raises:
            OSError: the journal cannot be written.
        """
        start = Start(self._plan.workflow, self._options.saved(), self._control.batch_id, [self._http.settings.url])
        self._recorder.folder.journal.started(start)

    async def send_unsent(self) -> None:
        """Iterate over the groups once, and send the unsent rows, until the batch is canceled.

        Raises:
            InvokeAIError: an error that all other rows would have as well.
        """
        chunks = self._chunks()
        following = asyncio.create_task(anext(chunks, None))
        try:
            while (ready := await following) is not None:
                # The next chunk is prepared while this one is being sent.
                following = asyncio.create_task(anext(chunks, None))
                await self._send(ready)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _chunks(self) -> AsyncGenerator[_ReadyChunk]:
        """Yield chunks of the unsent rows, as large as the window allows."""
        groups = iter(await asyncio.to_thread(self._plan.groups))
        limit, is_filling, taken = _FIRST_CHUNK, False, 0
        while not self._control.is_canceled and (group := await asyncio.to_thread(next, groups, None)) is not None:
            rows = iter(group)
            prepared: GroupBodies | None = None
            while room := await self._room(is_filling=is_filling):
                part = await asyncio.to_thread(self._recorder.take_unsent, rows, min(room, limit))
                if not part:
                    break
                taken += len(part)
                is_filling = len(part) == limit < room
                limit = _LARGEST_CHUNK
                try:
                    if prepared is None:
                        prepared = await self._control.patiently(partial(self._bodies.prepare, group))
                    ready = await self._ready(prepared, part)
                except FATAL:
                    raise
                except InvokeAIError as error:
                    self._refused(part, error)
                    continue
                if ready is not None:
                    yield ready
        if not taken and not self._control.is_canceled:
            raise AssertionError(f"{self._recorder.table.unsent} rows are in no group of the plan")

    def _refused(self, rows: Iterable[PlannedRow], error: InvokeAIError, *, batch_id: str | None = None) -> None:
        """Record rows as failed that cannot be sent, or that the server rejected as batch `batch_id`."""
        for row in rows:
            if self._recorder.table.is_unsent(row.index) and not self._control.is_canceled:
                self._recorder.failed(row, one_line(error), self._http.settings.url, batch_id=batch_id)

    async def _room(self, *, is_filling: bool) -> int:
        """Wait until rows can be sent, and return how many; 0 if the batch is canceled.

        Args:
            is_filling: whether the queue is being refilled, so that room for a single row is enough.
        """
        window, table, control = self._options.window, self._recorder.table, self._control
        most = window - 1 if is_filling else window // _REFILL_AT
        await control.until(lambda: control.is_canceled or (not control.is_paused and table.in_flight <= most))
        return 0 if control.is_canceled else window - table.in_flight

    async def _ready(self, bodies: GroupBodies, rows: Sequence[PlannedRow]) -> _ReadyChunk | None:
        """Make the request body for rows, and record them in the journal; None if none of them can be sent.

        Raises:
            InvokeAIError: the rows cannot be sent.
        """
        made = await self._control.patiently(partial(bodies.body, rows))
        for row, why in made.refused:
            self._recorder.failed(row, why, self._http.settings.url)
        if not made.rows:
            return None
        sent = await self._recorder.folder.in_thread(self._write_down, self._ids.new(), made.rows, made.body)
        return _ReadyChunk(self._follower.expect(sent, dict(enumerate(made.rows))), made.body)

    def _write_down(self, batch_id: str, rows: Sequence[PlannedRow], body: Mapping[str, Any]) -> SentChunk:
        sums = checksums(body["batch"].get("data") or [], len(rows))
        sent_rows = [SentRow(row.row_id, each) for row, each in zip(rows, sums, strict=True)]
        sent = SentChunk(batch_id, sent_rows, self._options.queue_id, self._http.settings.url)
        self._recorder.folder.journal.sending(sent)
        return sent

    async def _send(self, ready: _ReadyChunk) -> None:
        """Send a chunk, once the batch is not paused.

        Raises:
            InvokeAIError: an error that all other rows would have as well.
        """
        chunk, control = ready.chunk, self._control
        rows = [*chunk.rows.values()]
        try:
            await control.until(lambda: control.is_canceled or not control.is_paused)
            if control.is_canceled:
                self._follower.drop(chunk)
                return
            self._request = asyncio.create_task(
                enqueue(
                    self._http,
                    self._tracker,
                    chunk.sent,
                    ready.body,
                    priority=self._options.priority,
                    on_followed=partial(self._follower.watch, chunk),
                    in_doubt=chunk.doubted,
                )
            )
            arrived = await self._request
        except asyncio.CancelledError:
            task = asyncio.current_task()
            is_over = task is not None and bool(task.cancelling())
            if is_over or (control.is_canceled and not chunk.is_in_doubt):
                self._follower.drop(chunk)
            else:
                # The server may have stored the chunk, before the withdrawal arrives or while nothing is withdrawn.
                self._follower.find_again(chunk)
            if is_over:
                raise
            # The request was withdrawn by `give_up`; this task was not canceled.
            return
        except InvokeAIError as error:
            self._follower.drop(chunk)
            if isinstance(error, FATAL):
                raise
            self._refused(rows, error, batch_id=chunk.sent.batch_id)
            return
        finally:
            self._request = None
            control.notify()
        if isinstance(arrived, FoundChunk):
            self._follower.find_in(chunk, arrived)
            arrived = arrived.run
        else:
            self._follower.arrived(chunk, arrived)
        await self._follower.cancel_if_asked(arrived)


async def enqueue(
    http: Sender,
    tracker: RunTracker,
    sent: SentChunk,
    body: dict[str, Any],
    *,
    priority: Priority = Priority.NORMAL,
    on_followed: Callable[[TrackedRun], None] = lambda run: None,
    in_doubt: Callable[[bool], None] = lambda is_in_doubt: None,
) -> TrackedRun | FoundChunk:
    """Enqueue a chunk exactly once. Retries while the server is unreachable or its queue is full.

    Args:
        http: sends the requests.
        tracker: submits the chunk.
        sent: the chunk, whose id must not have been sent before.
        body: the body of `enqueue_batch`.
        priority: the priority, as for any submission.
        on_followed: called when the run is followed, before the request is sent.
        in_doubt: called with True while the chunk may be in the queue, and nothing would withdraw it if this were
            cancelled; then with False.

    Returns:
        The run. If an attempt failed but the chunk is in the queue, the chunk as it was found there.

    Raises:
        InvokeAIError: the chunk is not in the queue, and would be rejected again.
    """
    submit = partial(
        tracker.submissions.submit,
        sent.queue_id,
        body,
        batch_id=sent.batch_id,
        priority=priority,
        on_followed=on_followed,
    )
    try:
        return await submit()
    except InvokeAIError as error:
        failure = error
    is_in_doubt = False
    for pause in pauses():
        # A doubt remains until the queue has been read, even if a later attempt fails for another reason.
        is_in_doubt = is_in_doubt or isinstance(failure, EnqueueInDoubtError)
        in_doubt(is_in_doubt)
        if not (failure.is_transient or isinstance(failure, EnqueueInDoubtError)):
            raise failure
        if not isinstance(failure, NotEnqueuedError):
            logger.warning("batch %s could not be sent, trying again: %s", sent.batch_id, failure)
        await asyncio.sleep(pause)
        try:
            # The server may respond again before it has stored a batch in doubt.
            found = await find(http, tracker, [sent], may_be_on_the_way=is_in_doubt)
            if found:
                return found[0]
            is_in_doubt = False
            in_doubt(False)
            return await submit()
        except InvokeAIError as error:
            failure = error
    raise AssertionError("the loop above returns or raises")
