"""What runs on the engine for as long as the client lives goes on after any error, for a simulated day."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from typing import Any

import pytest
from tests.support.live import GRAPH, FakeQueue
from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client.errors import RejectedError, RequestTimeout, ServerError, TransportError
from invokeai_py_client.live.reconciler import SILENCE, Reconciler
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import Polling, TrackedRun
from invokeai_py_client.wire.call import Call

HOURS = 6 * 3600.0

FAILURES: list[Exception] = [
    TransportError("away", url="u", method="GET"),
    RequestTimeout("slow", url="u", method="GET", timeout=1.0),
    ServerError("500", status=500, method="GET", url="u"),
    RejectedError("422", status=422, method="GET", url="u"),
    KeyError("a bug"),
    RecursionError("a deep answer"),
    OverflowError("a number"),
    TimeoutError("a timeout"),
]


class Socket:
    """Comes and goes."""

    def __init__(self) -> None:
        self.is_connected = True
        self.epoch = 1


class FailingQueue(FakeQueue):
    """Fails most requests, each time in another way."""

    def __init__(self) -> None:
        super().__init__()
        self.is_failing = True
        self._ways = itertools.cycle(FAILURES)

    async def send(self, call: Call[Any]) -> Any:
        if self.is_failing:
            self.requests.append((call.path, ()))
            raise next(self._ways)
        return await super().send(call)


def follow(server: FakeQueue, socket: Socket) -> tuple[Reconciler, Router, TrackedRun]:
    router = Router(followed=lambda run: None, bulk_change=lambda event: None, needs_requests=lambda: None)
    reconciler = Reconciler(server, VirtualEngine(), router, socket)
    run = router.follow(RunState("b", "default", GRAPH))
    run.state.enqueued([1])
    reconciler.schedule(run)
    reconciler.start()
    return reconciler, router, run


async def seconds_until_over(run: TrackedRun) -> float:
    began = now()
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    run.waiters.add(waiter)
    async with asyncio.timeout(600):
        await waiter
    return now() - began


@in_virtual_time
async def test_the_reconciler_survives_hours_of_failures_of_every_kind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "invokeai_py_client")
    server, socket = FailingQueue(), Socket()
    server.put(1, status="in_progress")
    _, _, run = follow(server, socket)
    choose = random.Random(1)
    ends = now() + HOURS
    while now() < ends:
        await asyncio.sleep(choose.uniform(0, 1800))
        socket.is_connected = not socket.is_connected
        socket.epoch += socket.is_connected
    assert not run.is_over
    assert HOURS / SILENCE / 2 < len(server.requests) < HOURS / SILENCE * 1.3
    assert len(caplog.records) == 1, "a server that is away is one line of the log"
    server.is_failing = False
    server.put(1, status="completed")
    assert await seconds_until_over(run) <= 2 * SILENCE
    assert run.state.view().status == "completed"


@in_virtual_time
async def test_the_reconciler_survives_a_watcher_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    server, socket = FakeQueue(), Socket()
    server.put(1, status="in_progress")
    _, router, run = follow(server, socket)
    raised = 0

    def watcher(_: object) -> None:
        nonlocal raised
        raised += 1
        if raised < 3:
            raise ZeroDivisionError

    run.watch(watcher)
    await asyncio.sleep(60)
    server.put(1, status="completed")
    assert await seconds_until_over(run) <= 2 * SILENCE
    assert not router.is_followed(run)
    assert "ZeroDivisionError" in caplog.text


class BrokenPolling(Polling):
    """A wait whose pauses cannot be worked out."""

    @property
    def pause(self) -> float:
        raise OverflowError("a pause that cannot be worked out")


@in_virtual_time
async def test_the_reconciler_survives_an_error_outside_of_its_requests(caplog: pytest.LogCaptureFixture) -> None:
    server, socket = FakeQueue(), Socket()
    server.put(1, status="in_progress")
    reconciler, _, run = follow(server, socket)
    await asyncio.sleep(1)
    run.pollings.append(BrokenPolling((1.0,)))
    socket.is_connected = False
    reconciler.check(run)
    await asyncio.sleep(120)
    assert "OverflowError" in caplog.text
    run.pollings.clear()
    server.put(1, status="completed")
    reconciler.check(run)
    assert await seconds_until_over(run) <= SILENCE
