"""`server` with a script in place of InvokeAI: started, found, followed and stopped by separate commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.local.test_local import RUNS, fake_cache

from invokeai_py_client.cli.app import run
from invokeai_py_client.cli.commands import GlobalOptions
from invokeai_py_client.cli.session import Session
from invokeai_py_client.local import running_servers

__all__ = ["fake_cache"]

SAYS = "print('\\x1b[31mhello\\x1b[0m')\n"


@pytest.fixture(autouse=True)
def home(fake_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("INVOKEAI_URL", "INVOKEAI_TOKEN", "INVOKEAI_EMAIL", "INVOKEAI_PASSWORD", "INVOKEAI_CLIENT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(fake_cache))
    yield
    for server in running_servers():
        server.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return root_that(tmp_path / "root", SAYS + RUNS)


def root_that(folder: Path, does: str) -> Path:
    folder.mkdir()
    (folder / "does").write_text(does)
    return folder


def start(root: Path, *more: str) -> int:
    return run(["server", "start", "--root", str(root), "--version", "1.0", *more])


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    found = json.loads(capsys.readouterr().out)
    return found["data"] if found["ok"] else found["error"]


def test_a_server_is_started_found_and_stopped(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(root, "--port", "4444") == 0
    started = document(capsys)
    assert started["url"] == "http://127.0.0.1:4321"
    assert started["root"] == str(root)
    assert "port: 4444" in (root / "invokeai.yaml").read_text()
    # A second start shows the one that runs.
    assert start(root) == 0
    assert document(capsys) == started
    # Commands that are not told an address use it.
    assert Session(GlobalOptions()).settings.url == started["url"]
    assert Session(GlobalOptions(url="http://127.0.0.1:9")).settings.url == "http://127.0.0.1:9"
    assert run(["server", "stop"]) == 0
    assert document(capsys) == {"stopped": started}
    assert Session(GlobalOptions()).settings.url == "http://127.0.0.1:9090"
    assert run(["server", "stop"]) == 5
    assert document(capsys)["code"] == "not_found"


def test_the_environment_and_a_profile_come_before_the_server_here(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(root)
    config = tmp_path / "XDG_CONFIG_HOME" / "invokeai-client" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('default_profile = "a"\n[profiles.a]\nurl = "http://127.0.0.1:8"\n')
    assert Session(GlobalOptions()).settings.url == "http://127.0.0.1:8"
    monkeypatch.setenv("INVOKEAI_URL", "http://127.0.0.1:7")
    assert Session(GlobalOptions()).settings.url == "http://127.0.0.1:7"


def test_of_several_servers_one_is_named(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = root_that(tmp_path / "other", RUNS)
    start(root)
    start(other)
    capsys.readouterr()
    assert run(["server", "stop"]) == 2
    error = document(capsys)
    assert (error["code"], error["details"]["choices"]) == ("ambiguous", [str(root), str(other)])
    # Which one is meant is not guessed.
    assert Session(GlobalOptions()).settings.url == "http://127.0.0.1:9090"
    assert run(["server", "stop", "--root", f"{root}/../other"]) == 0
    assert document(capsys)["stopped"]["root"] == str(other)
    assert [one.root for one in running_servers()] == [str(root)]


def test_an_address_names_the_server_that_is_stopped(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(root)
    capsys.readouterr()
    for verb in ("stop", "logs"):
        assert run(["server", verb, "--url", "http://127.0.0.1:9"]) == 5
        assert document(capsys)["message"] == "No server that was started here is running at http://127.0.0.1:9."
    assert [one.root for one in running_servers()] == [str(root)]
    assert run(["server", "stop", "--url", "http://localhost:4321/"]) == 0
    assert document(capsys)["stopped"]["root"] == str(root)


def test_logs_are_plain_and_stay_after_the_end(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(root)
    capsys.readouterr()
    assert run(["server", "logs", "--format", "human"]) == 0
    out = capsys.readouterr().out
    assert out == "hello\nInvoke running on http://127.0.0.1:4321 (Press CTRL+C to quit)\n"
    run(["server", "stop"])
    capsys.readouterr()
    assert run(["server", "logs", "--lines", "1", "--root", str(root)]) == 0
    assert document(capsys) == {"log": str(root / "server.log"), "lines": [out.splitlines()[1]]}
    assert run(["server", "logs", "--root", str(root / "none")]) == 5
    assert document(capsys)["code"] == "not_found"


@pytest.mark.parametrize("is_named", [False, True])
def test_logs_are_followed_until_the_server_ends(
    is_named: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    start(root_that(root, RUNS.replace("signal.pause()", "time.sleep(0.3); print('unfinished', end='')")))
    capsys.readouterr()
    assert run(["server", "logs", "--follow", *(["--root", str(root)] if is_named else [])]) == 0
    *lines, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [line["event"] for line in lines] == ["log_line"] * 2
    assert lines[1]["text"] == "unfinished"
    assert last["data"]["lines"] == 2


def test_a_start_that_fails_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(root_that(tmp_path / "root", "print('out of luck'); sys.exit(3)")) == 1
    error = document(capsys)
    assert error["code"] == "local_server"
    assert "out of luck" in error["message"]
    assert "server.log" in error["hint"]
    assert running_servers() == []
    assert run(["server", "start", "--version", "a/b"]) == 1
    assert document(capsys)["code"] == "local_server"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_is_stopped_with_its_program(root: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "invokeai_py_client.cli", "server", "start", "--foreground", "--version", "1.0"]
    process = subprocess.Popen(
        [*command, "--root", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        started = json.loads(process.stdout.readline())
        assert started["event"] == "started"
        (server,) = running_servers()
        assert server.pid == started["pid"]
        assert any(line.startswith("Invoke running on") for line in process.stderr)
        process.send_signal(number)
        error = json.loads(process.stdout.readline())["error"]
    assert (process.returncode, error["code"]) == (130, "interrupted")
    assert not server.is_running
    assert running_servers() == []


def test_in_the_foreground_a_server_that_ends_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = root_that(tmp_path / "root", RUNS.replace("signal.pause()", "time.sleep(0.2); print('oh no')"))
    assert start(root, "--foreground", "--format", "human") == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    out, err = capsys.readouterr()
    assert out.startswith("url         http://127.0.0.1:4321\n")
    assert "oh no\n" in err
    assert "error: The server has ended." in err
    assert running_servers() == []


def test_a_running_server_is_not_taken_over_by_the_foreground(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(root)
    capsys.readouterr()
    assert start(root, "--foreground") == 1
    assert "server stop" in document(capsys)["hint"]
    assert len(running_servers()) == 1
