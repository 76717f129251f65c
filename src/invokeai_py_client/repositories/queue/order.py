"""The order in which a queue's pending items will run, and estimates of when. Pure."""

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
    """The position of an item in its queue.

    Attributes:
        item_id: the id of the item.
        status: the status of the item.
        position: 1 for the next item to start, 0 for a running item, None for one that has ended.
        ahead_count: the number of pending items that will start before it.
        estimated_time: the estimated seconds until it starts. The estimate uses the median duration of recent items:
            those of the same batch, otherwise those with the same kind of work that this client submitted, otherwise
            any. None if there are no such items, if the processor is paused, if the running item takes longer than any
            similar item did, and for an item that has ended.
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
    """The properties of a pending item that determine the order."""

    item_id: int
    batch_id: str
    user_id: str
    priority: int


def first_come(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Sort pending items in the order of a server without users: by priority, then by id."""
    return sorted(waiting, key=lambda item: (-item.priority, item.item_id))


def in_turns(waiting: Iterable[Waiting], last_served: Sequence[str]) -> list[Waiting]:
    """Sort pending items in the order of a server whose users take turns. Each user's items run by priority, then id.

    Args:
        waiting: the items.
        last_served: the users whose items have run, starting with the one who was served longest ago. Users who are
            not in the list are served before these.

    Returns:
        The items in order. Users whose ids the server does not reveal count as one user.
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
    """Durations of recent items, in seconds.

    Args:
        ended: items that have ended, newest first.
        kind_of: returns the kind of work of a batch; None if it is unknown.
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
        """Return the expected duration of an item of a batch; None if it is unknown."""
        like = self._like(batch_id)
        return statistics.median(like) if like else None

    def left(self, batch_id: str, so_far: float) -> float | None:
        """Return the expected remaining time of an item that has run for `so_far` seconds; None if it is unknown.

        It is also unknown if the item has run longer than any similar item.
        """
        like = self._like(batch_id)
        return max(0.0, statistics.median(like) - so_far) if like and so_far <= max(like) else None

    def _like(self, batch_id: str) -> list[float]:
        """Return the durations of similar items: of the batch, otherwise of its kind of work, otherwise of all."""
        known = self._of_batch.get(batch_id) or self._of_kind.get(self._kind_of(batch_id)) or self._all
        return known[:_RECENT]


def seconds_until(ahead: Iterable[str], running: Iterable[tuple[str, float]], durations: Durations) -> float | None:
    """Estimate the seconds until an item starts.

    Args:
        ahead: the batch ids of the pending items before it.
        running: the batch ids of the running items, with the seconds since they started.
        durations: the durations of recent items.

    Returns:
        The seconds; None if the duration of one of the items is unknown.
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
    """Return the users whose items have started, beginning with the one who was served longest ago."""
    latest: dict[str, str] = {}
    for item in items:
        if item.started_at is not None:
            latest[item.user_id] = max(latest.get(item.user_id, ""), item.started_at)
    return sorted(latest, key=lambda user: latest[user])


def consecutive(items: Iterable[tuple[int, str]]) -> list[list[int]]:
    """Group items of one batch with consecutive ids, which were most likely enqueued together.

    Args:
        items: (item id, batch id) pairs.
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
    """Return the seconds between two timestamps of the server. `ended` may also be a naive datetime in UTC."""
    if began is None or ended is None:
        return None
    end = datetime.fromisoformat(ended) if isinstance(ended, str) else ended
    return max(0.0, (end.replace(tzinfo=None) - datetime.fromisoformat(began).replace(tzinfo=None)).total_seconds())
