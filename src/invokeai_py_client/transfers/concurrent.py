"""Transfers of many files with bounded concurrency. The failure of one file does not stop the others."""

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
"""The default number of concurrent transfers."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """The progress of a transfer of many files.

    `finished` of `total` files have ended, including `failed` failures; `name` is the file that ended last.
    """

    finished: int
    total: int
    failed: int
    name: str


TransferCallback = Callable[[TransferProgress], object]


@dataclass(frozen=True, slots=True)
class TransferFailure:
    """The name of a file that could not be transferred, and the error."""

    name: str
    error: InvokeAIError | OSError


@dataclass(slots=True)
class TransferReport(Generic[R]):
    """The outcome of a transfer of many files.

    `done` lists the transferred files, in the order of the request, `skipped` those that already existed, and `failed`
    those that could not be transferred, with their errors.
    """

    done: list[R] = field(default_factory=list)
    skipped: list[R] = field(default_factory=list)
    failed: list[TransferFailure] = field(default_factory=list)

    def _mapped(self, made_of: Callable[[R], M]) -> TransferReport[M]:
        """Return a report with a function applied to each element of `done` and `skipped`."""
        return TransferReport([*map(made_of, self.done)], [*map(made_of, self.skipped)], self.failed)

    def raise_for_failures(self) -> None:
        """Raise the first failure, if there is any.

        Raises:
            InvokeAIError: a request failed.
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
    """Run a transfer for each job, several at the same time.

    Args:
        jobs: the jobs.
        transfer: transfers one job; returns the result, and False if there was nothing to do.
        name: returns the name of a job for reports.
        concurrency: the maximum number of concurrent transfers.
        report: called with the progress after each job.

    Returns:
        The outcome of all jobs. After an error that would affect every job (a full disk, a server that cannot be
        reached or rejects the credentials), the remaining jobs fail with the same error without being tried.

    Raises:
        TransferRefusedError: the concurrency is less than 1.
    """
    if concurrency < 1:
        raise TransferRefusedError(f"concurrency must be at least 1, got {concurrency!r}.")
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
        # An error in the arguments, such as a path that is not valid, is raised without the group.
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
    """Return the CRC-32 of a file, which detects damage and is faster than a cryptographic hash.

    Raises:
        OSError: the file cannot be read.
    """
    crc32 = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            crc32 = zlib.crc32(chunk, crc32)
    return crc32
