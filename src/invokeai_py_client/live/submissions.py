"""Sends batches in their turn, follows them, and sends what did not fit when there is room."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import uuid4

from invokeai_py_client.errors import InvokeAIError, NotEnqueuedError
from invokeai_py_client.live.enqueue import Enqueued, enqueue_once
from invokeai_py_client.live.items import items_of_batch
from invokeai_py_client.live.kinds import Kinds
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.progress import NodeDurations
from invokeai_py_client.live.reconciler import Reconciler
from invokeai_py_client.live.router import LiveRun, Router
from invokeai_py_client.live.run_state import RunState
from invokeai_py_client.live.turns import Turn
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.call import Call, Query
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.workflow.batching import rest_of

_WITHDRAWAL = 1.5
"""Seconds; less than what a cancelled call gets for its clean-up."""

_ROOM_PAUSES = (0.1, 0.25, 0.5, 1.0)
"""Seconds between two looks whether a full queue has room; the last is repeated."""

_AT_ONCE = 2
"""How many batches are sent at the same time.

The server stores batches in threads that compete with the one that runs items. With four or more at once both take
longer than one after the other.
"""

logger = logging.getLogger("invokeai_py_client.live")

T = TypeVar("T")


class _FewAtOnce:
    """Sends calls, but of those that enqueue only a few at the same time.

    Args:
        http: how to send.
        engine: whose loop it all runs on; a forked child has a new one.
    """

    def __init__(self, http: Sender, engine: Engine) -> None:
        self._http = http
        self._engine = engine
        self._generation = -1
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @property
    def settings(self) -> Settings:
        """The address and the timeouts of the server."""
        return self._http.settings

    def url_of(self, path: str, query: Query | None = None) -> str:
        """Return the whole URL of a path."""
        return self._http.url_of(path, query)

    async def send(self, call: Call[T]) -> T:
        """Send a call, when it may be sent."""
        if not call.path.endswith("/enqueue_batch"):
            return await self._http.send(call)
        if self._generation != self._engine.generation:
            self._generation = self._engine.generation
            self._slots = asyncio.Semaphore(_AT_ONCE)
        async with self._slots:
            return await self._http.send(call)


class Submissions:
    """What one client puts into the server's queues. All methods run on the engine.

    Args:
        http: how to send.
        engine: where the rest of a batch waits for room.
        router: who follows the runs.
        reconciler: who is told of new ones.
        kinds: where it is remembered what was sent.
        durations: how long nodes are expected to take.
        start: sees to it that the events of a queue arrive; says whether they do.
        make_turn: the turn of a priority in a queue.
    """

    def __init__(
        self,
        http: Sender,
        engine: Engine,
        router: Router,
        reconciler: Reconciler,
        kinds: Kinds,
        durations: NodeDurations,
        start: Callable[[str], Awaitable[bool]],
        make_turn: Callable[[Priority, str], Turn],
    ) -> None:
        self._http = http
        self._sender = _FewAtOnce(http, engine)
        self._engine = engine
        self._router = router
        self._reconciler = reconciler
        self._kinds = kinds
        self._durations = durations
        self._start = start
        self._make_turn = make_turn

    async def submit(
        self,
        queue_id: str,
        body: dict[str, Any],
        *,
        resubmits: bool = False,
        priority: Priority = Priority.NORMAL,
        on_followed: Callable[[LiveRun], None] = lambda run: None,
    ) -> LiveRun:
        """Enqueue a batch and follow it.

        The order matters: subscribe and wait for the ack, follow the run, then send it. So no event of it is missed.

        Args:
            queue_id: the queue.
            body: what `enqueue_batch` takes.
            resubmits: run anew what a restarted server canceled.
            priority: when it is sent, and whether it goes before what waits; see `Priority`.
            on_followed: called when the run is followed, before it is sent.

        Returns:
            The run, with the ids of its items; if the queue had room for a part only, of that part, and the rest is
            sent as room appears.

        Raises:
            NotEnqueuedError: the queue had no room at all for as long as a request may take.
            InvokeAIError: as any request. Nothing is followed, and nothing enqueued, then.
        """
        await self._start(queue_id)
        turn = self._make_turn(priority, queue_id)
        await turn.comes()
        # The socket may have gone, or come, while it waited.
        watched = await self._start(queue_id)
        if priority.goes_first:
            body = {**body, "prepend": True}
        batch_id = str(uuid4())
        run = self._router.follow(
            RunState(
                batch_id,
                queue_id,
                body["batch"]["graph"],
                has_gap=not watched,
                resubmits=resubmits,
                durations=self._durations,
            ),
            is_urgent=priority is Priority.URGENT,
        )
        on_followed(run)
        try:
            first = await self._first_part(run, body)
        except asyncio.CancelledError:
            self._router.forget(run)
            await self._withdraw(queue_id, batch_id)
            raise
        except BaseException:
            self._router.forget(run)
            raise
        self._kinds.remember(batch_id, body["batch"]["graph"])
        self._took(run, first)
        if not run.state.is_enqueued:
            self._engine.spawn(self._feed(run, body, turn), name=f"rest of batch {batch_id}")
        return run

    def _took(self, run: LiveRun, part: Enqueued) -> None:
        expected = None
        if part.requested is not None:
            expected = len({*run.state.items, *part.item_ids}) + part.requested - len(part.item_ids)
        run.state.enqueued(part.item_ids, all_of_them=part.took_all(), expected=expected)
        if run.state.is_finished:
            run.changed([])
            self._router.forget(run)

    async def _first_part(self, run: LiveRun, body: dict[str, Any]) -> Enqueued:
        state = run.state
        deadline = time.monotonic() + self._http.settings.timeout
        for pause in _endless(_ROOM_PAUSES):
            part = await enqueue_once(self._sender, state.queue_id, state.batch_id, body)
            if part.item_ids or part.took_all():
                return part
            if time.monotonic() > deadline:
                raise NotEnqueuedError(
                    f"The queue {state.queue_id!r} had no room for {self._http.settings.timeout:g} s.",
                    batch_id=state.batch_id,
                    requested=part.requested or 0,
                    enqueued=0,
                    hint="Submit again when it has emptied, or raise the server's max_queue_size.",
                )
            await asyncio.sleep(pause)
        raise AssertionError("the loop above returns or raises")

    async def _feed(self, run: LiveRun, body: dict[str, Any], turn: Turn) -> None:
        """Send what did not fit, as room appears, each part in its turn, until all is in or the run is canceled."""
        state = run.state
        for pause in _endless(_ROOM_PAUSES):
            await asyncio.sleep(pause)
            try:
                await turn.comes(unless=lambda: run.is_over or run.cancel_asked)
                if run.is_over:
                    return
                known = frozenset(state.items)
                rest = {**body, "batch": rest_of(body["batch"], len(known))}
                if run.cancel_asked or not _count(rest["batch"]):
                    self._took(run, Enqueued([], 0))
                    return
                part = await enqueue_once(self._sender, state.queue_id, state.batch_id, rest, known=known)
            except InvokeAIError as error:
                logger.warning("the rest of batch %s could not be sent: %s", state.batch_id, error)
                run.fail(error)
                self._router.forget(run)
                return
            self._took(run, part)
            if state.is_enqueued:
                return

    async def _withdraw(self, queue_id: str, batch_id: str) -> None:
        """Cancel a batch whose sender gave up before the answer came: nobody would ever know of it."""
        try:
            async with asyncio.timeout(_WITHDRAWAL):
                await self._http.send(queue.cancel_batch(queue_id, batch_id))
        except (InvokeAIError, TimeoutError) as error:
            logger.warning("batch %s may be in the queue although its submission was cancelled: %s", batch_id, error)

    @asynccontextmanager
    async def urgent(
        self, queue_id: str, batch_id: str
    ) -> AsyncIterator[Callable[[list[int] | None], Awaitable[None]]]:
        """Around the sending of an urgent batch by other means than `submit`: what is high waits for it as well.

        Args:
            queue_id: the queue.
            batch_id: the batch.

        Returns:
            To be awaited with the ids of its items, as the server answered them.
        """
        await self._start(queue_id)
        # Its items are known only from the answer, and events about them may have come before.
        run = self._router.follow(RunState(batch_id, queue_id, None, has_gap=True, only=frozenset()), is_urgent=True)

        async def answered(item_ids: list[int] | None) -> None:
            if item_ids is None:
                # Servers before 5.12 do not name them.
                try:
                    item_ids = [item.item_id for item in await items_of_batch(self._http, queue_id, batch_id)]
                except InvokeAIError as error:
                    logger.info("the urgent batch %s cannot be followed: %s", batch_id, error)
                    return
            run.state.only = frozenset(item_ids)
            self._took(run, Enqueued(item_ids, len(item_ids)))
            self._reconciler.check(run)

        try:
            yield answered
        finally:
            if not run.state.is_enqueued:
                self._router.forget(run)


def _count(batch: dict[str, Any]) -> int:
    """How many items a rest, as `rest_of` makes it, has."""
    data = batch.get("data") or []
    return int(batch["runs"]) * (len(data[0][0]["items"]) if data and data[0] else 0 if data else 1)


def _endless(pauses: tuple[float, ...]) -> Any:
    yield from pauses
    while True:
        yield pauses[-1]
