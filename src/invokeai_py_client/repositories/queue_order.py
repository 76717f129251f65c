"""In which order a queue's pending items will run, and when: pure."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.wire.records import QueueItemSummary

_RECENT = 20


@dataclass(frozen=True, slots=True)
class QueuePosition(ReadsAsMapping):
    """Where an item is in its queue.

    `position` is 1 for the item that is begun next, 0 for one that runs, None for one that has ended. `ahead_count`
    counts the pending items before it, and `estimated_time` is in how many seconds it will begin, judged by how long
    like items took lately: those of the same batch, else any; None where nothing is known of that.
    """

    item_id: int
    status: str
    position: int | None
    ahead_count: int
    estimated_time: float | None

    def keys(self) -> Sequence[str]:
        """The names of the attributes."""
        return ("item_id", "status", "position", "ahead_count", "estimated_time")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a pending item's turn depends on."""

    item_id: int
    batch_id: str
    user_id: str
    priority: int


def first_come(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Pending items as a server begins them that does not tell users apart: by priority, then by id."""
    return sorted(waiting, key=lambda item: (-item.priority, item.item_id))


def in_turns(waiting: Iterable[Waiting], last_served: Sequence[str]) -> list[Waiting]:
    """Pending items as a server begins them whose users take turns: each user's by priority, then by id.

    Args:
        waiting: the items.
        last_served: the users who had items begun, the longest ago first. Who is not among them comes before.

    Returns:
        The items in order. Several users whom the server does not tell apart count as one.
    """
    of_user: defaultdict[str, list[Waiting]] = defaultdict(list)
    for item in first_come(waiting):
        of_user[item.user_id].append(item)
    for items in of_user.values():
        items.reverse()
    turn = {user: number for number, user in enumerate(last_served, 1)}
    order: list[Waiting] = []
    while of_user:
        user = min(of_user, key=lambda user: (turn.get(user, 0), of_user[user][-1].item_id))
        order.append(of_user[user].pop())
        turn[user] = len(order) + len(last_served)
        if not of_user[user]:
            del of_user[user]
    return order


class Durations:
    """How many seconds items took lately.

    Args:
        ended: items that have ended, the newest first.
    """

    def __init__(self, ended: Iterable[QueueItemSummary]) -> None:
        self._all: list[float] = []
        self._of_batch: defaultdict[str, list[float]] = defaultdict(list)
        for item in ended:
            seconds = seconds_between(item.started_at, item.completed_at)
            if item.status == "completed" and seconds is not None:
                self._of_batch[item.batch_id].append(seconds)
                self._all.append(seconds)

    def of(self, batch_id: str) -> float | None:
        """What one more item of a batch is expected to take; None where nothing is known."""
        known = self._of_batch.get(batch_id) or self._all
        return statistics.fmean(known[:_RECENT]) if known else None


def seconds_until(ahead: Iterable[str], running: Iterable[tuple[str, float]], durations: Durations) -> float | None:
    """In how many seconds an item will begin.

    Args:
        ahead: the batches of the pending items before it.
        running: the batches of the items that run, with the seconds since they have begun.
        durations: how long items take.

    Returns:
        The seconds; None where it is not known how long an item takes.
    """
    expected = [durations.of(batch) for batch in ahead]
    for batch, so_far in running:
        usual = durations.of(batch)
        expected.append(None if usual is None else max(0.0, usual - so_far))
    known = [seconds for seconds in expected if seconds is not None]
    return sum(known) if len(known) == len(expected) else None


def seconds_between(began: str | None, ended: str | datetime | None) -> float | None:
    """The seconds from one of the server's times to another, or to a time in UTC without a zone."""
    if began is None or ended is None:
        return None
    end = datetime.fromisoformat(ended) if isinstance(ended, str) else ended
    return max(0.0, (end.replace(tzinfo=None) - datetime.fromisoformat(began).replace(tzinfo=None)).total_seconds())
