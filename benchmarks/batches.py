"""What a batch adds to the cost of enqueueing its rows, on a real server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
from tests.support.batches import Plan, client_of

from benchmarks.figures import Figure, figure
from benchmarks.timing import interleaved
from invokeai_py_client import InvokeAIClient

ROWS = 10_000
ROUNDS = 9


async def _body(plan: Plan) -> dict[str, Any]:
    (group,) = plan.groups()
    return (await (await plan.prepare(group)).body([*group])).body


async def _post(url: str, content: bytes) -> None:
    async with (
        aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session,
        session.post(f"{url}/api/v1/queue/default/enqueue_batch", data=content) as response,
    ):
        await response.read()
        response.raise_for_status()


def _wait_until_stored(client: InvokeAIClient) -> None:
    while client.queue.get_status().queue.pending < ROWS:
        time.sleep(0.01)


def _bare(url: str, client: InvokeAIClient, content: bytes) -> float:
    client.queue.clear()
    began = time.perf_counter()
    asyncio.run(_post(url, content))
    _wait_until_stored(client)
    return time.perf_counter() - began


def _ours(url: str, client: InvokeAIClient) -> float:
    client.queue.clear()
    with client_of(url) as runs:
        # Its socket is open before the clock starts.
        runs.begin(Plan([64]))
        while not client.queue.get_status().queue.pending:
            time.sleep(0.01)
        client.queue.clear()
        began = time.perf_counter()
        runs.begin(Plan(range(64, 64 + ROWS)), window=ROWS)
        _wait_until_stored(client)
        return time.perf_counter() - began


def enqueueing(url: str) -> Iterator[Figure]:
    """How long 10,000 rows take until the server has them, and how long the same bytes take bare."""
    body = asyncio.run(_body(Plan(range(64, 64 + ROWS))))
    body["batch"]["batch_id"] = "bare"
    content = json.dumps(body, separators=(",", ":")).encode()
    with InvokeAIClient.from_url(url) as client:
        client.queue.pause()
        ours, bare = interleaved(ROUNDS, lambda: _ours(url, client), lambda: _bare(url, client, content))
        client.queue.clear()
        client.queue.resume()
    yield figure(f"enqueue {ROWS:,} rows", "ms", ours, bare, scale=1000, at_most_ratio=1.3)
