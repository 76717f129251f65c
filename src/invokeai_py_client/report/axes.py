"""Axes of a batch, and the position of each row on them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.files import image_path

REPETITION = "Run"
"""The axis that distinguishes rows with the same values on all other axes."""

EMPTY = "(empty)"
"""The label of a string without visible characters."""

_MOST_ACROSS = 8
"""The maximum number of values in one line if there is only one axis."""

_FILLED = 0.5
"""The fraction of the places of a grid beyond which it has enough rows."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a grid: a column and its values.

    Args:
        name: the column. A row's value is `row["values"][name]`, or `row[name]` if that is missing, as for "seed".
        values: the values without duplicates, in display order.

    Example:
        >>> Axis("Steps", (8, 20))
        Axis(name='Steps', values=(8, 20))
    """

    name: str
    values: Sequence[Any]

    @property
    def labels(self) -> list[str]:
        """The labels of the values: for images that are all in one folder, the file names."""
        paths = [image_path(value) for value in self.values]
        parents = {path and path.parent for path in paths}
        if len(parents) == 1 and None not in parents:
            return [path.name for path in paths if path is not None]
        return [label_of(value) for value in self.values]

    @property
    def title(self) -> str:
        """The name for display: without the `#` of a note."""
        return self.name.removeprefix("#")

    def key_of(self, row: Mapping[str, Any]) -> str | None:
        """Return the row's value as a string that is equal for equal values; None if the row lacks the column."""
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
    """Convert whole floats to integers, as 7.0 and 7 are the same value in JavaScript and in its JSON files."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def label_of(value: Any) -> str:
    """Return the label of a value: its name if it has one, otherwise the string, or compact JSON.

    A string without visible characters becomes `(empty)`.

    Example:
        >>> label_of({"name": "Dreamshaper 8", "base": "sd-1"}), label_of((512, 768)), label_of(7.5), label_of(None)
        ('Dreamshaper 8', '512, 768', '7.5', 'none')
    """
    if isinstance(value, str):
        return value if value.strip() else EMPTY
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
    """Return a caption for each row: its index, and the values that differ between rows.

    Example:
        >>> rows = [{"index": index, "values": {"Prompt": "cup"[index:], "CFG": index}} for index in range(2)]
        >>> captions_of(rows)
        ['0: cup, CFG 0', '1: up, CFG 1']
    """
    seen: dict[str, dict[str, Any]] = {}
    for row in rows:
        for column, value in row["values"].items():
            seen.setdefault(column, {})[label_of(value)] = value
    varied = [Axis(column, [*values.values()]) for column, values in seen.items() if len(values) > 1]
    labelled = [(axis, dict(zip(seen[axis.name], axis.labels, strict=True))) for axis in varied]

    def parts(values: Mapping[str, Any]) -> Iterator[str]:
        for axis, known in labelled:
            if axis.name in values:
                value = values[axis.name]
                label = known[label_of(value)]
                yield (label if isinstance(value, str) else f"{axis.title} {label}")[:_CAPTION_LETTERS]

    return [f"{row['index']}: {', '.join(parts(row['values']))}" for row in rows]


def is_grid(axes: Sequence[Axis], rows: int) -> bool:
    """Return whether rows are shown as a grid.

    They are not if half of the places of the grid would be empty, as for a file of rows or a sample, or if the grid
    would be one long line.

    Args:
        axes: the axes.
        rows: the number of rows.
    """
    lengths = [len(axis.values) for axis in axes]
    return rows > math.prod(lengths) * _FILLED and (len(axes) > 1 or sum(lengths) in range(1, _MOST_ACROSS + 1))


class Grid:
    """Rows by their positions on axes. Rows with the same position are distinguished by a further axis, `REPETITION`.

    Args:
        axes: the axes, X first.
        rows: the rows. If several have the same `row_id`, the last one is used. Rows with a value that is not on its
            axis are left out.
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
        """Return the row at a place, given by a position on each of `axes`; None if there is none."""
        repetition = place[-1] if self._has_repetition else 0
        stack = self._stacks.get(tuple(place[:-1] if self._has_repetition else place), [])
        return stack[repetition] if repetition < len(stack) else None


def latest(rows: Iterable[Row]) -> list[Row]:
    """Return the rows sorted by `index`. If several have the same `row_id`, only the last one is included."""
    by_id = {row["row_id"]: row for row in rows}
    return sorted(by_id.values(), key=lambda row: row["index"])
