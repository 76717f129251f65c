"""Asynchronous, streaming and hybrid runs on the real server."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.documents import edge, node
from tests.faults.proxy import FaultProxy

from invokeai_py_client import InvokeAIClient, QueueItem, Run, WorkflowDefinition, WorkflowHandle, errors
from invokeai_py_client.local import LocalServer
from invokeai_py_client.wire.events import Event, GeneratorProgress
from invokeai_py_client.workflow_handle import AsyncWorkflowHandle


def handle(client: InvokeAIClient, document: dict[str, Any], **values: Any) -> WorkflowHandle:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
    for shown in wf.inputs:
        if shown.field_name in values:
            shown.value = values[shown.field_name]
    return wf


def told(events: list[Event]) -> list[str]:
    """The types of events, each run of progress counted once."""
    types = [event.type for event in events]
    return [kind for place, kind in enumerate(types) if place == 0 or kind != types[place - 1]]


STORY = [
    "queue_item_status_changed",
    "invocation_started",
    "generator_progress",
    "invocation_complete",
    "queue_item_status_changed",
    "session_complete",
]


async def test_a_run_is_submitted_streamed_and_awaited(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep)
    submission = await wf.submit(subscribe_events=True)
    events = [event async for event in wf.stream_events(submission["session_id"])]
    assert told(events) == STORY
    steps = [event.step for event in events if isinstance(event, GeneratorProgress)]
    assert steps == [1, 2, 3, 4]
    assert [event["total_steps"] for event in events if isinstance(event, GeneratorProgress)] == [4] * 4
    assert (await wf.wait_for_completion(timeout=30)).status == "completed"


async def test_a_stream_asked_for_after_the_end_tells_the_same_story(
    client: InvokeAIClient, sleep: dict[str, Any]
) -> None:
    wf = handle(client, sleep)
    await wf.submit()
    early = asyncio.create_task(_all(wf))
    await wf.wait_for_completion(timeout=30)
    late = [event async for event in wf.stream_events()]
    assert late == await early
    assert [*wf.stream_events_sync()] == late
    assert told(late) == STORY


async def _all(wf: WorkflowHandle) -> list[Event]:
    return [event async for event in wf.stream_events()]


def test_a_stream_without_a_loop(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep)
    wf.submit_sync()
    assert told([*wf.stream_events_sync()]) == STORY


async def test_submit_sync_monitor_async(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep)
    assert told([event async for event in wf.submit_sync_monitor_async()]) == STORY


async def test_a_stream_may_be_left_early(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep, steps=8)
    run = await wf.submit()
    async for event in wf.stream_events():
        if event.type == "generator_progress":
            break
    gc.collect()
    assert (await run.aio.wait(30)).status == "completed"


async def test_handlers_see_each_event_in_order_before_the_wait_returns(
    client: InvokeAIClient, sleep: dict[str, Any]
) -> None:
    wf = handle(client, sleep)
    loop = asyncio.get_running_loop()
    seen: list[Event] = []
    plain: list[str] = []

    async def handler(event: Event) -> None:
        assert asyncio.get_running_loop() is loop
        await asyncio.sleep(0.01)
        seen.append(event)

    await wf.submit(subscribe_events=True)
    wf.on_event(handler)
    wf.on_event(lambda event: plain.append(event.type), types={"invocation_complete", "session_complete"})
    await wf.wait_for_completion(timeout=30)
    assert told(seen) == STORY
    assert plain == ["invocation_complete", "session_complete"]


def test_handlers_without_a_loop_are_called_in_the_thread_that_waits(
    client: InvokeAIClient, sleep: dict[str, Any]
) -> None:
    wf = handle(client, sleep)
    seen: list[tuple[int, Event]] = []
    awaited: list[str] = []

    async def handler(event: Event) -> None:
        awaited.append(event.type)

    stop = wf.on_event(lambda event: seen.append((threading.get_ident(), event)))
    wf.on_event(handler, types={"session_complete"})
    wf.submit_sync()
    wf.wait_for_completion_sync(timeout=30)
    assert {thread for thread, _ in seen} == {threading.get_ident()}
    assert told([event for _, event in seen]) == STORY
    assert awaited == ["session_complete"]
    stop()
    count = len(seen)
    wf.submit_sync()
    wf.wait_for_completion_sync(timeout=30)
    assert len(seen) == count


async def test_a_handler_that_raises_is_logged_once_and_hurts_nothing(
    client: InvokeAIClient, sleep: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    wf = handle(client, sleep)
    calls: list[str] = []

    def handler(event: Event) -> None:
        calls.append(event.type)
        raise RuntimeError("a user's mistake")

    wf.on_event(handler)
    await wf.submit()
    with caplog.at_level(logging.ERROR):
        assert (await wf.wait_for_completion(timeout=30)).status == "completed"
    assert len(calls) >= len(STORY)
    assert len([record for record in caplog.records if "a user's mistake" in (record.exc_text or "")]) == 1


async def test_many_handles_of_one_definition_at_once(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    definition = WorkflowDefinition.from_dict(sleep)
    handles = [await client.aio.workflow_repo.create_workflow(definition) for _ in range(20)]
    for n, wf in enumerate(handles):
        wf.set_many({"Steps": n % 3 + 1, "Seconds": 0.01})

    async def one(wf: AsyncWorkflowHandle) -> QueueItem:
        await wf.submit()
        return await wf.wait_for_completion(timeout=60)

    ends = await asyncio.gather(*(one(wf) for wf in handles))
    assert [end.status for end in ends] == ["completed"] * 20
    assert len({end.item_id for end in ends}) == 20


async def test_two_hundred_handles_share_one_websocket(server: LocalServer, sleep: dict[str, Any]) -> None:
    definition = WorkflowDefinition.from_dict(sleep)
    with FaultProxy(server.url) as proxy, InvokeAIClient.from_url(proxy.url) as client:
        handles = [await client.aio.workflow_repo.create_workflow(definition) for _ in range(200)]
        for wf in handles:
            wf.set_many({"Steps": 1, "Seconds": 0.0})
        before = client.stats().requests

        async def one(wf: AsyncWorkflowHandle) -> QueueItem:
            await wf.submit()
            return await wf.wait_for_completion(timeout=120)

        ends = await asyncio.gather(*(one(wf) for wf in handles))
        requests = {kind: sum(counts.values()) for kind, counts in client.stats().requests.items()}
        extra = sum(requests.values()) - sum(sum(counts.values()) for counts in before.values()) - 200
        assert [end.status for end in ends] == ["completed"] * 200
        assert len({end.item_id for end in ends}) == 200
        assert all(len(end.outputs) == 1 for end in ends)
        assert proxy.websockets_opened == 1
        assert extra < 10, requests


@pytest.mark.parametrize("scheduler", ["euler", "heun", "dpmpp_sde", "pndm"])
def test_no_step_counts_twice(client: InvokeAIClient, text_to_image: WorkflowDefinition, scheduler: str) -> None:
    wf = client.workflow_repo.create_workflow(text_to_image)
    wf.sync_dnn_model()
    denoise = next(node.id for node in text_to_image.nodes.values() if node.type == "denoise_latents")
    wf.inputs[denoise, "scheduler"].value = scheduler
    run = wf.submit_sync()
    run.result(timeout=60)
    steps = [event.step for event in run.stream() if isinstance(event, GeneratorProgress) and event.total_steps]
    assert steps == sorted(steps)
    assert [*dict.fromkeys(steps)] == [*range(9)]
    if scheduler != "pndm":  # which tells of nine points in time for eight steps
        assert len(steps) == 9


async def test_cancelling_a_wait_leaves_the_run_and_cancel_ends_it(
    client: InvokeAIClient, sleep: dict[str, Any]
) -> None:
    wf = handle(client, sleep, steps=100, seconds=30.0)
    run = await wf.submit()
    wait = asyncio.create_task(wf.wait_for_completion())
    async for event in run.stream():
        if event.type == "generator_progress":
            break
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await wf.wait_for_completion()
    assert run.status == "in_progress"
    await wf.aio.cancel()
    end = await wf.wait_for_completion(timeout=30)
    assert (end.status, end.canceled_by) == ("canceled", "client")


def test_a_run_is_taken_up_by_another_client(
    client: InvokeAIClient, blur: dict[str, Any], sleep: dict[str, Any]
) -> None:
    begun = handle(client, sleep, steps=6, seconds=0.6).submit_sync()
    with InvokeAIClient.from_url(client.settings.url) as other:
        for again in (other.run(begun.item_id), other.run(batch_id=begun.batch_id)):
            assert again.item_ids == begun.item_ids
            assert again.wait(timeout=30).status == "completed"
            assert [output.node_id for output in again.item.outputs] == ["sleep"]
        done = handle(client, blur).submit_sync()
        done.result(timeout=30)
        ended = other.run(done.item_id)
        assert (ended.status, ended.progress) == ("completed", 100)
        assert ended.result(timeout=30).status == "completed"
        assert [image.name for image in ended.images] == [image.name for image in done.images]
        assert [event.type for event in ended.stream()][-1] == "session_complete"
        with pytest.raises(errors.NotFoundError):
            other.run(10**9)
        with pytest.raises(errors.NotFoundError):
            other.run(batch_id="no such batch")


def test_a_finished_batch_is_known_when_it_is_taken_up(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    begun = handle(client, sleep, steps=1, seconds=0.01).submit_sync(runs=3)
    begun.wait(30)
    with InvokeAIClient.from_url(client.settings.url) as other:
        again = other.run(batch_id=begun.batch_id)
        assert (again.status, again.progress, again.item_ids) == ("completed", 100, begun.item_ids)
        assert [output.item_id for output in again.item.outputs] == [*begun.item_ids]


def test_a_run_of_several_items_is_one(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep, steps=1, seconds=0.01)
    run = wf.submit_sync(runs=3)
    end = run.result(timeout=30)
    assert len(run.item_ids) == 3
    assert len(end.outputs) == 3
    ends = [event for event in run.stream() if event.type == "session_complete"]
    assert [event["item_id"] for event in ends] == [*run.item_ids]
    only = list(run.stream(run.session_ids[1]))
    assert {event["item_id"] for event in only} == {run.item_ids[1]}


def test_a_queue_is_streamed_whoever_fills_it(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    with InvokeAIClient.from_url(client.settings.url) as other:
        stream = other.stream_queue_events()
        seen: list[Event] = []
        listening = threading.Event()

        def listen() -> None:
            for event in stream:
                seen.append(event)
                listening.set()
                if event.type == "queue_item_status_changed" and event["status"] == "completed":
                    break

        thread = threading.Thread(target=listen)
        thread.start()
        for _ in range(20):
            handle(client, sleep, steps=1, seconds=0.01).submit_sync().wait(30)
            if listening.wait(0.05):
                break
        thread.join(30)
        assert not thread.is_alive()
        assert {event.queue_id for event in seen} == {"default"}


def test_adaptive_polling_rules_the_callback(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep, steps=1, seconds=0.5)
    asked: list[int] = []

    def interval(attempt: int) -> float:
        asked.append(attempt)
        return 0.05 if attempt < 3 else 5.0

    calls: list[str] = []
    wf.submit_sync()
    wf.wait_for_completion_sync(poll_interval=interval, progress_callback=lambda item: calls.append(item.status))
    assert asked[:4] == [0, 1, 2, 3]
    assert len(calls) >= 4
    with pytest.raises(ValueError, match="above 0"):
        wf.wait_for_completion_sync(poll_interval=lambda attempt: 0)


@pytest.fixture
def polling(server: Any) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(server.url, transport="polling") as client:
        yield client


def test_without_a_socket_polling_carries_the_run(polling: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(polling, sleep)
    run = wf.submit_sync()
    end = wf.wait_for_completion_sync(timeout=30, poll_interval=0.1)
    assert end.status == "completed"
    assert [output.node_id for output in end.outputs] == ["sleep"]
    assert [event.type for event in run.stream()][-2:] == ["queue_item_status_changed", "session_complete"]
    assert polling.stats().events == 0


def test_the_socket_is_reported_and_counted(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    changes: list[str] = []
    came = threading.Event()

    def handler(change: Any) -> None:
        changes.append(change.state)
        came.set()

    stop = client.on_connection(handler)
    handle(client, sleep, steps=1, seconds=0.01).submit_sync().wait(30)
    assert came.wait(10)
    assert changes == ["connected"]
    stats = client.stats()
    assert stats.events >= 5
    assert stats.requests["POST queue"] == {"200": 1}
    assert (stats.dropped, stats.reconnects) == (0, 0)
    stop()


def test_the_progress_of_a_run_counts_iterated_nodes(client: InvokeAIClient) -> None:
    document = {
        "name": "iterated",
        "meta": {"version": "3.0.0", "category": "user"},
        "exposedFields": [],
        "nodes": [
            node("range", "range", "1.0.0", start=0, stop=10, step=1),
            node("each", "iterate", "1.1.0"),
            node("sum", "add", "1.0.1", a=0, b=1),
        ],
        "edges": [edge("range", "collection", "each", "collection"), edge("each", "item", "sum", "a")],
    }
    run = handle(client, document).submit_sync()
    run.result(timeout=30)
    after = [event["overall_percentage"] for event in run.stream() if event.type == "invocation_complete"]
    # 1 range, 10 iterates and 10 sums.
    assert after[1:] == pytest.approx([100 * done / 21 for done in range(2, 22)])


def test_a_run_has_what_its_users_ask_of_it(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    run: Run = handle(client, sleep).submit_sync()
    run.result(timeout=30)
    assert run.status == "completed"
    assert run.progress == 100
    assert run.started_at is not None
    assert run.events[-1].type == "session_complete"
    assert run.images == []
