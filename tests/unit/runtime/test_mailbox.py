from __future__ import annotations

import asyncio
import threading

import pytest

from invokeai_py_client.runtime.mailbox import Mailbox, MailboxClosed


def test_one_that_keeps_up_sees_all() -> None:
    mailbox: Mailbox[str] = Mailbox(capacity=4)
    mailbox.put("progress 1", key="p")
    mailbox.put("started")
    mailbox.put("progress 2", key="p")
    assert mailbox.take(0) == ["progress 1", "started", "progress 2"]
    assert (mailbox.dropped, mailbox.coalesced) == (0, 0)
    assert mailbox.take(0) == []


def test_a_slow_one_sees_the_latest_of_each_key() -> None:
    mailbox: Mailbox[tuple[str, int]] = Mailbox(capacity=2)
    mailbox.put(("quiet", 0), key="quiet")
    mailbox.put(("end", 0))
    for n in range(1000):
        mailbox.put(("loud", n), key="loud")
    assert mailbox.take(0) == [("quiet", 0), ("end", 0), ("loud", 999)]
    assert (mailbox.dropped, mailbox.coalesced) == (0, 999)


def test_beyond_the_capacity_the_oldest_with_a_key_is_dropped_and_counted() -> None:
    mailbox: Mailbox[int] = Mailbox(capacity=2)
    mailbox.put(-1)
    for n in range(4):
        mailbox.put(n, key=n)
    assert mailbox.take(0) == [-1, 2, 3]
    assert (mailbox.dropped, mailbox.coalesced) == (2, 0)


def test_after_close_what_waits_is_still_taken() -> None:
    mailbox: Mailbox[int] = Mailbox()
    mailbox.put(1)
    mailbox.close()
    mailbox.put(2)
    assert mailbox.take() == [1]
    with pytest.raises(MailboxClosed):
        mailbox.take()


def test_a_put_wakes_a_thread_that_waits() -> None:
    mailbox: Mailbox[int] = Mailbox()
    taken: list[list[int]] = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take(10)))
    thread.start()
    mailbox.put(7)
    thread.join(10)
    assert taken == [[7]]


async def test_a_put_from_another_thread_wakes_a_loop() -> None:
    mailbox: Mailbox[int] = Mailbox()
    waiting = asyncio.create_task(mailbox.take_async())
    await asyncio.sleep(0)
    await asyncio.to_thread(mailbox.put, 7)
    assert await asyncio.wait_for(waiting, 10) == [7]
    waiting = asyncio.create_task(mailbox.take_async())
    await asyncio.sleep(0)
    mailbox.close()
    with pytest.raises(MailboxClosed):
        await asyncio.wait_for(waiting, 10)


async def test_a_cancelled_wait_loses_nothing() -> None:
    mailbox: Mailbox[int] = Mailbox()
    waiting = asyncio.create_task(mailbox.take_async())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    mailbox.put(7)
    assert await mailbox.take_async() == [7]


def test_a_consumer_whose_loop_is_gone_does_not_hurt_the_producer() -> None:
    mailbox: Mailbox[int] = Mailbox()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(mailbox.take_async(), 0.01)

    asyncio.run(give_up())
    mailbox.put(7)
    assert mailbox.take(0) == [7]
