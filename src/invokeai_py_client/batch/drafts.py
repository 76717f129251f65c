"""Axes of a plan before their cells are checked: files and folders as values, expanded prompts, samples."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.cells import NOTE, CellError, Column, Terms, bad_cell, from_text, shown
from invokeai_py_client.batch.dynamic_prompts import DynamicPrompts, PromptError
from invokeai_py_client.batch.row_values import PlanAxis
from invokeai_py_client.batch.rows import Axis
from invokeai_py_client.batch.sources import ABSENT, SourceError, Table, images_of, lines_of
from invokeai_py_client.workflow.fields import shortened
from invokeai_py_client.workflow.references import LocalImage, references_in


@dataclass(slots=True, eq=False)
class Draft:
    """An axis whose cells are as the user gave them.

    Attributes:
        columns: the columns.
        cells: the cells of each column.
        table: the rows that the axis was made from, if any.
        is_shown: whether the axis is displayed. False for axes that the user did not ask for.
    """

    columns: tuple[Column, ...]
    cells: tuple[Sequence[Any], ...]
    table: Table | None = None
    is_shown: bool = True

    def __len__(self) -> int:
        return len(self.cells[0])


def draft_of(column: Column, values: Any) -> Draft:
    """Return the axis of one column.

    Raises:
        SourceError: the values are neither a list nor files that contain one.
    """
    if column.is_image and isinstance(values, str | os.PathLike):
        values = images_of(values)
    elif isinstance(values, str):
        raise SourceError("a string is not a list: pass [...] for one value, or Path(...) for a file of lines")
    elif isinstance(values, os.PathLike):
        path = Path(values)
        values = [from_text(column, line, folder=path.absolute().parent) for line in lines_of(path)]
    if not values:
        raise SourceError("there are none")
    return Draft((column,), (values,))


def draft_of_group(columns: Sequence[Column], values: Any) -> Draft:
    """Return the axis of columns that vary together, with a note that shows them as one column.

    Raises:
        SourceError: the values are not a list of tuples with a value for each column.
    """
    size = len(columns)
    if isinstance(values, str) or not isinstance(values, Sequence) or not len(values):
        raise SourceError(f"they are {shortened(values)}, not a list of tuples of {size} values each")
    for entry, value in enumerate(values):
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != size:
            raise SourceError(
                f"value {entry} is {shortened(value)}, not a tuple of {size} values, one for each of the group"
            )
    cells = [[value[place] for value in values] for place in range(size)]
    note = Column(NOTE + ", ".join(column.name for column in columns))
    return Draft((*columns, note), (*cells, [", ".join(map(str, value)) for value in values]))


def zipped(drafts: Sequence[Draft]) -> Draft:
    """Merge axes of the same length into one.

    Raises:
        SourceError: their lengths differ.
    """
    lengths = {draft.columns[-1].name: len(draft) for draft in drafts}
    if len({*lengths.values()}) > 1:
        listed = ", ".join(f"{name!r} has {length:,}" for name, length in lengths.items())
        raise SourceError(f"zipped columns must have the same number of values, but {listed}")
    return Draft(
        tuple(column for draft in drafts for column in draft.columns),
        tuple(cells for draft in drafts for cells in draft.cells),
    )


def expanded(draft: Draft, prompts: DynamicPrompts) -> Draft:
    """Return an axis with an entry for each variant of its dynamic prompts."""
    texts = {place for place, column in enumerate(draft.columns) if column.is_text}
    if not texts:
        return draft
    rows: list[tuple[Any, ...]] = []
    entries: list[int] = []
    problems: dict[int, str] = {}
    for entry, row in enumerate(zip(*draft.cells, strict=True)):
        ways = [[cell] for cell in row]
        for place in texts:
            try:
                ways[place] = prompts.variants(row[place]) if isinstance(row[place], str) else ways[place]
            except PromptError as error:
                problems[len(rows)] = f"{draft.columns[place].name!r}: {error}"
        variants = [*product(*ways)]
        rows += variants
        entries += [entry] * len(variants)
    table = _subset(Table({}, 0) if draft.table is None else draft.table, entries)
    table.problems |= problems
    return replace(draft, cells=tuple([*cells] for cells in zip(*rows, strict=True)), table=table)


def _subset(table: Table, entries: Sequence[int]) -> Table:
    """Return a table's problems and line numbers for some of its rows."""
    return replace(
        table,
        columns={},
        length=len(entries),
        problems={place: table.problems[entry] for place, entry in enumerate(entries) if entry in table.problems},
        lines=[table.lines[entry] for entry in entries] if table.lines else (),
    )


def shown_axes(drafts: Sequence[Draft], axes: Sequence[PlanAxis], late: Collection[Column]) -> list[Axis]:
    """Return the axes of a product for display.

    Args:
        drafts: the axes.
        axes: the same axes, checked.
        late: the columns whose values are computed for each row; they are shown as the user gave them.
    """
    found: list[Axis] = []
    for draft, axis in zip(drafts, axes, strict=True):
        if draft.is_shown and draft.table is None and _is_one(draft):
            found.append(_axis(draft.columns[-1], axis.cells[-1], late))
        elif draft.is_shown:
            # Of zipped columns and of rows, only the columns that vary are shown.
            several = [_axis(column, cells, late) for column, cells in zip(draft.columns, axis.cells, strict=True)]
            found += [one for one in several if len(one.values) > 1]
    return found


def _is_one(draft: Draft) -> bool:
    """Return whether an axis is one column, or a group with its note."""
    return len(draft.columns) == 1 or draft.columns[-1].name == NOTE + ", ".join(one.name for one in draft.columns[:-1])


def _axis(column: Column, raws: Sequence[Any], late: Collection[Column]) -> Axis:
    values = {repr(raw): raw for raw in map(shown, raws)}
    return Axis(NOTE + column.name if column in late else column.name, [*values.values()])


@dataclass(slots=True)
class Sample:
    """Some of the rows of a product, as one axis.

    Attributes:
        draft: the rows.
        entries: for each axis of the product, the position of each row in it.
        parts: the axes of the product.
        seed: the seed of the draw.
    """

    draft: Draft
    entries: Sequence[Sequence[int]]
    parts: Sequence[Draft]
    seed: int

    @classmethod
    def of(cls, drafts: Sequence[Draft], size: int, seed: int | None) -> Sample:
        """Draw rows, which keep the order of the product. The rows that are not drawn are never created."""
        if seed is None:
            seed = random.randrange(2**32)
        length = math.prod(map(len, drafts))
        chosen = sorted(random.Random(seed).sample(range(length), min(size, length)))
        entries: list[list[int]] = []
        for draft in reversed(drafts):
            entries.insert(0, [index % len(draft) for index in chosen])
            chosen = [index // len(draft) for index in chosen]
        columns = tuple(column for draft in drafts for column in draft.columns)
        cells = tuple(
            [cells[entry] for entry in places]
            for draft, places in zip(drafts, entries, strict=True)
            for cells in draft.cells
        )
        tables = [
            _subset(draft.table, places)
            for draft, places in zip(drafts, entries, strict=True)
            if draft.table is not None
        ]
        return cls(Draft(columns, cells, tables[0] if tables else None), entries, drafts, seed)

    def shown_axes(self, axis: PlanAxis, late: Collection[Column]) -> list[Axis]:
        """Return the axes of the product with the values that were drawn, in their order.

        Args:
            axis: the rows, checked.
            late: as for `shown_axes`.
        """
        drafts, axes, first = [], [], 0
        for draft, entries in zip(self.parts, self.entries, strict=True):
            last = first + len(draft.columns)
            row_of = {entry: row for row, entry in enumerate(entries)}
            rows = [row_of[entry] for entry in sorted(row_of)]
            cells = tuple([raws[row] for row in rows] for raws in axis.cells[first:last])
            drafts.append(draft)
            axes.append(PlanAxis(draft.columns, cells))
            first = last
        return shown_axes(drafts, axes, late)


class CellReader:
    """Checks the cells of axes.

    Args:
        prompts: recognizes dynamic prompts; None if none are drawn.
    """

    def __init__(self, prompts: DynamicPrompts | None) -> None:
        self.terms = Terms()
        self.dynamic: set[Column] = set()
        """The columns that contain dynamic prompts."""
        self._prompts = prompts

    def read(self, draft: Draft) -> PlanAxis:
        """Return an axis with its cells as the inputs hold them, and with their problems."""
        table = draft.table
        problems = {} if table is None else {entry: [("", why)] for entry, why in table.problems.items()}
        checked: list[list[Any]] = []
        for column, cells in zip(draft.columns, draft.cells, strict=True):
            raws: list[Any] = []
            check = self._check_of(column, table)
            for entry, cell in enumerate(cells):
                try:
                    raws.append(check(cell))
                except (CellError, PromptError) as error:
                    raws.append(None if cell is ABSENT else bad_cell(cell))
                    if table is None or entry not in table.problems:
                        problems.setdefault(entry, []).append((column.name, str(error)))
            checked.append(raws)
        if table is not None and table.lines:
            problems = {
                entry: [(name, f"{why} (line {table.lines[entry]} of {table.source})") for name, why in those]
                for entry, those in problems.items()
            }
        return PlanAxis(draft.columns, tuple(checked), problems)

    def _check_of(self, column: Column, table: Table | None) -> Callable[[Any], Any]:
        known: dict[tuple[type, Any], Any] = {}

        def check(cell: Any) -> Any:
            if cell is ABSENT:
                raise CellError("the row lacks this column, which other rows have: pass None for the workflow's value")
            if table is not None and table.is_text and column.fields and isinstance(cell, str):
                cell = from_text(column, cell, folder=table.folder, decimal_comma=table.decimal_comma)
            raw = column.check(cell)
            if column.may_refer:
                self._read_images(raw)
            elif column.is_text and isinstance(raw, str) and self._prompts and self._prompts.is_dynamic(raw):
                self.dynamic.add(column)
            return raw

        def check_once(cell: Any) -> Any:
            # Except for text, most columns have few different values. Only numbers and strings can be dictionary keys.
            if not isinstance(cell, str | int | float):
                return check(cell)
            key = (type(cell), cell)
            if key not in known:
                known[key] = check(cell)
            return known[key]

        return check if column.is_text else check_once

    def _read_images(self, raw: Any) -> None:
        for reference in references_in(raw):
            if isinstance(reference, LocalImage):
                try:
                    self.terms.add_image(reference)
                except OSError as error:
                    raise CellError(f"{reference} cannot be read: {error.strerror or error}") from None
