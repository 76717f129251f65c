"""How soon a wait returns, and many runs at once, on a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
from tests.conftest import SLEEP

from benchmarks.figures import Measurement
from benchmarks.timing import apart, interleaved
from invokeai_py_client import InvokeAIClient, Run, WorkflowDefinition, WorkflowHandle
from invokeai_py_client.live.event_listener import EventListener
from invokeai_py_client.local import LocalServer

ROOT = Path(__file__).parents[1]

RUNS = 500

WAITING = 0.03
"""Seconds for which an item waits, as others do for their device."""


@contextmanager
def real_server() -> Iterator[str]:
    """A real server, on a core of its own, on which a trivial item takes 10 to 20 ms."""
    with tempfile.TemporaryDirectory() as folder:
        local = LocalServer(Path(folder) / "root")
        shutil.copytree(ROOT / "tests" / "node_pack", local.nodes_folder / "test_nodes")
        with apart(local):
            yield local.url


def _nothing(client: InvokeAIClient) -> WorkflowHandle:
    """A workflow of one node that does nothing."""
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(SLEEP))
    wf.set_many({"Steps": 1, "Seconds": 0.0})
    return wf


def gathered(url: str, rounds: int = 5) -> Iterator[Measurement]:
    """500 runs that are submitted and awaited together, against one batch of 500 items, and bare aiohttp.

    The server slows down as its queue grows, so the queue is emptied before each, and the order changes. With two
    rounds, the same code had ratios of 1.30 and 1.01.

    A trivial item takes the server 10 to 15 ms of CPU, and a request to enqueue one takes it 2 to 5 ms more. So no
    client that sends 500 requests can be as fast as one batch: what it adds itself shows against bare aiohttp. The
    server enqueues while an item waits for its device, so the requests cost no time if items take longer than nothing.
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

        def way(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], float]:
            def seconds() -> float:
                client.queue.clear()
                began = time.perf_counter()
                asyncio.run(work())
                return time.perf_counter() - began

            return seconds

        in_one_batch = way(lambda: through_the_client(wf, 1, RUNS))
        gathered = way(lambda: through_the_client(wf, RUNS, 1))
        together, each, floor = interleaved(rounds, in_one_batch, gathered, way(lambda: bare(body)), warm_up=False)
        wf.set_many({"Seconds": WAITING})
        long_together, long_each = interleaved(1, in_one_batch, gathered, warm_up=False)
    yield Measurement(f"{RUNS} gathered runs, against one batch of as many", "s", each, together, at_most_ratio=1.03)
    yield Measurement(f"{RUNS} gathered runs, against requests of bare aiohttp", "s", each, floor, at_most_ratio=1.1)
    what = f"{RUNS} gathered runs that wait {WAITING * 1000:.0f} ms each, against one batch of as many"
    yield Measurement(what, "s", long_each, long_together, at_most_ratio=1.1)


def latency(url: str) -> Iterator[Measurement]:
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
        among_many = asyncio.run(_among_many(client, wf, arrived))
    yield Measurement("last event to the return of a blocking wait", "ms", blocking, scale=1000, at_most=5)
    yield Measurement("last event to the return of an awaited wait", "ms", awaited, scale=1000, at_most=5)
    what = f"last event to the return of a wait, {RUNS} live runs"
    yield Measurement(what, "ms", among_many, scale=1000)
    slowest = statistics.quantiles(among_many, n=100)[98]
    yield Measurement(f"{what}, 99th percentile", "ms", [slowest], scale=1000, at_most=1)


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


async def _among_many(client: InvokeAIClient, wf: WorkflowHandle, arrived: dict[int, float]) -> list[float]:
    async def late(run: Run) -> float:
        end = await run.aio.wait(120)
        return time.perf_counter() - arrived[end.item_id]

    await client.aio.queue.pause()
    runs = await asyncio.gather(*(wf.submit() for _ in range(RUNS)))
    waits = [asyncio.create_task(late(run)) for run in runs]
    await client.aio.queue.resume()
    return await asyncio.gather(*waits)
