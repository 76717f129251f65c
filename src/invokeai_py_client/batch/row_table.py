"""The state of each row of a batch, in a few bytes a row. Changed on the engine; any thread may read it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping

UNSENT = "unsent"
QUEUED = "queued"
"""Rows that wait: those that are to be sent, and those that are in the queue. Both are shown as `pending`."""

STATUSES: tuple[str, ...] = ("pending", "in_progress", "completed", "failed", "canceled", "invalid")
"""What is shown."""

_STATES: tuple[str, ...] = (UNSENT, QUEUED, *STATUSES[1:])
_CODE = {state: code for code, state in enumerate(_STATES)}
_ENDED = frozenset(STATUSES[2:])
_MOST_ATTEMPTS = 255


class RowTable:
    """The statuses of the rows, how often they were run, and where the manifest has their outcomes.

    Args:
        count: the number of rows.
    """

    def __init__(self, count: int) -> None:
        self._codes = bytearray(count)
        self._attempts = bytearray(count)
        self._offsets = array("q", [-1]) * count
        self._latest = array("q", [-1]) * count
        self._counts = Counter({UNSENT: count})
        self.ended = array("q")
        """The rows in the order in which they have ended. A row that is run again is there once for each time."""

    def __len__(self) -> int:
        return len(self._codes)

    def state(self, index: int) -> str:
        """Return the status of a row, with `UNSENT` or `QUEUED` for one that is pending."""
        return _STATES[self._codes[index]]

    def is_unsent(self, index: int) -> bool:
        """Return whether a row is to be sent."""
        return self.state(index) == UNSENT

    def status(self, index: int) -> str:
        """Return the status of a row."""
        return _shown(self.state(index))

    def set_state(self, index: int, state: str) -> None:
        """Change the state of a row that has not ended, or is to be run again."""
        self._counts[self.state(index)] -= 1
        self._counts[state] += 1
        self._codes[index] = _CODE[state]

    def end(self, index: int, status: str, offset: int) -> None:
        """Record the outcome of a row, and where the manifest has it."""
        self._offsets[index] = offset
        self.set_state(index, status)
        self._latest[index] = len(self.ended)
        self.ended.append(index)

    def ended_at(self, place: int) -> int | None:
        """Return the row at a place of `ended`; None if it has ended again since, or is being run again."""
        index = self.ended[place]
        return index if self._latest[index] == place and self.state(index) in _ENDED else None

    def outcome(self, index: int) -> int | None:
        """Return where the manifest has the outcome of a row; None if the row has not ended."""
        return self._offsets[index] if self.state(index) in _ENDED else None

    def attempts(self, index: int) -> int:
        """Return how often a row was run, 255 at most."""
        return self._attempts[index]

    def add_attempts(self, index: int, count: int) -> None:
        """Record that a row is run, or that it was not after all."""
        self._attempts[index] = min(self._attempts[index] + count, _MOST_ATTEMPTS)

    def having(self, state: str) -> list[int]:
        """Return the rows that are in a state."""
        return [index for index, code in enumerate(self._codes) if code == _CODE[state]]

    @property
    def unsent(self) -> int:
        """How many rows are to be sent."""
        return self._counts[UNSENT]

    @property
    def in_flight(self) -> int:
        """How many rows are in the queue, or have run and have images that are being downloaded."""
        return self._counts[QUEUED] + self._counts["in_progress"]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many rows have each status."""
        counts = dict.fromkeys(STATUSES, 0)
        for state in _STATES:
            counts[_shown(state)] += self._counts[state]
        return counts

    @property
    def ended_count(self) -> int:
        """How many rows have ended."""
        return sum(self._counts[status] for status in _ENDED)


def _shown(state: str) -> str:
    return "pending" if state in (UNSENT, QUEUED) else state
