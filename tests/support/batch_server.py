"""A server that runs batches of one node, as fast as it can be asked for: `python -m tests.support.batch_server`.

It speaks just enough of the queue's routes and of Socket.IO for one client. Unlike `scripted_server` it writes the
frames of its socket itself, so that a hundred thousand items cost little, and it can be killed and started again with
the same queue.

Example:
    >>> with BatchServer() as server:
    ...     server.capacity = 10
    ...     batch = ...
    >>> server.requests["enqueue_batch"]
    6
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from tests.support.serving import ServerThread, openapi, version

_UNFINISHED = {"pending", "in_progress"}


@dataclass(slots=True)
class Item:
    """A queue item. `values` are its `field_values`."""

    item_id: int
    batch_id: str
    values: list[dict[str, Any]]
    status: str = "pending"
    error: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    queue_id: str = "default"


class BatchServer(ServerThread):
    """A queue, and what runs it.

    Args:
        is_lean: forget the values of items that have ended, for very many of them.
    """

    def __init__(self, *, is_lean: bool = False) -> None:
        super().__init__()
        self.items: dict[int, Item] = {}
        self.requests: Counter[str] = Counter()
        """How often each route was asked for."""
        self.capacity = 10_000
        """How many pending items the queue takes."""
        self.most_unfinished = 0
        """The largest number of items that have not ended, over time."""
        self.fails: Callable[[Item], str | None] = lambda item: None
        """Gives the error message of an item that is to fail."""
        self.deleted: set[str] = set()
        """The names of images that are not there any more."""
        self.before_storing: Callable[[], Coroutine[Any, Any, None]] | None = None
        """Awaited between the arrival of a batch and its being stored. A `ConnectionError` breaks the connection."""
        self._allowed: float = math.inf
        self.arriving = ""
        """The latest batch that has arrived, stored or not."""
        self._is_lean = is_lean
        self._graphs: dict[str, Any] = {}
        self._pending: list[int] = []
        self._sockets: set[web.WebSocketResponse] = set()
        self._port = 0
        self.url = ""

    # From the thread of a test

    def kill(self) -> None:
        """Stop answering at once."""
        self.do(self.stop())

    def restart(self) -> None:
        """Answer again, at the same address. As in the real server, what was running is canceled then."""
        for item in self.items.values():
            if item.status == "in_progress":
                item.status = "canceled"
        self.do(self.start())

    def pause(self) -> None:
        """Begin nothing new."""
        self.allow(0)

    def allow(self, count: float) -> None:
        """Begin so many items, and then nothing new."""

        async def allow() -> None:
            self._allowed = count
            self._wake.set()

        # On its loop, where the number is counted down.
        self.do(allow())

    def resume(self) -> None:
        """Begin items again."""
        self.allow(math.inf)

    def adopt(self, batch_id: str) -> None:
        """Run the items that a test has put into the queue."""
        self._graphs.setdefault(batch_id, {"nodes": {"blank": {"id": "blank", "type": "blank_image"}}, "edges": []})
        self._pending += [i.item_id for i in self.items.values() if i.batch_id == batch_id and i.status == "pending"]
        self._loop.call_soon_threadsafe(self._wake.set)

    def having(self, status: str) -> list[Item]:
        """Return the items with a status."""
        return [item for item in self.items.copy().values() if item.status == status]

    # On its loop

    async def start(self) -> None:
        """Serve from now on."""
        app = web.Application(client_max_size=2**30, middlewares=[self._count])
        app.router.add_get("/ws/socket.io/", self._connect)
        app.router.add_get("/api/v1/app/version", version)
        app.router.add_get("/openapi.json", openapi)
        app.router.add_get("/counts", self._counts)
        app.router.add_get("/api/v1/images/i/{name}/full", self._image)
        app.router.add_get("/api/v1/images/i/{name}/thumbnail", self._image)
        queue = "/api/v1/queue/{queue_id}"
        app.router.add_post(queue + "/enqueue_batch", self._enqueue)
        app.router.add_put(queue + "/cancel_by_batch_ids", self._cancel)
        app.router.add_post(queue + "/item_summaries_by_ids", self._by_ids)
        app.router.add_post(queue + "/items_by_ids", self._by_ids)
        app.router.add_get(queue + "/item_ids", self._item_ids)
        app.router.add_get(queue + "/i/{item_id}", self._item)
        app.router.add_get(queue + "/status", self._status)
        app.router.add_get(queue + "/b/{batch_id}/status", self._batch_status)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._wake = asyncio.Event()
        self._working = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Serve no longer."""
        self._working.cancel()
        for socket in [*self._sockets]:
            await socket.close()
        await self._runner.cleanup()

    async def _work(self) -> None:
        """Run the pending items, in bursts, one after another."""
        self._pending = [item.item_id for item in self.items.values() if item.status == "pending"]
        while True:
            self._wake.clear()
            while self._pending and self._allowed:
                size = int(min(20, self._allowed))
                burst, self._pending = self._pending[:size], self._pending[size:]
                self._allowed -= len(burst)
                frames = [frame for item_id in burst for frame in self._run(self.items[item_id])]
                for socket in [*self._sockets]:
                    for frame in frames:
                        await socket.send_str(frame)
                await asyncio.sleep(0)
            await self._wake.wait()

    def _run(self, item: Item) -> list[str]:
        if item.status != "pending":
            return []
        item.started_at = "2026-01-01 00:00:00"
        error = self.fails(item)
        item.status, item.error = ("completed", None) if error is None else ("failed", error)
        item.completed_at = "2026-01-01 00:00:01"
        end = {"result": result_of(item)} if error is None else {"error_type": "RuntimeError", "error_message": error}
        frames = [
            _frame(
                item, "queue_item_status_changed", status="in_progress", status_sequence=1, started_at=item.started_at
            ),
            _frame(item, "invocation_complete" if error is None else "invocation_error", **_invocation(item), **end),
            _frame(
                item,
                "queue_item_status_changed",
                status=item.status,
                status_sequence=2,
                started_at=item.started_at,
                completed_at=item.completed_at,
                **({} if error is None else {"error_type": "RuntimeError", "error_message": error}),
            ),
        ]
        if self._is_lean:
            item.values = []
        return frames

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        parts = request.path.split("/")
        self.requests["batch_status" if "/b/" in request.path else parts[5] if len(parts) > 5 else parts[-1]] += 1
        response: web.StreamResponse = await handler(request)
        return response

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        opening = {"sid": "s", "upgrades": [], "pingInterval": 600000, "pingTimeout": 600000, "maxPayload": 1 << 30}
        await socket.send_str("0" + json.dumps(opening))
        try:
            async for message in socket:
                text = str(message.data)
                if text.startswith("40"):
                    await socket.send_str('40{"sid":"s"}')
                elif text.startswith("42"):
                    self._sockets.add(socket)
                    await socket.send_str(f"43{text[2:].split('[', 1)[0]}[]")
        finally:
            self._sockets.discard(socket)
        return socket

    async def _enqueue(self, request: web.Request) -> web.Response:
        batch = (await request.json())["batch"]
        self.arriving = batch["batch_id"]
        if self.before_storing is not None:
            try:
                await self.before_storing()
            except ConnectionError:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
        self._graphs[batch["batch_id"]] = batch["graph"]
        groups = batch.get("data") or []
        assert len(groups) <= 1, "a plan zips its data"
        data = groups[0] if groups else []
        rows = [*zip(*(datum["items"] for datum in data), strict=True)] if data else [()] * batch["runs"]
        room = self.capacity - len(self._pending)
        for values in rows[: max(0, room)]:
            item_id = len(self.items) + 1
            named = [
                {"node_path": datum["node_path"], "field_name": datum["field_name"], "value": value}
                for datum, value in zip(data, values, strict=True)
            ]
            queue_id = request.match_info["queue_id"]
            self.items[item_id] = Item(item_id, batch["batch_id"], named, queue_id=queue_id)
            self._pending.append(item_id)
        taken = min(len(rows), max(0, room))
        self.most_unfinished = max(self.most_unfinished, len(self._pending))
        self._wake.set()
        of_batch = range(len(self.items), len(self.items) - taken, -1)
        return web.json_response({"enqueued": taken, "requested": len(rows), "item_ids": [*of_batch]})

    async def _cancel(self, request: web.Request) -> web.Response:
        batch_ids = (await request.json())["batch_ids"]
        items = self._items_of(request)
        canceled = [item for item in items if item.batch_id in batch_ids and item.status in _UNFINISHED]
        for item in canceled:
            item.status = "canceled"
            for socket in [*self._sockets]:
                await socket.send_str(_frame(item, "queue_item_status_changed", status="canceled", status_sequence=9))
        return web.json_response({"canceled": len(canceled)})

    def _items_of(self, request: web.Request) -> list[Item]:
        return [item for item in self.items.values() if item.queue_id == request.match_info["queue_id"]]

    def _record(self, item: Item) -> dict[str, Any]:
        prepared = f"p-{item.item_id}"
        session: dict[str, Any] = {"graph": self._graphs[item.batch_id]}
        if item.status == "completed":
            session |= {
                "results": {prepared: result_of(item)},
                "prepared_source_mapping": {prepared: "blank"},
                "execution_graph": {"nodes": {prepared: _invocation(item)["invocation"]}},
            }
        return {
            "item_id": item.item_id,
            "status": item.status,
            "batch_id": item.batch_id,
            "queue_id": item.queue_id,
            "session_id": f"s-{item.item_id}",
            "field_values": item.values,
            "started_at": item.started_at,
            "completed_at": item.completed_at,
            "error_type": None if item.error is None else "RuntimeError",
            "error_message": item.error,
            "session": session,
        }

    async def _by_ids(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["item_ids"]
        return web.json_response([self._record(self.items[item_id]) for item_id in wanted if item_id in self.items])

    async def _item_ids(self, request: web.Request) -> web.Response:
        item_ids = [item.item_id for item in self._items_of(request)]
        return web.json_response({"item_ids": item_ids[::-1], "total_count": len(item_ids)})

    async def _item(self, request: web.Request) -> web.Response:
        return web.json_response(self._record(self.items[int(request.match_info["item_id"])]))

    async def _batch_status(self, request: web.Request) -> web.Response:
        queue_id, batch_id = request.match_info["queue_id"], request.match_info["batch_id"]
        statuses = [item.status for item in self._items_of(request) if item.batch_id == batch_id]
        counts = {name: statuses.count(name) for name in (*_UNFINISHED, "completed", "failed", "canceled")}
        return web.json_response({"queue_id": queue_id, "batch_id": batch_id, "total": len(statuses), **counts})

    async def _status(self, request: web.Request) -> web.Response:
        items = self._items_of(request)
        statuses = Counter(item.status for item in items)
        counts = {name: statuses[name] for name in (*_UNFINISHED, "completed", "failed", "canceled")}
        processor = {"is_started": True, "is_processing": False}
        return web.json_response({"queue": {**counts, "total": len(items)}, "processor": processor})

    async def _image(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name in self.deleted:
            raise web.HTTPNotFound(text=json.dumps({"detail": "Image not found"}), content_type="application/json")
        return web.Response(body=image_content(name), content_type="image/png")

    async def _counts(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"requests": self.requests, "items": len(self.items), "most_unfinished": self.most_unfinished}
        )


def image_content(name: str) -> bytes:
    """Return the file of an image."""
    return b"\x89PNG\r\n\x1a\n" + name.encode()


def result_of(item: Item) -> dict[str, Any]:
    """Return the output of the one node of an item."""
    name = image_name(item.item_id)
    return {"type": "image_output", "image": {"image_name": name}, "width": 64, "height": 64}


def image_name(item_id: int) -> str:
    """Return the name of the image that an item makes."""
    return f"{item_id:08d}-0000-4000-8000-000000000000.png"


def _invocation(item: Item) -> dict[str, Any]:
    prepared = {"id": f"p-{item.item_id}", "type": "blank_image", "is_intermediate": False}
    return {"invocation": prepared, "invocation_source_id": "blank"}


def _frame(item: Item, name: str, **more: Any) -> str:
    event = {
        "timestamp": 1,
        "queue_id": item.queue_id,
        "item_id": item.item_id,
        "batch_id": item.batch_id,
        "session_id": f"s-{item.item_id}",
        **more,
    }
    return "42" + json.dumps([name, event])


async def _serve() -> None:
    server = BatchServer(is_lean=True)
    await server.start()
    print(server.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
