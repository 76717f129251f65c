"""Axes of a batch, and the place of each row on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

REPETITION = "Run"
"""The axis that tells rows apart which have the same values on all other axes."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a grid: a column and the values that it takes.

    Args:
        name: the column. A row's value is `row["values"][name]`, or else `row[name]`, as for "seed".
        values: the values in the order to show them, none twice.

    Example:
        >>> Axis("Steps", (8, 20))
        Axis(name='Steps', values=(8, 20))
    """

    name: str
    values: Sequence[Any]

    @property
    def title(self) -> str:
        """The name as it is shown: without the `#` of a column that sets nothing."""
        return self.name.removeprefix("#")

    def key_of(self, row: Mapping[str, Any]) -> str | None:
        """Return the row's value as text that is equal for equal values; None if the row has no such column."""
        values = row.get("values", {})
        value = values[self.name] if self.name in values else row.get(self.name, _ABSENT)
        return None if value is _ABSENT else _key(value)

    def keys(self) -> dict[str, int]:
        """Return the position of each value by its `key_of`."""
        return {_key(value): position for position, value in enumerate(self.values)}


_ABSENT = object()


def _key(value: Any) -> str:
    return json.dumps(_whole(value), sort_keys=True, default=str)


def _whole(value: Any) -> Any:
    """Make whole floats integers: 7.0 and 7 are one value in JavaScript, and in a JSON file that it wrote."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def label_of(value: Any) -> str:
    """Return a value as it is shown: a name for what has one, else the text, or compact JSON.

    Example:
        >>> label_of({"name": "Dreamshaper 8", "base": "sd-1"}), label_of((512, 768)), label_of(7.5), label_of(None)
        ('Dreamshaper 8', '512, 768', '7.5', 'none')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return "none"
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        return str(value["name"])
    if isinstance(value, list | tuple):
        return ", ".join(label_of(one) for one in value)
    return json.dumps(_whole(value), ensure_ascii=False, default=str)


Row = Mapping[str, Any]

_CAPTION_LETTERS = 300


def captions_of(rows: Sequence[Row]) -> list[str]:
    """Return a caption for each row: its index, and those of its values that are not the same for all rows.

    Example:
        >>> rows = [{"index": index, "values": {"Steps": 8 + 12 * index, "CFG": 7}} for index in range(2)]
        >>> captions_of(rows)
        ['0: 8', '1: 20']
    """
    seen: dict[str, set[str]] = {}
    for row in rows:
        for column, value in row["values"].items():
            seen.setdefault(column, set()).add(label_of(value))
    varied = [column for column, values in seen.items() if len(values) > 1]
    return [
        f"{row['index']}: "
        + ", ".join(label_of(row["values"][column])[:_CAPTION_LETTERS] for column in varied if column in row["values"])
        for row in rows
    ]


class Grid:
    """Rows by their positions on axes. Rows that share a place are told apart by one more axis, the repetition.

    Args:
        axes: the axes, X first.
        rows: the rows; of several with one `row_id` the last counts. A row with a value that is on no axis is left out.
    """

    def __init__(self, axes: Sequence[Axis], rows: Iterable[Row]) -> None:
        keys = [(axis, axis.keys()) for axis in axes]
        stacks: dict[tuple[int, ...], list[Row]] = {}
        for row in latest(rows):
            place = [known.get(axis.key_of(row) or "") for axis, known in keys]
            if None not in place:
                stacks.setdefault(tuple(position for position in place if position is not None), []).append(row)
        deepest = max(map(len, stacks.values()), default=1)
        self.axes = [*axes, Axis(REPETITION, range(1, deepest + 1))] if deepest > 1 else list(axes)
        self._stacks = stacks
        self._has_repetition = deepest > 1

    def row_at(self, place: Sequence[int]) -> Row | None:
        """The row at these positions, one for each of `axes`; None if there is none."""
        repetition = place[-1] if self._has_repetition else 0
        stack = self._stacks.get(tuple(place[:-1] if self._has_repetition else place), [])
        return stack[repetition] if repetition < len(stack) else None


def latest(rows: Iterable[Row]) -> list[Row]:
    """The rows in the order of their `index`; of several with one `row_id` the last given."""
    by_id = {row["row_id"]: row for row in rows}
    return sorted(by_id.values(), key=lambda row: row["index"])
