"""Sends a batch so that each of its items is enqueued exactly once, even if responses are lost."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

from invokeai_py_client.errors import (
    ApiError,
    EnqueueInDoubtError,
    InvokeAIError,
    RequestTimeout,
)
from invokeai_py_client.live.queue_reads import items_of_batch, records_of
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue

_STILL_AT_WORK = frozenset({408, 504, 524})
"""Statuses of a proxy that has stopped waiting for the server, which may still be storing the batch."""

_SHORTEST = 0.001
"""The shortest timeout of a request, in seconds."""


class EnqueueTimes(NamedTuple):
    """How long `enqueue_once` waits, in seconds.

    Attributes:
        attempts: the maximum number of requests that send a batch; with the pauses they span 11.7 s.
        pauses: between two attempts, and between two status requests; the last is repeated.
        grace: after a failed request the server may still store the batch for this long, so its absence proves nothing
            before that. Storing 10,000 items takes a busy server 2.2 s.
        grace_per_item: is added to `grace` for each item of the batch.
        longest_grace: the upper limit of the sum of both.
        status_timeout: the timeout of one status request.
        least_doubt: the lower limit of the time for all status requests about a batch, which is the client's timeout.
        most_doubt: its upper limit.
    """

    attempts: int = 7
    pauses: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 4.0)
    grace: float = 3.0
    grace_per_item: float = 0.0005
    longest_grace: float = 8.0
    status_timeout: float = 10.0
    least_doubt: float = 10.0
    most_doubt: float = 30.0

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after an attempt; attempts are counted from 0."""
        return self.pauses[min(attempt, len(self.pauses) - 1)]

    def grace_after(self, error: InvokeAIError, items: int) -> float:
        """Return for how many seconds after a failed request the server may still store a batch of `items` items."""
        if isinstance(error, RequestTimeout) or (isinstance(error, ApiError) and error.status in _STILL_AT_WORK):
            return math.inf
        return self.storing(items)

    def storing(self, items: int) -> float:
        """Return how long the server may still be storing a batch of `items` items, in seconds."""
        return min(self.grace + self.grace_per_item * items, self.longest_grace)

    def doubt(self, timeout: float) -> float:
        """Return the total time for finding out whether a batch was stored."""
        return min(max(timeout, self.least_doubt), self.most_doubt)


DEFAULT_TIMES = EnqueueTimes()


class Enqueued(NamedTuple):
    """The items of a batch that the server stored, out of `requested`."""

    item_ids: list[int]
    requested: int

    def took_all(self) -> bool:
        """Return whether the server stored all requested items."""
        return len(self.item_ids) >= self.requested


def item_count(batch: Mapping[str, Any]) -> int:
    """Return how many queue items the server creates from a batch."""
    count = int(batch["runs"])
    for group in batch.get("data") or ():
        count *= len(group[0]["items"]) if group else 0
    return count


async def enqueue_once(
    http: Sender,
    queue_id: str,
    batch_id: str,
    body: dict[str, Any],
    *,
    known: frozenset[int] = frozenset(),
    seconds: float | None = None,
    slots: asyncio.Semaphore | None = None,
    is_unwanted: Callable[[], bool] = lambda: False,
    times: EnqueueTimes = DEFAULT_TIMES,
) -> Enqueued:
    """Enqueue a batch, or the rest of one, under an id that the client has chosen.

    The server stores a batch again if it is sent again. So after each failure that does not prove that the batch was
    not stored, the status of the batch is requested. The batch is sent again only if it has no new items although the
    server has had time to store them.

    Sending, with up to six retries and the server's `Retry-After`, takes at most `seconds`. Finding out whether the
    batch was stored takes at most `times.doubt()` more: the client's timeout, but at least 10 and at most 30 s.

    Args:
        http: sends the requests.
        queue_id: the queue.
        batch_id: the id, which no other batch may have.
        body: the body of `enqueue_batch`, without the id.
        known: the items that the batch already has.
        seconds: the time for sending; None for the client's timeout.
        slots: a semaphore that is held while the batch is sent; acquiring it counts as sending.
        is_unwanted: returns whether the caller was cancelled, so that the batch must not be sent (again).
        times: the pauses and limits.

    Returns:
        The new items, ascending; fewer than requested if the queue has no room for all.

    Raises:
        EnqueueInDoubtError: it is unknown whether the batch was stored.
        InvokeAIError: the batch was not stored. `batch_id` is set, and `may_have_been_applied` is false.
    """
    attempt = _Attempt(http, queue_id, batch_id, body, known, times)
    deadline = _now() + (http.settings.timeout if seconds is None else seconds)
    give_up_at = deadline + times.doubt(http.settings.timeout)
    if is_unwanted():
        return Enqueued([], attempt.count)
    tries = 0
    while True:
        try:
            return await attempt.send(deadline, slots or contextlib.nullcontext())
        except EnqueueInDoubtError:
            raise
        except InvokeAIError as error:
            failure = error
        failed_at = _now()
        failure.batch_id = batch_id
        if failure.may_have_been_applied:
            arrived = await attempt.arrived(failure, give_up_at)
            if arrived is not None:
                return Enqueued(arrived, attempt.count)
            failure.may_have_been_applied = False
        delay = max(times.pause(tries), _retry_after(failure) - (_now() - failed_at))
        tries += 1
        # If the server has no time to respond to a request, the outcome is unknown again.
        is_last = tries == times.attempts or _now() + delay + attempt.response_took >= deadline
        if not failure.is_transient or is_unwanted() or is_last:
            raise failure
        await asyncio.sleep(delay)
        if is_unwanted():
            raise failure


class _Attempt:
    """Sends one batch, and finds out whether it was stored."""

    def __init__(
        self,
        http: Sender,
        queue_id: str,
        batch_id: str,
        body: dict[str, Any],
        known: frozenset[int],
        times: EnqueueTimes,
    ) -> None:
        self._http = http
        self._queue_id = queue_id
        self._batch_id = batch_id
        self._known = known
        self._times = times
        batch = {**body["batch"], "batch_id": batch_id}
        # `enqueue_once` repeats the request, not the transport.
        self._call = dataclasses.replace(queue.enqueue_batch(queue_id, {**body, "batch": batch}), retries=0)
        self.count = item_count(batch)
        self.response_took = 0.0
        """Seconds that the server took to respond to the last status request."""

    async def send(self, deadline: float, slots: AbstractAsyncContextManager[Any]) -> Enqueued:
        """Send the batch once."""
        has_slot = False
        try:
            async with asyncio.timeout_at(deadline) as limit, slots:
                has_slot = True
                limit.reschedule(None)
                seconds = max(deadline - _now(), _SHORTEST)
                result = await self._http.send(dataclasses.replace(self._call, timeout=seconds))
        except TimeoutError:
            if has_slot:
                raise
            raise self._not_sent_in_time() from None
        # The response has the ids of all items of the batch, including those of called workflows. The new ones are the
        # last, as the server stores them in one transaction.
        new = sorted({*(result.item_ids or ())} - self._known)[-result.enqueued :] if result.enqueued > 0 else []
        if len(new) < result.enqueued:
            # Servers before 5.12 do not send ids.
            found = await self.arrived(None, _now() + self._times.doubt(self._http.settings.timeout))
            assert found is not None
            new = found
        return Enqueued(new, result.requested)

    def _not_sent_in_time(self) -> RequestTimeout:
        timeout = self._http.settings.timeout
        error = RequestTimeout(
            f"Batch {self._batch_id} was not sent within {timeout:g} s: other batches of this client were still being "
            "sent.",
            url=self._http.url_of(self._call.path),
            method=self._call.method,
            timeout=timeout,
            hint="Submit many items as one batch, with runs= or batch data, or increase the client's timeout.",
        )
        error.may_have_been_applied = False
        return error

    async def arrived(self, lost: InvokeAIError | None, give_up_at: float) -> list[int] | None:
        """Request the status of the batch until it is known whether it was stored.

        Args:
            lost: the error of the request; None if its response contained no item ids.
            give_up_at: the time of the loop at which to give up.

        Returns:
            The new items; None if the batch was not stored.

        Raises:
            EnqueueInDoubtError: it is still unknown.
        """
        asked_since = _now()
        grace = math.inf if lost is None else self._times.grace_after(lost, self.count)
        tries = 0
        while True:
            asked_at = _now()
            seen: InvokeAIError | str = "it is not there yet"
            failed = False
            try:
                found = await self._find(give_up_at - asked_at)
                self.response_took = _now() - asked_at
                if found:
                    return found
                if asked_at - asked_since >= grace:
                    return None
            except InvokeAIError as error:
                seen, failed = error, True
                if not error.is_transient and not error.may_have_been_applied:
                    # The server rejects the request itself: repeating it is useless.
                    break
            pause = self._times.pause(tries)
            if not failed:
                # The first response after the grace decides.
                pause = min(pause, max(asked_since + grace - _now(), _SHORTEST))
            if _now() + pause >= give_up_at:
                break
            await asyncio.sleep(pause)
            tries += 1
        what = "its response contained no item ids" if lost is None else f"the request failed ({lost})"
        raise EnqueueInDoubtError(
            f"It is unknown whether batch {self._batch_id} is in the queue {self._queue_id!r}: {what}, and the last "
            f"status request ended with: {seen}.",
            batch_id=self._batch_id,
            url=self._http.url_of(self._call.path),
            method=self._call.method,
            hint=f"Follow it with client.run(batch_id={self._batch_id!r}), or submit again with "
            f"batch_id={self._batch_id!r}: it is sent only if it is not in the queue.",
        ) from (seen if isinstance(seen, InvokeAIError) else lost)

    async def _find(self, seconds: float) -> list[int]:
        """Return the new items of the batch, if it has any now."""
        deadline = _now() + seconds
        call = queue.get_batch_status(self._queue_id, self._batch_id)
        call = dataclasses.replace(
            call,
            retries=0,
            timeout=max(_SHORTEST, min(self._times.status_timeout, self._http.settings.timeout, seconds)),
        )
        total = (await self._http.send(call)).total
        if total <= len(self._known):
            return []
        limit = asyncio.timeout_at(max(deadline, _now() + _SHORTEST))
        try:
            async with limit:
                items = await items_of_batch(self._http, self._queue_id, self._batch_id, total=total)
                new = sorted({item.item_id for item in items} - self._known)
                if any(item.item_id in self._known and item.status in ("failed", "canceled") for item in items):
                    # The new item may be a retry by another client, which only full records show.
                    records = await records_of(self._http, self._queue_id, new)
                    new = [record.item_id for record in records if record.retried_from_item_id is None]
        except TimeoutError as error:
            if not limit.expired() or isinstance(error, InvokeAIError):
                raise
            url = self._http.url_of(call.path)
            raise RequestTimeout(
                f"The items of batch {self._batch_id} could not be listed within {seconds:.1f} s.",
                url=url,
                method=call.method,
                timeout=seconds,
            ) from None
        return new


def _retry_after(error: InvokeAIError) -> float:
    return (error.retry_after or 0.0) if isinstance(error, ApiError) else 0.0


def _now() -> float:
    return asyncio.get_running_loop().time()
