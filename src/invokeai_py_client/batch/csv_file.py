"""Writes the rows of a batch with their outcomes to a CSV file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.manifest import BatchRow, line_of
from invokeai_py_client.files import whole_file

_FACTS = ("index", "status", "seed", "error", "files", "images", "attempts", "started_at", "completed_at", "row_id")
"""The columns that a CSV file has after those of the plan."""


def write_csv(path: Path, rows: Iterable[BatchRow], columns: Sequence[str], folder: Path | None) -> None:
    """Write rows to a CSV file; see `AsyncBatchRun.to_csv`.

    Args:
        path: the CSV file.
        rows: the rows.
        columns: the columns of the plan.
        folder: the folder of the batch, which the paths of images are relative to.

    Raises:
        OSError: the file cannot be written.
    """
    facts = [f"row {name}" if name in columns else name for name in _FACTS]
    with whole_file(path) as file:
        writer = csv.writer(_Encoder(file.write))
        writer.writerow([*columns, *facts])
        for row in rows:
            writer.writerow(csv_cells(row, columns, folder))


class _Encoder:
    """A text file for the `csv` module that writes to a binary one."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, text: str) -> None:
        """Write text."""
        self._write(text.encode("utf-8", "backslashreplace"))


def csv_cells(row: BatchRow, columns: Sequence[str], folder: Path | None) -> list[Any]:
    """Return the cells of a row in a CSV file: the values of the columns, and the outcome."""
    line = line_of(row, folder)
    line["images"] = _not_a_formula("|".join(line["images"]))
    line["error"] = line["error"] and _not_a_formula(line["error"])
    line["files"] = "|".join(each["path"] for each in line["files"])
    cells = [row.values.get(name) for name in columns] + [line[name] for name in _FACTS]
    return [json.dumps(cell) if isinstance(cell, list | dict) else cell for cell in cells]


def _not_a_formula(text: str) -> str:
    """Return text of the server such that a spreadsheet does not evaluate it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
