"""The rows of a plan, as the rest of the package sees them: pure data.

A *plan* (`plan_data.py`) is a sequence of `PlannedRow` in the order that the user gave. Each row is one run, unless it
has `problems`: then it is `invalid` and is never sent. Rows are made when they are read, so a plan of millions of rows
is cheap until its rows are iterated.

`plan.groups()` yields the rows that run, in running order: a `RowGroup` has the rows that run with the same graph
(the same models, boards, booleans, lists), and groups that share models follow each other. Every row without problems
is in exactly one group. Within a group the rows are in the user's order.

A group becomes requests in two steps (`bodies.py`). `await bodies.prepare(group)` checks the graph, builds it once,
and returns a `GroupBodies`. `await group_bodies.body(rows)` makes the body of `enqueue_batch` for some of its rows:

    async for each group:
        prepared = await bodies.prepare(group)
        for rows in batched(group, 500):
            made = await prepared.body(rows)
            made.body      # {"prepend": False, "batch": {"graph", "workflow", "data", "runs": 1, ...}}
            made.rows      # the rows in it: the n-th of the batch's items, by ascending item id, is the n-th row
            made.refused   # (row, why) of those that cannot be sent any more, such as one whose image file is gone

`data` is one zipped list of `{"node_path", "field_name", "items"}`. The workflow that is stored with the images is the
same for all rows of a group, whichever rows are sent together, so that an image does not depend on how the rows were
split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from invokeai_py_client.report.axes import Axis as Axis


@dataclass(frozen=True, slots=True)
class CellProblem:
    """A reason why a row cannot run.

    `row` is its index, None where the problem is that of a whole column; `column` is "" where the whole row is meant.
    """

    row: int | None
    column: str
    why: str

    def __str__(self) -> str:
        named = [*([f"row {self.row}"] if self.row is not None else []), *([repr(self.column)] if self.column else [])]
        return f"{', '.join(named)}: {self.why}" if named else self.why


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row of a plan: one run of the workflow.

    Attributes:
        index: its place in the order that the user gave, from 0.
        row_id: hexadecimal hash of what runs: the workflow, the values with the seed, and the repetition. It does not
            depend on the index.
        values: the value of each column, as plain JSON: an image is its path or name, a model its name.
        seed: the seed of the run; None if the plan does not set it and the workflow has none or several.
        repetition: 0, or how many equal rows come before it.
        problems: why it cannot run; empty if it can.
    """

    index: int
    row_id: str
    values: Mapping[str, Any]
    seed: int | None
    repetition: int = 0
    problems: tuple[CellProblem, ...] = ()


class RowGroup(Protocol):
    """The rows that run with the same graph, in the user's order."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def __iter__(self) -> Iterator[PlannedRow]:
        """Yield the rows."""
        ...


@dataclass(frozen=True, slots=True)
class RowsBody:
    """A body of `enqueue_batch`, the rows that it runs in the order of its items, and the rows that were left out."""

    body: dict[str, Any]
    rows: tuple[PlannedRow, ...]
    refused: tuple[tuple[PlannedRow, str], ...] = ()


class GroupBodies(Protocol):
    """Makes the bodies of the submissions of one group. Runs on the engine."""

    async def body(self, rows: Sequence[PlannedRow]) -> RowsBody:
        """Make the body that runs some rows of the group; uploads their images.

        Raises:
            InvokeAIError: as any request. Nothing was enqueued.
        """
        ...
