"""Where an item is in its queue: asks the server for what `queue_order` works it out from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from invokeai_py_client.errors import ForbiddenError
from invokeai_py_client.live.items import all_ids, records_of, summaries_of
from invokeai_py_client.repositories.queue_order import (
    Durations,
    QueuePosition,
    Waiting,
    first_come,
    in_turns,
    seconds_between,
    seconds_until,
)
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import app, queue
from invokeai_py_client.wire.records import QueueItemSummary

_ENDED_ITEMS = 100
"""So many of those that ended last tell how long items take."""

RUNNING = ("in_progress", "waiting")


class Positions:
    """The positions of one queue's items. All coroutines run on the engine.

    Args:
        http: how to ask.
        queue_id: the queue.
    """

    def __init__(self, http: HttpTransport, queue_id: str) -> None:
        self._http = http
        self._queue_id = queue_id
        self._priorities: dict[str, int] = {}

    async def of(self, item_id: int) -> QueuePosition:
        """The position of an item.

        Raises:
            NotFoundError: the queue has no such item (any more).
        """
        item = await self._http.send(queue.get_queue_item(self._queue_id, item_id))
        if item.status != "pending":
            runs = item.status in RUNNING
            return QueuePosition(item_id, item.status, 0 if runs else None, 0, 0.0 if runs else None)
        items = [summary async for summary in recent_items(self._http, self._queue_id, ended=_ENDED_ITEMS)]
        pending = [summary for summary in items if summary.status == "pending"]
        priorities = await self._priorities_of({summary.batch_id: summary.item_id for summary in pending})
        waiting = {i.item_id: Waiting(i.item_id, i.batch_id, i.user_id, priorities[i.batch_id]) for i in pending}
        waiting.setdefault(item_id, Waiting(item_id, item.batch_id, item.user_id, item.priority))
        if len({other.user_id for other in waiting.values()}) > 1 and await self._users_take_turns():
            served = sorted((i for i in items if i.started_at), key=lambda i: i.started_at or "")
            order = in_turns(waiting.values(), [*dict.fromkeys(i.user_id for i in reversed(served))][::-1])
        else:
            order = first_come(waiting.values())
        ahead = order[: next(place for place, other in enumerate(order) if other.item_id == item_id)]
        now = datetime.now(UTC)
        running = [(i.batch_id, seconds_between(i.started_at, now) or 0.0) for i in items if i.status in RUNNING]
        seconds = seconds_until((other.batch_id for other in ahead), running, Durations(items))
        return QueuePosition(item_id, item.status, len(ahead) + 1, len(ahead), seconds)

    async def _users_take_turns(self) -> bool:
        try:
            return (await self._http.send(app.get_config())).config.get("session_queue_mode") != "FIFO"
        except ForbiddenError:
            # What is so unless somebody has set it otherwise.
            return True

    async def _priorities_of(self, batches: dict[str, int]) -> dict[str, int]:
        """The priorities of batches, each asked of one of its items, once."""
        unknown = {batch: item_id for batch, item_id in batches.items() if batch not in self._priorities}
        for item in await records_of(self._http, self._queue_id, [*unknown.values()]):
            self._priorities[item.batch_id] = item.priority
        self._priorities = {batch: self._priorities.get(batch, 0) for batch in batches}
        return self._priorities


async def recent_items(http: HttpTransport, queue_id: str, *, ended: int) -> AsyncIterator[QueueItemSummary]:
    """The newest items, until all that have not ended were among them, and so many that have."""
    counts = (await http.send(queue.get_queue_status(queue_id))).queue
    live = counts.pending + counts.in_progress + counts.waiting
    item_ids = await all_ids(http, queue_id)
    for start in range(0, len(item_ids), queue.MAX_IDS_PER_REQUEST):
        if live <= 0 and ended <= 0:
            return
        for summary in await summaries_of(http, queue_id, item_ids[start : start + queue.MAX_IDS_PER_REQUEST]):
            if summary.status == "pending" or summary.status in RUNNING:
                live -= 1
            else:
                ended -= 1
            yield summary
