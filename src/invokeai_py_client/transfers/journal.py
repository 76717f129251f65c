"""A persistent log of finished transfers, a file with one line of JSON for each."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
from pathlib import Path
from typing import Self, TextIO

from invokeai_py_client.errors import TransferRefusedError
from invokeai_py_client.json_text import read_json

logger = logging.getLogger("invokeai_py_client")

_BEGIN = '{"key": '


class TransferLog:
    """A log of transfers, used as a context manager. Entering it opens the file, which is created if it does not exist.

    Lines that were truncated by a crash are ignored. If writing fails, one warning is logged and the transfers continue
    without the log.

    Args:
        path: the path of the file.
        lines_at_once: the number of entries that are written together; a crash may lose as many.
    """

    def __init__(self, path: Path, *, lines_at_once: int = 1) -> None:
        self._path = path
        self._lines_at_once = lines_at_once
        self._unwritten: list[dict[str, object]] = []
        self._entries: dict[str, dict[str, object]] = {}
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Read the log and open it.

        Raises:
            TransferRefusedError: the file is not a log of transfers. It is not changed.
            OSError: the file cannot be read or written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            self._read()
        self._file = self._path.open("a", encoding="utf-8")
        if self._file.tell():
            # The last line may be truncated.
            self._file.write("\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        if self._file is not None:
            try:
                self._file.close()
            except OSError as failure:
                self._give_up(failure)

    def get(self, key: str) -> dict[str, object] | None:
        """Return the entry with a key, or None."""
        return self._entries.get(key)

    def remember(self, key: str, **facts: object) -> None:
        """Add an entry."""
        entry = self._entries[key] = {"key": key, **facts}
        self._unwritten.append(entry)
        if len(self._unwritten) >= self._lines_at_once:
            self._write()

    def _write(self) -> None:
        lines = [json.dumps(entry) + "\n" for entry in self._unwritten]
        self._unwritten.clear()
        if self._file is None:
            return
        try:
            self._file.write("".join(lines))
            self._file.flush()
        except OSError as failure:
            self._give_up(failure)

    def _read(self) -> None:
        if not stat.S_ISREG(os.stat(self._path).st_mode):
            raise self._no_log()
        with self._path.open(encoding="utf-8", errors="replace") as file:
            if not _is_log(file.read(4096)):
                raise self._no_log()
            file.seek(0)
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    entry = read_json(line)
                    self._entries[str(entry["key"])] = entry

    def _no_log(self) -> TransferRefusedError:
        return TransferRefusedError(
            f"{self._path} is not a log of transfers, and was not changed.",
            hint="Pass the path of a new file, or of a log from an earlier call.",
        )

    def _give_up(self, failure: OSError) -> None:
        file, self._file = self._file, None
        if file is not None:
            # Flushing the buffer fails again, but the file is closed.
            with contextlib.suppress(OSError):
                file.close()
        logger.warning(
            "The log %s cannot be written (%s). Further transfers are not recorded in it.",
            self._path,
            failure.strerror or failure,
        )


def _is_log(start: str) -> bool:
    """Return whether a file with this beginning is a log. The first line may be truncated."""
    lines = [line for line in start.splitlines() if line.strip()][:2]
    return (
        not lines or any(line.startswith(_BEGIN) for line in lines) or (len(lines) == 1 and _BEGIN.startswith(lines[0]))
    )
