"""Waits, watchers and streams of runs and queues, and who is remembered to have canceled what."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

import pytest
from tests.support.live import GRAPH, messages, node_payload, status_payload
from tests.support.queue_server import QueueServer
from tests.support.tracking import Link, Room, settle, taken, tracker_on, types_in
from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client.errors import (
    AuthenticationError,
    ClientClosedError,
    ForbiddenError,
    InvokeAIError,
    SettingsError,
    TransportError,
)
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.runtime.mailbox import Mailbox
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.events import Event

AWAY = TransportError("away", url="u", method="GET")
DENIED = AuthenticationError("denied", status=401, method="GET", url="u")


def play(room: Room, item_id: int = 1, first: int = 0, last: int = 4) -> None:
    for name, payload in messages(item_id)[first:last]:
        room.link.push(name, payload)


async def finish(room: Room, item_id: int = 1, status: str = "completed") -> None:
    room.queue.put(item_id, status=status)
    room.link.push("queue_item_status_changed", status_payload(status, item_id))
    await asyncio.sleep(1)


# Submissions.


@in_virtual_time
async def test_a_run_is_followed_from_its_submission_on() -> None:
    link, queue = Link(), QueueServer()
    tracker = tracker_on(queue, VirtualEngine(), link)
    first = await tracker.submissions.submit("default", {"batch": {"graph": GRAPH, "runs": 1}})
    assert await tracker.attacher.attach_if_there("default", first.state.batch_id) is first
    for name, payload in messages(1, first.state.batch_id):
        link.push(name, payload)
    assert (await tracker.wait(first, seconds=0)).status == "completed"
    # A later run of the same graph is known to be the same kind of work.
    second = await tracker.submissions.submit("default", {"batch": {"graph": GRAPH, "runs": 1}})
    batches = [run.state.batch_id for run in (first, second)]
    assert tracker.workloads.of(batches[0]) == tracker.workloads.of(batches[1]) is not None


# Waits.


@in_virtual_time
async def test_a_wait_returns_the_run_as_it_has_ended() -> None:
    room = Room()
    run = await room.attach(1)
    waits = [asyncio.create_task(room.tracker.wait(run, seconds=None)) for _ in range(2)]
    await settle()
    await finish(room)
    assert [(await wait).status for wait in waits] == ["completed"] * 2
    assert (await room.tracker.wait(run, seconds=0)).status == "completed"


@pytest.mark.parametrize("seconds", [0, 3.5])
@in_virtual_time
async def test_a_wait_that_times_out_leaves_the_run_as_it_is(seconds: float) -> None:
    room = Room()
    run = await room.attach(1)
    began = now()
    with pytest.raises(TimeoutError):
        await room.tracker.wait(run, seconds=seconds)
    assert now() - began == pytest.approx(seconds)
    assert (run.waiters, run.pollings, run.is_over, room.listener.router.is_followed(run)) == (set(), [], False, True)


@in_virtual_time
async def test_a_wait_raises_what_ended_it_each_one_an_error_of_its_own() -> None:
    room = Room()
    run = await room.attach(1)
    waits = [asyncio.create_task(room.tracker.wait(run, seconds=None)) for _ in range(2)]
    await settle()
    await room.link.drop(DENIED)
    await asyncio.sleep(10)
    waits.append(asyncio.create_task(room.tracker.wait(run, seconds=0)))
    failures = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(failure) for failure in failures] == [AuthenticationError] * 3
    assert len({*map(id, failures), id(run.failure)}) == 4


@in_virtual_time
async def test_a_wait_in_a_forked_child_subscribes_again() -> None:
    room = Room()
    run = await room.attach(1)
    room.engine.forks += 1
    waiting = asyncio.create_task(room.tracker.wait(run, seconds=None))
    await settle()
    assert len(room.link.connections) == 2
    await finish(room)
    assert (await waiting).status == "completed"


@pytest.mark.parametrize(
    ("pauses", "asked_at"), [((), [2, 4, 6, 8]), ((5.0,), [5]), ((1.0, 3.0), [1, 4, 7]), ((0.5, 4.0), [0.5, 4.5, 8.5])]
)
@in_virtual_time
async def test_without_a_socket_the_server_is_asked_as_often_as_the_wait_wants(
    pauses: tuple[float, ...], asked_at: list[float]
) -> None:
    room = Room(Settings(transport="polling"))
    run = await room.attach(1)
    began, before = now(), len(room.queue.asked("item_summaries_by_ids"))
    with pytest.raises(TimeoutError):
        await room.tracker.wait(run, seconds=9, pauses=pauses)
    assert len(room.queue.asked("item_summaries_by_ids")) - before == len(asked_at)
    assert run.checked_at - began == pytest.approx(asked_at[-1], abs=0.5)
    # From then on the run is asked about as if it had never been waited for.
    assert run.pollings == []


@in_virtual_time
async def test_a_poll_interval_ends_with_its_wait() -> None:
    room = Room(Settings(transport="polling"))
    run = await room.attach(1)
    with pytest.raises(TimeoutError):
        await room.tracker.wait(run, seconds=1, pauses=(0.1,))
    before = len(room.queue.asked("item_summaries_by_ids"))
    await asyncio.sleep(10)
    assert len(room.queue.asked("item_summaries_by_ids")) - before <= 6


# Watchers of a run.


@pytest.mark.parametrize("pauses", [(), (3.0,)])
@in_virtual_time
async def test_who_watches_is_woken_after_each_change_of_a_run(pauses: tuple[float, ...]) -> None:
    room = Room()
    run, woken = await room.attach(1), list[str]()
    play(room, last=1)
    async with room.tracker.watching(run, lambda: woken.append([*run.history][-1].type), seconds=None, pauses=pauses):
        assert [polling.pause for polling in run.pollings] == list(pauses or (2.0,))
        play(room, first=1, last=2)
    play(room, first=2)
    assert woken == ["invocation_started"]
    assert (run.wakers, run.pollings) == ((), [])


@in_virtual_time
async def test_a_run_that_is_over_is_watched_without_a_request() -> None:
    room = Room()
    run = await room.attach(1, status="completed")
    room.engine.forks += 1
    async with room.tracker.watching(run, lambda: None, seconds=None, pauses=()):
        pass
    mailbox = Mailbox[Event]()
    await room.tracker.stream(run, mailbox)
    assert mailbox.is_closed
    assert len(room.link.connections) == 1


@in_virtual_time
async def test_a_watcher_subscribes_again_in_a_forked_child() -> None:
    room = Room()
    run = await room.attach(1)
    room.engine.forks += 1
    async with room.tracker.watching(run, lambda: None, seconds=None, pauses=()):
        assert len(room.link.connections) == 2


@in_virtual_time
async def test_a_subscription_takes_no_longer_than_the_wait_that_needs_it() -> None:
    room = Room()
    run = await room.attach(1)

    room.engine.forks += 1
    room.link.is_hanging = True
    began = now()
    async with asyncio.timeout(20), room.tracker.watching(run, lambda: None, seconds=1.0, pauses=()):
        assert now() - began == pytest.approx(1.0)


# Streams of a run.


@in_virtual_time
async def test_a_stream_has_a_runs_events_from_its_start_to_its_end() -> None:
    room = Room()
    run, mailbox = await room.attach(1), Mailbox[Event]()
    failure = await room.tracker.stream(run, mailbox)
    await finish(room)
    assert mailbox.is_closed
    assert types_in(mailbox)[-1] == "session_complete"
    assert failure() is None


@in_virtual_time
async def test_a_stream_of_one_item_ends_with_that() -> None:
    room = Room()
    room.queue.put(1, 2, status="in_progress")
    run, mailbox = await room.tracker.attacher.attach("default", batch_id="b"), Mailbox[Event]()
    await room.tracker.stream(run, mailbox, item_id=2)
    await finish(room, 2)
    assert (mailbox.is_closed, run.is_over) == (True, False)
    assert {event.get("item_id") for event in taken(mailbox)} == {2}


@in_virtual_time
async def test_a_stream_tells_why_it_ended_early() -> None:
    room = Room()
    run, mailbox = await room.attach(1), Mailbox[Event]()
    failure = await room.tracker.stream(run, mailbox)
    await room.engine.aclose()
    assert mailbox.is_closed
    told = [failure(), failure()]
    assert [type(error) for error in told] == [ClientClosedError] * 2
    assert len({*map(id, told), id(run.failure)}) == 3


@in_virtual_time
async def test_a_stream_in_a_forked_child_subscribes_again() -> None:
    room = Room()
    run = await room.attach(1)
    room.engine.forks += 1
    await room.tracker.stream(run, Mailbox[Event]())
    assert [connection.queues for connection in room.link.connections] == [["default"]] * 2


# Queues.


@in_virtual_time
async def test_a_watcher_of_a_queue_is_notified_of_it_until_it_leaves() -> None:
    room, told, others = Room(), list[Event](), list[Event]()
    leave = await room.tracker.watch_queue("default", told.extend)
    await room.tracker.watch_queue("other", others.extend)
    play(room, last=1)
    leave()
    leave()
    play(room, first=1)
    assert [event.type for event in told] == ["queue_item_status_changed"]
    assert others == []


@in_virtual_time
async def test_a_queue_is_streamed_whoever_submits() -> None:
    room, events, changes = Room(), Mailbox[Event](), Mailbox[Event]()
    await room.tracker.stream_queue("default", events)
    await room.tracker.stream_queue("default", changes, only_changes=True)
    play(room)
    assert types_in(events) == [name for name, _ in messages(1)]
    assert [event["status"] for event in taken(changes)] == ["in_progress", "completed"]
    await room.link.drop()
    await room.link.restore()
    assert types_in(events) == types_in(changes) == ["reconnected"]


@in_virtual_time
async def test_a_bulk_cancel_is_reported_item_by_item_to_who_wants_changes() -> None:
    room, events, changes = Room(), Mailbox[Event](), Mailbox[Event]()
    await room.attach(1)
    await room.tracker.stream_queue("default", events)
    await room.tracker.stream_queue("default", changes, only_changes=True)
    room.link.push("queue_items_canceled", {"queue_id": "default", "canceled_item_ids": [1, 2]})
    assert types_in(events) == ["queue_items_canceled"]
    assert [(event["item_id"], event["batch_id"]) for event in taken(changes)] == [(1, "b"), (2, "")]


@in_virtual_time
async def test_progress_in_a_queue_gives_way_to_newer_progress() -> None:
    room, events = Room(), Mailbox[Event](capacity=1)
    await room.tracker.stream_queue("default", events)
    for percentage in (0.25, 0.5):
        room.link.push("invocation_progress", node_payload(1, percentage=percentage, message=""))
    assert [event["progress_percentage"] for event in taken(events)] == [50]
    assert (events.coalesced, events.dropped) == (1, 0)


@in_virtual_time
async def test_a_stream_of_a_queue_that_is_left_costs_nothing_more() -> None:
    room, events = Room(), Mailbox[Event]()
    failure = await room.tracker.stream_queue("default", events)
    events.close()
    await settle()
    await room.engine.aclose()
    assert failure() is None
    of_no_use = weakref.ref(events)
    del events, failure
    gc.collect()
    assert of_no_use() is None


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (lambda room: room.engine.aclose(), ClientClosedError),
        (lambda room: room.link.drop(DENIED), AuthenticationError),
    ],
)
@in_virtual_time
async def test_a_stream_of_a_queue_tells_why_it_ended(
    end: Callable[[Room], asyncio.Future[None]], kind: type[InvokeAIError]
) -> None:
    room, events = Room(), Mailbox[Event]()
    failure = await room.tracker.stream_queue("default", events)
    assert failure() is None
    await end(room)
    if kind is AuthenticationError:
        await asyncio.sleep(60)
    assert events.is_closed
    told = [failure(), failure()]
    assert [type(error) for error in told] == [kind] * 2
    assert told[0] is not told[1]


@in_virtual_time
async def test_a_queue_cannot_be_streamed_without_a_socket() -> None:
    room = Room(Settings(transport="polling"))
    with pytest.raises(SettingsError, match="polling") as caught:
        await room.tracker.stream_queue("default", Mailbox())
    assert caught.value.setting == "transport"


@in_virtual_time
async def test_a_queue_of_a_server_that_cannot_be_reached_is_an_error_at_once() -> None:
    for failure in (AWAY, ForbiddenError("no", status=403, method="GET", url="u")):
        room, events = Room(), Mailbox[Event]()
        room.link.failure = OSError("away")
        room.queue.failures = [failure]
        with pytest.raises(type(failure)):
            await room.tracker.stream_queue("default", events)
        await room.engine.aclose()
        assert not events.is_closed, "it was left"


@in_virtual_time
async def test_a_queue_is_streamed_before_the_socket_is_open_if_the_server_answers() -> None:
    room, events = Room(), Mailbox[Event]()
    room.link.failure = OSError("away")
    await room.tracker.stream_queue("default", events)
    assert len(room.queue.asked("status")) == 1
    await room.link.restore()
    play(room, last=1)
    assert types_in(events) == ["reconnected", "queue_item_status_changed"]
    # With a socket nothing needs to be asked.
    await room.tracker.stream_queue("default", Mailbox())
    assert len(room.queue.asked("status")) == 1


# Who has canceled.


def cancel(room: Room, runs: list[TrackedRun]) -> None:
    """Cancel runs, with a request that succeeds at once."""
    with room.tracker.canceling(runs):
        pass


async def three_runs(room: Room) -> list[TrackedRun]:
    """Follow a batch with a running and a pending item, one of those by itself, and a batch of another destination."""
    room.queue.put(1, status="in_progress", destination="here")
    room.queue.put(2, status="pending", destination="here")
    room.queue.put(3, status="in_progress", batch_id="c", destination="there")
    attach = room.tracker.attacher.attach
    return [
        await attach("default", batch_id="b"),
        await attach("default", item_id=2),
        await attach("default", batch_id="c"),
    ]


@pytest.mark.parametrize(
    ("ask", "by_client"),
    [
        (lambda room, runs: cancel(room, [runs[0]]), {("whole", 1), ("whole", 2)}),
        (lambda room, runs: cancel(room, [runs[1]]), {("single", 2)}),
        (lambda room, runs: room.tracker.cancel_of_item_asked(2), {("whole", 2), ("single", 2)}),
        (lambda room, runs: room.tracker.cancel_of_item_asked(99), set()),
        (
            lambda room, runs: room.tracker.cancel_of_pending_asked("default"),
            {("whole", 2), ("single", 2)},
        ),
        (
            lambda room, runs: cancel(room, room.tracker.runs_of("default")),
            {("whole", 1), ("whole", 2), ("single", 2), ("other", 3)},
        ),
        (lambda room, runs: cancel(room, room.tracker.runs_of("other")), set()),
        (lambda room, runs: cancel(room, room.tracker.runs_of("default", "there")), {("other", 3)}),
        (
            lambda room, runs: cancel(room, room.tracker.runs_of("default", "here")),
            {("whole", 1), ("whole", 2), ("single", 2)},
        ),
        (lambda room, runs: cancel(room, room.tracker.runs_of("other", "here")), set()),
    ],
)
@in_virtual_time
async def test_items_that_this_client_cancels_are_reported_as_canceled_by_it(
    ask: Callable[[Room, list[TrackedRun]], None], by_client: set[tuple[str, int]]
) -> None:
    room = Room()
    runs = await three_runs(room)
    ask(room, runs)
    for item_id, batch_id in ((1, "b"), (2, "b"), (3, "c")):
        room.queue.put(item_id, status="canceled", batch_id=batch_id)
        room.link.push("queue_item_status_changed", status_payload("canceled", item_id, batch_id))
    await asyncio.sleep(1)
    seen = {
        (name, item_id)
        for name, run in zip(("whole", "single", "other"), runs, strict=True)
        for item_id, item in run.state.items.items()
        if item.view.canceled_by == "client"
    }
    assert seen == by_client
    assert all(run.is_over for run in runs)


@pytest.mark.parametrize(
    ("ask", "is_found_soon"),
    [
        (lambda room, run: cancel(room, [run]), True),
        (lambda room, run: cancel(room, room.tracker.runs_of("default")), True),
        (lambda room, run: None, False),
    ],
)
@in_virtual_time
async def test_a_run_that_is_canceled_is_asked_about_soon_as_old_servers_push_nothing(
    ask: Callable[[Room, TrackedRun], None], is_found_soon: bool
) -> None:
    room = Room()
    run = await room.attach(1)
    ask(room, run)
    room.queue.put(1, status="canceled")
    await asyncio.sleep(2)
    assert run.is_over == is_found_soon
