"""What is logged of servers that come and go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from invokeai_py_client.fleet.calls import Answer, Away, Call, Done, Prepare, Ready
from invokeai_py_client.fleet.cluster import Watcher
from invokeai_py_client.fleet.members import Member
from invokeai_py_client.fleet.membership import Membership
from invokeai_py_client.live.priority import Priority

URL = "http://gpu1:9090"


class OneServer:
    """A cluster with one server, whose answers to the calls a test gives."""

    def __init__(self) -> None:
        self._answered: list[Callable[[Answer], None]] = []

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        watcher.joined(URL)
        return lambda: None

    def submit(self, server: str, call: Call, done: Callable[[Answer], None]) -> Callable[[], None]:
        self._answered.append(done)
        return lambda: None

    def answer(self, answer: Answer) -> None:
        self._answered.pop()(answer)


class NoOwner:
    def server_ready(self, server: Member, ready: Ready) -> None: ...

    def server_lost(self, server: Member) -> None: ...


def test_a_server_that_dies_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    cluster = OneServer()
    servers = Membership(cluster, lambda: Prepare("batch", b"", "", "default", Priority.NORMAL, "none", []), NoOwner())
    servers.start()
    answers = (
        *(Ready(1, {}), Away("dead", "POST failed"), Done(), Away("dead", "GET failed"), Done(), Ready(1, {})),
        *(Away("dead", "POST failed"), Away("hung", "no response")),
    )
    for answer in answers:
        if isinstance(answer, Away) and servers.ready:
            # A row was running.
            servers.lose(servers.ready[0], answer)
        else:
            cluster.answer(answer)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"{URL} is dead: POST failed",
        f"{URL} is dead: POST failed",
        f"{URL} is hung: no response",
    ]
