"""Events put into the mailboxes of their readers: of a run, of one of its items, of some types, and of a queue."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.support.live import GRAPH, RESULT, dispatch, messages, node_payload, status_payload
from tests.support.tracking import settle, taken, types_in
from tests.support.virtual_time import in_virtual_time

from invokeai_py_client.errors import ClientClosedError
from invokeai_py_client.live.event_delivery import QueueStreams, coalescing_key, on_this_loop, tell
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.runtime.mailbox import Mailbox
from invokeai_py_client.wire.events import Event, Reconnected, decode

STORY = [
    "queue_item_status_changed",
    "invocation_started",
    "invocation_complete",
    "queue_item_status_changed",
    "session_complete",
]


class Stage:
    """A run of some items whose events the test sends."""

    def __init__(self, *item_ids: int) -> None:
        self.router = Router(followed=lambda run: None, bulk_change=lambda event: None, needs_requests=lambda: None)
        self.run: TrackedRun = self.router.follow(RunState("b", "default", GRAPH))
        self.run.state.enqueued(item_ids or [1])

    def play(self, item_id: int = 1, first: int = 0, last: int = 4) -> None:
        for name, payload in messages(item_id)[first:last]:
            dispatch(self.router, name, payload)


@pytest.mark.parametrize("played_before", range(5))
@in_virtual_time
async def test_a_reader_gets_the_whole_story_whenever_it_begins(played_before: int) -> None:
    stage, mailbox = Stage(), Mailbox[Event]()
    stage.play(last=played_before)
    tell(stage.run, mailbox, closes=True)
    assert mailbox.is_closed == (played_before == 4)
    stage.play(first=played_before)
    assert mailbox.is_closed
    assert types_in(mailbox) == STORY
    assert stage.run.watchers == ()


@in_virtual_time
async def test_a_mailbox_of_many_runs_stays_open_when_one_of_them_ends() -> None:
    mailbox = Mailbox[Event]()
    for _ in range(2):
        stage = Stage()
        tell(stage.run, mailbox)
        assert len(stage.run.watchers) == 1
        stage.play()
        assert not stage.run.watchers
    ended = Stage()
    ended.play()
    tell(ended.run, mailbox)
    assert not mailbox.is_closed
    assert types_in(mailbox) == STORY * 3


@pytest.mark.parametrize("begins_late", [False, True])
@in_virtual_time
async def test_a_reader_of_one_item_gets_its_events_alone_and_ends_with_it(begins_late: bool) -> None:
    stage, mailbox = Stage(1, 2), Mailbox[Event]()
    if not begins_late:
        tell(stage.run, mailbox, item_id=1, closes=True)
    stage.play(2, last=2)
    stage.play(1)
    if begins_late:
        tell(stage.run, mailbox, item_id=1, closes=True)
    assert mailbox.is_closed
    assert not stage.run.is_over
    assert [(event.type, event["item_id"]) for event in taken(mailbox)] == [(name, 1) for name in STORY]
    # The next event notices that the reader is gone.
    stage.play(2, first=2)
    assert stage.run.watchers == ()


@in_virtual_time
async def test_what_is_of_no_item_is_reported_to_the_readers_of_each() -> None:
    stage, mailbox = Stage(), Mailbox[Event]()
    tell(stage.run, mailbox, item_id=1)
    stage.router.apply(stage.run, [Reconnected(queue_id="default", seconds=1.0)])
    assert types_in(mailbox) == ["reconnected"]


@pytest.mark.parametrize("types", [{"session_complete"}, ["invocation_complete", "invocation_started"], []])
@pytest.mark.parametrize("begins_late", [False, True])
@in_virtual_time
async def test_a_reader_gets_the_types_that_it_wants(types: list[str], begins_late: bool) -> None:
    stage, mailbox = Stage(), Mailbox[Event]()
    if not begins_late:
        tell(stage.run, mailbox, types=types, closes=True)
    stage.play()
    if begins_late:
        tell(stage.run, mailbox, types=types, closes=True)
    assert mailbox.is_closed
    assert types_in(mailbox) == [name for name in STORY if name in types]


@in_virtual_time
async def test_a_failure_of_the_run_ends_its_readers() -> None:
    stage = Stage()
    stream, others = Mailbox[Event](), Mailbox[Event]()
    tell(stage.run, stream, closes=True)
    tell(stage.run, others)
    stage.run.fail(ClientClosedError("closed"))
    assert (stream.is_closed, others.is_closed) == (True, False)
    assert stage.run.watchers == ()
    late = Mailbox[Event]()
    tell(stage.run, late, item_id=1, closes=True)
    assert late.is_closed


@in_virtual_time
async def test_a_reader_that_leaves_is_unwatched_at_once() -> None:
    stage, mailbox = Stage(), Mailbox[Event]()
    tell(stage.run, mailbox, closes=True)
    thread = threading.Thread(target=mailbox.close)
    thread.start()
    thread.join(10)
    await settle()
    assert stage.run.watchers == ()


@in_virtual_time
async def test_a_handler_that_is_stopped_is_unwatched_with_the_next_event() -> None:
    stage, mailbox = Stage(), Mailbox[Event]()
    tell(stage.run, mailbox)
    mailbox.close()
    stage.play(last=1)
    assert stage.run.watchers == ()


@in_virtual_time
async def test_progress_gives_way_to_newer_progress_of_its_node_and_nothing_else_does() -> None:
    stage, mailbox = Stage(), Mailbox[Event](capacity=1)
    stage.play(last=2)
    tell(stage.run, mailbox)
    for percentage in (0.25, 0.5, 0.75):
        dispatch(stage.router, "invocation_progress", node_payload(1, percentage=percentage, message=""))
    stage.play(first=2)
    events = taken(mailbox)
    assert [event.type for event in events] == [*STORY[:2], "generator_progress", *STORY[2:]]
    assert events[2]["progress_percentage"] == 75
    assert mailbox.coalesced == 2
    assert mailbox.dropped == 0


@in_virtual_time
async def test_a_late_reader_gets_all_progress_however_small_its_mailbox_is() -> None:
    stage, mailbox = Stage(), Mailbox[Event](capacity=1)
    for percentage in (0.25, 0.5, 0.75):
        dispatch(stage.router, "invocation_progress", node_payload(1, percentage=percentage, message=""))
    tell(stage.run, mailbox)
    assert [event["progress_percentage"] for event in taken(mailbox)] == [25, 50, 75]


def test_only_progress_of_the_same_node_of_the_same_item_has_the_same_key() -> None:
    def key(item_id: int, node_id: str) -> object:
        return coalescing_key(decode("invocation_progress", node_payload(item_id, node_id=node_id, message="")))

    assert key(1, "a") is not None
    assert key(1, "a") == key(1, "a")
    assert len({key(1, "a"), key(2, "a"), key(1, "b")}) == 3
    assert coalescing_key(decode("invocation_complete", node_payload(1, result=RESULT))) is None
    assert coalescing_key(decode("queue_item_status_changed", status_payload("failed", 1))) is None


def test_the_end_of_queue_streams_is_reported_to_each_that_is_still_read() -> None:
    streams = QueueStreams()
    mailboxes = [Mailbox[Event]() for _ in range(3)]
    read, left, also_read = (streams.add(mailbox) for mailbox in mailboxes)
    streams.remove(mailboxes[1])
    streams.remove(mailboxes[1])
    failure = ClientClosedError("closed")
    streams.end(failure)
    assert (read, left, also_read) == ([failure], [], [failure])
    assert [mailbox.is_closed for mailbox in mailboxes] == [True, False, True]
    streams.end(ClientClosedError("closed again"))
    assert read == [failure]


def test_queue_streams_of_a_parent_process_are_left_alone() -> None:
    streams, mailbox = QueueStreams(), Mailbox[Event]()
    failures = streams.add(mailbox)
    streams.clear()
    streams.end(ClientClosedError("closed"))
    assert (failures, mailbox.is_closed) == ([], False)


@in_virtual_time
async def test_a_function_of_a_loop_is_called_there_from_any_thread() -> None:
    threads: list[int] = []
    call = on_this_loop(lambda: threads.append(threading.get_ident()))
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(10)
    assert threads == []
    await settle()
    assert threads == [threading.get_ident()]


def test_a_function_of_a_loop_that_has_ended_is_not_called() -> None:
    calls: list[int] = []

    async def make() -> object:
        return on_this_loop(lambda: calls.append(1))

    call = asyncio.run(make())
    assert callable(call)
    call()
    assert calls == []
