from __future__ import annotations

import _thread
import asyncio
import threading
import time

import pytest

from invokeai_py_client.runtime.mailbox import Losses, Mailbox, MailboxClosed


def test_one_that_keeps_up_sees_all() -> None:
    mailbox: Mailbox[str] = Mailbox(capacity=4)
    mailbox.put("progress 1", key="p")
    mailbox.put("started")
    mailbox.put("progress 2", key="p")
    assert mailbox.take(0) == ["progress 1", "started", "progress 2"]
    assert (mailbox.dropped, mailbox.coalesced) == (0, 0)
    assert mailbox.take(0) == []


@pytest.mark.parametrize("timeout", [float("inf"), 1e10])
def test_a_timeout_may_be_longer_than_a_thread_can_wait(timeout: float) -> None:
    mailbox: Mailbox[str] = Mailbox()
    threading.Timer(0.05, mailbox.put, ["late"]).start()
    assert mailbox.take(timeout) == ["late"]


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


def test_a_consumer_that_takes_nothing_does_not_fill_the_memory(caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses()
    mailbox: Mailbox[int] = Mailbox(most=3, losses=losses)
    for n in range(10):
        mailbox.put(n, key="progress" if n == 7 else None)
    assert mailbox.take(0) == [7, 8, 9]
    assert (mailbox.dropped, losses.dropped) == (7, 7)
    assert len(caplog.records) == 1
    assert "3 behind" in caplog.text
    for n in range(3):
        mailbox.put(n, key="progress")
    assert mailbox.take(0) == [0, 1, 2]


def test_a_dropped_item_does_not_count_for_its_key_any_more() -> None:
    mailbox: Mailbox[str] = Mailbox(capacity=1, most=2)
    mailbox.put("old", key="a")
    mailbox.put("plain")
    mailbox.put("plain 2")
    mailbox.put("new", key="a")
    mailbox.put("other", key="b")
    assert mailbox.take(0) == ["plain 2", "other"]
    assert (mailbox.dropped, mailbox.coalesced) == (3, 0), "no newer one of its key has overtaken it"


def test_a_backlog_does_not_count_against_the_limits() -> None:
    mailbox: Mailbox[int] = Mailbox(capacity=1, most=2)
    mailbox.put_backlog(range(5))
    mailbox.put(5, key="a")
    mailbox.put(6)
    assert mailbox.take(0) == [0, 1, 2, 3, 4, 5, 6]
    assert (mailbox.dropped, mailbox.coalesced) == (0, 0)
    for n in range(3):
        mailbox.put(n)
    assert mailbox.take(0) == [1, 2], "the backlog was taken"
    mailbox.close()
    mailbox.put_backlog([1])
    with pytest.raises(MailboxClosed):
        mailbox.take()


def test_losses_are_counted_for_many_mailboxes_together() -> None:
    losses = Losses()
    for _ in range(2):
        mailbox: Mailbox[int] = Mailbox(capacity=1, losses=losses)
        for n in range(3):
            mailbox.put(n, key="same")
        for n in range(3):
            mailbox.put(n, key=n)
    assert (losses.dropped, losses.coalesced) == (6, 4)


def test_who_asks_is_called_once_when_something_waits() -> None:
    mailbox: Mailbox[int] = Mailbox()
    calls: list[str] = []
    mailbox.when_filled(lambda: calls.append("filled"))
    assert calls == []
    mailbox.put(1)
    mailbox.put(2)
    assert calls == ["filled"]
    mailbox.when_filled(lambda: calls.append("at once"))
    assert calls == ["filled", "at once"]
    mailbox.take()
    mailbox.when_filled(lambda: calls.append("closed"))
    mailbox.close()
    assert calls == ["filled", "at once", "closed"]
    mailbox.when_filled(lambda: calls.append("closed before"))
    assert calls[-1] == "closed before"


def test_who_asks_for_the_close_is_told_once() -> None:
    mailbox: Mailbox[int] = Mailbox()
    calls: list[str] = []
    mailbox.when_closed(lambda: calls.append("then"))
    assert not mailbox.is_closed
    mailbox.close()
    mailbox.close()
    assert mailbox.is_closed
    mailbox.when_closed(lambda: calls.append("now"))
    assert calls == ["then", "now"]


@pytest.mark.parametrize("timeout", [None, 20.0])
def test_ctrl_c_is_noticed_although_it_does_not_wake_the_waiting_thread(timeout: float | None) -> None:
    mailbox: Mailbox[str] = Mailbox()
    pressing = threading.Timer(0.05, _thread.interrupt_main)
    pressing.start()
    # A wait that does not notice it would end with the mailbox.
    closing = threading.Timer(15, mailbox.close)
    closing.start()
    with pytest.raises(KeyboardInterrupt):
        mailbox.take(timeout)
    assert closing.is_alive()
    closing.cancel()
    closing.join()
    pressing.join()


def test_a_take_with_a_timeout_ends_without_anything() -> None:
    mailbox: Mailbox[int] = Mailbox()
    began = time.monotonic()
    assert mailbox.take(0.05) == []
    assert 0.04 < time.monotonic() - began < 5


def test_a_close_wakes_a_thread_that_waits() -> None:
    mailbox: Mailbox[int] = Mailbox()
    closed = threading.Event()

    def consume() -> None:
        with pytest.raises(MailboxClosed):
            mailbox.take(30)
        closed.set()

    threading.Thread(target=consume).start()
    mailbox.close()
    assert closed.wait(10)
