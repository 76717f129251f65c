"""Finds the position of an item in its queue: fetches the items from which `order.py` computes it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from invokeai_py_client.errors import ForbiddenError
from invokeai_py_client.live.queue_reads import all_ids, records_of, summaries_of
from invokeai_py_client.live.workloads import Workloads
from invokeai_py_client.repositories.queue.order import (
    Durations,
    QueuePosition,
    Waiting,
    consecutive,
    first_come,
    in_turns,
    last_served,
    seconds_between,
    seconds_until,
)
from invokeai_py_client.runtime.listing import in_parts
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import app, queue
from invokeai_py_client.wire.records.queue import QueueCounts, QueueItemSummary

ENDED_ITEMS = 100
"""The number of recently ended items whose durations are used for estimates."""

_LOOKED_BACK = 10_000
"""The maximum number of older items that are read to find when each waiting user was served last."""

RUNNING = ("in_progress", "waiting")


class Positions:
    """Finds positions in one queue. All coroutines run on the engine.

    Args:
        http: sends the requests.
        queue_id: the queue.
        workloads: knows the kind of work of the batches that this client has sent.
    """

    def __init__(self, http: HttpTransport, queue_id: str, workloads: Workloads) -> None:
        self._http = http
        self._queue_id = queue_id
        self._workloads = workloads
        self._priorities: dict[int, int] = {}

    async def of(self, item_id: int) -> QueuePosition:
        """Return the position of an item.

        Raises:
            NotFoundError: the queue does not have the item, or no longer.
        """
        item = await self._http.send(queue.get_queue_item(self._queue_id, item_id))
        if item.status != "pending":
            runs = item.status in RUNNING
            return QueuePosition(item_id, item.status, 0 if runs else None, 0, 0.0 if runs else None)
        status = await self._http.send(queue.get_queue_status(self._queue_id))
        items = await recent_items(self._http, self._queue_id, status.queue, ended=ENDED_ITEMS)
        pending = [summary for summary in items if summary.status == "pending"]
        await self._learn_priorities(pending)
        waiting = {i.item_id: Waiting(i.item_id, i.batch_id, i.user_id, self._priorities[i.item_id]) for i in pending}
        waiting.setdefault(item_id, Waiting(item_id, item.batch_id, item.user_id, item.priority))
        users = {other.user_id for other in waiting.values()}
        if len(users) > 1 and await self._users_take_turns():
            order = in_turns(waiting.values(), last_served(await self._until_served(items, users)))
        else:
            order = first_come(waiting.values())
        ahead = order[: next(place for place, other in enumerate(order) if other.item_id == item_id)]
        seconds = self._seconds_until(ahead, items) if status.processor.is_started else None
        return QueuePosition(item_id, item.status, len(ahead) + 1, len(ahead), seconds)

    def _seconds_until(self, ahead: Iterable[Waiting], items: Iterable[QueueItemSummary]) -> float | None:
        now = datetime.now(UTC)
        running = [(i.batch_id, seconds_between(i.started_at, now) or 0.0) for i in items if i.status in RUNNING]
        return seconds_until((other.batch_id for other in ahead), running, Durations(items, self._workloads.of))

    async def _users_take_turns(self) -> bool:
        try:
            return (await self._http.send(app.get_config())).config.get("session_queue_mode") != "FIFO"
        except ForbiddenError:
            # Only administrators can read the setting; this is the default.
            return True

    async def _until_served(
        self, items: Sequence[QueueItemSummary], users: Collection[str]
    ) -> Sequence[QueueItemSummary]:
        """Return the newest items, and at most `_LOOKED_BACK` older ones, until each user has a started item."""
        if not items or {*users} <= {i.user_id for i in items if i.started_at}:
            return items
        oldest = min(item.item_id for item in items)
        older = [item_id for item_id in await all_ids(self._http, self._queue_id) if item_id < oldest]
        found = [*items]
        for start in range(0, min(len(older), _LOOKED_BACK), queue.MAX_IDS_PER_REQUEST):
            found += await summaries_of(self._http, self._queue_id, older[start : start + queue.MAX_IDS_PER_REQUEST])
            if {*users} <= {i.user_id for i in found if i.started_at}:
                break
        return found

    async def _learn_priorities(self, pending: Sequence[QueueItemSummary]) -> None:
        """Find the priorities of pending items, which only complete records have.

        Items that were enqueued together have the same priority. So of the items of a batch with consecutive ids, only
        the first and the last are fetched. If these differ, because a batch was sent in parts or twice, all are
        fetched.
        """
        known = {i.item_id: self._priorities[i.item_id] for i in pending if i.item_id in self._priorities}
        runs = consecutive((i.item_id, i.batch_id) for i in pending if i.item_id not in known)
        ends = await self._priorities_of({item_id for run in runs for item_id in (run[0], run[-1])})
        differ = [run for run in runs if ends[run[0]] != ends[run[-1]]]
        each = await self._priorities_of({item_id for run in differ for item_id in run[1:-1]})
        for run in runs:
            known |= {item_id: each.get(item_id, ends[run[0]]) for item_id in run}
            known[run[-1]] = ends[run[-1]]
        self._priorities = known

    async def _priorities_of(self, item_ids: Collection[int]) -> dict[int, int]:
        records = await records_of(self._http, self._queue_id, sorted(item_ids))
        # Items that are gone by now do not matter.
        return dict.fromkeys(item_ids, 0) | {item.item_id: item.priority for item in records}


async def recent_items(
    http: HttpTransport, queue_id: str, counts: QueueCounts, *, ended: int
) -> list[QueueItemSummary]:
    """Return the newest items: as many as needed to include all that have not ended, and `ended` that have.

    Args:
        http: sends the requests.
        queue_id: the queue.
        counts: the queue's numbers of items.
        ended: the number of ended items to include.
    """
    live = counts.pending + counts.in_progress + counts.waiting
    item_ids = await all_ids(http, queue_id)
    found: list[QueueItemSummary] = []
    for ids in in_parts(item_ids, queue.MAX_IDS_PER_REQUEST):
        if live <= 0 and ended <= 0:
            break
        part = await summaries_of(http, queue_id, ids)
        going_on = sum(item.status == "pending" or item.status in RUNNING for item in part)
        live -= going_on
        ended -= len(part) - going_on
        found += part
    return found
