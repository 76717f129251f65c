"""The rows of a plan, as the rest of the package sees them: pure data.

A *plan* (`plan_data.py`) is a sequence of `PlannedRow` in the user's order. Each row is one run, unless it has
`problems`: then it is `invalid` and is never sent. Rows are created when they are read, so a plan of millions of rows
is cheap until its rows are iterated.

`plan.groups()` yields the rows that run, in running order: a `RowGroup` has the rows that run with the same graph
(the same models, boards, booleans, lists), and groups that share models follow each other. Every row without problems
is in exactly one group. Within a group the rows are in the user's order.

A group becomes requests in two steps (`bodies.py`). `await bodies.prepare(group)` returns a `GroupBodies`, which builds
and checks the graph once. `await group_bodies.body(rows)` makes the body of `enqueue_batch` for some of its rows:

    async for each group:
        prepared = await bodies.prepare(group)
        for rows in batched(group, 500):
            made = await prepared.body(rows)
            made.body      # {"prepend": False, "batch": {"graph", "workflow", "data", "runs": 1, ...}}
            made.rows      # the rows in it: the n-th of the batch's items, by ascending item id, is the n-th row
            made.refused   # (row, reason) for rows that cannot be sent, such as one whose image file is gone

`data` is one zipped list of `{"node_path", "field_name", "items"}`. The workflow that is stored with the images is the
same for all rows of a group, so images do not depend on which rows are sent together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from invokeai_py_client.report.axes import Axis as Axis


@dataclass(frozen=True, slots=True)
class CellProblem:
    """A reason why a row cannot run.

    `row` is its index, or None for a problem of a whole column. `column` is "" for a problem of a whole row.
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
        index: its position in the plan, from 0.
        row_id: hexadecimal hash of the workflow, the values with the seed, and the repetition. It does not depend on
            the index.
        values: the value of each column, as plain JSON: an image as its path or name, a model as its name.
        seed: the seed of the run; None if the workflow has no seed, or several different ones.
        repetition: the number of earlier rows that are equal to this one.
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
    """A body of `enqueue_batch`, its rows in the order of the items, and the rows that were left out, with reasons."""

    body: dict[str, Any]
    rows: tuple[PlannedRow, ...]
    refused: tuple[tuple[PlannedRow, str], ...] = ()


class GroupBodies(Protocol):
    """Makes the request bodies for one group. Runs on the engine."""

    async def body(self, rows: Sequence[PlannedRow]) -> RowsBody:
        """Upload the images of some rows of the group, and make the body that runs these rows.

        Raises:
            InvokeAIError: a request failed. Nothing was enqueued.
        """
        ...
