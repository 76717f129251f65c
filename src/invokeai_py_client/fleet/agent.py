"""The agent of one server of a fleet: it carries out the calls of the batches with a client of that server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.async_client import AsyncClient
from invokeai_py_client.batch.async_plan import AsyncPlan
from invokeai_py_client.batch.control import FATAL, one_line
from invokeai_py_client.batch.downloads import images_of
from invokeai_py_client.batch.journal import SentChunk, SentRow
from invokeai_py_client.batch.plan_data import PlanGroup
from invokeai_py_client.batch.plan_file import read_plan_text
from invokeai_py_client.batch.recovery import FoundChunk, cancel_batches, find, find_late
from invokeai_py_client.batch.rows import GroupBodies
from invokeai_py_client.batch.sender import enqueue
from invokeai_py_client.errors import (
    ClientClosedError,
    InvokeAIError,
    NotFoundError,
    ProcessorStoppedError,
    TransportError,
)
from invokeai_py_client.fleet.calls import (
    Answer,
    Away,
    Call,
    Cancel,
    ComeBack,
    Done,
    Ended,
    Forget,
    Look,
    Looks,
    Prepare,
    Ready,
    Refused,
    RunRow,
    Seen,
    Settle,
    Settled,
    Unprepared,
)
from invokeai_py_client.fleet.devices import devices_in_use
from invokeai_py_client.fleet.health import Health
from invokeai_py_client.fleet.status import AskStatus, ServerReader
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import images, queue

logger = logging.getLogger("invokeai_py_client.fleet")

_DOWNLOADS = 4
"""How many images are fetched from one server at the same time."""

_SETTLING = 20.0
"""Seconds to wait for items to end after they have been canceled."""

_COMING_BACK = (0.2, 0.5, 1.0)
"""Seconds between two requests to a server that is away; the last value is repeated."""


@dataclasses.dataclass(slots=True)
class _Plan:
    """A plan on this server, with the bodies of its graphs that have been prepared."""

    call: Prepare
    plan: AsyncPlan
    sent: int
    """The highest number of a row that may have been sent."""
    bodies: dict[tuple[Any, ...], asyncio.Task[GroupBodies]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class _Row:
    """A row that is being run."""

    run: TrackedRun | None = None
    task: asyncio.Task[Answer] | None = None


class ServerAgent:
    """One server of a fleet and its client. Calls may come from any event loop.

    Args:
        settings: the settings of the client.
        engine: the engine that runs the client.
        slots: how many rows the server runs at the same time; None for one on each device that it reports.
        name: the name of the server; by default its URL.
    """

    def __init__(self, settings: Settings, engine: Engine, slots: int | None = None, name: str | None = None) -> None:
        self.http = HttpTransport(settings, engine)
        self.tracker = RunTracker(self.http, engine)
        self.client = AsyncClient(engine, self.http, self.tracker)
        self._engine = engine
        self._slots = slots
        self.status = ServerReader(self.http, slots=slots, name=name)
        self._health = Health(self.http, self.tracker, engine)
        self._plans: dict[str, _Plan] = {}
        self._rows: dict[str, _Row] = {}
        self._canceled: set[str] = set()
        self._downloads = asyncio.Semaphore(_DOWNLOADS)

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self.http.settings.url

    async def answer(self, call: Call) -> Answer:
        """Carry out a call. A problem with the server is returned as an answer, not raised."""
        return await self._engine.call(self._answer(call))

    async def _answer(self, call: Call) -> Answer:
        try:
            match call:
                case RunRow():
                    return await self._run_row(call)
                case Prepare():
                    return await self._prepare(call)
                case ComeBack():
                    return await self._come_back(call.seconds)
                case Look():
                    return await self._look(call)
                case Settle():
                    return await self._settle(call)
                case AskStatus():
                    return await self.status.read(call)
                case Cancel():
                    return await self._cancel(call)
                case Forget():
                    return self._forget(call)
        except ClientClosedError:
            raise
        except InvokeAIError as error:
            return _away(error)

    # Plans

    async def check_answers(self) -> None:
        """Check that the server responds, without retries.

        Raises:
            InvokeAIError: it does not.
        """
        error = await self._health.answers()
        if error is not None:
            raise error

    async def _prepare(self, call: Prepare) -> Answer:
        await self.check_answers()
        saved = await asyncio.to_thread(read_plan_text, call.plan, Path(call.folder) / "plan.json")
        # A row that cannot run here may be able to run elsewhere.
        saved = dataclasses.replace(saved, skips_bad_rows=True)
        handle = await self.client.workflow_repo.create_workflow(saved.definition)
        plan = await handle._restored_plan(saved)
        unable: dict[int, str] = {}
        for number, index in call.groups:
            problems = await plan._bodies.problems(index)
            if problems:
                unable[number] = "; ".join(problems)
        earlier = self._plans.get(call.batch_id)
        self._plans[call.batch_id] = _Plan(call, plan, call.sent if earlier is None else max(call.sent, earlier.sent))
        devices = await devices_in_use(self.http)
        slots, is_certain = self._slots or max(1, len(devices.names)), self._slots is not None or devices.are_certain
        return Ready(slots, unable, ", ".join(devices.names.values()), is_certain)

    async def _bodies_of(self, plan: _Plan, index: int) -> GroupBodies:
        """Return the bodies of the graph of a row, which are prepared once."""
        graph = plan.plan._data.graph_of(index)
        if graph not in plan.bodies:
            plan.bodies[graph] = asyncio.create_task(plan.plan._bodies.prepare(PlanGroup(plan.plan._data, [index])))
        return await plan.bodies[graph]

    def _forget(self, call: Forget) -> Answer:
        self._plans.pop(call.batch_id, None)
        for item_batch, row in self._rows.copy().items():
            if item_batch.startswith(call.batch_id) and row.task is not None:
                row.task.cancel()
        self._canceled = {one for one in self._canceled if not one.startswith(call.batch_id)}
        return Done()

    # Rows

    async def _run_row(self, call: RunRow) -> Answer:
        plan = self._plans.get(call.batch_id)
        if plan is None:
            return Unprepared()
        is_new = call.number > plan.sent
        plan.sent = max(call.number, plan.sent)
        row = self._rows[call.item_batch] = _Row()
        with self._health.watching() as lost:
            task = row.task = asyncio.create_task(self._ran(plan, call, row, is_new=is_new))
            try:
                both: set[asyncio.Future[Any]] = {task, lost}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    return task.result()
                # Only the waiting ends: a row that is in the queue stays there. One that is being sent is withdrawn.
                task.cancel()
                await asyncio.wait([task])
                return lost.result()
            finally:
                task.cancel()
                if self._rows.get(call.item_batch) is row:
                    del self._rows[call.item_batch]

    async def _ran(self, plan: _Plan, call: RunRow, row: _Row, *, is_new: bool) -> Answer:
        try:
            return await self._followed(plan, call, row, is_new=is_new)
        except InvokeAIError as error:
            if error.is_transient or isinstance(error, FATAL):
                raise
            return Refused(one_line(error))
        except Exception as error:
            # The row alone must not keep the server from running others.
            logger.exception("row %d has met an unforeseen error", call.index)
            return Refused(one_line(error))

    async def _followed(self, plan: _Plan, call: RunRow, row: _Row, *, is_new: bool) -> Answer:
        queue_id = plan.call.queue_id
        async with self.tracker.submissions.attach_or(queue_id, call.item_batch, is_new=is_new) as there:
            run = there
            if run is None and not is_new:
                # An earlier call may have ended before the server has stored the row.
                run = there = await find_late(self.tracker, queue_id, call.item_batch)
            if run is None:
                made = await self._made(plan, call)
                if not isinstance(made, dict):
                    return made
                if call.item_batch in self._canceled:
                    return Refused("it was canceled before it was sent")
                sent = SentChunk(call.item_batch, [SentRow(call.row_id, "")], queue_id, self.url)
                arrived = await enqueue(self.http, self.tracker, sent, made, priority=plan.call.priority)
                run = arrived.run if isinstance(arrived, FoundChunk) else arrived
        row.run = run
        run.keeps_history = False
        if call.item_batch in self._canceled:
            await self._cancel_runs([run])
        item = await self.tracker.wait(run, seconds=None)
        return await self._ended(item, plan.call, was_there=there is not None)

    async def _made(self, plan: _Plan, call: RunRow) -> dict[str, Any] | Refused:
        """Make the submission of a row."""
        planned = plan.plan[call.index]
        if planned.problems:
            return Refused("; ".join(map(str, planned.problems)))
        try:
            bodies = await self._bodies_of(plan, call.index)
            made = await bodies.body([planned])
        except InvokeAIError as error:
            if error.is_transient or isinstance(error, FATAL):
                raise
            return Refused(one_line(error))
        return Refused(made.refused[0][1]) if made.refused else made.body

    async def _ended(self, item: QueueItem, plan: Prepare, *, was_there: bool) -> Ended:
        found: dict[str, bytes | str] = {}
        if item.status == "completed" and plan.images != "none":
            names = [*images_of(item, with_intermediate=plan.images == "all")]
            contents = await asyncio.gather(*map(self._fetched, names))
            found = dict(zip(names, contents, strict=True))
        # The fetcher needs the client of this process, and the answer may go to another one.
        return Ended(dataclasses.replace(item, session_fetcher=None), found, was_there)

    async def _fetched(self, name: str) -> bytes | str:
        async with self._downloads:
            try:
                return await self.http.send(images.get_image_bytes(name))
            except NotFoundError:
                return f"image not found: {name}"
            except InvokeAIError as error:
                if error.is_transient or isinstance(error, FATAL):
                    raise
                return one_line(error)

    # Items in the queue

    async def _look(self, call: Look) -> Answer:
        plan = self._plans.get(call.batch_id)
        if plan is None:
            return Unprepared()
        rows: dict[str, Looks] = {}
        for item_batch in call.item_batches:
            row = self._rows.get(item_batch)
            if row is None or row.run is None:
                status = await self.http.send(queue.get_batch_status(plan.call.queue_id, item_batch))
                is_there = status.pending or status.in_progress
                rows[item_batch] = Looks("pending" if is_there else "unknown", 0.0)
            else:
                item = row.run.state.view()
                rows[item_batch] = Looks(item.status, item.progress_percentage)
        whole = (await self.http.send(queue.get_queue_status(plan.call.queue_id))).queue
        ours = sum(one.status in ("pending", "in_progress") for one in rows.values())
        return Seen(rows, max(0, whole.pending + whole.in_progress - ours))

    async def _settle(self, call: Settle) -> Answer:
        plan = self._plans.get(call.batch_id)
        if plan is None:
            return Unprepared()
        for chunk, _ in call.chunks:
            row = self._rows.get(chunk.batch_id)
            if row is not None and row.task is not None:
                row.task.cancel()
        found = await find(self.http, self.tracker, [chunk for chunk, _ in call.chunks], may_be_on_the_way=True)
        places_of = {chunk.batch_id: frozenset(places) for chunk, places in call.chunks}
        await self._cancel_runs([one.run for one in found])
        ended: list[tuple[str, int, Ended]] = []
        for one in found:
            with contextlib.suppress(TimeoutError):
                await self.tracker.wait(one.run, seconds=_SETTLING)
            for item_id, place in one.places.items():
                item = one.run.state.item(item_id)
                if place in places_of[one.chunk.batch_id] and item.status in ("completed", "failed"):
                    result = await self._ended(item, plan.call, was_there=True)
                    ended.append((one.chunk.batch_id, place, result))
        return Settled(ended)

    async def _cancel(self, call: Cancel) -> Answer:
        self._canceled.update(call.item_batches)
        rows = [self._rows[one] for one in call.item_batches if one in self._rows]
        await self._cancel_runs([row.run for row in rows if row.run is not None])
        await cancel_batches(self.http, ((call.queue_id, one) for one in call.item_batches if one not in self._rows))
        return Done()

    async def _cancel_runs(self, runs: Sequence[TrackedRun]) -> None:
        going_on = [run for run in runs if not run.is_over]
        if going_on:
            with self.tracker.canceling(going_on):
                await cancel_batches(self.http, ((run.state.queue_id, run.state.batch_id) for run in going_on))

    # The server

    async def _come_back(self, seconds: float) -> Answer:
        loop = asyncio.get_running_loop()
        until, tries = loop.time() + seconds, 0
        while (error := await self._health.answers()) is not None:
            if loop.time() >= until:
                return _away(error)
            await asyncio.sleep(_COMING_BACK[min(tries, len(_COMING_BACK) - 1)])
            tries += 1
        return Done()


def _away(error: InvokeAIError) -> Away:
    """Return why a server cannot be used, given the error of a request to it."""
    if isinstance(error, ProcessorStoppedError):
        return Away("stopped", one_line(error))
    if isinstance(error, TransportError) and error.is_transient and not error.sent:
        return Away("dead", one_line(error))
    return Away("hung" if error.is_transient else "refused", one_line(error))
