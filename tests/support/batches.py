"""Plans of one node, and what runs them, for tests of the runner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client import AsyncBatchRun, Axis, BatchRun
from invokeai_py_client.batch.attached import follow_batch
from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.batch_report import BatchReport
from invokeai_py_client.batch.rows import CellProblem, PlannedRow, RowsBody
from invokeai_py_client.batch.submission import OneServer, begin
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport


@dataclass(frozen=True)
class Group:
    """Rows with the same graph."""

    rows: Sequence[PlannedRow]
    graph: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[PlannedRow]:
        return iter(self.rows)


class Plan:
    """Rows of the width of a blank image, by whatever graphs they need; it makes its own submissions, too.

    Args:
        widths: one for each row; equal ones are repetitions.
        graphs: how many graphs there are; the rows take them in turn.
        bad: the rows that are invalid.
    """

    columns = ("Width",)

    def __init__(self, widths: Sequence[int], *, graphs: int = 1, bad: Sequence[int] = (), workflow: str = "w") -> None:
        self.workflow = workflow
        self.refused: dict[int, str] = {}
        self.prepared = 0
        self._widths = widths
        self._graphs = graphs
        self._bad = bad

    @property
    def invalid(self) -> int:
        return len(self._bad)

    def __len__(self) -> int:
        return len(self._widths)

    def __iter__(self) -> Iterator[PlannedRow]:
        seen: dict[int, int] = {}
        for index, width in enumerate(self._widths):
            repetition = seen[width] = seen.get(width, -1) + 1
            problems = (CellProblem(index, "Width", "it is too small"),) if index in self._bad else ()
            yield PlannedRow(index, f"{width:x}-{repetition}", {"Width": width}, None, repetition, problems)

    def groups(self) -> Iterator[Group]:
        rows = [row for row in self if not row.problems]
        for graph in range(self._graphs):
            yield Group(rows[graph :: self._graphs], graph)

    async def check(self) -> None:
        """Everything can run."""

    async def prepare(self, group: Any) -> Bodies:
        self.prepared += 1
        return Bodies(self, group.graph)


@dataclass(frozen=True)
class Bodies:
    plan: Plan
    graph: int

    async def body(self, rows: Sequence[PlannedRow]) -> RowsBody:
        refused = tuple((row, self.plan.refused[row.index]) for row in rows if row.index in self.plan.refused)
        sent = tuple(row for row in rows if row.index not in self.plan.refused)
        node = {"id": "blank", "type": "blank_image", "height": self.graph, "is_intermediate": False}
        data = [[{"node_path": "blank", "field_name": "width", "items": [row.values["Width"] for row in sent]}]]
        batch = {"graph": {"nodes": {"blank": node}, "edges": []}, "runs": 1, "data": data}
        return RowsBody({"prepend": False, "batch": batch}, sent, refused)


class Runs:
    """What one client begins; another one stands for another process."""

    def __init__(self, url: str, settings: Settings | None = None) -> None:
        settings = settings or Settings(url=url)
        self._engine = Engine("batches")
        self._http = HttpTransport(settings, self._engine)
        self._tracker = RunTracker(self._http, self._engine)

    def begin(
        self, plan: Plan, folder: Path | None = None, *, overwrite: bool = False, redoes: bool = True, **options: Any
    ) -> BatchRun:
        used = BatchOptions(**options) if redoes else None
        return BatchRun(self._engine.block(self._begin(plan, folder, overwrite, used)))

    async def _begin(
        self, plan: Plan, folder: Path | None, overwrite: bool, options: BatchOptions | None
    ) -> AsyncBatchRun:
        runner = await begin(
            plan,
            OneServer(plan, plan, self._http, self._tracker),
            self._engine,
            folder=folder,
            options=options,
            save=lambda path: path.write_text("{}"),
            make_report=lambda path: BatchReport(
                path, workflow="blank", axes=[Axis("Width", [row.values["Width"] for row in plan])], total=len(plan)
            ),
            overwrite=overwrite,
        )
        return AsyncBatchRun(self._engine, lambda url: self._http, runner)

    def found(self, batch_id: str) -> BatchRun:
        """Find a batch by its id."""
        work = follow_batch(self._engine, self._http, self._tracker, "default", batch_id)
        return BatchRun(self._engine.block(work))

    def close(self) -> None:
        self._engine.close()


@contextlib.contextmanager
def client_of(url: str) -> Iterator[Runs]:
    """Give what begins batches, until the end of the block: as if the process ended there."""
    runs = Runs(url)
    try:
        yield runs
    finally:
        runs.close()
