"""What the doctor says of servers that no test server is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client.cli import doctor
from invokeai_py_client.cli.app import run
from invokeai_py_client.cli.commands import GlobalOptions
from invokeai_py_client.cli.session import Session

NAMES = ("pending", "in_progress", "completed", "failed", "canceled", "total")
STATUS = {"queue": dict.fromkeys(NAMES, 0), "processor": {"is_started": True, "is_processing": False}}


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CONFIG", "/dev/null")
    monkeypatch.setattr(doctor, "SOCKET_WAIT", 0.1)


async def checks_of(
    answers: Mapping[str, tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> dict[str, Mapping[str, Any]]:
    async def answer(request: web.Request) -> web.Response:
        status, found = answers.get(request.path, (404, {"detail": "no"}))
        return web.json_response(found, status=status)

    async with serving(answer) as url:
        await asyncio.to_thread(run, ["doctor", "--url", url])
    document = json.loads(capsys.readouterr().out)
    return {check["check"]: check for check in document["error"]["details"]["checks"]}


async def test_one_check_that_fails_does_not_end_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    answers = {
        "/api/v1/app/version": (200, {"version": "5.9.1"}),
        "/api/v1/queue/default/status": (200, STATUS),
        "/api/v2/models/": (418, {"detail": "oh"}),
    }
    checks = await checks_of(answers, capsys)
    assert not checks["version"]["ok"]
    assert not checks["models"]["ok"]
    assert "418" in checks["models"]["found"]
    assert checks["queue"]["ok"]
    assert "disk" in checks


async def test_a_server_that_wants_a_login(capsys: pytest.CaptureFixture[str]) -> None:
    answers = {
        "/api/v1/app/version": (200, {"version": "6.14.2"}),
        "/api/v1/queue/default/status": (401, {"detail": "who?"}),
    }
    checks = await checks_of(answers, capsys)
    assert checks["access"] == {
        "check": "access",
        "ok": False,
        "found": checks["access"]["found"],
        "fix": "Log in with: invokeai-client login --email EMAIL",
    }


@pytest.mark.parametrize(
    ("url", "token", "is_ok"),
    [
        ("http://studio.invalid", "t", False),
        ("http://studio.invalid", None, True),
        ("https://studio.invalid", "t", True),
    ],
)
def test_a_token_in_the_clear_is_told(
    url: str, token: str | None, is_ok: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INVOKEAI_TOKEN", raising=False)
    settings = Session(GlobalOptions(url=url, token=token)).settings
    assert doctor.encryption(settings).ok is is_ok
