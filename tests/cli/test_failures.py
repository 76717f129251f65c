"""Failures that the real server does not produce when asked: each has its code and exit code, and says what to do."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import CLI

from invokeai_py_client.cli.failures import CODES


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers `/<status>/...` with that status; but a version is told by all except `/404/...`."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        is_version = self.path.endswith("/app/version") and status != 404
        body = b'{"version": "6.14.2"}' if is_version else b'{"detail": "because"}'
        self.send_response(200 if is_version else status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def answers() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


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
