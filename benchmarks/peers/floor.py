"""The floor: aiohttp and its websocket, Socket.IO by hand; graph and workflow are read from files, unchecked."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from benchmarks.peers.contest import CONCURRENCY, batch_of, run

T = TypeVar("T")

QUEUE = "/api/v1/queue/default/"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]]:
    # With more connections at a time, the server resets some.
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=10)) as session:
        async with session.ws_connect("/ws/socket.io/?EIO=4&transport=websocket") as socket:
            await socket.receive()
            await socket.send_str("40")
            await socket.receive()
            await socket.send_str('420["subscribe_queue", {"queue_id": "default"}]')
            await socket.receive()
            yield session, socket


def body_of(workflow: str, graph: str, **values: list[Any]) -> dict[str, Any]:
    """Return the body of a request with the workflow, which this client sends as well."""
    body = batch_of(graph, **values)
    body["batch"]["workflow"] = json.loads(Path(workflow).read_text())
    return body


async def enqueue(session: aiohttp.ClientSession, body: dict[str, Any]) -> list[int]:
    async with session.post(f"{QUEUE}enqueue_batch", json=body) as response:
        response.raise_for_status()
        item_ids: list[int] = (await response.json())["item_ids"]
        return item_ids


async def ended(socket: aiohttp.ClientWebSocketResponse, item_ids: Sequence[int]) -> None:
    """Wait until items have completed. Events that came before were kept by the socket."""
    left = set(item_ids)
    while left:
        text = await socket.receive_str()
        if text == "2":
            await socket.send_str("3")
        elif text.startswith("42"):
            name, event = json.loads(text[2:])
            if name == "queue_item_status_changed" and event["status"] == "completed":
                left.discard(event["item_id"])


async def single(url: str, workflow: str, graph: str, seconds: list[float]) -> list[tuple[int, float]]:
    body = body_of(workflow, graph)
    (node,) = body["batch"]["graph"]["nodes"].values()
    async with connected(url) as (session, socket):
        await ended(socket, await enqueue(session, body))
        taken = []
        for duration in seconds:
            node["seconds"] = duration
            began = time.perf_counter()
            item_ids = await enqueue(session, body)
            await ended(socket, item_ids)
            taken.append((item_ids[0], time.perf_counter() - began))
    return taken


async def gathered(url: str, workflow: str, graph: str, count: int) -> float:
    body = body_of(workflow, graph)
    async with connected(url) as (session, socket):
        await ended(socket, await enqueue(session, body))
        began = time.perf_counter()
        items = await asyncio.gather(*(enqueue(session, body) for _ in range(count)))
        await ended(socket, [item_id for item_ids in items for item_id in item_ids])
        return time.perf_counter() - began


async def rows(url: str, workflow: str, graph: str, count: int) -> float:
    async with connected(url) as (session, socket):
        await ended(socket, await enqueue(session, body_of(workflow, graph)))
        began = time.perf_counter()
        await ended(socket, await enqueue(session, body_of(workflow, graph, fail_at=[*range(-count, 0)])))
        return time.perf_counter() - began


async def upload(url: str, picture: str, count: int) -> float:
    async def one(session: aiohttp.ClientSession, path: str) -> None:
        with open(path, "rb") as file:
            form = aiohttp.FormData()
            form.add_field("file", file, filename="noise.png", content_type="image/png")
            query = {"image_category": "user", "is_intermediate": "false"}
            async with session.post("/api/v1/images/upload", params=query, data=form) as response:
                response.raise_for_status()
                await response.read()

    return await several(url, [picture] * count, one)


async def download(url: str, names: list[str], folder: str) -> float:
    async def one(session: aiohttp.ClientSession, name: str) -> None:
        async with session.get(f"/api/v1/images/i/{name}/full") as response:
            response.raise_for_status()
            with Path(folder, name).open("wb") as file:
                async for chunk in response.content.iter_chunked(1 << 18):
                    file.write(chunk)

    return await several(url, names, one)


async def several(url: str, things: Sequence[T], act: Callable[[aiohttp.ClientSession, T], Awaitable[None]]) -> float:
    queue = iter(things)
    async with aiohttp.ClientSession(url) as session:

        async def work() -> None:
            for thing in queue:
                await act(session, thing)

        async with session.get("/api/v1/app/version") as response:
            await response.read()
        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
        return time.perf_counter() - began


if __name__ == "__main__":
    run(single=single, gathered=gathered, rows=rows, upload=upload, download=download)
