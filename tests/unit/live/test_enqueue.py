"""An enqueue is exactly once, and truthfully told: whatever response comes, or does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
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
    unnamed,
)
from tests.support.virtual_time import in_virtual_time, now, run_in_virtual_time

from invokeai_py_client import errors
from invokeai_py_client.live.enqueue import DEFAULT_TIMES, Enqueued, EnqueueTimes, enqueue_once, item_count
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Response

BODY: dict[str, Any] = {"prepend": False, "batch": {"graph": {}, "runs": 1}}

HTML = answered(b"<html></html>", content_type="text/html")
CUT = answered(b'{"enqueued": 1, "item_')
ANOTHER_SHAPE = answered(b'{"status": "ok"}')
NOTHING = answered(b"")
NO_CONTENT = answered(b"", code=204)


async def enqueue(server: QueueServer, body: dict[str, Any] = BODY, **more: Any) -> Enqueued:
    return await enqueue_once(server, "default", "mine", body, **more)


# Stored, and not told so.


@pytest.mark.parametrize("code", [408, 409, 425, 429, 500, 502, 503, 504, 507, 520, 524])
@in_virtual_time
async def test_a_batch_that_was_stored_is_found_whatever_the_status(code: int) -> None:
    server = QueueServer()
    server.next("enqueue_batch", status(code, applied=True))
    assert (await enqueue(server)).item_ids == [1]
    assert server.ids_of("mine") == [1]


@pytest.mark.parametrize("fault", [lost, unanswered, HTML, CUT, ANOTHER_SHAPE, NOTHING, NO_CONTENT, unnamed])
@in_virtual_time
async def test_a_batch_that_was_stored_is_found_whatever_the_response(fault: Fault) -> None:
    server = QueueServer()
    server.next("enqueue_batch", fault)
    part = await enqueue(server)
    assert (part.item_ids, part.took_all()) == ([1], True)
    assert server.ids_of("mine") == [1]


@in_virtual_time
async def test_an_item_that_somebody_retries_is_not_taken_for_one_of_the_request() -> None:
    server = QueueServer()
    known = server.add("mine", status="failed")

    async def retry_and_drop(exchange: Exchange) -> Response:
        server.add("mine", retried_from_item_id=known[0])
        return await dropped(exchange)

    server.next("enqueue_batch", retry_and_drop)
    part = await enqueue(server, known=frozenset(known))
    assert (part.item_ids, part.took_all()) == ([3], True)
    assert server.ids_of("mine") == [1, 2, 3]


@pytest.mark.parametrize("code", [404, 413, 422])
@in_virtual_time
async def test_a_refusal_that_is_not_the_servers_own_proves_nothing(code: int) -> None:
    server = QueueServer()
    server.next("enqueue_batch", status(code, applied=True, content=b"<html>no</html>"))
    assert (await enqueue(server)).item_ids == [1]
    assert server.ids_of("mine") == [1]


@pytest.mark.parametrize("code", [429, 500, 502, 503])
@pytest.mark.parametrize("late", [0.1, 1.0, 2.5])
@in_virtual_time
async def test_a_batch_that_is_stored_after_the_bad_status_is_not_sent_again(code: int, late: float) -> None:
    server = QueueServer()
    server.next("enqueue_batch", status(code, late=late))
    assert (await enqueue(server)).item_ids == [1]
    await asyncio.sleep(60)
    assert server.ids_of("mine") == [1]


@in_virtual_time
async def test_a_large_batch_gets_more_time_to_be_stored() -> None:
    server = QueueServer()
    server.next("enqueue_batch", status(503, late=4.5))
    # The queue has room for the batch twice, so that a second copy would be seen.
    large = {"batch": {"graph": {}, "runs": 4_000}}
    assert len((await enqueue(server, large)).item_ids) == 4_000
    await asyncio.sleep(60)
    assert len(server.ids_of("mine")) == 4_000


# Not stored.


@pytest.mark.parametrize("faults", [[refused], [dropped], [status(503)], [refused, dropped, status(429), lost]])
@in_virtual_time
async def test_a_batch_that_was_not_stored_is_sent_again(faults: list[Fault]) -> None:
    server = QueueServer()
    server.next("enqueue_batch", *faults)
    assert (await enqueue(server)).item_ids == [1]
    assert server.ids_of("mine") == [1]


@in_virtual_time
async def test_a_batch_is_not_sent_again_when_too_little_time_is_left_for_an_answer() -> None:
    async def after_four_seconds(exchange: Exchange) -> Response:
        await asyncio.sleep(4)
        return await exchange.carry_out()

    server = QueueServer(settings=Settings(timeout=20))
    server.always("batch_status", after_four_seconds)
    server.next("enqueue_batch", dropped, dropped, after_four_seconds)
    with pytest.raises(errors.TransportError) as caught:
        await enqueue(server)
    assert (caught.value.batch_id, caught.value.may_have_been_applied) == ("mine", False)
    await asyncio.sleep(60)
    assert server.ids_of("mine") == []


@pytest.mark.parametrize("code", [401, 403, 404, 422])
@in_virtual_time
async def test_a_refusal_of_the_server_is_raised_at_once(code: int) -> None:
    server = QueueServer()
    server.next("enqueue_batch", status(code))
    began = now()
    with pytest.raises(errors.ApiError) as caught:
        await enqueue(server)
    assert (caught.value.batch_id, caught.value.may_have_been_applied) == ("mine", False)
    assert now() == began
    assert [request.route for request in server.requests] == ["enqueue_batch"]


@pytest.mark.parametrize("fault", [status(500), status(409), status(507), answered(b"<html>", applied=False)])
@in_virtual_time
async def test_a_failure_that_no_retry_mends_is_raised_when_the_batch_is_known_not_to_be_there(fault: Fault) -> None:
    server = QueueServer()
    server.next("enqueue_batch", fault)
    with pytest.raises(errors.ApiError) as caught:
        await enqueue(server)
    assert (caught.value.batch_id, caught.value.may_have_been_applied) == ("mine", False)
    assert len(server.asked("enqueue_batch")) == 1
    assert server.asked("batch_status")[-1].at - server.asked("enqueue_batch")[0].at >= 3.0


@in_virtual_time
async def test_a_server_that_stays_away_is_the_error_after_the_timeout() -> None:
    server = QueueServer(settings=Settings(timeout=8.0))
    server.always("enqueue_batch", refused)
    began = now()
    with pytest.raises(errors.TransportError, match="refused") as caught:
        await enqueue(server)
    assert (caught.value.batch_id, caught.value.may_have_been_applied) == ("mine", False)
    assert 4.0 < now() - began <= 8.0
    assert server.items == {}


# Retry-After.


@pytest.mark.parametrize("code", [429, 503])
@in_virtual_time
async def test_retry_after_is_honoured(code: int) -> None:
    server = QueueServer()
    server.next("enqueue_batch", status(code, retry_after=20))
    await enqueue(server)
    first, second = server.asked("enqueue_batch")
    assert 20 <= second.at - first.at < 21
    assert server.ids_of("mine") == [1]


@in_virtual_time
async def test_a_retry_after_beyond_the_timeout_is_not_waited_for() -> None:
    server = QueueServer(settings=Settings(timeout=8.0))
    server.next("enqueue_batch", status(503, retry_after=60))
    began = now()
    with pytest.raises(errors.ServerError) as caught:
        await enqueue(server)
    assert now() - began < 8.0
    assert (caught.value.retry_after, caught.value.batch_id) == (60.0, "mine")


# In doubt.


@pytest.mark.parametrize("question", [refused, dropped, swallowed, status(500), status(503), HTML, NOTHING])
@in_virtual_time
async def test_what_cannot_be_settled_is_in_doubt(question: Fault) -> None:
    server = QueueServer()
    server.next("enqueue_batch", lost)
    server.always("batch_status", question)
    with pytest.raises(errors.EnqueueInDoubtError, match=r"client\.run\(batch_id='mine'\)") as caught:
        await enqueue(server)
    assert (caught.value.batch_id, caught.value.may_have_been_applied) == ("mine", True)
    assert len(server.asked("enqueue_batch")) == 1


@pytest.mark.parametrize("code", [401, 403])
@in_virtual_time
async def test_a_server_that_refuses_to_tell_is_not_asked_again(code: int) -> None:
    server = QueueServer()
    server.next("enqueue_batch", lost)
    server.always("batch_status", status(code))
    with pytest.raises(errors.EnqueueInDoubtError):
        await enqueue(server)
    assert len(server.asked("batch_status")) == 1


@in_virtual_time
async def test_questions_that_get_no_answer_are_asked_again() -> None:
    server = QueueServer()
    server.next("enqueue_batch", lost)
    server.next("batch_status", refused, status(503), HTML, lost)
    assert (await enqueue(server)).item_ids == [1]
    assert server.ids_of("mine") == [1]


@pytest.mark.parametrize("fault", [swallowed, status(504), status(524), status(408)])
@in_virtual_time
async def test_the_absence_of_what_a_server_may_be_at_work_on_proves_nothing(fault: Fault) -> None:
    server = QueueServer()
    server.next("enqueue_batch", fault)
    with pytest.raises(errors.EnqueueInDoubtError, match="not there yet"):
        await enqueue(server)
    assert len(server.asked("enqueue_batch")) == 1


@pytest.mark.parametrize(("seconds", "doubt"), [(2.0, 10.0), (8.0, 10.0), (20.0, 20.0), (60.0, 30.0)])
@pytest.mark.parametrize("question", [swallowed, refused, status(503), status(503, retry_after=100)])
@in_virtual_time
async def test_the_time_in_doubt_is_bounded(seconds: float, doubt: float, question: Fault) -> None:
    server = QueueServer(settings=Settings(timeout=seconds))
    server.always("enqueue_batch", swallowed)
    server.always("batch_status", question)
    began = now()
    with pytest.raises(errors.EnqueueInDoubtError):
        await enqueue(server)
    assert seconds < now() - began <= seconds + doubt + 0.01
    assert DEFAULT_TIMES.doubt(seconds) == doubt


@pytest.mark.parametrize("route", ["item_ids", "item_summaries_by_ids"])
@in_virtual_time
async def test_a_list_of_items_that_does_not_come_is_not_a_reason_to_send_again(route: str) -> None:
    server = QueueServer(settings=Settings(timeout=60.0))
    server.next("enqueue_batch", lost)
    server.always(route, swallowed)
    began = now()
    with pytest.raises(errors.EnqueueInDoubtError, match="could not be listed"):
        await enqueue(server, seconds=8.0)
    assert now() - began <= 8.0 + 30.0 + 0.1
    assert server.ids_of("mine") == [1]


# The rest of a batch, and what else is in it.


@in_virtual_time
async def test_a_slow_status_leaves_less_time_for_the_list_of_items() -> None:
    async def slow(exchange: Exchange) -> Response:
        await asyncio.sleep(7.9)
        return await exchange.carry_out()

    async def lost_late(exchange: Exchange) -> Response:
        await asyncio.sleep(7.5)
        return await lost(exchange)

    server = QueueServer(settings=Settings(timeout=8))
    server.next("enqueue_batch", lost_late)
    server.always("batch_status", slow)
    server.always("item_ids", swallowed)
    began = now()
    with pytest.raises(errors.EnqueueInDoubtError):
        await enqueue(server, seconds=8)
    assert now() - began <= 18.1


@in_virtual_time
async def test_a_part_that_fits_is_reported_as_a_part() -> None:
    part = await enqueue(QueueServer(capacity=2), {"batch": {"graph": {}, "runs": 3}})
    assert (part.item_ids, part.requested, part.took_all()) == ([1, 2], 3, False)


@pytest.mark.parametrize("fault", [lost, HTML])
@in_virtual_time
async def test_it_is_known_without_the_response_whether_all_of_it_was_taken(fault: Fault) -> None:
    server = QueueServer(capacity=2)
    server.next("enqueue_batch", fault)
    part = await enqueue(server, {"batch": {"graph": {}, "runs": 3}})
    assert (part.item_ids, part.requested, part.took_all()) == ([1, 2], 3, False)


@pytest.mark.parametrize("fault", [lost, dropped])
@in_virtual_time
async def test_of_the_rest_only_what_is_new_is_reported(fault: Fault) -> None:
    server = QueueServer()
    server.add("mine")
    server.add("other")
    server.next("enqueue_batch", fault)
    part = await enqueue(server, known=frozenset({1}))
    assert (part.item_ids, part.took_all()) == ([3], True)
    assert server.ids_of("mine") == [1, 3]


@in_virtual_time
async def test_the_item_of_a_called_workflow_is_not_taken_for_one_of_the_batch() -> None:
    server = QueueServer()
    server.add("mine")
    server.add("mine", parent_item_id=1)
    part = await enqueue(server, known=frozenset({1}))
    assert part.item_ids == [3]
    # Nor is it a sign that the rest has arrived.
    server.next("enqueue_batch", dropped)
    part = await enqueue(server, known=frozenset({1, 3}))
    assert part.item_ids == [4]
    assert server.ids_of("mine") == [1, 2, 3, 4]


@in_virtual_time
async def test_a_server_that_names_no_items_is_asked_for_them() -> None:
    server = QueueServer(names_items=False)
    server.add("another")
    server.next("batch_status", refused, status(503))
    part = await enqueue(server)
    assert (part.item_ids, part.took_all()) == ([2], True)
    assert server.ids_of("mine") == [2]


@in_virtual_time
async def test_items_that_were_stored_but_cannot_be_found_are_in_doubt_and_not_sent_again() -> None:
    server = QueueServer()
    server.next("enqueue_batch", answered(b'{"enqueued": 1, "requested": 1, "item_ids": []}', applied=False))
    with pytest.raises(errors.EnqueueInDoubtError, match="contained no item ids") as caught:
        await enqueue(server)
    assert caught.value.batch_id == "mine"
    assert len(server.asked("enqueue_batch")) == 1


@in_virtual_time
async def test_only_as_much_of_the_queue_is_read_as_the_batch_needs() -> None:
    server = QueueServer()
    server.add("another", 5000)
    server.next("enqueue_batch", lost)
    assert (await enqueue(server)).item_ids == [5001]
    assert len(server.asked("item_summaries_by_ids")) == 1


@in_virtual_time
async def test_what_is_not_wanted_any_more_is_not_sent() -> None:
    server = QueueServer()
    assert (await enqueue(server, is_unwanted=lambda: True)).item_ids == []
    assert server.requests == []
    answers = iter([False, True])
    server.next("enqueue_batch", dropped)
    with pytest.raises(errors.TransportError) as caught:
        await enqueue(server, is_unwanted=lambda: next(answers))
    assert not caught.value.may_have_been_applied
    assert len(server.asked("enqueue_batch")) == 1


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        ({"runs": 3}, 3),
        ({"runs": 3, "data": []}, 3),
        ({"runs": 2, "data": [[{"items": [1, 2, 3]}, {"items": [4, 5, 6]}], [{"items": [7, 8]}]]}, 12),
        ({"runs": 2, "data": [[{"items": []}]]}, 0),
        ({"runs": 2, "data": [[]]}, 0),
    ],
)
def test_the_items_of_a_batch_are_counted_as_the_server_does(batch: dict[str, Any], count: int) -> None:
    assert item_count(batch) == count


# Any script of faults.

FAULTS: dict[str, Fault] = {
    "refused": refused,
    "dropped": dropped,
    "lost": lost,
    "swallowed": swallowed,
    "unanswered": unanswered,
    "html": HTML,
    "cut": CUT,
    "nothing": NOTHING,
    "no names": unnamed,
    **{f"{code}": status(code) for code in (401, 408, 409, 422, 429, 500, 503, 504, 524)},
    **{f"{code} stored": status(code, applied=True) for code in (408, 409, 429, 500, 503, 504, 507, 524)},
    **{f"{code} late": status(code, late=2.0) for code in (429, 500, 502, 503)},
    "503 wait": status(503, retry_after=15),
}


@given(
    enqueues=st.lists(st.sampled_from(sorted(FAULTS)), max_size=4),
    questions=st.lists(st.sampled_from(sorted(FAULTS)), max_size=8),
    timeout=st.sampled_from([1.0, 8.0, 60.0]),
    runs=st.integers(1, 4),
    capacity=st.sampled_from([2, 100]),
)
def test_after_any_faults_a_batch_is_stored_once_and_what_is_reported_is_true(
    enqueues: list[str], questions: list[str], timeout: float, runs: int, capacity: int
) -> None:
    async def script() -> None:
        server = QueueServer(settings=Settings(timeout=timeout), capacity=capacity)
        server.next("enqueue_batch", *(FAULTS[name] for name in enqueues))
        server.next("batch_status", *(FAULTS[name] for name in questions))
        began = now()
        failure: errors.InvokeAIError | None = None
        part: Enqueued | None = None
        try:
            part = await enqueue(server, {"batch": {"graph": {}, "runs": runs}})
        except errors.InvokeAIError as error:
            failure = error
        assert now() - began <= timeout + DEFAULT_TIMES.doubt(timeout) + 0.1
        await asyncio.sleep(600)
        stored = server.ids_of("mine")
        assert len(stored) in (0, min(runs, capacity))
        if part is not None:
            assert part.item_ids == stored
            assert part.took_all() == (runs <= capacity)
        else:
            assert failure is not None
            assert failure.batch_id == "mine"
            assert isinstance(failure, errors.EnqueueInDoubtError) == failure.may_have_been_applied
            if not failure.may_have_been_applied:
                assert stored == []

    run_in_virtual_time(script())


# A slot to be sent in.


@in_virtual_time
async def test_a_batch_that_gets_no_slot_in_time_was_not_sent() -> None:
    server = QueueServer()
    slots = asyncio.Semaphore(1)
    await slots.acquire()
    began = now()
    with pytest.raises(errors.RequestTimeout, match="other batches of this client") as caught:
        await enqueue(server, seconds=5.0, slots=slots)
    assert now() - began == pytest.approx(5.0, abs=0.1)
    assert (caught.value.batch_id, caught.value.may_have_been_applied) == ("mine", False)
    assert server.ids_of("mine") == []


@in_virtual_time
async def test_a_slot_is_held_while_a_batch_is_sent_and_let_go_whatever_comes_of_it() -> None:
    server = QueueServer()
    slots = asyncio.Semaphore(1)
    server.next("enqueue_batch", refused)
    assert (await enqueue(server, slots=slots)).item_ids == [1]
    assert not slots.locked()


# When what is sent.


def times_of(server: QueueServer, route: str, began: float) -> list[float]:
    return [round(request.at - began, 3) for request in server.asked(route)]


def errors_of(code: int, **more: Any) -> errors.InvokeAIError:
    return errors.ServerError("no", status=code, method="POST", url="u", **more)


@pytest.mark.parametrize(("seconds", "attempts"), [(60.0, 7), (8.0, 6), (3.0, 4), (0.5, 2), (0.2, 1)])
@in_virtual_time
async def test_a_batch_is_sent_again_with_growing_pauses(seconds: float, attempts: int) -> None:
    server = QueueServer(settings=Settings(timeout=seconds))
    server.always("enqueue_batch", refused)
    began = now()
    with pytest.raises(errors.TransportError):
        await enqueue(server)
    assert times_of(server, "enqueue_batch", began) == [0, 0.2, 0.7, 1.7, 3.7, 7.7, 11.7][:attempts]
    assert server.asked("batch_status") == []


@in_virtual_time
async def test_the_time_to_send_can_be_less_than_that_of_a_request() -> None:
    server = QueueServer()
    server.always("enqueue_batch", refused)
    began = now()
    with pytest.raises(errors.TransportError):
        await enqueue(server, seconds=1.0)
    assert times_of(server, "enqueue_batch", began) == [0, 0.2, 0.7]


@pytest.mark.parametrize(
    ("retry_after", "second_at"), [(None, 3.2), (1.0, 3.2), (3.1, 3.2), (5.0, 5.0)], ids=["none", "1", "3.1", "5"]
)
@in_virtual_time
async def test_a_batch_whose_fate_is_not_known_is_asked_for_until_the_grace_is_over(
    retry_after: float | None, second_at: float
) -> None:
    server = QueueServer()
    server.next("enqueue_batch", status(503, retry_after=retry_after))
    began = now()
    assert (await enqueue(server, times=EnqueueTimes(grace_per_item=0.0))).item_ids == [1]
    # What counts is a question after the grace: it is not left to the next pause.
    assert times_of(server, "batch_status", began) == [0, 0.2, 0.7, 1.7, 3.0]
    assert times_of(server, "enqueue_batch", began) == [0, second_at]


@in_virtual_time
async def test_a_question_that_fails_is_repeated_after_a_pause_also_when_the_grace_is_over() -> None:
    server = QueueServer()
    server.next("enqueue_batch", dropped)
    server.next("batch_status", *[refused] * 5)
    began = now()
    assert (await enqueue(server, times=EnqueueTimes(grace=1.0, grace_per_item=0.0))).item_ids == [1]
    assert times_of(server, "batch_status", began) == [0, 0.2, 0.7, 1.7, 3.7, 7.7]


@pytest.mark.parametrize(
    ("seconds", "asked_for"), [(60.0, [10.0, 10.0]), (4.0, [4.0, 4.0]), (12.0, [10.0, pytest.approx(1.8)])]
)
@in_virtual_time
async def test_a_question_takes_no_longer_than_a_request_or_the_time_that_is_left(
    seconds: float, asked_for: list[float]
) -> None:
    server = QueueServer(settings=Settings(timeout=seconds))
    seen: list[tuple[float | None, int | None]] = []

    async def noted(exchange: Exchange) -> Response:
        seen.append((exchange.call.timeout, exchange.call.retries))
        return await swallowed(exchange)

    server.next("enqueue_batch", lost)
    server.always("batch_status", noted)
    with pytest.raises(errors.EnqueueInDoubtError):
        await enqueue(server, seconds=0.0)
    assert [timeout for timeout, _ in seen][:2] == asked_for
    assert {retries for _, retries in seen} == {0}, "it is repeated here, and not by the transport"


@in_virtual_time
async def test_a_request_gets_the_time_that_is_left_and_is_not_repeated_by_the_transport() -> None:
    server = QueueServer(settings=Settings(timeout=30.0))
    seen: list[tuple[float | None, int | None]] = []

    async def noted(exchange: Exchange) -> Response:
        seen.append((exchange.call.timeout, exchange.call.retries))
        return await refused(exchange)

    server.next("enqueue_batch", noted, noted)
    await enqueue(server)
    assert seen == [(30.0, 0), (pytest.approx(29.8), 0)]


@in_virtual_time
async def test_waiting_for_a_slot_counts_as_sending_and_a_slot_is_held_by_one_request_at_a_time() -> None:
    server = QueueServer()
    server.storing_takes = 3.0
    slots = asyncio.Semaphore(1)
    began = now()
    parts = await asyncio.gather(
        *(enqueue_once(server, "default", name, BODY, slots=slots, seconds=10.0) for name in ("one", "two"))
    )
    assert [part.item_ids for part in parts] == [[1], [2]]
    assert times_of(server, "enqueue_batch", began) == [0, 3]
    # A request that was begun in time may take the time that is left, and no more.
    server.storing_takes = 6.0
    failures = await asyncio.gather(
        *(enqueue_once(server, "default", name, BODY, slots=slots, seconds=5.0) for name in ("three", "four")),
        return_exceptions=True,
    )
    assert isinstance(failures[0], Enqueued)
    assert isinstance(failures[1], errors.RequestTimeout)
    assert (server.ids_of("three"), server.ids_of("four")) == ([3], [])


@in_virtual_time
async def test_no_slot_is_held_while_the_fate_of_a_batch_is_found_out() -> None:
    server = QueueServer()
    slots = asyncio.Semaphore(1)
    server.next("enqueue_batch", dropped)
    sending = asyncio.create_task(enqueue(server, slots=slots))
    await asyncio.sleep(1)
    assert not slots.locked()
    assert (await sending).item_ids == [1]


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 0.2), (1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 4.0), (100, 4.0)]
)
def test_the_last_pause_is_repeated(attempt: int, seconds: float) -> None:
    assert DEFAULT_TIMES.pause(attempt) == seconds


@pytest.mark.parametrize(
    ("error", "items", "seconds"),
    [
        (errors_of(503), 0, 3.0),
        (errors_of(500), 1000, 3.5),
        (errors_of(500), 10_000, 8.0),
        (errors_of(500), 10**6, 8.0),
        (errors.TransportError("reset", url="u", method="POST"), 2000, 4.0),
        (errors_of(408), 1, float("inf")),
        (errors_of(504), 1, float("inf")),
        (errors_of(524), 1, float("inf")),
        (errors.RequestTimeout("slow", url="u", method="POST", timeout=1.0), 1, float("inf")),
    ],
)
def test_the_server_gets_time_to_store_a_batch_by_its_size(
    error: errors.InvokeAIError, items: int, seconds: float
) -> None:
    assert DEFAULT_TIMES.grace_after(error, items) == seconds


# What is sent, and what the errors say.


@in_virtual_time
async def test_the_batch_is_sent_under_the_given_id_as_it_was_given() -> None:
    server = QueueServer()
    batch = {"graph": {"nodes": {}}, "runs": 2, "batch_id": "of the file", "origin": "o"}
    await enqueue(server, {"prepend": True, "batch": batch})
    (request,) = server.asked("enqueue_batch")
    assert request.body == {"prepend": True, "batch": {**batch, "batch_id": "mine"}}
    assert batch["batch_id"] == "of the file"
    assert server.ids_of("mine") == [1, 2]


@in_virtual_time
async def test_an_error_says_which_request_it_is_about() -> None:
    path = "http://127.0.0.1:9090/api/v1/queue/default/enqueue_batch"
    # It is in doubt.
    server = QueueServer(settings=Settings("http://127.0.0.1:9090"))
    server.next("enqueue_batch", lost)
    server.always("batch_status", refused)
    with pytest.raises(errors.EnqueueInDoubtError, match=r"connection reset.*connection refused") as doubt:
        await enqueue(server)
    assert (doubt.value.method, doubt.value.url) == ("POST", path)
    assert isinstance(doubt.value.__cause__, errors.TransportError)
    assert "batch_id='mine'" in (doubt.value.hint or "")
    # It is absent, but may come.
    server = QueueServer()
    server.next("enqueue_batch", status(504))
    with pytest.raises(errors.EnqueueInDoubtError) as doubt:
        await enqueue(server)
    assert isinstance(doubt.value.__cause__, errors.ServerError)
    # There was no slot.
    slots = asyncio.Semaphore(0)
    server = QueueServer(settings=Settings("http://127.0.0.1:9090", timeout=7.0))
    with pytest.raises(errors.RequestTimeout, match="not sent within 7 s") as unsent:
        await enqueue(server, slots=slots)
    assert (unsent.value.method, unsent.value.url, unsent.value.timeout) == ("POST", path, 7.0)
    assert unsent.value.hint


@pytest.mark.parametrize("wanted_until", [0.1, 0.3])
@in_virtual_time
async def test_a_batch_that_becomes_unwanted_in_a_pause_is_not_sent_again(wanted_until: float) -> None:
    server = QueueServer()
    server.always("enqueue_batch", refused)
    began = now()
    with pytest.raises(errors.TransportError) as caught:
        await enqueue(server, is_unwanted=lambda: now() - began >= wanted_until)
    assert caught.value.batch_id == "mine"
    assert len(server.asked("enqueue_batch")) == (1 if wanted_until == 0.1 else 2)


@in_virtual_time
async def test_an_unwanted_batch_counts_as_requested_and_not_taken() -> None:
    part = await enqueue(QueueServer(), {"batch": {"runs": 3}}, is_unwanted=lambda: True)
    assert (part.item_ids, part.requested, part.took_all()) == ([], 3, False)


@in_virtual_time
async def test_a_batch_is_looked_for_in_its_queue() -> None:
    server = QueueServer(queue_id="other")
    server.next("enqueue_batch", lost)
    assert (await enqueue_once(server, "other", "mine", BODY)).item_ids == [1]
    assert [request.route for request in server.requests] == [
        "enqueue_batch",
        "batch_status",
        "item_ids",
        "item_summaries_by_ids",
    ]


@in_virtual_time
async def test_of_a_response_that_names_items_of_called_workflows_the_new_ones_count() -> None:
    server = QueueServer()
    named = b'{"enqueued": 2, "requested": 3, "item_ids": [9, 4, 8, 2]}'
    server.next("enqueue_batch", answered(named, applied=False))
    part = await enqueue(server, {"batch": {"runs": 3}}, known=frozenset({2}))
    assert (part.item_ids, part.requested) == ([8, 9], 3)
    server.next("enqueue_batch", answered(b'{"enqueued": 0, "requested": 3, "item_ids": [9, 4]}', applied=False))
    part = await enqueue(server, {"batch": {"runs": 3}})
    assert (part.item_ids, part.requested, part.took_all()) == ([], 3, False)
