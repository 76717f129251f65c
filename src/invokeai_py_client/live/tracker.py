"""Submits runs, follows them to their end, and streams their events."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from invokeai_py_client.errors import InvokeAIError, SettingsError
from invokeai_py_client.live.attach import Attacher
from invokeai_py_client.live.event_delivery import coalescing_key, on_this_loop, tell
from invokeai_py_client.live.event_listener import EventListener
from invokeai_py_client.live.reconciler import POLL_INTERVAL
from invokeai_py_client.live.state.progress import NodeDurations
from invokeai_py_client.live.state.queue_changes import changes_in
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.submissions import Submissions
from invokeai_py_client.live.tracked_run import Polling, TrackedRun, Watcher
from invokeai_py_client.live.workloads import Workloads
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Losses, Mailbox
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.reconnecting_socket import OpenConnection
from invokeai_py_client.transport.socketio_connection import open_connection
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.events import Event


class RunTracker:
    """Submits, follows and streams the runs of one client. All methods run on the engine.

    Args:
        http: sends the requests.
        engine: runs the background tasks.
        open_connection: opens the socket's connections.
    """

    def __init__(self, http: HttpTransport, engine: Engine, open_connection: OpenConnection = open_connection) -> None:
        self._http = http
        self.durations = durations = NodeDurations()
        self.losses = Losses()
        self.workloads = Workloads()
        self.listener = EventListener(http, engine, open_connection)
        self.attacher = Attacher(http, self.listener, durations)
        self.submissions = Submissions(http, engine, self.listener, self.attacher, self.workloads, durations)

    async def wait(self, run: TrackedRun, *, seconds: float | None, pauses: tuple[float, ...] = ()) -> QueueItem:
        """Wait until a run has ended, successfully or not. Cancelling the wait does not cancel the run.

        Raises:
            TimeoutError: the run had not ended after `seconds`.
            InvokeAIError: following the run failed.
        """
        if not run.is_over:
            with self.polling(run, pauses):
                async with asyncio.timeout(seconds):
                    await self.listener.start(run.state.queue_id)
                    await self._end_of(run)
        if run.failure is not None:
            # One failure may end many waits. Each raises a copy, as raising adds a traceback.
            raise copy.copy(run.failure)
        return run.state.view()

    async def _end_of(self, run: TrackedRun) -> None:
        if not run.is_over:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            run.waiters.add(waiter)
            try:
                await waiter
            finally:
                run.waiters.discard(waiter)

    @contextlib.contextmanager
    def polling(self, run: TrackedRun, pauses: tuple[float, ...]) -> Iterator[None]:
        """While the context is open, poll a run at intervals if the socket is down.

        Args:
            run: the run.
            pauses: seconds before each request; the last is repeated.
        """
        polling = Polling(pauses or (POLL_INTERVAL,))
        run.pollings.append(polling)
        self.listener.reconciler.schedule(run)
        try:
            yield
        finally:
            run.pollings.remove(polling)

    @contextlib.asynccontextmanager
    async def watching(
        self, run: TrackedRun, wake: Callable[[], None], *, seconds: float | None, pauses: tuple[float, ...]
    ) -> AsyncIterator[None]:
        """While the context is open, call `wake` on the engine after each change of a run.

        Args:
            run: the run.
            wake: must not block.
            seconds: the longest time for the subscription to the events; after it, events may still come later.
            pauses: as for `polling`.
        """
        with self.polling(run, pauses):
            if not run.is_over:
                limit = asyncio.timeout(seconds)
                try:
                    async with limit:
                        await self.listener.start(run.state.queue_id)
                except TimeoutError:
                    if not limit.expired():
                        raise
            with run.waking(wake):
                yield

    async def stream(
        self, run: TrackedRun, mailbox: Mailbox[Event], *, item_id: int | None = None
    ) -> Callable[[], InvokeAIError | None]:
        """Put all events of a run into a mailbox, and close the mailbox when the run has ended.

        Args:
            run: the run.
            mailbox: the consumer's mailbox; closing it ends the stream early.
            item_id: stream only this item, and end with it.

        Returns:
            A function that returns the error that ended the stream early, or None.
        """
        if not run.is_over:
            await self.listener.start(run.state.queue_id)
        tell(run, mailbox, item_id=item_id, closes=True)
        return lambda: None if run.failure is None else copy.copy(run.failure)

    async def watch_queue(self, queue_id: str, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` on the engine with every event of a queue from now on.

        It also gets a `Reconnected` when the socket is connected again, or connected late.

        Returns:
            A function that removes the watcher.
        """
        await self.listener.subscribe(queue_id)
        self.listener.router.watch_queue(queue_id, watcher)
        return lambda: self.listener.router.unwatch_queue(queue_id, watcher)

    async def stream_queue(
        self, queue_id: str, mailbox: Mailbox[Event], *, only_changes: bool = False
    ) -> Callable[[], InvokeAIError | None]:
        """Put the events of a queue into a mailbox from now on, until its consumer closes it.

        Args:
            queue_id: the queue.
            mailbox: the consumer's mailbox.
            only_changes: put only the changes of `changes_in`.

        Returns:
            A function that returns the error that ended the stream, or None.

        Raises:
            SettingsError: the client does not open a socket.
            InvokeAIError: the server cannot be reached, or rejects this client.
        """
        if self._http.settings.transport == "polling":
            raise SettingsError(
                "The events of a queue cannot be streamed with transport='polling', which opens no socket.",
                setting="transport",
                hint="Omit the setting, or poll queue.get_status().",
            )

        def watcher(events: list[Event]) -> None:
            for event in events:
                for told in changes_in(event, self.listener.router.batches_of) if only_changes else [event]:
                    mailbox.put(told, key=coalescing_key(told))

        unwatch = await self.watch_queue(queue_id, watcher)
        failures = self.listener.queue_streams.add(mailbox)

        def leave() -> None:
            unwatch()
            self.listener.queue_streams.remove(mailbox)

        mailbox.when_closed(on_this_loop(leave))
        if not self.listener.is_connected:
            # What prevents a connection usually makes a request fail as well, and its error says why.
            try:
                await self._http.send(queue.get_queue_status(queue_id))
            except BaseException:
                leave()
                raise
        return lambda: copy.copy(failures[0]) if failures else None

    def runs_of(self, queue_id: str, destination: str | None = None) -> list[TrackedRun]:
        """Return the followed runs of a queue: all, or those whose items have a destination."""
        runs = [run for run in self.listener.router.live() if run.state.queue_id == queue_id]
        return runs if destination is None else [run for run in runs if run.destination == destination]

    @contextlib.contextmanager
    def canceling(self, runs: Iterable[TrackedRun]) -> Iterator[None]:
        """Wrap a request by which this client cancels whole runs.

        From now on, the rest of a run that did not fit into the queue is not sent, unless the request turns out not to
        have been carried out.
        """
        canceled = [*runs]
        for run in canceled:
            run.state.cancel_asked()
            run.cancels_under_way += 1
        may_be_applied = True
        try:
            yield
        except InvokeAIError as error:
            may_be_applied = error.may_have_been_applied
            raise
        finally:
            for run in canceled:
                run.cancels_under_way -= 1
                run.cancel_asked = run.cancel_asked or may_be_applied
                run.asked_at = time.monotonic()
                self.listener.reconciler.schedule(run)

    def cancel_of_item_asked(self, item_id: int) -> None:
        """Record that this client cancels an item, in all runs that it belongs to."""
        for run in self.listener.router.having(item_id):
            run.state.cancel_asked([item_id])

    def cancel_of_pending_asked(self, queue_id: str) -> None:
        """Record that this client cancels the pending items of a queue."""
        for run in self.runs_of(queue_id):
            run.state.cancel_asked(run.state.pending_ids())
