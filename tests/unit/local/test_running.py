"""Servers that outlive the program that started them: found, and stopped, by another one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.local.test_local import RUNS, fake_cache, server, silent

from invokeai_py_client.errors import LocalServerError, LocalServerInUseError
from invokeai_py_client.local import LocalServer, RunningServer, processes, running_servers
from invokeai_py_client.local.processes import identity_of, send_signal, wait_for_end

__all__ = ["fake_cache"]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield tmp_path / "state" / "invokeai-client" / "servers"
    for one in running_servers():
        one.stop()


START = """
import sys
from invokeai_py_client.local import LocalServer
local = LocalServer(sys.argv[2], version="1.0", cache=sys.argv[1], report=lambda step: None).start(detached=True)
print(local.pid)
"""


def test_a_detached_server_goes_on_and_another_program_finds_and_stops_it(fake_cache: Path, state: Path) -> None:
    server(fake_cache, RUNS)
    command = [sys.executable, "-c", START, str(fake_cache), str(fake_cache / "root")]
    pid = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    (found,) = running_servers()
    assert (found.pid, found.url, found.root) == (pid, "http://127.0.0.1:4321", str(fake_cache / "root"))
    assert found.is_running
    with pytest.raises(LocalServerInUseError, match=f"Process {pid} already runs"):
        server(fake_cache, RUNS).start()
    assert found.stop()
    assert not found.is_running
    assert running_servers() == []
    assert [*state.iterdir()] == []
    assert not found.stop()


def test_a_detached_server_is_found_by_another_spelling_of_its_folder(fake_cache: Path) -> None:
    server(fake_cache, RUNS)
    spelled = fake_cache / "gone" / ".." / "root"
    local = LocalServer(spelled, version="1.0", cache=fake_cache, report=lambda step: None).start(detached=True)
    (found,) = running_servers()
    assert (found.pid, found.root) == (local.pid, str(fake_cache / "root"))


def test_a_detached_server_that_its_own_program_stops_is_forgotten(fake_cache: Path) -> None:
    local = server(fake_cache, RUNS).start(detached=True)
    assert [one.pid for one in running_servers()] == [local.pid]
    local.stop()
    assert running_servers() == []


def test_a_detached_server_that_does_not_start_is_forgotten(fake_cache: Path, state: Path) -> None:
    ends_once_it_is_recorded = f"""
import pathlib, sys, time
while not [*pathlib.Path({str(state)!r}).glob("*.json")]:
    time.sleep(0.01)
print("out of luck")
sys.exit(3)
"""
    with pytest.raises(LocalServerError, match="out of luck"):
        server(fake_cache, ends_once_it_is_recorded).start(detached=True)
    assert [*state.iterdir()] == []


def test_a_server_that_ignores_the_first_signal_is_killed(fake_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_py_client.local.running.GRACE", 0.1)
    local = server(fake_cache, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + RUNS)
    local.start(detached=True)
    (found,) = running_servers()
    assert found.stop()
    assert running_servers() == []
    local.stop()
    assert not local.running


def recorded(pid: int, identity: str) -> RunningServer:
    one = RunningServer(
        pid=pid, identity=identity, root="/r", version="1.0", log_path="/r/server.log", started_at=1.0, url=None
    )
    one.record()
    return one


def test_a_process_that_got_the_id_of_a_server_is_never_stopped() -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as other:
        recycled = recorded(other.pid, "of a process before it")
        assert running_servers() == []
        assert not recycled.is_running
        assert not recycled.stop()
        assert other.poll() is None
        identity = identity_of(other.pid)
        assert identity is not None
        assert not wait_for_end(other.pid, identity, 0.01)
        assert send_signal(other.pid, identity, signal.SIGKILL)
        assert wait_for_end(other.pid, identity, 10)
        # Nobody has waited for it yet, so that its id is still taken.
        assert identity_of(other.pid) is None
        assert not send_signal(other.pid, identity, signal.SIGKILL)


def test_a_record_that_cannot_be_read_is_no_server(state: Path) -> None:
    recorded(os.getpid(), identity_of(os.getpid()) or "")
    assert len(running_servers()) == 1
    (record,) = state.iterdir()
    for text in ("{", "[]", '{"pid": 1}', json.dumps({**json.loads(record.read_text()), "pid": "x"})):
        record.write_text(text)
        assert running_servers() == []
    record.unlink()


def test_without_a_home_there_are_no_servers_and_none_can_be_left_running(
    fake_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert running_servers() == []
    local = server(fake_cache, RUNS)
    with pytest.raises(LocalServerError, match="XDG_STATE_HOME"):
        local.start(detached=True)
    assert not local.running


def test_elsewhere_processes_are_told_apart_by_ps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as other:
        try:
            identity = identity_of(other.pid)
            assert identity is not None
            assert identity == identity_of(other.pid)
            assert not send_signal(other.pid, "another", signal.SIGKILL)
            assert send_signal(other.pid, identity, signal.SIGKILL)
            assert wait_for_end(other.pid, identity, 10)
            assert identity_of(other.pid) is None
        finally:
            other.kill()
    assert identity_of(other.pid) is None


class FakeKernel:
    """The calls of Windows that tell processes apart, with one process."""

    def __init__(self, pid: int, began: int) -> None:
        self.pid = pid
        self.began = began
        self.exit_code = 259
        self.open = 0

    def OpenProcess(self, access: int, inherit: bool, pid: int) -> int:
        self.open += pid == self.pid
        return 7 if pid == self.pid else 0

    def GetExitCodeProcess(self, handle: int, code: object) -> int:
        code.contents.value = self.exit_code  # type: ignore[attr-defined]
        return 1

    def GetProcessTimes(self, handle: int, *times: object) -> int:
        times[0].contents.value = self.began  # type: ignore[attr-defined]
        return 1

    def CloseHandle(self, handle: int) -> None:
        self.open -= 1


def test_on_windows_processes_are_told_apart_by_their_start(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    kernel = FakeKernel(42, 133)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "windll", types.SimpleNamespace(kernel32=kernel), raising=False)
    assert processes.identity_of(42) == "133"
    assert processes.identity_of(43) is None
    kernel.exit_code = 0
    assert processes.identity_of(42) is None
    assert kernel.open == 0


def test_on_windows_the_server_is_started_itself(fake_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def popen(command: list[str], **_: object) -> None:
        seen.append(command)
        raise OSError("no windows here")

    local = LocalServer(fake_cache / "root", version="1.0", cache=fake_cache, report=silent)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(type(local), "install", lambda self: None)
    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(LocalServerError, match="cannot be run"):
        local.start()
    ((program, *rest),) = seen
    assert program.endswith("invokeai-web.exe")
    assert rest == ["--root", str(fake_cache / "root")]
