"""Axes of a batch, and the place of each row on them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.files import image_path

REPETITION = "Run"
"""The axis that tells rows apart which have the same values on all other axes."""

EMPTY = "(empty)"
"""The label of a text that shows nothing."""

_MOST_ACROSS = 8
"""How many values a lone axis may have in one line."""

_LEAST_FILLED = 0.25
"""The part of its places that a grid must have rows for."""


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
    def labels(self) -> list[str]:
        """The values as they are shown: of images that are in one folder, the names."""
        paths = [image_path(value) for value in self.values]
        parents = {path and path.parent for path in paths}
        if len(parents) == 1 and None not in parents:
            return [path.name for path in paths if path is not None]
        return [label_of(value) for value in self.values]

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

    A text that shows nothing is `(empty)`.

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
    """Return a caption for each row: its index, and those of its values that are not the same for all rows.

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
    """Return whether rows are best seen as a grid.

    They are not where a table with a row for each run, or a sample, has rows at few places of the grid, nor where they
    would stand in one long line.

    Args:
        axes: the axes.
        rows: how many rows there are.
    """
    lengths = [len(axis.values) for axis in axes]
    return rows >= math.prod(lengths) * _LEAST_FILLED and (len(axes) > 1 or sum(lengths) in range(1, _MOST_ACROSS + 1))


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
