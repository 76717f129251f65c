from __future__ import annotations

import asyncio
import threading

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
