"""Requests by their route, for what has no method, and the few routes that mean more here than on the server.

| route | here |
| --- | --- |
| `GET /queue/{queue_id}/status` | also has the flat counts, such as `queue_pending_count` |
| `GET /queue/{queue_id}/i/{item_id}/position` | worked out by `queue.get_position`: the server has no such route |
| `POST /queue/{queue_id}/enqueue_batch` | a `priority` in the body takes effect, which the server ignores |

Whatever else is asked for goes to the server untouched.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from invokeai_py_client.live.following import Following
from invokeai_py_client.live.priority import Priority, turn_of
from invokeai_py_client.repositories.queue import AsyncQueue
from invokeai_py_client.repositories.raw_call import raw_call
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call, Query, Response
from invokeai_py_client.wire.records import QueueStatus
from invokeai_py_client.wire.records.queue import FLAT_COUNTS


class RawRequests:
    """Sends requests by their route. All coroutines run on the engine.

    Args:
        http: how to send.
        following: knows what of this client's is urgent.
        get_queue: a queue by its id.
    """

    def __init__(self, http: HttpTransport, following: Following, get_queue: Callable[[str], AsyncQueue]) -> None:
        self._http = http
        self._following = following
        self._get_queue = get_queue
        self._meant_more: tuple[tuple[str, re.Pattern[str], Callable[..., Awaitable[Response]]], ...] = (
            ("GET", re.compile(r"/api/v1/queue/([^/]+)/status"), self._status),
            ("GET", re.compile(r"/api/v1/queue/([^/]+)/i/(\d+)/position"), self._position),
            ("POST", re.compile(r"/api/v1/queue/([^/]+)/enqueue_batch"), self._enqueue),
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Any,
        params: Query | None,
        headers: Mapping[str, str] | None,
        timeout: float | None,  # noqa: ASYNC109
    ) -> Response:
        """Send a request; the arguments are those of `InvokeAIClient.request`."""
        call = raw_call(method, path, body=body, params=params, headers=headers, timeout=timeout)
        for meant_method, pattern, answer in self._meant_more:
            found = pattern.fullmatch(call.path)
            if found and call.method == meant_method:
                return await answer(call, *map(unquote, found.groups()))
        return await self._http.send(call)

    async def _status(self, call: Call[Response], _: str) -> Response:
        response = await self._http.send(call)
        status = QueueStatus.model_validate(response.json())
        return _with_body(response, {**response.json(), **{name: status[name] for name in FLAT_COUNTS}})

    async def _position(self, call: Call[Response], queue_id: str, item_id: str) -> Response:
        position = await self._get_queue(queue_id).get_position(int(item_id))
        url = self._http.url_of(call.path)
        return Response("GET", url, 200, {"content-type": "application/json"}, json.dumps(dict(position)).encode())

    async def _enqueue(self, call: Call[Response], queue_id: str) -> Response:
        if isinstance(call.body, Mapping) and "priority" in call.body:
            priority = Priority(call.body["priority"])
            body = {name: value for name, value in call.body.items() if name != "priority"}
            if priority.goes_first:
                body["prepend"] = True
            await turn_of(priority, queue_id, self._http, self._following.router)
            call = dataclasses.replace(call, body=body)
        return await self._http.send(call)


def _with_body(response: Response, body: Any) -> Response:
    return dataclasses.replace(response, content=json.dumps(body).encode())
