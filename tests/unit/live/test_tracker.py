"""Runs that are followed, waited for and taken up again, on a scripted server."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.live import tracked
from tests.support.scripted_server import WORKFLOW, ScriptedServer, invocation, status, whole_story

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle, errors


async def complete(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    server.finish(item_id)
    await server.play_all(whole_story(item_id, batch_id))


async def never(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    pass


def handle(client: InvokeAIClient) -> WorkflowHandle:
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))


def test_a_finished_batch_is_known_when_it_is_taken_up() -> None:
    with ScriptedServer(complete) as server, InvokeAIClient.from_url(server.url) as client:
        begun = handle(client).submit_sync(runs=120)
        begun.wait(30)
        with InvokeAIClient.from_url(server.url) as other:
            again = other.run(batch_id=begun.batch_id)
            assert (again.status, again.progress, again.item_ids) == ("completed", 100, begun.item_ids)
            assert [output.item_id for output in again.item.outputs] == [*begun.item_ids]
            assert again.session_ids == begun.session_ids
            # Two for the summaries, of the queue and of the batch, and three for the records, in fifties.
            assert other.stats().requests["POST queue"] == {"200": 5}
            assert other.run(begun.item_ids[-1]).status == "completed"


def test_a_batch_that_is_still_running_is_known_item_by_item_when_it_is_taken_up() -> None:
    async def first_only(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        if item_id == 1:
            await complete(server, item_id, batch_id)

    with ScriptedServer(first_only) as server, InvokeAIClient.from_url(server.url) as client:
        begun = handle(client).submit_sync(runs=2)
        with begun.stream() as events:
            next(event for event in events if event.type == "session_complete")
        with InvokeAIClient.from_url(server.url) as other:
            again = other.run(batch_id=begun.batch_id)
            assert (again.status, again.progress, len(again.item.outputs)) == ("in_progress", 50, 1)
            server.do(complete(server, 2, begun.batch_id))
            assert again.wait(30).status == "completed"


async def completes_the_first_item_of_each_batch(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    if not any(item["batch_id"] == batch_id for other, item in server.items.items() if other < item_id):
        await complete(server, item_id, batch_id)


def test_many_batches_are_taken_up_by_all_criteria_together() -> None:
    with (
        ScriptedServer(completes_the_first_item_of_each_batch) as server,
        InvokeAIClient.from_url(server.url) as client,
    ):
        wf = handle(client)
        places = [("here", "mine"), ("here", "other"), ("there", "mine")]
        one, two, three = (
            wf.submit_sync(runs=2, destination=destination, origin=origin) for destination, origin in places
        )
        for run in (one, two, three):
            with run.stream() as events:
                next(event for event in events if event.type == "session_complete")
        with InvokeAIClient.from_url(server.url) as other:
            assert [*other.runs(destination="here", origin="mine")] == [one.batch_id]
            assert [*other.runs(destination="here")] == [one.batch_id, two.batch_id]
            assert [*other.runs(origin="mine")] == [one.batch_id, three.batch_id]
            assert [*other.runs([two.batch_id, "gone"])] == [two.batch_id]
            assert [*other.runs([two.batch_id], origin="mine")] == []
        with InvokeAIClient.from_url(server.url) as other:
            found = other.runs([three.batch_id, one.batch_id])
            assert [*found] == [one.batch_id, three.batch_id]
            again = found[three.batch_id]
            assert (again.status, again.progress, again.item_ids) == ("in_progress", 50, three.item_ids)
            assert [output.item_id for output in again.item.outputs] == [three.item_ids[0]]
            assert tracked(other.runs([three.batch_id])[three.batch_id].aio) is tracked(again.aio), (
                "it is followed already"
            )
            server.do(complete(server, three.item_ids[1], three.batch_id))
            assert again.wait(30).status == "completed"


@pytest.mark.parametrize("named", [{"item_id": "318"}, {"item_id": True}, {"batch_id": 318}, {"session_id": 3}, {}])
def test_ids_of_a_wrong_type_are_refused_before_the_server_is_asked(named: dict[str, Any]) -> None:
    with (
        InvokeAIClient.from_url("http://127.0.0.1:9") as client,
        pytest.raises(TypeError, match=next(iter(named), "exactly one")),
    ):
        client.run(**named)


def test_a_poll_interval_ends_with_its_wait() -> None:
    with ScriptedServer(never) as server, InvokeAIClient.from_url(server.url, transport="polling") as client:
        run = handle(client).submit_sync()
        for progress_callback in (None, lambda item: None):
            with pytest.raises(errors.RunTimeout):
                run.wait(0.05, poll_interval=0.01, progress_callback=progress_callback)
            assert tracked(run.aio).pollings == []
        assert client.stats().requests["POST queue"]["200"] > 3


def test_two_runs_on_one_item_have_events_of_their_own() -> None:
    """The second one begins when the first is far ahead."""

    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        await server.play_all(whole_story(item_id, batch_id)[:4])

    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        first = handle(client).submit_sync()
        with first.stream() as events:
            seen = [event for _, event in zip(range(4), events, strict=False)]
            told = [(event.type, event.get("overall_percentage"), event.get("step")) for event in seen]
            second = client.run(first.item_id)
            server.finish(1)
            server.do(server.play_all(whole_story(1, first.batch_id)[4:]))
            assert [first.wait(30).status, second.wait(30).status] == ["completed", "completed"]
            assert [(event.type, event.get("overall_percentage"), event.get("step")) for event in seen] == told
        stories = [[event for event in run.events if event.type == "generator_progress"] for run in (first, second)]
        assert not {*map(id, stories[0])} & {*map(id, stories[1])}
        percentages = [event["overall_percentage"] for event in stories[0]]
        assert percentages == sorted(percentages)


@pytest.fixture
def eager_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_handle_is_searched_for_a_session_while_it_submits(eager_switches: None) -> None:
    with ScriptedServer(never) as server, InvokeAIClient.from_url(server.url) as client:
        wf = handle(client)
        wf.submit_sync()
        faults: list[Exception] = []
        submitted = threading.Event()

        def search() -> None:
            while not submitted.is_set():
                try:
                    wf.stream_events("no such session")
                except errors.NotSubmittedError:
                    continue
                except Exception as error:
                    faults.append(error)
                    return

        searcher = threading.Thread(target=search)
        searcher.start()
        try:
            runs = [wf.submit_sync() for _ in range(100)]
        finally:
            submitted.set()
            searcher.join(10)
        assert faults == []
        assert len(runs) == 100


def test_a_cancel_in_bulk_is_asked_about_at_once() -> None:
    async def cancel(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        await server.play_all([status(item_id, batch_id, "in_progress", 1), invocation("invocation_started", 1, "x")])
        server.finish(item_id, "canceled")
        await server.emit("queue_items_canceled", {"queue_id": "default", "canceled_item_ids": [item_id]})

    with ScriptedServer(cancel) as server, InvokeAIClient.from_url(server.url) as client:
        assert handle(client).submit_sync().wait(10).status == "canceled"


async def test_of_many_submissions_a_few_are_sent_at_once() -> None:
    with ScriptedServer(complete) as server, InvokeAIClient.from_url(server.url) as client:
        wf = handle(client)
        runs = await asyncio.gather(*(wf.submit() for _ in range(50)))
        ends = await asyncio.gather(*(run.aio.wait(30) for run in runs))
        assert {end.status for end in ends} == {"completed"}
        assert sorted(run.item_id for run in runs) == [*range(1, 51)]
        assert server.most_enqueuing == 2
