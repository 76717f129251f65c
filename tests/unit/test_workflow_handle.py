"""What becomes of a submission whose caller is gone at the moment it succeeds."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.documents import edge, node
from tests.support.scripted_server import WORKFLOW, ScriptedServer

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle, errors


async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    """The items stay pending."""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(play) as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture
def wf(client: InvokeAIClient) -> WorkflowHandle:
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))


def until_stored(server: ScriptedServer) -> None:
    """Block this thread until the server has the batch, and the engine its response."""
    deadline = time.monotonic() + 20
    while not server.items and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)


async def test_a_submission_cancelled_when_it_has_just_succeeded_is_withdrawn(
    server: ScriptedServer, wf: WorkflowHandle
) -> None:
    submission = asyncio.create_task(wf.submit())
    await asyncio.sleep(0)
    # This loop cannot hear of the success before it cancels the task.
    until_stored(server)
    submission.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submission
    assert [item["status"] for item in server.items.values()] == ["canceled"]


def test_a_blocking_submission_interrupted_when_it_has_just_succeeded_is_withdrawn(
    server: ScriptedServer, wf: WorkflowHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = concurrent.futures.Future.result

    def interrupted(future: concurrent.futures.Future[object], timeout: float | None = None) -> object:
        if threading.current_thread() is not threading.main_thread():
            # asyncio reads the results of its own threads so.
            return wait(future, timeout)
        monkeypatch.undo()
        wait(future, timeout)
        raise KeyboardInterrupt

    monkeypatch.setattr(concurrent.futures.Future, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        wf.submit_sync()
    assert [item["status"] for item in server.items.values()] == ["canceled"]


def test_a_submission_that_is_under_way_when_the_client_is_closed_names_its_batch(
    server: ScriptedServer, wf: WorkflowHandle, client: InvokeAIClient
) -> None:
    is_over = threading.Event()

    async def until_over() -> None:
        await asyncio.to_thread(is_over.wait, 30)

    server.before_response = until_over
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        submission = pool.submit(wf.submit_sync)
        until_stored(server)
        client.close()
        with pytest.raises(errors.ClientClosedError) as caught:
            submission.result(20)
    is_over.set()
    assert caught.value.may_have_been_applied
    assert {caught.value.batch_id} == {item["batch_id"] for item in server.items.values()}


async def test_problems_go_by_the_first_place_of_an_input_in_the_form(server: ScriptedServer) -> None:
    shown = [{"nodeId": "add", "fieldName": "a"}] * 2
    document = {**WORKFLOW, "nodes": [node("add", "add", "1.0.1", a="x", b="y")], "exposedFields": shown}
    async with InvokeAIClient.from_url(server.url) as client:
        wf = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
        assert len(wf.inputs) == 2
        assert {*await wf.validate_inputs()} == {0, ("add", "b")}


async def test_a_submission_that_is_not_given_up_stays(server: ScriptedServer, wf: WorkflowHandle) -> None:
    run = await wf.submit()
    assert run.status == "pending"
    assert [item["status"] for item in server.items.values()] == ["pending"]


async def test_each_submission_has_the_values_of_the_moment_at_which_it_was_called(
    server: ScriptedServer, wf: WorkflowHandle
) -> None:
    async def submit(value: int) -> None:
        wf.inputs[0].value = value
        await wf.submit()

    await asyncio.gather(*(submit(value) for value in range(20)))
    sent = [item["session"]["graph"]["nodes"]["add"]["a"] for item in server.items.values()]
    assert sorted(sent) == [*range(20)]


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"runs": 0}, "runs"),
        ({"runs": -1}, "runs"),
        ({"runs": 1.5}, "runs"),
        ({"runs": True}, "runs"),
        ({"runs": "two"}, "runs"),
        ({"on_server_loss": "Resubmit"}, "on_server_loss"),
        ({"priority": "hihg"}, "priority"),
        ({"destination": object()}, "destination"),
        ({"origin": None}, "origin"),
        ({"batch_id": 7}, "batch_id"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(
    server: ScriptedServer, wf: WorkflowHandle, options: dict[str, Any], setting: str
) -> None:
    with pytest.raises(errors.SettingsError, match=setting) as caught:
        wf.submit_sync(**options)
    assert caught.value.setting == setting
    assert not server.items


class Count:
    """An integer of another library, such as numpy's."""

    def __index__(self) -> int:
        return 2


def test_the_number_of_runs_may_be_any_integer_type(server: ScriptedServer, wf: WorkflowHandle) -> None:
    assert wf.submit_sync(runs=Count()).enqueued == 2  # type: ignore[arg-type]


SEEDED: dict[str, Any] = {
    **WORKFLOW,
    "nodes": [
        node("random", "rand_int", "1.0.1", low=0, high=10),
        node("noise", "noise", "1.0.3", seed=5, width=64, height=64),
        node("more", "noise", "1.0.3", seed=5, width=64, height=64),
    ],
    "edges": [edge("random", "value", "noise", "seed")],
}


def test_a_seed_replaces_the_edges_from_random_nodes_in_its_submission_only(
    server: ScriptedServer, client: InvokeAIClient
) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(SEEDED))
    wf.submit_sync(seed=7)
    wf.submit_sync()
    first, second = (item["session"]["graph"] for item in server.items.values())
    assert [first["nodes"][name]["seed"] for name in ("noise", "more")] == [7, 7]
    assert first["edges"] == []
    assert second["nodes"]["more"]["seed"] == 5
    assert len(second["edges"]) == 1


async def test_a_seed_that_cannot_be_used_is_refused_before_anything_is_sent(
    server: ScriptedServer, client: InvokeAIClient, wf: WorkflowHandle
) -> None:
    with pytest.raises(errors.InputNotFoundError, match="has no seed"):
        await wf.submit(seed=7)
    seeded = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_dict(SEEDED))
    with pytest.raises(errors.InputValueError, match="at most 4294967295"):
        await seeded.submit(seed=2**32)
    assert server.items == {}
