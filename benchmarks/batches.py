"""What a batch adds to the cost of enqueueing its rows."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from tests.support.batches import Plan, client_of

from benchmarks.live import ROOT
from benchmarks.show import show

ROWS = 10_000


@contextmanager
def batch_server() -> Iterator[str]:
    """A server that stores batches and runs nothing."""
    command = [sys.executable, "-m", "tests.support.batch_server", "paused"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def _body() -> dict[str, Any]:
    plan = Plan(range(ROWS))
    (group,) = plan.groups()
    prepared = await plan.prepare(group)
    return (await prepared.body([*group])).body


async def _post(url: str, content: bytes) -> None:
    async with (
        aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session,
        session.post(f"{url}/api/v1/queue/default/enqueue_batch", data=content) as response,
    ):
        await response.read()


def _stored_at(url: str) -> float:
    """Wait until the server has all rows; return when it had them, on the clock of `time.perf_counter`."""
    while True:
        with urllib.request.urlopen(f"{url}/counts") as response:
            counts = json.load(response)
        if counts["items"] >= ROWS:
            return float(counts["stored_at"])
        time.sleep(0.01)


def enqueueing() -> None:
    """Print how long 10,000 rows take until the server has them, and how long the same bytes take bare."""
    body = asyncio.run(_body())
    body["batch"]["batch_id"] = "bare"
    content = json.dumps(body, separators=(",", ":")).encode()
    ours, bare = [], []
    for _ in range(7):
        with batch_server() as url:
            asyncio.run(_post(url, b'{"batch": {"batch_id": "first", "graph": {}, "runs": 1}}'))
            began = time.perf_counter()
            asyncio.run(_post(url, content))
            bare.append(_stored_at(url) - began)
        with batch_server() as url, client_of(url) as client:
            client.begin(Plan([1]))
            began = time.perf_counter()
            client.begin(Plan(range(ROWS)), window=ROWS)
            ours.append(_stored_at(url) - began)
    times, allowed = min(ours) / min(bare), "allowed: 1.3"
    show(f"enqueue {ROWS} rows", 1000 * min(ours), "ms", f"{times:.1f} x the same bytes by aiohttp; {allowed}")
