"""Subscribes to the events of queues, and marks live runs as having a gap when events may have been missed."""

from __future__ import annotations

import copy
import logging
import time
from typing import Any

from invokeai_py_client.errors import ClientClosedError, InvokeAIError, RunError
from invokeai_py_client.live.connection_changes import ConnectionChange, ConnectionWatch
from invokeai_py_client.live.event_delivery import QueueStreams
from invokeai_py_client.live.reconciler import Reconciler
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.runtime.engine import Engine, LoopWatch
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.reconnecting_socket import OpenConnection, Socket
from invokeai_py_client.transport.socketio_connection import open_connection
from invokeai_py_client.wire.events import BulkChange, QueueItemsCanceled, QueueItemsRetried, Reconnected

logger = logging.getLogger("invokeai_py_client.live")


class EventListener:
    """The socket of one client, the router that its events go to, and the reconciler that fills gaps.

    All methods run on the engine.

    Args:
        http: sends the requests.
        engine: runs the background tasks.
        open_connection: opens the socket's connections.
    """

    def __init__(self, http: HttpTransport, engine: Engine, open_connection: OpenConnection = open_connection) -> None:
        self._http = http
        self._engine = engine
        self._loop = LoopWatch(engine)
        self._lost_at: float | None = None
        self._deaf_since: float | None = None
        self.connection = ConnectionWatch()
        self.queue_streams = QueueStreams()
        self.router = Router(
            followed=lambda run: self.reconciler.schedule(run),
            bulk_change=self._bulk_changed,
            needs_requests=lambda: self.reconciler.wake(),
        )
        self._socket = Socket(http, engine, listener=self, open_connection=open_connection)
        self.reconciler = Reconciler(http, engine, self.router, self._socket)

    @property
    def is_connected(self) -> bool:
        """Whether the socket is connected."""
        return self._socket.is_connected

    async def reconnect(self) -> None:
        """Reconnect the socket, because the client's credentials have changed."""
        await self._socket.reconnect()

    async def start(self, queue_id: str) -> bool:
        """Subscribe to the events of a queue, and return whether the server has acknowledged it.

        In a forked child, the parent's runs continue to be followed, except that those that the parent is still sending
        fail.

        Raises:
            InvokeAIError: the server rejects the client's credentials.
        """
        if self._loop.has_changed():
            self._engine.when_closing(self._closing)
            self.queue_streams.clear()
            self.router.unwatch_all()
            for run in [*self.router.live()]:
                run.state.missed()
                # These futures and functions belong to the parent's loop and threads.
                run.waiters.clear()
                run.watchers = run.wakers = ()
                if not run.state.is_enqueued:
                    # The parent is sending it.
                    run.fail(_of_the_parent(run))
                    self.router.forget(run)
            self.reconciler.start()
        listens = await self._socket.subscribe(queue_id)
        if not listens and self._socket.denial is not None:
            raise copy.copy(self._socket.denial)
        return listens

    async def subscribe(self, queue_id: str) -> None:
        """Subscribe to the events of a queue for its watchers: if it fails now, they get a `Reconnected` later."""
        if not await self.start(queue_id) and self._deaf_since is None:
            self._deaf_since = time.monotonic()

    def _closing(self) -> None:
        for run in [*self.router.live()]:
            run.fail(ClientClosedError("The client was closed while a run was being waited for."))
        self.queue_streams.end(ClientClosedError("The client was closed."))

    # Called by the socket.

    def received(self, name: str, payload: Any, text: str) -> None:
        """Dispatch one message of the server."""
        self.router.dispatch(name, payload, text)

    def connected(self) -> None:
        """Report the connection, and request the state that events may have changed before it."""
        runs = [*self.router.live()]
        if self._lost_at is None:
            logger.info("connected to %s", self._http.settings.url)
            self.connection.tell(ConnectionChange("connected"))
        else:
            seconds = time.monotonic() - self._lost_at
            self._lost_at = None
            logger.info("reconnected to %s after %.1f s with %d live runs", self._http.settings.url, seconds, len(runs))
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
        """Record that no server listens at the address: after its restart, running items are canceled."""
        for run in self.router.live():
            run.state.server_was_away()

    def denied(self, error: InvokeAIError) -> None:
        """End all runs and streams: the server rejects the client's credentials."""
        for run in self.router.live():
            run.fail(error)
            self.router.forget(run)
        self.queue_streams.end(error)

    def lost(self, reason: str) -> None:
        """Report the loss of the connection: all runs have a gap, and are polled until it is back."""
        logger.info("socket disconnected (%s); polling the server until it is back", reason)
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


def _of_the_parent(run: TrackedRun) -> RunError:
    return RunError(
        f"Batch {run.state.batch_id} was not completely enqueued when this process was forked; the "
        "parent process sends the rest.",
        batch_id=run.state.batch_id,
        hint="Wait for it in the parent, or for the items in the queue with "
        f"client.run(batch_id={run.state.batch_id!r}).",
    )
