"""What the server is asked about followed runs, and when."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from tests.support.live import GRAPH, FakeQueue, calls_made, dispatch, messages, node_payload, status_payload
from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import run_in_virtual_time

from invokeai_py_client import errors
from invokeai_py_client.live import reconciler as module
from invokeai_py_client.live.reconciler import Reconciler
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import Polling, TrackedRun

SUMMARIES, RECORDS = "item_summaries_by_ids", "items_by_ids"


class Link:
    """A socket that is up or down as the test says."""

    def __init__(self) -> None:
        self.is_connected = True
        self.epoch = 1


class Room:
    """A reconciler with a router and a queue."""

    def __init__(self) -> None:
        self.queue = FakeQueue()
        self.link = Link()
        self.router = Router(
            followed=lambda run: self.reconciler.schedule(run),
            bulk_change=lambda event: None,
            needs_requests=lambda: self.reconciler.wake(),
        )
        self.reconciler = Reconciler(self.queue, VirtualEngine(), self.router, self.link)

    def follow(self, batch_id: str, *item_ids: int, has_gap: bool = False, resubmits: bool = False) -> TrackedRun:
        """Follow a run of items, which are pending."""
        run = self.router.follow(RunState(batch_id, "default", GRAPH, has_gap=has_gap, resubmits=resubmits))
        run.state.enqueued(item_ids)
        self.queue.put(*item_ids, batch_id=batch_id)
        return run

    def tell(self, name: str, payload: dict[str, Any]) -> None:
        dispatch(self.router, name, payload)

    def play(self, test: Callable[[], Coroutine[Any, Any, None]], *, seconds: float = 10) -> None:
        """Run a test in virtual time, with the reconciler at work."""

        async def played() -> None:
            self.reconciler.start()
            async with asyncio.timeout(seconds):
                await test()

        run_in_virtual_time(played())


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110 - what is waited for sets no event
        await asyncio.sleep(0.001)


async def a_few_turns() -> None:
    """Let everything run that needs no more time."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_silent_run_is_asked_about_again_and_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.05)

    async def test() -> None:
        began = time.monotonic()
        room.follow("b", 1)
        await until(lambda: len(room.queue.asked(SUMMARIES)) == 3)
        # Up to a tenth earlier each time.
        assert time.monotonic() - began >= 3 * 0.9 * 0.05
        assert room.queue.asked(SUMMARIES) == [(1,)] * 3
        assert room.reconciler.rounds == 3

    room.play(test)


def test_a_run_that_is_heard_of_is_not_asked_about(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.1)

    async def test() -> None:
        room.follow("b1", 1)
        room.follow("b2", 2)
        step = 0
        while len(room.queue.asked(SUMMARIES)) < 3:
            step += 1
            room.tell("invocation_progress", node_payload(1, "b1", percentage=min(1, step / 1e6), message=str(step)))
            await asyncio.sleep(0.005)
        assert set(room.queue.asked(SUMMARIES)) == {(2,)}

    room.play(test)


def test_runs_that_fall_silent_together_are_asked_about_together(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.2)

    async def test() -> None:
        for item_id in range(1, 6):
            room.follow(f"b{item_id}", item_id)
            await asyncio.sleep(0.002)
        await until(lambda: room.queue.asked(SUMMARIES))
        assert room.queue.asked(SUMMARIES) == [(1, 2, 3, 4, 5)]

    room.play(test)


def test_a_canceled_run_is_asked_about_sooner(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_AFTER_CANCEL", 0.02)

    async def test() -> None:
        run = room.follow("b1", 1)
        room.follow("b2", 2)
        await a_few_turns()
        run.cancel_asked = True
        room.reconciler.schedule(run)
        await until(lambda: len(room.queue.asked(SUMMARIES)) == 2)
        assert set(room.queue.asked(SUMMARIES)) == {(1,)}

    room.play(test)


def test_without_a_socket_each_run_is_polled_at_its_own_pace(room: Room) -> None:
    room.link.is_connected = False

    async def test() -> None:
        run = room.follow("b1", 1)
        room.follow("b2", 2)
        polling = Polling((0.01, 0.03))
        run.pollings.append(polling)
        room.reconciler.schedule(run)
        await until(lambda: len(room.queue.asked(SUMMARIES)) == 3)
        assert set(room.queue.asked(SUMMARIES)) == {(1,)}
        assert (polling.attempts, polling.pause) == (3, 0.03)
        assert run.pause(2.0) == 0.03
        run.pollings.remove(polling)
        assert run.pause(2.0) == 2.0

    room.play(test)


def test_a_run_is_asked_about_at_once_where_that_is_wanted(room: Room) -> None:
    async def test() -> None:
        run = room.follow("b1", 1, 2)
        room.follow("b2", 3)
        room.reconciler.check(run)
        await until(lambda: room.queue.asked(SUMMARIES))
        room.reconciler.check_items("default", [2, 3, 99])
        await until(lambda: len(room.queue.asked(SUMMARIES)) == 2)
        room.reconciler.check_items("default", [99])
        room.reconciler.check_all()
        await until(lambda: len(room.queue.asked(SUMMARIES)) == 3)
        assert room.queue.asked(SUMMARIES) == [(1, 2), (2, 3), (1, 2, 3)]

    room.play(test)


def test_the_names_of_one_request_are_a_thousand_at_most(room: Room) -> None:
    async def test() -> None:
        room.follow("b", *range(1, 1502))
        room.reconciler.check_all()
        await until(lambda: len(room.queue.asked(SUMMARIES)) == 2)
        assert [len(ids) for ids in room.queue.asked(SUMMARIES)] == [1000, 501]

    room.play(test)


def test_bulk_changes_in_quick_succession_cost_one_round(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALL_RUNS_PAUSE", 0.1)

    async def test() -> None:
        room.follow("b", 1)
        began = time.monotonic()
        while not room.queue.asked(SUMMARIES):
            room.reconciler.check_all_soon()
            await asyncio.sleep(0)
        for _ in range(10):
            room.reconciler.check_all_soon()
            await a_few_turns()
        assert len(room.queue.asked(SUMMARIES)) == 1
        await until(lambda: len(room.queue.asked(SUMMARIES)) == 2)
        assert time.monotonic() - began >= 0.1

    room.play(test)


def test_what_was_missed_is_learned_from_the_records(room: Room) -> None:
    async def test() -> None:
        run = room.follow("b", 1, 2, has_gap=True)
        room.queue.put(1, status="completed")
        room.queue.put(2, status="failed", error_type="E", error_message="m")
        room.reconciler.check_all()
        await until(lambda: run.is_over)
        assert (run.state.view().status, run.state.view().error) == ("failed", "E: m")
        assert [output.item_id for output in run.state.view().outputs] == [1]
        assert sorted(room.queue.asked(RECORDS)[0]) == [1, 2]
        assert [*room.router.live()] == []

    room.play(test)


def test_the_error_of_a_failed_node_is_waited_for_and_then_asked_for(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ERROR_GRACE", 0.05)

    async def test() -> None:
        run, late = room.follow("b1", 1), room.follow("b2", 2)
        for item_id, batch_id in ((1, "b1"), (2, "b2")):
            room.queue.put(item_id, batch_id=batch_id, status="failed")
            room.tell("queue_item_status_changed", status_payload("failed", item_id, batch_id))
        await a_few_turns()
        room.tell("invocation_error", node_payload(1, "b1", error_type="E", error_message="m"))
        assert run.is_over
        await until(lambda: late.is_over)
        assert room.queue.asked(RECORDS) == [(2,)]

    room.play(test)


def test_items_that_are_gone_end_their_runs(room: Room) -> None:
    async def test() -> None:
        run = room.follow("b", 1, 2)
        room.queue.items.clear()
        room.reconciler.check(run)
        await until(lambda: run.is_over)
        assert run.state.view().error_type == "QueueItemGone"

    room.play(test)


@pytest.mark.parametrize(
    "failure", [errors.TransportError("away", url="u"), ZeroDivisionError("a fault of our own")], ids=["away", "fault"]
)
def test_after_a_failure_the_same_is_asked_again(
    room: Room, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_INTERVAL", 0.01)

    async def test() -> None:
        run = room.follow("b1", 1)
        room.follow("b2", 2, 3)
        room.queue.failures = [failure]
        room.reconciler.check_items("default", [2])
        room.reconciler.check(run)
        await until(lambda: len(room.queue.asked(SUMMARIES)) == 2)
        assert [sorted(ids) for ids in room.queue.asked(SUMMARIES)] == [[1, 2], [1, 2]]

    room.play(test)


def test_a_refusal_ends_the_waits(room: Room) -> None:
    async def test() -> None:
        runs = [room.follow("b1", 1), room.follow("b2", 2)]
        refusal = errors.AuthenticationError("no", status=401, method="POST", url="u")
        room.queue.failures = [refusal]
        room.reconciler.check(runs[0])
        await until(lambda: runs[0].is_over)
        assert [run.failure for run in runs] == [refusal, refusal]
        assert [*room.router.live()] == []
        # It goes on with what comes later.
        later = room.follow("b3", 3)
        room.reconciler.check(later)
        await until(lambda: len(room.queue.asked(SUMMARIES)) == 2)

    room.play(test)


UNREADABLE = errors.ServerError("a broken record", status=500, method="POST", url="u")
UNKNOWN_SHAPE = errors.ServerError("an unexpected shape", status=200, method="POST", url="u")
DENIED = errors.ForbiddenError("not yours", status=403, method="POST", url="u")


@pytest.mark.parametrize(
    ("failure", "patience"), [(UNREADABLE, 10), (UNKNOWN_SHAPE, 10), (DENIED, 0)], ids=["500", "shape", "403"]
)
def test_a_record_that_cannot_be_read_ends_only_its_own_run(
    room: Room, failure: errors.ApiError, patience: float
) -> None:
    async def test() -> None:
        runs = [room.follow(f"b{item_id}", item_id, has_gap=True) for item_id in range(1, 6)]
        room.queue.put(1, 2, 3, 4, status="completed")
        room.queue.unreadable[2] = failure
        room.reconciler.check_all()
        await a_few_turns()
        assert [run.is_over for run in runs] == [True, patience == 0, True, True, False]
        assert len(runs[0].state.view().outputs) == 1
        async with asyncio.timeout(patience + 0.01):
            await until(lambda: runs[1].is_over)
        assert isinstance(runs[1].failure, type(failure))
        assert "item 2 of batch b2" in str(runs[1].failure)
        assert [*room.router.live()] == [runs[4]]
        requests = len(room.queue.requests)
        await asyncio.sleep(5)
        assert len(room.queue.requests) == requests, "what has ended is not asked for again"

    room.play(test, seconds=30)


def test_a_record_that_can_be_read_a_moment_later_completes_its_run(room: Room) -> None:
    async def test() -> None:
        run = room.follow("b", 1, has_gap=True)
        room.queue.put(1, status="completed")
        room.queue.unreadable[1] = UNREADABLE
        room.reconciler.check_all()
        await until(lambda: len(room.queue.asked(RECORDS)) == 2)
        for _ in range(5):
            # Other runs have the reconciler at work meanwhile.
            room.reconciler.wake()
            await a_few_turns()
        assert len(room.queue.asked(RECORDS)) == 2, "it is asked for at intervals"
        room.queue.unreadable.clear()
        await until(lambda: run.is_over)
        assert (run.failure, run.state.view().status) == (None, "completed")

    room.play(test)


def test_attaching_a_run_fails_at_once_if_a_record_cannot_be_read(room: Room) -> None:
    async def test() -> None:
        run = room.follow("b", 1, 2, has_gap=True)
        room.queue.put(1, 2, status="completed")
        room.queue.unreadable[2] = UNREADABLE
        with pytest.raises(errors.ServerError, match="item 2 of batch b cannot be read: a broken record"):
            await room.reconciler.bring_up_to_date(run)

    room.play(test)


@pytest.mark.parametrize("reconnects", [False, True])
def test_an_item_that_was_watched_while_it_was_asked_about_has_no_gap(room: Room, reconnects: bool) -> None:
    send = room.queue.send

    async def sent(call: Any) -> Any:
        room.link.epoch += reconnects
        return await send(call)

    async def test() -> None:
        run = room.follow("b", 1, has_gap=True)
        room.queue.send = sent  # type: ignore[method-assign]
        await room.reconciler.bring_up_to_date(run)
        for message in messages(1):
            room.tell(*message)
        assert run.is_over is not reconnects

    room.play(test)


def test_a_run_is_brought_up_to_date_before_its_caller_continues(room: Room) -> None:
    async def test() -> None:
        run = room.follow("b", 1, 2, 3, has_gap=True)
        room.queue.put(1, 3, status="completed")
        await room.reconciler.bring_up_to_date(run)
        assert [output.item_id for output in run.state.view().outputs] == [1, 3]
        assert [item.view.status for item in run.state.items.values()] == ["completed", "pending", "completed"]
        room.queue.failures = [errors.TransportError("away", url="u")]
        with pytest.raises(errors.TransportError):
            await room.reconciler.bring_up_to_date(run)

    room.play(test)


def test_an_item_that_ends_while_its_run_is_brought_up_to_date_is_fetched_as_well(room: Room) -> None:
    send = room.queue.send

    async def sent(call: Any) -> Any:
        response = await send(call)
        if call.path.endswith(RECORDS) and len(room.queue.asked(RECORDS)) == 1:
            room.queue.put(2, status="completed")
            room.tell("queue_item_status_changed", status_payload("completed", 2))
            await a_few_turns()
        return response

    async def test() -> None:
        run = room.follow("b", 1, 2, has_gap=True)
        room.queue.put(1, status="completed")
        room.queue.send = sent  # type: ignore[method-assign]
        await room.reconciler.bring_up_to_date(run)
        await until(lambda: run.is_over)
        assert room.queue.asked(RECORDS) == [(1,), (2,)]

    room.play(test)


def test_a_lost_item_is_run_again(room: Room) -> None:
    async def test() -> None:
        run = room.follow("b", 1, 2, resubmits=True)
        run.state.missed()
        run.state.server_was_away()
        room.queue.put(1, status="canceled", started_at="t")
        room.reconciler.check(run)
        await until(lambda: run.state.snapshot.facts.item_ids == (2, 3))
        assert len(room.queue.asked("retry_items_by_id")) == 1
        assert room.router.having(1) == []
        assert room.router.having(3) == [run]
        await until(lambda: not room.router.incomplete)

    room.play(test)


def test_a_lost_item_that_the_server_does_not_run_again_ends_as_canceled(room: Room) -> None:
    async def test() -> None:
        run = room.follow("b", 1, resubmits=True)
        run.state.missed()
        run.state.server_was_away()
        room.queue.put(1, status="canceled", started_at="t")
        room.queue.refused["retry_items_by_id"] = errors.RejectedError("no", status=422, method="PUT", url="u")
        room.reconciler.check(run)
        await until(lambda: run.is_over)
        assert (run.state.snapshot.facts.status, run.failure) == ("canceled", None)
        assert len(room.queue.asked("retry_items_by_id")) == 1

    room.play(test)


def test_scheduling_a_run_takes_the_same_work_beside_many(room: Room) -> None:
    def work(runs: int) -> int:
        for item_id in range(1, runs + 1):
            room.follow(f"b{item_id}", item_id)
        return calls_made(lambda: room.follow("new", runs + 1))

    assert work(300) == work(10)


def test_a_round_takes_the_same_work_beside_many_runs_that_need_nothing(room: Room) -> None:
    async def work(runs: int) -> int:
        for item_id in range(1, runs + 1):
            room.follow(f"b{item_id}", item_id)
        await a_few_turns()
        return await calls_made_by(a_round)

    async def a_round() -> None:
        room.reconciler.wake()
        await a_few_turns()

    async def test() -> None:
        await work(10)
        few = await work(10)
        # Some of asyncio's own calls differ from time to time.
        assert abs(await work(2000) - few) < 50

    room.play(test)


async def calls_made_by(function: Callable[[], Awaitable[None]]) -> int:
    """`calls_made`, for a coroutine and what its loop does meanwhile."""
    count = 0

    def profile(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        await function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("is_connected", [True, False])
@pytest.mark.parametrize("status", ["pending", "in_progress", "waiting"])
def test_an_item_of_which_nothing_is_heard_is_asked_about_now_and_then(status: str, is_connected: bool) -> None:
    room = Room()
    room.link.is_connected = is_connected

    async def test() -> None:
        run = room.follow("b", 1, has_gap=True)
        # A `waiting` item whose record does not name the items that it waits for, which may come into being later.
        room.queue.put(1, status=status, batch_id="b")
        await room.reconciler.bring_up_to_date(run)
        await asyncio.sleep(600)
        assert not run.is_over
        assert len(room.queue.requests) < 900

    room.play(test, seconds=700)
