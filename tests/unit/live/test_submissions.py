"""Submitting, giving up and submitting again, without a server or a socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, cast

import pytest
from tests.support.live import dispatch
from tests.support.queue_server import (
    Exchange,
    Fault,
    QueueServer,
    answered,
    dropped,
    lost,
    refused,
    status,
    swallowed,
    unanswered,
)
from tests.support.tracking import Link, tracker_on
from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import in_virtual_time, now, run_in_virtual_time

from invokeai_py_client import errors
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.progress import NodeDurations
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.submissions import Submissions
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.workloads import Workloads
from invokeai_py_client.run import AsyncRun
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Response

ONE: dict[str, Any] = {"prepend": False, "batch": {"graph": {"nodes": {}}, "runs": 1}}


class Client:
    """What a client submits with: the real parts around a queue in memory."""

    def __init__(self, server: QueueServer) -> None:
        self.server = server
        self.engine = VirtualEngine()
        self.woken = 0
        self.router = Router(followed=self.check, bulk_change=lambda event: None, needs_requests=lambda: None)
        self.submissions = Submissions(
            server,
            self.engine,
            self,
            self,
            Workloads(),
            NodeDurations(),
        )

    is_connected = True

    @property
    def reconciler(self) -> Client:
        return self

    def check(self, run: TrackedRun) -> None:
        self.woken += 1

    async def start(self, queue_id: str) -> bool:
        return True

    async def attach_if_there(self, queue_id: str, batch_id: str) -> TrackedRun | None:
        item_ids = self.server.ids_of(batch_id)
        if not item_ids:
            return None
        run = self.router.followed(queue_id, batch_id)
        if run is None:
            run = self.router.follow(RunState(batch_id, queue_id, None, has_gap=True))
            run.state.enqueued(item_ids)
        return run

    async def submit(self, body: dict[str, Any] = ONE, **more: Any) -> TrackedRun:
        return await self.submissions.submit("default", body, **more)

    def followed(self) -> list[TrackedRun]:
        return [*self.router.live()]


async def slow_success(exchange: Exchange) -> Response:
    response = await exchange.carry_out()
    await asyncio.sleep(3)
    return response


async def slow_denial(exchange: Exchange) -> Response:
    await asyncio.sleep(3)
    return await status(403)(exchange)


def of(count: int) -> dict[str, Any]:
    return {"batch": {"graph": {"nodes": {}}, "runs": count}}


async def give_up(submission: asyncio.Task[TrackedRun]) -> float:
    """Cancel a submission; how long that took."""
    began = now()
    submission.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submission
    return now() - began


@in_virtual_time
async def test_a_run_is_followed_before_it_is_sent_and_knows_its_items() -> None:
    client = Client(QueueServer())
    seen: list[tuple[int, int]] = []
    server = client.server
    run = await client.submit(of(3), on_followed=lambda run: seen.append((len(run.state.items), len(server.items))))
    assert seen == [(0, 0)]
    assert [*run.state.items] == [1, 2, 3]
    assert run.state.is_enqueued
    assert client.followed() == [run]
    assert client.woken == 1


@in_virtual_time
async def test_a_submission_that_fails_is_not_followed() -> None:
    client = Client(QueueServer())
    client.server.next("enqueue_batch", status(422))
    with pytest.raises(errors.RejectedError) as caught:
        await client.submit()
    assert caught.value.batch_id is not None
    assert client.followed() == []


async def wait_for_a_submission_that_fails(submission: asyncio.Task[TrackedRun], client: Client) -> TrackedRun:
    """Wait, as another part of the program does that follows the batch, until the submission has failed."""
    await asyncio.sleep(0.1)
    (run,) = client.followed()
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    run.waiters.add(waiter)
    if not submission.done():
        await asyncio.wait_for(waiter, 60)
    assert client.followed() == []
    return run


@in_virtual_time
async def test_waits_for_a_failed_submission_raise_its_error() -> None:
    client = Client(QueueServer())
    client.server.next("enqueue_batch", slow_denial)
    submission = asyncio.create_task(client.submit())
    run = await wait_for_a_submission_that_fails(submission, client)
    assert isinstance(run.failure, errors.ForbiddenError)
    with pytest.raises(errors.ForbiddenError):
        await submission


@in_virtual_time
async def test_waits_for_an_interrupted_submission_raise_an_error() -> None:
    client = Client(QueueServer())
    client.server.storing_takes = 1.0
    submission = asyncio.create_task(client.submit(batch_id="mine"))
    asyncio.get_running_loop().call_later(0.5, submission.cancel)
    run = await wait_for_a_submission_that_fails(submission, client)
    assert isinstance(run.failure, errors.RunError)
    assert "mine was interrupted" in str(run.failure)
    with pytest.raises(asyncio.CancelledError):
        await submission


# The queue is full.


@in_virtual_time
async def test_what_does_not_fit_is_sent_as_room_appears() -> None:
    client = Client(QueueServer(capacity=3))
    run = await client.submit(of(7))
    assert [*run.state.items] == [1, 2, 3]
    assert not run.state.is_enqueued
    client.server.finish(1, 2)
    await asyncio.sleep(5)
    assert [*run.state.items] == [1, 2, 3, 4, 5]
    client.server.finish(3, 4, 5)
    await asyncio.sleep(5)
    assert [*run.state.items] == [*range(1, 8)]
    assert run.state.is_enqueued
    requests = len(client.server.requests)
    await asyncio.sleep(60)
    assert len(client.server.requests) == requests


@in_virtual_time
async def test_a_part_that_is_on_its_way_when_the_run_is_canceled_is_canceled_too() -> None:
    client = Client(QueueServer(capacity=2))
    run = await client.submit(of(6))
    client.server.finish(1, 2)
    client.server.storing_takes = 2.0
    await asyncio.sleep(1)
    assert len(client.server.asked("enqueue_batch")) == 2
    # As `run.cancel()` does.
    run.cancel_asked = True
    run.state.cancel_asked()
    assert client.server.to_run(run.state.batch_id) == []
    await asyncio.sleep(30)
    assert client.server.ids_of(run.state.batch_id) == [1, 2, 3, 4]
    assert client.server.to_run(run.state.batch_id) == []
    assert run.state.is_enqueued


async def cancel_while_the_rest_is_on_its_way(client: Client, *faults: Fault) -> TrackedRun:
    """Cancel a run of three items, of which two are on their way; the faults are of the client's next cancels."""
    run = await client.submit(of(3))
    client.server.finish(1)
    client.server.capacity = 10
    client.server.storing_takes = 2.0
    await asyncio.sleep(1)
    run.cancel_asked = True
    run.state.cancel_asked()
    client.server.next("cancel_by_batch_ids", *faults)
    await asyncio.sleep(600)
    assert client.server.ids_of(run.state.batch_id) == [*run.state.items] == [1, 2, 3]
    assert run.state.is_enqueued
    assert run.failure is None
    return run


@pytest.mark.parametrize("fault", [refused, dropped, swallowed, status(503)])
@in_virtual_time
async def test_the_cancel_of_a_part_that_was_on_its_way_is_repeated(fault: Fault) -> None:
    client = Client(QueueServer(capacity=1, settings=Settings(timeout=8.0)))
    run = await cancel_while_the_rest_is_on_its_way(client, *[fault] * 20)
    assert client.server.to_run(run.state.batch_id) == []
    assert run.state.items[2].cancel_was_asked


@in_virtual_time
async def test_a_part_that_was_on_its_way_and_may_not_be_canceled_is_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Client(QueueServer(capacity=1))
    run = await cancel_while_the_rest_is_on_its_way(client, status(403))
    assert client.server.to_run(run.state.batch_id) == [2, 3]
    assert client.followed() == [run]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"the items [2, 3] of batch {run.state.batch_id}" in warning


@pytest.mark.parametrize(("fault", "is_sent"), [(status(403), True), (refused, True), (unanswered, False)])
@in_virtual_time
async def test_the_rest_is_sent_if_the_cancel_was_certainly_not_carried_out(fault: Fault, is_sent: bool) -> None:
    server, engine = QueueServer(capacity=1, settings=Settings(timeout=8.0)), VirtualEngine()
    tracker = tracker_on(server, engine, Link())
    live = await tracker.submissions.submit("default", of(3))
    run = AsyncRun(engine, cast(HttpTransport, server), tracker, live, lambda item: [])
    server.always("cancel_by_batch_ids", fault)
    with pytest.raises(errors.InvokeAIError):
        await run.cancel()
    server.capacity = 10
    await asyncio.sleep(60)
    assert run.item_ids == ((1, 2, 3) if is_sent else (1,))
    assert live.state.is_enqueued


@pytest.mark.parametrize(("fault", "is_kept"), [(slow_denial, True), (slow_success, False)])
@in_virtual_time
async def test_a_part_that_arrives_during_a_cancel_is_canceled_only_if_that_succeeds(
    fault: Fault, is_kept: bool
) -> None:
    server, engine = QueueServer(capacity=1), VirtualEngine()
    tracker = tracker_on(server, engine, Link())
    live = await tracker.submissions.submit("default", of(3))
    run = AsyncRun(engine, cast(HttpTransport, server), tracker, live, lambda item: [])
    server.capacity, server.storing_takes = 10, 2.0
    await asyncio.sleep(1)
    assert len(server.asked("enqueue_batch")) == 2
    server.next("cancel_by_batch_ids", fault)
    with contextlib.suppress(errors.ForbiddenError):
        await run.cancel()
    await asyncio.sleep(60)
    assert run.item_ids == (1, 2, 3)
    assert server.to_run(run.batch_id) == ([1, 2, 3] if is_kept else [])


@in_virtual_time
async def test_items_of_called_workflows_do_not_count_as_sent() -> None:
    client = Client(QueueServer(capacity=2))
    run = await client.submit(of(3))
    client.server.finish(*client.server.add(run.state.batch_id, parent_item_id=1), 1)
    await asyncio.sleep(5)
    assert [*run.state.items] == [1, 2, 4]
    assert run.state.is_enqueued


@in_virtual_time
async def test_a_queue_that_stays_full_is_an_error_after_the_timeout() -> None:
    client = Client(QueueServer(capacity=0, settings=Settings(timeout=8.0)))
    began = now()
    with pytest.raises(errors.NotEnqueuedError, match="no room for 8 s") as caught:
        await client.submit(of(2))
    assert 7.0 <= now() - began <= 8.0
    assert (caught.value.requested, caught.value.is_transient) == (2, True)
    assert client.followed() == []


@in_virtual_time
async def test_a_batch_without_items_is_refused() -> None:
    client = Client(QueueServer())
    empty = {"batch": {"graph": {"nodes": {}}, "runs": 1, "data": [[{"items": []}]]}}
    with pytest.raises(errors.NotEnqueuedError, match="empty") as caught:
        await client.submit(empty)
    assert (caught.value.requested, caught.value.is_transient) == (0, False)
    assert client.followed() == []


@in_virtual_time
async def test_a_run_that_ends_before_the_response_comes_is_over_when_it_does() -> None:
    client = Client(QueueServer())

    async def end_first(exchange: Exchange) -> Response:
        response = await exchange.carry_out()
        for sequence, name in enumerate(("in_progress", "completed")):
            event = {"queue_id": "default", "item_id": 1, "batch_id": "mine", "session_id": "s", "status": name}
            dispatch(client.router, "queue_item_status_changed", event | {"status_sequence": sequence})
        return response

    client.server.next("enqueue_batch", end_first)
    run = await client.submit(batch_id="mine")
    assert run.state.is_finished
    assert client.followed() == []


# Low priority.


@in_virtual_time
async def test_the_rest_of_a_low_batch_takes_its_turn_again() -> None:
    client = Client(QueueServer(capacity=4))
    run = await client.submit(of(6), priority=Priority.LOW)
    client.server.finish(1, 2, 3)
    others = client.server.add("others", 2)
    await asyncio.sleep(60)
    client.server.finish(4)
    await asyncio.sleep(60)
    assert [*run.state.items] == [1, 2, 3, 4]
    client.server.finish(*others)
    await asyncio.sleep(10)
    assert [*run.state.items] == [1, 2, 3, 4, 7, 8]


@pytest.mark.parametrize("fault", [lost, unanswered, answered(b"<html>"), status(500, applied=True)])
@in_virtual_time
async def test_a_low_batch_whose_response_was_lost_is_complete_though_others_keep_the_queue_busy(fault: Fault) -> None:
    client = Client(QueueServer())
    client.server.next("enqueue_batch", fault)
    submission = asyncio.create_task(client.submit(priority=Priority.LOW))
    await asyncio.sleep(0.1)
    client.server.add("others", 5)
    run = await submission
    assert run.state.is_enqueued
    assert client.server.ids_of(run.state.batch_id) == [*run.state.items]


@in_virtual_time
async def test_a_low_batch_whose_turn_does_not_come_in_time_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "invokeai_py_client.live")
    client = Client(QueueServer())
    others = client.server.add("others", 2)
    with pytest.raises(errors.SubmitTimeout, match="2 items are pending") as caught:
        await client.submit(priority=Priority.LOW, timeout=20, batch_id="mine")
    assert (caught.value.timeout, client.server.ids_of("mine"), client.followed()) == (20, [], [])
    assert "a submission of low priority is held back: 2 items are pending" in caplog.text
    client.server.finish(*others)
    run = await client.submit(priority=Priority.LOW, timeout=20, batch_id="mine")
    assert client.server.ids_of("mine") == [*run.state.items]


# Giving up.


@pytest.mark.parametrize("after", [0.0, 0.01, 0.5, 1.9])
@in_virtual_time
async def test_nothing_of_a_submission_that_is_given_up_is_left_to_run(
    after: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = Client(QueueServer())
    client.server.storing_takes = 2.0
    submission = asyncio.create_task(client.submit(of(5000), batch_id="mine"))
    await asyncio.sleep(after)
    assert await give_up(submission) <= 1.5
    await asyncio.sleep(60)
    assert client.server.to_run("mine") == []
    assert client.followed() == []
    assert client.engine.cleanups == 0
    canceled = len(client.server.ids_of("mine"))
    assert ("batch mine was interrupted: 5000 items canceled" in caplog.text) == bool(canceled)
    assert len(client.server.asked("enqueue_batch")) <= 1


@pytest.mark.parametrize("fault", [lost, unanswered, status(503, late=2.0), answered(b"<html>"), status(500, late=1.0)])
@in_virtual_time
async def test_a_submission_that_is_given_up_is_withdrawn_although_its_response_was_lost(fault: Fault) -> None:
    client = Client(QueueServer(settings=Settings(timeout=8.0)))
    client.server.storing_takes = 0.5
    client.server.next("enqueue_batch", fault)
    submission = asyncio.create_task(client.submit(batch_id="mine"))
    await asyncio.sleep(0.1)
    await give_up(submission)
    await asyncio.sleep(60)
    assert client.server.ids_of("mine") == [1]
    assert client.server.to_run("mine") == []


@pytest.mark.parametrize("fault", [refused, dropped, status(503)])
@in_virtual_time
async def test_what_was_not_stored_is_not_sent_after_it_was_given_up(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(QueueServer())
    client.server.always("enqueue_batch", fault)
    submission = asyncio.create_task(client.submit(batch_id="mine"))
    await asyncio.sleep(0.1)
    await give_up(submission)
    sent = len(client.server.asked("enqueue_batch"))
    await asyncio.sleep(600)
    assert len(client.server.asked("enqueue_batch")) == sent
    assert client.server.items == {}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@in_virtual_time
async def test_a_withdrawal_that_cannot_settle_it_warns_with_the_batch_in_bounded_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Client(QueueServer(settings=Settings(timeout=8.0)))
    client.server.next("enqueue_batch", unanswered)
    client.server.always("batch_status", refused)
    client.server.always("cancel_by_batch_ids", refused)
    submission = asyncio.create_task(client.submit(batch_id="mine"))
    await asyncio.sleep(0.1)
    assert await give_up(submission) == pytest.approx(1.5)
    # The request, the questions, and the attempts to cancel.
    await asyncio.sleep(8 + 10 + 8)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "batch mine may be in the queue 'default'" in warning
    assert "cancel_batch('mine')" in warning


@pytest.mark.parametrize(("storing", "is_withdrawn"), [(0.3, True), (1.2, True), (30.0, False)])
@in_virtual_time
async def test_closing_waits_a_moment_for_a_withdrawal_and_warns_else(
    storing: float, is_withdrawn: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(QueueServer())
    client.server.storing_takes = storing
    submission = client.engine.spawn(_nothing(client.submit(batch_id="mine")), name="submission")
    await asyncio.sleep(0.1)
    began = now()
    await client.engine.aclose()
    assert submission.cancelled()
    assert now() - began <= 4.0
    assert bool(client.server.ids_of("mine")) == is_withdrawn
    assert client.server.to_run("mine") == []
    assert ("batch mine may be" in caplog.text) != is_withdrawn


async def _nothing(coro: Any) -> None:
    await coro


@in_virtual_time
async def test_closing_waits_for_all_withdrawals_together(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(QueueServer())
    client.server.storing_takes = 30.0
    for number in range(20):
        client.engine.spawn(_nothing(client.submit(batch_id=f"batch-{number}")), name="submission")
    await asyncio.sleep(0.1)
    began = now()
    await client.engine.aclose()
    assert now() - began <= 4.0
    assert all(f"batch batch-{number} may be" in caplog.text for number in range(2))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("a bug"), "(RuntimeError: a bug)"),
        (errors.ClientClosedError("The client is closed."), "(the client was closed meanwhile)"),
    ],
)
@in_virtual_time
async def test_a_withdrawal_that_fails_for_any_reason_warns(
    caplog: pytest.LogCaptureFixture, error: Exception, reason: str
) -> None:
    async def broken(exchange: Exchange) -> Response:
        raise error

    client = Client(QueueServer())
    client.server.storing_takes = 0.5
    client.server.next("cancel_by_batch_ids", broken)
    submission = asyncio.create_task(client.submit(batch_id="mine"))
    await asyncio.sleep(0.1)
    await give_up(submission)
    await asyncio.sleep(60)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "batch mine may be in the queue 'default'" in warning
    assert reason in warning


@in_virtual_time
async def test_a_submission_given_up_while_the_queue_is_full_ends_at_once() -> None:
    client = Client(QueueServer(capacity=0))
    submission = asyncio.create_task(client.submit(batch_id="mine"))
    await asyncio.sleep(3)
    assert await give_up(submission) <= 0.01
    client.server.capacity = 10
    await asyncio.sleep(60)
    assert client.server.items == {}


@in_virtual_time
async def test_a_low_submission_given_up_while_it_waits_sends_nothing() -> None:
    client = Client(QueueServer())
    others = client.server.add("others", 2)
    submission = asyncio.create_task(client.submit(batch_id="mine", priority=Priority.LOW))
    await asyncio.sleep(30)
    assert await give_up(submission) == 0.0
    client.server.finish(*others)
    await asyncio.sleep(60)
    assert client.server.ids_of("mine") == []


# An id of the caller's choosing.


async def submit_once(client: Client, **more: Any) -> TrackedRun:
    """As a handle does with a chosen id."""
    async with client.submissions.attach_or("default", "mine") as there:
        return there or await client.submit(batch_id="mine", **more)


@in_virtual_time
async def test_a_batch_that_is_there_is_followed_and_not_sent_again() -> None:
    server = QueueServer()
    server.add("mine", 2)
    run = await submit_once(Client(server))
    assert [*run.state.items] == [1, 2]
    assert server.asked("enqueue_batch") == []


@in_virtual_time
async def test_a_batch_is_sent_again_only_when_its_withdrawal_is_done() -> None:
    client = Client(QueueServer())
    # The server is away, and comes back without the batch.
    client.server.next("enqueue_batch", dropped)
    client.server.next("batch_status", *[refused] * 5)
    submission = asyncio.create_task(submit_once(client))
    await asyncio.sleep(5)
    await give_up(submission)
    await submit_once(client)
    await asyncio.sleep(60)
    assert client.server.to_run("mine") == [1]


def test_a_forked_child_does_not_wait_for_what_its_parent_was_submitting() -> None:
    server = QueueServer()
    client = Client(server)

    async def in_parent() -> None:
        async with client.submissions.attach_or("default", "mine"):
            # The child has a loop of its own.
            await asyncio.to_thread(run_in_virtual_time, in_child())

    async def in_child() -> None:
        server.add("mine")
        async with asyncio.timeout(60):
            assert [*(await submit_once(client)).state.items] == [1]

    asyncio.run(in_parent())


@in_virtual_time
async def test_a_batch_that_does_not_exist_is_sent_under_the_chosen_id() -> None:
    client = Client(QueueServer())
    run = await submit_once(client)
    assert run.state.batch_id == "mine"
    assert client.server.ids_of("mine") == [1]
    assert await submit_once(client) is run
    assert len(client.server.asked("enqueue_batch")) == 1


@in_virtual_time
async def test_one_id_submitted_many_times_at_once_is_sent_once() -> None:
    client = Client(QueueServer())
    client.server.storing_takes = 1.0
    runs = await asyncio.gather(*(submit_once(client) for _ in range(10)))
    assert client.server.ids_of("mine") == [1]
    assert {id(run) for run in runs} == {id(runs[0])}


@pytest.mark.parametrize("priority", [Priority.LOW, Priority.HIGH])
@in_virtual_time
async def test_a_batch_that_came_while_its_submission_waited_is_followed(priority: Priority) -> None:
    client = Client(QueueServer())
    others = client.server.add("others")
    urgent = await client.submit(priority=Priority.URGENT)
    told: list[TrackedRun] = []
    submission = asyncio.create_task(submit_once(client, priority=priority, on_followed=told.append))
    await asyncio.sleep(10)
    client.server.finish(*others, *urgent.state.items, *client.server.add("mine"))
    urgent.state.given_up(2)
    client.router.forget(urgent)
    run = await submission
    assert told == [run]
    assert len(client.server.asked("enqueue_batch")) == 1
    assert client.server.ids_of("mine") == [*run.state.items]


@in_virtual_time
async def test_after_a_doubt_the_same_id_settles_it() -> None:
    client = Client(QueueServer(settings=Settings(timeout=8.0)))
    client.server.next("enqueue_batch", swallowed)
    client.server.next("batch_status", *[refused] * 20)
    with pytest.raises(errors.EnqueueInDoubtError) as caught:
        await client.submit(batch_id="mine")
    assert caught.value.batch_id == "mine"
    client.server.next("batch_status")
    await asyncio.sleep(60)
    await submit_once(client)
    assert client.server.ids_of("mine") == [1]


@in_virtual_time
async def test_a_run_that_is_withdrawn_is_canceled() -> None:
    client = Client(QueueServer())
    run = await client.submit(of(3))
    await client.submissions.withdraw(run)
    assert [item["status"] for item in client.server.items.values()] == ["canceled"] * 3
    assert run.cancel_asked


# Urgent and high.


@in_virtual_time
async def test_what_is_high_waits_for_what_is_urgent() -> None:
    client = Client(QueueServer())
    urgent = await client.submit(priority=Priority.URGENT)
    assert client.server.asked("enqueue_batch")[0].body["prepend"] is True
    high = asyncio.create_task(client.submit(priority=Priority.HIGH))
    await asyncio.sleep(10)
    assert not high.done()
    client.router.forget(urgent)
    run = await high
    assert client.server.asked("enqueue_batch")[1].body["prepend"] is True
    assert client.followed() == [run]


@pytest.mark.parametrize("names_items", [True, False])
@in_virtual_time
async def test_what_is_high_waits_for_an_urgent_batch_that_is_sent_by_other_means(names_items: bool) -> None:
    client = Client(QueueServer())
    client.server.add("another's")
    async with client.submissions.urgent("default", "raw") as answered:
        high = asyncio.create_task(client.submit(priority=Priority.HIGH))
        await asyncio.sleep(10)
        assert not high.done(), "the urgent one is being sent"
        item_ids, woken = client.server.add("raw", 2), client.woken
        await answered(item_ids if names_items else None)
    (urgent,) = client.router.urgent("default")
    assert ([*urgent.state.items], urgent.state.is_enqueued) == (item_ids, True)
    assert client.woken == woken + 1, "what happened to its items meanwhile is asked for"
    await asyncio.sleep(10)
    assert not high.done(), "the urgent one is pending"
    client.router.forget(urgent)
    run = await high
    assert client.followed() == [run]


@in_virtual_time
async def test_an_urgent_batch_that_could_not_be_sent_or_found_is_waited_for_no_longer() -> None:
    client = Client(QueueServer())
    with pytest.raises(errors.RejectedError):
        async with client.submissions.urgent("default", "raw"):
            raise errors.RejectedError("no", status=422, method="POST", url="u")
    assert client.followed() == []
    client.server.always("item_ids", refused)
    async with client.submissions.urgent("default", "raw") as answered:
        client.server.add("raw")
        await answered(None)
    assert client.followed() == []


# The rest of a batch, whatever happens.


@in_virtual_time
async def test_a_server_that_is_away_for_hours_still_gets_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    async def carried_out(exchange: Exchange) -> Response:
        return await exchange.carry_out()

    client = Client(QueueServer(capacity=2))
    run = await client.submit(of(3))
    client.server.always("enqueue_batch", refused)
    client.server.finish(1)
    await asyncio.sleep(6 * 3600)
    assert run.failure is None
    assert len(caplog.records) == 1, "not a line for each attempt"
    client.server.always("enqueue_batch", carried_out)
    await asyncio.sleep(120)
    assert [*run.state.items] == [1, 2, 3]
    assert run.state.is_enqueued


@in_virtual_time
async def test_a_refusal_of_the_rest_is_reported_to_those_who_wait() -> None:
    client = Client(QueueServer(capacity=2))
    run = await client.submit(of(3))
    client.server.next("enqueue_batch", status(422))
    client.server.finish(1)
    await asyncio.sleep(10)
    assert isinstance(run.failure, errors.RejectedError)
    assert client.followed() == []


@in_virtual_time
async def test_an_error_of_any_kind_is_reported_to_those_who_wait(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(QueueServer(capacity=2))
    run = await client.submit(of(3))

    async def broken(exchange: Exchange) -> Response:
        raise RecursionError("a deep answer")

    client.server.next("enqueue_batch", broken)
    client.server.finish(1)
    await asyncio.sleep(10)
    assert isinstance(run.failure, errors.RunError)
    assert run.state.batch_id in str(run.failure)
    assert "RecursionError" in str(run.failure)
    assert client.followed() == []


@in_virtual_time
async def test_a_run_is_not_resubmitted_unless_it_is_asked_for() -> None:
    client = Client(QueueServer())
    assert not (await client.submit()).state.resubmits
    assert (await client.submit(resubmits=True)).state.resubmits


@in_virtual_time
async def test_a_first_part_that_does_not_fit_is_sent_within_the_time_that_is_left() -> None:
    server = QueueServer(settings=Settings(timeout=5), capacity=0)
    client = Client(server)
    timeouts: list[float | None] = []

    async def full(exchange: Exchange) -> Response:
        timeouts.append(exchange.call.timeout)
        return await exchange.carry_out()

    server.always("enqueue_batch", full)
    with pytest.raises(errors.NotEnqueuedError):
        await client.submit()
    given = [seconds for seconds in timeouts if seconds is not None]
    assert len(given) == len(timeouts) > 3
    assert given == sorted(given, reverse=True)
    assert given[0] == pytest.approx(5, abs=0.01)
    assert given[-1] >= 1.0
