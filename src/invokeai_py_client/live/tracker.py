"""Submitting and following runs: the socket, the router and the reconciler as one."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from typing import Any

from invokeai_py_client.errors import ClientClosedError, InvokeAIError, RunError, SettingsError
from invokeai_py_client.live.admission import Turn
from invokeai_py_client.live.connection import ConnectionChange, ConnectionWatch
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.queue_reads import all_ids, item_of_session, items_of_batch, records_of, summaries_of
from invokeai_py_client.live.reconciler import POLL_INTERVAL, Reconciler
from invokeai_py_client.live.router import REDACTED, LiveRun, Polling, Router, Watcher
from invokeai_py_client.live.state.progress import NodeDurations
from invokeai_py_client.live.state.queue_changes import changes_in
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.submissions import Submissions
from invokeai_py_client.live.workloads import Kinds
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Losses, Mailbox
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.socket import Socket
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.events import (
    TERMINAL_STATUSES,
    BulkChange,
    Event,
    GeneratorProgress,
    QueueItemsCanceled,
    QueueItemsRetried,
    Reconnected,
)
from invokeai_py_client.wire.records import QueueItemRecord, QueueItemSummary

logger = logging.getLogger("invokeai_py_client.live")


class Following:
    """Everything live of one client. All methods run on the engine.

    Args:
        http: for what must be asked.
        engine: where it all runs.
    """

    def __init__(self, http: HttpTransport, engine: Engine) -> None:
        self._http = http
        self._engine = engine
        self._generation = -1
        self._lost_at: float | None = None
        self._deaf_since: float | None = None
        self.losses = Losses()
        self._queue_streams: dict[Mailbox[Event], Callable[[InvokeAIError], None]] = {}
        self.connection = ConnectionWatch()
        self.kinds = Kinds()
        self.durations = NodeDurations()
        self.router = Router(
            followed=lambda run: self.reconciler.schedule(run),
            bulk_change=self._bulk_changed,
            needs_requests=lambda: self.reconciler.wake(),
        )
        self._socket = Socket(http, engine, listener=self)
        self.reconciler = Reconciler(http, engine, self.router, self._socket)
        self.submissions = Submissions(
            http,
            engine,
            self.router,
            self.reconciler,
            self.kinds,
            self.durations,
            start=self._start,
            make_turn=self._make_turn,
            attach=self._attach_if_there,
        )

    async def turn(self, priority: Priority, queue_id: str) -> Turn:
        """The turn of something of a priority that is to be put into a queue."""
        await self.subscribe(queue_id)
        return self._make_turn(priority, queue_id)

    def _make_turn(self, priority: Priority, queue_id: str) -> Turn:
        return Turn(self._http, self.router, self._socket, priority, queue_id)

    async def attach(
        self, queue_id: str, *, batch_id: str | None = None, item_id: int | None = None, session_id: str | None = None
    ) -> LiveRun:
        """Follow a run that was begun elsewhere, or earlier.

        When this returns, the state of each of its items is known, and the outputs of those that have ended.

        Args:
            queue_id: the queue.
            batch_id: a whole batch; or
            item_id: one item; or
            session_id: the item of that session.

        Raises:
            NotFoundError: the queue has no such item, or none of that batch (any more).
            InvokeAIError: as any request.
        """
        await self._start(queue_id)
        if session_id is not None:
            item_id = await item_of_session(self._http, queue_id, session_id)
        record: QueueItemRecord | None = None
        if batch_id is None:
            assert item_id is not None
            record = await self._http.send(queue.get_queue_item(queue_id, item_id))
            batch_id = record.batch_id
        only = None if item_id is None else frozenset({item_id})
        followed = self.router.followed(batch_id) if only is None else None
        if followed is not None:
            return followed
        run = self.router.follow(RunState(batch_id, queue_id, None, has_gap=True, only=only, durations=self.durations))
        try:
            items = [record] if record is not None else await self._items_of(queue_id, batch_id)
            item_ids = [item.item_id for item in items]
            run.destination = items[0].destination
            run.state.enqueued(item_ids)
            await self.reconciler.bring_up_to_date(run)
            if run.state.graph is None:
                # None of its items has ended. Only full records contain the graph.
                if record is None:
                    record = await self._http.send(queue.get_queue_item(queue_id, item_ids[0]))
                run.state.learned_graph(record.session.get("graph"))
                self.router.apply(run, run.state.apply_snapshot(record))
        except BaseException:
            self.router.forget(run)
            raise
        return run

    async def _attach_if_there(self, queue_id: str, batch_id: str) -> LiveRun | None:
        """Follow a batch, unless the queue has no item of it."""
        followed = self.router.followed(batch_id)
        if followed is not None and followed.state.queue_id == queue_id:
            return followed
        if not (await self._http.send(queue.get_batch_status(queue_id, batch_id))).total:
            return None
        return await self.attach(queue_id, batch_id=batch_id)

    async def attach_many(
        self,
        queue_id: str,
        *,
        batch_ids: Collection[str] | None = None,
        destination: str | None = None,
        origin: str | None = None,
    ) -> dict[str, LiveRun]:
        """Follow the batches that fit all of the given criteria, with one look at the queue.

        When this returns, the state of each item is known, and the outputs of those that have ended.

        Args:
            queue_id: the queue.
            batch_ids: only these batches.
            destination: only batches with this destination.
            origin: only batches with this origin.

        Returns:
            The runs by batch id, in the order in which they were enqueued.
        """
        await self._start(queue_id)
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
        runs = {batch_id: self.router.followed(batch_id) for batch_id in found}
        new = {batch_id: items for batch_id, items in found.items() if runs[batch_id] is None}
        # Only whole items have the outputs and the graph.
        whole = [item.item_id for items in new.values() for item in items if item.status in TERMINAL_STATUSES]
        whole += [items[0].item_id for items in new.values() if items[0].status not in TERMINAL_STATUSES]
        records = {record.item_id: record for record in await records_of(self._http, queue_id, whole)}
        for batch_id, items in new.items():
            run = runs[batch_id] = self.router.follow(
                RunState(batch_id, queue_id, None, has_gap=True, durations=self.durations)
            )
            run.destination = items[0].destination
            run.state.enqueued([item.item_id for item in items])
            for item in items:
                self.router.apply(run, run.state.apply_snapshot(records.get(item.item_id, item)))
            if not run.is_over:
                # It may have gone on meanwhile.
                self.reconciler.check(run)
        return {batch_id: run for batch_id, run in runs.items() if run is not None}

    async def _items_of(self, queue_id: str, batch_id: str) -> list[QueueItemSummary]:
        items = await items_of_batch(self._http, queue_id, batch_id)
        if not items:
            call = queue.get_batch_status(queue_id, batch_id)
            raise not_there(
                f"The queue {queue_id!r} has no item of batch {batch_id!r}.",
                method=call.method,
                url=self._http.url_of(call.path),
                hint="Check the id; items that have ended are deleted after a while.",
            )
        return items

    async def wait(self, run: LiveRun, *, seconds: float | None, pauses: tuple[float, ...] = ()) -> QueueItem:
        """Wait until a run has ended, however it ended. Giving up the wait leaves the run as it is.

        Raises:
            TimeoutError: it had not ended after so many `seconds`.
        """
        if not run.is_over:
            with self.polling(run, pauses):
                async with asyncio.timeout(seconds):
                    await self._start(run.state.queue_id)
                    await self._end_of(run)
        if run.failure is not None:
            # One failure may end many waits, each with an error of its own.
            raise copy.copy(run.failure)
        return run.state.view()

    async def _end_of(self, run: LiveRun) -> None:
        if not run.is_over:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            run.waiters.add(waiter)
            try:
                await waiter
            finally:
                run.waiters.discard(waiter)

    @contextlib.contextmanager
    def polling(self, run: LiveRun, pauses: tuple[float, ...]) -> Iterator[None]:
        """While this is open, ask about a run after these pauses in seconds if there is no socket; the last repeats."""
        polling = Polling(pauses or (POLL_INTERVAL,))
        run.pollings.append(polling)
        self.reconciler.schedule(run)
        try:
            yield
        finally:
            run.pollings.remove(polling)

    @contextlib.asynccontextmanager
    async def watching(self, run: LiveRun, watcher: Watcher, *, pauses: tuple[float, ...]) -> AsyncIterator[None]:
        """While this is open, call `watcher` on the engine with each burst of a run's events.

        Args:
            run: the run.
            watcher: it must not block.
            pauses: as for `polling`.
        """
        with self.polling(run, pauses):
            if not run.is_over:
                await self._start(run.state.queue_id)
            run.watchers.append(watcher)
            try:
                yield
            finally:
                run.unwatch(watcher)

    async def stream(
        self, run: LiveRun, mailbox: Mailbox[Event], *, item_id: int | None = None
    ) -> Callable[[], InvokeAIError | None]:
        """Put a run's events into a mailbox, from its start, and close it at the run's end.

        Args:
            run: the run.
            mailbox: whose consumer may close it to end this early.
            item_id: the one item that is of interest.

        Returns:
            Tells why the stream has ended early, if it has.
        """
        if not run.is_over:
            await self._start(run.state.queue_id)
        self.tell(run, mailbox, item_id=item_id, closes=True)
        return lambda: None if run.failure is None else copy.copy(run.failure)

    def tell(
        self,
        run: LiveRun,
        mailbox: Mailbox[Event],
        *,
        item_id: int | None = None,
        types: Collection[str] | None = None,
        closes: bool = False,
    ) -> None:
        """Put a run's events into a mailbox: those so far now, the others as they come."""

        def is_wanted(event: Event) -> bool:
            return (types is None or event.type in types) and (
                item_id is None or event.get("item_id", item_id) == item_id
            )

        def is_over() -> bool:
            return run.is_over or (item_id is not None and run.state.is_settled(item_id))

        def watcher(events: list[Event]) -> None:
            for event in events:
                if is_wanted(event):
                    mailbox.put(event, key=_key_of(event))
            if closes and is_over():
                mailbox.close()
            if mailbox.is_closed or run.is_over:
                run.unwatch(watcher)

        # All that was kept is told, however much it is.
        mailbox.put_backlog(event for event in run.story if is_wanted(event))
        if not is_over():
            run.watchers.append(watcher)
            if closes:
                mailbox.when_closed(_on_this_loop(lambda: run.unwatch(watcher)))
        elif closes:
            mailbox.close()

    @property
    def is_listening(self) -> bool:
        """Whether pushed events arrive now."""
        return self._socket.is_connected

    async def reconnect(self) -> None:
        """Open the socket anew: the client is somebody else from now on."""
        await self._socket.reconnect()

    async def subscribe(self, queue_id: str) -> None:
        """See to it that the router is told of a queue's events, as far as there is a socket."""
        if not await self._start(queue_id) and self._deaf_since is None:
            self._deaf_since = time.monotonic()

    async def watch_queue(self, queue_id: str, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` on the engine with every event of a queue, from now on; what is returned ends that.

        When the socket is back after a loss, or opened for the first time, it is called with a `Reconnected`.
        """
        await self.subscribe(queue_id)
        self.router.watch_queue(queue_id, watcher)
        return lambda: self.router.unwatch_queue(queue_id, watcher)

    async def stream_queue(
        self, queue_id: str, mailbox: Mailbox[Event], *, only_changes: bool = False
    ) -> Callable[[], InvokeAIError | None]:
        """Put a queue's events into a mailbox, from now on, until its consumer closes it.

        Args:
            queue_id: the queue.
            mailbox: whose consumer it is for.
            only_changes: put only what `changes_in` makes of them.

        Raises:
            SettingsError: the client has no socket, and would wait for ever.
            InvokeAIError: the server cannot be reached, or refuses this client.
        """
        if self._http.settings.transport == "polling":
            raise SettingsError(
                "A queue's events cannot be watched: transport='polling' opens no socket to push them through.",
                setting="transport",
                hint="Leave the setting out, or ask queue.get_status() now and then.",
            )

        def watcher(events: list[Event]) -> None:
            for event in events:
                for told in changes_in(event, self.router.batches_of) if only_changes else [event]:
                    mailbox.put(told, key=_key_of(told))

        unwatch = await self.watch_queue(queue_id, watcher)
        failures: list[InvokeAIError] = []
        self._queue_streams[mailbox] = failures.append

        def leave() -> None:
            unwatch()
            self._queue_streams.pop(mailbox, None)

        mailbox.when_closed(_on_this_loop(leave))
        if not self.is_listening:
            # What keeps the socket from being opened mostly keeps the server from being asked: that is told.
            try:
                await self._http.send(queue.get_queue_status(queue_id))
            except BaseException:
                leave()
                raise
        return lambda: copy.copy(failures[0]) if failures else None

    async def _start(self, queue_id: str) -> bool:
        """See to it that events arrive; whether they do. A forked child goes on following its parent's runs."""
        if self._generation != self._engine.generation:
            self._generation = self._engine.generation
            self._engine.on_close(self._fail_waits)
            self._queue_streams.clear()
            self.router.unwatch_all()
            for run in [*self.router.live()]:
                run.state.missed()
                # Those futures and functions belong to the parent's loop and threads.
                run.waiters.clear()
                run.watchers.clear()
                if not run.state.is_enqueued:
                    # It is the parent that is sending it.
                    run.fail(_of_the_parent(run))
                    self.router.forget(run)
            self.reconciler.start()
        listens = await self._socket.subscribe(queue_id)
        if not listens and self._socket.denial is not None:
            raise copy.copy(self._socket.denial)
        return listens

    async def _fail_waits(self) -> None:
        for run in self.router.live():
            run.fail(ClientClosedError("The client was closed while a run was being waited for."))
        self._end_streams(ClientClosedError("The client was closed."))

    def _end_streams(self, failure: InvokeAIError) -> None:
        for mailbox, fail in [*self._queue_streams.items()]:
            fail(failure)
            mailbox.close()
        self._queue_streams.clear()

    def cancel_asked(self, run: LiveRun | None = None, *, item_id: int | None = None) -> None:
        """Remember that it is this client that cancels a run, or an item of whatever run."""
        if item_id is not None:
            for other in self.router.having(item_id):
                other.state.cancel_asked([item_id])
        if run is not None:
            run.state.cancel_asked()
            run.cancel_asked = True
            run.checked_at = time.monotonic()
            self.reconciler.schedule(run)

    def cancel_of_queue_asked(self, queue_id: str, *, pending_only: bool) -> None:
        """Remember that it is this client that cancels what is in a queue, or waits in it."""
        for run in [*self.router.live()]:
            if run.state.queue_id != queue_id:
                continue
            if pending_only:
                run.state.cancel_asked(run.state.pending_ids())
            else:
                self.cancel_asked(run)

    def cancel_of_destination_asked(self, queue_id: str, destination: str) -> None:
        """Remember that it is this client that cancels what has a destination."""
        for run in [*self.router.live()]:
            if (run.state.queue_id, run.destination) == (queue_id, destination):
                self.cancel_asked(run)

    # What the socket tells.

    def received(self, name: str, payload: Any) -> None:
        """One message of the server's."""
        self.router.dispatch(name, payload)

    def connected(self) -> None:
        """Events arrive from here on; what came before may have been missed."""
        runs = [*self.router.live()]
        if self._lost_at is None:
            logger.info("connected to %s", self._http.settings.url)
            self.connection.tell(ConnectionChange("connected"))
        else:
            seconds = time.monotonic() - self._lost_at
            self._lost_at = None
            logger.info("reconnected to %s after %.1f s; %d runs are live", self._http.settings.url, seconds, len(runs))
            self.connection.tell(ConnectionChange("reconnected", seconds=seconds, resynced=len(runs)))
            for run in runs:
                # A run whose known items have all ended may still wait for the response to its submission.
                if run.state.unsettled() or not run.state.items:
                    self.router.apply(run, [Reconnected(queue_id=run.state.queue_id, seconds=seconds)])
        if self._deaf_since is not None:
            self.router.reconnected(time.monotonic() - self._deaf_since)
            self._deaf_since = None
        self.reconciler.check_all()

    def refused(self) -> None:
        """Nothing listens at the server's address: when it is back, it will have canceled what was running."""
        for run in self.router.live():
            run.state.server_was_away()

    def denied(self, error: InvokeAIError) -> None:
        """The server does not accept who the client is (any more): those who wait or watch must know."""
        for run in self.router.live():
            run.fail(error)
            self.router.forget(run)
        self._end_streams(error)

    def lost(self, reason: str) -> None:
        """Events may be missed from here on: every run has a gap, and is asked about until the socket is back."""
        logger.info("events are missed from here on (%s); asking the server instead", reason)
        self._lost_at = self._deaf_since = time.monotonic()
        self.connection.tell(ConnectionChange("disconnected", reason=reason))
        for run in self.router.live():
            run.state.missed()
        self.reconciler.check_all()

    def _bulk_changed(self, event: BulkChange) -> None:
        if isinstance(event, QueueItemsCanceled | QueueItemsRetried) and event.item_ids:
            self.reconciler.check_items(event.queue_id, event.item_ids)
        else:
            self.reconciler.check_all_soon()


def _of_the_parent(run: LiveRun) -> RunError:
    return RunError(
        f"Batch {run.state.batch_id} was not wholly enqueued when this process was forked: its parent sends it.",
        batch_id=run.state.batch_id,
        hint=f"Wait for it in the parent, or for what is there with client.run(batch_id={run.state.batch_id!r}).",
    )


def _on_this_loop(function: Callable[[], None]) -> Callable[[], None]:
    """The same for whatever thread; it does not wait, and does nothing when the loop has ended."""
    loop = asyncio.get_running_loop()

    def call() -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(function)

    return call


def _key_of(event: Event) -> tuple[int, str] | None:
    """Progress may give way to a newer one of its node; nothing else may."""
    return (event.item_id, event.invocation_id) if isinstance(event, GeneratorProgress) else None
