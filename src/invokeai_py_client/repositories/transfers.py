"""Many files at once: a bounded number at a time, one failure stops nothing, a second try goes on where it ended."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TextIO, TypeVar

from invokeai_py_client.errors import InvokeAIError

J = TypeVar("J")
R = TypeVar("R")

CONCURRENCY = 8
"""How many are under way at once, unless the caller says otherwise."""

_LINES_AT_ONCE = 32

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """How far it is: `finished` of `total`, of which `failed` failed; `name` was the last."""

    finished: int
    total: int
    failed: int
    name: str


ProgressCallback = Callable[[TransferProgress], object]


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be transferred, and why."""

    name: str
    error: InvokeAIError | OSError


@dataclass(slots=True)
class TransferReport(Generic[R]):
    """What became of each of many.

    `done` has what was transferred, in the order in which it was asked for; `skipped` what was there already, and
    `failed` what could not be, each with its error.
    """

    done: list[R] = field(default_factory=list)
    skipped: list[R] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    def raise_for_failures(self) -> None:
        """Raise the first failure, if there is any.

        Raises:
            InvokeAIError: as the request would have.
            OSError: a file could not be read or written.
        """
        for failure in self.failed:
            raise failure.error


async def transfer_all(
    jobs: Iterable[J],
    transfer: Callable[[J], Awaitable[tuple[R, bool]]],
    *,
    name: Callable[[J], str],
    concurrency: int,
    report: ProgressCallback,
) -> TransferReport[R]:
    """Transfer many things.

    Args:
        jobs: what is to be transferred.
        transfer: does it; gives the result, and whether there was anything to do.
        name: of a job, for reports.
        concurrency: how many at once.
        report: told after each.

    Returns:
        What became of each. A full disk fails all that are left, untried.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency!r}")
    todo = [*enumerate(jobs)]
    results: dict[int, tuple[R, bool]] = {}
    failures: dict[int, Failure] = {}
    queue: Iterator[tuple[int, J]] = iter(todo)
    no_room: list[OSError] = []

    async def work() -> None:
        for number, job in queue:
            try:
                if no_room:
                    raise no_room[0]
                results[number] = await transfer(job)
            except (InvokeAIError, OSError) as error:
                failures[number] = Failure(name(job), error)
                if isinstance(error, OSError) and error.errno in _NO_ROOM:
                    no_room.append(error)
            report(TransferProgress(len(results) + len(failures), len(todo), len(failures), name(job)))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(todo))):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        # A mistake of the caller's, such as a path that is none, is raised as it is.
        raise errors.exceptions[0] from None
    in_order = [results[number] for number in sorted(results)]
    return TransferReport(
        done=[result for result, was_done in in_order if was_done],
        skipped=[result for result, was_done in in_order if not was_done],
        failed=[failures[number] for number in sorted(failures)],
    )


class TransferLog:
    """Remembers across programs what was transferred: a line of JSON for each, in a file of its own.

    A line that a crash has cut short is ignored, and so is a file that is no such log; the last few lines, which a
    crash loses, only cost that those things are transferred again. It is used with `with`, which closes the file.

    Args:
        path: the file; it is made with the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._unwritten = 0
        self._entries: dict[str, dict[str, object]] = {}
        with contextlib.suppress(OSError):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    entry = json.loads(line)
                    self._entries[str(entry["key"])] = entry

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def get(self, key: str) -> dict[str, object] | None:
        """What was remembered under a key."""
        return self._entries.get(key)

    def remember(self, key: str, **facts: object) -> None:
        """Add an entry.

        Raises:
            OSError: it cannot be written.
        """
        entry = self._entries[key] = {"key": key, **facts}
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # It begins with a line end: the last line may have been cut short.
            self._file = self._path.open("a", encoding="utf-8")
            self._file.write("\n")
        self._file.write(json.dumps(entry) + "\n")
        self._unwritten += 1
        if self._unwritten >= _LINES_AT_ONCE:
            self._file.flush()
            self._unwritten = 0


def crc32_of(path: Path) -> int:
    """The CRC-32 of a file's content, which tells whether it was damaged, sooner than a cryptographic hash does.

    Raises:
        OSError: it cannot be read.
    """
    crc32 = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            crc32 = zlib.crc32(chunk, crc32)
    return crc32


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
