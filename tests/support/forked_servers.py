"""Servers as forks of one process that has imported their libraries: a start takes a third of the CPU time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.local import LocalServer

_FORKER = Path(__file__).with_name("server_forker.py")


class ForkedProcess:
    """What `LocalServer` uses of a `subprocess.Popen`, of a process that is no child of this one."""

    def __init__(self, pid: int, handle: int) -> None:
        self.pid = pid
        self._handle = handle
        weakref.finalize(self, os.close, handle)

    def poll(self) -> int | None:
        return 0 if select.select([self._handle], [], [], 0)[0] else None

    def wait(self, timeout: float | None = None) -> int:
        if not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("the server", timeout or 0)
        return 0

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def forker() -> Iterator[str | None]:
    """A process that forks servers, as its address; None where there is none: not on Linux, or nothing is installed."""
    local = LocalServer()
    if sys.platform != "linux" or not (local.environment / "complete").exists():
        yield None
        return
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        address = str(Path(folder) / "forker")
        listener.bind(address)
        listener.listen()
        command = [str(local.python), "-P", str(_FORKER), str(listener.fileno())]
        with open(Path(folder) / "log", "wb") as log:
            process = subprocess.Popen(
                command, pass_fds=[listener.fileno()], stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        with process:
            yield address


def fork_servers(address: str, patch: pytest.MonkeyPatch) -> None:
    """Have each `LocalServer` of this process be a fork, if it runs the server that the forker was made for."""
    forkable = str(LocalServer().python)

    def start(command: list[str], *, stdout: Any, env: dict[str, str], **options: Any) -> Any:
        if command[0] != forkable:
            return subprocess.Popen(command, stdout=stdout, env=env, **options)
        _, _, launcher, _, *program = command
        request = {"launcher": launcher, "program": program, "environment": env, "folder": os.getcwd()}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address)
            socket.send_fds(connection, [json.dumps(request).encode()], [stdout.fileno()])
            pid, (handle,), _, _ = socket.recv_fds(connection, 100, 1)
        return ForkedProcess(int(pid), handle)

    changed = types.SimpleNamespace(**{**vars(subprocess), "Popen": start})
    patch.setattr("invokeai_py_client.local.server.subprocess", changed)
