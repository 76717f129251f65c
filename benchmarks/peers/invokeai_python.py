"""invokeai-python 0.6.2: a graph from a file, and its own wait, which polls ten times a second.

It reads no workflow of the web UI, and its wait takes a batch of one item only: for more, this script asks for the
status of the batch in the same way. Its `wait_invoke` does not return: it cannot read the version of this server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from invoke import Invoke

from benchmarks.peers.contest import CONCURRENCY, batch_of, run


def body_of(graph: str, **values: list[Any]) -> dict[str, Any]:
    body = batch_of(graph, **values)
    # It cannot read answers in which these are not set.
    body["batch"] = {"data": None, "workflow": None, "origin": "bench", "destination": "bench", **body["batch"]}
    return body


async def single(url: str, workflow: str, graph: str, seconds: list[float]) -> list[tuple[int, float]]:
    body = body_of(graph)
    (node,) = body["batch"]["graph"]["nodes"].values()
    async with Invoke(url) as invoke:
        await invoke.wait_batch(await invoke.queue.enqueue_batch(body))
        taken = []
        for duration in seconds:
            node["seconds"] = duration
            began = time.perf_counter()
            batch = await invoke.queue.enqueue_batch(body)
            await invoke.wait_batch(batch)
            ended = time.perf_counter()
            # What it returns of an enqueued batch does not have the id of the item.
            (newest, *_) = (await invoke.queue.get_async("queue/default/item_ids", 1))["item_ids"]
            taken.append((newest, ended - began))
    return taken


async def gathered(url: str, workflow: str, graph: str, count: int) -> float:
    async with Invoke(url) as invoke:
        body = body_of(graph)
        await invoke.wait_batch(await invoke.queue.enqueue_batch(body))
        limit = asyncio.Semaphore(10)

        async def enqueue() -> Any:
            # With more requests at a time, the server resets some.
            async with limit:
                return await invoke.queue.enqueue_batch(body)

        began = time.perf_counter()
        batches = await asyncio.gather(*(enqueue() for _ in range(count)))
        await asyncio.gather(*map(invoke.wait_batch, batches))
        return time.perf_counter() - began


async def rows(url: str, workflow: str, graph: str, count: int) -> float:
    async with Invoke(url) as invoke:
        await invoke.wait_batch(await invoke.queue.enqueue_batch(body_of(graph)))
        began = time.perf_counter()
        batch = await invoke.queue.enqueue_batch(body_of(graph, fail_at=[*range(-count, 0)]))
        while (await invoke.queue.get_batch_status(batch.batch.batch_id)).completed < count:
            await asyncio.sleep(0.1)
        return time.perf_counter() - began


async def upload(url: str, picture: str, count: int) -> float:
    async with Invoke(url) as invoke:
        await invoke.app.get_async("app/version", 1)
        return await several([picture] * count, lambda path: invoke.images.upload(Path(path).read_bytes(), "user"))


async def download(url: str, names: list[str], folder: str) -> float:
    async with Invoke(url) as invoke:
        await invoke.app.get_async("app/version", 1)

        async def one(name: str) -> None:
            Path(folder, name).write_bytes(await invoke.images.get_full(name))

        return await several(names, one)


async def several(things: Sequence[str], act: Callable[[str], Awaitable[object]]) -> float:
    queue = iter(things)

    async def work() -> None:
        for thing in queue:
            await act(thing)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return time.perf_counter() - began


if __name__ == "__main__":
    run(single=single, gathered=gathered, rows=rows, upload=upload, download=download)
