"""The journal of a batch: every chunk is recorded before it is sent, so that no row is sent twice after a crash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from invokeai_py_client.batch.line_file import LineFile

# `json.dumps` with options would create an encoder for each row.
_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True)


_CHUNK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9a-f]{8}-\d{5,}")


class ChunkIds:
    """Makes the ids of the chunks that are sent from one start of a batch to the next.

    A random part makes them unique, because numbers restart when a batch is resumed, and its folder may be a copy.

    Args:
        batch_id: the id of the batch.
    """

    def __init__(self, batch_id: str) -> None:
        self.count = 0
        """How many were made."""
        self._prefix = f"{batch_id}-{uuid4().hex[:8]}"

    def new(self) -> str:
        """Return an id that no chunk has had."""
        self.count += 1
        return f"{self._prefix}-{self.count:05d}"


def is_chunk_id(batch_id: str) -> bool:
    """Return whether the id of a batch in a queue is that of a chunk of a batch of rows, of any program."""
    return _CHUNK_ID.fullmatch(batch_id) is not None


class SentRow(NamedTuple):
    """A row of a chunk, and the checksum of the values that were sent for it."""

    row_id: str
    checksum: str


@dataclass(frozen=True, slots=True)
class SentChunk:
    """Rows that were sent to a queue together, as one of its batches, in the order of its items."""

    batch_id: str
    rows: Sequence[SentRow]
    queue_id: str = "default"
    server: str = ""
    """The URL of the server that they were sent to; empty in folders of older versions of the client."""


@dataclass(slots=True)
class Start:
    """The start of a batch: the hash of its workflow, its options, its id, and its servers.

    Folders of older versions of the client lack some of these.
    """

    workflow: str
    options: Mapping[str, Any] = field(default_factory=dict)
    batch_id: str = ""
    """The prefix of the ids of all chunks."""
    servers: Sequence[str] = ()
    """The URLs of the servers."""


class Journal:
    """The journal of a batch.

    Args:
        path: the file; created if it is missing. None for a batch without a folder.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = LineFile(path)
        self.start: Start | None = None
        """The latest start; None for a new journal."""
        self.is_canceled = False
        """Whether the batch was canceled after its latest start."""
        for _, line in self._file.lines():
            self._take(line)

    def _take(self, line: Mapping[str, Any]) -> None:
        if "start" in line:
            self.start = Start(line["start"], line["options"], line.get("batch", ""), tuple(line.get("servers", ())))
            self.is_canceled = False
        elif "canceled" in line:
            self.is_canceled = True

    def chunks(self) -> Iterator[SentChunk]:
        """Yield the chunks that were sent or about to be sent, each with the queue of the latest start before it."""
        queue_id, servers = "default", ("",)
        for _, line in self._file.lines():
            if "start" in line:
                queue_id = line["options"].get("queue_id", "default")
                servers = line.get("servers") or ("",)
            elif "batch_id" in line:
                rows = [SentRow(*row) for row in line["rows"]]
                yield SentChunk(line["batch_id"], rows, queue_id, line.get("server", servers[0]))

    def started(self, start: Start) -> None:
        """Record that a batch starts, or is resumed. The next chunk flushes the record to disk.

        Raises:
            OSError: the journal cannot be written.
        """
        line = {
            "start": start.workflow,
            "options": start.options,
            "batch": start.batch_id,
            "servers": [*start.servers],
        }
        self._file.append(line)
        self._take(line)

    def sending(self, *chunks: SentChunk) -> None:
        """Record that chunks are about to be sent to the queue of the latest start, and flush the record to disk.

        Raises:
            OSError: the journal cannot be written; the chunks must not be sent.
        """
        for chunk in chunks:
            line: dict[str, Any] = {"batch_id": chunk.batch_id, "rows": chunk.rows}
            if self.start is None or [chunk.server] != [*self.start.servers]:
                line["server"] = chunk.server
            self._file.append(line, is_durable=chunk is chunks[-1])

    def canceled(self) -> None:
        """Record that the batch is canceled, so that a process that resumes it does not send the remaining rows.

        Raises:
            OSError: the journal cannot be written.
        """
        self._file.append({"canceled": True}, is_durable=True)
        self.is_canceled = True

    def is_current(self) -> bool:
        """Return whether the file was not modified by another process."""
        return self._file.is_current()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def checksums(data: Sequence[Sequence[Mapping[str, Any]]], count: int) -> list[str]:
    """Return a checksum of the values of each item of a batch, from its batch data.

    Args:
        data: the batch data: at most one list, whose entries are zipped.
        count: the number of items.
    """
    if not data:
        return [checksum([])] * count
    # Builds the strings that `checksum` hashes, but encodes the names, which all items share, only once.
    (group,) = data
    columns = []
    for datum in group:
        names = _text([datum["node_path"], datum["field_name"]])[:-1]
        columns.append([f"{names},{_text(value)}]" for value in datum["items"]])
    return [_sum(f"[{','.join(values)}]") for values in zip(*columns, strict=True)]


def checksum(values: Iterable[tuple[str, str, Any]]) -> str:
    """Return the checksum of the (node id, field name, value) triples of one item."""
    return _sum(_text([*values]))


def _sum(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _text(value: Any) -> str:
    """Return a value as JSON that does not depend on the order of keys."""
    return repr(value) if type(value) is int else _ENCODER.encode(_plain(value))


def _plain(value: Any) -> Any:
    """Return a value with equal numbers in the same form, as the server may return 4 as 4.0."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, list | tuple):
        return [*map(_plain, value)]
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def aligned(rows: Sequence[SentRow], items: Sequence[tuple[int, str]]) -> dict[int, int]:
    """Find which item of a batch runs which row.

    The server creates the items in the order of the rows. Items may be missing, because they did not fit into the queue
    or were deleted, and there may be additional ones that were retried.

    Args:
        rows: the rows as they were sent.
        items: the id of each item and the checksum of its values, in ascending order of ids.

    Returns:
        The positions of the rows by item id. Rows without an item, and items without a row, are left out.
    """
    places: dict[int, int] = {}
    free: dict[str, list[int]] = {}
    for place in range(len(rows) - 1, -1, -1):
        free.setdefault(rows[place].checksum, []).append(place)
    for item_id, of_item in items:
        if free.get(of_item):
            places[item_id] = free[of_item].pop()
    return places
