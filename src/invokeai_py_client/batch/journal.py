"""The journal of a batch: every chunk is recorded before it is sent, so that no row is sent twice after a crash."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from invokeai_py_client.batch.line_file import LineFile

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
