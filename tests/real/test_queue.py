"""The queue on the real server: looked at, steered, watched, and who goes first."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from tests.real.conftest import ADMIN, client_with_token

from invokeai_py_client import InvokeAIClient, Priority, Run, WorkflowDefinition, WorkflowHandle, errors
from invokeai_py_client.blocking.generated.queue import Queue
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.local import LocalServer

SEEN_BY = ("anyone", "a user", "an administrator")


@pytest.fixture
def wf(client: InvokeAIClient, sleep: dict[str, Any]) -> WorkflowHandle:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.set_many({"Steps": 1, "Seconds": 0.0})
    return wf


@pytest.fixture
def steering(client: InvokeAIClient, its_server: LocalServer, seen_by: str) -> Iterator[Queue]:
    """The queue, for somebody who may pause it."""
    if seen_by == "a user":
        with client_with_token(its_server, ADMIN) as admin:
            yield admin.queue
    else:
        yield client.queue


@pytest.fixture
def paused(steering: Queue) -> Iterator[Queue]:
    """Nothing is begun until the test says `paused.resume()`."""
    assert steering.wait_until_idle(60)
    assert steering.pause().is_started is False
    yield steering
    steering.cancel_all_except_current()
    steering.resume()
    assert steering.wait_until_idle(60)


def begun(runs: list[Run]) -> list[int]:
    """The items in the order in which they were begun."""
    ends = [run.wait(30) for run in runs]
    return [end.item_id for end in sorted(ends, key=lambda end: end.started_at or "")]


def test_the_state_of_the_queue(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    before = client.queue.get_status()
    runs = [wf.submit_sync() for _ in range(3)]
    status = client.queue.get_status()
    assert status.queue_pending_count == status["queue_pending_count"] == status.queue.pending == 3
    assert status.queue_completed_count == before.queue_completed_count
    assert not status.processor.is_started
    assert not status.is_idle
    assert [item.item_id for item in client.queue.list_pending()] == [run.item_id for run in runs]
    assert client.queue.list_running() == []
    assert client.queue.get_current() is None
    tracker = client.queue.get_next()
    assert tracker is not None
    assert tracker.item_id == runs[0].item_id
    newest = [item.item_id for item in islice(client.queue.list_items(), 3)]
    assert newest == [run.item_id for run in reversed(runs)]
    assert {run.item_id for run in runs} <= {item.item_id for item in client.queue.list_all()}
    ids = [runs[2].item_id, 10**9, runs[0].item_id]
    assert [item.item_id for item in client.queue.get_items_by_ids(ids)] == [runs[2].item_id, runs[0].item_id]
    with pytest.raises(TypeError, match="must be an int"):
        client.queue.get_items_by_ids(["x", runs[0].item_id])  # type: ignore[list-item]
    assert client.queue.get_batch_status(runs[0].batch_id).pending == 1


def test_positions_follow_priorities(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    normal = [wf.submit_sync() for _ in range(3)]
    high = wf.submit_sync(priority="high")
    urgent = wf.submit_sync(priority=Priority.URGENT)
    expected = [urgent, high, *normal]
    assert [item.item_id for item in client.queue.list_pending()] == [run.item_id for run in expected]
    positions = [client.queue.get_position(run.item_id) for run in expected]
    assert [position.position for position in positions] == [1, 2, 3, 4, 5]
    assert [position["ahead_count"] for position in positions] == [0, 1, 2, 3, 4]
    paused.resume()
    assert begun(expected) == [run.item_id for run in expected]
    ended = client.queue.get_position(urgent.item_id)
    assert (ended.position, ended.status, ended.estimated_time) == (None, "completed", None)
    with pytest.raises(errors.NotFoundError):
        client.queue.get_position(10**9)


def test_positions_of_a_batch_of_two_priorities(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    body = wf._build_submission()
    body["batch"] |= {"batch_id": str(uuid4()), "runs": 3}
    for prepend in (False, True):
        client._make_request("POST", "/queue/default/enqueue_batch", json={**body, "prepend": prepend})
    ids = sorted(item.item_id for item in client.queue.list_pending())
    assert len(ids) == 6
    expected = [*ids[3:], *ids[:3]]
    assert [client.queue.get_position(item_id).position for item_id in expected] == [1, 2, 3, 4, 5, 6]
    assert [item.item_id for item in client.queue.list_pending()] == expected


def test_priorities_are_asked_of_few_items_and_once(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    def asked() -> int:
        return sum(client.stats().requests["POST queue"].values())

    run = wf.submit_sync(runs=120)
    counts = [asked()]
    for item in (120, 60):
        assert client.queue.get_position(run.item_ids[item - 1]).position == item
        counts.append(asked())
    # The summaries, and at first the whole items of both ends of the batch.
    assert [after - before for before, after in pairwise(counts)] == [2, 1]
    run.cancel()


def test_the_estimate_follows_how_long_like_items_took(
    client: InvokeAIClient, wf: WorkflowHandle, sleep: dict[str, Any]
) -> None:
    wf.set_many({"Steps": 1, "Seconds": 0.5})
    run = wf.submit_sync(runs=5)
    for event in run.stream():
        if event.type == "session_complete":
            break
    position = client.queue.get_position(run.item_ids[-1])
    assert position.estimated_time is not None
    assert 0.3 <= position.estimated_time <= 3 * 1.5
    client.queue.cancel_batch(run.batch_id)
    assert run.wait(30).status == "canceled"


def test_the_estimate_is_of_like_work_or_none(
    client: InvokeAIClient, wf: WorkflowHandle, blur: dict[str, Any], paused: Queue
) -> None:
    blurred = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    wf.set_many({"Steps": 1, "Seconds": 0.8})
    before = [wf.submit_sync(), blurred.submit_sync(), wf.submit_sync()]
    assert client.queue.get_position(before[2].item_id).estimated_time is None, "the processor is paused"
    paused.resume()
    for run in before:
        assert run.wait(30).status == "completed"
    wf.set_many({"Steps": 10, "Seconds": 3.0})
    slow, last = wf.submit_sync(), wf.submit_sync(runs=2)
    estimates: list[float | None] = []
    for event in slow.stream():
        if event.type == "invocation_started" or event.get("progress_percentage", 0) >= 60:
            estimates.append(client.queue.get_position(last.item_ids[0]).estimated_time)
        if len(estimates) == 2:
            break
    assert estimates[0] is not None, "like work took 0.8 s"
    assert 0.0 <= estimates[0] <= 1.6
    assert estimates[1] is None, "it has run longer than like work"
    for run in (slow, last):
        run.cancel()


def test_high_does_not_overtake_urgent(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    urgent = wf.submit_sync(priority="urgent")
    other = client.workflow_repo.create_workflow(wf.definition)
    other.set_many({"Steps": 1, "Seconds": 0.0})
    high: list[Run] = []
    thread = threading.Thread(target=lambda: high.append(other.submit_sync(priority="high")))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive(), "it waits while the urgent one does"
    paused.resume()
    thread.join(30)
    assert begun([urgent, *high]) == [urgent.item_id, high[0].item_id]


def test_low_is_sent_when_nothing_waits(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    normal = wf.submit_sync()
    low: list[Run] = []
    other = client.workflow_repo.create_workflow(wf.definition)
    other.set_many({"Steps": 1, "Seconds": 0.0})
    thread = threading.Thread(target=lambda: low.append(other.submit_sync(priority="low")))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    assert client.queue.get_status().queue.pending == 1
    paused.resume()
    thread.join(30)
    assert begun([normal, *low]) == [normal.item_id, low[0].item_id]


@pytest.mark.parametrize("sent", ["submitted", "raw"])
def test_high_waits_for_what_is_urgent_however_it_was_sent(
    sent: str, client: InvokeAIClient, wf: WorkflowHandle, paused: Queue
) -> None:
    def send(priority: str) -> list[int]:
        body = {**wf._build_submission(), "priority": priority}
        answer = client._make_request("POST", "/queue/default/enqueue_batch", json=body)
        item_ids: list[int] = answer.json()["item_ids"]
        return item_ids

    urgent = [item_id for _ in range(2) for item_id in send("Urgent")]
    high: list[int] = []
    other = client.workflow_repo.create_workflow(wf.definition)
    thread = threading.Thread(
        target=lambda: high.extend(send("high") if sent == "raw" else other.submit_sync(priority="high").item_ids)
    )
    thread.start()
    thread.join(0.5)
    assert thread.is_alive(), "it waits while the urgent ones do"
    paused.resume()
    thread.join(30)
    ends = [client.run(item_id).wait(30) for item_id in [*urgent, *high]]
    begun = sorted(ends, key=lambda end: end.started_at or "")
    assert [end.item_id for end in begun] == [urgent[1], urgent[0], *high]


def test_a_raw_urgent_batch_of_nothing_does_not_hold_what_is_high(
    client: InvokeAIClient, wf: WorkflowHandle, paused: Queue
) -> None:
    body: dict[str, Any]
    for body in ({"priority": "urgent"}, {"priority": "urgent", "batch": {"graph": {"nodes": {"a": {}}}}}):
        with pytest.raises(errors.RejectedError):
            client._make_request("POST", "/queue/default/enqueue_batch", json=body)
    wf.submit_sync(priority="high").cancel()


def test_a_low_one_says_what_it_waits_for_and_can_be_given_up(
    client: InvokeAIClient, wf: WorkflowHandle, paused: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "invokeai_py_client.live")
    wf.submit_sync(runs=2)
    body = {**wf._build_submission(), "priority": "low"}
    began = time.monotonic()
    with pytest.raises(errors.RequestTimeout, match=r"2 items are pending in the queue 'default'") as caught:
        client._make_request("POST", "/queue/default/enqueue_batch", json=body, timeout=2.0)
    assert 2.0 <= time.monotonic() - began < 20
    assert caught.value.timeout == 2.0

    async def give_up() -> None:
        async with asyncio.timeout(2.0):
            await wf.submit(priority="low")

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert client.queue.get_status().queue.pending == 2
    lines = [record.getMessage() for record in caplog.records if "priority is held back" in record.getMessage()]
    assert lines == ["a submission of low priority is held back: 2 items are pending in the queue 'default'"] * 2


def test_a_low_one_is_woken_by_events(
    client: InvokeAIClient,
    wf: WorkflowHandle,
    paused: Queue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "invokeai_py_client.live")
    monkeypatch.setattr("invokeai_py_client.live.priority_wait.LOOK", 600.0)
    normal = wf.submit_sync()
    low: list[Run] = []
    other = client.workflow_repo.create_workflow(wf.definition)
    thread = threading.Thread(target=lambda: low.append(other.submit_sync(priority="low")))
    thread.start()
    deadline = time.monotonic() + 20
    while "priority is held back" not in caplog.text:
        assert time.monotonic() < deadline, "it has not begun to wait"
        time.sleep(0.01)
    paused.resume()
    thread.join(20)
    assert begun([normal, *low]) == [normal.item_id, low[0].item_id]


@pytest.mark.parametrize("priority", ["soon", True, ["low"], ""])
def test_an_unknown_priority_is_refused(client: InvokeAIClient, wf: WorkflowHandle, priority: Any) -> None:
    with pytest.raises(errors.SettingsError, match="low, normal, high, urgent") as caught:
        wf.submit_sync(priority=priority)
    assert caught.value.setting == "priority"
    with pytest.raises(errors.SettingsError):
        client._make_request("POST", "/queue/default/enqueue_batch", json={"batch": {}, "priority": priority})


def test_cancel_retry_and_delete(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    first, second, third = (wf.submit_sync() for _ in range(3))
    assert client.queue.cancel_item(first.item_id).status == "canceled"
    assert client.queue.cancel_batch(second.batch_id).canceled == 1
    assert (first.wait(30).canceled_by, second.wait(30).canceled_by) == ("client", "client")
    assert client.queue.cancel_all_except_current().canceled == 1
    assert (third.wait(30).status, third.wait(30).canceled_by) == ("canceled", "client")
    assert client.queue.retry([first.item_id, 10**9]) == [first.item_id]
    assert client.queue.retry(second.item_id) == [second.item_id]
    assert client.queue.get_status().queue.pending == 2
    assert client.run(batch_id=second.batch_id).item_ids[0] == second.item_id
    retried = client.queue.list_pending()
    assert {item.retried_from_item_id for item in retried} == {first.item_id, second.item_id}
    client.queue.delete_item(retried[0].item_id)
    with pytest.raises(errors.NotFoundError):
        client.queue.get_item(retried[0].item_id)
    assert client.queue.delete_all_except_current().deleted == 1


def test_what_has_a_destination(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    body = wf._build_submission()
    body["batch"]["destination"] = "wall"
    ids = [
        client._make_request("POST", "/queue/default/enqueue_batch", json=body).json()["item_ids"][0] for _ in range(2)
    ]
    assert client.queue.get_counts_by_destination("wall").pending == 2
    assert [item.item_id for item in client.queue.list_all("wall")] == ids
    assert client.queue.cancel_by_destination("wall").canceled == 2
    assert client.queue.delete_by_destination("wall")["deleted"] == 2
    assert client.queue.list_all("wall") == []


def test_clear_and_prune(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    done, waiting = wf.submit_sync(), wf.submit_sync()
    client.queue.cancel_item(done.item_id)
    done.wait(30)
    assert client.queue.prune().deleted >= 1
    with pytest.raises(errors.NotFoundError):
        client.queue.get_item(done.item_id)
    assert client.queue.clear()["deleted"] == 1
    assert waiting.wait(30).error_type == "QueueItemGone"
    assert client.queue.get_status().is_idle


def test_waiting_until_idle(client: InvokeAIClient, wf: WorkflowHandle) -> None:
    wf.set_many({"Steps": 5, "Seconds": 0.5})
    run = wf.submit_sync(runs=2)
    assert client.queue.wait_until_idle(0.2) is False
    assert client.queue.wait_until_idle(0) is False
    assert client.queue.wait_until_idle(60, poll_interval=60) is True
    assert client.queue.wait_until_idle(0) is True
    with pytest.raises(errors.SettingsError, match="interval"):
        client.queue.wait_until_idle(60, poll_interval=0)
    assert client.run(batch_id=run.batch_id).wait(10).status == "completed"


def told_until(changes: EventStream, last: str) -> list[tuple[Any, ...]]:
    """What a watcher is told until something of this type comes: type, item or items, status."""
    told = []
    for event in changes:
        told.append((event.type, event.get("item_id") or event.get("item_ids"), event.get("status")))
        if event.type == last:
            return told
    raise AssertionError("a watch has no end")


def test_watching_begins_with_its_block(client: InvokeAIClient, wf: WorkflowHandle) -> None:
    with client.queue.watch() as changes:
        run = wf.submit_sync()
        run.wait(30)
        mine = list(islice(changes, 3))
    assert [event.type for event in mine] == ["batch_enqueued", *["queue_item_status_changed"] * 2]
    assert {event["batch_id"] for event in mine} == {run.batch_id}
    assert [event.get("status") for event in mine] == [None, "in_progress", "completed"]


async def test_watching_begins_with_its_block_on_a_loop(client: InvokeAIClient, wf: WorkflowHandle) -> None:
    async with client.aio.queue.watch() as changes:
        await (await wf.submit()).aio.wait(30)
        assert (await anext(changes)).type == "batch_enqueued"


def test_what_is_done_in_bulk_is_watched(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    with client.queue.watch() as changes:
        run = wf.submit_sync(runs=2)
        first, second = run.item_ids
        client.queue.cancel_batch(run.batch_id)
        client.queue.retry(first)
        other = wf.submit_sync()
        client.queue.cancel_all_except_current()
        client.queue.clear()
        told = told_until(changes, "queue_cleared")
    status = "queue_item_status_changed"
    assert told[:4] == [
        ("batch_enqueued", None, None),
        (status, first, "canceled"),
        (status, second, "canceled"),
        ("queue_items_retried", (first,), None),
    ]
    assert told[4] == ("batch_enqueued", None, None)
    assert [one for one in told[5:-1] if one[1] != other.item_id] == [(status, other.item_id - 1, "canceled")]
    assert (status, other.item_id, "canceled") in told


def test_the_routes_that_mean_more_here(client: InvokeAIClient, wf: WorkflowHandle, paused: Queue) -> None:
    first = wf.submit_sync()
    body = {**wf._build_submission(), "priority": "high"}
    answer = client._make_request("POST", "/queue/default/enqueue_batch", json=body).json()
    (item_id,) = answer["item_ids"]
    status = client._make_request("GET", "/queue/default/status").json()
    assert (status["queue_pending_count"], status["queue"]["pending"]) == (2, 2)
    position = client._make_request("GET", f"/queue/default/i/{first.item_id}/position").json()
    assert (position["position"], position["ahead_count"]) == (2, 1)
    assert client._make_request("GET", f"/queue/default/i/{item_id}/position").json()["position"] == 1
    for odd in ("/queue/default/status?x=1", "queue/default/status/", "//queue/default/status//?x=1&y"):
        assert client._make_request("GET", odd, params={"z": 2}).json()["queue_pending_count"] == 2
    position = client._make_request("GET", f"/queue/default/i/{first.item_id}/position/?x=1").json()
    assert position["position"] == 2
    for item in ("abc", "-1", "1.5", "²"):
        with pytest.raises(errors.RejectedError, match="not the id of a queue item") as caught:
            client._make_request("GET", f"/queue/default/i/{item}/position")
        assert isinstance(caught.value, ValueError)
    assert "torch" in client.request("GET", "/api/v1/app/app_deps").json()
    page = client.request("GET", "/api/v1/boards/?limit=3&offset=0", params={"offset": 1}).json()
    assert (page["limit"], page["offset"]) == (3, 1)
    with pytest.raises(errors.UnsafePathError, match="not a path on the server"):
        client.request("GET", "http://example.org/api/v1/app/version")


def test_any_queue(client: InvokeAIClient, wf: WorkflowHandle) -> None:
    assert client.queue_repo.list_queues() == ["default"]
    other = client.queue_repo.get_queue("other")
    run = wf.submit_sync(queue_id="other")
    assert run.wait(30).status == "completed"
    assert next(iter(other.list_items())).item_id == run.item_id
    assert run.item_id not in [item.item_id for item in client.queue.list_items()]


def test_a_queue_of_any_name(client: InvokeAIClient, wf: WorkflowHandle) -> None:
    name = "tiger's café 100%"
    run = wf.submit_sync(queue_id=name)
    assert run.wait(30).status == "completed"
    for written in (name, quote(name, safe="")):
        status = client._make_request("GET", f"/queue/{written}/status").json()
        assert status["queue"]["queue_id"] == name
        assert status["queue_completed_count"] >= 1
        assert client._make_request("GET", f"/queue/{written}/i/{run.item_id}/position").json()["status"] == "completed"
    assert client.queue_repo.get_queue(name).aio is client.queue_repo.get_queue(name).aio
    assert client.queue_repo.get_queue().aio is client.queue.aio


async def test_the_awaited_face(client: InvokeAIClient, wf: WorkflowHandle) -> None:
    run = await wf.submit()
    await run.aio.wait(30)
    assert (await client.aio.queue.get_status()).queue_completed_count >= 1
    assert run.item_id in [item.item_id async for item in client.aio.queue.list_items()]
    assert (await client.aio.queue_repo.get_queue().get_item(run.item_id)).status == "completed"
    assert (await client.aio.request("GET", "/api/v1/queue/default/status")).json()["queue_failed_count"] >= 0
