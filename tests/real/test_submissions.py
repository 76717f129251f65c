"""Submissions that are given up, sent twice, or to be found again, on the real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from invokeai_py_client import BatchStatus, InvokeAIClient, WorkflowDefinition, WorkflowHandle


@pytest.fixture
def wf(client: InvokeAIClient, sleep: dict[str, Any]) -> WorkflowHandle:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.set_many({"Steps": 1, "Seconds": 0.0})
    return wf


@pytest.fixture
def paused(client: InvokeAIClient) -> Iterator[None]:
    client.queue.pause()
    yield
    client.queue.clear()
    client.queue.resume()


async def when_withdrawn(client: InvokeAIClient, batch_id: str) -> BatchStatus:
    """Wait until nothing of a batch that was given up is left to run, and return its state.

    Where the server is busy, the withdrawal continues after the submission has returned.
    """
    async with asyncio.timeout(60):
        while True:
            status = await client.aio.queue.get_batch_status(batch_id)
            if not status.pending and not status.in_progress:
                return status
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("runs", [1, 1000, 5000])
async def test_nothing_of_a_submission_that_is_given_up_is_left_to_run(
    client: InvokeAIClient, wf: WorkflowHandle, paused: None, runs: int, caplog: pytest.LogCaptureFixture
) -> None:
    given_up: list[str] = []
    is_one_stored = False
    for delay in (0.002, 0.01, 0.03, 0.1, 0.3, 0.6, 1.2, 2.4):
        if is_one_stored and delay > 0.3:
            # The longer ones are for busy machines.
            break
        batch_id = str(uuid4())
        try:
            async with asyncio.timeout(delay):
                await wf.submit(runs=runs, batch_id=batch_id)
        except TimeoutError:
            given_up.append(batch_id)
            is_one_stored |= (await when_withdrawn(client, batch_id)).total > 0
    # The server may have stored a batch only after its state was read above.
    for batch_id in given_up:
        status = await when_withdrawn(client, batch_id)
        assert status.canceled == status.total
        assert status.total in (0, runs)
    assert is_one_stored or runs == 1, "no submission was given up while the server stored it"
    assert "may be in the queue" not in caplog.text


def test_a_chosen_id_is_sent_once_by_whatever_client(
    client: InvokeAIClient, wf: WorkflowHandle, sleep: dict[str, Any], server: Any
) -> None:
    batch_id = str(uuid4())
    run = wf.submit_sync(runs=2, batch_id=batch_id)
    assert run.batch_id == batch_id
    assert wf.submit_sync(runs=2, batch_id=batch_id).item_ids == run.item_ids
    end = run.wait(30)
    # It has ended, and another process finds it.
    with InvokeAIClient.from_url(server.url) as other:
        handle = other.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
        again = handle.submit_sync(runs=2, batch_id=batch_id)
        assert again.item_ids == run.item_ids
        assert again.wait(30).status == end.status == "completed"
    assert client.queue.get_batch_status(batch_id).total == 2


def test_ones_own_items_are_distinguished_and_canceled_together(
    client: InvokeAIClient, wf: WorkflowHandle, paused: None
) -> None:
    mine = [wf.submit_sync(destination="my walls", origin="my program") for _ in range(3)]
    other = wf.submit_sync()
    item = client.queue.get_item(mine[0].item_id)
    assert (item.destination, item.origin) == ("my walls", "my program")
    item = client.queue.get_item(other.item_id)
    assert (item.destination, item.origin) == ("gallery", "workflows")
    assert [*client.runs(destination="my walls")] == [run.batch_id for run in mine]
    assert [*client.runs(origin="my program")] == [run.batch_id for run in mine]
    assert client.queue.cancel_by_destination("my walls").canceled == 3
    assert {run.wait(30).canceled_by for run in mine} == {"client"}
    assert other.status == "pending"


def requests_of(client: InvokeAIClient) -> int:
    return sum(sum(outcomes.values()) for outcomes in client.stats().requests.values())


async def test_many_runs_are_found_with_one_look(server: Any, client: InvokeAIClient, wf: WorkflowHandle) -> None:
    sent = [await wf.submit(runs=2) for _ in range(8)]
    for run in sent[:4]:
        await run.aio.wait(30)
    wanted = [run.batch_id for run in sent[::-1]] + ["never sent"]
    async with InvokeAIClient.from_url(server.url) as other:
        await other.aio.queue.get_status()
        before = requests_of(other)
        found = await other.aio.runs(wanted)
        assert [*found] == [run.batch_id for run in sent]
        # The ids, the items, and the whole items of those that have ended; then the state of those that have not.
        assert requests_of(other) - before <= 6
        assert [run.item_ids for run in found.values()] == [run.item_ids for run in sent]
        assert [found[run.batch_id].status for run in sent[:4]] == ["completed"] * 4
        assert [len(found[run.batch_id].item.outputs) for run in sent[:4]] == [2] * 4
        ends = [await run.wait(30) for run in found.values()]
        assert [(end.status, len(end.outputs)) for end in ends] == [("completed", 2)] * 8
        assert await other.aio.runs([]) == {}


def test_runs_takes_ids_or_a_filter(client: InvokeAIClient) -> None:
    with pytest.raises(TypeError, match="batch_ids, a destination or an origin"):
        client.runs()
    with pytest.raises(TypeError, match="several ids"):
        client.runs("one")


async def test_a_stream_of_a_submission_takes_what_a_submission_takes(
    client: InvokeAIClient, sleep: dict[str, Any]
) -> None:
    wf = await asyncio.to_thread(client.workflow_repo.create_workflow, WorkflowDefinition.from_dict(sleep))
    wf.set_many({"Steps": 1, "Seconds": 0.0})
    batch_id = str(uuid4())
    events = [
        event async for event in wf.submit_sync_monitor_async(batch_id=batch_id, runs=2, destination="d", origin="o")
    ]
    assert {event["batch_id"] for event in events if "batch_id" in event} == {batch_id}
    items = [*client.runs([batch_id])[batch_id].item_ids]
    assert len(items) == 2
    assert {(item.destination, item.origin) for item in client.queue.get_items_by_ids(items)} == {("d", "o")}
