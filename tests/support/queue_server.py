"""A queue server in memory, behind the `Sender` protocol, with scripted faults. It keeps the time of the running loop.

What the server does with a request goes on when the client gives the request up, as on a real one. Use it in virtual
time (`tests/support/virtual_time.py`), where hours of retries take milliseconds.

Example:
    >>> server = QueueServer()
    >>> server.next("enqueue_batch", lost, status(503, late=1.5))
    >>> await enqueue_once(server, "default", "mine", BODY)
    >>> server.ids_of("mine")
    [1]
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from tests.support.virtual_time import now

from invokeai_py_client import errors
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.error_responses import error_for
from invokeai_py_client.wire.call import Call, Query, Response

T = TypeVar("T")

_ROUTES = {"i": "item", "b": "batch_status", "d": "delete_by_destination"}
_UNFINISHED = {"pending", "in_progress", "waiting"}
_STATUSES = ("pending", "in_progress", "waiting", "completed", "failed", "canceled")


@dataclass(frozen=True)
class Request:
    """A request that reached the server, or a fault in its place: when, by which route, with which body."""

    at: float
    route: str
    body: Any


class Exchange:
    """One request on its way, for a fault to do to it what it likes."""

    def __init__(self, server: QueueServer, call: Call[Any]) -> None:
        self._server = server
        self.call = call

    @property
    def url(self) -> str:
        return self._server.url_of(self.call.path)

    async def carry_out(self) -> Response:
        """Have the server carry it out now."""
        return await self._server.carry_out(self.call)

    def carry_out_later(self, seconds: float) -> None:
        """Have the server carry it out after a while, whatever the client does."""

        async def later() -> None:
            await asyncio.sleep(seconds)
            await self._server.carry_out(self.call)

        self._server.in_background(later())

    def response(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> Response:
        return Response(self.call.method, self.url, status, headers or {"content-type": "application/json"}, content)


Fault = Callable[[Exchange], Awaitable[Response]]


class QueueServer:
    """A queue. `ids_of` and `items` tell what it has stored, `requests` what it was asked.

    Args:
        settings: of the client.
        queue_id: the only queue that it has.
        capacity: how many pending items it takes, as `max_queue_size`.
        names_items: the response to an enqueue names the items; servers before 5.12 name none.
    """

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        queue_id: str = "default",
        capacity: int = 10_000,
        names_items: bool = True,
    ) -> None:
        self.settings = settings or Settings()
        self.queue_id = queue_id
        self.capacity = capacity
        self.names_items = names_items
        self.items: dict[int, dict[str, Any]] = {}
        self.requests: list[Request] = []
        self.storing_takes = 0.0
        """Seconds between the arrival of a batch and its being stored."""
        self.is_processor_dead = False
        """Nothing is being processed, and the items in progress cannot be read."""
        self._faults: dict[str, list[Fault]] = {}
        self._always: dict[str, Fault] = {}
        self._ids = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def next(self, route: str, *faults: Fault) -> None:
        """Do this to the next requests of a route, one after another."""
        self._faults.setdefault(route, []).extend(faults)

    def always(self, route: str, fault: Fault) -> None:
        """Do this to all requests of a route, after those of `next`."""
        self._always[route] = fault

    def asked(self, route: str) -> list[Request]:
        """Return the requests of a route."""
        return [request for request in self.requests if request.route == route]

    def ids_of(self, batch_id: str) -> list[int]:
        """Return the items of a batch."""
        return [item_id for item_id, item in self.items.items() if item["batch_id"] == batch_id]

    def to_run(self, batch_id: str) -> list[int]:
        """Return the items of a batch that have not ended."""
        return [item_id for item_id in self.ids_of(batch_id) if self.items[item_id]["status"] in _UNFINISHED]

    def add(self, batch_id: str, count: int = 1, **more: Any) -> list[int]:
        """Put items into the queue by other means."""
        item_ids = [next(self._ids) for _ in range(count)]
        for item_id in item_ids:
            self.items[item_id] = {
                "item_id": item_id,
                "status": "pending",
                "batch_id": batch_id,
                "queue_id": "default",
                "session_id": f"s-{item_id}",
                "session": {"graph": {"nodes": {}, "edges": []}},
                **more,
            }
        return item_ids

    def finish(self, *item_ids: int, status: str = "completed") -> None:
        """End items."""
        for item_id in item_ids:
            self.items[item_id]["status"] = status

    def in_background(self, coro: Coroutine[Any, Any, None]) -> None:
        """Run something until the loop ends."""
        task = asyncio.create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # The client's side: a `Sender`.

    def url_of(self, path: str, query: Query | None = None) -> str:
        return f"{self.settings.url}{path}"

    async def send(self, call: Call[T]) -> T:
        """Send a call as the transport does: in its time, and again where that is safe."""
        seconds = self.settings.timeout if call.timeout is None else call.timeout
        deadline = now() + seconds
        for left in reversed(range((self.settings.retries if call.retries is None else call.retries) + 1)):
            try:
                async with asyncio.timeout_at(deadline) as limit:
                    return _read(call, await self._exchange(call))
            except TimeoutError as error:
                if not limit.expired() or isinstance(error, errors.InvokeAIError):
                    raise
                raise errors.RequestTimeout("slow", url=call.path, method=call.method, timeout=seconds) from None
            except errors.InvokeAIError as error:
                may_retry = error.is_transient and (call.idempotent or not error.may_have_been_applied)
                if not left or not may_retry or now() + 0.2 >= deadline:
                    raise
            await asyncio.sleep(0.2)
        raise AssertionError("the loop above returns or raises")

    async def _exchange(self, call: Call[Any]) -> Response:
        assert call.path.startswith(f"/api/v1/queue/{self.queue_id}/"), call.path
        route = _route(call)
        self.requests.append(Request(now(), route, call.body))
        faults = self._faults.get(route)
        fault = faults.pop(0) if faults else self._always.get(route, _no_fault)
        return await fault(Exchange(self, call))

    # The server's side.

    async def carry_out(self, call: Call[Any]) -> Response:
        """Carry a request out, to its end even if the client hangs up."""
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        async def work() -> None:
            content = await self._answer(_route(call), call)
            if not done.done():
                done.set_result(Exchange(self, call).response(200, json.dumps(content).encode()))

        self.in_background(work())
        return await done

    async def _answer(self, route: str, call: Call[Any]) -> Any:
        match route:
            case "enqueue_batch":
                await asyncio.sleep(self.storing_takes)
                return self._enqueue(call.body)
            case "batch_status":
                batch_id = call.path.split("/")[-2]
                return {"batch_id": batch_id, **self._counts(self.ids_of(batch_id))}
            case "status":
                running = [item_id for item_id, item in self.items.items() if item["status"] == "in_progress"]
                return {
                    "queue": {**self._counts([*self.items]), "item_id": next(iter(running), None)},
                    "processor": {"is_started": True, "is_processing": not self.is_processor_dead},
                }
            case "item_ids":
                return {"item_ids": sorted(self.items, reverse=True), "total_count": len(self.items)}
            case "item_summaries_by_ids" | "items_by_ids":
                return [self.items[item_id] for item_id in call.body["item_ids"] if item_id in self.items]
            case "item":
                return self.items[int(call.path.split("/")[-1])]
            case "retry_items_by_id":
                return {"retried_item_ids": self._retry(call.body)}
            case "cancel_by_batch_ids":
                return {"canceled": self._cancel(item for one in call.body["batch_ids"] for item in self.ids_of(one))}
        raise AssertionError(f"this server has no route {call.path}")

    def _enqueue(self, body: dict[str, Any]) -> dict[str, Any]:
        batch = body["batch"]
        requested = batch["runs"]
        for group in batch.get("data") or ():
            requested *= len(group[0]["items"]) if group else 0
        room = self.capacity - self._counts([*self.items])["pending"]
        new = self.add(
            batch["batch_id"],
            max(0, min(requested, room)),
            destination=batch.get("destination"),
            origin=batch.get("origin"),
        )
        answer = {"enqueued": len(new), "requested": requested}
        return answer | {"item_ids": self.ids_of(batch["batch_id"])[::-1]} if self.names_items else answer

    def _retry(self, item_ids: list[int]) -> list[int]:
        retried = [item_id for item_id in item_ids if self.items[item_id]["status"] in ("failed", "canceled")]
        for item_id in retried:
            first = self.items[item_id].get("retried_from_item_id") or item_id
            self.add(self.items[item_id]["batch_id"], retried_from_item_id=first)
        return retried

    def _counts(self, item_ids: list[int]) -> dict[str, int]:
        statuses = [self.items[item_id]["status"] for item_id in item_ids]
        return {status: statuses.count(status) for status in _STATUSES} | {"total": len(statuses)}

    def _cancel(self, item_ids: Any) -> int:
        unfinished = [item_id for item_id in item_ids if self.items[item_id]["status"] in _UNFINISHED]
        self.finish(*unfinished, status="canceled")
        return len(unfinished)


# Faults, to be given to `next` and `always`.


async def _no_fault(exchange: Exchange) -> Response:
    return await exchange.carry_out()


async def refused(exchange: Exchange) -> Response:
    """Nothing listens."""
    raise errors.TransportError("connection refused", url=exchange.url, method=exchange.call.method, sent=False)


async def dropped(exchange: Exchange) -> Response:
    """The connection breaks before the server has the request."""
    raise errors.TransportError("connection reset", url=exchange.url, method=exchange.call.method)


async def lost(exchange: Exchange) -> Response:
    """The connection breaks when the server has carried the request out."""
    await exchange.carry_out()
    raise errors.TransportError("connection reset", url=exchange.url, method=exchange.call.method)


async def unnamed(exchange: Exchange) -> Response:
    """The response is the server's, but that it names no items."""
    response = await exchange.carry_out()
    return exchange.response(response.status_code, json.dumps({**response.json(), "item_ids": []}).encode())


async def swallowed(exchange: Exchange) -> Response:
    """The request never arrives, and no response comes."""
    await asyncio.Event().wait()
    raise AssertionError


async def unanswered(exchange: Exchange) -> Response:
    """The server carries the request out, and no response comes."""
    await exchange.carry_out()
    return await swallowed(exchange)


def status(
    code: int,
    *,
    applied: bool = False,
    late: float | None = None,
    retry_after: float | None = None,
    content: bytes = b'{"detail": "a fault"}',
) -> Fault:
    """An error status: of a request that was not carried out, was, or will be after so many seconds."""

    async def answer(exchange: Exchange) -> Response:
        if applied:
            await exchange.carry_out()
        if late is not None:
            exchange.carry_out_later(late)
        headers = {"content-type": "application/json"}
        if retry_after is not None:
            headers["Retry-After"] = f"{retry_after:g}"
        return exchange.response(code, content, headers)

    return answer


def answered(content: bytes, *, code: int = 200, content_type: str = "application/json", applied: bool = True) -> Fault:
    """Another response than the server's own, to a request that was carried out, or was not."""

    async def answer(exchange: Exchange) -> Response:
        if applied:
            await exchange.carry_out()
        return exchange.response(code, content, {"content-type": content_type})

    return answer


def _route(call: Call[Any]) -> str:
    parts = call.path.split("/")
    return _ROUTES.get(parts[5], parts[5])


def _read(call: Call[T], response: Response) -> T:
    if response.status_code >= 400:
        raise error_for(response)
    try:
        return call.parse(response)
    except (ValidationError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, errors.InvokeAIError):
            raise
        raise errors.ServerError(
            "answered in another shape", status=response.status_code, method=call.method, url=response.url
        ) from error
