"""Hands out the rows of a batch to the servers of a fleet, and takes their outcomes.

When a server is lost, its rows stay assigned to it for a while, because it may come back and have run them. They are
moved to other servers when one of these has nothing else to do, or after `MOVED_AFTER`. If the server comes back later,
the results that it has are used, and its remaining rows are canceled there. The first result of a row counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.control import BatchControl
from invokeai_py_client.batch.journal import ChunkIds, SentChunk, SentRow
from invokeai_py_client.batch.recorder import Recorder, WorkflowRows
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.errors import ClientClosedError, TransportError
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
from invokeai_py_client.fleet.lost_rows import MOVED_AFTER, LostRows
from invokeai_py_client.fleet.members import Attempt, Member
from invokeai_py_client.fleet.membership import LOST_FOR, Membership
from invokeai_py_client.fleet.placement import Lane, Placement
from invokeai_py_client.fleet.row_groups import RowGroups
from invokeai_py_client.fleet.watchdog import LOOKS, Watchdog
from invokeai_py_client.live.state.queue_item import QueueItem

MOST_DEATHS = 3
"""A row fails when this many servers have died while they ran it, because it may be what kills them."""

MOST_TRIES = 10
"""A row fails when it has been sent this many times and never ran to its end, for whatever reasons."""

_TRIES = 3
"""How many times a call that cancels rows is made if it is lost. A failed request is retried by the agent's client."""

_NOT_CANCELED = "%s is away: row %d is not canceled there"
"""The warning about a row of a canceled batch, with the server that may run it."""

_MOST_DONE = 0.95
"""The largest part of a row that is counted as done while it runs."""

logger = logging.getLogger("invokeai_py_client.fleet")


class FleetPlan(WorkflowRows, Protocol):
    """The part of a plan that a fleet needs."""

    def row(self, index: int) -> PlannedRow:
        """Return a row."""
        ...

    def groups_and_models(self) -> Iterable[tuple[Sequence[int], frozenset[str]]]:
        """Yield the indexes of the rows of each group, with the models that they need, in running order."""
        ...


class Dispatcher:
    """Runs rows on the servers, from one start of a batch to its end. All methods run on the engine.

    Args:
        plan: the rows.
        groups: the rows, grouped by what servers need to run them.
        cluster: calls the servers.
        prepare: makes the first call to each server.
        options: the options of the batch.
        recorder: records the outcomes.
        control: the shared state of the batch.
        ids: makes the ids of the rows' own batches.
    """

    def __init__(
        self,
        plan: FleetPlan,
        groups: RowGroups,
        cluster: Cluster,
        prepare: Callable[[], Prepare],
        options: BatchOptions,
        recorder: Recorder,
        control: BatchControl,
        ids: ChunkIds,
    ) -> None:
        self.groups = groups
        self.servers = Membership(cluster, prepare, self)
        self.is_writing = False
        """Whether rows are being written to the journal, which happens before they are sent."""
        self.may_hand_out = False
        """Whether a server may have got room, or a row may have become unsent, since rows were last handed out."""
        self._plan = plan
        self._cluster = cluster
        self._options = options
        self._recorder = recorder
        self._control = control
        self._ids = ids
        self._placement: Placement[int] = Placement()
        groups.fill(self._placement, [()] * len(groups))
        self._attempts: dict[int, list[tuple[Member, Attempt]]] = {}
        """The servers that have each row; several if the row was moved."""
        self._lost = LostRows()
        self._deaths: Counter[int] = Counter()
        self._tries: Counter[int] = Counter()
        self._out_of_memory: set[int] = set()
        self._won: set[int] = set()
        """Rows that several servers had when the first of them had run it. Later results of them are ignored."""
        self._has_new_limits = False
        self._is_moving = False

    def start(self) -> None:
        """Begin to use the servers."""
        self.servers.start()
        batch_id = self._control.batch_id
        watchdog = Watchdog(batch_id, self._cluster, self.servers, self._send, self._resize)
        self._control.spawn(watchdog.run, name=f"watchdog of batch {batch_id}")

    def stop(self) -> None:
        """Stop using the servers. Rows in their queues continue to run."""
        self.servers.stop()
        for server in self.servers:
            for attempt in server.attempts.values():
                if attempt.drop is not None:
                    attempt.drop()
            with contextlib.suppress(ClientClosedError):
                if server.status == "ready":
                    self._cluster.submit(server.url, Forget(self._control.batch_id), _nothing)

    async def cancel(self) -> None:
        """Cancel what was sent and has not ended.

        Raises:
            TransportError: a server has not confirmed it. Unless it was lost, its rows are still followed.
        """
        for server, attempt in self._lost:
            self._lost.remove(server, attempt)
            self._forget_attempt(server, attempt)
            if not attempt.is_moved:
                self._recorder.unsent(attempt.row, was_tried=True)
            logger.warning(_NOT_CANCELED, server.url, attempt.row.index)
        asked = {server: [*server.attempts] for server in self.servers if server.attempts}
        answers: dict[Member, Answer] = {}

        def answered(server: Member, answer: Answer) -> None:
            answers[server] = answer
            self._control.notify()

        for server, item_batches in asked.items():
            self.call(server, self._cancel_call(item_batches), partial(answered, server))
        self._control.notify()
        await self._control.until(
            lambda: self._control.is_over or all(one in answers or one.status != "ready" for one in asked)
        )
        whys: list[str] = []
        for server, item_batches in asked.items():
            away = answers.get(server, None if server.status == "ready" else server.away)
            if isinstance(away, Away):
                whys.append(f"{server.url} has not canceled the {len(item_batches)} rows that it has: {away.why}")
        if whys:
            raise TransportError(
                f"{'; '.join(whys)}.",
                url="",
                hint="They may run on there. Call batch.cancel() again, or cancel them in the queue of the server.",
            )

    def call(self, server: Member, call: Call, done: Callable[[Answer], None], tries: int = _TRIES) -> None:
        """Call a server, and again if the call is lost, unless the batch is over by then.

        Args:
            server: the server.
            call: the call.
            done: called with the answer.
            tries: how many times the call is made.
        """
        if self._control.is_over:
            return

        def answered(answer: Answer) -> None:
            if isinstance(answer, Away) and answer.kind == "worker" and tries > 1 and server.status == "ready":
                asyncio.get_running_loop().call_later(LOST_FOR, self.call, server, call, done, tries - 1)
            else:
                done(answer)

        self._cluster.submit(server.url, call, answered)

    @property
    def unfinished_part(self) -> float:
        """The part of the running rows that is done, in rows, estimated from how long rows take on their servers."""
        now, done = time.monotonic(), 0.0
        for server in [*self.servers]:
            seconds = None if server.lane is None else server.lane.seconds
            for attempt in server.attempts.copy().values():
                if seconds and attempt.began_at is not None:
                    done += min(_MOST_DONE, (now - attempt.began_at) / seconds)
        return done

    def follow(self, server: Member, attempt: Attempt) -> None:
        """Have a server run a row that it may have already. A server that is away is asked when it comes back."""
        if server.status == "ready":
            self._take(server, attempt)
            self._send(server, attempt)
        else:
            self._keep(server, attempt)

    # Handing out

    @property
    def must_fill(self) -> bool:
        """Whether the placement is out of date, about the unsent rows or about what servers can run."""
        return self._placement.left != self._recorder.table.unsent or self._has_new_limits

    async def fill(self) -> None:
        """Put all unsent rows into the placement. Rows that no server can run fail."""
        groups, table = self.groups, self._recorder.table
        self._has_new_limits = False
        for number in groups.impossible(self._urls()):
            why = groups.why_not(number)
            for index in groups.rows(number, table.is_unsent):
                self._recorder.failed(self._plan.row(index), f"no server of the fleet can run it: {why}", None)
        rows = await asyncio.to_thread(lambda: [groups.rows(number, table.is_unsent) for number in range(len(groups))])
        # If rows have changed in the meantime, the number of rows left differs, and `must_fill` has them read again.
        groups.fill(self._placement, rows)
        self._wake()

    async def hand_out(self) -> None:
        """Give rows to the servers that have room."""
        self.may_hand_out = False
        table, folder = self._recorder.table, self._recorder.folder
        attempts: list[tuple[Member, Attempt]] = []
        for lane, group, index in self._placement.hand_out():
            server = self.servers.get(lane.name)
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
        self.is_writing = True
        try:
            if folder.path is None:
                folder.journal.sending(*chunks)
            else:
                await folder.in_thread(folder.journal.sending, *chunks)
        finally:
            self.is_writing = False
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
        if server.status == "ready":
            for attempt in server.beginning(time.monotonic()):
                self._recorder.begun(attempt.row)

    def _wake(self) -> None:
        """Have rows handed out, because a server may have room, or there may be new rows."""
        if self._lost and not self._is_moving:
            self._is_moving = True
            asyncio.get_running_loop().call_soon(self._move_lost)
        self.may_hand_out = True
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
                case _:
                    self._not_answered(server, answer)

    def _not_answered(self, server: Member, answer: Answer) -> None:
        """Prepare a server again, or stop using it, after another answer than the one that was wanted."""
        match answer:
            case Unprepared():
                self.servers.ask_again(server)
            case Away():
                self.servers.lose(server, answer)
            case _:
                raise AssertionError(f"unexpected answer of {server.url}: {answer}")

    def _ended(self, server: Member, attempt: Attempt, ended: Ended) -> None:
        # A row that was there already may have run long ago.
        self._end_attempt(server, attempt, is_measured=ended.item.status == "completed" and not ended.was_there)
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
        self.record(server, attempt.row, ended)

    def record(self, server: Member, row: PlannedRow, ended: Ended) -> None:
        """Record the outcome of a row, and cancel the row on all other servers that have it."""
        if self._recorder.table.is_unsent(row.index):
            self._recorder.sent(row)
        self._recorder.ended(row, ended.item, FetchedImages(server.url, ended.images))
        self._forgive(row.index)
        others = self._attempts.get(row.index, [])[:]
        if others:
            self._won.add(row.index)
        for other, attempt in others:
            if attempt.item_batch in other.attempts:
                call = self._cancel_call([attempt.item_batch])
                self.call(other, call, partial(_warn_unless_canceled, other, attempt))
                self._end_attempt(other, attempt)
        self._wake()

    def _refused(self, server: Member, attempt: Attempt, why: str) -> None:
        self._end_attempt(server, attempt)
        if self._has_ended(attempt.row.index):
            return
        if self._control.is_canceled:
            self._again(attempt, was_tried=False)
            return
        self.groups.avoid(attempt.row.index, [server.url])
        if self.groups.is_possible(attempt.group, self._urls(), attempt.row.index):
            logger.info("row %d cannot run on %s: %s", attempt.row.index, server.url, why)
            self._again(attempt, was_tried=False)
        else:
            self._fail(attempt.row, why, server.url)

    def _again(self, attempt: Attempt, *, was_tried: bool = True) -> None:
        """Have a row run again, by any server."""
        row = attempt.row
        self._tries[row.index] += was_tried
        if self._tries[row.index] >= MOST_TRIES:
            self._fail(row, f"it was sent {MOST_TRIES} times, and never ran to its end", None)
            return
        self._recorder.unsent(row, was_tried=was_tried)
        self._placement.put_back(attempt.group, row.index, avoiding=self.groups.avoided(row.index))
        self._wake()

    def _fail(self, row: PlannedRow, why: str, server: str | None) -> None:
        self._recorder.failed(row, why, server)
        self._forgive(row.index)
        self._wake()

    def _forgive(self, index: int) -> None:
        """Forget the failures of a row that has ended, as it may be run again."""
        self._tries.pop(index, None)
        self._deaths.pop(index, None)
        self._out_of_memory.discard(index)
        self.groups.forgive(index)

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
        index = attempt.row.index
        if index in self._out_of_memory:
            return False
        self._out_of_memory.add(index)
        # The same kind of device has the same amount of memory.
        same = [one.url for one in self.servers if one is server or (server.device and one.device == server.device)]
        self.groups.avoid(index, same)
        return self.groups.is_possible(attempt.group, self._urls(), index)

    # Servers that come and go

    def server_ready(self, server: Member, ready: Ready) -> None:
        """Use a server from now on, and continue with the rows that it had; see `Owner.server_ready`."""
        self.groups.learn(server.url, ready.unable)
        if ready.unable:
            self._has_new_limits = True
            parts, why = f"{len(ready.unable)} of {len(self.groups)}", next(iter(ready.unable.values()))
            logger.warning("%s cannot run the rows of %s graphs: %s", server.url, parts, why)
        if server.lane is None:
            server.lane = Lane(server.url)
        server.lane.slots, server.lane.models, server.device = max(1, ready.slots), None, ready.device
        server.at_once = None if ready.is_certain else deque(maxlen=LOOKS)
        self._placement.join(server.lane)
        moved: list[Attempt] = []
        for attempt in self._lost.of_server(server):
            if attempt.is_moved:
                moved.append(attempt)
            else:
                self._lost.remove(server, attempt)
                self._forget_attempt(server, attempt)
                self.follow(server, attempt)
        if moved:
            call = Settle(self._control.batch_id, [(self._chunk(server, attempt), (0,)) for attempt in moved])
            self._cluster.submit(server.url, call, partial(self._settled, server, moved))
        self._wake()

    def _resize(self, server: Member, slots: int) -> None:
        """Use another number of slots of a server, because it runs so many rows at the same time."""
        assert server.lane is not None
        logger.info("%s runs %d rows at the same time, not %d", server.url, slots, server.lane.slots)
        self._placement.resize(server.lane, slots)
        self._begin(server)
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
                # It was not sent yet, or it is not waited for.
                if attempt.drop is not None:
                    logger.warning(_NOT_CANCELED, server.url, attempt.row.index)
                self._again(attempt, was_tried=attempt.drop is not None)
                continue
            if is_dead and attempt in begun:
                self._deaths[attempt.row.index] += 1
            if self._deaths[attempt.row.index] >= MOST_DEATHS:
                why = f"set aside: {MOST_DEATHS} servers have died while they ran it"
                self._fail(attempt.row, why, server.url)
            else:
                self._keep(server, attempt)
        self._wake()

    def _take(self, server: Member, attempt: Attempt) -> None:
        assert server.lane is not None
        server.lane.in_hand += 1
        self._attempts.setdefault(attempt.row.index, []).append((server, attempt))
        server.take(attempt, time.monotonic())

    def _keep(self, server: Member, attempt: Attempt) -> None:
        self._lost.keep(server, attempt)
        self._attempts.setdefault(attempt.row.index, []).append((server, attempt))
        asyncio.get_running_loop().call_later(MOVED_AFTER, self._wake)
        self._wake()

    def _move_lost(self) -> None:
        """Move the rows of lost servers, if another server has nothing else to do, or they were lost long ago."""
        self._is_moving = False
        ready = self.servers.ready
        if self._control.is_over or not ready:
            return
        is_idle = not self._placement.left and any(not server.attempts for server in ready)
        for attempt in self._lost.to_move(at_once=is_idle):
            logger.info("row %d is moved to another server", attempt.row.index)
            self._again(attempt)

    def _settled(self, server: Member, moved: Sequence[Attempt], answer: Answer) -> None:
        with self._control.guarding():
            if self._control.is_over or server.status != "ready":
                return
            if not isinstance(answer, Settled):
                # Its rows are settled when it comes back the next time.
                self._not_answered(server, answer)
                return
            for attempt in moved:
                if self._lost.remove(server, attempt):
                    self._forget_attempt(server, attempt)
            row_of = {attempt.item_batch: attempt.row for attempt in moved}
            for item_batch, _, ended in answer.ended:
                if not self._has_ended(row_of[item_batch].index):
                    self.record(server, row_of[item_batch], ended)

    def _cancel_call(self, item_batches: Sequence[str]) -> Cancel:
        return Cancel(self._control.batch_id, item_batches, self._options.queue_id)

    def _chunk(self, server: Member, attempt: Attempt) -> SentChunk:
        return SentChunk(attempt.item_batch, [SentRow(attempt.row.row_id, "")], self._options.queue_id, server.url)

    def _urls(self) -> list[str]:
        return [server.url for server in self.servers]


def _is_out_of_memory(item: QueueItem) -> bool:
    return "outofmemory" in f"{item.error_type} {item.error}".lower().replace(" ", "")


def _warn_unless_canceled(server: Member, attempt: Attempt, answer: Answer) -> None:
    if isinstance(answer, Away):
        logger.warning("%s may also run row %d, which has ended: %s", server.url, attempt.row.index, answer.why)


def _nothing(answer: Answer) -> None:
    """Ignore the answer to `Forget`: an agent that is gone has nothing left to forget."""
