"""Fetches in bulk what events did not report: after a reconnect, after bulk events, and on silence.

There is one reconciler for all runs of a client, so 1,000 waits cost no more than one.
"""

from __future__ import annotations

import asyncio
import copy
import heapq
import itertools
import logging
import math
import time
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from invokeai_py_client.errors import (
    AuthenticationError,
    ForbiddenError,
    InvokeAIError,
    ServerError,
)
from invokeai_py_client.live.processor import CONFIRMED_AFTER, ProcessorWatch
from invokeai_py_client.live.queue_reads import records_of, summaries_of
from invokeai_py_client.live.restart_recovery import resubmit_lost
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.runtime.engine import Engine, LoopWatch
from invokeai_py_client.runtime.listing import in_parts
from invokeai_py_client.runtime.timeouts import set_within
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.queue import QueueItemRecord, QueueItemSummary

logger = logging.getLogger("invokeai_py_client.live")

POLL_INTERVAL = 2.0
"""Seconds between two rounds while no socket is connected, unless a wait has another interval."""

SILENCE = 15.0
"""Seconds without an event after which a run is checked although the socket is connected."""

SILENCE_AFTER_CANCEL = 1.0
"""The same for a canceled run: older servers send no event when many items are canceled at once."""

ERROR_GRACE = 0.25
"""Seconds between the status of a failed item and the request for its error, if no event reports the error."""

ALL_RUNS_PAUSE = 1.0
"""The shortest interval between two rounds for all runs that are caused by bulk events, in seconds."""

_SLACK = 0.1
"""The fraction of its interval by which a run is checked early, in order to share a request with others."""

_MOST_DOUBLINGS = 16

_DETAILS_PER_REQUEST = 50

_READS_PAUSES = (2.0, 4.0)
"""Seconds between the requests for a record that the server fails to return. After the last, its run has failed."""


class _Unreadable(NamedTuple):
    """A record that the server fails to return: how often it was requested, and when it is requested again."""

    reads: int
    again_at: float


E = TypeVar("E", bound=InvokeAIError)


class Connection(Protocol):
    """The part of the socket that the reconciler needs."""

    @property
    def is_connected(self) -> bool:
        """Whether the socket is connected."""
        ...

    @property
    def epoch(self) -> int:
        """The number of connections so far."""
        ...


class Reconciler:
    """Keeps the state of all followed runs consistent with the server.

    A run is checked when there was no event of it for a while. The times are kept in a heap with one entry for each
    run, so the cost of an event or a submission does not depend on the number of runs.

    Args:
        http: sends the requests.
        engine: runs the background task.
        router: has the runs.
        connection: the socket.
    """

    def __init__(self, http: Sender, engine: Engine, router: Router, connection: Connection) -> None:
        self._http = http
        self._engine = engine
        self._router = router
        self._connection = connection
        self._loop = LoopWatch(engine)
        self._due = asyncio.Event()
        # A run that has ended must not be kept until it would have been checked.
        self._schedule: list[tuple[float, int, weakref.ref[TrackedRun]]] = []
        self._numbers = itertools.count()
        self._runs: dict[TrackedRun, None] = {}
        self._items: dict[str, dict[int, None]] = {}
        self._brought_up: set[TrackedRun] = set()
        self._all_from: float | None = None
        self._all_asked_at = -math.inf
        self._processor = ProcessorWatch(http)
        self._processor_asked_at = -math.inf
        self._failures = 0
        self._unreadable: dict[int, _Unreadable] = {}
        self.rounds = 0

    def start(self) -> None:
        """Start the background task, unless it runs. It sends no request while nothing must be checked."""
        if self._loop.has_changed():
            self._due = asyncio.Event()
            self._engine.spawn(self._run(), name="reconciler")

    def schedule(self, run: TrackedRun) -> None:
        """Schedule the next check of a run, which may be earlier than it was."""
        due = run.checked_at + self._interval(run)
        if run.due_at is None or due < run.due_at:
            run.due_at = due
            heapq.heappush(self._schedule, (due, next(self._numbers), weakref.ref(run)))
            if self._schedule[0][2]() is run:
                self._due.set()

    def check(self, run: TrackedRun) -> None:
        """Check a run now."""
        self._runs[run] = None
        self._due.set()

    def check_items(self, queue_id: str, item_ids: Iterable[int]) -> None:
        """Check items now, if they belong to followed runs."""
        followed = [item_id for item_id in item_ids if self._router.having(item_id)]
        if followed:
            self._items.setdefault(queue_id, {}).update(dict.fromkeys(followed))
            self._due.set()

    def check_all(self) -> None:
        """Check all runs now, because events may have been missed."""
        logger.debug("checking all live runs")
        self._all_from = -math.inf
        self._due.set()

    def check_all_soon(self) -> None:
        """Check all runs soon, at a limited rate: other clients may change the queue again and again."""
        if self._all_from is None:
            self._all_from = max(time.monotonic(), self._all_asked_at + ALL_RUNS_PAUSE)
            self._due.set()

    def wake(self) -> None:
        """Start a round now, and fetch everything that is due."""
        self._due.set()

    async def bring_up_to_date(self, run: TrackedRun) -> None:
        """Fetch the state of all unsettled items of a run.

        Raises:
            InvokeAIError: a request failed.
        """
        run.was_asked()
        self._brought_up.add(run)
        try:
            await self._refresh(run.state.queue_id, run.state.unsettled())
            for error in (await self._fetch_details([run])).values():
                raise error
        finally:
            self._brought_up.discard(run)
            if run.state.needs_requests:
                self._due.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._next_round()
            except Exception:
                # Without this task, no wait would notice changes whose events were missed.
                logger.exception("error in the reconciler, which continues")
                await asyncio.sleep(POLL_INTERVAL)

    async def _next_round(self) -> None:
        """Wait until something must be checked, and check it."""
        await set_within(self._due, self._pause())
        self._due.clear()
        self._collect()
        runs, self._runs = self._runs, {}
        items, self._items = self._items, {}
        try:
            try:
                await self._round(runs, items)
            except ServerError:
                await self._check_processor(runs)
                raise
            await self._check_processor(runs)
            self._failures = 0
            return
        except (AuthenticationError, ForbiddenError) as error:
            # The same request would be rejected again: end the waits.
            for run in self._router.live():
                run.fail(error)
                self._router.forget(run)
            return
        except Exception as error:
            # An error must not end the task that all waits rely on.
            self._log_failure(error)
        self._runs.update(runs)
        for queue_id, item_ids in items.items():
            self._items.setdefault(queue_id, {}).update(item_ids)
        pause = min([POLL_INTERVAL, *(run.pause(POLL_INTERVAL) for run in runs)])
        # An unreachable server is polled less and less often, until something changes, such as the socket.
        longest = min(SILENCE, pause * 2.0 ** min(self._failures, _MOST_DOUBLINGS))
        self._failures += 1
        self._due.clear()
        await asyncio.sleep(pause)
        if self._all_from is None:
            await set_within(self._due, longest - pause)
        self._due.set()

    def _log_failure(self, error: Exception) -> None:
        """Log the first of several failures; a server may be away for days."""
        is_expected = isinstance(error, InvokeAIError)
        level = logging.DEBUG if self._failures else logging.INFO if is_expected else logging.ERROR
        logger.log(
            level,
            "requesting the state of runs failed, trying again: %s",
            error,
            exc_info=None if is_expected else error,
        )

    def _interval(self, run: TrackedRun) -> float:
        if not self._connection.is_connected:
            return run.pause(POLL_INTERVAL)
        return SILENCE_AFTER_CANCEL if run.cancel_asked else SILENCE

    def _pause(self) -> float | None:
        """Return the seconds until the next check; None if none is scheduled."""
        due = [] if self._all_from is None else [self._all_from]
        if self._schedule:
            due.append(self._schedule[0][0])
        due += [record.again_at for record in self._unreadable.values()]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _collect(self) -> None:
        """Add the runs that are due to those that are checked in this round."""
        now = time.monotonic()
        if self._all_from is not None and self._all_from <= now:
            self._runs.update(dict.fromkeys(self._router.live()))
            self._all_from, self._all_asked_at = None, now
        if not self._schedule or self._schedule[0][0] > now:
            return
        while self._schedule:
            due, _, ref = self._schedule[0]
            run = ref()
            if run is None:
                heapq.heappop(self._schedule)
                continue
            # Runs that are due soon are included in the same request.
            if due - _SLACK * self._interval(run) > now:
                return
            heapq.heappop(self._schedule)
            if run.due_at != due:
                continue
            run.due_at = None
            if not self._router.is_followed(run):
                continue
            if run.checked_at + (1 - _SLACK) * self._interval(run) <= now:
                self._runs[run] = None
            else:
                self.schedule(run)

    async def _round(self, runs: Iterable[TrackedRun], items: Mapping[str, Iterable[int]]) -> None:
        asked: dict[str, dict[int, None]] = {queue_id: dict.fromkeys(item_ids) for queue_id, item_ids in items.items()}
        for run in runs:
            if self._router.is_followed(run):
                run.was_asked()
                self.schedule(run)
                asked.setdefault(run.state.queue_id, {}).update(dict.fromkeys(run.state.unsettled()))
        for queue_id, item_ids in asked.items():
            await self._refresh(queue_id, [*item_ids])
        # Items that `bring_up_to_date` is fetching are not requested twice.
        incomplete = [run for run in self._router.incomplete if run not in self._brought_up]
        self.rounds += any(asked.values()) or bool(incomplete)
        await self._complete(incomplete)
        for run in incomplete:
            if run.state.lost_items():
                await resubmit_lost(self._http, self._router, run)
            if not run.state.needs_requests:
                self._router.incomplete.pop(run, None)

    async def _complete(self, runs: Sequence[TrackedRun]) -> None:
        """Fetch missing details of runs, and fail the runs with a record that repeatedly cannot be read."""
        now = time.monotonic()
        paused = {
            item_id: record
            for item_id, record in self._unreadable.items()
            if record.again_at > now and self._router.having(item_id)
        }
        for item_id, error in (await self._fetch_details(runs, without=paused)).items():
            reads = self._unreadable[item_id].reads + 1 if item_id in self._unreadable else 1
            if reads <= len(_READS_PAUSES) and not isinstance(error, ForbiddenError):
                logger.info("%s It is requested again.", error)
                paused[item_id] = _Unreadable(reads, time.monotonic() + _READS_PAUSES[reads - 1])
                continue
            for run in self._router.having(item_id):
                run.fail(error)
                self._router.forget(run)
        self._unreadable = paused

    async def _check_processor(self, runs: Iterable[TrackedRun]) -> None:
        """Fail every run if the server no longer runs items, because their waits would never end."""
        now, silence = time.monotonic(), (1 - _SLACK) * SILENCE
        silent = [run for run in runs if self._router.is_followed(run) and run.heard_at <= now - silence]
        if not silent or self._processor_asked_at > now - silence:
            return
        self._processor_asked_at = now
        queue_id = silent[0].state.queue_id
        stopped = await self._processor.check(queue_id)
        if stopped is None and self._processor.is_suspected(queue_id):
            await asyncio.sleep(CONFIRMED_AFTER)
            stopped = await self._processor.check(queue_id)
        if stopped is not None:
            logger.error("%s", stopped)
            for run in self._router.live():
                run.fail(stopped)
                self._router.forget(run)

    async def _refresh(self, queue_id: str, item_ids: Sequence[int]) -> None:
        for ids in in_parts(item_ids, queue.MAX_IDS_PER_REQUEST):
            epoch = self._connection.epoch if self._connection.is_connected else None
            records = await summaries_of(self._http, queue_id, ids)
            watched = self._connection.is_connected and self._connection.epoch == epoch
            self._take(ids, records, nothing_missed=watched)

    async def _fetch_details(
        self, runs: Sequence[TrackedRun], *, without: Collection[int] = ()
    ) -> dict[int, ServerError | ForbiddenError]:
        """Fetch the full record of each item whose outputs or error may be incomplete, or whose calls are not known.

        Returns:
            The errors by item, for the records that cannot be read.
        """
        if any(run.state.awaits_error() for run in runs):
            await asyncio.sleep(ERROR_GRACE)
        asked = {*without}
        unreadable: dict[int, ServerError | ForbiddenError] = {}
        # A record may name further items: those of the workflows that were called.
        while lacking := _lacking(runs, asked):
            for queue_id, item_ids in lacking.items():
                asked |= item_ids.keys()
                for ids in in_parts([*item_ids], _DETAILS_PER_REQUEST):
                    records = await self._readable_records(queue_id, ids, unreadable)
                    self._take([item_id for item_id in ids if item_id not in unreadable], records)
        return unreadable

    async def _readable_records(
        self, queue_id: str, item_ids: Sequence[int], unreadable: dict[int, ServerError | ForbiddenError]
    ) -> list[QueueItemRecord]:
        """Fetch full records. One that cannot be read fails the request for all, so a group that fails is halved."""
        try:
            return await records_of(self._http, queue_id, item_ids)
        except (ServerError, ForbiddenError) as error:
            if error.is_transient:
                raise
            if len(item_ids) == 1:
                unreadable[item_ids[0]] = self._unreadable_item(item_ids[0], error)
                return []
        middle = len(item_ids) // 2
        first = await self._readable_records(queue_id, item_ids[:middle], unreadable)
        return first + await self._readable_records(queue_id, item_ids[middle:], unreadable)

    def _unreadable_item(self, item_id: int, error: E) -> E:
        """Return an error with the item in its message."""
        batch_id = self._router.batches_of([item_id]).get(item_id)
        named = copy.copy(error)
        named.args = (f"The record of item {item_id} of batch {batch_id} cannot be read: {error}",)
        return named

    def _take(
        self, item_ids: Iterable[int], records: Sequence[QueueItemSummary], *, nothing_missed: bool = False
    ) -> None:
        """Apply the records to the runs that the items belong to; items without a record are gone."""
        record_of = {record.item_id: record for record in records}
        for item_id in item_ids:
            record = record_of.get(item_id)
            for run in self._router.having(item_id):
                if record is None:
                    events = run.state.apply_gone(item_id)
                else:
                    events = run.state.apply_snapshot(record, nothing_missed=nothing_missed)
                self._router.apply(run, events)


def _lacking(runs: Iterable[TrackedRun], asked: Collection[int]) -> dict[str, dict[int, None]]:
    """Return the items whose full record must be fetched, by queue, without those that were requested already."""
    lacking: dict[str, dict[int, None]] = {}
    for run in runs:
        item_ids = [item_id for item_id in run.state.lacking_details() if item_id not in asked]
        if item_ids:
            lacking.setdefault(run.state.queue_id, {}).update(dict.fromkeys(item_ids))
    return lacking
