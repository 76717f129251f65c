"""Runs that were submitted earlier, by this or another client, are followed as if they were this one's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.live import GRAPH, RESULT, FakeQueue, status_payload
from tests.support.queue_server import Exchange, QueueServer
from tests.support.tracking import Link, Room, tracker_on
from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import in_virtual_time

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import NotFoundError, TransportError
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.wire.call import Response

QUEUE = "default"


def fill(queue: FakeQueue) -> None:
    """Put three batches into it, of which "done" has ended, "begun" half, and "new" not at all."""
    queue.put(1, 2, status="completed", batch_id="done", destination="here", origin="mine")
    queue.put(3, status="completed", batch_id="begun", destination="here", origin="other")
    queue.put(4, status="in_progress", batch_id="begun", destination="here", origin="other")
    queue.put(5, 6, status="pending", batch_id="new", destination="there", origin="mine")


def facts(run: TrackedRun) -> tuple[str, list[int], int]:
    view = run.state.view()
    return view.status, [*run.state.items], len(view.outputs)


@pytest.mark.parametrize(
    ("batch_id", "known"),
    [
        ("done", ("completed", [1, 2], 2)),
        ("begun", ("in_progress", [3, 4], 1)),
        ("new", ("pending", [5, 6], 0)),
    ],
)
@pytest.mark.parametrize("with_others", [False, True])
@in_virtual_time
async def test_all_of_a_batch_is_known_when_it_is_attached(
    batch_id: str, known: tuple[str, list[int], int], with_others: bool
) -> None:
    room = Room()
    fill(room.queue)
    if with_others:
        run = (await room.tracker.attacher.attach_many(QUEUE))[batch_id]
    else:
        run = await room.tracker.attacher.attach(QUEUE, batch_id=batch_id)
    assert facts(run) == known
    assert run.destination == room.queue.items[known[1][0]].destination
    assert run.state.graph is not None, "the shape of the graph is what progress is estimated by"
    assert room.listener.router.is_followed(run) == (batch_id != "done")
    if batch_id != "done":
        assert await room.tracker.attacher.attach(QUEUE, batch_id=batch_id) is run
        assert (await room.tracker.attacher.attach_many(QUEUE))[batch_id] is run
        asked = len(room.queue.requests)
        assert await room.tracker.attacher.attach_if_there(QUEUE, batch_id) is run
        assert len(room.queue.requests) == asked


@in_virtual_time
async def test_progress_of_a_batch_with_an_ended_item_is_known() -> None:
    room = Room()
    fill(room.queue)
    run = await room.tracker.attacher.attach(QUEUE, batch_id="begun")
    assert run.state.view().progress_percentage == 50


@pytest.mark.parametrize("named", [{"item_id": 4}, {"session_id": "s-4"}])
@in_virtual_time
async def test_one_item_of_a_batch_is_a_run_of_its_own(named: dict[str, Any]) -> None:
    room = Room()
    fill(room.queue)
    run = await room.tracker.attacher.attach(QUEUE, **named)
    assert facts(run) == ("in_progress", [4], 0)
    assert run.state.view().session_id == "s-4"
    room.link.push("queue_item_status_changed", status_payload("in_progress", 3, "begun"))
    assert [*run.state.items] == [4]
    whole = await room.tracker.attacher.attach(QUEUE, batch_id="begun")
    assert whole is not run
    assert facts(whole) == ("in_progress", [3, 4], 1)
    room.queue.put(4, status="completed", batch_id="begun")
    room.link.push("queue_item_status_changed", status_payload("completed", 4, "begun"))
    await asyncio.sleep(1)
    assert (facts(run), facts(whole)) == (("completed", [4], 1), ("completed", [3, 4], 2))


@in_virtual_time
async def test_attached_runs_are_asked_about_until_their_events_are_complete() -> None:
    """They have gone on between the look at the queue and now, perhaps before the subscription."""
    for attach_many in (False, True):
        room = Room()
        fill(room.queue)
        run = (
            (await room.tracker.attacher.attach_many(QUEUE, batch_ids=["new"]))["new"]
            if attach_many
            else await room.tracker.attacher.attach(QUEUE, batch_id="new")
        )
        room.queue.put(5, 6, status="completed", batch_id="new")
        room.queue.requests.clear()
        await asyncio.sleep(0.5 if attach_many else 20)
        assert facts(run) == ("completed", [5, 6], 2)


@in_virtual_time
async def test_outputs_of_before_a_run_was_attached_are_known_at_its_end() -> None:
    room = Room()
    run = await room.attach(1)
    room.queue.put(1, status="canceled")
    session = room.queue.items[1].session
    session["results"] = dict.fromkeys(session["prepared_source_mapping"], RESULT)
    room.link.push("queue_item_status_changed", status_payload("canceled", 1))
    await asyncio.sleep(1)
    assert facts(run) == ("canceled", [1], 1)


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({}, ["done", "begun", "new"]),
        ({"destination": "here", "origin": "mine"}, ["done"]),
        ({"destination": "here"}, ["done", "begun"]),
        ({"origin": "mine"}, ["done", "new"]),
        ({"batch_ids": ["new", "gone", "done"]}, ["done", "new"]),
        ({"batch_ids": ["begun"], "origin": "mine"}, []),
        ({"batch_ids": []}, []),
    ],
)
@in_virtual_time
async def test_many_batches_are_found_by_all_criteria_together_in_their_order(
    criteria: dict[str, Any], found: list[str]
) -> None:
    room = Room()
    fill(room.queue)
    runs = await room.tracker.attacher.attach_many(QUEUE, **criteria)
    assert [*runs] == found
    assert [run.state.batch_id for run in runs.values()] == found
    assert len(room.queue.asked("item_summaries_by_ids")) == 1, "with one look at the queue"
    assert len(room.queue.asked("items_by_ids")) <= 1


@in_virtual_time
async def test_full_records_are_fetched_only_where_they_tell_more() -> None:
    room = Room()
    fill(room.queue)
    room.queue.put(7, status="pending", batch_id="begun")
    await room.tracker.attacher.attach_many(QUEUE)
    # Those that have ended, for their outputs, and else one of each batch, for its graph.
    assert {*room.queue.asked("items_by_ids")[0]} == {1, 2, 3, 5}


@in_virtual_time
async def test_batches_of_others_and_called_items_are_not_attached_unless_they_are_named() -> None:
    room = Room()
    room.queue.put(1, status="pending")
    room.queue.put(2, status="pending", batch_id="redacted")
    room.queue.put(3, status="in_progress", parent_item_id=1)
    runs = await room.tracker.attacher.attach_many(QUEUE)
    assert {batch_id: [*run.state.items] for batch_id, run in runs.items()} == {"b": [1]}


@pytest.mark.parametrize("named", [{"batch_id": "gone"}, {"item_id": 99}, {"session_id": "gone"}])
@in_virtual_time
async def test_what_the_queue_does_not_have_is_not_followed(named: dict[str, Any]) -> None:
    room = Room()
    fill(room.queue)
    with pytest.raises(NotFoundError):
        await room.tracker.attacher.attach(QUEUE, **named)
    assert [*room.listener.router.live()] == []


@in_virtual_time
async def test_a_failure_while_attaching_leaves_nothing_followed() -> None:
    for failing in range(3):
        room = Room()
        fill(room.queue)
        await room.listener.start(QUEUE)
        room.queue.failures = [*[None] * failing, TransportError("away", url="u", method="GET")]
        with pytest.raises(TransportError):
            await room.tracker.attacher.attach(QUEUE, batch_id="begun")
        assert [*room.listener.router.live()] == []


@in_virtual_time
async def test_a_batch_is_attached_if_the_queue_has_it() -> None:
    room = Room()
    fill(room.queue)
    assert await room.tracker.attacher.attach_if_there(QUEUE, "gone") is None
    assert [*room.listener.router.live()] == []
    run = await room.tracker.attacher.attach_if_there(QUEUE, "done")
    assert run is not None
    assert facts(run) == ("completed", [1, 2], 2)


@in_virtual_time
async def test_a_batch_of_the_same_id_in_another_queue_is_looked_for() -> None:
    room = Room()
    fill(room.queue)
    await room.tracker.attacher.attach(QUEUE, batch_id="begun")
    attacher = room.tracker.attacher
    for attach in (attacher.attach_if_there("other", "begun"), attacher.attach("other", batch_id="begun")):
        with pytest.raises(AssertionError, match="other"):
            # The queue in memory knows "default" only: that it is asked is what matters.
            await attach


@in_virtual_time
async def test_batches_of_the_same_id_in_two_queues_are_runs_of_their_own() -> None:
    room = Room()
    room.queue.put(1, status="in_progress")
    await room.listener.start(QUEUE)
    elsewhere = room.listener.router.follow(RunState("b", "other", GRAPH))
    run = (await room.tracker.attacher.attach_many(QUEUE))["b"]
    assert run is not elsewhere
    assert run.state.queue_id == QUEUE
    assert await room.tracker.attacher.attach(QUEUE, batch_id="b") is run


@pytest.mark.parametrize("is_given_up", [False, True])
@pytest.mark.parametrize("with_others", [False, True])
def test_a_batch_that_is_being_attached_is_given_to_nobody_yet(with_others: bool, is_given_up: bool) -> None:
    @in_virtual_time
    async def test() -> None:
        server = QueueServer()
        tracker = tracker_on(server, VirtualEngine(), Link())
        (item_id,) = server.add("mine")

        async def slow(exchange: Exchange) -> Response:
            await asyncio.sleep(5)
            return await exchange.carry_out()

        server.next("item_summaries_by_ids", slow)
        first = asyncio.create_task(tracker.attacher.attach(QUEUE, batch_id="mine"))
        await asyncio.sleep(1)

        async def attach() -> TrackedRun:
            if with_others:
                return (await tracker.attacher.attach_many(QUEUE))["mine"]
            return await tracker.attacher.attach(QUEUE, batch_id="mine")

        second = asyncio.create_task(attach())
        await asyncio.sleep(1)
        if is_given_up:
            first.cancel()
        run = await second
        assert [*run.state.items] == [item_id]
        assert first.cancelled() if is_given_up else await first is run
        server.finish(item_id)
        assert (await tracker.wait(run, seconds=3600)).status == "completed"

    test()


@in_virtual_time
async def test_looking_at_an_item_again_and_again_follows_one_run() -> None:
    room = Room()
    fill(room.queue)
    run = await room.tracker.attacher.attach(QUEUE, item_id=5)
    room.queue.put(5, status="in_progress", batch_id="new")
    for named in ({"item_id": 5}, {"session_id": "s-5"}):
        assert await room.tracker.attacher.attach(QUEUE, **named) is run
    assert run.state.view().status == "in_progress", "each look asks the server"
    other = await room.tracker.attacher.attach(QUEUE, item_id=6)
    assert [*room.listener.router.live()] == [run, other]


@pytest.mark.parametrize("named", [{"item_id": "318"}, {"item_id": True}, {"batch_id": 318}, {"session_id": 3}, {}])
def test_ids_of_a_wrong_type_are_refused_before_the_server_is_asked(named: dict[str, Any]) -> None:
    with (
        InvokeAIClient.from_url("http://127.0.0.1:9") as client,
        pytest.raises(TypeError, match=next(iter(named), "exactly one")),
    ):
        client.run(**named)
