from __future__ import annotations

import asyncio
import threading
from typing import ClassVar

import pytest

from invokeai_py_client.runtime.delivery import Delivery


async def test_a_handler_made_on_a_loop_is_called_there_in_order() -> None:
    seen: list[int] = []

    async def handler(n: int) -> None:
        await asyncio.sleep(0.001 * (3 - n))
        seen.append(n)

    delivery = Delivery(handler)
    for n in range(3):
        delivery.mailbox.put(n)
    await delivery.caught_up()
    assert seen == [0, 1, 2]
    delivery.close()
    delivery.mailbox.put(3)
    await delivery.caught_up()
    assert seen == [0, 1, 2]


async def test_one_that_waits_for_itself_does_not_hang() -> None:
    ended = asyncio.Event()

    async def handler(_: int) -> None:
        await delivery.caught_up()
        ended.set()

    delivery = Delivery(handler)
    delivery.mailbox.put(1)
    await asyncio.wait_for(ended.wait(), 10)


def test_a_handler_made_without_a_loop_is_called_by_who_drains() -> None:
    threads: list[int] = []
    delivery: Delivery[int] = Delivery(lambda n: threads.append(threading.get_ident()))
    delivery.mailbox.put(1)
    assert threads == []
    delivery.drain()
    assert threads == [threading.get_ident()]

    async def later() -> None:
        delivery.adopt()
        delivery.mailbox.put(2)
        await delivery.caught_up()

    asyncio.run(later())
    assert len(threads) == 2
    delivery.mailbox.put(3)  # the loop that called it is gone
    delivery.drain()
    assert len(threads) == 3


def test_a_thread_of_its_own_calls_it_where_nobody_waits() -> None:
    called = threading.Event()
    names: list[str] = []

    def handler(_: int) -> None:
        names.append(threading.current_thread().name)
        called.set()

    delivery = Delivery(handler, own_thread=True)
    delivery.mailbox.put(1)
    assert called.wait(10)
    assert names == ["invokeai-handler"]
    delivery.close()


async def test_no_task_waits_while_there_is_nothing_to_deliver() -> None:
    delivery: Delivery[int] = Delivery(lambda n: None)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    delivery.mailbox.put(1)
    await delivery.caught_up()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    delivery.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_what_a_loop_that_ended_left_is_delivered_by_the_next_one() -> None:
    seen: list[int] = []
    began = asyncio.Event()

    async def handler(n: int) -> None:
        began.set()
        if not seen:
            seen.append(-1)
            await asyncio.sleep(60)
        seen.append(n)

    delivery: Delivery[int] = Delivery(handler)

    async def ends_early() -> None:
        delivery.adopt()
        for n in range(3):
            delivery.mailbox.put(n)
        await began.wait()

    async def goes_on() -> None:
        delivery.adopt()
        delivery.mailbox.put(3)
        await delivery.caught_up()

    asyncio.run(ends_early())
    assert seen == [-1], "the call under way was cancelled with its loop"
    asyncio.run(goes_on())
    assert seen == [-1, 1, 2, 3]
    delivery.mailbox.put(4)
    delivery.drain()
    assert seen == [-1, 1, 2, 3, 4]


async def test_a_handler_in_which_something_is_cancelled_is_called_on(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []

    async def handler(n: int) -> None:
        seen.append(n)
        other = asyncio.ensure_future(asyncio.sleep(60))
        other.cancel()
        await other

    delivery: Delivery[int] = Delivery(handler)
    delivery.mailbox.put(1)
    delivery.mailbox.put(2)
    await asyncio.wait_for(delivery.caught_up(), 10)
    assert seen == [1, 2]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("on_a_loop", [False, True])
def test_a_handler_that_raises_is_logged_once_and_called_on(on_a_loop: bool, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []

    def handler(n: int) -> None:
        seen.append(n)
        raise ZeroDivisionError

    delivery: Delivery[int] = Delivery(handler)
    for n in range(3):
        delivery.mailbox.put(n)

    async def on_loop() -> None:
        delivery.adopt()
        await delivery.caught_up()

    if on_a_loop:
        asyncio.run(on_loop())
    else:
        delivery.drain()
    assert seen == [0, 1, 2]
    assert len(caplog.records) == 1
    assert "ZeroDivisionError" in caplog.text


async def test_who_waits_for_a_delivery_that_is_closed_does_not_hang() -> None:
    began, release = asyncio.Event(), asyncio.Event()
    seen: list[int] = []

    async def handler(n: int) -> None:
        seen.append(n)
        began.set()
        await release.wait()

    delivery: Delivery[int] = Delivery(handler)
    delivery.mailbox.put(1)
    delivery.mailbox.put(2)
    waiting = asyncio.ensure_future(delivery.caught_up())
    await began.wait()
    delivery.close()
    release.set()
    await asyncio.wait_for(waiting, 10)
    await asyncio.wait_for(delivery.caught_up(), 10)
    assert seen == [1]


def test_a_thread_of_its_own_ends_when_the_mailbox_is_closed() -> None:
    seen: list[int] = []
    before = {*threading.enumerate()}
    delivery: Delivery[int] = Delivery(seen.append, own_thread=True)
    (thread,) = {*threading.enumerate()} - before
    delivery.mailbox.put(1)
    delivery.mailbox.close()
    thread.join(10)
    assert not thread.is_alive()


async def test_a_blocked_loop_calls_a_plain_handler_where_it_drains() -> None:
    seen: list[int] = []
    delivery: Delivery[int] = Delivery(seen.append)
    delivery.mailbox.put(1)
    delivery.drain()
    assert seen == [1]


async def test_another_thread_leaves_a_handler_to_its_loop() -> None:
    threads: list[int] = []
    delivery: Delivery[int] = Delivery(lambda n: threads.append(threading.get_ident()))
    delivery.mailbox.put(1)
    await asyncio.to_thread(delivery.drain)
    await delivery.caught_up()
    assert threads == [threading.get_ident()]


def test_an_object_whose_call_is_a_coroutine_is_awaited() -> None:
    class Handler:
        seen: ClassVar[list[int]] = []

        async def __call__(self, n: int) -> None:
            await asyncio.sleep(0)
            self.seen.append(n)

    delivery: Delivery[int] = Delivery(Handler())
    delivery.mailbox.put(1)
    delivery.drain()
    assert Handler.seen == [1]


async def test_a_handler_that_drains_on_its_loop_is_not_called_within_itself() -> None:
    order: list[str] = []

    def handler(n: int) -> None:
        order.append(f"begin {n}")
        delivery.drain()
        order.append(f"end {n}")

    delivery = Delivery(handler)
    for n in range(2):
        delivery.mailbox.put(n)
    await delivery.caught_up()
    assert order == ["begin 0", "end 0", "begin 1", "end 1"]
