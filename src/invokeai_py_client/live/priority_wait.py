"""Holds back a submission until its priority allows it to be sent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.queue_idle import Counts, nothing_pending, until_counts
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.runtime.timeouts import set_within
from invokeai_py_client.transport.sender import Sender

logger = logging.getLogger("invokeai_py_client.live")

LOOK = 5.0
"""Seconds between two status requests while the socket is connected and no event arrives."""

_LOOK_UNTOLD = 2.0
"""The same while the socket is down, and for changes without an event."""

_TOLD_AGAIN = 60.0
"""Seconds between two log lines about one submission that is held back."""


class PriorityWait:
    """Holds back one submission, or one part of it: a low one until the queue has no pending items, a high one until no
    urgent batch of this client is pending. Used on the engine only.

    Args:
        http: sends the requests.
        router: knows the urgent runs of this client.
        is_connected: returns whether the socket is connected.
        priority: the priority of the submission.
        queue_id: the queue, which must be subscribed to.
    """

    def __init__(
        self, http: Sender, router: Router, is_connected: Callable[[], bool], priority: Priority, queue_id: str
    ) -> None:
        self._http = http
        self._router = router
        self._is_connected = is_connected
        self._priority = priority
        self._queue_id = queue_id
        self._told_at: float | None = None
        self.waits_for = f"the number of pending items in the queue {queue_id!r} was not requested yet"

    async def wait(self, unless: Callable[[], bool] = lambda: False) -> None:
        """Wait until the submission may be sent.

        Args:
            unless: ends the wait when it returns True; called every few seconds.

        Raises:
            InvokeAIError: requesting the status of the queue failed permanently.
        """
        if self._priority is Priority.LOW:
            await until_counts(
                self._http,
                self._router,
                self._queue_id,
                nothing_pending,
                pause=lambda: LOOK if self._is_connected() else _LOOK_UNTOLD,
                on_wait=self._saw,
                unless=unless,
            )
        elif self._priority is Priority.HIGH:
            while (urgent := self._urgent()) and not unless():
                self._waits(f"{len(urgent)} urgent batches of this client are pending in the queue {self._queue_id!r}")
                await _change_of(urgent[0])

    def _urgent(self) -> list[TrackedRun]:
        return [run for run in self._router.urgent(self._queue_id) if run.state.is_waiting]

    def _saw(self, seen: Counts | InvokeAIError) -> None:
        if isinstance(seen, InvokeAIError):
            self._waits(f"the number of pending items in the queue {self._queue_id!r} cannot be requested ({seen})")
        else:
            self._waits(f"{seen['pending']} items are pending in the queue {self._queue_id!r}")

    def _waits(self, what: str) -> None:
        self.waits_for = what
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= _TOLD_AGAIN:
            self._told_at = now
            logger.info("a submission of %s priority is held back: %s", self._priority, what)


async def _change_of(run: TrackedRun) -> None:
    changed = asyncio.Event()
    with run.waking(changed.set):
        # A submission that fails does not call the wakers.
        await set_within(changed, _LOOK_UNTOLD)
