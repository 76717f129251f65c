from __future__ import annotations

import threading
from typing import Any

from invokeai_py_client.live.connection_changes import ConnectionChange, ConnectionWatch
from invokeai_py_client.runtime.mailbox import Mailbox


def told(mailbox: Mailbox[Any]) -> list[str]:
    return [change.state for change in mailbox.take(0)]


def test_all_are_notified_of_each_change_and_losses_are_counted() -> None:
    watch = ConnectionWatch()
    mailboxes: list[Mailbox[Any]] = [Mailbox(), Mailbox()]
    for mailbox in mailboxes:
        watch.add(mailbox)
    for change in (
        ConnectionChange("connected"),
        ConnectionChange("disconnected", reason="transport error"),
        ConnectionChange("reconnected", seconds=1.5, resynced=3),
        ConnectionChange("disconnected", reason="closed"),
    ):
        watch.tell(change)
    for mailbox in mailboxes:
        assert told(mailbox) == ["connected", "disconnected", "reconnected", "disconnected"]
    assert (watch.losses, watch.reconnects) == (2, 1)


def test_one_that_has_left_is_not_notified() -> None:
    watch = ConnectionWatch()
    left: Mailbox[Any] = Mailbox()
    stays: Mailbox[Any] = Mailbox()
    watch.add(left)
    watch.add(stays)
    left.close()
    watch.tell(ConnectionChange("connected"))
    assert told(stays) == ["connected"]


def test_a_closed_watch_closes_the_mailboxes_of_all_also_of_those_that_come_late() -> None:
    watch = ConnectionWatch()
    early: Mailbox[Any] = Mailbox()
    late: Mailbox[Any] = Mailbox()
    watch.add(early)
    watch.tell(ConnectionChange("connected"))
    watch.close()
    watch.add(late)
    assert early.is_closed
    assert late.is_closed
    assert told(early) == ["connected"]


def test_mailboxes_that_are_added_while_others_are_notified_are_not_lost() -> None:
    watch = ConnectionWatch()
    mailboxes: list[Mailbox[Any]] = [Mailbox() for _ in range(500)]
    done = threading.Event()

    def tell() -> None:
        while not done.is_set():
            watch.tell(ConnectionChange("connected"))

    telling = threading.Thread(target=tell)
    telling.start()
    for mailbox in mailboxes:
        watch.add(mailbox)
    done.set()
    telling.join(10)
    watch.tell(ConnectionChange("disconnected"))
    assert all(told(mailbox)[-1] == "disconnected" for mailbox in mailboxes)


def test_a_change_reads_as_a_mapping() -> None:
    change = ConnectionChange("reconnected", seconds=1.5, resynced=3)
    assert (change["state"], change["seconds"], change["resynced"], change["reason"]) == ("reconnected", 1.5, 3, None)
    assert [*change.keys()] == ["state", "reason", "seconds", "resynced"]
