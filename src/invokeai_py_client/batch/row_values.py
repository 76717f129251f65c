"""Computes the values of the rows of a plan, and finds rows that are equal.

The rows are the product of *axes*. An axis has one or more columns that vary together: a single column, a group, all
columns if they are zipped or come from a file of rows, or the seeds. Values that depend on more than one axis, such as
a replaced text or a drawn prompt, are computed for each row (`Late`).
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

from invokeai_py_client.batch.cells import CellError, Column, Terms, part_term, shown
from invokeai_py_client.batch.dynamic_prompts import DynamicPrompts, PromptError
from invokeai_py_client.errors import PlanError
from invokeai_py_client.workflow.fields import shortened

MOST_ROWS = 10_000_000
"""The maximum number of rows that can run. A product may have more if a sample of it is taken."""

MOST_COMBINATIONS = sys.maxsize
"""The maximum number of rows of a product: the largest length of a Python sequence."""

MODULUS = 2**256
"""Sums of terms are compared modulo this."""


@dataclass(slots=True, eq=False)
class PlanAxis:
    """Columns that vary together, and their checked cells.

    Attributes:
        columns: the columns.
        cells: the raw values of each column, in the order of the axis.
        problems: the problems by position in the axis: (column name, reason).
    """

    columns: tuple[Column, ...]
    cells: tuple[Sequence[Any], ...]
    problems: dict[int, list[tuple[str, str]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cells[0])


@dataclass(frozen=True, slots=True)
class Late:
    """A value that is computed for each row: a replaced text, a drawn prompt, or a drawn seed.

    `kind` is `replace`, `draw` or `seed`. `target` and `source` are column numbers; `source` is the column with the new
    text of a replacement.
    """

    kind: str
    target: int
    source: int = -1
    old: str = ""


@dataclass(slots=True)
class RowValues:
    """One row: its raw values, the sum of its terms, and its problems."""

    raws: list[Any]
    content: int
    problems: list[tuple[str, str]]
    templates: Mapping[int, Any] = field(default_factory=dict)

    def template(self, number: int) -> Any:
        """Return the text of a column before it was replaced or drawn."""
        return shown(self.templates.get(number, self.raws[number]))


class RowMaker:
    """Computes rows when they are read.

    Args:
        base: the sum of the terms of what no column varies.
        axes: the axes; the last one changes fastest.
        late: the values that are computed for each row, in this order.
        terms: computes the hashes of values.
        prompts: expands dynamic prompts.
        random_seed: the seed of all draws; None if nothing is drawn.
    """

    def __init__(
        self,
        base: int,
        axes: Sequence[PlanAxis],
        late: Sequence[Late],
        terms: Terms,
        prompts: DynamicPrompts,
        random_seed: int | None,
    ) -> None:
        self._base = base
        self._axes = axes
        self._late = late
        self._terms = terms
        self._prompts = prompts
        self._random_seed = random_seed
        self.columns = tuple(column for axis in axes for column in axis.columns)
        self.late_targets = {one.target for one in late}
        """The numbers of the columns with values that are computed for each row."""
        self._length = math.prod(map(len, axes))
        self._has_draws = any(one.kind != "replace" for one in late)

    def entries(self, index: int) -> list[int]:
        """Return the position of a row in each axis."""
        entries = []
        for axis in reversed(self._axes):
            index, entry = divmod(index, len(axis))
            entries.append(entry)
        entries.reverse()
        return entries

    def row(self, index: int) -> RowValues:
        """Compute a row."""
        entries = self.entries(index)
        raws: list[Any] = []
        problems: list[tuple[str, str]] = []
        content = self._base
        for axis, entry, sums in zip(self._axes, entries, self._sums, strict=True):
            raws += [cells[entry] for cells in axis.cells]
            content += sums[entry]
            if entry in axis.problems:
                problems += axis.problems[entry]
        row = RowValues(raws, content, problems)
        if self._late and not problems:
            self._work_out(row, entries, self._occurrences.get(index, 0))
        return row

    def _work_out(self, row: RowValues, entries: Sequence[int], occurrence: int) -> None:
        """Compute the late values of a row: replace text, and draw prompts and the seed."""
        row.templates = {target: row.raws[target] for target in self.late_targets}
        pick = None
        if self._has_draws:
            drawn_from = sum(sums[entry] for sums, entry in zip(self._raw_sums, entries, strict=True))
            pick = _Picker(self._random_seed, drawn_from, occurrence)
        for one in self._late:
            column = self.columns[one.target]
            raw = row.raws[one.target]
            try:
                if one.kind == "replace":
                    if not isinstance(raw, str) or one.old not in raw:
                        raise CellError(f"{shortened(raw)} does not contain {one.old!r}, which is to be replaced")
                    raw = raw.replace(one.old, row.raws[one.source])
                elif pick is not None and one.kind == "seed":
                    low, high = seed_bounds(column)
                    raw = low + pick(high - low + 1)
                elif pick is not None and isinstance(raw, str):
                    raw = self._prompts.draw(raw, pick)
                row.raws[one.target] = column.check(raw)
            except (CellError, PromptError) as error:
                row.problems.append((column.name, str(error)))
                return
        for target in self.late_targets:
            row.content += self._terms.of_places(self.columns[target].places, row.raws[target])

    @cached_property
    def _sums(self) -> Sequence[Sequence[int]]:
        """For each axis, the sum of the terms of each entry's cells, without those of late values."""
        return [self._sums_of(axis, first, late=False) for axis, first in self.axes_and_firsts()]

    @cached_property
    def _raw_sums(self) -> Sequence[Sequence[int]]:
        """The same for all cells, with the values that they have before late values are computed."""
        return [self._sums_of(axis, first, late=True) for axis, first in self.axes_and_firsts()]

    def axes_and_firsts(self) -> Iterator[tuple[PlanAxis, int]]:
        """Yield each axis with the number of its first column."""
        # The last sum, which has no axis, is the number of all columns.
        return zip(self._axes, accumulate((len(axis.columns) for axis in self._axes), initial=0), strict=False)

    def _sums_of(self, axis: PlanAxis, first: int, *, late: bool) -> Sequence[int]:
        sums = [0] * len(axis)
        for number, (column, cells) in enumerate(zip(axis.columns, axis.cells, strict=True), first):
            # A note does not change what runs, but rows that differ in a note must draw different values.
            places = column.places or ((("", column.name),) if late else ())
            if late or number not in self.late_targets:
                for entry, raw in enumerate(cells):
                    if entry not in axis.problems:
                        sums[entry] += self._terms.of_places(places, raw)
        for entry in axis.problems:
            sums[entry] = part_term("invalid", *(repr(cells[entry]) for cells in axis.cells))
        return sums

    @cached_property
    def _may_repeat(self) -> bool:
        """Whether there may be rows with equal runs."""
        return bool(self._late) or any(len(set(sums)) < len(sums) for sums in self._sums)

    @cached_property
    def _occurrences(self) -> Mapping[int, int]:
        """For each row whose cells repeat, by index: the number of earlier rows with the same cells."""
        if not self._has_draws or not self._may_repeat:
            return {}
        return self._counted(
            sum(sums[entry] for sums, entry in zip(self._raw_sums, self.entries(index), strict=True))
            for index in range(self._length)
        )

    @cached_property
    def repetitions(self) -> Mapping[int, int]:
        """For each row whose run repeats, by index: the number of earlier rows with an equal run."""
        if not self._may_repeat:
            return {}
        return self._counted(self.row(index).content for index in range(self._length))

    def _counted(self, contents: Iterator[int]) -> Mapping[int, int]:
        check_size(self._length, "tell equal rows apart")
        seen: dict[int, int] = {}
        found: dict[int, int] = {}
        for index, content in enumerate(contents):
            before = seen.get(content, 0)
            seen[content] = before + 1
            if before:
                found[index] = before
        return found


class _Picker:
    """Draws numbers that depend only on a seed and on the row that they are drawn for."""

    def __init__(self, random_seed: int | None, content: int, occurrence: int) -> None:
        self._state = hashlib.sha256(f"{random_seed}:{content % MODULUS:x}:{occurrence}".encode()).digest()

    def __call__(self, size: int) -> int:
        self._state = hashlib.sha256(self._state).digest()
        return int.from_bytes(self._state[:16], "big") % size


def check_size(length: int, what: str) -> None:
    """Check that a plan has at most `MOST_ROWS` rows.

    Args:
        length: the number of its rows.
        what: the action that needs to iterate over all rows, for the message.

    Raises:
        PlanError: the plan has more rows.
    """
    if length > MOST_ROWS:
        raise PlanError(
            f"The plan has {length:,} rows, which are too many to {what}: {MOST_ROWS:,} at most.",
            hint="Take a sample: wf.plan(..., sample=1000).",
        )


def seed_bounds(column: Column) -> tuple[int, int]:
    """Return the range of seeds that all inputs of a column accept, by default 0 to 2**32 - 1."""
    lows = [one.template.minimum for one in column.fields if one.template.minimum is not None]
    highs = [one.template.maximum for one in column.fields if one.template.maximum is not None]
    return int(max(lows, default=0)), int(min(highs, default=2**32 - 1))
