"""Sends batches in the order of their priorities, follows them, and sends the rest when a full queue has room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol
from uuid import uuid4
from weakref import WeakValueDictionary

from invokeai_py_client.errors import InvokeAIError, NotEnqueuedError, RunError, SubmitTimeout
from invokeai_py_client.live.enqueue import DEFAULT_TIMES, Enqueued, EnqueueTimes, enqueue_once, item_count
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.priority_wait import PriorityWait
from invokeai_py_client.live.queue_reads import items_of_batch
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.progress import NodeDurations
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.withdrawal import Closes, Withdrawals
from invokeai_py_client.live.workloads import Workloads
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.workflow.batching import rest_of

_ROOM_PAUSES = (0.1, 0.25, 0.5, 1.0)
"""Seconds between two attempts to send to a full queue; the last is repeated."""

_AT_ONCE = 2
"""The maximum number of batches that are sent at the same time. The server stores batches in threads that compete with
the thread that runs items: four or more at once take longer than the same number in sequence."""

logger = logging.getLogger("invokeai_py_client.live")


class Background(Closes, Protocol):
    """The part of the engine that submissions need."""

    def spawn(self, coro: Coroutine[Any, Any, None], *, name: str) -> object:
        """Run a coroutine until the engine closes."""
        ...


class Listener(Protocol):
    """The part of the event listener that submissions need."""

    @property
    def router(self) -> Router:
        """Finds the runs that an event belongs to."""
        ...

    @property
    def reconciler(self) -> Waker:
        """Requests the state of runs."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether events arrive now."""
        ...

    async def start(self, queue_id: str) -> bool:
        """Subscribe to the events of a queue, and return whether the server has acknowledged it."""
        ...


class Waker(Protocol):
    """The part of the reconciler that submissions need."""

    def check(self, run: TrackedRun) -> None:
        """Check a run now, with a request to the server."""
        ...


class AttachesIfThere(Protocol):
    """The part of the attacher that submissions need."""

    async def attach_if_there(self, queue_id: str, batch_id: str) -> TrackedRun | None:
        """Follow a batch; return None if the queue has no items of it."""
        ...


class _OfLoop(NamedTuple):
    """The objects that belong to the running loop. After a fork the engine has a new loop."""

    loop: asyncio.AbstractEventLoop
    slots: asyncio.Semaphore
    withdrawals: Withdrawals


class Submissions:
    """The submissions of one client. All methods run on the engine.

    Args:
        http: sends the requests.
        engine: runs the background tasks.
        listener: receives the events, and follows the runs.
        attacher: follows batches that are already in the queue.
        workloads: stores the kind of each batch that is sent.
        durations: the expected durations of nodes.
        times: the pauses and limits of an enqueue.
    """

    def __init__(
        self,
        http: Sender,
        engine: Background,
        listener: Listener,
        attacher: AttachesIfThere,
        workloads: Workloads,
        durations: NodeDurations,
        times: EnqueueTimes = DEFAULT_TIMES,
    ) -> None:
        self._http = http
        self._engine = engine
        self._listener = listener
        self._router = listener.router
        self._attacher = attacher
        self._workloads = workloads
        self._durations = durations
        self._times = times
        self._of_loop: _OfLoop | None = None
        # Keyed by loop, too: after a fork the engine has a new one, and the parent's locks may never be released.
        self._locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = WeakValueDictionary()

    async def submit(
        self,
        queue_id: str,
        body: dict[str, Any],
        *,
        batch_id: str | None = None,
        resubmits: bool = False,
        priority: Priority = Priority.NORMAL,
        timeout: float | None = None,  # noqa: ASYNC109
        on_followed: Callable[[TrackedRun], None] = lambda run: None,
        on_sent: Callable[[TrackedRun], None] = lambda run: None,
    ) -> TrackedRun:
        """Enqueue a batch and follow it.

        The order ensures that no event is missed: subscribe and wait for the ack, follow the run, then send the batch.

        A cancelled submission is withdrawn: once it is known whether the server stored the batch, the stored items are
        canceled. The call returns after at most 1.5 s. The withdrawal continues for as long as the enqueue and its
        status requests may take (see `enqueue_once`), or until one second after the client is closed. If it cannot be
        completed, a warning with the batch id is logged.

        Args:
            queue_id: the queue.
            body: the body of `enqueue_batch`.
            batch_id: the id of the batch, inside of an `attach_or` for it; None for a new id.
            resubmits: whether to run items again that a restarted server canceled.
            priority: the priority of the submission.
            timeout: seconds that its priority may hold it back; None for no limit.
            on_followed: called when the run is followed, before it is sent.
            on_sent: called when the server has stored items. A caller that is cancelled after that, and so does not
                get the run, must call `withdraw`.

        Returns:
            The run, with the ids of its items. If the queue has room for only a part of the batch, these are the items
            of that part; the rest is sent when there is room.

        Raises:
            SubmitTimeout: its priority held it back for `timeout` seconds. Nothing was sent.
            NotEnqueuedError: the queue had no room within the client's timeout, or the batch is empty.
            EnqueueInDoubtError: it is unknown whether the batch is in the queue.
            InvokeAIError: a request failed. The run is not followed, and nothing was enqueued.
        """
        await self._listener.start(queue_id)
        priority_wait = self.priority_wait(priority, queue_id)
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                await priority_wait.wait()
        except TimeoutError as error:
            if timeout is None or not limit.expired():
                raise
            raise SubmitTimeout(
                f"The submission was held back for {timeout:g} s by its priority {priority.value!r}, and was not sent: "
                f"{priority_wait.waits_for}.",
                timeout=timeout,
                hint="Pass a longer `timeout` or a higher priority.",
            ) from error
        # The socket may have been connected or disconnected during the wait.
        watched = await self._listener.start(queue_id)
        if batch_id is None:
            batch_id = str(uuid4())
        elif priority in (Priority.LOW, Priority.HIGH):
            # Another process may have sent the batch during the wait.
            there = await self._attacher.attach_if_there(queue_id, batch_id)
            if there is not None:
                on_followed(there)
                return there
        if priority.goes_first:
            body = {**body, "prepend": True}
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
        run.destination = body["batch"].get("destination")
        on_followed(run)
        try:
            first = await self._first_part(run, body)
        except InvokeAIError as error:
            self._give_up(run, error)
            raise
        except BaseException as error:
            self._give_up(run, _given_up(run, error))
            raise
        self._workloads.remember(batch_id, body["batch"]["graph"])
        self._took(run, first)
        on_sent(run)
        if not run.state.is_enqueued:
            self._engine.spawn(self._feed(run, body, priority_wait, first.item_ids), name=f"rest of batch {batch_id}")
        return run

    def priority_wait(self, priority: Priority, queue_id: str) -> PriorityWait:
        """Return the object that holds back a submission of a priority. The queue must be subscribed to."""
        return PriorityWait(self._http, self._router, lambda: self._listener.is_connected, priority, queue_id)

    @asynccontextmanager
    async def attach_or(
        self, queue_id: str, batch_id: str, *, is_new: bool = False
    ) -> AsyncIterator[TrackedRun | None]:
        """Follow a batch if it is in the queue. Otherwise the caller can send it while it holds the lock of the batch.

        Waits until no withdrawal of the batch is running.

        Args:
            queue_id: the queue.
            batch_id: the batch.
            is_new: the batch was certainly not sent before, so no request is needed.

        Returns:
            A context manager that returns the run, or None if the queue has no items of the batch.

        Raises:
            InvokeAIError: a request failed; `batch_id` is set.
        """
        lock = self._locks.setdefault((asyncio.get_running_loop(), batch_id), asyncio.Lock())
        async with lock:
            # What is left of an earlier submission would cancel the items of the next one.
            await self.withdrawn(batch_id)
            try:
                there = None if is_new else await self._attacher.attach_if_there(queue_id, batch_id)
            except InvokeAIError as error:
                error.batch_id = batch_id
                raise
            yield there

    def _took(self, run: TrackedRun, part: Enqueued) -> None:
        if part.item_ids:
            where = f"batch {run.state.batch_id} in the queue {run.state.queue_id!r}"
            logger.info("%s: enqueued %d", where, len(part.item_ids))
            logger.debug("%s: its new items are %s", where, part.item_ids)
        expected = len({*run.state.items, *part.item_ids}) + part.requested - len(part.item_ids)
        run.state.enqueued(part.item_ids, all_of_them=part.took_all(), expected=expected)
        if run.state.is_finished:
            run.changed([])
            self._router.forget(run)

    async def _first_part(self, run: TrackedRun, body: dict[str, Any]) -> Enqueued:
        state = run.state
        timeout = self._http.settings.timeout
        deadline = _now() + timeout
        for pause in _endless(_ROOM_PAUSES):
            part = await self._enqueue_or_withdraw(state, body, max(deadline - _now(), _ROOM_PAUSES[-1]))
            if not part.requested:
                raise NotEnqueuedError(
                    f"Batch {state.batch_id} has no items, because its batch data is empty.",
                    batch_id=state.batch_id,
                    requested=0,
                    enqueued=0,
                    hint="Put at least one item into each list of the batch data.",
                )
            if part.item_ids:
                return part
            if _now() + pause > deadline:
                raise NotEnqueuedError(
                    f"The queue {state.queue_id!r} had no room for {timeout:g} s.",
                    batch_id=state.batch_id,
                    requested=part.requested,
                    enqueued=0,
                    hint="Submit again when the queue has room, or increase the server's max_queue_size.",
                )
            await asyncio.sleep(pause)
        raise AssertionError("the loop above returns or raises")

    async def _enqueue_or_withdraw(self, state: RunState, body: dict[str, Any], seconds: float) -> Enqueued:
        """Enqueue the first part of a batch. If this is cancelled, withdraw the batch."""
        is_unwanted = False
        sending = asyncio.create_task(
            enqueue_once(
                self._http,
                state.queue_id,
                state.batch_id,
                body,
                seconds=seconds,
                slots=self._here().slots,
                is_unwanted=lambda: is_unwanted,
                times=self._times,
            )
        )
        try:
            # The request continues: its response says whether there are items to cancel.
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            is_unwanted = True
            await self._here().withdrawals.withdraw(state.queue_id, state.batch_id, sending)
            raise

    def _here(self) -> _OfLoop:
        loop = asyncio.get_running_loop()
        if self._of_loop is None or self._of_loop.loop is not loop:
            self._of_loop = _OfLoop(loop, asyncio.Semaphore(_AT_ONCE), Withdrawals(self._http, self._engine))
        return self._of_loop

    async def withdraw(self, run: TrackedRun) -> None:
        """Cancel a run whose caller was cancelled when the submission had just succeeded."""
        run.cancel_asked = True
        sent: asyncio.Future[Enqueued] = asyncio.get_running_loop().create_future()
        sent.set_result(Enqueued([*run.state.items], 0))
        await self._here().withdrawals.withdraw(run.state.queue_id, run.state.batch_id, sent)

    async def withdrawn(self, batch_id: str) -> None:
        """Wait until no withdrawal of a batch is running, so that what the queue has of it stays as it is."""
        await self._here().withdrawals.done(batch_id)

    async def _feed(
        self, run: TrackedRun, body: dict[str, Any], priority_wait: PriorityWait, first: Collection[int]
    ) -> None:
        """Send the rest of a batch when the queue has room, until everything is enqueued or the run is canceled.

        Transient errors are retried. Any other error ends the run's waits.
        """
        state = run.state
        taken = {*first}
        is_failing = False

        def is_unwanted() -> bool:
            return run.is_over or run.cancel_asked or run.cancels_under_way > 0

        for pause in _endless(_ROOM_PAUSES):
            await asyncio.sleep(pause)
            try:
                await priority_wait.wait(unless=is_unwanted)
                if run.is_over:
                    return
                if run.cancels_under_way:
                    continue
                rest = {**body, "batch": rest_of(body["batch"], len(taken))}
                if run.cancel_asked or not item_count(rest["batch"]):
                    self._took(run, Enqueued([], 0))
                    return
                # The batch may have more items than were taken: those of called workflows, and of retries.
                known = taken.union(state.items)
                part = await enqueue_once(
                    self._http,
                    state.queue_id,
                    state.batch_id,
                    rest,
                    known=frozenset(known),
                    slots=self._here().slots,
                    is_unwanted=is_unwanted,
                    times=self._times,
                )
                self._took(run, part)
                taken.update(part.item_ids)
                if part.item_ids:
                    await self._cancel_if_asked(run, part)
                if state.is_enqueued:
                    return
                is_failing = False
            except InvokeAIError as error:
                is_away = error.is_transient and not error.may_have_been_applied
                if not (is_away and is_failing):
                    logger.warning("the rest of batch %s could not be sent: %s", state.batch_id, error)
                is_failing = True
                if not is_away:
                    self._give_up(run, error)
                    return
            except Exception as error:
                # The rest will never be sent, so the waits for the run would not end.
                logger.exception("the rest of batch %s could not be sent", state.batch_id)
                self._give_up(run, _not_sent(run, error))
                return

    async def _cancel_if_asked(self, run: TrackedRun, part: Enqueued) -> None:
        """Cancel a part if the run was canceled while the part was being sent, because that request missed its items.

        Transient errors are retried. After any other error the items run.
        """
        for pause in _endless(_ROOM_PAUSES):
            if run.cancels_under_way:
                await asyncio.sleep(pause)
                continue
            if run.is_over or not run.cancel_asked:
                return
            run.state.cancel_asked()
            try:
                await self._http.send(queue.cancel_batches(run.state.queue_id, [run.state.batch_id]))
                return
            except InvokeAIError as error:
                if not error.is_transient:
                    logger.warning(
                        "the items %s of batch %s could not be canceled: %s", part.item_ids, run.state.batch_id, error
                    )
                    return
            await asyncio.sleep(pause)

    def _give_up(self, run: TrackedRun, error: InvokeAIError) -> None:
        run.fail(error)
        self._router.forget(run)

    @asynccontextmanager
    async def urgent(
        self, queue_id: str, batch_id: str
    ) -> AsyncIterator[Callable[[list[int] | None], Awaitable[None]]]:
        """Wrap sending an urgent batch by other means than `submit`, so that high submissions wait for it.

        Args:
            queue_id: the queue.
            batch_id: the batch.

        Returns:
            A context manager that returns a function, to be awaited with the item ids in the server's response.
        """
        await self._listener.start(queue_id)
        # The item ids are known only from the response, and events about the items may arrive before it.
        run = self._router.follow(RunState(batch_id, queue_id, None, has_gap=True, only=frozenset()), is_urgent=True)

        async def stored(item_ids: list[int] | None) -> None:
            if item_ids is None:
                # Servers before 5.12 do not return the ids.
                try:
                    item_ids = [item.item_id for item in await items_of_batch(self._http, queue_id, batch_id)]
                except InvokeAIError as error:
                    logger.info("the urgent batch %s cannot be followed: %s", batch_id, error)
                    return
            run.state.only = frozenset(item_ids)
            self._took(run, Enqueued(item_ids, len(item_ids)))
            self._listener.reconciler.check(run)

        try:
            yield stored
        finally:
            if not run.state.is_enqueued:
                self._router.forget(run)


def _given_up(run: TrackedRun, error: BaseException) -> RunError:
    batch_id = run.state.batch_id
    return RunError(f"The submission of batch {batch_id} was interrupted ({type(error).__name__}).", batch_id=batch_id)


def _not_sent(run: TrackedRun, error: Exception) -> RunError:
    return RunError(
        f"The rest of batch {run.state.batch_id} could not be sent: {type(error).__name__}: {error}. "
        f"{len(run.state.items)} items of it are in the queue.",
        batch_id=run.state.batch_id,
        hint=f"Wait for those with client.run(batch_id={run.state.batch_id!r}).",
    )


def _endless(pauses: tuple[float, ...]) -> Iterator[float]:
    yield from pauses
    while True:
        yield pauses[-1]


def _now() -> float:
    return asyncio.get_running_loop().time()
