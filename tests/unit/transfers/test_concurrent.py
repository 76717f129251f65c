"""Many at once: what ends all of it, and what ends only one."""

from __future__ import annotations

import errno

import pytest

from invokeai_py_client import errors
from invokeai_py_client.transfers.concurrent import TransferProgress, transfer_all

GONE = errors.TransportError("gone", url="http://x", sent=False)
HUNG_UP = errors.TransportError("hung up", url="http://x")
UNKNOWN = errors.AuthenticationError("who?", status=401, method="GET", url="http://x")
MISSING = errors.NotFoundError("no", status=404, method="GET", url="http://x")
FULL = OSError(errno.ENOSPC, "full")


@pytest.mark.parametrize(
    ("error", "tried"), [(GONE, 2), (UNKNOWN, 2), (FULL, 2), (HUNG_UP, 5), (MISSING, 5), (OSError("bad"), 5)]
)
async def test_what_would_meet_every_other_fails_them_untried(
    error: errors.InvokeAIError | OSError, tried: int
) -> None:
    asked: list[int] = []
    told: list[TransferProgress] = []

    async def transfer(job: int) -> tuple[int, bool]:
        asked.append(job)
        if job == 1:
            raise error
        return job, True

    report = await transfer_all(range(5), transfer, name=str, concurrency=1, report=told.append)
    assert asked == [*range(tried)]
    assert [(failure.name, failure.error) for failure in report.failed] == [
        (str(job), error) for job in range(1, 5) if job == 1 or tried == 2
    ]
    assert told[-1] == TransferProgress(5, 5, len(report.failed), "4")


async def test_concurrency_of_none_is_refused() -> None:
    async def transfer(job: int) -> tuple[int, bool]:
        return job, True

    with pytest.raises(errors.TransferRefusedError, match="concurrency"):
        await transfer_all([1], transfer, name=str, concurrency=0, report=lambda _: None)
