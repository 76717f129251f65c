"""The virtual clock that the tests of time-outs, retries and back-off rest on."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.support.virtual_time import in_virtual_time, now, run_in_virtual_time

WEEK = 7 * 24 * 3600.0


@in_virtual_time
async def test_sleeping_takes_no_real_time() -> None:
    real = time.perf_counter()
    began, monotonic = now(), time.monotonic()
    await asyncio.sleep(WEEK)
    assert now() - began == pytest.approx(WEEK)
    assert time.monotonic() - monotonic == pytest.approx(WEEK)
    assert time.perf_counter() - real < 30


@in_virtual_time
async def test_timers_fire_in_their_order() -> None:
    fired: list[str] = []

    async def after(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        fired.append(name)

    async with asyncio.TaskGroup() as group:
        for seconds in (30, 10, 20):
            group.create_task(after(seconds, f"{seconds}"))
    assert fired == ["10", "20", "30"]


@in_virtual_time
async def test_a_timeout_ends_what_never_ends() -> None:
    began = now()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()
    assert now() - began == pytest.approx(3600)


@in_virtual_time
async def test_fixtures_reach_the_test(tmp_path: object) -> None:
    assert tmp_path is not None


def test_the_real_clock_is_back_afterwards() -> None:
    before = time.monotonic()
    run_in_virtual_time(asyncio.sleep(WEEK))
    assert time.monotonic() - before < 60


def test_a_thread_can_wake_the_loop() -> None:
    assert run_in_virtual_time(asyncio.to_thread(lambda: "woken")) == "woken"
