"""Requests by route, for endpoints without a method, and three routes that the client extends.

| route | difference from the server |
| --- | --- |
| `GET /queue/{queue_id}/status` | the response also has flat counts, such as `queue_pending_count` |
| `GET /queue/{queue_id}/i/{item_id}/position` | computed by `queue.get_position`; the server has no such route |
| `POST /queue/{queue_id}/enqueue_batch` | `priority` in the body is respected; the server ignores it |

A batch that is held back because of its `priority` waits at most for the `timeout` of the request, if there is one.
All other requests are sent unchanged, except that characters that URLs cannot contain, such as spaces, are quoted.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from multidict import CIMultiDict
from pydantic import ValidationError

from invokeai_py_client.errors import InvokeAIError, NotInvokeAIError, RejectedError, RequestTimeout, ServerError
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.repositories.queue.queue import AsyncQueue
from invokeai_py_client.repositories.raw_call import raw_call
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call, Query, Response
from invokeai_py_client.wire.records.queue import FLAT_COUNTS, QueueStatus

_ITEM_ID = re.compile("[0-9]{1,18}")


class RawRequests:
    """Sends requests by route. All coroutines run on the engine.

    Args:
        http: sends the requests.
        tracker: knows the priorities of this client's submissions.
        get_queue: returns the queue with an id.
    """

    def __init__(self, http: HttpTransport, tracker: RunTracker, get_queue: Callable[[str], AsyncQueue]) -> None:
        self._http = http
        self._tracker = tracker
        self._get_queue = get_queue
        self._meant_more: tuple[tuple[str, re.Pattern[str], Callable[..., Awaitable[Response]]], ...] = (
            ("GET", re.compile(r"/api/v1/queue/([^/]+)/status"), self._status),
            ("GET", re.compile(r"/api/v1/queue/([^/]+)/i/([^/]+)/position"), self._position),
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
            found = pattern.fullmatch(call.path.rstrip("/"))
            if found and call.method == meant_method:
                call = dataclasses.replace(call, path=call.path.rstrip("/"))
                return await answer(call, *map(unquote, found.groups()))
        return await self._http.send(call)

    async def _status(self, call: Call[Response], _: str) -> Response:
        response = await self._http.send(call)
        try:
            status = QueueStatus.model_validate(response.json())
        except ValidationError:
            # The caller interprets a body of an unknown shape.
            return response
        return _with_body(response, {**response.json(), **{name: status[name] for name in FLAT_COUNTS}})

    async def _position(self, call: Call[Response], queue_id: str, item_id: str) -> Response:
        url = self._http.url_of(call.path)
        if not _ITEM_ID.fullmatch(item_id):
            raise RejectedError(
                f"{call.method} {url}: {item_id!r} is not the id of a queue item.",
                status=422,
                method=call.method,
                url=url,
                hint="Use the number in submission['item_id'].",
            )
        limit = asyncio.timeout(call.timeout)
        try:
            async with limit:
                position = await self._get_queue(queue_id).get_position(int(item_id))
        except TimeoutError as error:
            if not limit.expired() or call.timeout is None:
                raise
            raise RequestTimeout(
                f"{call.method} {url}: the position could not be computed within {call.timeout:g} s.",
                url=url,
                method=call.method,
                timeout=call.timeout,
                hint="Pass a longer `timeout` if the server is slow.",
            ) from error
        headers = CIMultiDict({"Content-Type": "application/json"})
        return Response("GET", url, 200, headers, json.dumps(dict(position)).encode())

    async def _enqueue(self, call: Call[Response], queue_id: str) -> Response:
        try:
            return await self._enqueue_in_turn(call, queue_id)
        except InvokeAIError as error:
            batch = call.body.get("batch") if isinstance(call.body, Mapping) else None
            batch_id = batch.get("batch_id") if isinstance(batch, Mapping) else None
            error.batch_id = batch_id if isinstance(batch_id, str) else error.batch_id
            raise

    async def _enqueue_in_turn(self, call: Call[Response], queue_id: str) -> Response:
        body = call.body
        if not isinstance(body, Mapping) or "priority" not in body:
            return self._remembered(body, await self._http.send(call))
        priority = Priority.of(body["priority"])
        body = {name: value for name, value in body.items() if name != "priority"}
        if priority.goes_first:
            body["prepend"] = True
        if priority in (Priority.LOW, Priority.HIGH):
            await self._turn(call, priority, queue_id)
        if priority is not Priority.URGENT or not isinstance(body.get("batch"), Mapping):
            return self._remembered(body, await self._http.send(dataclasses.replace(call, body=body)))
        # The client chooses the id, so that the batch is known before the request is sent.
        batch_id = str(body["batch"].get("batch_id") or uuid4())
        body["batch"] = {**body["batch"], "batch_id": batch_id}
        async with self._tracker.submissions.urgent(queue_id, batch_id) as stored:
            try:
                response = self._remembered(body, await self._http.send(dataclasses.replace(call, body=body)))
            except InvokeAIError as error:
                error.batch_id = batch_id
                raise
            await stored(_part_of(response, "item_ids"))
        return response

    def _remembered(self, body: Any, response: Response) -> Response:
        """Remember the kind of work of a batch, under the id in the response."""
        sent = body.get("batch") if isinstance(body, Mapping) else None
        made = _part_of(response, "batch")
        if isinstance(sent, Mapping) and isinstance(made, Mapping) and "batch_id" in made:
            self._tracker.workloads.remember(str(made["batch_id"]), sent.get("graph"))
        return response

    async def _turn(self, call: Call[Response], priority: Priority, queue_id: str) -> None:
        waits_for = "the server's socket could not be opened yet"
        limit = asyncio.timeout(call.timeout)
        try:
            async with limit:
                await self._tracker.listener.subscribe(queue_id)
                priority_wait = self._tracker.submissions.priority_wait(priority, queue_id)
                try:
                    await priority_wait.wait()
                finally:
                    waits_for = priority_wait.waits_for
        except TimeoutError as error:
            if not limit.expired() or call.timeout is None:
                raise
            late = RequestTimeout(
                f"{call.method} {self._http.url_of(call.path)} was held back for {call.timeout:g} s because of its "
                f"priority {priority.value!r}, and was not sent: {waits_for}.",
                url=self._http.url_of(call.path),
                method=call.method,
                timeout=call.timeout,
                hint="Pass a longer `timeout` or a higher priority.",
            )
            late.may_have_been_applied = False
            raise late from error


def _part_of(response: Response, name: str) -> Any:
    """Return the value of a key in a JSON response; None if the response is not an object with that key."""
    try:
        answer = response.json()
    except (NotInvokeAIError, ServerError):
        # The caller interprets a body of an unknown shape.
        return None
    return answer.get(name) if isinstance(answer, Mapping) else None


def _with_body(response: Response, body: Any) -> Response:
    return dataclasses.replace(response, content=json.dumps(body).encode())
