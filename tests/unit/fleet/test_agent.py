"""The agent of one server, with a server in memory."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.documents import BLANK
from tests.support.batch_server import BatchServer, Item

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.batch import recovery
from invokeai_py_client.errors import ClientClosedError
from invokeai_py_client.fleet.agent import ServerAgent
from invokeai_py_client.fleet.calls import Cancel, Done, Ended, Prepare, Ready, RunRow, Unprepared
from invokeai_py_client.live.enqueue import EnqueueTimes
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def prepare(server: BatchServer, tmp_path: Path) -> Prepare:
    with InvokeAIClient.from_url(server.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(BLANK))
        text = wf.plan({"Width": [64, 128, 192]}).save(tmp_path / "plan.json").read_bytes()
    return Prepare("batch", text, str(tmp_path), "default", Priority.NORMAL, "none", [(0, 0)])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for what may be on its way."""
    monkeypatch.setattr(recovery, "TIMES", EnqueueTimes(grace=0.3, grace_per_item=0))


@asynccontextmanager
async def agent_of(server: BatchServer) -> AsyncIterator[ServerAgent]:
    engine = Engine("agent")
    try:
        yield ServerAgent(Settings(server.url), engine)
    finally:
        await engine.aclose()


def run_row(number: int) -> RunRow:
    return RunRow("batch", number - 1, f"row-{number}", f"batch-{number}", number)


async def test_the_queue_is_not_asked_for_a_row_that_cannot_be_there(server: BatchServer, prepare: Prepare) -> None:
    async with agent_of(server) as agent:
        assert isinstance(await agent.answer(prepare), Ready)
        for number in (1, 2, 3):
            assert isinstance(await agent.answer(run_row(number)), Ended)
    assert (server.requests["enqueue_batch"], server.requests["batch_status"]) == (3, 0)


async def test_a_call_that_is_carried_out_twice_runs_its_row_once(server: BatchServer, prepare: Prepare) -> None:
    async with agent_of(server) as agent:
        await agent.answer(prepare)
        at_once = await asyncio.gather(agent.answer(run_row(2)), agent.answer(run_row(2)))
        later = await agent.answer(run_row(2))
        # It was overtaken on its way, so it might have been sent.
        await agent.answer(run_row(1))
    assert [isinstance(one, Ended) for one in (*at_once, later)] == [True] * 3
    assert len(server.items) == 2
    assert server.requests["batch_status"] > 0


async def test_a_call_that_is_carried_out_again_after_a_restart_of_the_agent(
    server: BatchServer, prepare: Prepare
) -> None:
    async with agent_of(server) as agent:
        await agent.answer(prepare)
        await agent.answer(run_row(1))
    async with agent_of(server) as agent:
        assert isinstance(await agent.answer(run_row(1)), Unprepared)
        # The driver says which rows it has sent before.
        await agent.answer(dataclasses.replace(prepare, sent=1))
        again = await agent.answer(run_row(1))
        assert isinstance(again, Ended)
        assert again.was_there
        await agent.answer(run_row(2))
        # Preparing once more forgets nothing.
        await agent.answer(prepare)
        await agent.answer(run_row(2))
    assert len(server.items) == 2


async def test_a_row_that_an_agent_does_not_know_after_a_restart_is_canceled(server: BatchServer) -> None:
    server.pause()
    server.items[1] = Item(1, "batch-1", [])
    async with agent_of(server) as agent:
        assert await agent.answer(Cancel("batch", ["batch-1"], "default")) == Done()
    assert server.items[1].status == "canceled"


async def test_a_row_that_the_server_stores_after_its_sender_has_crashed(server: BatchServer, prepare: Prepare) -> None:
    arrived, loop = asyncio.Event(), asyncio.get_running_loop()

    async def take_long() -> None:
        server.before_storing = None
        loop.call_soon_threadsafe(arrived.set)
        for _ in range(1000):
            if server.requests["batch_status"]:
                break
            await asyncio.sleep(0.01)

    server.before_storing = take_long
    async with agent_of(server) as agent:
        await agent.answer(prepare)
        sending = asyncio.create_task(agent.answer(run_row(1)))
        await arrived.wait()
    with pytest.raises(ClientClosedError):
        await sending
    async with agent_of(server) as agent:
        await agent.answer(dataclasses.replace(prepare, sent=1))
        assert isinstance(await agent.answer(run_row(1)), Ended)
    assert len(server.items) == 1
