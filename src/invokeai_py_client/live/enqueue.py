"""Sends a batch so that each item of it is enqueued exactly once, whatever becomes of the answers."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.errors import (
    ApiError,
    EnqueueInDoubtError,
    InvokeAIError,
    RequestTimeout,
    TransportError,
)
from invokeai_py_client.live.items import items_of_batch
from invokeai_py_client.transport.http import PASSING_STATUSES, is_passing
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue

_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 4.0)
"""Seconds between one try and the next; after the last the failure is the caller's."""

_AT_WORK = 1.0
"""Seconds that a server may be at work on a batch whose connection broke; ten thousand items take it less."""

_QUESTION = 10.0
"""Seconds that one question whether a batch has arrived may take."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What the server took of a batch: these items, of so many that were sent."""

    item_ids: list[int]
    requested: int | None

    def took_all(self) -> bool:
        """Whether nothing is left to be sent. It is not known where the answer was lost."""
        return self.requested is not None and len(self.item_ids) >= self.requested


async def enqueue_once(
    http: Sender, queue_id: str, batch_id: str, body: dict[str, Any], *, known: frozenset[int] = frozenset()
) -> Enqueued:
    """Enqueue a batch, or the rest of one, under an id of the client's choosing.

    The server would take the same batch twice. So when an answer is lost, the batch's status tells whether it
    arrived. It is sent again only when it has no more items than before though the server has had time for them.

    Args:
        http: how to send.
        queue_id: the queue.
        batch_id: an id that no other batch has.
        body: what `enqueue_batch` takes; the id is put into it.
        known: the items that the batch has already.

    Returns:
        The new items, ascending. They may be fewer than were sent: the queue had no room.

    Raises:
        EnqueueInDoubtError: the answer was lost, and it could not be found out whether the batch arrived.
        InvokeAIError: as any request. Nothing of this body is in the queue then.
    """
    call = queue.enqueue_batch(queue_id, {**body, "batch": {**body["batch"], "batch_id": batch_id}})
    for pause in (*_PAUSES, None):
        try:
            result = await http.send(call)
        except (TransportError, RequestTimeout, ApiError) as error:
            if _fate_is_unknown(error):
                arrived = await _what_arrived(http, queue_id, batch_id, known, error)
                if arrived is not None:
                    return Enqueued(arrived, None)
            elif not _was_not_sent(error):
                raise
            if pause is None:
                raise
        else:
            new = result.item_ids
            if new is None and result.enqueued:
                # Servers before 5.12 do not name them.
                new = await _what_arrived(http, queue_id, batch_id, known, None)
            return Enqueued(sorted({*(new or ())} - known), result.requested)
        await asyncio.sleep(pause)
    raise AssertionError("the last try returns or raises")


async def _what_arrived(
    http: Sender, queue_id: str, batch_id: str, known: frozenset[int], lost: InvokeAIError | None
) -> list[int] | None:
    """The new items of a batch whose answer was `lost`, or named none; None if it did not arrive.

    It is asked again and again: a server that hung up may still be at work on it for a moment, and one that took too
    long for who knows how long. That nothing of it is there yet says nothing then.

    Raises:
        EnqueueInDoubtError: it could not be found out.
    """
    call = queue.get_batch_status(queue_id, batch_id)
    # It is asked again here, and not by the transport as well.
    asked = dataclasses.replace(call, idempotent=False, timeout=min(http.settings.timeout, _QUESTION))
    began = time.monotonic()
    grace = math.inf if lost is None else _grace(lost)
    seen: InvokeAIError | str = ""
    for pause in (*_PAUSES, None):
        try:
            elapsed = time.monotonic() - began
            if (await http.send(asked)).total > len(known):
                return sorted({item.item_id for item in await items_of_batch(http, queue_id, batch_id)} - known)
            if elapsed >= grace:
                return None
            seen = "it is not there yet"
        except (TransportError, RequestTimeout, ApiError) as error:
            seen = error
            if not (is_passing(error) or isinstance(error, RequestTimeout)):
                break
        if pause is not None:
            await asyncio.sleep(pause)
    answer = "its answer named no items" if lost is None else f"it got no answer ({lost})"
    raise EnqueueInDoubtError(
        f"Whether batch {batch_id} is in the queue {queue_id!r} is not known: {answer}, and the question whether it "
        f"arrived ended so: {seen}.",
        batch_id=batch_id,
        url=http.url_of(call.path),
        method=call.method,
        hint=f"When the server is back, client.run(batch_id={batch_id!r}) follows it if it is there.",
    ) from (seen if isinstance(seen, InvokeAIError) else lost)


def _was_not_sent(error: InvokeAIError) -> bool:
    return isinstance(error, TransportError) and not error.sent


def _grace(error: InvokeAIError) -> float:
    """For how many seconds the server may still be at work on what got no answer."""
    if isinstance(error, ApiError):
        return {502: _AT_WORK, 504: math.inf}.get(error.status, 0.0)
    return math.inf if isinstance(error, RequestTimeout) else _AT_WORK


def _fate_is_unknown(error: InvokeAIError) -> bool:
    """Whether the batch may be in the queue although its answer did not come."""
    if isinstance(error, ApiError):
        return error.status in PASSING_STATUSES
    return isinstance(error, RequestTimeout) or (type(error) is TransportError and error.sent)
