"""Follows runs that were submitted earlier, by this or another program."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from invokeai_py_client.live.event_listener import EventListener
from invokeai_py_client.live.queue_reads import all_ids, item_of_session, items_of_batch, records_of, summaries_of
from invokeai_py_client.live.router import REDACTED
from invokeai_py_client.live.state.progress import NodeDurations
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.events import TERMINAL_STATUSES

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.queue import QueueItemRecord, QueueItemSummary


class Attacher:
    """Follows runs that were submitted earlier. All methods run on the engine.

    Args:
        http: sends the requests.
        listener: receives the events.
        durations: how long nodes are expected to take.
    """

    def __init__(self, http: Sender, listener: EventListener, durations: NodeDurations) -> None:
        self._http = http
        self._listener = listener
        self._durations = durations
        # Held while a batch is being attached. Keyed by loop, too: after a fork the engine has a new one.
        self._locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str, str], asyncio.Lock] = (
            WeakValueDictionary()
        )

    async def attach(
        self, queue_id: str, *, batch_id: str | None = None, item_id: int | None = None, session_id: str | None = None
    ) -> TrackedRun:
        """Follow a run that was submitted earlier, or elsewhere.

        When this returns, the state of each of its items is known, and the outputs of those that have ended.

        Args:
            queue_id: the queue.
            batch_id: a whole batch; or
            item_id: one item; or
            session_id: the item of that session.

        Raises:
            NotFoundError: the queue has no such item, or no item of that batch.
            InvokeAIError: a request failed.
        """
        await self._listener.start(queue_id)
        if batch_id is not None:
            async with self._lock(queue_id, batch_id):
                followed = self._listener.router.followed(queue_id, batch_id)
                return followed or await self._attach(queue_id, batch_id)
        if session_id is not None:
            item_id = await item_of_session(self._http, queue_id, session_id)
        assert item_id is not None
        record = await self._http.send(queue.get_queue_item(queue_id, item_id))
        only = frozenset({item_id})
        for run in self._listener.router.having(record.item_id):
            # Without the graph, the run is still being attached, which may fail.
            if run.state.only == only and run.state.queue_id == queue_id and run.state.graph is not None:
                self._listener.router.apply(run, run.state.apply_snapshot(record))
                return run
        return await self._attach(queue_id, record.batch_id, record, only)

    async def _attach(
        self,
        queue_id: str,
        batch_id: str,
        record: QueueItemRecord | None = None,
        only: frozenset[int] | None = None,
    ) -> TrackedRun:
        run = self._listener.router.follow(
            RunState(batch_id, queue_id, None, has_gap=True, only=only, durations=self._durations)
        )
        try:
            items = [record] if record is not None else await self._items_of(queue_id, batch_id)
            item_ids = [item.item_id for item in items]
            run.destination = items[0].destination
            run.state.enqueued(item_ids)
            await self._listener.reconciler.bring_up_to_date(run)
            if run.state.graph is None:
                # None of its items has ended. Only full records contain the graph.
                if record is None:
                    record = await self._http.send(queue.get_queue_item(queue_id, item_ids[0]))
                self._listener.router.apply(run, run.state.apply_snapshot(record))
        except BaseException:
            self._listener.router.forget(run)
            raise
        return run

    def _lock(self, queue_id: str, batch_id: str) -> asyncio.Lock:
        return self._locks.setdefault((asyncio.get_running_loop(), queue_id, batch_id), asyncio.Lock())

    async def attach_if_there(self, queue_id: str, batch_id: str) -> TrackedRun | None:
        """Follow a batch; return None if the queue has no items of it."""
        if self._listener.router.followed(queue_id, batch_id) is None:
            status = await self._http.send(queue.get_batch_status(queue_id, batch_id))
            if not status.total:
                return None
        return await self.attach(queue_id, batch_id=batch_id)

    async def attach_many(
        self,
        queue_id: str,
        *,
        batch_ids: Collection[str] | None = None,
        destination: str | None = None,
        origin: str | None = None,
    ) -> dict[str, TrackedRun]:
        """Follow the batches that match all criteria, with one listing of the queue.

        When this returns, the state of each item is known, and the outputs of those that have ended.

        Args:
            queue_id: the queue.
            batch_ids: only these batches.
            destination: only batches with this destination.
            origin: only batches with this origin.

        Returns:
            The runs by batch id, in the order in which they were enqueued.
        """
        await self._listener.start(queue_id)
        wanted = None if batch_ids is None else frozenset(batch_ids)
        found: dict[str, list[QueueItemSummary]] = {}
        for item in await summaries_of(self._http, queue_id, (await all_ids(self._http, queue_id))[::-1]):
            if (
                item.parent_item_id is None
                and (item.batch_id in wanted if wanted is not None else item.batch_id != REDACTED)
                and destination in (None, item.destination)
                and origin in (None, item.origin)
            ):
                found.setdefault(item.batch_id, []).append(item)
        router = self._listener.router
        followed = {batch_id: router.followed(queue_id, batch_id) for batch_id in found}
        # Without the graph, a run is still being attached, which may fail.
        runs = {batch_id: run for batch_id, run in followed.items() if run is not None and run.state.graph is not None}
        new = {batch_id: items for batch_id, items in found.items() if batch_id not in runs}
        # Only full records contain the outputs and the graph.
        whole = [item.item_id for items in new.values() for item in items if item.status in TERMINAL_STATUSES]
        whole += [items[0].item_id for items in new.values() if items[0].status not in TERMINAL_STATUSES]
        records = {record.item_id: record for record in await records_of(self._http, queue_id, whole)}
        for batch_id, items in new.items():
            async with self._lock(queue_id, batch_id):
                run = router.followed(queue_id, batch_id)
                if run is None:
                    run = router.follow(RunState(batch_id, queue_id, None, has_gap=True, durations=self._durations))
                    run.destination = items[0].destination
                    run.state.enqueued([item.item_id for item in items])
                    for item in items:
                        router.apply(run, run.state.apply_snapshot(records.get(item.item_id, item)))
                    if not run.is_over:
                        # Its items may have made progress since they were listed.
                        self._listener.reconciler.check(run)
            runs[batch_id] = run
        return {batch_id: runs[batch_id] for batch_id in found}

    async def _items_of(self, queue_id: str, batch_id: str) -> list[QueueItemSummary]:
        items = await items_of_batch(self._http, queue_id, batch_id)
        if not items:
            call = queue.get_batch_status(queue_id, batch_id)
            raise not_there(
                f"The queue {queue_id!r} has no items of batch {batch_id!r}.",
                call,
                self._http,
                hint="Check the id; items that have ended are deleted after a while.",
            )
        return items
