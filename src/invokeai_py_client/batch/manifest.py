"""What became of the rows of a batch: one line for each row that has ended, in `manifest.jsonl`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.line_file import LineFile, read_lines

_BLOCK = 1 << 20
"""Bytes of a file that are read at once."""


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file that a row has left in the folder of its batch.

    `path` is the file, `sha256` and `bytes` are its checksum and size, `node` is the node that made the image, as
    `str(NodePath)`, and `image` is the name of the image on the server.
    """

    path: Path
    sha256: str
    bytes: int
    node: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """One row of a batch, and what became of it.

    `index` is the place of the row in the plan, counted from 0, and `row_id` the hash of what it runs. `values` has the
    value of each column of the plan, and `seed` the seed, if the plan sets one.

    `status` is `pending` (not sent, or waiting in the queue), `in_progress`, `completed`, `failed`, `canceled` or
    `invalid` (the plan has a value that is not allowed; the row is never sent). `error` is one line, None unless the
    row failed, was canceled, or is invalid.

    `images` has the names of its images on the server, and `files` what was downloaded into the folder of the batch.
    `attempts` counts how often the row was run.
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
    """The node that made each of the images, as `str(NodePath)`."""


class Manifest:
    """The outcomes of the rows. Lines are only appended; the last line of a row counts.

    Args:
        folder: the folder of `manifest.jsonl`; None for a batch that leaves no files, of which the outcomes are kept in
            a temporary file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lines = LineFile(None if folder is None else folder / "manifest.jsonl")

    def latest(self) -> dict[str, int]:
        """Return where the last line of each row is, by row id."""
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
        """Append the outcome of a row; return where it is.

        Raises:
            OSError: it cannot be written.
        """
        return self._lines.append(line_of(row, self._folder))

    def read(self, offset: int, index: int | None = None) -> BatchRow:
        """Return the outcome that is at an offset.

        Args:
            offset: what `latest` or `add` has returned.
            index: the place of the row in the plan, if that is another one now.
        """
        row = _row_of(self._lines.read(offset), self._folder)
        return row if index is None else replace(row, index=index)

    def taken_names(self) -> Iterator[str]:
        """Yield the names of the files of all rows."""
        for _, line in self._rows():
            for file in line["files"]:
                yield file["path"]

    def is_current(self) -> bool:
        """Return whether nobody else has written the file since."""
        return self._lines.is_current()

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def rows_in(folder: Path) -> list[BatchRow]:
    """Return the rows of a batch that have ended so far, by index, without a lock: the batch may be running.

    Raises:
        OSError: the folder has no manifest, or it cannot be read.
    """
    latest = {line["row_id"]: line for line in read_lines(folder / "manifest.jsonl") if line.keys() >= _KEYS}
    return sorted((_row_of(line, folder) for line in latest.values()), key=lambda row: row.index)


def _row_of(line: Mapping[str, Any], folder: Path | None) -> BatchRow:
    files = [RowFile(**{**file, "path": (folder or Path()) / file["path"]}) for file in line["files"]]
    lists = {"images": tuple(line["images"]), "nodes": tuple(line["nodes"]), "files": tuple(files)}
    return BatchRow(**{**{name: line[name] for name in _KEYS}, **lists})


def line_of(row: BatchRow, folder: Path | None) -> dict[str, Any]:
    """Return what the manifest says of a row: plain JSON, with the paths of its files relative to the folder."""
    files = [
        {
            "path": (file.path if folder is None else file.path.relative_to(folder)).as_posix(),
            "sha256": file.sha256,
            "bytes": file.bytes,
            "node": file.node,
            "image": file.image,
        }
        for file in row.files
    ]
    line = {f.name: getattr(row, f.name) for f in fields(BatchRow)}
    return {**line, "images": [*row.images], "nodes": [*row.nodes], "files": files}


_KEYS = frozenset(f.name for f in fields(BatchRow))


def is_intact(file: RowFile) -> bool:
    """Return whether a file is there, with the content that it had when it was downloaded."""
    try:
        return file.path.stat().st_size == file.bytes and sha256_of(file.path) == file.sha256
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
