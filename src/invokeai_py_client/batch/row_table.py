"""The state of each row of a batch, in a few bytes per row. Changed on the engine; any thread may read it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping

UNSENT = "unsent"
QUEUED = "queued"
"""The two states of waiting rows: not sent yet, and in the server's queue. The public status of both is `pending`."""

STATUSES: tuple[str, ...] = ("pending", "in_progress", "completed", "failed", "canceled", "invalid")
"""The public statuses."""

_STATES: tuple[str, ...] = (UNSENT, QUEUED, *STATUSES[1:])
_CODE = {state: code for code, state in enumerate(_STATES)}
_ENDED = frozenset(STATUSES[2:])
_MOST_ATTEMPTS = 255


class RowTable:
    """The statuses of the rows, how often they were run, and the manifest offsets of their outcomes.

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
        """The indices of the rows in the order in which they ended. A row that ran twice is listed twice."""

    def __len__(self) -> int:
        return len(self._codes)

    def state(self, index: int) -> str:
        """Return the status of a row, with `UNSENT` or `QUEUED` for one that is pending."""
        return _STATES[self._codes[index]]

    def is_unsent(self, index: int) -> bool:
        """Return whether a row has yet to be sent."""
        return self.state(index) == UNSENT

    def status(self, index: int) -> str:
        """Return the status of a row."""
        return _shown(self.state(index))

    def set_state(self, index: int, state: str) -> None:
        """Change the state of a row that has not ended, or has to run again."""
        self._counts[self.state(index)] -= 1
        self._counts[state] += 1
        self._codes[index] = _CODE[state]

    def end(self, index: int, status: str, offset: int) -> None:
        """Record the final status of a row, and the offset of its outcome in the manifest."""
        self._offsets[index] = offset
        self.set_state(index, status)
        self._latest[index] = len(self.ended)
        self.ended.append(index)

    def ended_at(self, place: int) -> int | None:
        """Return the row at a position of `ended`; None if the row has since been started or has ended again."""
        index = self.ended[place]
        return index if self._latest[index] == place and self.state(index) in _ENDED else None

    def outcome(self, index: int) -> int | None:
        """Return the manifest offset of the outcome of a row; None if the row has not ended."""
        return self._offsets[index] if self.state(index) in _ENDED else None

    def attempts(self, index: int) -> int:
        """Return how often a row was run; 255 also stands for more."""
        return self._attempts[index]

    def add_attempts(self, index: int, count: int) -> None:
        """Change the number of attempts of a row; `count` is negative for an attempt that was not made."""
        self._attempts[index] = min(self._attempts[index] + count, _MOST_ATTEMPTS)

    def having(self, state: str) -> list[int]:
        """Return the rows that are in a state."""
        return [index for index, code in enumerate(self._codes) if code == _CODE[state]]

    @property
    def unsent(self) -> int:
        """The number of rows that have yet to be sent."""
        return self._counts[UNSENT]

    @property
    def in_flight(self) -> int:
        """The number of rows that are in the queue, or have run and whose images are being downloaded."""
        return self._counts[QUEUED] + self._counts["in_progress"]

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of rows by status."""
        counts = dict.fromkeys(STATUSES, 0)
        for state in _STATES:
            counts[_shown(state)] += self._counts[state]
        return counts

    @property
    def ended_count(self) -> int:
        """The number of rows that have ended."""
        return sum(self._counts[status] for status in _ENDED)


def _shown(state: str) -> str:
    return "pending" if state in (UNSENT, QUEUED) else state
