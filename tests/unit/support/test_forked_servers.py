"""Servers that are forks: what `LocalServer` does with them is what it does with processes that it has started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.forked_servers import ForkedProcess, fork_servers, forker

from invokeai_py_client.files import CACHE_VARIABLE
from invokeai_py_client.local import DEFAULT_VERSION, LocalServer
from invokeai_py_client.local.environment import ServerEnvironment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="handles of processes are Linux's")

SERVER = """
import os, signal
print(os.getpid(), os.environ["SET_BEFORE_THE_START"], os.getcwd())
print("Invoke running on http://127.0.0.1:4321 (Press CTRL+C to quit)", flush=True)
signal.pause()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a script in place of the server."""
    environment = ServerEnvironment(tmp_path, DEFAULT_VERSION)
    config = environment.folder / "lib" / "python3.11" / "site-packages" / "invokeai/app/services/config"
    config.mkdir(parents=True)
    (config / "config_default.py").write_text('CONFIG_SCHEMA_VERSION = "4.0.9"\n')
    environment.python.parent.mkdir(exist_ok=True)
    environment.python.symlink_to(sys.executable)
    environment.web.write_text(SERVER)
    (environment.folder / "complete").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path


def ends(pid: int, seconds: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def test_a_server_is_killed_started_again_and_ends_with_the_forker(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with forker() as address:
        assert address is not None
        fork_servers(address, monkeypatch)
        monkeypatch.setenv("SET_BEFORE_THE_START", "so it is")
        monkeypatch.chdir(tmp_path)
        local = LocalServer(tmp_path / "root", report=lambda step: None).start()
        first = local.pid
        assert local.log_path.read_text().startswith(f"{first} so it is {tmp_path}\n")
        assert os.getsid(first) == first
        local.kill()
        assert ends(first, 0)
        local.start()
        second = local.pid
        assert second != first
        assert not ends(second, 0)
    assert ends(second, 30)
    assert not local.running
    local.stop()


def test_without_an_installed_server_there_is_no_forker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    with forker() as address:
        assert address is None


def test_a_process_is_waited_for_and_signalled_by_its_handle() -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as child:
        process = ForkedProcess(child.pid, os.pidfd_open(child.pid))
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == process.poll() == 0
        child.wait()
        process.kill()
