"""A server that does what no real one can be made to do: it plays a script of events, in whatever order and number.

It speaks just enough of the real one's language to be submitted to and asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import socketio
from aiohttp import web
from tests.documents import node
from tests.support.serving import ServerThread, openapi, version

Message = tuple[str, dict[str, Any]]


class ScriptedServer(ServerThread):
    """`play` is called with each item that is enqueued, on the server's loop, and plays its events.

    `routes` are more routes than the queue's.
    """

    def __init__(
        self,
        play: Callable[[ScriptedServer, int, str], Coroutine[Any, Any, None]],
        *,
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        super().__init__()
        self._play = play
        self._routes = [*routes]
        self._socket = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
        self._tasks: set[asyncio.Task[None]] = set()
        self.items: dict[int, dict[str, Any]] = {}
        self._unreadable: int | None = None
        self.enqueuing = 0
        self.most_enqueuing = 0
        self.url = ""
        self.before_response: Callable[[], Awaitable[object]] | None = None
        """Awaited when a batch was stored, before the response to it is sent."""

    async def emit(self, name: str, payload: dict[str, Any]) -> None:
        """Push one event to all who listen to the queue."""
        await self._socket.emit(name, payload, room="default")

    async def play_all(self, messages: Iterable[Message]) -> None:
        """Push events one after another."""
        for name, payload in messages:
            await self.emit(name, payload)

    def finish(self, item_id: int, status: str = "completed") -> None:
        """What REST says of an item from now on."""
        item = self.items[item_id]
        item["status"] = status
        prepared = {"id": f"p-{item_id}", "type": "add"}
        item["session"] = {
            "graph": item["session"]["graph"],
            "results": {prepared["id"]: {"type": "integer_output", "value": 1}} if status == "completed" else {},
            "prepared_source_mapping": {prepared["id"]: "add"},
            "errors": {},
            "execution_graph": {"nodes": {prepared["id"]: prepared}},
        }

    def kill_processor(self, item_id: int) -> None:
        """From now on nothing is processed any more, and whatever must read this item is answered with 500."""
        self._unreadable = item_id

    async def stop(self) -> None:
        await self._socket.shutdown()
        await self._runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def start(self) -> None:
        app = web.Application(client_max_size=2**30)
        self._socket.attach(app, socketio_path="/ws/socket.io")
        self._socket.on("subscribe_queue", self._subscribe)
        app.router.add_get("/api/v1/app/version", version)
        app.router.add_get("/openapi.json", openapi)
        queue = "/api/v1/queue/default"
        app.router.add_post(f"{queue}/enqueue_batch", self._enqueue)
        app.router.add_put(f"{queue}/cancel_by_batch_ids", self._cancel)
        app.router.add_post(f"{queue}/item_summaries_by_ids", self._by_ids)
        app.router.add_post(f"{queue}/items_by_ids", self._by_ids)
        app.router.add_get(f"{queue}/item_ids", self._item_ids)
        app.router.add_get(queue + "/i/{item_id}", self._item)
        app.router.add_get(f"{queue}/status", self._status)
        app.router.add_get(queue + "/b/{batch_id}/status", self._batch_status)
        app.add_routes(self._routes)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _subscribe(self, sid: str, data: dict[str, Any]) -> None:
        await self._socket.enter_room(sid, data["queue_id"])

    async def _enqueue(self, request: web.Request) -> web.Response:
        self.enqueuing += 1
        self.most_enqueuing = max(self.most_enqueuing, self.enqueuing)
        batch = (await request.json())["batch"]
        await asyncio.sleep(0)
        self.enqueuing -= 1
        item_ids = []
        for _ in range(batch["runs"]):
            item_id = len(self.items) + 1
            item_ids.append(item_id)
            self.items[item_id] = {
                "item_id": item_id,
                "status": "pending",
                "batch_id": batch["batch_id"],
                "queue_id": "default",
                "session_id": f"s-{item_id}",
                "destination": batch.get("destination"),
                "origin": batch.get("origin"),
                "session": {"graph": batch["graph"]},
            }
            task = asyncio.create_task(self._play(self, item_id, batch["batch_id"]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        count = len(item_ids)
        if self.before_response is not None:
            await self.before_response()
        return await _json({"enqueued": count, "requested": count, "item_ids": item_ids[::-1]})

    async def _status(self, _: web.Request) -> web.Response:
        statuses = [item["status"] for item in self.items.values()]
        names = ("pending", "in_progress", "waiting", "completed", "failed", "canceled")
        running = next((item["item_id"] for item in self.items.values() if item["status"] == "in_progress"), None)
        counts = {name: statuses.count(name) for name in names}
        is_processing = running is not None and self._unreadable is None
        return await _json(
            {
                "queue": {**counts, "total": len(statuses), "item_id": running},
                "processor": {"is_started": True, "is_processing": is_processing},
            }
        )

    async def _cancel(self, request: web.Request) -> web.Response:
        batch_ids = (await request.json())["batch_ids"]
        unfinished = [
            item for item in self.items.values() if item["batch_id"] in batch_ids and item["status"] == "pending"
        ]
        for item in unfinished:
            item["status"] = "canceled"
        return await _json({"canceled": len(unfinished)})

    async def _batch_status(self, request: web.Request) -> web.Response:
        batch_id = request.match_info["batch_id"]
        statuses = [item["status"] for item in self.items.values() if item["batch_id"] == batch_id]
        names = ("pending", "in_progress", "completed", "failed", "canceled")
        return await _json(
            {
                "queue_id": "default",
                "batch_id": batch_id,
                "total": len(statuses),
                **{name: statuses.count(name) for name in names},
            }
        )

    async def _by_ids(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["item_ids"]
        if self._unreadable in wanted:
            raise web.HTTPInternalServerError
        return await _json([self.items[item_id] for item_id in wanted if item_id in self.items])

    async def _item_ids(self, _: web.Request) -> web.Response:
        return await _json({"item_ids": [*self.items][::-1], "total_count": len(self.items)})

    async def _item(self, request: web.Request) -> web.Response:
        if self._unreadable == int(request.match_info["item_id"]):
            raise web.HTTPInternalServerError
        return await _json(self.items[int(request.match_info["item_id"])])


async def _json(content: Any) -> web.Response:
    return web.json_response(content)


def item_event(item_id: int, batch_id: str, **more: Any) -> dict[str, Any]:
    """The parts that every event of an item has."""
    return {
        "timestamp": 1,
        "queue_id": "default",
        "item_id": item_id,
        "batch_id": batch_id,
        "session_id": f"s-{item_id}",
        **more,
    }


def status(item_id: int, batch_id: str, status: str, sequence: int) -> Message:
    return "queue_item_status_changed", item_event(item_id, batch_id, status=status, status_sequence=sequence)


def invocation(name: str, item_id: int, batch_id: str, copy: int = 0, **more: Any) -> Message:
    prepared = {"id": f"p-{item_id}" if not copy else f"p-{item_id}-{copy}", "type": "add", "steps": 10}
    return name, item_event(item_id, batch_id, invocation=prepared, invocation_source_id="add", **more)


def whole_story(item_id: int, batch_id: str, steps: int = 4) -> list[Message]:
    """What a real server sends for an item of one node."""
    return [
        status(item_id, batch_id, "in_progress", 1),
        invocation("invocation_started", item_id, batch_id),
        *(
            invocation("invocation_progress", item_id, batch_id, message="Adding", percentage=step / steps, image=None)
            for step in range(steps + 1)
        ),
        invocation("invocation_complete", item_id, batch_id, result={"type": "integer_output", "value": 1}),
        status(item_id, batch_id, "completed", 2),
    ]


WORKFLOW: dict[str, Any] = {
    "name": "add",
    "meta": {"version": "3.0.0"},
    "exposedFields": [{"nodeId": "add", "fieldName": "a"}],
    "nodes": [node("add", "add", "1.0.1", a=1, b=2)],
    "edges": [],
}
