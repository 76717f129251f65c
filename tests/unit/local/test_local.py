from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from invokeai_py_client.errors import LocalServerError, LocalServerInUseError
from invokeai_py_client.local import LocalServer
from invokeai_py_client.local.environment import ServerEnvironment
from invokeai_py_client.local.locking import FileLock


def silent(_: str) -> None:
    pass


@pytest.fixture
def fake_cache(tmp_path: Path) -> Path:
    """A cache in which version 1.0 is installed: a script in place of the server does what its root's `does` says."""
    environment = ServerEnvironment(tmp_path, "1.0")
    config = environment.folder / "lib" / "python3.11" / "site-packages" / "invokeai/app/services/config"
    config.mkdir(parents=True)
    (config / "config_default.py").write_text('CONFIG_SCHEMA_VERSION = "4.0.9"\n')
    environment.python.parent.mkdir(exist_ok=True)
    environment.python.symlink_to(sys.executable)
    environment.web.write_text(f"#!{sys.executable}\nimport sys\nexec(open(sys.argv[2] + '/does').read())\n")
    environment.web.chmod(0o755)
    (environment.folder / "complete").touch()
    return tmp_path


def server(cache: Path, does: str, **settings: object) -> LocalServer:
    root = cache / "root"
    root.mkdir(exist_ok=True)
    (root / "does").write_text(does)
    return LocalServer(root, version="1.0", cache=cache, start_timeout=10, report=silent, config=settings)


RUNS = """
import signal, time
print("Invoke running on http://127.0.0.1:4321 (Press CTRL+C to quit)", flush=True)
signal.pause()
"""


def test_it_runs_from_start_to_stop(fake_cache: Path) -> None:
    local = server(fake_cache, RUNS, multiuser=True)
    with pytest.raises(LocalServerError, match="not running"):
        _ = local.url
    with local:
        assert local.running
        assert local.url == "http://127.0.0.1:4321"
        assert local.start() is local
        config = dict(line.split(": ", 1) for line in (local.root / "invokeai.yaml").read_text().splitlines())
        assert json.loads(config["schema_version"]) == "4.0.9"
        assert json.loads(config["host"]) == "127.0.0.1"
        assert json.loads(config["multiuser"]) is True
        assert int(config["port"]) > 1024
        pid = local.pid
    assert not local.running
    local.stop()
    with local:
        assert local.pid != pid
        assert local.log_path.with_suffix(".log.1").exists()


def test_two_servers_on_one_root_are_refused(fake_cache: Path) -> None:
    with server(fake_cache, RUNS) as local:
        with pytest.raises(LocalServerInUseError, match=str(local.root)):
            server(fake_cache, RUNS).start()
        assert local.running


def test_a_start_that_fails_says_why_with_the_end_of_its_log(fake_cache: Path) -> None:
    local = server(fake_cache, "print('line\\n' * 50 + 'out of luck'); sys.exit(3)")
    with pytest.raises(LocalServerError, match="out of luck") as caught:
        local.start()
    assert caught.value.log_path == str(local.log_path)
    assert str(caught.value).count("line\n") < 20
    assert not local.running
    # The root is free again.
    with server(fake_cache, RUNS) as again:
        assert again.running


def test_a_start_that_fails_on_a_vacuum_is_tried_again(fake_cache: Path) -> None:
    does = """
import pathlib
count = pathlib.Path(sys.argv[2], "count")
tries = int(count.read_text()) if count.exists() else 0
count.write_text(str(tries + 1))
if tries < 2:
    sys.exit("sqlite3.OperationalError: cannot VACUUM - SQL statements in progress")
"""
    with server(fake_cache, does + RUNS) as local:
        assert (local.root / "count").read_text() == "3"


def test_a_start_that_never_answers_ends(fake_cache: Path) -> None:
    local = server(fake_cache, "import signal; print('thinking', flush=True); signal.pause()")
    local._start_timeout = 0.5
    with pytest.raises(LocalServerError, match=r"within 0\.5 s(?s:.*)thinking"):
        local.start()
    assert not local.running


def test_a_killed_server_can_be_started_again(fake_cache: Path) -> None:
    local = server(fake_cache, RUNS).start()
    local.kill()
    assert not local.running
    assert local.start().running
    local.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="waiting for another's child takes a pidfd")
def test_a_server_that_ended_by_itself_can_be_started_again(fake_cache: Path) -> None:
    local = server(fake_cache, RUNS).start()
    process = os.pidfd_open(local.pid)
    ended = select.poll()
    ended.register(process, select.POLLIN)
    os.kill(local.pid, signal.SIGKILL)
    assert ended.poll(10_000)
    os.close(process)
    with local:
        assert local.running


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word at a parent's death is Linux's")
def test_a_killed_parent_leaves_no_orphan(fake_cache: Path) -> None:
    server(fake_cache, RUNS)
    code = f"""
import os, signal
from invokeai_py_client.local import LocalServer
local = LocalServer({str(fake_cache / "root")!r}, version="1.0", cache={str(fake_cache)!r}).start()
print(local.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    pid = int(done.stdout)
    # The lock is free once the parent is gone, and the next start finds no server in its way.
    with server(fake_cache, RUNS) as local:
        assert local.pid != pid
        state = Path(f"/proc/{pid}/stat")
        assert not state.exists() or state.read_text().split()[2] == "Z"


@pytest.mark.parametrize("version", ["../6", "6 14", ""])
def test_a_version_that_is_none_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(LocalServerError, match="no version"):
        LocalServer(version=version or "/", cache=tmp_path)


def test_an_installation_that_fails_says_what_the_installer_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    local = LocalServer(version="0.0.0.1", cache=tmp_path, report=silent)
    with pytest.raises(LocalServerError, match=r"0\.0\.0\.1 could not be installed"):
        local.install()
    assert not local.environment.joinpath("complete").exists()


def test_a_lock_is_one_holders_until_it_lets_go(tmp_path: Path) -> None:
    one, two = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.acquire(wait=False)
    assert not two.acquire(wait=False)
    assert two.holder().isdigit()
    one.release()
    assert two.acquire(wait=True)
    two.release()
    two.release()
