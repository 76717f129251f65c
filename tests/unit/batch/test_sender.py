"""A chunk is sent exactly once, whatever became of the requests that were to send it. In virtual time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from tests.support.batches import Plan
from tests.support.queue_server import Exchange, QueueServer, dropped, lost, refused, status, swallowed
from tests.support.tracking import Link, tracker_on
from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client import errors
from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.batch_report import BatchReport
from invokeai_py_client.batch.checksums import checksum
from invokeai_py_client.batch.journal import SentChunk, SentRow
from invokeai_py_client.batch.recovery import FoundChunk
from invokeai_py_client.batch.sender import enqueue
from invokeai_py_client.batch.submission import OneServer, begin
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Response

CHUNK = SentChunk("mine", [SentRow(str(n), checksum([])) for n in range(3)])
BODY: dict[str, Any] = {"prepend": False, "batch": {"graph": {"nodes": {}}, "runs": 3}}


async def sent(server: QueueServer) -> TrackedRun | FoundChunk:
    tracker = tracker_on(server, VirtualEngine(), Link())
    return await enqueue(server, tracker, CHUNK, BODY)


@in_virtual_time
async def test_a_chunk_whose_request_is_answered_is_sent_once() -> None:
    server = QueueServer()
    run = await sent(server)
    assert isinstance(run, TrackedRun)
    assert [*run.state.items] == server.ids_of("mine") == [1, 2, 3]
    assert len(server.asked("enqueue_batch")) == 1


@in_virtual_time
async def test_a_server_that_is_away_for_an_hour_gets_it_then() -> None:
    server = QueueServer()
    back_at = now() + 3600

    async def away(exchange: Exchange) -> Response:
        return await refused(exchange) if now() < back_at else await exchange.carry_out()

    for route in ("enqueue_batch", "item_ids", "batch_status"):
        server.always(route, away)
    await sent(server)
    assert server.ids_of("mine") == [1, 2, 3]


@in_virtual_time
async def test_a_chunk_in_doubt_that_has_arrived_is_found_and_not_sent_again() -> None:
    server = QueueServer()

    async def stores_unheard(exchange: Exchange) -> Response:
        exchange.carry_out_later(1)
        return await swallowed(exchange)

    server.next("enqueue_batch", stores_unheard)
    # Nothing can be found out for as long as the submission asks.
    server.next("batch_status", *[dropped] * 30)
    found = await sent(server)
    assert isinstance(found, FoundChunk)
    assert found.places == {1: 0, 2: 1, 3: 2}
    assert len(server.asked("enqueue_batch")) == 1


class SlowToStore:
    """A server that stores a chunk some seconds after it can be asked again, once.

    Args:
        seconds: after the first look at the queue.
        unseen: how many looks at the queue fail before that one.
    """

    def __init__(self, seconds: float, *, unseen: int = 0) -> None:
        self.server = QueueServer()
        self.server.next("enqueue_batch", swallowed)
        self.server.next("batch_status", *[dropped] * 30)
        self.server.next("item_ids", *[dropped] * unseen, self.first_look)
        self._seconds = seconds

    async def first_look(self, exchange: Exchange) -> Response:
        looked = await exchange.carry_out()

        async def store() -> None:
            await asyncio.sleep(self._seconds)
            self.server.add("mine", 3)

        self.server.in_background(store())
        return looked


@pytest.mark.parametrize("unseen", [0, 3, 12])
def test_a_chunk_in_doubt_that_arrives_after_a_look_is_not_sent_again(unseen: int) -> None:
    @in_virtual_time
    async def test() -> None:
        slow = SlowToStore(2.5, unseen=unseen)
        found = await sent(slow.server)
        assert isinstance(found, FoundChunk)
        assert slow.server.ids_of("mine") == [1, 2, 3]
        assert len(slow.server.asked("enqueue_batch")) == 1

    test()


@in_virtual_time
async def test_a_chunk_in_doubt_that_never_arrived_is_sent_after_the_grace() -> None:
    server = QueueServer()
    server.next("enqueue_batch", swallowed)
    server.next("batch_status", *[dropped] * 30)
    began = now()
    run = await sent(server)
    assert isinstance(run, TrackedRun)
    assert server.ids_of("mine") == [1, 2, 3]
    first, second = server.asked("enqueue_batch")
    looks = [request.at for request in server.asked("item_ids")]
    assert len(looks) == 2, "it is looked for twice"
    assert looks[1] - looks[0] >= 3
    assert (first.at, second.at >= looks[1]) == (began, True)


@in_virtual_time
async def test_a_chunk_of_which_a_part_fitted_is_found_with_that_part() -> None:
    server = QueueServer(capacity=2)

    async def stores_unheard(exchange: Exchange) -> Response:
        exchange.carry_out_later(1)
        return await swallowed(exchange)

    server.next("enqueue_batch", stores_unheard)
    server.next("batch_status", *[dropped] * 30)
    found = await sent(server)
    assert isinstance(found, FoundChunk)
    assert found.places == {1: 0, 2: 1}


@pytest.mark.parametrize("code", [403, 422])
def test_a_chunk_that_is_refused_is_not_sent_again(code: int) -> None:
    @in_virtual_time
    async def test() -> None:
        server = QueueServer()
        server.always("enqueue_batch", status(code))
        with pytest.raises(errors.ApiError) as refusal:
            await sent(server)
        assert refusal.value.status == code
        assert not server.ids_of("mine")
        assert len(server.asked("enqueue_batch")) == 1

    test()


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_chunk_that_is_in_doubt_when_the_batch_is_canceled_is_looked_for(is_stored: bool) -> None:
    @in_virtual_time
    async def test() -> None:
        server, engine = QueueServer(), VirtualEngine()
        server.next("enqueue_batch", lost if is_stored else swallowed)
        back_at = now() + 100

        async def unheard(exchange: Exchange) -> Response:
            return await (exchange.carry_out() if now() > back_at else dropped(exchange))

        for route in ("batch_status", "item_ids"):
            server.always(route, unheard)
        plan = Plan(range(3))
        backend = OneServer(plan, plan, cast(HttpTransport, server), tracker_on(server, engine, Link()))
        batch = await begin(
            plan,
            backend,
            engine,
            folder=None,
            options=BatchOptions(),
            save=lambda path: None,
            make_report=lambda path: BatchReport(path, workflow="w", axes=[], total=3),
        )
        # By then the submission has given up.
        await asyncio.sleep(90)
        await batch.cancel()
        await batch.control.until(lambda: batch.control.is_over)
        assert batch.recorder.table.counts["canceled"] == 3
        assert [item["status"] for item in server.items.values()] == (["canceled"] * 3 if is_stored else [])

    test()
