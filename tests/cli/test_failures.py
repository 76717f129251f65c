"""Failures that the real server does not produce when asked: each has its code and exit code, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import CLI
from tests.support.status_server import status_server

from invokeai_py_client.cli.failures import CODES


@pytest.fixture
def answers() -> Iterator[str]:
    with status_server(tells_version=True) as url:
        yield url


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (401, "unauthorized", 4),
        (403, "forbidden", 4),
        (404, "not_invokeai", 3),
        (422, "rejected", 2),
        (500, "server_error", 1),
    ],
)
def test_what_a_server_answers_has_a_code(cli: CLI, answers: str, status: int, code: str, exit_code: int) -> None:
    ended = cli("boards", "list", "--url", f"{answers}/{status}")
    error = ended.error()
    assert (error["code"], ended.exit_code) == (code, exit_code)
    assert CODES[code][0] == exit_code
    assert error["hint"]


def test_a_server_that_cannot_be_started_has_a_code(cli: CLI, tmp_path: Path) -> None:
    ended = cli("server", "start", "--version", "../6", INVOKEAI_CLIENT_CACHE=str(tmp_path / "cache"))
    assert (ended.error()["code"], ended.exit_code) == ("local_server", 1)
    assert not (tmp_path / "cache").exists()
