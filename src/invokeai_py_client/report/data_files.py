"""The rows of a page, in JavaScript files that a page from disk can reload while they grow.

Browsers let a page from disk (`file://`) load scripts, but not fetch files. So each row is one statement, appended to
the last of a sequence of files. A full file names its successor and is not read again, so the amount that the page
reads at each update does not depend on the number of rows.
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
    """The data files of one page, in a separate folder.

    Args:
        folder: the folder. It is created if it is missing, and data files in it are replaced.
        plan: the data that the page shows before there are rows.

    Raises:
        OSError: the files cannot be written.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        self._folder = folder
        # By this mark, an open page notices that the files were replaced.
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
            OSError: the row cannot be written. The file is unchanged.
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
        """Tell the page to stop polling. More rows can be added nevertheless.

        Raises:
            OSError: the file cannot be written.
        """
        self._append(self._path, statement("finished"))

    def _begin_file(self, number: int) -> None:
        self._number = number
        self._rows = self._size = 0
        self._path = self._folder / f"rows-{number:05d}.js"
        self._append(self._path, statement("begin", self._mark))

    @staticmethod
    def _append(path: Path, line: bytes) -> None:
        """Append in a single write, so that a page rarely reads an incomplete line, after which it reads again."""
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
    """Return plain data as JSON. Values that JSON does not have, such as a path or a date, become strings."""
    return json.dumps(value, default=str, separators=(",", ":"))


def statement(function: str, *texts: str) -> bytes:
    """Return a line of JavaScript that calls a function of the page with strings.

    A string cannot end the statement or the script, whatever it contains: the line is ASCII and has no `<`, so there
    are no unescaped quotes, line separators or end tags.

    Example:
        >>> statement("row", '{"values":{"Prompt":"</script>"}}')
        b'batchPage.row("{\\\\"values\\\\":{\\\\"Prompt\\\\":\\\\"\\\\u003c/script>\\\\"}}");\\n'
    """
    arguments = ",".join(json.dumps(text).replace("<", "\\u003c") for text in texts)
    return f"batchPage.{function}({arguments});\n".encode("ascii")
