"""Events, records and a queue for unit tests of `live/`, without a server."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from invokeai_py_client import errors
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call, Query
from invokeai_py_client.wire.events import Event, ItemEvent, ProgressReport, read_event
from invokeai_py_client.wire.records.queue import (
    BatchStatus,
    ItemIds,
    QueueItemRecord,
    QueueItemSummary,
    QueueStatus,
    RetryResult,
)

GRAPH: dict[str, Any] = {"nodes": {"add": {"type": "add", "id": "add"}}, "edges": []}
"""A graph of one node."""

RESULT = {"type": "integer_output", "value": 1}


def status_payload(status: str, item_id: int, batch_id: str = "b", **more: Any) -> dict[str, Any]:
    """Return the payload of a `queue_item_status_changed`."""
    return {
        "queue_id": "default",
        "item_id": item_id,
        "batch_id": batch_id,
        "session_id": f"s-{item_id}",
        "status": status,
        **more,
    }


def node_payload(item_id: int, batch_id: str = "b", node_id: str = "add", **more: Any) -> dict[str, Any]:
    """Return the payload of an event of a node."""
    return {
        "queue_id": "default",
        "item_id": item_id,
        "batch_id": batch_id,
        "session_id": f"s-{item_id}",
        "invocation_source_id": node_id,
        "invocation": {"id": f"{node_id}-{item_id}", "type": "add"},
        **more,
    }


def item_event(name: str, payload: Mapping[str, Any]) -> ItemEvent | ProgressReport:
    """Read an event of one item."""
    event = read_event(name, payload, message(name, payload))
    assert isinstance(event, ItemEvent | ProgressReport)
    return event


def apply(state: RunState, event: ItemEvent | ProgressReport) -> list[Event]:
    """Apply an event to a run, and return the events for its consumers."""
    if not isinstance(event, ProgressReport):
        return state.apply_event(event)
    progress = state.apply_progress(event)
    return [] if progress is None else [event.event(progress)]


def message(name: str, payload: Any) -> str:
    """Return the text in which the server sends an event."""
    return "42" + json.dumps([name, payload])


def dispatch(router: Router, name: str, payload: Any) -> None:
    """Have a router process an event."""
    router.dispatch(name, payload, message(name, payload))


def messages(item_id: int, batch_id: str = "b") -> list[tuple[str, dict[str, Any]]]:
    """Return what the server sends for an item of `GRAPH`."""
    return [
        ("queue_item_status_changed", status_payload("in_progress", item_id, batch_id)),
        ("invocation_started", node_payload(item_id, batch_id)),
        ("invocation_complete", node_payload(item_id, batch_id, result=RESULT)),
        ("queue_item_status_changed", status_payload("completed", item_id, batch_id)),
    ]


def calls_made(function: Callable[[], object]) -> int:
    """Return how many calls, of Python and of C functions, it takes: a measure of work that no clock disturbs."""
    count = 0

    def profile(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    # A collection would count the finalizers of what other tests have left.
    gc.collect()
    gc.disable()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


class FakeQueue:
    """A `Sender` that answers what is asked about a queue's items, and remembers each request."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.items: dict[int, QueueItemRecord] = {}
        self.requests: list[tuple[str, tuple[int, ...]]] = []
        self.failures: list[Exception | None] = []
        """What the next requests meet; None for nothing."""
        self.unreadable: dict[int, Exception] = {}
        """The failures of requests for the full records of items."""
        self.refused: dict[str, Exception] = {}
        """The failure of each request to a route."""
        self.is_processor_dead = False

    def put(self, *item_ids: int, status: str = "pending", batch_id: str = "b", **more: Any) -> None:
        """Have items with a status; those that have completed have the output of `GRAPH`."""
        for item_id in item_ids:
            prepared = f"add-{item_id}"
            session = {
                "graph": GRAPH,
                "results": {prepared: RESULT} if status == "completed" else {},
                "prepared_source_mapping": {prepared: "add"},
            }
            self.items[item_id] = QueueItemRecord.model_validate(
                {
                    "item_id": item_id,
                    "status": status,
                    "batch_id": batch_id,
                    "queue_id": "default",
                    "session_id": f"s-{item_id}",
                    "session": session,
                    **more,
                }
            )

    def asked(self, route: str) -> list[tuple[int, ...]]:
        """Return the ids of each request to a route."""
        return [item_ids for name, item_ids in self.requests if name == route]

    def url_of(self, path: str, query: Query | None = None) -> str:
        return f"{self.settings.url}{path}"

    async def send(self, call: Call[Any]) -> Any:
        route = call.path.removeprefix("/api/v1/queue/default/")
        body = call.body if isinstance(call.body, Mapping) else {}
        item_ids = tuple(body.get("item_ids", ()))
        self.requests.append((route, item_ids))
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        if route in self.refused:
            raise self.refused[route]
        if route == "item_ids":
            return ItemIds(item_ids=[*self.items])
        if route == "item_summaries_by_ids":
            return [self._summary(item_id) for item_id in item_ids if item_id in self.items]
        if route == "items_by_ids":
            for item_id in item_ids:
                if item_id in self.unreadable:
                    raise self.unreadable[item_id]
            return [self.items[item_id] for item_id in item_ids if item_id in self.items]
        if route == "status":
            return self._status()
        if route == "retry_items_by_id":
            for item_id in call.body:
                self.put(max(self.items) + 1, batch_id=self.items[item_id].batch_id, retried_from_item_id=item_id)
            return RetryResult(retried_item_ids=call.body)
        if route == "next":
            return next((item for item in self.items.values() if item.status == "pending"), None)
        if route.startswith("b/"):
            return self._batch_status(route.split("/")[1], self.items.values())
        assert route.startswith("i/"), route
        if int(route[2:]) not in self.items:
            raise errors.NotFoundError("no such item", status=404, method="GET", url=call.path)
        return self.items[int(route[2:])]

    def _summary(self, item_id: int) -> QueueItemSummary:
        item = self.items[item_id]
        return QueueItemSummary.model_validate({name: item[name] for name in QueueItemSummary.model_fields})

    def _status(self) -> QueueStatus:
        statuses: list[str] = [item.status for item in self.items.values()]
        running = next((item.item_id for item in self.items.values() if item.status == "in_progress"), None)
        names = ("pending", "in_progress", "waiting", "completed", "failed", "canceled")
        counts = {name: statuses.count(name) for name in names}
        is_processing = running is not None and not self.is_processor_dead
        return QueueStatus.model_validate(
            {
                "queue": {**counts, "total": len(statuses), "item_id": running},
                "processor": {"is_started": True, "is_processing": is_processing},
            }
        )

    @staticmethod
    def _batch_status(batch_id: str, items: Iterable[QueueItemRecord]) -> BatchStatus:
        statuses = [item.status for item in items if item.batch_id == batch_id]
        counts = {name: statuses.count(name) for name in ("pending", "in_progress", "completed", "failed", "canceled")}
        return BatchStatus(batch_id=batch_id, total=len(statuses), **counts)
