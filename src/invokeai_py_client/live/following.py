"""Submitting and following runs: the socket, the router and the reconciler as one."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from invokeai_py_client.errors import ClientClosedError, InvokeAIError
from invokeai_py_client.live.enqueue import enqueue_once
from invokeai_py_client.live.queue_item import QueueItem
from invokeai_py_client.live.reconciler import Reconciler
from invokeai_py_client.live.router import LiveRun, Router
from invokeai_py_client.live.run_state import RunState
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.socket import Socket
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.events import Event
from invokeai_py_client.workflow.outputs import boards_sent

_WITHDRAWAL = 1.5
"""Seconds; less than what a cancelled call gets for its clean-up."""

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
        self._router = Router(bulk_change=self._resync, needs_details=self._fill_in)
        self._socket = Socket(http, engine, listener=self)
        self._reconciler = Reconciler(http, engine, self._router, self._socket)

    async def submit(self, queue_id: str, body: dict[str, Any]) -> LiveRun:
        """Enqueue a batch and follow it.

        The order matters: subscribe and wait for the ack, follow the run, then send it. So no event of it is missed.

        Args:
            queue_id: the queue.
            body: what `enqueue_batch` takes.

        Returns:
            The run, with the ids of all its items.

        Raises:
            NotEnqueuedError: the queue had no room.
            InvokeAIError: as any request. Nothing is followed, and nothing enqueued, then.
        """
        watched = await self._start(queue_id)
        batch_id = str(uuid4())
        graph = body["batch"]["graph"]
        run = self._router.follow(
            RunState(batch_id, queue_id, node_count=len(graph["nodes"]), boards=boards_sent(graph), has_gap=not watched)
        )
        try:
            run.state.enqueued(await enqueue_once(self._http, queue_id, batch_id, body))
        except asyncio.CancelledError:
            self._router.forget(batch_id)
            await self._withdraw(queue_id, batch_id)
            raise
        except BaseException:
            self._router.forget(batch_id)
            raise
        if run.state.is_finished:
            self._router.forget(batch_id)
        self._reconciler.wake()
        return run

    async def _withdraw(self, queue_id: str, batch_id: str) -> None:
        """Cancel a batch whose sender gave up before the answer came: nobody would ever know of it."""
        try:
            async with asyncio.timeout(_WITHDRAWAL):
                await self._http.send(queue.cancel_batch(queue_id, batch_id))
        except (InvokeAIError, TimeoutError) as error:
            logger.warning("batch %s may be in the queue although its submission was cancelled: %s", batch_id, error)

    async def wait(self, run: LiveRun, *, seconds: float | None, poll_interval: float | None = None) -> QueueItem:
        """Wait until a run has ended, however it ended. Giving up the wait leaves the run as it is.

        Raises:
            TimeoutError: it had not ended after so many `seconds`.
        """
        if poll_interval is not None:
            run.wants_polling_every(poll_interval)
        if not run.state.is_finished and run.failure is None:
            async with asyncio.timeout(seconds):
                await self._start(run.state.queue_id)
                await self._end_of(run)
        if run.failure is not None:
            # One failure may end many waits, each with an error of its own.
            raise copy.copy(run.failure)
        return run.state.view()

    async def _end_of(self, run: LiveRun) -> None:
        if not run.state.is_finished and run.failure is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            run.waiters.add(waiter)
            try:
                await waiter
            finally:
                run.waiters.discard(waiter)

    async def watch(self, run: LiveRun, watcher: Callable[[list[Event]], None]) -> None:
        """Call `watcher` on the engine with each burst of a run's events, until `unwatch`."""
        await self._start(run.state.queue_id)
        run.watchers.append(watcher)

    async def unwatch(self, run: LiveRun, watcher: Callable[[list[Event]], None]) -> None:
        """Undo `watch`."""
        if watcher in run.watchers:
            run.watchers.remove(watcher)

    async def _start(self, queue_id: str) -> bool:
        """See to it that events arrive; whether they do. A forked child goes on following its parent's runs."""
        if self._generation != self._engine.generation:
            self._generation = self._engine.generation
            self._engine.on_close(self._fail_waits)
            for run in self._router.live():
                run.state.missed()
                # Those futures and functions belong to the parent's loop and threads.
                run.waiters.clear()
                run.watchers.clear()
            self._reconciler.start()
        return await self._socket.subscribe(queue_id)

    async def _fail_waits(self) -> None:
        for run in self._router.live():
            run.fail(ClientClosedError("The client was closed while a run was being waited for."))

    # What the socket tells.

    def received(self, name: str, payload: Any) -> None:
        """One message of the server's."""
        self._router.dispatch(name, payload)

    def connected(self) -> None:
        """Events arrive from here on; what came before may have been missed."""
        if any(self._router.live()):
            self._resync()

    def lost(self, reason: str) -> None:
        """Events may be missed from here on: every run has a gap, and is asked about until the socket is back."""
        logger.info("events are missed from here on (%s); asking the server instead", reason)
        for run in self._router.live():
            run.state.missed()
        self._resync()

    def _resync(self) -> None:
        self._reconciler.wake(everything=True)

    def _fill_in(self) -> None:
        self._reconciler.wake()
