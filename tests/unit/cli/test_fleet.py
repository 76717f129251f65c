"""`fleet status` of small servers: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.fleet_servers import QueueOf, refuse_token
from tests.support.serving import Handler, serving

from invokeai_py_client.cli.app import run

REFUSES = "http://127.0.0.1:9"

TOTALS = {"usable", "slots", "pending", "in_progress", "rows_per_hour", "servers"}

SERVER = {
    *("name", "url", "state", "error", "hint", "version", "devices", "slots", "models"),
    *("pending", "in_progress", "own", "others", "rows_per_hour", "failed", "last_failure"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("INVOKEAI_URL", "INVOKEAI_TOKEN", "INVOKEAI_EMAIL", "INVOKEAI_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INVOKEAI_CLIENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_fleet(*urls: str) -> None:
    Path("fleet.toml").write_text("".join(f'[[server]]\nurl = "{url}"\nname = "s{n}"\n' for n, url in enumerate(urls)))


async def ended(handler: Handler, *arguments: str, also: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run the command with a file that has a server; return its exit code, and the server's address."""
    async with serving(handler) as url:
        write_fleet(url, *also)
        return await asyncio.to_thread(run, ["fleet", "status", *arguments]), url


async def test_a_fleet_that_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    server = QueueOf(loaded={"sd-1:main:dream:unet": 5})
    server.add("pending")
    exit_code, url = await ended(server.answer)
    data: dict[str, Any] = json.loads(capsys.readouterr().out)["data"]
    assert exit_code == 0
    assert data.keys() == TOTALS
    (one,) = data["servers"]
    assert one.keys() == SERVER
    assert (one["name"], one["url"], one["state"], one["error"], one["hint"]) == ("s0", url, "busy", None, "")
    assert (one["own"], one["others"]) == (0, 1)
    assert (one["devices"], one["models"]) == ({"cuda:0": "RTX 4090", "cuda:1": "RTX 3090"}, ["dream"])
    assert (data["usable"], data["slots"], data["pending"]) == (1, 2, 1)


async def test_a_server_that_is_lost_is_told_with_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, _ = await ended(QueueOf().answer, also=(REFUSES,))
    error: dict[str, Any] = json.loads(capsys.readouterr().out)["error"]
    assert (exit_code, error["code"]) == (1, "servers_unusable")
    assert error["message"] == "1 of 2 servers cannot be used: s1."
    assert error["hint"].startswith("s1: Start the server (invokeai-client server start")
    assert error["hint"].endswith("correct its url in the file.")
    assert [one["state"] for one in error["details"]["servers"]] == ["ready", "refused"]
    assert error["details"].keys() == TOTALS


async def test_quiet_prints_the_usable_ones(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, url = await ended(QueueOf().answer, "--format", "quiet", also=(REFUSES,))
    assert (exit_code, capsys.readouterr().out) == (1, f"{url}\n")


async def test_a_person_sees_a_table_and_the_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    server = QueueOf()
    server.ended("failed", began=9, ended=8, error_type="RuntimeError", error_message="boom\x1b[2J")
    exit_code, _ = await ended(server.answer, "--format", "human", also=(REFUSES,))
    out, err = capsys.readouterr()
    assert exit_code == 1
    assert [line.split()[:4] for line in out.splitlines()] == [
        ["Server", "State", "Running", "Pending"],
        ["s0", "ready", "0/2", "0"],
        ["s1", "refused", "-/1", "-"],
    ]
    assert "1 of 2 servers usable" in err
    assert "s1: GET http://127.0.0.1:9/api/v1/app/version: no connection" in err
    assert "s0: the latest row that failed: RuntimeError: boom\\x1b[2J" in err


async def test_a_server_that_wants_a_token_gets_that_of_the_login(capsys: pytest.CaptureFixture[str]) -> None:
    _, url = await ended(refuse_token)
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["details"]["servers"][0]["state"] == "not_allowed"
    assert f"invokeai-client login --url {url}" in error["hint"]


async def test_a_stored_token_is_sent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = QueueOf(token="stored")
    async with serving(server.answer) as url:
        write_fleet(url)
        (folder / "tokens.json").write_text(json.dumps({url: "stored"}))
        assert await asyncio.to_thread(run, ["fleet", "status"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["usable"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "There is no file 'fleet.toml'."), ("[[server]]\nslots = 2", "[[server]] 1 of fleet.toml has no url.")],
)
def test_a_file_that_cannot_be_used(text: str | None, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    if text is not None:
        Path("fleet.toml").write_text(text)
    assert run(["fleet", "status"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["message"]) == ("bad_input", said)
    assert error["hint"]
