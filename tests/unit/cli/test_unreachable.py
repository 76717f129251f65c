"""A server that cannot be reached: how soon that is told, and what is said of it."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import errors
from invokeai_py_client.cli.app import run
from invokeai_py_client.cli.failures import failure_of
from invokeai_py_client.transport import backoff

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CONFIG", "/dev/null")


def error_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(capsys.readouterr().out)["error"]
    return error


@pytest.mark.parametrize("command", ["queue status", "server status", "doctor", "login --email a@example.org"])
def test_a_refused_connection_is_told_at_once(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST_RETRY", 60.0)
    # Nothing is asked before.
    monkeypatch.setattr(sys, "stdin", None)
    began = time.monotonic()
    exit_code = run([*command.split(), "--url", NOWHERE])
    assert time.monotonic() - began < 15, "four retries take 20 s or more"
    assert exit_code == (1 if command == "doctor" else 3)
    error = error_of(capsys)
    assert "server start" in error["hint"]
    assert "--url" in error["hint"]


@pytest.mark.parametrize("command", ["run", "inputs", "check", "codegen", "batch"])
@pytest.mark.parametrize(
    ("workflow", "code", "said"),
    [
        ("tigre.json", "bad_input", "There is no file 'tigre.json'."),
        ("broken.json", "bad_input", "is not JSON"),
        ("Text to Image - SD1.5", "unreachable", "no connection"),
    ],
)
def test_a_workflow_file_is_looked_for_before_the_server(
    command: str,
    workflow: str,
    code: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiger.json").touch()
    Path("broken.json").write_text("{")
    Path("rows.csv").write_text("Steps\n4\n")
    more = {"batch": ["rows.csv", "--out", "out"], "codegen": ["-o", "tiger.py"]}.get(command, [])
    run([command, workflow, *more, "--url", NOWHERE])
    error = error_of(capsys)
    assert error["code"] == code, error
    assert said in error["message"]
    assert workflow != "tigre.json" or error["hint"] == "Did you mean 'tiger.json'?"


async def test_a_server_that_only_fails_once_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        if len(asked) < 3:
            return web.json_response({"detail": "starting"}, status=503, headers={"Retry-After": "0"})
        return web.json_response([])

    async with serving(answer) as url:
        assert await asyncio.to_thread(run, ["boards", "list", "--url", url]) == 0
    assert asked == ["/api/v1/app/version", *["/api/v1/boards/"] * 2]


async def test_a_certificate_of_ones_own_authority(capsys: pytest.CaptureFixture[str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def answer(request: web.Request) -> web.Response:
        return web.json_response([])

    async with serving(answer, context=context) as url:
        assert await asyncio.to_thread(run, ["boards", "list", "--url", url]) == 3
    assert "SSL_CERT_FILE" in error_of(capsys)["hint"]


def test_hints_name_what_the_command_line_has() -> None:
    refused = errors.TransportError("refused", url="", sent=False, proxy="http://p:1")
    assert "NO_PROXY" in failure_of(refused).hint
    broken = errors.TransportError("the connection broke", url="", sent=True)
    assert "server status --wait" in failure_of(broken).hint
    late = errors.RequestTimeout("late", url="", method="GET", timeout=1.0, hint="Pass a longer `timeout`.")
    assert "`timeout`" not in failure_of(late).hint
