"""Waiting for a queue's counts, through whatever the server answers."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.live import dispatch
from tests.support.queue_server import Exchange, Fault, QueueServer, answered, dropped, refused, status, swallowed
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client import errors
from invokeai_py_client.live.queue_idle import Counts, nothing_at_all, nothing_pending, until_counts
from invokeai_py_client.live.router import Router
from invokeai_py_client.settings import Settings


def router() -> Router:
    return Router(followed=lambda run: None, bulk_change=lambda event: None, needs_requests=lambda: None)


@in_virtual_time
async def test_an_idle_queue_is_asked_once() -> None:
    server = QueueServer()
    assert await until_counts(server, router(), "default", nothing_pending, pause=lambda: 5.0)
    assert len(server.requests) == 1


@in_virtual_time
async def test_it_waits_until_the_queue_is_so() -> None:
    server = QueueServer()
    items = server.add("others", 2)
    asyncio.get_running_loop().call_later(33, server.finish, *items)
    began = now()
    assert await until_counts(server, router(), "default", nothing_at_all, pause=lambda: 5.0)
    assert 33 <= now() - began <= 38


@in_virtual_time
async def test_looking_after_the_processor_stays_within_the_time() -> None:
    server = QueueServer(settings=Settings(timeout=60))
    server.finish(*server.add("b"), status="in_progress")
    server.is_processor_dead = True
    server.always("item", swallowed)
    began = now()
    assert not await until_counts(server, router(), "default", nothing_at_all, pause=lambda: 1.5, seconds=3)
    assert now() - began <= 4


@in_virtual_time
async def test_an_event_wakes_it() -> None:
    server = QueueServer()
    (item,) = server.add("others")
    events = router()
    wait = asyncio.create_task(until_counts(server, events, "default", nothing_pending, pause=lambda: 3600.0))
    await asyncio.sleep(1)
    server.finish(item)
    dispatch(
        events,
        "queue_item_status_changed",
        {
            "queue_id": "default",
            "item_id": item,
            "batch_id": "others",
            "session_id": "s",
            "status": "completed",
            "queue_status": {"pending": 0},
        },
    )
    began = now()
    assert await wait
    assert now() == began


@pytest.mark.parametrize("fault", [refused, dropped, swallowed, status(429), status(503), status(524), status(408)])
@in_virtual_time
async def test_a_transient_failure_is_waited_out(fault: Fault) -> None:
    server = QueueServer(settings=Settings(timeout=2.0))
    server.next("status", *[fault] * 10)
    seen: list[Counts | errors.InvokeAIError] = []
    assert await until_counts(server, router(), "default", nothing_pending, pause=lambda: 5.0, on_wait=seen.append)
    assert len(seen) == 10


@in_virtual_time
async def test_the_pauses_grow_with_the_failures_and_begin_again_after_an_answer() -> None:
    server = QueueServer()
    (item,) = server.add("others")
    server.next("status", *[dropped] * 5, Exchange.carry_out, dropped)
    seen: list[float] = []
    asyncio.get_running_loop().call_later(15, server.finish, item)
    began = now()
    await until_counts(
        server, router(), "default", nothing_pending, pause=lambda: 10.0, on_wait=lambda _: seen.append(now() - began)
    )
    assert seen == pytest.approx([0, 0.2, 0.7, 1.7, 3.7, 5.7, 15.7])
    assert now() - began == pytest.approx(15.9)


@pytest.mark.parametrize(
    "fault", [status(401), status(403), status(500), answered(b"<html>", content_type="text/html")]
)
@in_virtual_time
async def test_another_failure_is_raised(fault: Fault) -> None:
    server = QueueServer()
    server.next("status", fault)
    with pytest.raises(errors.InvokeAIError):
        await until_counts(server, router(), "default", nothing_pending, pause=lambda: 5.0)


@in_virtual_time
async def test_retry_after_is_honoured_within_the_time() -> None:
    server = QueueServer()
    server.next("status", status(503, retry_after=30))
    began = now()
    assert await until_counts(server, router(), "default", nothing_pending, pause=lambda: 5.0)
    assert 30 <= now() - began < 31
    server.always("status", status(503, retry_after=300))
    began = now()
    with pytest.raises(errors.ServerError):
        await until_counts(server, router(), "default", nothing_pending, pause=lambda: 5.0, seconds=20)
    assert now() - began == pytest.approx(20)


@in_virtual_time
async def test_the_time_ends_the_wait() -> None:
    server = QueueServer()
    server.add("others")
    began = now()
    waited = await until_counts(server, router(), "default", nothing_pending, pause=lambda: 5.0, seconds=12)
    assert waited is False
    assert now() - began == pytest.approx(12)
    waited = await until_counts(server, router(), "default", nothing_pending, pause=lambda: 5.0, unless=lambda: True)
    assert waited is False


@in_virtual_time
async def test_a_question_gets_no_more_than_the_time_that_is_left() -> None:
    server = QueueServer()
    server.always("status", swallowed)
    began = now()
    with pytest.raises(errors.RequestTimeout):
        await until_counts(server, router(), "default", nothing_pending, pause=lambda: 5.0, seconds=8)
    assert now() - began == pytest.approx(8)


@in_virtual_time
async def test_an_event_that_tells_no_counts_has_the_server_asked() -> None:
    server = QueueServer()
    (item,) = server.add("others")
    events = router()
    wait = asyncio.create_task(until_counts(server, events, "default", nothing_pending, pause=lambda: 3600.0))
    await asyncio.sleep(1)
    dispatch(events, "batch_enqueued", {"queue_id": "default", "batch_id": "others", "enqueued": 1, "requested": 1})
    await asyncio.sleep(1)
    assert len(server.requests) == 1
    server.finish(item)
    dispatch(events, "queue_cleared", {"queue_id": "default"})
    began = now()
    assert await wait
    assert now() == began


@in_virtual_time
async def test_it_does_not_outlast_a_processor_that_has_died() -> None:
    server = QueueServer()
    server.add("others", status="in_progress")
    server.is_processor_dead = True
    server.always("item", status(500))
    began = now()
    with pytest.raises(errors.ProcessorStoppedError, match="item 1 of the queue 'default'"):
        await until_counts(server, router(), "default", nothing_at_all, pause=lambda: 5.0)
    assert now() - began < 30


@in_virtual_time
async def test_a_processor_that_is_at_work_is_waited_for() -> None:
    server = QueueServer()
    items = server.add("others", status="in_progress")
    asyncio.get_running_loop().call_later(7200, server.finish, *items)
    assert await until_counts(server, router(), "default", nothing_at_all, pause=lambda: 5.0)
    assert server.asked("item") == []


@pytest.mark.parametrize(
    ("name", "is_idle"), [("pending", False), ("in_progress", False), ("waiting", False), ("completed", True)]
)
def test_a_queue_is_idle_when_all_its_items_have_ended(name: str, is_idle: bool) -> None:
    assert nothing_at_all({"pending": 0, "in_progress": 0, "waiting": 0, name: 1}) is is_idle
    assert nothing_at_all({name: 1}) is is_idle
    assert nothing_pending({name: 1}) is (name != "pending")


@in_virtual_time
async def test_the_last_part_of_the_time_is_waited_too() -> None:
    server = QueueServer()
    server.add("others")
    began = now()
    assert not await until_counts(server, router(), "default", nothing_pending, pause=lambda: 5.0, seconds=0.5)
    assert now() - began == pytest.approx(0.5)
    assert len(server.requests) == 1


@in_virtual_time
async def test_a_wait_that_is_over_looks_at_no_event() -> None:
    events, looks = router(), list[Counts]()

    def is_so(counts: Counts) -> bool:
        looks.append(counts)
        return True

    assert await until_counts(QueueServer(), events, "default", is_so, pause=lambda: 5.0)
    assert len(looks) == 1
    item = {"queue_id": "default", "item_id": 1, "batch_id": "b", "session_id": "s", "status": "completed"}
    dispatch(events, "queue_item_status_changed", {**item, "queue_status": {"pending": 0}})
    assert len(looks) == 1


@in_virtual_time
async def test_an_event_whose_counts_are_not_yet_so_has_nothing_asked() -> None:
    server = QueueServer()
    (item,) = server.add("others")
    events = router()
    wait = asyncio.create_task(until_counts(server, events, "default", nothing_pending, pause=lambda: 3600.0))
    await asyncio.sleep(1)
    told = {"queue_id": "default", "item_id": 9, "batch_id": "b", "session_id": "s", "status": "completed"}
    for pending in (2, 1):
        dispatch(events, "queue_item_status_changed", {**told, "queue_status": {"pending": pending}})
        await asyncio.sleep(1)
    assert len(server.requests) == 1
    server.finish(item)
    dispatch(events, "queue_item_status_changed", {**told, "queue_status": {"pending": 0}})
    assert await wait
    assert len(server.requests) == 2
