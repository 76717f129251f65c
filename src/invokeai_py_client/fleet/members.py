"""What a batch knows about each server: its state, and the rows that it has."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.fleet.calls import Away
from invokeai_py_client.fleet.placement import Lane


@dataclass(eq=False, slots=True)
class Attempt:
    """A row that a server has.

    Attributes:
        row: the row.
        group: the number of its group.
        item_batch: the id of its own batch in the server's queue.
        number: as for `RunRow`.
        drop: drops the call that runs it; None until it is sent.
        began_at: the time from which it is assumed to run; None while it waits for its turn.
        lost_at: the time at which its server was lost, if it was.
        is_moved: whether another server runs it instead, because this one was away for too long.
    """

    row: PlannedRow
    group: int
    item_batch: str
    number: int = 0
    drop: Callable[[], None] | None = None
    began_at: float | None = None
    lost_at: float = 0.0
    is_moved: bool = False


@dataclass(eq=False, slots=True)
class Member:
    """A server as one batch sees it.

    Attributes:
        url: its URL.
        status: `joining` until it has said what it can run, then `ready` or `away`.
        away: why it is away.
        lane: the server as the placement sees it; None until it has been ready.
        device: the names of its devices.
        at_once: how many rows it ran at the same time at the latest checks; None if the number of its slots is certain.
        attempts: the rows that it has, by the ids of their batches, in the order in which they were sent.
        heard_at: when a row last ended there, or when it got a row while it had none.
        asked_at: when it was asked for the progress of its rows; None if it has answered.
        drop: drops the call that waits until it is ready.
    """

    url: str
    status: Literal["joining", "ready", "away"] = "joining"
    away: Away | None = None
    lane: Lane | None = None
    device: str = ""
    at_once: deque[int] | None = None
    attempts: dict[str, Attempt] = field(default_factory=dict)
    heard_at: float = 0.0
    asked_at: float | None = None
    drop: Callable[[], None] = lambda: None

    def take(self, attempt: Attempt, now: float) -> None:
        """Add a row that is going to be sent to the server."""
        if not self.attempts:
            self.heard_at = now
        self.attempts[attempt.item_batch] = attempt

    def end(self, attempt: Attempt, now: float) -> float | None:
        """Remove a row; return for how many seconds it ran, None if it has not begun."""
        self.attempts.pop(attempt.item_batch, None)
        self.heard_at = now
        return None if attempt.began_at is None else now - attempt.began_at

    def beginning(self, now: float) -> Iterator[Attempt]:
        """Yield the rows that were sent and whose turn has come; they are assumed to run from now on."""
        slots = 1 if self.lane is None else self.lane.slots
        for attempt in itertools.islice(self.attempts.values(), slots):
            if attempt.drop is not None and attempt.began_at is None:
                attempt.began_at = now
                yield attempt
