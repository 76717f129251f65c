"""A server that pushes events as fast as a socket takes them.

Call it by `python -m benchmarks.scripted_server RUNS EVENTS [1]`. With the 1, each run has all its events before the
next one has any, as on a real server; without, the runs have them in turns.

Its frames are written beforehand, 100,000 at a time, so that what is measured at the other end is the client. It prints
its address, and pushes when the last of RUNS items has been enqueued: all EVENTS, then the end of each item.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

OPENAPI = gzip.decompress((Path(__file__).parents[1] / "tests" / "data" / "openapi-6.14.2.json.gz").read_bytes())

AT_ONCE = 100_000


class ScriptedServer:
    """Speaks just enough of Socket.IO and of the queue's routes for one client."""

    def __init__(self, runs: int, events: int, *, in_order: bool = False) -> None:
        self._runs = runs
        self._events = events
        self._in_order = in_order
        self._batches: list[str] = []
        self.enqueued_at: float | None = None
        """When the last batch arrived, on the clock of `time.perf_counter`."""
        self._socket: web.WebSocketResponse | None = None
        self._pushing: asyncio.Task[None] | None = None

    @classmethod
    @contextlib.contextmanager
    def in_a_thread(cls) -> Iterator[tuple[ScriptedServer, str]]:
        """Serve without events until the context is left; gives the server and its address."""
        server, loop = cls(runs=0, events=0), asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        yield server, asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    async def serve(self) -> None:
        """Print the address, and serve until the process ends."""
        print(await self.start(), flush=True)
        await asyncio.Event().wait()

    async def start(self) -> str:
        """Serve from now on; returns the address."""
        app = web.Application(client_max_size=2**30)
        app.router.add_get("/ws/socket.io/", self._connect)
        app.router.add_get("/api/v1/app/version", self._version)
        app.router.add_get("/openapi.json", self._openapi)
        app.router.add_post("/api/v1/queue/default/enqueue_batch", self._enqueue)
        app.router.add_get("/api/v1/queue/default/i/{item_id}", self._one)
        app.router.add_post("/api/v1/queue/default/item_summaries_by_ids", self._summaries)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "6.14.2"})

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=OPENAPI, content_type="application/json")

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = self._socket = web.WebSocketResponse()
        await socket.prepare(request)
        opening = {"sid": "s", "upgrades": [], "pingInterval": 600000, "pingTimeout": 600000, "maxPayload": 1 << 30}
        await socket.send_str("0" + json.dumps(opening))
        async for message in socket:
            text = str(message.data)
            if text.startswith("40"):
                await socket.send_str('40{"sid":"s"}')
            elif text.startswith("42"):
                number = text[2:].split("[", 1)[0]
                await socket.send_str(f"43{number}[]")
        return socket

    async def _enqueue(self, request: web.Request) -> web.Response:
        self.enqueued_at = time.perf_counter()
        batch = (await request.json())["batch"]
        batch.setdefault("batch_id", f"b{len(self._batches)}")
        batch["graph"].setdefault("id", "g")
        self._batches.append(batch["batch_id"])
        if len(self._batches) == self._runs:
            self._pushing = asyncio.create_task(self._push())
        item_ids = [len(self._batches)]
        told = {"queue_id": "default", "priority": 0, "batch": batch, "item_ids": item_ids}
        return web.json_response({"enqueued": 1, "requested": 1, **told})

    async def _one(self, request: web.Request) -> web.Response:
        place = int(request.match_info["item_id"]) - 1
        return web.json_response(self._item(place, status="pending"))

    async def _summaries(self, request: web.Request) -> web.Response:
        item_ids = (await request.json())["item_ids"]
        return web.json_response(
            [{"item_id": item_id, "status": "pending", "batch_id": self._batches[item_id - 1]} for item_id in item_ids]
        )

    async def _push(self) -> None:
        ends = [self._end(place) for place in range(self._runs)]
        for start in range(0, self._events, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, self._events))
            frames = [self._frame(*self._place(number)) for number in numbers]
            await asyncio.sleep(0.5)
            await self._send(frames)
        await self._send(ends)

    def _place(self, number: int) -> tuple[int, int]:
        """Return the run of an event, and how many events that run has had before."""
        if self._in_order:
            return divmod(number, -(-self._events // self._runs))
        step, place = divmod(number, self._runs)
        return place, step

    async def _send(self, frames: list[str]) -> None:
        assert self._socket is not None
        for frame in frames:
            await self._socket.send_str(frame)

    def _item(self, place: int, **more: Any) -> dict[str, Any]:
        return {
            "timestamp": 1,
            "queue_id": "default",
            "item_id": place + 1,
            "batch_id": self._batches[place],
            "origin": "workflows",
            "destination": "gallery",
            "user_id": "system",
            "session_id": f"s{place}",
            **more,
        }

    def _frame(self, place: int, step: int) -> str:
        node = {"id": f"p{place}", "type": "denoise_latents", "steps": 1000, "cfg_scale": 7.5, "scheduler": "euler"}
        event = self._item(
            place,
            invocation=node,
            invocation_source_id="add",
            message="Denoising",
            percentage=step * self._runs / self._events,
            image=None,
        )
        return "42" + json.dumps(["invocation_progress", event])

    def _end(self, place: int) -> str:
        return "42" + json.dumps(["queue_item_status_changed", self._item(place, status="canceled", status_sequence=2)])


if __name__ == "__main__":
    asyncio.run(ScriptedServer(int(sys.argv[1]), int(sys.argv[2]), in_order=sys.argv[3:] == ["1"]).serve())
