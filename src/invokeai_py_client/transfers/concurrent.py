"""Many files at once: a bounded number at a time, one failure stops nothing, a second try goes on where it ended."""

from __future__ import annotations

import asyncio
import errno
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from invokeai_py_client.errors import AuthenticationError, InvokeAIError, TransferRefusedError, TransportError

J = TypeVar("J")
R = TypeVar("R")
M = TypeVar("M")

CONCURRENCY = 8
"""How many are under way at once, unless the caller says otherwise."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """How far it is: `finished` of `total`, of which `failed` failed; `name` was the last."""

    finished: int
    total: int
    failed: int
    name: str


TransferCallback = Callable[[TransferProgress], object]


@dataclass(frozen=True, slots=True)
class TransferFailure:
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
    failed: list[TransferFailure] = field(default_factory=list)

    def _mapped(self, made_of: Callable[[R], M]) -> TransferReport[M]:
        """Return a report with what a function makes of each thing that was transferred."""
        return TransferReport([*map(made_of, self.done)], [*map(made_of, self.skipped)], self.failed)

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
    report: TransferCallback,
) -> TransferReport[R]:
    """Transfer many things.

    Args:
        jobs: what is to be transferred.
        transfer: does it; gives the result, and whether there was anything to do.
        name: of a job, for reports.
        concurrency: how many at once.
        report: told after each.

    Returns:
        What became of each. What would meet every other as well (a full disk, a server that cannot be reached or
        does not know the user) fails all that are left, untried.

    Raises:
        TransferRefusedError: the concurrency is less than 1.
    """
    if concurrency < 1:
        raise TransferRefusedError(f"concurrency must be at least 1, not {concurrency!r}.")
    todo = [*enumerate(jobs)]
    results: dict[int, tuple[R, bool]] = {}
    failures: dict[int, TransferFailure] = {}
    queue: Iterator[tuple[int, J]] = iter(todo)
    hopeless: list[InvokeAIError | OSError] = []

    async def work() -> None:
        for number, job in queue:
            if hopeless:
                failures[number] = TransferFailure(name(job), hopeless[0])
            else:
                try:
                    results[number] = await transfer(job)
                except (InvokeAIError, OSError) as error:
                    failures[number] = TransferFailure(name(job), error)
                    if _meets_all(error):
                        hopeless.append(error)
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


def _meets_all(error: InvokeAIError | OSError) -> bool:
    if isinstance(error, TransportError):
        return not error.sent
    return isinstance(error, AuthenticationError) or (isinstance(error, OSError) and error.errno in _NO_ROOM)


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
