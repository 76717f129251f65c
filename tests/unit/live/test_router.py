"""Which runs, waits and watchers learn of which event."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.live import GRAPH, RESULT, calls_made, dispatch, messages, node_payload, status_payload

from invokeai_py_client import errors
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.wire.events import BulkChange, Event


class Room:
    """A router, and what it has called back."""

    def __init__(self) -> None:
        self.followed: list[TrackedRun] = []
        self.bulk: list[BulkChange] = []
        self.requests_needed = 0
        self.router = Router(
            followed=self.followed.append, bulk_change=self.bulk.append, needs_requests=self._needs_requests
        )

    def _needs_requests(self) -> None:
        self.requests_needed += 1

    def follow(self, batch_id: str, *item_ids: int, only: bool = False, has_gap: bool = False) -> TrackedRun:
        state = RunState(batch_id, "default", GRAPH, has_gap=has_gap, only=frozenset(item_ids) if only else None)
        run = self.router.follow(state)
        if item_ids:
            state.enqueued(item_ids)
        return run

    def tell(self, item_id: int, batch_id: str) -> None:
        for name, payload in messages(item_id, batch_id):
            dispatch(self.router, name, payload)


def statuses(*runs: TrackedRun) -> list[str]:
    return [run.state.snapshot.facts.status for run in runs]


def test_an_event_reaches_the_run_of_its_batch_and_no_other() -> None:
    room = Room()
    one, other = room.follow("one", 1), room.follow("other", 2)
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 1, "one"))
    assert statuses(one, other) == ["in_progress", "pending"]
    assert [event.type for event in one.history] == ["queue_item_status_changed"]
    assert [*other.history] == []
    assert room.router.received == 1


def test_an_item_id_of_another_batch_is_another_item() -> None:
    """A server whose database was replaced counts from 1 again."""
    room = Room()
    run = room.follow("one", 1)
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 1, "other"))
    assert statuses(run) == ["pending"]


def test_events_before_the_response_reach_the_run_by_its_batch() -> None:
    room = Room()
    run = room.follow("one")
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 7, "one"))
    assert run.state.snapshot.facts.item_ids == (7,)
    assert room.router.having(7) == [run]


def test_a_redacted_event_reaches_the_run_of_its_item() -> None:
    room = Room()
    one, other = room.follow("one", 1), room.follow("other", 2)
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 2, "redacted"))
    assert statuses(one, other) == ["pending", "in_progress"]


def test_a_run_of_one_item_hears_nothing_of_the_others_of_its_batch() -> None:
    room = Room()
    whole, part = room.follow("b", 1, 2), room.follow("b", 2, only=True)
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 1))
    assert statuses(whole, part) == ["in_progress", "pending"]
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 2))
    assert statuses(whole, part) == ["in_progress", "in_progress"]
    assert (len([*whole.history]), len([*part.history])) == (2, 1)


def test_a_run_that_ends_releases_its_waits_and_is_forgotten() -> None:
    async def check() -> None:
        room = Room()
        run, other = room.follow("one", 1), room.follow("other", 2)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.waiters.add(waiter)
        room.tell(1, "one")
        assert waiter.done()
        assert run.is_over
        assert not room.router.is_followed(run)
        assert room.router.followed("default", "one") is None
        assert room.router.having(1) == []
        assert [*room.router.live()] == [other]
        assert room.router.is_followed(other)

    asyncio.run(check())


def test_a_failed_run_tells_its_watchers_and_releases_its_waits() -> None:
    async def check() -> None:
        run = Room().follow("one", 1)
        told: list[list[Event]] = []
        run.watch(told.append)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.waiters.add(waiter)
        run.fail(errors.ClientClosedError("closed"))
        assert told == [[]]
        assert waiter.done()
        assert run.is_over
        assert not run.waiters

    asyncio.run(check())


def test_a_run_is_forgotten_once_and_leaves_the_others_of_its_batch() -> None:
    room = Room()
    whole, part = room.follow("b", 1, 2), room.follow("b", 2, only=True)
    room.router.forget(part)
    room.router.forget(part)
    assert [*room.router.live()] == [whole]
    assert room.router.having(2) == [whole]
    assert room.router.followed("default", "b") is whole
    # What it still learns is not found again.
    part.state.enqueued([3])
    assert room.router.having(3) == []


def test_a_run_of_one_item_can_be_forgotten_when_the_whole_batch_is_not_followed() -> None:
    room = Room()
    part = room.follow("b", 2, only=True)
    room.router.forget(part)
    assert not room.router.is_followed(part)
    assert room.router.having(2) == []


def test_a_watcher_that_leaves_during_a_burst_takes_nothing_from_the_next_one() -> None:
    room = Room()
    run = room.follow("one", 1)
    told: list[str] = []

    def leaving(events: list[Event]) -> None:
        told.append("leaving")
        run.unwatch(leaving)

    def staying(events: list[Event]) -> None:
        told.extend(event.type for event in events)

    run.watch(leaving)
    run.watch(staying)
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 1, "one"))
    dispatch(room.router, "invocation_started", node_payload(1, "one"))
    run.unwatch(leaving)
    assert told == ["leaving", "queue_item_status_changed", "invocation_started"]


def test_a_duplicate_notifies_nobody() -> None:
    room = Room()
    run = room.follow("one", 1)
    told: list[list[Event]] = []
    run.watch(told.append)
    for _ in range(2):
        dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 1, "one", status_sequence=1))
    assert len(told) == 1


def test_a_run_that_needs_requests_is_listed_until_it_needs_none() -> None:
    room = Room()
    run = room.follow("one", 1, 2, has_gap=True)
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 1, "one"))
    assert (room.requests_needed, [*room.router.incomplete]) == (0, [])
    dispatch(room.router, "queue_item_status_changed", status_payload("completed", 1, "one"))
    assert (room.requests_needed, [*room.router.incomplete]) == (1, [run])
    room.router.apply(run, run.state.apply_gone(1))
    assert [*room.router.incomplete] == []


def test_a_forgotten_run_needs_no_requests() -> None:
    room = Room()
    run = room.follow("one", 1, 2, has_gap=True)
    dispatch(room.router, "queue_item_status_changed", status_payload("completed", 1, "one"))
    room.router.forget(run)
    assert [*room.router.incomplete] == []


def test_bulk_changes_are_handed_on() -> None:
    room = Room()
    room.follow("one", 1)
    dispatch(room.router, "queue_items_canceled", {"queue_id": "default", "canceled_item_ids": [1]})
    dispatch(room.router, "queue_cleared", {"queue_id": "default"})
    assert [event.type for event in room.bulk] == ["queue_items_canceled", "queue_cleared"]


def test_the_batches_of_followed_items_are_known() -> None:
    room = Room()
    room.follow("one", 1, 2)
    room.follow("other", 3)
    assert room.router.batches_of([2, 3, 4]) == {2: "one", 3: "other"}


def test_urgent_runs_are_found_by_queue() -> None:
    room = Room()
    room.follow("normal", 1)
    urgent = room.router.follow(RunState("urgent", "default", None), is_urgent=True)
    elsewhere = room.router.follow(RunState("elsewhere", "second", None), is_urgent=True)
    assert room.router.urgent("default") == [urgent]
    assert room.router.urgent("second") == [elsewhere]
    room.router.forget(urgent)
    assert room.router.urgent("default") == []


def test_each_run_is_reported_when_it_is_followed() -> None:
    room = Room()
    runs = [room.follow("one", 1), room.follow("other", 2)]
    assert room.followed == runs


def test_queue_watchers_hear_of_their_queue_whoever_the_items_belong_to() -> None:
    room = Room()
    told: list[Event] = []

    def watcher(events: list[Event]) -> None:
        told.extend(events)

    room.router.watch_queue("default", watcher)
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 5, "not ours"))
    dispatch(room.router, "queue_item_status_changed", {**status_payload("in_progress", 5), "queue_id": "second"})
    assert [event.type for event in told] == ["queue_item_status_changed"]
    room.router.reconnected(2.5)
    assert [(event.type, event.get("seconds")) for event in told[1:]] == [("reconnected", 2.5)]
    room.router.unwatch_queue("default", watcher)
    room.router.unwatch_queue("default", watcher)
    dispatch(room.router, "queue_item_status_changed", status_payload("completed", 5, "not ours"))
    assert len(told) == 2
    room.router.watch_queue("default", watcher)
    room.router.unwatch_all()
    dispatch(room.router, "queue_item_status_changed", status_payload("completed", 5, "not ours"))
    assert len(told) == 2


def test_a_watcher_of_a_queue_that_leaves_takes_no_other_with_it() -> None:
    room = Room()
    leaving: list[list[Event]] = []
    staying: list[list[Event]] = []
    for told in (leaving, staying):
        room.router.watch_queue("default", told.append)
    room.router.unwatch_queue("default", leaving.append)
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 5, "not ours"))
    assert (len(leaving), len(staying)) == (0, 1)


def test_the_items_that_a_run_has_when_it_is_followed_are_found() -> None:
    room = Room()
    state = RunState("one", "default", GRAPH, only=frozenset({1}))
    state.enqueued([1])
    run = room.router.follow(state)
    assert room.router.having(1) == [run]
    dispatch(room.router, "queue_item_status_changed", status_payload("in_progress", 1, "one"))
    assert statuses(run) == ["in_progress"]
    room.router.forget(run)
    assert room.router.having(1) == []


def test_an_event_that_cannot_be_read_is_logged_once_a_type(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    for _ in range(2):
        dispatch(room.router, "invocation_started", {"item_id": "x"})
        dispatch(room.router, "queue_item_status_changed", None)
    assert len(caplog.records) == 2
    assert room.router.received == 4


def test_an_event_that_a_watcher_fails_on_does_not_end_the_dispatch(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    run = room.follow("one", 1)

    def broken(events: list[Event]) -> None:
        raise ZeroDivisionError

    run.watch(broken)
    room.tell(1, "one")
    assert run.is_over
    assert len(caplog.records) == 1


def test_two_runs_on_one_item_do_not_share_their_progress() -> None:
    """The second one knows of one item, the first of two: each event shows the progress of its own run."""
    room = Room()
    first = room.follow("b", 1)
    dispatch(room.router, "invocation_started", node_payload(1))
    halfway = node_payload(1, percentage=0.5, message="")
    dispatch(room.router, "invocation_progress", halfway)
    late = room.router.follow(RunState("b", "default", None, has_gap=True, only=frozenset({1})))
    late.state.enqueued([1])
    dispatch(room.router, "invocation_progress", node_payload(1, percentage=0.75, message=""))
    told = [*first.history][-1]
    assert told["overall_percentage"] == pytest.approx(75)
    assert [*late.history][-1]["overall_percentage"] == 0
    dispatch(room.router, "invocation_complete", node_payload(1, result=RESULT))
    assert told["overall_percentage"] == pytest.approx(75)


@pytest.mark.parametrize("batch_of", [lambda item_id: f"b{item_id}", lambda item_id: "redacted"])
def test_the_work_for_one_event_does_not_grow_with_the_runs(batch_of: object) -> None:
    def work(runs: int) -> int:
        room = Room()
        for item_id in range(1, runs + 1):
            room.follow(f"b{item_id}", item_id)
        assert callable(batch_of)
        payload = node_payload(1, batch_of(1), percentage=0.5, message="")
        return calls_made(lambda: dispatch(room.router, "invocation_progress", payload))

    assert work(300) == work(10)


def test_the_work_for_one_event_does_not_grow_with_the_runs_of_its_batch() -> None:
    def work(runs: int) -> int:
        room = Room()
        for item_id in range(1, runs + 1):
            room.follow("b", item_id, only=True)
        return calls_made(
            lambda: dispatch(room.router, "invocation_progress", node_payload(1, percentage=0.5, message=""))
        )

    assert work(300) == work(10)


def test_following_and_forgetting_one_run_costs_the_same_beside_many() -> None:
    def work(runs: int) -> int:
        room = Room()
        for item_id in range(1, runs + 1):
            room.follow(f"b{item_id}", item_id)
        return calls_made(lambda: room.router.forget(room.follow("new", runs + 1)))

    assert work(300) == work(10)
