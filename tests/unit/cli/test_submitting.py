"""What a person is told while a run or a batch is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from invokeai_py_client.cli.output import Output
from invokeai_py_client.cli.submitting import telling_connection
from invokeai_py_client.client import InvokeAIClient
from invokeai_py_client.live.connection_changes import ConnectionChange

CHANGES = (
    ConnectionChange("connected"),
    ConnectionChange("disconnected", reason="gone"),
    ConnectionChange("reconnected", seconds=12.4, resynced=1),
)


class Client:
    def __init__(self) -> None:
        self.handlers: list[Any] = []

    def on_connection(self, handler: Callable[[ConnectionChange], None]) -> Callable[[], None]:
        self.handlers.append(handler)
        return lambda: self.handlers.remove(handler)


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        (
            "human",
            "The connection to the server is lost. Waiting for it to come back.\nThe server is back after 12 s.\n",
        ),
        ("json", ""),
        ("quiet", ""),
    ],
)
def test_a_person_is_told_that_the_server_is_away(chosen: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    client = Client()
    with telling_connection(Output(chosen), cast(InvokeAIClient, client)):
        for change in CHANGES:
            for handler in client.handlers:
                handler(change)
    assert capsys.readouterr() == ("", told)
    assert client.handlers == []
