"""`LocalServer`: one managed server on a loopback port."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from invokeai_py_client.errors import LocalServerError, LocalServerInUseError
from invokeai_py_client.files import CACHE_VARIABLE, cache_folder, whole_file
from invokeai_py_client.local.environment import Report, ServerEnvironment
from invokeai_py_client.local.locking import FileLock
from invokeai_py_client.local.models import build_tiny_model, install_model
from invokeai_py_client.local.processes import identity_of
from invokeai_py_client.local.running import RunningServer, forget_server, running_server_on

DEFAULT_VERSION = "6.14.2"

_TRIES = 6
_GRACE = 20.0
_SAY_AGAIN = 15.0
_UP = re.compile(r"Invoke running on (http://\S+)")

_LAUNCHER = Path(__file__).with_name("launcher.py")


def print_progress(step: str) -> None:
    """Say a step on stderr."""
    print(f"local server: {step}", file=sys.stderr, flush=True)


class LocalServer:
    """A real InvokeAI server on a free loopback port, installed when it is first needed.

    Args:
        root: its root folder, with database, models and images; by default one of its own in the cache.
        version: of `invokeai` on the package index.
        exclude_newer: a date such as "2025-08-01": install no package released after it, which old versions need.
        cache: where servers and models are kept; by default `INVOKEAI_CLIENT_CACHE`, else the user's cache folder.
        config: more settings for its `invokeai.yaml`, such as `{"multiuser": True}`.
        start_timeout: seconds until it must answer.
        report: is told each step; by default it goes to stderr.

    Example:
        >>> with LocalServer() as server:
        ...     client = InvokeAIClient.from_url(server.url)
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        version: str = DEFAULT_VERSION,
        exclude_newer: str | None = None,
        cache: str | os.PathLike[str] | None = None,
        config: Mapping[str, Any] | None = None,
        start_timeout: float = 180.0,
        report: Report = print_progress,
    ) -> None:
        self._cache = _cache_folder() if cache is None else Path(cache).absolute()
        self._environment = ServerEnvironment(self._cache, version, exclude_newer)
        self.version = version
        default = self._cache / "roots" / self._environment.folder.name
        # A folder has one path, also where `..` is in it: by its path a server that was left running is found.
        self.root = Path(os.path.abspath(default if root is None else root))
        self._config = dict(config or {})
        self._start_timeout = start_timeout
        self._report = report
        self._lock = FileLock(self.root / "client.lock")
        self._process: subprocess.Popen[bytes] | None = None
        self._url: str | None = None
        self._is_detached = False
        self._began_at = 0.0

    @property
    def url(self) -> str:
        """Its address, such as `http://127.0.0.1:40123`.

        Raises:
            LocalServerError: it is not running.
        """
        if self._url is None:
            raise LocalServerError(f"The server on {self.root} is not running.", hint="Call start() first.")
        return self._url

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            LocalServerError: it is not running.
        """
        if self._process is None:
            raise LocalServerError(f"The server on {self.root} is not running.", hint="Call start() first.")
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """What it printed since its last start; the start before is kept beside it as `.1`."""
        return self.root / "server.log"

    @property
    def nodes_folder(self) -> Path:
        """Where its custom nodes lie; they are read at a start."""
        return self.root / "nodes"

    @property
    def environment(self) -> Path:
        """The folder of its Python environment."""
        return self._environment.folder

    @property
    def python(self) -> Path:
        """The interpreter of its Python environment, such as to install what custom nodes need."""
        return self._environment.python

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._process is not None and self._process.poll() is None

    def install(self) -> None:
        """Install this version, unless it is there. Called by `start`.

        Raises:
            LocalServerError: it cannot be installed.
        """
        self._environment.install(self._report)

    def start(self, *, detached: bool = False) -> Self:
        """Start it and wait until it answers. A running one is left as it is.

        A start right after a crash can fail while items are pending ("cannot VACUUM"); it is then tried again.

        Args:
            detached: let it go on when this program ends. `running_servers` finds it, also in other programs, and can
                stop it.

        Raises:
            LocalServerInUseError: another process, or object, runs a server on the same root.
            LocalServerError: it cannot be installed, or does not come up; with the last lines of its log.
        """
        if self.running:
            return self
        if self._process is not None:
            # It ended by itself; let go of what it held.
            self._end(signal.SIGKILL)
        self.install()
        if not self._lock.acquire(wait=False):
            raise LocalServerInUseError(
                f"Process {self._lock.holder()} already runs a server on {self.root}.",
                hint="Stop that one, or give this one a root folder of its own.",
            )
        self._is_detached = detached
        try:
            other = running_server_on(self.root)
            if other is not None:
                raise LocalServerInUseError(
                    f"Process {other.pid} already runs a server on {self.root}.",
                    hint="Stop that one (invokeai-client server stop), or give this one a root folder of its own.",
                )
            self._start_until_up()
        except BaseException:
            self._end(signal.SIGKILL)
            raise
        if detached:
            # From here on, the record keeps others from the root folder, also when this program has ended.
            self._lock.release()
        return self

    def stop(self) -> None:
        """Stop it as a service manager would (SIGTERM; SIGKILL if it takes too long). Harmless if it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def install_tiny_model(self, name: str = "tiny-sd-1") -> str:
        """Install a Stable Diffusion 1.5 of 16 MB with random weights: it makes real pictures of nothing in a second.

        It is built, once, by the server's own Python (`tiny_model.py`), and installed through the API.

        Args:
            name: of the model.

        Returns:
            The model's key. A model that is already installed is not installed again.

        Raises:
            LocalServerError: the server is not running, or it could not be built or installed.
        """
        folder = build_tiny_model(
            self.python,
            # What one version's libraries write, those of another may not read.
            self._cache / "models" / self._environment.folder.name / name,
            self._report,
        )
        return install_model(self.url, folder, self._report)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<LocalServer {self.version} {self._url or 'not running'} root={self.root}>"

    def _start_until_up(self) -> None:
        began = time.monotonic()
        for attempt in range(1, _TRIES + 1):
            self._write_config(_free_port())
            self._keep_last_log()
            self._launch()
            self._report(f"starting InvokeAI {self.version}; log: {self.log_path}")
            if self._wait_until_up(began):
                self._report(f"up after {time.monotonic() - began:.0f} s at {self.url}")
                return
            if not _is_passing_failure(self._log()):
                break
            self._report(f"the start failed on items left by a crash, as it can; trying again ({attempt})")
        raise LocalServerError(
            f"InvokeAI {self.version} on {self.root} did not start. The end of its log:\n{_last_lines(self._log())}\n",
            log_path=str(self.log_path),
            hint=f"The whole log is in {self.log_path}.",
        )

    def _wait_until_up(self, began: float) -> bool:
        """Until it says where it listens; False if it ends before."""
        said = began
        while self.running:
            now = time.monotonic()
            if now - said >= _SAY_AGAIN:
                said = now
                self._report(f"still starting, {now - began:.0f} s so far")
            found = _UP.search(self._log())
            if found:
                # Where another program took the port first, the server went to the next free one: believe it.
                self._url = found[1].rstrip("/")
                if self._is_detached:
                    self._record()
                return True
            if now - began > self._start_timeout:
                raise LocalServerError(
                    f"InvokeAI {self.version} on {self.root} did not answer within {self._start_timeout:g} s. "
                    f"The end of its log:\n{_last_lines(self._log())}\n",
                    log_path=str(self.log_path),
                    hint="Give a longer start_timeout if the machine is just slow.",
                )
            time.sleep(0.1)
        return False

    def _command(self) -> list[str]:
        command = [str(self._environment.web), "--root", str(self.root)]
        if sys.platform == "win32":
            # Its program is not a Python script there.
            return command
        parent = 0 if self._is_detached else os.getpid()
        return [str(self._environment.python), "-P", str(_LAUNCHER), str(parent), *command]

    def _launch(self) -> None:
        """Start the process from a thread that lives as long as it does.

        Linux ends a child whose parent *thread* has gone, and the caller's thread may be a short one.
        """
        started = threading.Event()
        failure: list[OSError] = []

        self._began_at = time.time()

        def keep() -> None:
            try:
                with open(self.log_path, "wb") as log:
                    self._process = subprocess.Popen(
                        self._command(),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        env=self._environment.variables(),
                        # Ctrl-C is the user's word to the program, which then stops the server in order.
                        start_new_session=True,
                        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                    )
            except OSError as error:
                failure.append(error)
                return
            finally:
                started.set()
            self._process.wait()

        threading.Thread(target=keep, name="local InvokeAI server", daemon=True).start()
        started.wait()
        if failure:
            raise LocalServerError(
                f"{self._environment.python} cannot be run: {failure[0]}.",
                hint=f"Delete {self._environment.folder}, so that it is installed again.",
            ) from failure[0]
        if self._is_detached:
            # At once, so that it can be found and stopped even if this program does not live to see it answer.
            self._record()
        else:
            # Where no signal comes with a parent's death, an orderly exit at least leaves nothing behind.
            atexit.register(self.kill)

    def _record(self) -> None:
        """Tell other programs of the process, unless it has ended already."""
        process = self._process
        identity = None if process is None else identity_of(process.pid)
        if process is not None and identity is not None:
            RunningServer(
                pid=process.pid,
                identity=identity,
                root=str(self.root),
                version=self.version,
                log_path=str(self.log_path),
                started_at=self._began_at,
                url=self._url,
            ).record()

    def _end(self, how: signal.Signals) -> None:
        atexit.unregister(self.kill)
        process = self._process
        if process is not None:
            # Popen takes care that no signal goes to another process that got the id.
            process.send_signal(how)
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if self._is_detached:
                forget_server(self.root)
        self._process = None
        self._url = None
        self._lock.release()

    def _write_config(self, port: int) -> None:
        settings = {
            "schema_version": self._environment.schema_version(),
            "host": "127.0.0.1",
            "port": port,
            **self._config,
        }
        with whole_file(self.root / "invokeai.yaml") as file:
            # YAML takes JSON for its values.
            file.write("".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items()).encode())

    def _keep_last_log(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.replace(self.log_path, self.log_path.with_suffix(".log.1"))

    def _log(self) -> str:
        try:
            return self.log_path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""


def _cache_folder() -> Path:
    folder = cache_folder()
    if folder is None:
        raise LocalServerError(
            "A local server needs a cache folder, and this user has no home directory.",
            hint=f"Pass cache=..., or name a folder in the environment variable {CACHE_VARIABLE}.",
        )
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_passing_failure(log: str) -> bool:
    """The processor took up a pending item while the database was being compacted: another start may go through."""
    return "cannot VACUUM" in log


def _last_lines(log: str, count: int = 20) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    return "\n".join(f"  {line}" for line in plain.strip().splitlines()[-count:]) or "  (it is empty)"
