"""Servers for tests of what a fleet tells of its servers: each answers with what its queue is said to hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from aiohttp import web


def ago(seconds: float) -> str:
    """Some seconds ago, as a server tells times."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


@dataclass
class QueueOf:
    """A server, and what is in its queue."""

    items: list[dict[str, Any]] = field(default_factory=list)
    devices: Sequence[tuple[str, str]] = (("cuda:0", "RTX 4090"), ("cuda:1", "RTX 3090"))
    config: dict[str, Any] = field(default_factory=lambda: {"generation_devices": "auto", "device": "auto"})
    loaded: dict[str, int] | None = None
    is_started: bool = True
    is_processing: bool = True
    forbidden: Sequence[str] = ()
    """The ends of paths that are answered with 403."""
    missing: Sequence[str] = ()
    """The ends of paths that the server does not have."""
    behind: float = 0.0
    """By how many seconds its clock is behind. The times of items are not changed."""
    token: str = ""
    """What it wants to see, if anything."""
    asked: list[str] = field(default_factory=list)

    def add(self, status: str, *, batch: str = "other", **more: Any) -> int:
        """Put an item into the queue; return its id."""
        item_id = len(self.items) + 1
        self.items.append({"item_id": item_id, "status": status, "batch_id": batch, **more})
        return item_id

    def ended(self, status: str, *, began: float, ended: float, **more: Any) -> int:
        """Put an item into the queue that began and ended some seconds ago; return its id."""
        return self.add(status, started_at=ago(began), completed_at=ago(ended), **more)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.rpartition("/api/")[2]
        self.asked.append(path)
        if (
            self.token
            and not path.endswith("/version")
            and request.headers.get("Authorization") != f"Bearer {self.token}"
        ):
            return await refuse_token(request)
        if path.endswith(tuple(self.forbidden)):
            return web.json_response({"detail": "Admin privileges required"}, status=403)
        if path.endswith(tuple(self.missing)):
            return web.json_response({"detail": "Not Found"}, status=404)
        body = await request.json() if request.method == "POST" else {}
        answer = web.json_response(self._body(path, body.get("item_ids", [])))
        if self.behind:
            answer.headers["Date"] = format_datetime(datetime.now(UTC) - timedelta(seconds=self.behind), usegmt=True)
        return answer

    def _body(self, path: str, item_ids: Sequence[int]) -> Any:
        match path.removeprefix("v1/").removeprefix("v2/"):
            case "app/version":
                return {"version": "6.14.2"}
            case "app/generation_device_options":
                return [{"device": device, "name": name} for device, name in self.devices]
            case "app/runtime_config":
                return {"config": self.config, "set_fields": []}
            case "models/stats":
                return None if self.loaded is None else {"loaded_model_sizes": self.loaded}
            case "queue/default/status":
                return self._status()
            case "queue/default/item_ids":
                return {"item_ids": [item["item_id"] for item in self.items]}
            case "queue/default/item_summaries_by_ids":
                return [self.items[item_id - 1] for item_id in item_ids]
            case "queue/default/items_by_ids":
                whole = {"queue_id": "default", "session_id": "s", "session": {}}
                return [whole | self.items[item_id - 1] for item_id in item_ids]
        raise web.HTTPInternalServerError

    def _status(self) -> Any:
        names = ("pending", "in_progress", "waiting", "completed", "failed", "canceled")
        counts: dict[str, Any] = {name: sum(item["status"] == name for item in self.items) for name in names}
        running = next((item["item_id"] for item in self.items if item["status"] == "in_progress"), None)
        return {
            "queue": {**counts, "total": len(self.items), "item_id": running},
            "processor": {"is_started": self.is_started, "is_processing": self.is_processing},
        }


async def hang(_: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    return web.Response()


async def refuse_token(request: web.Request) -> web.StreamResponse:
    """Tell the version, and want a token for all else."""
    if request.path.endswith("/app/version"):
        return web.json_response({"version": "6.14.2"})
    return web.json_response({"detail": "Missing authentication credentials"}, status=401)


async def another_page(_: web.Request) -> web.StreamResponse:
    """Answer as some other web server."""
    return web.Response(text="<html>hello</html>", content_type="text/html")


async def fail(_: web.Request) -> web.StreamResponse:
    """Fail at everything."""
    return web.json_response({"detail": "Internal Server Error"}, status=500)


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
