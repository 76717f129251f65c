"""In which order a queue's pending items will run, and when: pure."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.wire.records.queue import QueueItemSummary

_RECENT = 20


@dataclass(frozen=True, slots=True)
class QueuePosition(ReadsAsMapping):
    """Where an item is in its queue.

    `position` is 1 for the item that is begun next, 0 for one that runs, None for one that has ended. `ahead_count`
    counts the pending items before it, and `estimated_time` is in how many seconds it will begin, judged by the median
    of how long like items took lately: those of the same batch, else those of the same kind of work, as far as this
    client has sent it, else any. It is None where nothing is known of that, while the processor is paused, while an
    item runs that has run longer than anything like it took, and for an item that has ended.
    """

    item_id: int
    status: str
    position: int | None
    ahead_count: int
    estimated_time: float | None

    def _names(self) -> Sequence[str]:
        """Return the names of the attributes."""
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
        kind_of: of what kind the work of a batch is; None where that is not known.
    """

    def __init__(self, ended: Iterable[QueueItemSummary], kind_of: Callable[[str], Hashable | None]) -> None:
        self._kind_of = kind_of
        self._all: list[float] = []
        self._of_batch: defaultdict[str, list[float]] = defaultdict(list)
        self._of_kind: defaultdict[Hashable, list[float]] = defaultdict(list)
        for item in ended:
            seconds = seconds_between(item.started_at, item.completed_at)
            if item.status == "completed" and seconds is not None:
                self._all.append(seconds)
                self._of_batch[item.batch_id].append(seconds)
                kind = kind_of(item.batch_id)
                if kind is not None:
                    self._of_kind[kind].append(seconds)

    def of(self, batch_id: str) -> float | None:
        """What one more item of a batch is expected to take; None where nothing is known."""
        like = self._like(batch_id)
        return statistics.median(like) if like else None

    def left(self, batch_id: str, so_far: float) -> float | None:
        """What an item of a batch still takes that has run for so long; None where that is not known.

        That is so, too, where it has run longer than anything like it took: it is not like it.
        """
        like = self._like(batch_id)
        return max(0.0, statistics.median(like) - so_far) if like and so_far <= max(like) else None

    def _like(self, batch_id: str) -> list[float]:
        """What took most like a batch: its own items, else those of its kind, else any."""
        known = self._of_batch.get(batch_id) or self._of_kind.get(self._kind_of(batch_id)) or self._all
        return known[:_RECENT]


def seconds_until(ahead: Iterable[str], running: Iterable[tuple[str, float]], durations: Durations) -> float | None:
    """In how many seconds an item will begin.

    Args:
        ahead: the batches of the pending items before it.
        running: the batches of the items that run, with the seconds since they have begun.
        durations: how long items take.

    Returns:
        The seconds; None where it is not known how long an item takes.
    """
    total = 0.0
    for seconds in (
        *(durations.of(batch) for batch in ahead),
        *(durations.left(batch, so_far) for batch, so_far in running),
    ):
        if seconds is None:
            return None
        total += seconds
    return total


def last_served(items: Iterable[QueueItemSummary]) -> list[str]:
    """The users who had items begun, the one who was served longest ago first."""
    latest: dict[str, str] = {}
    for item in items:
        if item.started_at is not None:
            latest[item.user_id] = max(latest.get(item.user_id, ""), item.started_at)
    return sorted(latest, key=lambda user: latest[user])


def consecutive(items: Iterable[tuple[int, str]]) -> list[list[int]]:
    """Runs of items with consecutive ids that are of one batch: most likely they were enqueued together.

    Args:
        items: the ids of items, and of their batches.
    """
    runs: list[list[int]] = []
    last: tuple[int, str] | None = None
    for item_id, batch_id in sorted(items):
        if last == (item_id - 1, batch_id):
            runs[-1].append(item_id)
        else:
            runs.append([item_id])
        last = (item_id, batch_id)
    return runs


def seconds_between(began: str | None, ended: str | datetime | None) -> float | None:
    """The seconds from one of the server's times to another, or to a time in UTC without a zone."""
    if began is None or ended is None:
        return None
    end = datetime.fromisoformat(ended) if isinstance(ended, str) else ended
    return max(0.0, (end.replace(tzinfo=None) - datetime.fromisoformat(began).replace(tzinfo=None)).total_seconds())
