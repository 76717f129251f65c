"""What work costs in requests, sockets, threads and tasks, as exact numbers: part of the tests.

Times are not measured here, as they differ from machine to machine. Two of them are compared, with wide slack.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.documents import node
from tests.support.batch_server import BatchServer

from invokeai_py_client import InvokeAIClient, Run, WorkflowDefinition, WorkflowHandle

WORKFLOW = {
    "name": "blank",
    "meta": {"version": "3.0.0"},
    "exposedFields": [{"nodeId": "blank", "fieldName": "width"}],
    "nodes": [node("blank", "blank_image", "1.2.2", intermediate=False, width=64, height=64, mode="RGB")],
    "edges": [],
}


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def client(server: BatchServer) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture
def wf(server: BatchServer, client: InvokeAIClient) -> WorkflowHandle:
    """A handle that has run once, so that the socket is open and the node templates are known."""
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
    wf.submit_sync().wait(20)
    server.requests.clear()
    return wf


def tasks() -> int:
    """Return how many tasks of the client are not done. The server has its own in this process."""
    alive = [one.get_coro() for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]
    return sum("invokeai_py_client" in one.cr_code.co_filename for one in alive if inspect.iscoroutine(one))


async def submit(wf: WorkflowHandle, count: int) -> list[Run]:
    return await asyncio.gather(*(wf.submit() for _ in range(count)))


def wait(runs: list[Run]) -> None:
    for run in runs:
        assert run.wait(20).status == "completed"


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_client_has_one_socket_and_two_threads_until_it_is_closed(server: BatchServer) -> None:
    before = {*threading.enumerate()}
    with InvokeAIClient.from_url(server.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
        wait([wf.submit_sync() for _ in range(3)])
        started = {*threading.enumerate()} - before
        # The other one writes what is kept in files.
        assert sum(thread.name.startswith("invokeai-client") for thread in started) == 1
        assert len(started) <= 2
    for thread in started:
        thread.join(5)
    assert not any(thread.is_alive() for thread in started)
    sockets = server.requests[""]
    assert sockets == 1
    assert server.requests - Counter({"": 1, "version": 1, "openapi.json": 1}) == {"enqueue_batch": 3}


def test_a_run_is_one_request(server: BatchServer, wf: WorkflowHandle) -> None:
    wait([wf.submit_sync()])
    assert server.requests == {"enqueue_batch": 1}


def test_many_runs_are_a_request_each_and_no_task_more_than_one(server: BatchServer, wf: WorkflowHandle) -> None:
    server.pause()
    runs = [wf.submit_sync()]
    beside_one = tasks()
    runs += asyncio.run(submit(wf, 99))
    assert tasks() == beside_one
    server.resume()
    wait(runs)
    assert server.requests == {"enqueue_batch": 100}


@pytest.mark.parametrize("rows", [1, 1000])
def test_a_batch_is_one_request_and_two_tasks(server: BatchServer, wf: WorkflowHandle, rows: int) -> None:
    server.pause()
    wait_for_one = wf.submit_sync()
    before = tasks()
    batch = wf.plan({"Width": range(1, rows + 1)}).submit()
    until(lambda: batch.counts["pending"] == rows and tasks() == before + 2)
    server.resume()
    assert batch.wait(20).counts["completed"] == rows
    wait([wait_for_one])
    assert server.requests == {"enqueue_batch": 2}


def test_a_download_is_one_request(
    server: BatchServer, client: InvokeAIClient, wf: WorkflowHandle, tmp_path: Path
) -> None:
    names = [f"{number}.png" for number in range(20)]
    assert len(client.image_repo.download_many(names, tmp_path).done) == 20
    assert server.requests == dict.fromkeys(names, 1)


def test_a_submission_costs_about_the_same_beside_many_live_runs(server: BatchServer, wf: WorkflowHandle) -> None:
    def cpu_of_fifty() -> float:
        began = time.thread_time()
        asyncio.run(submit(wf, 50))
        return time.thread_time() - began

    server.pause()
    beside_few = min(cpu_of_fifty() for _ in range(3))
    asyncio.run(submit(wf, 300))
    beside_many = min(cpu_of_fifty() for _ in range(3))
    assert beside_many < 4 * beside_few
