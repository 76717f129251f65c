"""The CPU time of an event, against the least that can be done with it: receive it with aiohttp, and `json.loads`.

Each is measured in a process of its own: `python -m benchmarks.events URL RUNS`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator

import aiohttp

from benchmarks.figures import Figure, figure
from benchmarks.scale import EVENTS, LIVE, ROOT, measured, server
from benchmarks.timing import interleaved

ROUNDS = 5
ORDERS = {"of runs one after another": 1, "of all runs in turns": 0}
"""A server runs as many items at a time as it has GPUs. Events of all runs in turns are the worst case for caches."""


def events() -> Iterator[Figure]:
    for what, in_order in ORDERS.items():
        for runs in (LIVE[0], 500):

            def ours(runs: int = runs, in_order: int = in_order) -> float:
                with server("benchmarks.scripted_server", runs, EVENTS, in_order) as url:
                    return float(measured("events", url, runs))

            def floor(runs: int = runs, in_order: int = in_order) -> float:
                with server("benchmarks.scripted_server", runs, EVENTS, in_order) as url:
                    command = [sys.executable, "-m", "benchmarks.events", url, str(runs)]
                    return float(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)

            ours_taken, floor_taken = interleaved(ROUNDS, ours, floor)
            yield figure(f"CPU of an event {what}", "us", ours_taken, floor_taken, scale=1e6, at=runs, at_most_ratio=2)


async def least(url: str, runs: int) -> float:
    """Enqueue as many runs, and return the CPU seconds of each event."""
    async with (
        aiohttp.ClientSession(url) as session,
        session.ws_connect("/ws/socket.io/", max_msg_size=2**28) as websocket,
    ):
        await websocket.receive_str()
        await websocket.send_str("40")
        await websocket.receive_str()
        for number in range(runs):
            body = {"batch": {"batch_id": f"b{number}", "graph": {}, "runs": 1}}
            async with session.post("/api/v1/queue/default/enqueue_batch", json=body) as response:
                await response.read()
        await websocket.receive_str()
        began = time.process_time()
        for _ in range(EVENTS - 1):
            json.loads((await websocket.receive_str())[2:])
        return (time.process_time() - began) / (EVENTS - 1)


if __name__ == "__main__":
    print(asyncio.run(least(sys.argv[1], int(sys.argv[2]))))
