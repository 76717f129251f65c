"""A server that answers requests, but whose processor has died."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.live import GRAPH, FakeQueue
from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client.errors import NotFoundError, ProcessorStoppedError, ServerError
from invokeai_py_client.live.processor import ProcessorWatch
from invokeai_py_client.live.reconciler import Reconciler
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.wire.call import Call
from invokeai_py_client.wire.calls import queue


class BrokenQueue(FakeQueue):
    """Answers 500 to whatever would have to read the item in progress, as long as its processor is dead."""

    can_read = False

    async def send(self, call: Call[Any]) -> Any:
        if self.is_processor_dead and not self.can_read and not call.path.endswith("/status"):
            assert call.path.startswith("/api/v1/queue/default/")
            self.requests.append((call.path, ()))
            raise ServerError("500", status=500, method=call.method, url=call.path)
        return await super().send(call)


@dataclass
class Connection:
    is_connected: bool = True
    epoch: int = 1


async def test_a_processor_that_is_at_work_is_not_a_cause_for_alarm() -> None:
    server = BrokenQueue()
    watch = ProcessorWatch(server)
    assert await watch.check("default") is None
    server.put(1, status="in_progress")
    assert await watch.check("default") is None
    assert not watch.is_suspected("default")


@in_virtual_time
async def test_one_look_is_not_believed() -> None:
    server = BrokenQueue()
    server.put(1, status="in_progress")
    server.is_processor_dead = True
    watch = ProcessorWatch(server)
    assert await watch.check("default") is None
    assert watch.is_suspected("default")
    server.is_processor_dead = False
    await asyncio.sleep(60)
    assert await watch.check("default") is None
    assert not watch.is_suspected("default")
    server.is_processor_dead = True
    assert await watch.check("default") is None, "it begins anew"


@in_virtual_time
async def test_a_second_look_confirms_it_where_the_item_cannot_be_read() -> None:
    server = BrokenQueue()
    server.put(7, status="in_progress")
    server.is_processor_dead = True
    watch = ProcessorWatch(server)
    assert await watch.check("default") is None
    await asyncio.sleep(1)
    stopped = await watch.check("default")
    assert stopped is not None
    assert (stopped.item_id, stopped.queue_id) == (7, "default")
    assert "item 7 of the queue 'default' is in progress" in str(stopped)
    assert "Restart the server" in str(stopped)


@pytest.mark.parametrize(
    "answer",
    [
        ServerError("busy", status=503, method="GET", url="u"),
        NotFoundError("gone", status=404, method="GET", url="u"),
    ],
)
@in_virtual_time
async def test_another_failure_to_read_the_item_proves_nothing(answer: Exception) -> None:
    server = FakeQueue()
    server.put(7, status="in_progress")
    server.is_processor_dead = True
    watch = ProcessorWatch(server)
    status = await server.send(queue.get_queue_status("default"))
    assert await watch.check("default", status) is None
    await asyncio.sleep(1)
    server.failures = [answer]
    assert await watch.check("default", status) is None
    assert server.failures == []
    assert watch.is_suspected("default")


@in_virtual_time
async def test_an_item_of_another_user_is_not_named() -> None:
    server = FakeQueue()
    server.put(7, status="in_progress")
    server.is_processor_dead = True
    status = await server.send(queue.get_queue_status("default"))
    status = status.model_copy(update={"queue": status.queue.model_copy(update={"item_id": None})})
    watch = ProcessorWatch(server)
    assert await watch.check("default", status) is None
    await asyncio.sleep(59)
    assert await watch.check("default", status) is None
    await asyncio.sleep(1)
    stopped = await watch.check("default", status)
    assert stopped is not None
    assert stopped.item_id is None
    assert "an item of the queue 'default' is in progress" in str(stopped)


@in_virtual_time
async def test_an_item_that_can_be_read_may_take_long_to_start() -> None:
    server = BrokenQueue()
    server.can_read = True
    server.put(7, status="in_progress")
    server.is_processor_dead = True
    watch = ProcessorWatch(server)
    for _ in range(6):
        assert await watch.check("default") is None
        await asyncio.sleep(10)
    assert isinstance(await watch.check("default"), ProcessorStoppedError)


class StuckQueue(FakeQueue):
    """Has an item that the server cannot run, nor even read: each attempt to take it out of the queue fails."""

    next_status = 500

    async def send(self, call: Call[Any]) -> Any:
        if call.path.endswith("/next"):
            raise ServerError("validation error", status=self.next_status, method=call.method, url=call.path)
        return await super().send(call)


@in_virtual_time
async def test_a_next_item_that_cannot_be_read_stops_all_others() -> None:
    server = StuckQueue()
    server.put(7, 8)
    watch = ProcessorWatch(server)
    assert await watch.check("default") is None, "the processor looks for items every second"
    assert watch.is_suspected("default")
    await asyncio.sleep(0.9)
    assert await watch.check("default") is None
    await asyncio.sleep(0.1)
    stopped = await watch.check("default")
    assert stopped is not None
    assert "2 items of the queue 'default' are pending" in str(stopped)
    assert "clear" in stopped.hint


@pytest.mark.parametrize("next_status", [503, 404])
@in_virtual_time
async def test_pending_items_that_are_not_run_prove_nothing_by_themselves(next_status: int) -> None:
    server = StuckQueue()
    server.next_status = next_status
    server.put(7)
    watch = ProcessorWatch(server)
    for _ in range(10):
        assert await watch.check("default") is None
        await asyncio.sleep(60)


@in_virtual_time
async def test_a_paused_processor_may_leave_items_pending() -> None:
    server = StuckQueue()
    server.put(7)
    status = await server.send(queue.get_queue_status("default"))
    paused = status.model_copy(update={"processor": status.processor.model_copy(update={"is_started": False})})
    watch = ProcessorWatch(server)
    for _ in range(3):
        assert await watch.check("default", paused) is None
        await asyncio.sleep(60)
    assert not watch.is_suspected("default")


@in_virtual_time
async def test_another_item_in_progress_is_a_processor_that_works() -> None:
    server = BrokenQueue()
    server.can_read = True
    server.is_processor_dead = True
    watch = ProcessorWatch(server)
    for item_id in range(1, 20):
        server.items.clear()
        server.put(item_id, status="in_progress")
        assert await watch.check("default") is None
        await asyncio.sleep(10)


def followed(server: FakeQueue, connection: Connection, router: Router | None = None) -> tuple[Reconciler, TrackedRun]:
    if router is None:
        router = Router(followed=lambda run: None, bulk_change=lambda event: None, needs_requests=lambda: None)
    reconciler = Reconciler(server, VirtualEngine(), router, connection)
    run = router.follow(RunState("b", "default", GRAPH))
    run.state.enqueued([1])
    reconciler.schedule(run)
    reconciler.start()
    return reconciler, run


async def end_of(run: TrackedRun) -> None:
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    run.waiters.add(waiter)
    await waiter


@pytest.mark.parametrize("can_read", [False, True])
@pytest.mark.parametrize("is_connected", [False, True])
@in_virtual_time
async def test_a_wait_does_not_outlast_a_processor_that_has_died(can_read: bool, is_connected: bool) -> None:
    server = BrokenQueue()
    server.can_read = can_read
    server.put(1, status="in_progress")
    server.is_processor_dead = True
    _, run = followed(server, Connection(is_connected))
    began = now()
    async with asyncio.timeout(600):
        await end_of(run)
    assert isinstance(run.failure, ProcessorStoppedError)
    assert now() - began < (95 if can_read else 20)


@in_virtual_time
async def test_runs_of_a_processor_that_has_died_are_not_followed_any_more() -> None:
    server = BrokenQueue()
    server.put(1, status="in_progress")
    server.is_processor_dead = True
    router = Router(followed=lambda run: None, bulk_change=lambda event: None, needs_requests=lambda: None)
    _, run = followed(server, Connection(), router)
    async with asyncio.timeout(600):
        await end_of(run)
    assert [*router.live()] == []


@in_virtual_time
async def test_the_processor_is_looked_after_again_and_again() -> None:
    server = BrokenQueue()
    server.put(1, status="in_progress")
    _, run = followed(server, Connection())
    await asyncio.sleep(100)
    assert len(server.asked("status")) >= 4
    server.is_processor_dead = True
    began = now()
    async with asyncio.timeout(600):
        await end_of(run)
    assert isinstance(run.failure, ProcessorStoppedError)
    assert now() - began < 20


@in_virtual_time
async def test_a_node_that_takes_an_hour_is_waited_for() -> None:
    server = BrokenQueue()
    server.put(1, status="in_progress")
    _, run = followed(server, Connection())
    await asyncio.sleep(3600)
    assert not run.is_over
    server.put(1, status="completed")
    async with asyncio.timeout(60):
        await end_of(run)
    assert run.failure is None
    assert run.state.view().status == "completed"
    assert len(server.asked("status")) <= 3600 / 13


@in_virtual_time
async def test_a_server_that_answers_500_for_a_while_is_asked_again() -> None:
    server = BrokenQueue()
    server.put(1, status="in_progress")
    server.failures = [ServerError("500", status=500, method="POST", url="u") for _ in range(20)]
    _, run = followed(server, Connection())
    await asyncio.sleep(300)
    assert not run.is_over
    server.put(1, status="completed")
    async with asyncio.timeout(60):
        await end_of(run)
    assert run.failure is None
