"""Waiting until a queue's counts are as one wants them: events tell when to ask, the server's answer decides."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from invokeai_py_client.errors import ApiError, InvokeAIError
from invokeai_py_client.live.processor import ProcessorWatch
from invokeai_py_client.live.router import Router
from invokeai_py_client.runtime.timeouts import set_within
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.events import BulkChange, Event, QueueItemStatusChanged, Reconnected
from invokeai_py_client.wire.records.queue import QueueStatus

_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds until the server is asked again after a transient failure; the last is repeated."""

_LEAST = 1.0
"""Seconds that one question gets, however little of a wait's time is left."""

Counts = Mapping[str, Any]
AreSo = Callable[[Counts], bool]


def nothing_pending(counts: Counts) -> bool:
    """Whether no item waits."""
    return not counts.get("pending")


def nothing_at_all(counts: Counts) -> bool:
    """Whether no item waits, and none runs."""
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
    """Wait until a queue's counts are so. The queue must be subscribed to.

    Transient failures are waited out. The server is asked at least once, however short the time.

    Args:
        http: how to ask.
        router: who tells of the queue's events.
        queue_id: the queue.
        are_so: whether the counts are as they should be.
        pause: the seconds after which the server is asked although no event came.
        seconds: how long to wait; None for as long as it takes.
        on_wait: called with what was seen each time that it is not yet so: the counts, or the failure.
        unless: ends the wait when it is true; it is looked at after each question.

    Returns:
        Whether they are so; False if the time was over first, or `unless` ended it.

    Raises:
        ProcessorStoppedError: the server runs no items any more.
        InvokeAIError: a failure that is not transient; a transient one if the time is over before the server answered.
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
                stopped = await processor.check(queue_id, status)
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


def _may_make_it_so(event: Event, are_so: AreSo) -> bool:
    """Whether the counts may be so after an event, as far as it tells."""
    counts = event.raw.get("queue_status")
    if isinstance(counts, Mapping):
        return are_so(counts)
    return isinstance(event, BulkChange | QueueItemStatusChanged | Reconnected)
