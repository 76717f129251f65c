"""What was transferred, remembered across programs: a line of JSON for each, in a file of its own."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from invokeai_py_client.errors import TransferRefusedError
from invokeai_py_client.json_text import read_json

logger = logging.getLogger("invokeai_py_client")

_BEGIN = '{"key": '


class TransferLog:
    """A log, used with `with`: it is opened, and made if it is missing, where that begins.

    A line that a crash has cut short is ignored. If it cannot be written any more, that is told once, with a warning,
    and it is let be: what was transferred was transferred.

    Args:
        path: the file.
        lines_at_once: how many a crash may lose; each is written at once unless losing some is cheap.
    """

    def __init__(self, path: Path, *, lines_at_once: int = 1) -> None:
        self._path = path
        self._lines_at_once = lines_at_once
        self._unwritten = 0
        self._entries: dict[str, dict[str, object]] = {}
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Read the log and open it.

        Raises:
            TransferRefusedError: the file is not such a log; it stays as it is.
            OSError: it cannot be read or written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            self._read()
        self._file = self._path.open("a", encoding="utf-8")
        if self._file.tell():
            # The last line may have been cut short.
            self._file.write("\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as failure:
                self._give_up(failure)

    def get(self, key: str) -> dict[str, object] | None:
        """What was remembered under a key."""
        return self._entries.get(key)

    def remember(self, key: str, **facts: object) -> None:
        """Add an entry."""
        entry = self._entries[key] = {"key": key, **facts}
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(entry) + "\n")
            self._unwritten += 1
            if self._unwritten >= self._lines_at_once:
                self._file.flush()
                self._unwritten = 0
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
            f"{self._path} is not a log of transfers, and stays as it is.",
            hint="Give a file that is not there yet, or one that an earlier call has made.",
        )

    def _give_up(self, failure: OSError) -> None:
        file, self._file = self._file, None
        if file is not None:
            # What it still holds cannot be written either; the file itself is closed all the same.
            with contextlib.suppress(OSError):
                file.close()
        logger.warning(
            "%s cannot be written any more (%s): what is transferred from now on is not remembered.",
            self._path,
            failure.strerror or failure,
        )


def _is_log(start: str) -> bool:
    """Whether a file that begins so is a log. Its first line may have been cut short, with nothing after it or more."""
    lines = [line for line in start.splitlines() if line.strip()][:2]
    return (
        not lines or any(line.startswith(_BEGIN) for line in lines) or (len(lines) == 1 and _BEGIN.startswith(lines[0]))
    )
