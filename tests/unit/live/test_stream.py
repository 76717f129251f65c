"""Streams of events, read by threads and by loops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable

import pytest

from invokeai_py_client.errors import ClientClosedError, InvokeAIError
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Losses, Mailbox
from invokeai_py_client.wire.events import Event, GeneratorProgress, QueueCleared, SessionComplete


class Source:
    """What a stream subscribes to. It tells some events at once; the test puts the others."""

    def __init__(self, *events: Event, ends: bool = False) -> None:
        self.mailboxes: list[Mailbox[Event]] = []
        self.has_subscribed = threading.Event()
        self.threads: list[threading.Thread] = []
        self.failure: InvokeAIError | None = None
        self.refusal: InvokeAIError | None = None
        self._events = events
        self._ends = ends

    async def subscribe(self, mailbox: Mailbox[Event]) -> Callable[[], InvokeAIError | None]:
        self.threads.append(threading.current_thread())
        if self.refusal is not None:
            raise self.refusal
        self.mailboxes.append(mailbox)
        self.has_subscribed.set()
        for event in self._events:
            mailbox.put(event)
        if self._ends:
            mailbox.close()
        return lambda: self.failure


EVENTS = (QueueCleared(queue_id="default"), SessionComplete(item_id=1, batch_id="b", status="completed"))


def stream_of(engine: Engine, source: Source, losses: Losses | None = None) -> EventStream:
    return EventStream(engine, source.subscribe, losses or Losses())


def test_a_thread_reads_all_until_the_end(engine: Engine) -> None:
    stream = stream_of(engine, Source(*EVENTS, ends=True))
    assert [*stream] == [*EVENTS]
    with pytest.raises(StopIteration):
        next(stream)


async def test_a_loop_reads_all_until_the_end(engine: Engine) -> None:
    stream = stream_of(engine, Source(*EVENTS, ends=True))
    assert [event async for event in stream] == [*EVENTS]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_reader_that_is_cancelled_when_it_has_just_subscribed_does_not_subscribe_again(engine: Engine) -> None:
    source = Source(*EVENTS, ends=True)
    stream = stream_of(engine, source)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    # This loop cannot hear of the subscription before it cancels the reader.
    assert source.has_subscribed.wait(5)
    engine.block(asyncio.sleep(0))
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    assert [event async for event in stream] == [*EVENTS]
    assert len(source.mailboxes) == 1


async def test_it_subscribes_once_on_the_engine_and_not_before_it_is_read(engine: Engine) -> None:
    source = Source(*EVENTS)
    stream = stream_of(engine, source)
    assert source.threads == []
    async with stream:
        assert len(source.threads) == 1
        assert await anext(stream) == EVENTS[0]
        assert await anext(stream) == EVENTS[1]
    assert len(source.threads) == 1
    assert source.threads[0] is not threading.current_thread()


async def test_leaving_the_block_unsubscribes(engine: Engine) -> None:
    source = Source(*EVENTS)
    async with stream_of(engine, source) as stream:
        await anext(stream)
    assert source.mailboxes[0].is_closed
    with await asyncio.to_thread(stream_of(engine, source).__enter__) as other:
        other.close()
    assert source.mailboxes[1].is_closed


def test_what_has_arrived_can_be_read_after_the_close(engine: Engine) -> None:
    stream = stream_of(engine, Source(*EVENTS))
    with stream:
        pass
    assert [*stream] == [*EVENTS]


def test_dropping_a_stream_unsubscribes(engine: Engine) -> None:
    source = Source(*EVENTS)
    next(stream_of(engine, source))
    gc.collect()
    assert source.mailboxes[0].is_closed


@pytest.mark.parametrize("times", [1, 2])
def test_a_failure_is_raised_after_the_last_event(engine: Engine, times: int) -> None:
    source = Source(*EVENTS, ends=True)
    source.failure = ClientClosedError("closed")
    stream = stream_of(engine, source)
    assert [next(stream), next(stream)] == [*EVENTS]
    for _ in range(times):
        with pytest.raises(ClientClosedError):
            next(stream)


async def test_a_failure_is_raised_on_a_loop_too(engine: Engine) -> None:
    source = Source(ends=True)
    source.failure = ClientClosedError("closed")
    with pytest.raises(ClientClosedError):
        await anext(stream_of(engine, source))


def test_what_keeps_it_from_subscribing_is_raised_and_may_be_tried_again(engine: Engine) -> None:
    source = Source(*EVENTS, ends=True)
    source.refusal = InvokeAIError("not now")
    stream = stream_of(engine, source)
    with pytest.raises(InvokeAIError, match="not now"):
        next(stream)
    source.refusal = None
    assert [*stream] == [*EVENTS]


async def test_an_event_wakes_the_loop_that_waits_for_it(engine: Engine) -> None:
    source = Source()
    async with stream_of(engine, source) as stream:
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        source.mailboxes[0].put(EVENTS[0])
        assert await asyncio.wait_for(waiting, 10) == EVENTS[0]


async def test_a_cancelled_read_loses_nothing(engine: Engine) -> None:
    source = Source()
    async with stream_of(engine, source) as stream:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)
        source.mailboxes[0].put(EVENTS[0])
        assert await anext(stream) == EVENTS[0]


def test_what_a_slow_consumer_does_not_see_is_counted(engine: Engine) -> None:
    source, losses = Source(), Losses()
    stream = stream_of(engine, source, losses)
    with stream:
        for n in range(300):
            event = GeneratorProgress(item_id=1, batch_id="b", node_id="n", invocation_id="n-1", node={}, step=n)
            source.mailboxes[0].put(event, key=(1, "n-1"))
        for n in range(257):
            source.mailboxes[0].put(EVENTS[0], key=n)
    assert stream.coalesced == losses.coalesced > 0
    assert stream.dropped == losses.dropped > 0
    assert stream.coalesced + stream.dropped + len([*stream]) == 557
