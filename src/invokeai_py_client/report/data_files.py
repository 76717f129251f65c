"""The rows of a page, in JavaScript files that a page opened from disk can read again while they grow.

A page from disk (`file://`) may load scripts, but must not fetch files. So each row is one statement, appended to the
last of a sequence of files. A file that is full names its successor and is never read again: what the page reads at
each look does not depend on how many rows there are.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invokeai_py_client.files import whole_file

ROWS_IN_FILE = 1000
BYTES_IN_FILE = 500_000


class DataFiles:
    """The data files of one page, in a folder of their own.

    Args:
        folder: the folder. It is made if it is missing, and data files in it are replaced.
        plan: what the page shows before there are rows.

    Raises:
        OSError: the files cannot be written.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        self._folder = folder
        # A page that is open notices by this mark that the files were begun anew.
        self._mark = secrets.token_hex(8)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("rows-*.js"):
            old.unlink()
        self._begin_file(0)
        with whole_file(folder / "plan.js") as file:
            file.write(statement("plan", self._mark, as_json(plan)))

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row.

        Raises:
            OSError: it cannot be written. The file is as it was before.
        """
        line = statement("row", as_json(row))
        if self._rows >= ROWS_IN_FILE or self._size + len(line) > BYTES_IN_FILE:
            full = self._path
            self._begin_file(self._number + 1)
            self._append(full, statement("more"))
        self._append(self._path, line)
        self._rows += 1
        self._size += len(line)

    def finish(self) -> None:
        """Say that there is nothing to wait for; rows may be added all the same.

        Raises:
            OSError: it cannot be written.
        """
        self._append(self._path, statement("finished"))

    def _begin_file(self, number: int) -> None:
        self._number = number
        self._rows = self._size = 0
        self._path = self._folder / f"rows-{number:05d}.js"
        self._append(self._path, statement("begin", self._mark))

    @staticmethod
    def _append(path: Path, line: bytes) -> None:
        """Append in one write, so that a page hardly ever reads half a line. It reads again where it did."""
        with path.open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                written = file.write(line)
                if written != len(line):
                    raise OSError(f"Only {written} of {len(line)} bytes could be written to {path}.")
            except OSError:
                file.truncate(size)
                raise


def as_json(value: Any) -> str:
    """Return plain data as JSON; what JSON has no form for, such as a path or a date, becomes text."""
    return json.dumps(value, default=str, separators=(",", ":"))


def statement(function: str, *texts: str) -> bytes:
    """Return a line of JavaScript that calls a function of the page with texts.

    A text is data, whatever is in it: the line is ASCII and has no `<`, so that neither a quote nor a line separator
    nor an end tag ends anything early.

    Example:
        >>> statement("row", '{"values":{"Prompt":"</script>"}}')
        b'batchPage.row("{\\\\"values\\\\":{\\\\"Prompt\\\\":\\\\"\\\\u003c/script>\\\\"}}");\\n'
    """
    arguments = ",".join(json.dumps(text).replace("<", "\\u003c") for text in texts)
    return f"batchPage.{function}({arguments});\n".encode("ascii")
