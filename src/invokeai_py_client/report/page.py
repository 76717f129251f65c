"""The page of a batch: `index.html`, which opens from disk and shows rows as they finish."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from invokeai_py_client.files import whole_file
from invokeai_py_client.report.axes import Axis, is_grid
from invokeai_py_client.report.contact_sheet import contact_sheets_in
from invokeai_py_client.report.data_files import DataFiles

ASSETS = ("page.css", "data.js", "model.js", "text.js", "picks.js", "grid.js", "detail.js", "page.js")


def remove_report(folder: Path) -> None:
    """Delete the page and the contact sheets of a batch, if it has a page.

    Raises:
        OSError: a file cannot be deleted.
    """
    data = folder / "report"
    if not (data / "plan.js").exists():
        return
    for path in (
        folder / "index.html",
        *map(data.joinpath, ASSETS),
        *data.glob("rows-*.js"),
        *contact_sheets_in(folder),
    ):
        path.unlink(missing_ok=True)
    (data / "plan.js").unlink()
    with contextlib.suppress(OSError):
        data.rmdir()


class ReportPage:
    """An HTML page of a batch, in the batch's folder. It needs neither a server nor the network.

    An open page shows new rows within a few seconds, and stops polling when the batch is finished.

    Args:
        folder: the folder of the batch. File paths of rows are relative to it.
        title: the title of the page.
        axes: the axes of the plan, X first; empty for rows that do not form a grid.
        total: the expected number of rows; 0 if it is unknown.
        workflow_name: the name of the workflow, without `.json`.

    Example:
        ```
        page = ReportPage(Path("out"), title="Steps", axes=[Axis("Steps", (8, 20))], total=2)
        page.write()
        page.add({"row_id": "5f", "index": 0, "values": {"Steps": 8}, "seed": 7, "status": "completed",
                  "files": [{"path": "00000-7.png"}]})
        page.finish()
        ```
    """

    def __init__(
        self,
        folder: Path,
        *,
        title: str = "Batch",
        axes: Sequence[Axis] = (),
        total: int = 0,
        workflow_name: str = "workflow",
    ) -> None:
        self._folder = folder
        self._data: DataFiles | None = None
        self._plan = {
            "title": title,
            "total": total,
            "workflow": workflow_name,
            "is_grid": is_grid(axes, total or sys.maxsize),
            "axes": [
                {
                    "name": axis.title,
                    "column": axis.name,
                    "values": list(axis.values),
                    "labels": axis.labels,
                }
                for axis in axes
            ],
        }

    def write(self) -> Path:
        """Write the page, without rows. An earlier page in the folder is replaced.

        Returns:
            The path of `index.html`.

        Raises:
            OSError: a file cannot be written.
        """
        self._data = self._begin()
        return self._folder / "index.html"

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row to the page, or update a row that it shows.

        Args:
            row: the row, with the keys of a line of `manifest.jsonl`: `row_id`, `index`, `values`, `seed`, `status`,
                `files`, `error`, `started_at`, `completed_at`, and others, which the page shows unchanged.

        Raises:
            OSError: the row cannot be written. The page is unchanged, and the row can be added again.
        """
        self._files().add(row)

    def finish(self) -> None:
        """Tell the page that the batch is finished, so that it stops polling.

        Raises:
            OSError: the page cannot be written.
        """
        self._files().finish()

    def _files(self) -> DataFiles:
        if self._data is None:
            self._data = self._begin()
        return self._data

    def _begin(self) -> DataFiles:
        assets = resources.files("invokeai_py_client.report") / "assets"
        for name in ASSETS:
            with whole_file(self._folder / "report" / name) as file:
                file.write((assets / name).read_bytes())
        data = DataFiles(self._folder / "report", self._plan)
        with whole_file(self._folder / "index.html") as file:
            file.write((assets / "index.html").read_bytes())
        return data
