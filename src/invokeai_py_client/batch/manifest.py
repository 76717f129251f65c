"""The manifest of a batch, `manifest.jsonl`: the outcomes of its rows, one line for each row that has ended."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.line_file import LineFile, read_lines
from invokeai_py_client.errors import UnsafePathError
from invokeai_py_client.files import safe_name


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file in the folder of a batch.

    Attributes:
        path: the path of the file.
        sha256: the checksum of the file.
        bytes: the size of the file in bytes.
        node: the node that created the image, as `str(NodePath)`.
        image: the name of the image on the server.
    """

    path: Path
    sha256: str
    bytes: int
    node: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """One row of a batch, with its status and outcome.

    Attributes:
        index: the position of the row in the plan, from 0.
        row_id: the hash of the row's workflow and values; see `PlannedRow`.
        values: the value of each column of the plan.
        seed: the seed of the run, if it is known.
        status: `pending` (not sent, or waiting in the queue), `in_progress`, `completed`, `failed`, `canceled`, or
            `invalid` (a value is not allowed, so the row is never sent).
        error: one line that says why the row failed, was canceled or is invalid; otherwise None.
        images: the names of the images on the server.
        files: the files that were downloaded into the folder of the batch.
        attempts: how often the row was run.
        started_at: when the server started the row, as it says.
        completed_at: when the server ended the row, as it says.
        server: the URL of the server that ran the row.
        batch_id: the id of the server's batch that contained the row.
        item_id: the id of the queue item that ran the row.
    """

    index: int
    row_id: str
    values: Mapping[str, Any]
    seed: int | None = None
    status: str = "pending"
    error: str | None = None
    images: tuple[str, ...] = ()
    files: tuple[RowFile, ...] = ()
    attempts: int = 0
    started_at: str | None = None
    completed_at: str | None = None
    server: str | None = None
    batch_id: str | None = None
    item_id: int | None = None
    nodes: tuple[str, ...] = field(default=(), repr=False)
    """The node that created each image, as `str(NodePath)`."""


class Manifest:
    """The outcomes of the rows. Lines are only appended; the last line of a row is the valid one.

    Args:
        folder: the folder of `manifest.jsonl`. None for a batch without a folder, whose outcomes are kept in a
            temporary file.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lines = LineFile(None if folder is None else folder / "manifest.jsonl")

    def latest(self) -> dict[str, int]:
        """Return the offset of the last line of each row, by row id."""
        return {line["row_id"]: offset for offset, line in self._rows()}

    def chunks_of(self) -> dict[str, set[str]]:
        """Return the rows that have ended in each batch of the server's queue, by batch id."""
        found: dict[str, set[str]] = {}
        for _, line in self._rows():
            if line["batch_id"] is not None:
                found.setdefault(line["batch_id"], set()).add(line["row_id"])
        return found

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        return ((offset, line) for offset, line in self._lines.lines() if line.keys() >= _KEYS)

    def add(self, row: BatchRow) -> int:
        """Append the outcome of a row; return its offset.

        Raises:
            OSError: the line cannot be written.
        """
        return self._lines.append(line_of(row, self._folder))

    def read(self, offset: int, index: int | None = None) -> BatchRow:
        """Return the outcome at an offset.

        Args:
            offset: an offset that `latest` or `add` returned.
            index: the position of the row in the plan, if it differs from the recorded one.
        """
        row = _row_of(self._lines.read(offset), self._folder)
        return row if index is None else replace(row, index=index)

    def taken_names(self) -> Iterator[str]:
        """Yield the names of the files of all rows."""
        for _, line in self._rows():
            yield from (file["path"] for file in _files_of(line))

    def is_current(self) -> bool:
        """Return whether the file was not modified by another process."""
        return self._lines.is_current()

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def rows_in(folder: Path) -> list[BatchRow]:
    """Return the rows of a batch that have ended so far, sorted by index. Takes no lock, so the batch may be running.

    Raises:
        OSError: the folder has no manifest, or it cannot be read.
    """
    latest = {line["row_id"]: line for line in read_lines(folder / "manifest.jsonl") if line.keys() >= _KEYS}
    return sorted((_row_of(line, folder) for line in latest.values()), key=lambda row: row.index)


def _row_of(line: Mapping[str, Any], folder: Path | None) -> BatchRow:
    files = [RowFile(**{**file, "path": (folder or Path()) / file["path"]}) for file in _files_of(line)]
    lists = {"images": tuple(line["images"]), "nodes": tuple(line["nodes"]), "files": tuple(files)}
    return BatchRow(**{**{name: line[name] for name in _KEYS}, **lists})


def _files_of(line: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the files of a line that are in the folder. Whoever gave the folder away may have named others."""
    for file in line["files"]:
        with contextlib.suppress(UnsafePathError):
            safe_name(file["path"])
            yield file


def line_of(row: BatchRow, folder: Path | None) -> dict[str, Any]:
    """Return the manifest's line for a row: plain JSON, with paths relative to the folder."""
    files = [
        {**asdict(file), "path": (file.path if folder is None else file.path.relative_to(folder)).as_posix()}
        for file in row.files
    ]
    line = {f.name: getattr(row, f.name) for f in fields(BatchRow)}
    return {**line, "images": [*row.images], "nodes": [*row.nodes], "files": files}


_KEYS = frozenset(f.name for f in fields(BatchRow))


def is_intact(file: RowFile) -> bool:
    """Return whether a file exists and is unchanged since its download."""
    try:
        return file.path.stat().st_size == file.bytes and sha256_of(file.path) == file.sha256
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
