"""Batches on simulated servers, in virtual time: the driver of a fleet is the real one, and so is all of the batch.

Example:
    >>> simulation = Simulation(["model"] * 100)
    >>> simulation.add_server("fast", 1.0)
    >>> simulation.add_server("slow", 4.0)
    >>> simulation.run()
    81.2
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import now, run_in_virtual_time

from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.batch_run import AsyncBatchRun
from invokeai_py_client.batch.manifest import BatchRow
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.batch.submission import begin
from invokeai_py_client.fleet.calls import (
    Answer,
    Away,
    Call,
    Cancel,
    ComeBack,
    Done,
    Ended,
    Look,
    Looks,
    Prepare,
    Ready,
    Refused,
    RunRow,
    Seen,
    Settle,
    Settled,
)
from invokeai_py_client.fleet.cluster import Watcher
from invokeai_py_client.fleet.driver import FleetDriver
from invokeai_py_client.live.state.queue_item import QueueItem

NOTICED_AFTER = 3.0
"""Seconds after which the calls of a server that has died are answered."""


class SimulatedPlan:
    """Rows that need one model each."""

    workflow = "simulated"
    columns = ("Row",)
    invalid = 0

    def __init__(self, models: Sequence[str]) -> None:
        self._models = models

    def __len__(self) -> int:
        return len(self._models)

    def __iter__(self) -> Iterator[PlannedRow]:
        return map(self.row, range(len(self)))

    def row(self, index: int) -> PlannedRow:
        return PlannedRow(index, f"row-{index}", {"Row": index}, None)

    def groups_and_models(self) -> Iterator[tuple[Sequence[int], frozenset[str]]]:
        rows: dict[str, list[int]] = {}
        for index, model in enumerate(self._models):
            rows.setdefault(model, []).append(index)
        for model, indexes in rows.items():
            yield indexes, frozenset([model])


@dataclass(eq=False)
class Item:
    """A row in the queue of a server."""

    call: RunRow
    status: str = "pending"
    error: str | None = None
    answer: Callable[[Answer], None] | None = None
    was_there: bool = False
    """Whether it was in the queue before the latest call for it."""
    timer: asyncio.TimerHandle | None = None


@dataclass(eq=False)
class SimulatedServer:
    """Runs rows one after the other in each slot.

    Attributes:
        seconds: what a row takes.
        told: how many slots it may have, if it does not say how many it has.
        load: what it takes longer if its model is not loaded.
        unable: the groups that it cannot run.
        fails: gives the error of a row that fails here.
        refuses: gives why a row cannot run here, which is seen only when it is sent.
        hangs: gives whether the answer to a call is lost.
    """

    url: str
    seconds: float
    slots: int = 1
    told: int | None = None
    load: float = 0.0
    device: str = ""
    unable: Mapping[int, str] = field(default_factory=dict)
    fails: Callable[[int], str | None] = lambda index: None
    refuses: Callable[[int], str | None] = lambda index: None
    hangs: Callable[[Call], bool] = lambda call: False
    is_alive: bool = True
    loaded: str | None = None
    items: dict[str, Item] = field(default_factory=dict)
    waiting: deque[Item] = field(default_factory=deque)
    running: list[Item] = field(default_factory=list)
    comes_back: list[Callable[[Answer], None]] = field(default_factory=list)


class Simulation:
    """A batch on simulated servers; it is the `Cluster` of the driver.

    Args:
        models: the model of each row, in the order in which rows are given.
        noise: by how much the duration of a row varies, as a part of it.
        seed: of the noise.
    """

    def __init__(self, models: Sequence[str], *, noise: float = 0.1, seed: int = 1) -> None:
        self.models = models
        self.loads = 0
        self.done: Counter[int] = Counter()
        """How often each row has run to its end."""
        self.done_by: Counter[str] = Counter()
        """How many rows each server has run to their end."""
        self.calls: Counter[str] = Counter()
        """How many calls of each kind were made."""
        self.rows: list[BatchRow] = []
        """What the batch says of its rows."""
        self.deadly: dict[SimulatedServer, set[int]] = {}
        """The rows that kill a server while it runs them."""
        self.loses: Callable[[Call], bool] = lambda call: False
        """Gives whether a call is lost before it comes to the server."""
        self._noise = noise
        self._random = random.Random(seed)
        self._servers: dict[str, SimulatedServer] = {}
        self._watchers: list[Watcher] = []
        self._agenda: list[tuple[float, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._began_at: float | None = None
        self._has_begun = asyncio.Event()

    # What a test plans

    def add_server(self, url: str, seconds: float, *, at: float = 0.0, **facts: Any) -> SimulatedServer:
        """Have a server join at a time, in seconds after the first row is sent."""
        server = SimulatedServer(url, seconds, **facts)
        if at:
            self.plan(at, lambda: self._join(server))
        else:
            self._join(server)
        return server

    def kill(self, server: SimulatedServer, at: float) -> None:
        """Have a server die at a time."""
        self.plan(at, lambda: self._die(server))

    def restart(self, server: SimulatedServer, at: float) -> None:
        """Start a server again that has died."""
        self.plan(at, lambda: self._come_back(server))

    def leave(self, server: SimulatedServer, at: float) -> None:
        """Have what speaks to a server be gone; the server runs on."""
        self.plan(at, lambda: self.lose(server))

    def lose(self, server: SimulatedServer) -> None:
        """Have what speaks to a server be gone now."""
        for item in server.items.values():
            item.answer = None
        for watcher in self._watchers:
            watcher.left(server.url, "its worker is gone")

    def rejoin(self, server: SimulatedServer, at: float) -> None:
        """Have something speak to a server again."""
        self.plan(at, lambda: self._join(server))

    def plan(self, at: float, happen: Callable[[], None]) -> None:
        """Have something happen at a time."""
        self._agenda.append((at, happen))

    # The batch

    async def until(self, at: float) -> None:
        """Wait until a time, in seconds after the first row is sent."""
        await self._has_begun.wait()
        assert self._began_at is not None
        await asyncio.sleep(self._began_at + at - now())

    def run(self, **options: Any) -> float:
        """Run the batch; return how many seconds it took."""
        return run_in_virtual_time(self._run(options))

    async def _run(self, options: dict[str, Any]) -> float:
        batch = await self.begin(**options)
        await batch.wait()
        assert self._began_at is not None
        seconds = now() - self._began_at
        self.rows = await batch.results()
        return seconds

    async def begin(self, *, overwrite: bool = False, **options: Any) -> AsyncBatchRun:
        """Begin the batch, in virtual time."""
        engine = VirtualEngine()
        plan = SimulatedPlan(self.models)
        driver = FleetDriver(plan, b"", "", self)
        runner = await begin(
            plan,
            driver,
            engine,
            folder=options.pop("folder", None),
            options=BatchOptions(**options),
            save=lambda path: path.write_text("{}"),
            make_report=_no_report,
            overwrite=overwrite,
        )
        return AsyncBatchRun(engine, _no_transport, runner)

    # The cluster

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        self._watchers.append(watcher)
        for url in self._servers:
            watcher.joined(url)
        return lambda: self._watchers.remove(watcher)

    def submit(self, server: str, call: Call, done: Callable[[Answer], None]) -> Callable[[], None]:
        if self._began_at is None and isinstance(call, RunRow):
            self._began_at = now()
            self._has_begun.set()
            for at, happen in self._agenda:
                asyncio.get_running_loop().call_later(at, happen)
        self.calls[type(call).__name__] += 1
        is_wanted = True

        def answer(answer: Answer) -> None:
            if is_wanted:
                done(answer)

        def drop() -> None:
            nonlocal is_wanted
            is_wanted = False

        # Never before `submit` has returned.
        asyncio.get_running_loop().call_soon(self._take, self._servers[server], call, answer)
        return drop

    def _take(self, server: SimulatedServer, call: Call, answer: Callable[[Answer], None]) -> None:
        if self.loses(call):
            answer(Away("worker", "the call was lost"))
            return
        if server.hangs(call):
            return
        if isinstance(call, ComeBack):
            if server.is_alive:
                answer(Done())
            else:
                server.comes_back.append(answer)
            return
        if not server.is_alive:
            asyncio.get_running_loop().call_later(NOTICED_AFTER, answer, Away("dead", "connection refused"))
            return
        match call:
            case Prepare():
                answer(Ready(server.told or server.slots, server.unable, server.device, server.told is None))
            case RunRow():
                self._take_row(server, call, answer)
            case Cancel():
                for item_batch in call.item_batches:
                    self._cancel(server, item_batch)
                answer(Done())
            case Settle():
                answer(self._settled(server, call))
            case Look():
                looks = {one: Looks(server.items[one].status, 0.0) for one in call.item_batches if one in server.items}
                answer(Seen(looks, 0))
            case _:
                answer(Done())

    # The servers

    def _join(self, server: SimulatedServer) -> None:
        self._servers[server.url] = server
        for watcher in self._watchers:
            watcher.joined(server.url)

    def _die(self, server: SimulatedServer) -> None:
        server.is_alive = False
        loop = asyncio.get_running_loop()
        for item in server.running:
            item.status = "canceled"
            assert item.timer is not None
            item.timer.cancel()
        for item in [*server.running, *server.waiting]:
            if item.answer is not None:
                loop.call_later(NOTICED_AFTER, item.answer, Away("dead", "connection refused"))
                item.answer = None
        server.running.clear()
        server.loaded = None

    def _come_back(self, server: SimulatedServer) -> None:
        server.is_alive = True
        self._start(server)
        for answer in server.comes_back:
            answer(Done())
        server.comes_back.clear()

    def _take_row(self, server: SimulatedServer, call: RunRow, answer: Callable[[Answer], None]) -> None:
        item = server.items.get(call.item_batch)
        why = server.refuses(call.index)
        if why is not None:
            answer(Refused(why))
            return
        if item is None:
            item = server.items[call.item_batch] = Item(call)
            server.waiting.append(item)
            item.answer = answer
            self._start(server)
            return
        item.was_there = True
        if item.status in ("pending", "in_progress"):
            item.answer = answer
        else:
            answer(self._outcome(item))

    def _start(self, server: SimulatedServer) -> None:
        loop = asyncio.get_running_loop()
        while server.is_alive and server.waiting and len(server.running) < server.slots:
            item = server.waiting.popleft()
            seconds = server.seconds * self._random.uniform(1 - self._noise, 1 + self._noise)
            model = self.models[item.call.index]
            if server.loaded != model:
                server.loaded = model
                self.loads += 1
                seconds += server.load
            item.status = "in_progress"
            server.running.append(item)
            item.timer = loop.call_later(seconds, self._end, server, item)
            if item.call.index in self.deadly.get(server, ()):
                loop.call_later(seconds / 2, self._die, server)

    def _end(self, server: SimulatedServer, item: Item) -> None:
        server.running.remove(item)
        item.error = server.fails(item.call.index)
        item.status = "completed" if item.error is None else "failed"
        if item.error is None:
            self.done[item.call.index] += 1
            self.done_by[server.url] += 1
        self._answer(item)
        self._start(server)

    def _cancel(self, server: SimulatedServer, item_batch: str) -> None:
        item = server.items.get(item_batch)
        if item is None or item.status not in ("pending", "in_progress"):
            return
        if item.status == "pending":
            server.waiting.remove(item)
        else:
            server.running.remove(item)
            assert item.timer is not None
            item.timer.cancel()
        item.status = "canceled"
        self._answer(item)
        self._start(server)

    def _settled(self, server: SimulatedServer, call: Settle) -> Settled:
        ended: list[tuple[str, int, Ended]] = []
        for chunk, _ in call.chunks:
            self._cancel(server, chunk.batch_id)
            item = server.items.get(chunk.batch_id)
            if item is not None and item.status in ("completed", "failed"):
                item.was_there = True
                ended.append((chunk.batch_id, 0, self._outcome(item)))
        return Settled(ended)

    def _answer(self, item: Item) -> None:
        if item.answer is not None:
            item.answer(self._outcome(item))
            item.answer = None

    def _outcome(self, item: Item) -> Ended:
        ended = QueueItem(
            item_id=next(self._numbers),
            batch_id=item.call.item_batch,
            queue_id="default",
            status=item.status,
            error=item.error,
            canceled_by="client" if item.status == "canceled" else None,
        )
        return Ended(ended, {}, item.was_there)


def _no_report(path: Any) -> Any:
    raise AssertionError("no simulation has a report")


def _no_transport(url: str | None) -> Any:
    raise AssertionError("a simulation sends no request")
