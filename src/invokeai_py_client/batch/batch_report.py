"""The page and the contact sheet of a batch, kept up to date while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from invokeai_py_client.batch.manifest import BatchRow, line_of
from invokeai_py_client.pillow import check_pillow
from invokeai_py_client.report.axes import Axis
from invokeai_py_client.report.contact_sheet import draw_sheets
from invokeai_py_client.report.page import ReportPage


class BatchReport:
    """Writes `index.html` and `contact_sheet.png` into the folder of a batch. Its methods block.

    Args:
        folder: the folder.
        workflow: the name of the workflow.
        axes: the axes of the plan.
        total: the number of rows.

    Raises:
        InvokeAIError: Pillow is not installed.
    """

    def __init__(self, folder: Path, *, workflow: str, axes: Sequence[Axis], total: int) -> None:
        check_pillow(needed_by="A contact sheet")
        self._folder = folder
        self._title = workflow or "Batch"
        self._axes = axes
        self._total = total
        self._page = ReportPage(folder, title=self._title, axes=axes, total=total, workflow_name=workflow or "workflow")

    def begin(self, rows: Iterable[BatchRow]) -> None:
        """Write the page, with the rows that have ended.

        Raises:
            OSError: the page cannot be written.
        """
        self._page.write()
        for row in rows:
            self.add(row)

    def add(self, row: BatchRow) -> None:
        """Add a row that has ended to the page.

        Raises:
            OSError: the page cannot be written.
        """
        self._page.add(line_of(row, self._folder))

    def draw(self, rows: Iterable[BatchRow], is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Write the contact sheet of rows.

        Args:
            rows: the rows.
            is_wanted: called again and again. When it returns False, the rest is not drawn.

        Raises:
            OSError: a sheet cannot be written.
        """
        lines = (line_of(row, self._folder) for row in rows)
        draw_sheets(
            self._folder, axes=self._axes, rows=lines, title=self._title, total=self._total, is_wanted=is_wanted
        )

    def finish(self) -> None:
        """Mark the page as finished.

        Raises:
            OSError: the page cannot be written.
        """
        self._page.finish()
