"""Has the events of queues arrive, and tells what is live when some may have been missed."""

from __future__ import annotations

import copy
import logging
import time
from typing import Any

from invokeai_py_client.errors import ClientClosedError, InvokeAIError, RunError
from invokeai_py_client.live.connection import ConnectionChange, ConnectionWatch
from invokeai_py_client.live.event_delivery import QueueStreams
from invokeai_py_client.live.reconciler import Reconciler
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.runtime.engine import Engine, LoopWatch
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.socket import OpenConnection, Socket, open_connection
from invokeai_py_client.wire.events import BulkChange, QueueItemsCanceled, QueueItemsRetried, Reconnected

logger = logging.getLogger("invokeai_py_client.live")


class EventListener:
    """The socket of one client, the router that its events go to, and the reconciler that fills gaps.

    All methods run on the engine.

    Args:
        http: sends the requests.
        engine: where it all runs.
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
        """Whether events arrive now."""
        return self._socket.is_connected

    async def reconnect(self) -> None:
        """Open the socket anew, as the client has other credentials from now on."""
        await self._socket.reconnect()

    async def start(self, queue_id: str) -> bool:
        """Have the events of a queue arrive; return whether they do.

        A forked child goes on following its parent's runs.

        Raises:
            InvokeAIError: the server does not accept this client.
        """
        if self._loop.has_changed():
            self._engine.on_close(self._closed)
            self.queue_streams.clear()
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

    async def subscribe(self, queue_id: str) -> None:
        """Have the events of a queue arrive for those who watch it: a later connection is told as `Reconnected`."""
        if not await self.start(queue_id) and self._deaf_since is None:
            self._deaf_since = time.monotonic()

    async def _closed(self) -> None:
        for run in self.router.live():
            run.fail(ClientClosedError("The client was closed while a run was being waited for."))
        self.queue_streams.end(ClientClosedError("The client was closed."))

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
        self.queue_streams.end(error)

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


def _of_the_parent(run: TrackedRun) -> RunError:
    return RunError(
        f"Batch {run.state.batch_id} was not wholly enqueued when this process was forked: its parent sends it.",
        batch_id=run.state.batch_id,
        hint=f"Wait for it in the parent, or for what is there with client.run(batch_id={run.state.batch_id!r}).",
    )
