"""What a batch adds to the cost of enqueueing its rows, on a real server."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
from tests.support.batches import Plan, client_of

from benchmarks.figures import Measurement
from benchmarks.timing import interleaved
from invokeai_py_client import InvokeAIClient

ROWS = 10_000
ROUNDS = 3


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


async def _last_stored(url: str) -> datetime:
    """Return when the server stored the newest item, by its own record."""
    queue = f"{url}/api/v1/queue/default"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{queue}/item_ids", params={"order_dir": "DESC"}) as response:
            newest = (await response.json())["item_ids"][0]
        async with session.get(f"{queue}/i/{newest}") as response:
            item = await response.json()
    return datetime.fromisoformat(item["created_at"]).replace(tzinfo=UTC)


def _seconds_until_stored(url: str, client: InvokeAIClient, enqueue: Callable[[], object]) -> float:
    client.queue.clear()
    gc.collect()
    began = datetime.now(UTC)
    enqueue()
    # The server is asked seldom: what answers does not store.
    while client.queue.get_status().queue.pending < ROWS:
        time.sleep(0.5)
    return (asyncio.run(_last_stored(url)) - began).total_seconds()


def _bare(url: str, client: InvokeAIClient, content: bytes) -> float:
    return _seconds_until_stored(url, client, lambda: asyncio.run(_post(url, content)))


def _ours(url: str, client: InvokeAIClient) -> float:
    with client_of(url) as runs:
        # Its socket is open before the clock starts.
        runs.begin(Plan([64]))
        while not client.queue.get_status().queue.pending:
            time.sleep(0.01)
        plan = Plan(range(64, 64 + ROWS))
        return _seconds_until_stored(url, client, lambda: runs.begin(plan, window=ROWS))


def enqueueing(url: str) -> Iterator[Measurement]:
    """How long 10,000 rows take until the server has the last, and how long the same bytes take bare."""
    body = asyncio.run(_body(Plan(range(64, 64 + ROWS))))
    body["batch"]["batch_id"] = "bare"
    content = json.dumps(body, separators=(",", ":")).encode()
    with InvokeAIClient.from_url(url) as client:
        client.queue.pause()
        ours, bare = interleaved(ROUNDS, lambda: _ours(url, client), lambda: _bare(url, client, content))
        client.queue.clear()
        client.queue.resume()
    yield Measurement(f"enqueue {ROWS:,} rows", "ms", ours, bare, scale=1000, at_most_ratio=1.3)
