"""What the socket's coming and going means for runs, streams and connection handlers."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.support.live import status_payload
from tests.support.tracking import Room, settle, taken
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client.errors import AuthenticationError, ClientClosedError, InvokeAIError, RunError, TransportError
from invokeai_py_client.live.connection_changes import ConnectionChange
from invokeai_py_client.live.event_delivery import tell
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.runtime.mailbox import Mailbox
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.events import Event, Reconnected

DENIED = AuthenticationError("denied", status=401, method="GET", url="u")


def connection_changes(room: Room) -> Mailbox[ConnectionChange]:
    mailbox = Mailbox[ConnectionChange]()
    room.listener.connection.add(mailbox)
    return mailbox


@in_virtual_time
async def test_it_says_whether_the_events_of_a_queue_arrive() -> None:
    room = Room()
    assert not room.listener.is_connected
    assert await room.listener.start("default")
    assert await room.listener.start("other")
    assert room.listener.is_connected
    assert [connection.queues for connection in room.link.connections] == [["default", "other"]]
    room.link.push("queue_cleared", {"queue_id": "default"})
    assert room.listener.router.received == 1
    await room.link.drop(OSError("away"))
    assert not room.listener.is_connected
    assert not await room.listener.start("default")


@in_virtual_time
async def test_with_polling_no_events_arrive() -> None:
    room = Room(Settings(transport="polling"))
    assert not await room.listener.start("default")
    assert room.link.connections == []


@in_virtual_time
async def test_a_rejected_client_gets_a_new_error_each_time() -> None:
    room = Room()
    room.link.failure = DENIED
    caught: list[InvokeAIError] = []
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="denied") as info:
            await room.listener.start("default")
        caught.append(info.value)
    assert caught[0] is not caught[1]


@in_virtual_time
async def test_a_denial_ends_runs_and_streams_with_its_error() -> None:
    room = Room()
    run, mailbox = await room.attach(1), Mailbox[Event]()
    failures = room.listener.queue_streams.add(mailbox)
    await room.link.drop(DENIED)
    await asyncio.sleep(60)
    assert isinstance(run.failure, AuthenticationError)
    assert not room.listener.router.is_followed(run)
    assert [type(failure) for failure in failures] == [AuthenticationError]
    assert mailbox.is_closed


@in_virtual_time
async def test_a_server_that_is_away_ends_nothing() -> None:
    room = Room()
    run, mailbox = await room.attach(1), Mailbox[Event]()
    room.listener.queue_streams.add(mailbox)
    await room.link.drop(OSError("away"))
    await asyncio.sleep(600)
    assert (run.failure, mailbox.is_closed, room.listener.router.is_followed(run)) == (None, False, True)


@in_virtual_time
async def test_connection_handlers_are_notified_how_long_events_were_missed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "invokeai_py_client.live")
    room = Room()
    changes = connection_changes(room)
    await room.attach(1)
    await room.attach(2)
    assert [change.state for change in changes.take(0)] == ["connected"]
    lost_at = now()
    await room.link.drop(OSError("away"))
    (lost,) = changes.take(0)
    assert (lost.state, lost.reason, lost.seconds, lost.resynced) == ("disconnected", "the test dropped it", None, None)
    await asyncio.sleep(100)
    await room.link.restore()
    (back,) = changes.take(0)
    assert (back.state, back.reason, back.resynced) == ("reconnected", None, 2)
    assert back.seconds is not None
    assert 100 <= back.seconds <= now() - lost_at
    # A second loss is counted from its own start.
    await room.link.drop()
    await room.link.restore()
    lost, back = changes.take(0)
    assert back.seconds is not None
    assert back.seconds < 100
    assert (room.listener.connection.losses, room.listener.connection.reconnects) == (2, 2)
    assert ["reconnected" in record.getMessage() for record in caplog.records].count(True) == 2


@in_virtual_time
async def test_runs_that_go_on_are_notified_of_a_gap_and_brought_up_to_date() -> None:
    room = Room()
    run, mailbox = await room.attach(1), Mailbox[Event]()
    tell(run, mailbox, closes=True)
    taken(mailbox)
    room.queue.failures = [TransportError("away", url="u", method="GET")] * 100
    lost_at = now()
    await room.link.drop(OSError("away"))
    room.queue.put(1, status="completed")
    await asyncio.sleep(60)
    # It answers again from the moment on that the socket is back.
    connection_changes(room).when_filled(room.queue.failures.clear)
    await room.link.restore()
    await asyncio.sleep(3)
    back, *rest = taken(mailbox)
    assert isinstance(back, Reconnected)
    assert back.queue_id == "default"
    assert back.queue_id == "default"
    assert 60 <= back.seconds <= now() - lost_at
    assert [event.type for event in rest] == ["invocation_complete", "queue_item_status_changed", "session_complete"]


@in_virtual_time
async def test_a_run_whose_submission_is_under_way_is_notified_of_a_gap_unless_its_items_have_ended() -> None:
    room = Room()
    await room.listener.start("default")
    sent = room.listener.router.follow(RunState("sent", "default", {"nodes": {}, "edges": []}))
    ended = room.listener.router.follow(RunState("ended", "default", {"nodes": {}, "edges": []}))
    # Both items' events outran the response that names them.
    room.link.push("queue_item_status_changed", status_payload("completed", 7, "ended"))
    assert ended.state.unsettled() == []
    assert not ended.is_over
    await room.link.drop()
    await room.link.restore()
    assert [[event.type for event in run.history].count("reconnected") for run in (sent, ended)] == [1, 0]


@in_virtual_time
async def test_what_ends_while_the_socket_is_away_is_found_by_asking() -> None:
    room = Room()
    run = await room.attach(1)
    await room.link.drop(OSError("away"))
    room.queue.put(1, status="completed")
    await asyncio.sleep(3)
    assert run.is_over
    assert run.state.view().status == "completed"


@in_virtual_time
async def test_what_the_events_of_an_ended_item_did_not_tell_is_asked_for_at_once() -> None:
    room = Room()
    run = await room.attach(1)
    await asyncio.sleep(5)
    room.queue.put(1, status="completed")
    room.link.push("queue_item_status_changed", status_payload("completed", 1))
    await asyncio.sleep(0.5)
    assert run.is_over
    assert len(run.state.view().outputs) == 1


@in_virtual_time
async def test_an_item_that_a_restarted_server_canceled_was_canceled_by_the_server() -> None:
    for failure, by in ((ConnectionRefusedError("refused"), "server"), (OSError("no route"), "unknown")):
        room = Room()
        run = await room.attach(1)
        await room.link.drop(failure)
        await asyncio.sleep(1)
        room.queue.put(1, status="canceled", started_at="2024-01-01")
        await room.link.restore()
        await asyncio.sleep(1)
        assert run.is_over
        assert run.state.view().canceled_by == by


@in_virtual_time
async def test_who_watches_a_queue_is_notified_of_the_events_that_were_missed() -> None:
    room = Room()
    told: list[Event] = []
    room.link.failure = OSError("away")
    await room.listener.subscribe("default")
    room.listener.router.watch_queue("default", told.extend)
    began = now()
    await asyncio.sleep(10)
    await room.listener.subscribe("default")
    await room.link.restore()
    await asyncio.sleep(20)
    await room.link.drop()
    lost_at = now()
    await room.link.restore()
    first, again = told
    assert isinstance(first, Reconnected)
    assert isinstance(again, Reconnected)
    assert 10 <= first.seconds < lost_at - began - 15
    assert again.seconds == pytest.approx(now() - lost_at, abs=0.2)
    # A subscription that is acknowledged at once has missed nothing.
    told.clear()
    await room.listener.subscribe("default")
    await settle()
    assert told == []


@in_virtual_time
async def test_a_new_login_opens_a_new_connection() -> None:
    room = Room()
    await room.attach(1)
    await room.listener.reconnect()
    await settle()
    assert len(room.link.connections) == 2
    assert room.link.connections[0].ended.done()
    assert room.listener.is_connected


@pytest.mark.parametrize(
    ("name", "payload", "asked"),
    [
        ("queue_items_canceled", {"canceled_item_ids": [1, 99]}, [(1,)]),
        ("queue_items_retried", {"retried_item_ids": [2]}, [(2,)]),
        ("queue_items_canceled", {"canceled_item_ids": [99]}, []),
        ("queue_items_canceled", {"canceled_item_ids": []}, [(1,), (2,)]),
        ("queue_cleared", {"user_id": None}, [(1,), (2,)]),
    ],
)
@in_virtual_time
async def test_an_event_about_many_items_has_the_server_asked_about_them(
    name: str, payload: dict[str, object], asked: list[tuple[int, ...]]
) -> None:
    room = Room()
    for item_id in (1, 2):
        await room.attach(item_id)
    await asyncio.sleep(5)
    room.queue.requests.clear()
    room.link.push(name, {"queue_id": "default", **payload})
    await asyncio.sleep(0.5)
    ids = [item_id for item_ids in room.queue.asked("item_summaries_by_ids") for item_id in item_ids]
    assert sorted(ids) == [item_id for item_ids in asked for item_id in item_ids]


@in_virtual_time
async def test_closing_the_client_ends_runs_and_streams_before_all_else() -> None:
    room = Room()
    run, mailbox = await room.attach(1), Mailbox[Event]()
    failures = room.listener.queue_streams.add(mailbox)
    seen: list[bool] = []

    async def task() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            seen.append(isinstance(run.failure, ClientClosedError) and mailbox.is_closed)

    room.engine.spawn(task(), name="task")
    await settle()
    await room.engine.aclose()
    assert seen == [True]
    assert [type(failure) for failure in failures] == [ClientClosedError]


@in_virtual_time
async def test_a_forked_child_follows_what_its_parent_has_sent_and_fails_what_it_was_sending(
    caplog: pytest.LogCaptureFixture,
) -> None:
    room = Room()
    run, watched, told = await room.attach(1), Mailbox[Event](), list[Event]()
    sending = room.listener.router.follow(RunState("unsent", "default", {"nodes": {}, "edges": []}))
    parents_waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    run.waiters.add(parents_waiter)
    run.watch(told.extend)
    room.listener.router.watch_queue("default", told.extend)
    failures = room.listener.queue_streams.add(watched)
    await room.link.drop()
    await room.link.restore()
    told.clear()
    room.engine.forks += 1
    assert await room.listener.start("default")
    assert len(room.link.connections) == 3
    assert isinstance(sending.failure, RunError)
    assert sending.failure.batch_id == "unsent"
    assert not room.listener.router.is_followed(sending)
    # What was missed between the fork and the subscription is asked for.
    room.queue.put(1, status="completed")
    await asyncio.sleep(20)
    assert run.is_over
    assert (run.state.view().status, len(run.state.view().outputs)) == ("completed", 1)
    assert (parents_waiter.done(), told, failures, watched.is_closed) == (False, [], [], False)
    await room.engine.aclose()
    assert failures == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
