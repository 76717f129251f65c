"""How fast events come in, and how soon a wait returns: on a scripted server, and on a real one."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
from tests.conftest import SLEEP
from tests.support.scripted_server import WORKFLOW

from benchmarks.show import show
from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle
from invokeai_py_client.live.event_listener import EventListener
from invokeai_py_client.local import LocalServer

ROOT = Path(__file__).parents[1]

RUNS = 500
EVENTS = 100_000
FEW, MANY = 100, 10_000
MEASURED = 300


@contextmanager
def scripted_server(runs: int = RUNS) -> Iterator[str]:
    """A server that pushes its events when so many runs have been submitted."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scripted_server", str(runs), str(EVENTS)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def throughput() -> None:
    """One socket, 500 live runs: events a second, and the client's own CPU an event."""
    with scripted_server() as url, InvokeAIClient.from_url(url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
        runs = [wf.submit_sync() for _ in range(RUNS)]
        while not client.stats().events:
            time.sleep(0.001)
        began, cpu = time.perf_counter(), time.process_time()
        for run in runs:
            run.wait(120)
        elapsed, used = time.perf_counter() - began, time.process_time() - cpu
        events = client.stats().events
        assert events >= EVENTS
    show(f"events through one socket, {RUNS} live runs", events / elapsed, "/s", "wanted: 15,000 at least")
    show("... the client's CPU for one of them", 1e6 * used / events, "us", "wanted: 60 at most")


def submissions() -> None:
    """The client's CPU for one submission, beside few and beside many live runs that are all pending."""
    with scripted_server(runs=2 * MANY) as url, InvokeAIClient.from_url(url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))

        async def submit(count: int) -> None:
            for start in range(0, count, 50):
                await asyncio.gather(*(wf.submit() for _ in range(min(50, count - start))))

        def cpu_of_one() -> float:
            cpu = time.process_time()
            for _ in range(MEASURED):
                wf.submit_sync()
            return (time.process_time() - cpu) / MEASURED

        asyncio.run(submit(FEW))
        few = cpu_of_one()
        asyncio.run(submit(MANY - FEW - MEASURED))
        many = cpu_of_one()
    show(f"CPU of one submission beside {FEW} live runs", 1000 * few, "ms", "")
    show(f"... beside {MANY:,}", 1000 * many, "ms", f"{many / few:.2f} x; allowed: 2 x")


@contextmanager
def real_server() -> Iterator[str]:
    """A real server, on which a trivial item takes about 30 ms."""
    with tempfile.TemporaryDirectory() as folder:
        server = LocalServer(Path(folder) / "root")
        shutil.copytree(ROOT / "tests" / "node_pack", server.nodes_folder / "test_nodes")
        with server:
            yield server.url


def _nothing(client: InvokeAIClient) -> WorkflowHandle:
    """A workflow of one node that does nothing."""
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(SLEEP))
    wf.set_many({"Steps": 1, "Seconds": 0.0})
    return wf


def gathered(url: str, rounds: int = 4) -> None:
    """500 runs that are submitted and awaited together, against one batch of 500 items, and bare aiohttp.

    The server slows down as its queue grows, so the queue is emptied before each, and the order changes.

    A trivial item takes the server 10 to 15 ms of CPU, and a request to enqueue one takes it 2 to 5 ms more. So no
    client that sends 500 requests can be as fast as one batch: what it adds itself shows against bare aiohttp.
    """

    async def through_the_client(wf: WorkflowHandle, submissions: int, items: int) -> None:
        runs = await asyncio.gather(*(wf.submit(runs=items) for _ in range(submissions)))
        ends = await asyncio.gather(*(run.aio.wait() for run in runs))
        assert all(end.status == "completed" for end in ends)

    async def bare(body: bytes) -> None:
        # With more connections at a time, the server resets some.
        connector = aiohttp.TCPConnector(limit=10)
        async with aiohttp.ClientSession(f"{url}/api/v1/queue/default/", connector=connector) as session:

            async def enqueue() -> None:
                headers = {"content-type": "application/json"}
                async with session.post("enqueue_batch", data=body, headers=headers) as response:
                    response.raise_for_status()
                    await response.read()

            async def unfinished() -> int:
                async with session.get("status") as response:
                    counts = (await response.json())["queue"]
                return int(counts["pending"] + counts["in_progress"])

            await asyncio.gather(*(enqueue() for _ in range(RUNS)))
            while await unfinished():  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    with InvokeAIClient.from_url(url) as client:
        wf = _nothing(client)
        body = json.dumps(asyncio.run(wf.aio._build_submission())).encode()
        ways: list[Callable[[], Coroutine[Any, Any, None]]] = [
            lambda: through_the_client(wf, 1, RUNS),
            lambda: through_the_client(wf, RUNS, 1),
            lambda: bare(body),
        ]
        asyncio.run(through_the_client(wf, 10, 1))
        taken: list[list[float]] = [[] for _ in ways]
        for round_ in range(rounds):
            for way, times in list(zip(ways, taken, strict=True))[:: 1 if round_ % 2 == 0 else -1]:
                client.queue.clear()
                began = time.perf_counter()
                asyncio.run(way())
                times.append(time.perf_counter() - began)
    together, each, floor = map(statistics.mean, taken)
    show(f"the same {RUNS} items in one batch", together, "s", "")
    show(f"... in {RUNS} requests of bare aiohttp", floor, "s", f"{floor / together:.2f} x")
    show(f"... in {RUNS} gathered runs", each, "s", f"{each / together:.2f} x, {each / floor:.2f} x bare; want: 1.1 x")


def latency(url: str) -> None:
    """From the arrival of a run's last event at the client's socket to the return of the wait."""
    arrived: dict[int, float] = {}
    received = EventListener.received

    def noted(self: EventListener, name: str, payload: Any, text: str) -> None:
        if name == "queue_item_status_changed" and payload["status"] == "completed":
            arrived[payload["item_id"]] = time.perf_counter()
        received(self, name, payload, text)

    with mock.patch.object(EventListener, "received", noted), InvokeAIClient.from_url(url) as client:
        wf = _nothing(client)
        blocking = [_blocking(wf, arrived) for _ in range(60)]
        awaited = asyncio.run(_awaited(wf, arrived))
    show("last event to the return of a blocking wait", 1000 * statistics.median(blocking), "ms", "wanted: 5 at most")
    show("last event to the return of an awaited wait", 1000 * statistics.median(awaited), "ms", "wanted: 5 at most")


def _blocking(wf: WorkflowHandle, arrived: dict[int, float]) -> float:
    end = wf.submit_sync().wait(30)
    return time.perf_counter() - arrived[end.item_id]


async def _awaited(wf: WorkflowHandle, arrived: dict[int, float]) -> list[float]:
    late = []
    for _ in range(60):
        await wf.submit()
        end = await wf.wait_for_completion(timeout=30)
        late.append(time.perf_counter() - arrived[end.item_id])
    return late
