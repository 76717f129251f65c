"""Asks the server in bulk what its pushes did not tell: on reconnect, on bulk events, and on silence.

There is one reconciler for all runs of a client, so a thousand waits cost no more than one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

from invokeai_py_client.errors import (
    AuthenticationError,
    ForbiddenError,
    InvokeAIError,
)
from invokeai_py_client.live.items import records_of, summaries_of
from invokeai_py_client.live.resubmission import resubmit_lost
from invokeai_py_client.live.router import LiveRun, Router
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.waiting import set_within
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records import QueueItemSummary

logger = logging.getLogger("invokeai_py_client.live")

POLL_INTERVAL = 2.0
"""Seconds between two rounds while no socket is open, unless a wait asks for another interval."""

SILENCE = 15.0
"""Seconds without an event after which a run is asked about although the socket is open."""

SILENCE_AFTER_CANCEL = 1.0
"""The same for a run that was canceled: older servers push nothing about many items canceled at once."""

ERROR_GRACE = 0.25
"""Seconds that the error of a failed node may take to follow the status, before it is asked for."""

_DETAILS_PER_REQUEST = 50

_RunsOfItems = defaultdict[int, list[LiveRun]]


class Connection(Protocol):
    """What the reconciler must know of the socket."""

    @property
    def is_connected(self) -> bool:
        """Whether events arrive now."""
        ...

    @property
    def epoch(self) -> int:
        """Rises with each new connection."""
        ...


class Reconciler:
    """Keeps every followed run true to the server.

    Args:
        http: how to ask.
        engine: where to run.
        router: whose runs are kept true.
        connection: tells whether events arrive.
    """

    def __init__(self, http: Sender, engine: Engine, router: Router, connection: Connection) -> None:
        self._http = http
        self._engine = engine
        self._router = router
        self._connection = connection
        self._generation = -1
        self._due = asyncio.Event()
        self._everything = False
        self.rounds = 0

    def start(self) -> None:
        """Run in the background, if it does not yet. Waits without a request while there is nothing to ask."""
        if self._generation != self._engine.generation:
            self._generation = self._engine.generation
            self._due = asyncio.Event()
            self._engine.spawn(self._run(), name="reconciler")

    def wake(self, *, everything: bool = False) -> None:
        """Have a round now: for the items that lack details, or for every item that has not ended."""
        self._everything = self._everything or everything
        self._due.set()

    async def _run(self) -> None:
        while True:
            await set_within(self._due, self._pause())
            self._due.clear()
            everything, self._everything = self._everything, False
            try:
                await self._round(everything)
            except (AuthenticationError, ForbiddenError) as error:
                # Asking again would get the same answer for ever: those who wait must know.
                for run in self._router.live():
                    run.fail(error)
                    self._router.forget(run)
            except InvokeAIError as error:
                logger.info("the server could not be asked about its queue, will try again: %s", error)
                await self._try_again(everything)
            except Exception:
                # The safety net must hold whatever one answer may do to it.
                logger.exception("a round of asking the server about its queue failed, will try again")
                await self._try_again(everything)

    async def _try_again(self, everything: bool) -> None:
        await asyncio.sleep(min(self._pause() or POLL_INTERVAL, POLL_INTERVAL))
        self.wake(everything=everything)

    def _pause(self) -> float | None:
        """Seconds until the next round; None to wait until there is a reason."""
        runs = [*self._router.live()]
        if not runs:
            return None
        if self._connection.is_connected:
            return min(_silence(run) for run in runs)
        return min(run.pause(POLL_INTERVAL) for run in runs)

    async def _round(self, everything: bool) -> None:
        self.rounds += 1
        polling = everything or not self._connection.is_connected
        now = time.monotonic()
        ask: dict[str, _RunsOfItems] = defaultdict(lambda: defaultdict(list))
        for run in self._router.live():
            if polling or run.last_heard <= now - _silence(run):
                run.asked += 1
                for item_id in run.state.unsettled():
                    ask[run.state.queue_id][item_id].append(run)
        for queue_id, runs in ask.items():
            for item_ids in _groups(runs, queue.MAX_IDS_PER_REQUEST):
                await self._refresh(queue_id, item_ids, runs)
        await self._fill_in_details()
        for run in self._router.live():
            if run.state.lost_items():
                await resubmit_lost(self._http, self._router, run)

    async def _refresh(self, queue_id: str, item_ids: Sequence[int], runs: _RunsOfItems) -> None:
        epoch = self._connection.epoch if self._connection.is_connected else None
        records = await summaries_of(self._http, queue_id, item_ids)
        watched = self._connection.is_connected and self._connection.epoch == epoch
        for record in records:
            for run in runs[record.item_id]:
                self._router.apply(run, run.state.apply_snapshot(record, nothing_missed=watched))
        self._tell_gone(item_ids, records, runs)

    async def _fill_in_details(self) -> None:
        """Fetch the full record of each item of whose end not all is known."""
        if any(run.state.awaits_error() for run in self._router.live()):
            await asyncio.sleep(ERROR_GRACE)
        lacking: dict[str, _RunsOfItems] = defaultdict(lambda: defaultdict(list))
        for run in self._router.live():
            for item_id in run.state.lacking_details():
                lacking[run.state.queue_id][item_id].append(run)
        for queue_id, runs in lacking.items():
            for item_ids in _groups(runs, _DETAILS_PER_REQUEST):
                records = await records_of(self._http, queue_id, item_ids)
                for record in records:
                    for run in runs[record.item_id]:
                        self._router.apply(run, run.state.apply_snapshot(record))
                self._tell_gone(item_ids, records, runs)

    def _tell_gone(self, item_ids: Sequence[int], records: Iterable[QueueItemSummary], runs: _RunsOfItems) -> None:
        for item_id in set(item_ids) - {record.item_id for record in records}:
            for run in runs[item_id]:
                self._router.apply(run, run.state.apply_gone(item_id))


def _silence(run: LiveRun) -> float:
    return SILENCE_AFTER_CANCEL if run.cancel_asked else SILENCE


def _groups(item_ids: Iterable[int], size: int) -> Iterable[list[int]]:
    ids = list(item_ids)
    return (ids[start : start + size] for start in range(0, len(ids), size))
