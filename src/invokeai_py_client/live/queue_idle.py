"""Waits for the counts of a queue: events say when to request its status, and the response decides."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import ApiError, InvokeAIError, ProcessorStoppedError
from invokeai_py_client.live.processor import ProcessorWatch
from invokeai_py_client.live.router import Router
from invokeai_py_client.runtime.timeouts import set_within
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.events import BulkChange, Event, QueueItemStatusChanged, Reconnected

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.queue import QueueStatus

_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds between a transient failure and the next request; the last is repeated."""

_LEAST = 1.0
"""The shortest timeout of a request in seconds, even if less of the wait's time is left."""

Counts = Mapping[str, Any]
AreSo = Callable[[Counts], bool]


def nothing_pending(counts: Counts) -> bool:
    """Return whether no item is pending."""
    return not counts.get("pending")


def nothing_at_all(counts: Counts) -> bool:
    """Return whether no item is pending, in progress or waiting."""
    return not any(counts.get(name) for name in ("pending", "in_progress", "waiting"))


async def until_counts(
    http: Sender,
    router: Router,
    queue_id: str,
    are_so: AreSo,
    *,
    pause: Callable[[], float],
    seconds: float | None = None,
    on_wait: Callable[[Counts | InvokeAIError], None] = lambda seen: None,
    unless: Callable[[], bool] = lambda: False,
) -> bool:
    """Wait until the counts of a queue satisfy a condition. The queue must be subscribed to.

    Requests that fail transiently are repeated. At least one request is sent, even if `seconds` is 0.

    Args:
        http: sends the requests.
        router: passes on the events of the queue.
        queue_id: the queue.
        are_so: the condition.
        pause: returns the seconds after which the next request is sent even without an event.
        seconds: the time limit; None for no limit.
        on_wait: called after each request with the counts, or the failure, unless the condition is satisfied.
        unless: ends the wait when it returns True; called after each request.

    Returns:
        True if the condition is satisfied; False after the time limit, or if `unless` ended the wait.

    Raises:
        ProcessorStoppedError: the server no longer runs items.
        InvokeAIError: a request failed permanently, or all requests failed transiently until the time was over.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    changed = asyncio.Event()

    def watcher(events: list[Event]) -> None:
        if any(_may_make_it_so(event, are_so) for event in events):
            changed.set()

    router.watch_queue(queue_id, watcher)
    processor = ProcessorWatch(http)
    failures = 0
    try:
        while True:
            changed.clear()
            failure: InvokeAIError | None = None
            try:
                status = await _ask(http, queue_id, deadline)
                failures = 0
                counts = dict(status.queue)
                if are_so(counts):
                    return True
                on_wait(counts)
                stopped = await _check(processor, queue_id, status, deadline)
                if stopped is not None:
                    raise stopped
            except InvokeAIError as error:
                if not error.is_transient:
                    raise
                failure = error
                failures += 1
                on_wait(error)
            if unless():
                return False
            wanted = _pause_after(failure, failures) if failure is not None else pause()
            left = None if deadline is None else deadline - time.monotonic()
            if left is None or left > 0:
                await set_within(changed, wanted if left is None else min(wanted, left))
            if deadline is not None and time.monotonic() >= deadline:
                if failure is not None:
                    raise failure
                return False
    finally:
        router.unwatch_queue(queue_id, watcher)


def _pause_after(failure: InvokeAIError, failures: int) -> float:
    pause = _PAUSES[min(failures, len(_PAUSES)) - 1]
    wanted = failure.retry_after if isinstance(failure, ApiError) else None
    return pause if wanted is None else max(pause, wanted)


async def _ask(http: Sender, queue_id: str, deadline: float | None) -> QueueStatus:
    call = queue.get_queue_status(queue_id)
    if deadline is not None:
        left = max(_LEAST, deadline - time.monotonic())
        call = dataclasses.replace(call, timeout=min(http.settings.timeout, left))
    # Not retried here: the caller polls again.
    return await http.send(dataclasses.replace(call, retries=0))


async def _check(
    processor: ProcessorWatch, queue_id: str, status: QueueStatus, deadline: float | None
) -> ProcessorStoppedError | None:
    """Check the processor within the time that is left; None if that is not enough."""
    try:
        async with asyncio.timeout(None if deadline is None else max(_LEAST, deadline - time.monotonic())):
            return await processor.check(queue_id, status)
    except TimeoutError as error:
        if isinstance(error, InvokeAIError):
            raise
        return None


def _may_make_it_so(event: Event, are_so: AreSo) -> bool:
    """Return whether the counts may satisfy the condition after an event."""
    counts = event.raw.get("queue_status")
    if isinstance(counts, Mapping):
        return are_so(counts)
    return isinstance(event, BulkChange | QueueItemStatusChanged | Reconnected)
