"""Runs a batch on the servers of a fleet: hands out its rows, and records their outcomes.

It takes the place of the sender and the follower of a batch on a single server. It knows servers only by their URLs,
and calls them only through a `Cluster`, so that a simulation can replace Dask and the servers.

Each row is its own batch in the server's queue, and the id of that batch is written to the journal before the row is
sent. A call that was lost can therefore be repeated: if the row is in the queue already, the call follows it, and
otherwise sends it.

When a server is lost, its rows stay assigned to it for a while, because it may come back and have run them. They are
moved to other servers when one of these has nothing else to do, or after `MOVED_AFTER`. If the server comes back later,
the results that it has are used, and its remaining rows are canceled there. The first result of a row counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.control import BatchControl
from invokeai_py_client.batch.journal import ChunkIds, SentChunk, SentRow, Start
from invokeai_py_client.batch.recorder import Recorder, WorkflowRows
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.batch.runner import Follows, Sends
from invokeai_py_client.errors import ClientClosedError, PlanError, TransportError
from invokeai_py_client.fleet.calls import (
    Answer,
    Away,
    Call,
    Cancel,
    Ended,
    Forget,
    Prepare,
    Ready,
    Refused,
    RunRow,
    Settle,
    Settled,
    Unprepared,
)
from invokeai_py_client.fleet.cluster import Cluster
from invokeai_py_client.fleet.images import FetchedImages
from invokeai_py_client.fleet.members import Attempt, Member
from invokeai_py_client.fleet.membership import Membership
from invokeai_py_client.fleet.placement import Lane, Placement
from invokeai_py_client.fleet.row_groups import RowGroups
from invokeai_py_client.fleet.watchdog import Watchdog
from invokeai_py_client.live.state.queue_item import QueueItem

JOINING = 15.0
"""Seconds to wait for all servers to say what they can run. After that, rows are sent to those that have."""

NO_SERVER = 60.0
"""Seconds to wait for the first worker of a cluster that has none."""

MOVED_AFTER = 120.0
"""Seconds after which the rows of a lost server are moved even if the other servers have enough to do."""

MOST_DEATHS = 3
"""A row fails when this many servers have died while they ran it, because it may be what kills them."""

MOST_TRIES = 10
"""A row fails when it has been sent this many times and never ran to its end, for whatever reasons."""

_MOST_DONE = 0.95
"""The largest part of a row that is counted as done while it runs."""

logger = logging.getLogger("invokeai_py_client.fleet")


class FleetPlan(WorkflowRows, Protocol):
    """The part of a plan that the driver needs."""

    def row(self, index: int) -> PlannedRow:
        """Return a row."""
        ...

    def groups_and_models(self) -> Iterable[tuple[Sequence[int], frozenset[str]]]:
        """Yield the indexes of the rows of each group, with the models that they need, in running order."""
        ...


class FleetDriver:
    """Runs a batch on a fleet. It is the `Backend` of the batch, its sender and its follower.

    All methods run on the engine.

    Args:
        plan: the rows.
        text: the text of the plan's file.
        folder: the folder that the paths in the text are relative to.
        cluster: calls the servers.
    """

    def __init__(self, plan: FleetPlan, text: bytes, folder: str, cluster: Cluster) -> None:
        self._plan = plan
        self._text = text
        self._folder = folder
        self._cluster = cluster
        self._groups: RowGroups | None = None
        self._placement: Placement[int] = Placement()
        self._attempts: dict[int, list[tuple[Member, Attempt]]] = {}
        """The servers that have each row; several if the row was moved."""
        self._deaths: Counter[int] = Counter()
        self._tries: Counter[int] = Counter()
        self._out_of_memory: set[int] = set()
        self._won: set[int] = set()
        """Rows that several servers had when the first of them had run it. Later results of them are ignored."""
        self._lost: dict[Member, None] = {}
        """The servers that had rows when they were lost."""
        self._has_new_limits = False
        self._may_hand_out = False
        self._is_moving = False
        self._is_writing = False

    # The backend of a batch

    def parts(self, options: BatchOptions, recorder: Recorder, control: BatchControl) -> tuple[Sends, Follows]:
        """Connect this driver to the other parts of the batch; see `Backend.parts`."""
        self._options = options
        self._recorder = recorder
        self._control = control
        self._ids = ChunkIds(control.batch_id)
        control.at_end(self._let_go)
        return self, self

    async def check(self) -> None:
        """Find out what each server can run.

        Raises:
            TransportError: no server can be used.
            PlanError: no server can run any row.
        """
        groups = await self._started()
        if not self._servers.ready:
            raise TransportError(
                f"No server of the fleet can be used: {self._servers.why_none()}.",
                url="",
                hint="Start one, and submit the plan again. Nothing was sent.",
            )
        if len(groups) and len(groups.impossible(self._urls())) == len(groups):
            raise PlanError(
                f"No server of the fleet can run the plan: {groups.why_not(0)}.",
                hint="Install what is missing on one of them, and submit the plan again. Nothing was sent.",
            )

    async def withdraw(self, chunks: Sequence[SentChunk]) -> None:
        """Cancel what an earlier batch has sent; see `Backend.withdraw`."""
        await self._started()
        await self._settled([(chunk, {}) for chunk in chunks])

    async def adopt(self, sent: Sequence[tuple[SentChunk, dict[int, PlannedRow]]]) -> None:
        """Continue with the rows that were sent earlier; see `Backend.adopt`."""
        groups = await self._started()
        group_of = await asyncio.to_thread(groups.of_rows, {row.index for _, rows in sent for row in rows.values()})
        settled: list[tuple[SentChunk, Mapping[int, PlannedRow]]] = []
        for chunk, rows in sent:
            server = self._servers.get(chunk.server)
            if server is None:
                logger.warning(
                    "%r is not in the fleet: what it has of batch %s is run again", chunk.server, chunk.batch_id
                )
                continue
            for row in rows.values():
                self._recorder.sent(row)
            if len(chunk.rows) > 1 or self._control.is_canceled:
                settled.append((chunk, rows))
                continue
            for row in rows.values():
                attempt = Attempt(row, group_of[row.index], chunk.batch_id)
                if server.status != "ready":
                    self._keep(server, attempt)
                else:
                    self._attempts.setdefault(row.index, []).append((server, attempt))
                    self._take(server, attempt)
                    self._send(server, attempt)
        await self._settled(settled)

    async def _started(self) -> RowGroups:
        """Wait until the servers have said what they can run."""
        if self._groups is None:
            groups = await asyncio.to_thread(lambda: RowGroups(self._plan.groups_and_models()))
            groups.fill(self._placement, [()] * len(groups))
            self._groups = groups
            self._servers = Membership(self._cluster, partial(self._prepare, groups), self)
            self._servers.start()
            watchdog = Watchdog(self._control.batch_id, self._cluster, self._servers, self._send)
            self._control.spawn(watchdog.run, name=f"watchdog of batch {self._control.batch_id}")
            if not [*self._servers]:
                await self._control.until(self._servers.have_said, NO_SERVER)
        await self._control.until(self._servers.have_said, JOINING)
        return self._groups

    def _prepare(self, groups: RowGroups) -> Prepare:
        return Prepare(
            self._control.batch_id,
            self._text,
            self._folder,
            self._options.queue_id,
            self._options.priority,
            "none" if self._recorder.folder.path is None else self._options.images,
            groups.firsts(),
            self._ids.count,
        )

    def _let_go(self) -> None:
        """Stop using the servers. Rows in their queues continue to run."""
        if self._groups is None:
            return
        self._groups = None
        self._servers.stop()
        for server in self._servers:
            for attempt in server.attempts.values():
                if attempt.drop is not None:
                    attempt.drop()
            with contextlib.suppress(ClientClosedError):
                if server.status == "ready":
                    self._cluster.submit(server.url, Forget(self._control.batch_id), _nothing)
        # Failed rows may be run again later.
        self._placement = Placement()
        self._attempts.clear()
        self._lost.clear()

    # The sender and the follower of a batch

    @property
    def is_sending(self) -> bool:
        """Whether rows are being written to the journal, which happens before they are sent."""
        return self._is_writing

    @property
    def unfinished_part(self) -> float:
        """The part of the running rows that is done, in rows, estimated from how long rows take on their servers."""
        if self._groups is None:
            return 0.0
        now, done = time.monotonic(), 0.0
        for server in [*self._servers]:
            seconds = None if server.lane is None else server.lane.seconds
            for attempt in server.attempts.copy().values():
                if seconds and attempt.began_at is not None:
                    done += min(_MOST_DONE, (now - attempt.began_at) / seconds)
        return done

    def give_up(self) -> None:
        """Do nothing: no rows are held back here."""

    def write_start(self) -> None:
        """Write to the journal that the batch starts, or starts again; see `Sends.write_start`."""
        options, batch_id = self._options.saved(), self._control.batch_id
        self._recorder.folder.journal.started(Start(self._plan.workflow, options, batch_id))

    async def send_unsent(self) -> None:
        """Hand out the rows that are unsent, until each has a server or the batch is canceled."""
        groups, control, table = await self._started(), self._control, self._recorder.table
        if self._must_fill():
            await self._fill(groups)
        while table.unsent and not control.is_canceled:
            await control.until(
                lambda: control.is_canceled or self._must_fill() or (self._may_hand_out and not control.is_paused)
            )
            if self._must_fill():
                return
            self._may_hand_out = False
            await self._hand_out()

    async def cancel(self) -> None:
        """Cancel what was sent and has not ended."""
        for server in self._servers:
            for attempt in [*server.unreachable.values()]:
                del server.unreachable[attempt.item_batch]
                self._forget_attempt(server, attempt)
                if not attempt.is_moved:
                    self._recorder.unsent(attempt.row, was_tried=True)
            if server.attempts:
                self._cluster.submit(server.url, Cancel(self._control.batch_id, [*server.attempts]), _nothing)
        self._control.notify()

    # Handing out

    def _must_fill(self) -> bool:
        """Return whether the placement is out of date, about the unsent rows or about what servers can run."""
        return self._placement.left != self._recorder.table.unsent or self._has_new_limits

    async def _fill(self, groups: RowGroups) -> None:
        """Put all unsent rows into the placement. Rows that no server can run fail."""
        table = self._recorder.table
        self._has_new_limits = False
        for number in groups.impossible(self._urls()):
            why = groups.why_not(number)
            for index in groups.rows(number, table.is_unsent):
                self._recorder.failed(self._plan.row(index), f"no server of the fleet can run it: {why}", None)
        rows = await asyncio.to_thread(lambda: [groups.rows(number, table.is_unsent) for number in range(len(groups))])
        # If rows have changed in the meantime, the number of rows left differs, and `_must_fill` has them read again.
        groups.fill(self._placement, rows)
        self._wake()

    async def _hand_out(self) -> None:
        """Give rows to the servers that have room."""
        table, folder = self._recorder.table, self._recorder.folder
        attempts: list[tuple[Member, Attempt]] = []
        for lane, group, index in self._placement.hand_out():
            server = self._servers.get(lane.name)
            assert server is not None, "every lane belongs to a server"
            if not table.is_unsent(index):
                # A server that came back had run it.
                self._placement.ended(lane)
                continue
            row = self._plan.row(index)
            self._won.discard(index)
            self._recorder.sent(row)
            attempt = Attempt(row, group, self._ids.new(), self._ids.count)
            self._attempts.setdefault(index, []).append((server, attempt))
            server.take(attempt, time.monotonic())
            attempts.append((server, attempt))
        if not attempts:
            return
        chunks = [self._chunk(server, attempt) for server, attempt in attempts]
        self._is_writing = True
        try:
            with folder.writing():
                if folder.path is None:
                    folder.journal.sending(*chunks)
                else:
                    await asyncio.to_thread(folder.journal.sending, *chunks)
        finally:
            self._is_writing = False
            self._control.notify()
        for server, attempt in attempts:
            if attempt.item_batch in server.attempts and not self._control.is_canceled:
                self._send(server, attempt)
            elif attempt.item_batch in server.attempts:
                self._end_attempt(server, attempt)
                self._again(attempt, was_tried=False)

    def _send(self, server: Member, attempt: Attempt) -> None:
        row = attempt.row
        call = RunRow(self._control.batch_id, row.index, row.row_id, attempt.item_batch, attempt.number)
        if attempt.drop is not None:
            attempt.drop()
        attempt.drop = self._cluster.submit(server.url, call, partial(self._answered, server, attempt))
        self._begin(server)

    def _begin(self, server: Member) -> None:
        if server.status != "ready":
            return
        for attempt in server.beginning(time.monotonic()):
            if attempt.drop is not None:
                self._recorder.begun(attempt.row)

    def _wake(self) -> None:
        """Have rows handed out, because a server may have room, or there may be new rows."""
        if self._lost and not self._is_moving:
            self._is_moving = True
            asyncio.get_running_loop().call_soon(self._move_unreachable)
        self._may_hand_out = True
        self._control.notify()

    # Outcomes of rows

    def _answered(self, server: Member, attempt: Attempt, answer: Answer) -> None:
        with self._control.guarding():
            if self._control.is_over or attempt.item_batch not in server.attempts:
                return
            match answer:
                case Ended():
                    self._ended(server, attempt, answer)
                case Refused():
                    self._refused(server, attempt, answer.why)
                case Unprepared():
                    self._servers.ask_again(server)
                case Away():
                    self._servers.lose(server, answer)
                case _:
                    raise AssertionError(f"unexpected answer to RunRow: {answer}")

    def _ended(self, server: Member, attempt: Attempt, ended: Ended) -> None:
        self._end_attempt(server, attempt, is_measured=ended.item.status == "completed")
        index, item = attempt.row.index, ended.item
        if self._has_ended(index):
            return
        if item.status == "canceled" and not self._control.is_canceled:
            if ended.was_there or item.canceled_by != "unknown":
                # A restart of the server canceled it, not a user.
                self._again(attempt)
                return
        elif item.status == "failed" and _is_out_of_memory(item) and self._has_larger(server, attempt):
            logger.info("row %d: %s does not have enough memory for it", index, server.url)
            self._again(attempt)
            return
        self._record(server, attempt.row, ended)

    def _record(self, server: Member, row: PlannedRow, ended: Ended) -> None:
        """Record the outcome of a row, and cancel the row on all other servers that have it."""
        if self._recorder.table.is_unsent(row.index):
            self._recorder.sent(row)
        self._recorder.ended(row, ended.item, FetchedImages(server.url, ended.images))
        others = self._attempts.get(row.index, [])[:]
        if others:
            self._won.add(row.index)
        for other, attempt in others:
            if attempt.item_batch in other.attempts:
                self._cluster.submit(other.url, Cancel(self._control.batch_id, [attempt.item_batch]), _nothing)
                self._end_attempt(other, attempt)
        self._wake()

    def _refused(self, server: Member, attempt: Attempt, why: str) -> None:
        self._end_attempt(server, attempt)
        if self._has_ended(attempt.row.index):
            return
        if self._control.is_canceled:
            self._again(attempt, was_tried=False)
            return
        assert self._groups is not None
        self._groups.avoid(attempt.row.index, [server.url])
        if self._groups.is_possible(attempt.group, self._urls(), attempt.row.index):
            logger.info("row %d cannot run on %s: %s", attempt.row.index, server.url, why)
            self._again(attempt, was_tried=False)
        else:
            self._fail(attempt.row, why, server.url)

    def _again(self, attempt: Attempt, *, was_tried: bool = True) -> None:
        """Have a row run again, by any server."""
        row = attempt.row
        assert self._groups is not None
        self._tries[row.index] += was_tried
        if self._tries[row.index] >= MOST_TRIES:
            self._fail(row, f"it was sent {MOST_TRIES} times, and never ran to its end", None)
            return
        self._recorder.unsent(row, was_tried=was_tried)
        self._placement.put_back(attempt.group, row.index, avoiding=self._groups.avoided(row.index))
        self._wake()

    def _fail(self, row: PlannedRow, why: str, server: str | None) -> None:
        self._recorder.failed(row, why, server)
        self._wake()

    def _has_ended(self, index: int) -> bool:
        return index in self._won or self._recorder.table.outcome(index) is not None

    def _end_attempt(self, server: Member, attempt: Attempt, *, is_measured: bool = False) -> None:
        """Take a row from a server, which then has room for another one."""
        seconds = server.end(attempt, time.monotonic())
        if attempt.drop is not None:
            attempt.drop()
        assert server.lane is not None, "a server with rows has a lane"
        self._placement.ended(server.lane, seconds if is_measured else None)
        self._forget_attempt(server, attempt)
        self._begin(server)
        self._wake()

    def _forget_attempt(self, server: Member, attempt: Attempt) -> None:
        """Forget that a server has a row."""
        places = self._attempts[attempt.row.index]
        places.remove((server, attempt))
        if not places:
            del self._attempts[attempt.row.index]

    def _has_larger(self, server: Member, attempt: Attempt) -> bool:
        """Return whether some server may have more memory, for a row that this one did not have enough for.

        A row is moved for this reason only once.
        """
        assert self._groups is not None
        index = attempt.row.index
        if index in self._out_of_memory:
            return False
        self._out_of_memory.add(index)
        # The same kind of device has the same amount of memory.
        same = [one.url for one in self._servers if one is server or (server.device and one.device == server.device)]
        self._groups.avoid(index, same)
        return self._groups.is_possible(attempt.group, self._urls(), index)

    # Servers that come and go

    def server_ready(self, server: Member, ready: Ready) -> None:
        """Use a server from now on, and continue with the rows that it had; see `Owner.server_ready`."""
        assert self._groups is not None
        self._groups.learn(server.url, ready.unable)
        if ready.unable:
            self._has_new_limits = True
            parts, why = f"{len(ready.unable)} of {len(self._groups)}", next(iter(ready.unable.values()))
            logger.warning("%s cannot run the rows of %s graphs: %s", server.url, parts, why)
        if server.lane is None:
            server.lane = Lane(server.url)
        server.lane.slots, server.lane.models, server.device = max(1, ready.slots), None, ready.device
        self._placement.join(server.lane)
        moved: list[tuple[SentChunk, Sequence[int]]] = []
        attempts: dict[str, Attempt] = {}
        unreachable, server.unreachable = server.unreachable, {}
        self._lost.pop(server, None)
        for attempt in unreachable.values():
            attempt.lost_at = None
            if attempt.is_moved:
                moved.append((self._chunk(server, attempt), (0,)))
                attempts[attempt.item_batch] = attempt
                self._forget_attempt(server, attempt)
            else:
                self._take(server, attempt)
                self._send(server, attempt)
        if moved:
            call = Settle(self._control.batch_id, moved)
            self._cluster.submit(server.url, call, partial(self._settled_moved, server, attempts))
        self._wake()

    def server_lost(self, server: Member) -> None:
        """Keep the rows that a lost server may have run; see `Owner.server_lost`."""
        if server.lane is not None:
            self._placement.leave(server.lane)
        is_dead = server.away is not None and server.away.kind == "dead"
        begun = [attempt for attempt in server.attempts.values() if attempt.began_at is not None]
        for attempt in [*server.attempts.values()]:
            self._end_attempt(server, attempt)
            if attempt.drop is None or self._control.is_canceled:
                # It was not sent yet.
                self._again(attempt, was_tried=attempt.drop is not None)
                continue
            self._deaths[attempt.row.index] += is_dead and attempt in begun
            if self._deaths[attempt.row.index] >= MOST_DEATHS:
                why = f"set aside: {MOST_DEATHS} servers have died while they ran it"
                self._fail(attempt.row, why, server.url)
            else:
                self._keep(server, attempt)
        self._wake()

    def _take(self, server: Member, attempt: Attempt) -> None:
        assert server.lane is not None
        server.lane.in_hand += 1
        server.take(attempt, time.monotonic())

    def _keep(self, server: Member, attempt: Attempt) -> None:
        attempt.drop = attempt.began_at = None
        attempt.lost_at = time.monotonic()
        server.unreachable[attempt.item_batch] = attempt
        self._lost[server] = None
        self._attempts.setdefault(attempt.row.index, []).append((server, attempt))
        asyncio.get_running_loop().call_later(MOVED_AFTER, self._wake)
        self._wake()

    def _move_unreachable(self) -> None:
        """Move the rows of lost servers, if another server has nothing else to do, or they were lost long ago."""
        self._is_moving = False
        ready = self._servers.ready
        if self._control.is_over or not ready:
            return
        is_idle = not self._placement.left and any(not server.attempts for server in ready)
        before = time.monotonic() - MOVED_AFTER
        for server in self._lost:
            for attempt in server.unreachable.values():
                assert attempt.lost_at is not None
                if not attempt.is_moved and (is_idle or attempt.lost_at <= before):
                    attempt.is_moved = True
                    logger.info("row %d is moved from %s", attempt.row.index, server.url)
                    self._again(attempt)

    def _settled_moved(self, server: Member, attempts: Mapping[str, Attempt], answer: Answer) -> None:
        with self._control.guarding():
            if self._control.is_over:
                return
            if not isinstance(answer, Settled):
                # It was lost again: its rows are settled when it comes back the next time.
                for attempt in attempts.values():
                    self._keep(server, attempt)
                return
            for item_batch, _, ended in answer.ended:
                row = attempts[item_batch].row
                if not self._has_ended(row.index):
                    self._record(server, row, ended)

    async def _settled(self, chunks: Sequence[tuple[SentChunk, Mapping[int, PlannedRow]]]) -> None:
        """Record the results of chunks that were sent earlier, and cancel the rest of them on the servers."""
        rows_of = {chunk.batch_id: dict(rows) for chunk, rows in chunks}
        by_server: dict[str, list[tuple[SentChunk, Sequence[int]]]] = {}
        for chunk, rows in chunks:
            by_server.setdefault(chunk.server, []).append((chunk, [*rows]))
        for url, some in by_server.items():
            answer = await self._asked(url, Settle(self._control.batch_id, some))
            if not isinstance(answer, Settled):
                logger.warning("%s did not answer; rows of the batch that it has may be run twice", url)
                continue
            server = self._servers.get(url)
            assert server is not None
            for item_batch, place, ended in answer.ended:
                row = rows_of[item_batch].pop(place, None)
                if row is not None:
                    self._record(server, row, ended)
        for rows in rows_of.values():
            for row in rows.values():
                self._recorder.unsent(row, was_tried=False)

    async def _asked(self, url: str, call: Call) -> Answer:
        server = self._servers.get(url)
        if server is None or server.status != "ready":
            return Away("dead", "it is not ready")
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._cluster.submit(url, call, answered.set_result)
        return await answered

    def _chunk(self, server: Member, attempt: Attempt) -> SentChunk:
        return SentChunk(attempt.item_batch, [SentRow(attempt.row.row_id, "")], self._options.queue_id, server.url)

    def _urls(self) -> list[str]:
        return [server.url for server in self._servers]


def _is_out_of_memory(item: QueueItem) -> bool:
    return "outofmemory" in f"{item.error_type} {item.error}".lower().replace(" ", "")


def _nothing(answer: Answer) -> None:
    """Ignore an answer."""
