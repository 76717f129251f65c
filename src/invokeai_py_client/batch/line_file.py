"""An append-only file of JSON objects, one per line. An incomplete last line is repaired."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from invokeai_py_client.json_text import read_json

_BLOCK = 1 << 16
"""The number of bytes to read at a time."""


class LineFile:
    """A file of JSON objects. Lines may be read in any thread while others are appended.

    A line that a crash has cut short is removed when the file is opened; a line that a full disk has cut short, at
    once.

    Args:
        path: the file; created, with its folder, if it is missing. None for an unnamed temporary file.

    Raises:
        OSError: the file cannot be opened or repaired.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        if path is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115
            if is_new:
                _sync_folder(path.parent)
        self._end = self._file.seek(0, os.SEEK_END)
        self._is_at_end = False
        # The file of a finished batch must stay readable for as long as the batch object exists.
        self.close = weakref.finalize(self, self._file.close)
        """Close the file. Reading from it afterwards fails."""
        self._repair()

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the offset and the content of each line. Lines that are not JSON objects are skipped."""
        offset = 0
        while offset < self._end:
            line = self._line_at(offset)
            content = _object_in(line)
            if content is not None:
                yield offset, content
            offset += len(line)

    def read(self, offset: int) -> dict[str, Any]:
        """Return the line at an offset, which must come from `lines` or `append`."""
        content = _object_in(self._line_at(offset))
        assert content is not None, offset
        return content

    def append(self, content: Mapping[str, Any], *, is_durable: bool = False) -> int:
        """Append a line. When this returns, the line survives a crash of this process.

        Args:
            content: the content of the line.
            is_durable: flush the line to disk, so that it survives a power failure as well.

        Returns:
            The offset of the line.

        Raises:
            OSError: the line cannot be written. The file is unchanged.
        """
        line = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        with self._lock:
            start = self._end
            try:
                if not self._is_at_end:
                    self._file.seek(start)
                    self._is_at_end = True
                written = 0
                while written < len(line):
                    written += self._file.write(line[written:]) or 0
                if is_durable and self._path is not None:
                    os.fsync(self._file.fileno())
            except OSError:
                self._is_at_end = False
                self._file.truncate(start)
                raise
            self._end += len(line)
        return start

    def is_current(self) -> bool:
        """Return whether the file was not modified or replaced by another process."""
        if self._path is None:
            return True
        try:
            found = self._path.stat()
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._file.fileno())) and found.st_size == self._end

    def _line_at(self, offset: int) -> bytes:
        parts = []
        with self._lock:
            self._is_at_end = False
            self._file.seek(offset)
            while block := self._file.read(_BLOCK):
                end = block.find(b"\n") + 1
                parts.append(block[:end] if end else block)
                if end:
                    break
        return b"".join(parts)

    def _repair(self) -> None:
        start = self._start_of_last_line()
        if start == self._end:
            return
        if _object_in(self._line_at(start)) is None:
            self._file.truncate(start)
            self._end = start
        else:
            self._file.seek(self._end)
            self._end += self._file.write(b"\n") or 0

    def _start_of_last_line(self) -> int:
        """Return the offset of an incomplete last line; the end of the file if the last line is complete."""
        stop = self._end
        while stop > 0:
            start = max(0, stop - _BLOCK)
            self._file.seek(start)
            newline = self._file.read(stop - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            stop = start
        return 0


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the content of each line of a file, which another process may be appending to.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        yield from (content for content in map(_object_in, file) if content is not None)


def _object_in(line: bytes) -> dict[str, Any] | None:
    try:
        content = read_json(line.decode("utf-8", "surrogatepass"))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _sync_folder(folder: Path) -> None:
    """Flush the directory entry of a new file to disk, on systems where folders can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
