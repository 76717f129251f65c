"""A followed run: whom it tells of its events and of its end, and how often its waits want the server asked."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.support.live import GRAPH, node_payload
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client.errors import ClientClosedError
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import Polling, TrackedRun
from invokeai_py_client.wire.events import Event, decode

STARTED: list[Event] = [decode("invocation_started", node_payload(1))]


def make_run(*item_ids: int) -> TrackedRun:
    run = TrackedRun(RunState("b", "default", GRAPH))
    run.state.enqueued(item_ids or [1])
    return run


def finish(run: TrackedRun) -> None:
    run.state.apply_gone(1)


@pytest.mark.parametrize(
    ("pauses", "seen"), [((3.0,), [3, 3, 3, 3]), ((0.1, 1.0), [0.1, 1, 1, 1]), ((1, 2, 4), [1, 2, 4, 4])]
)
def test_the_last_pause_of_a_wait_is_repeated(pauses: tuple[float, ...], seen: list[float]) -> None:
    run = make_run()
    run.pollings.append(Polling(pauses))
    found = []
    for _ in seen:
        found.append(run.pause(60))
        run.was_asked()
    assert found == seen


def test_the_most_impatient_wait_decides() -> None:
    run = make_run()
    assert run.pause(60) == 60
    run.pollings += [Polling((5.0,)), Polling((0.5, 7.0))]
    assert run.pause(0.1) == 0.5
    run.was_asked()
    assert run.pause(0.1) == 5


@in_virtual_time
async def test_it_knows_when_it_was_heard_of_and_asked_about() -> None:
    run = make_run()
    made_at = now()
    assert (run.checked_at, run.heard_at) == (made_at, made_at)
    await asyncio.sleep(1)
    run.was_asked()
    assert (run.checked_at, run.heard_at) == (made_at + 1, made_at)
    await asyncio.sleep(1)
    run.changed(STARTED)
    assert (run.checked_at, run.heard_at) == (made_at + 2, made_at + 2)


@in_virtual_time
async def test_a_change_is_kept_and_told_but_ends_no_wait_before_the_run_ends() -> None:
    run, told = make_run(), list[list[Event]]()
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    run.waiters.add(waiter)
    run.watch(told.append)
    run.changed(STARTED)
    assert ([*run.history], told, run.is_over, waiter.done()) == (STARTED, [STARTED], False, False)
    finish(run)
    run.changed([])
    assert (told, run.is_over, waiter.done(), run.waiters) == ([STARTED, []], True, True, set())


@in_virtual_time
async def test_a_wait_that_was_given_up_does_not_keep_others_from_ending() -> None:
    run = make_run()
    waiters = [asyncio.get_running_loop().create_future() for _ in range(3)]
    run.waiters.update(waiters)
    waiters[0].cancel()
    finish(run)
    run.changed([])
    assert [waiter.done() and not waiter.cancelled() for waiter in waiters] == [False, True, True]


@in_virtual_time
async def test_a_failure_ends_the_waits_and_tells_the_watchers_that_it_is_over() -> None:
    run, seen = make_run(), list[tuple[list[Event], bool]]()
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    run.waiters.add(waiter)
    run.watch(lambda events: seen.append((events, run.is_over)))
    failure = ClientClosedError("closed")
    assert not run.is_over
    run.fail(failure)
    run.fail(ClientClosedError("a consequence"))
    assert run.failure is failure
    assert (seen, waiter.done(), [*run.history]) == ([([], True)], True, [])
    assert not run.state.is_finished


def test_a_watcher_is_notified_until_it_is_taken_out() -> None:
    run, told = make_run(), list[str]()

    def one(events: list[Event]) -> None:
        told.append("one")
        run.unwatch(one)

    def other(events: list[Event]) -> None:
        told.append("other")

    run.watch(one)
    run.watch(other)
    run.changed(STARTED)
    run.changed(STARTED)
    run.unwatch(one)
    assert told == ["one", "other", "other"]


@in_virtual_time
async def test_a_watcher_that_raises_is_logged_once_and_costs_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
    run, told = make_run(), list[list[Event]]()
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    run.waiters.add(waiter)

    def broken(events: list[Event]) -> None:
        raise ZeroDivisionError

    run.watch(broken)
    run.watch(told.append)
    for _ in range(3):
        run.changed(STARTED)
    finish(run)
    run.changed([])
    assert (len(told), waiter.done()) == (4, True)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "batch b" in record.getMessage()
    assert record.exc_info is not None
