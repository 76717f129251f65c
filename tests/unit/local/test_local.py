from __future__ import annotations

import errno
import gc
import importlib.util
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from invokeai_py_client.errors import LocalServerError, LocalServerInUseError
from invokeai_py_client.local import LocalServer, locking
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
    return LocalServer(root, version="1.0", cache=cache, report=silent, config=settings)


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
    root = server(fake_cache, "import signal; print('thinking', flush=True); signal.pause()").root

    def wait_for_its_word(_: str) -> None:
        while "thinking" not in local.log_path.read_text():
            time.sleep(0.01)

    local = LocalServer(root, version="1.0", cache=fake_cache, start_timeout=0.01, report=wait_for_its_word)
    with pytest.raises(LocalServerError, match=r"within 0\.01 s(?s:.*)thinking"):
        local.start()
    assert not local.running


@pytest.mark.parametrize("detached", [False, True])
def test_a_start_does_not_search_for_garbage_all_the_time(
    fake_cache: Path, monkeypatch: pytest.MonkeyPatch, detached: bool
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(fake_cache / "state"))
    local = server(fake_cache, "import gc; print('threshold', gc.get_threshold()[0])" + RUNS)
    local.start(detached=detached)
    try:
        found = re.search(r"threshold (\d+)", local.log_path.read_text())
        assert found is not None
        assert int(found[1]) > 10 * gc.get_threshold()[0] > 0
    finally:
        local.stop()


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
from invokeai_py_client.local import LocalServer, locking
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
    with pytest.raises(LocalServerError, match="not a version"):
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_does_not_keep_a_lock(tmp_path: Path) -> None:
    program = """if True:
        import os, pathlib, sys
        from invokeai_py_client.local.locking import FileLock

        path = pathlib.Path(sys.argv[1])
        lock = FileLock(path)
        lock.acquire(wait=False)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        lock.release()
        print(FileLock(path).acquire(wait=False))
        os.close(writing)
        os.waitpid(child, 0)
    """
    command = [sys.executable, "-c", program, str(tmp_path / "lock")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


class FakeMsvcrt(types.ModuleType):
    """Windows' locks as the C library documents them: LK_LOCK gives up after ten tries."""

    LK_UNLCK, LK_LOCK, LK_NBLCK = 0, 1, 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.refusals = 0
        self.error = errno.EACCES

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        if self.refusals > 0:
            self.refusals -= 10 if mode == self.LK_LOCK else 1
            raise OSError(errno.EDEADLK if mode == self.LK_LOCK else self.error, "refused")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> tuple[FakeMsvcrt, type[FileLock]]:
    """The lock as the module makes it on Windows."""
    library = FakeMsvcrt()
    monkeypatch.setitem(sys.modules, "msvcrt", library)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    source = Path(locking.__file__)
    spec = importlib.util.spec_from_file_location("locking_on_windows", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return library, module.FileLock


def test_on_windows_a_lock_is_waited_for_however_long_it_is_held(
    tmp_path: Path, windows: tuple[FakeMsvcrt, type[FileLock]]
) -> None:
    library, lock_type = windows
    library.refusals = 1000
    assert not lock_type(tmp_path / "lock").acquire(wait=False)
    lock = lock_type(tmp_path / "lock")
    assert lock.acquire(wait=True)
    assert library.refusals == 0
    lock.release()


def test_a_lock_that_cannot_be_had_is_not_taken_for_one_that_is_held(
    tmp_path: Path, windows: tuple[FakeMsvcrt, type[FileLock]]
) -> None:
    library, lock_type = windows
    library.refusals, library.error = 1000, errno.ENOLCK
    for wait in (True, False):
        with pytest.raises(OSError, match="refused"):
            lock_type(tmp_path / "lock").acquire(wait=wait)


def test_an_installation_under_way_is_not_removed_when_the_lock_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = ServerEnvironment(tmp_path, "1.0")
    environment.folder.mkdir(parents=True)
    (environment.folder / "half").touch()

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(OSError, match="No locks"):
        environment.install(silent)
    assert (environment.folder / "half").exists()


def test_a_local_server_without_a_cache_folder_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_py_client.local.server.cache_folder", lambda: None)
    with pytest.raises(LocalServerError, match="INVOKEAI_CLIENT_CACHE"):
        LocalServer()
