"""Decides which server gets which row next, without a clock and without I/O.

Whenever a server may have room, `Placement.hand_out` gives it rows, or nothing. The rules, in this order:

1. A server gets only rows that it can run.
2. It stays with the models that it has loaded. When their rows are used up, it takes the models with the most rows
   among those that no other server works on, and helps another server only when there are none.
3. It has two rows in hand for each slot, so that the next one is waiting in its queue when one ends. It has only one if
   two would take more than 30 s, because no other server can take a row that this one has in hand.
4. When fewer rows are left than there are slots, each goes to the server that will have finished it first, so that all
   servers end at about the same time. A slow server may then get nothing although it has room.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

Row = TypeVar("Row")

MOST_SECONDS_IN_HAND = 30.0
"""The most seconds of work that a slot has in hand, unless a single row takes longer."""

_WEIGHT_OF_LATEST = 0.3


@dataclass(eq=False, slots=True)
class Lane:
    """What the placement knows about one server.

    Attributes:
        name: the name of the server.
        slots: how many rows it runs at the same time.
        in_hand: how many rows it has, running or waiting.
        seconds: how long a row takes there; None until one has ended.
        models: the models of the rows that it got last, which it has loaded.
    """

    name: str
    slots: int = 1
    in_hand: int = 0
    seconds: float | None = None
    models: frozenset[str] | None = None

    @property
    def has_room(self) -> bool:
        """Whether it may take another row."""
        is_quick = self.seconds is None or 2 * self.seconds <= MOST_SECONDS_IN_HAND
        return self.in_hand < self.slots * (2 if is_quick else 1)


class Given(NamedTuple, Generic[Row]):
    """A row that was given to a server, and the number of its group."""

    lane: Lane
    group: int
    row: Row


@dataclass(eq=False, slots=True)
class _Group(Generic[Row]):
    """The rows that run with the same graph."""

    number: int
    rows: Iterator[Row]
    unseen: int
    barred: Collection[str]
    returned: list[tuple[Row, Collection[str]]] = field(default_factory=list)

    def can_run_on(self, lane: str) -> bool:
        return lane not in self.barred and (self.unseen > 0 or any(lane not in avoided for _, avoided in self.returned))

    def take(self, lane: str) -> Row:
        for place, (row, avoided) in enumerate(self.returned):
            if lane not in avoided:
                del self.returned[place]
                return row
        self.unseen -= 1
        return next(self.rows)


@dataclass(eq=False, slots=True)
class _Family(Generic[Row]):
    """The groups that need the same models."""

    left: int = 0
    groups: dict[int, _Group[Row]] = field(default_factory=dict)
    """Those that may have rows to hand out, in running order."""

    def group_for(self, lane: str) -> _Group[Row] | None:
        return next((group for group in self.groups.values() if group.can_run_on(lane)), None)


class Placement(Generic[Row]):
    """The rows that remain to be handed out, and the servers that can take them."""

    def __init__(self) -> None:
        self.left = 0
        """How many rows remain to be handed out."""
        self._lanes: dict[str, Lane] = {}
        self._slots = 0
        self._with_room: dict[Lane, None] = {}
        self._families: dict[frozenset[str], _Family[Row]] = {}
        self._family_of: dict[int, tuple[_Family[Row], _Group[Row]]] = {}

    def clear(self) -> None:
        """Forget all rows that remain to be handed out; keep the servers."""
        self.left = 0
        self._families.clear()
        self._family_of.clear()

    def join(self, lane: Lane) -> None:
        """Give rows to a server from now on."""
        self._lanes[lane.name] = lane
        self._slots += lane.slots
        self._with_room[lane] = None

    def resize(self, lane: Lane, slots: int) -> None:
        """Change how many rows a server runs at the same time."""
        self._slots += slots - lane.slots
        lane.slots = slots
        self._ask_all()

    def leave(self, lane: Lane) -> None:
        """Give no more rows to a server. The caller puts back the rows that it has in hand, so that others get them."""
        if self._lanes.pop(lane.name, None) is not None:
            self._slots -= lane.slots
            self._ask_all()

    def add(
        self,
        number: int,
        rows: Iterable[Row],
        count: int,
        *,
        models: frozenset[str] = frozenset(),
        barred: Collection[str] = (),
    ) -> None:
        """Add a group: rows that run with the same graph.

        Args:
            number: the number of the group.
            rows: its rows in order. They are read when they are handed out.
            count: how many there are.
            models: the models that a server must have loaded for them.
            barred: the names of the servers that cannot run them. It may be changed later.
        """
        family = self._families.setdefault(models, _Family())
        group = _Group(number, iter(rows), count, barred)
        self._family_of[number] = family, group
        if count:
            family.groups[number] = group
        family.left += count
        self.left += count
        self._ask_all()

    def put_back(self, number: int, row: Row, *, avoiding: Collection[str] = ()) -> None:
        """Hand out a row once more.

        Args:
            number: the number of its group.
            row: the row.
            avoiding: the names of the servers that must not get it.
        """
        family, group = self._family_of[number]
        group.returned.append((row, avoiding))
        family.groups[number] = group
        family.left += 1
        self.left += 1
        self._ask_all()

    def ended(self, lane: Lane, seconds: float | None = None) -> None:
        """Record that a server has one row less in hand.

        Args:
            lane: the server.
            seconds: how long the row ran; None if it did not run to its end.
        """
        lane.in_hand -= 1
        if seconds is not None:
            before = seconds if lane.seconds is None else lane.seconds
            lane.seconds = before + _WEIGHT_OF_LATEST * (seconds - before)
        self._with_room[lane] = None

    def hand_out(self) -> list[Given[Row]]:
        """Give rows to the servers that have room, by the rules above. Call it after each change."""
        if self.left < self._slots:
            shares = self._shares_at_the_end()
            return [given for lane, share in shares.items() for given in self._give(lane, share)]
        given: list[Given[Row]] = []
        while self._with_room and self.left >= self._slots:
            # One row for each server in turn: when few are left, no server gets two before another has one.
            for lane in [*self._with_room]:
                if lane.name not in self._lanes or not (some := self._give(lane, 1)):
                    del self._with_room[lane]
                    continue
                given += some
        return given

    def _give(self, lane: Lane, count: int) -> list[Given[Row]]:
        given: list[Given[Row]] = []
        while len(given) < count and lane.has_room:
            models = self._models_for(lane)
            if models is None:
                break
            family = self._families[models]
            group = family.group_for(lane.name)
            assert group is not None, "models are chosen only if the server can run rows that need them"
            given.append(Given(lane, group.number, group.take(lane.name)))
            if not group.unseen and not group.returned:
                del family.groups[group.number]
            family.left -= 1
            self.left -= 1
            lane.in_hand += 1
            lane.models = models
        return given

    def _models_for(self, lane: Lane) -> frozenset[str] | None:
        if lane.models is not None and self._has_rows_for(lane, lane.models):
            return lane.models
        able = [models for models in self._families if self._has_rows_for(lane, models)]
        if not able:
            return None
        helpers = dict.fromkeys(able, 0)
        for other in self._lanes.values():
            if other.in_hand and other.models in helpers:
                helpers[other.models] += other.slots
        return max(able, key=lambda models: (not helpers[models], self._families[models].left / (helpers[models] + 1)))

    def _has_rows_for(self, lane: Lane, models: frozenset[str]) -> bool:
        family = self._families.get(models)
        return family is not None and family.left > 0 and family.group_for(lane.name) is not None

    def _shares_at_the_end(self) -> dict[Lane, int]:
        """Return how many of the remaining rows each server gets, so that the last one ends as early as possible."""
        known = [lane.seconds for lane in self._lanes.values() if lane.seconds is not None]
        guess = sum(known) / len(known) if known else 1.0

        def finish(lane: Lane, in_hand: int) -> float:
            seconds = guess if lane.seconds is None else lane.seconds
            return seconds * max(1.0, (in_hand + 1) / lane.slots)

        queue = [(finish(lane, lane.in_hand), lane.name, lane.in_hand) for lane in self._lanes.values()]
        heapq.heapify(queue)
        shares: dict[Lane, int] = {}
        left = self.left
        while queue and left:
            _, name, in_hand = queue[0]
            lane = self._lanes[name]
            if lane in shares or any(self._has_rows_for(lane, models) for models in self._families):
                shares[lane] = shares.get(lane, 0) + 1
                left -= 1
                heapq.heapreplace(queue, (finish(lane, in_hand + 1), name, in_hand + 1))
            else:
                heapq.heappop(queue)
        return shares

    def _ask_all(self) -> None:
        self._with_room = dict.fromkeys(self._lanes.values())
