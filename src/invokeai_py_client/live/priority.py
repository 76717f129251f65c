"""Who goes first. The server knows only one thing: to put a batch before all that waits."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Literal

from invokeai_py_client.live.router import LiveRun, Router
from invokeai_py_client.runtime.waiting import set_within
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.events import Event

_PAUSES = (0.2, 0.5, 1.0, 2.0)


class Priority(StrEnum):
    """When a submission is to run, as far as one client can see to it.

    - `URGENT`: before all that waits now.
    - `HIGH`: likewise, but behind this client's urgent ones: while one of those waits, the submission waits for it.
    - `NORMAL`: at the end of the queue.
    - `LOW`: it is submitted when nothing is pending any more; the submission waits until then.

    Of two urgent ones, or two high ones, the later goes first: the server gives a batch that is put before all that
    waits a higher priority than any of it. What runs already is never interrupted. Another client, the web UI among
    them, can put something before anything, and fill the queue again before a `LOW` one begins; and where a server
    has several users, they take turns, whatever the priorities.
    """

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def goes_first(self) -> bool:
        """Whether it is put before all that waits."""
        return self in (Priority.HIGH, Priority.URGENT)


PriorityName = Literal["low", "normal", "high", "urgent"]


async def turn_of(priority: Priority, queue_id: str, http: HttpTransport, router: Router) -> None:
    """Wait until something of a priority may be submitted."""
    if priority is Priority.LOW:
        await _nothing_pending(queue_id, http)
    elif priority is Priority.HIGH:
        while waiting := [
            run for run in router.live() if run.is_urgent and run.state.queue_id == queue_id and run.state.is_waiting
        ]:
            await _change_of(waiting[0])


async def _nothing_pending(queue_id: str, http: HttpTransport) -> None:
    attempt = 0
    while (await http.send(queue.get_queue_status(queue_id))).queue.pending:
        await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
        attempt += 1


async def _change_of(run: LiveRun) -> None:
    changed = asyncio.Event()

    def watcher(_: list[Event]) -> None:
        changed.set()

    run.watchers.append(watcher)
    try:
        # A submission that fails tells no watcher: look again after a while.
        await set_within(changed, _PAUSES[-1])
    finally:
        run.unwatch(watcher)
