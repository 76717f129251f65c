"""Servers that outlive the program that started them, and how other programs find and stop them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client.errors import LocalServerError
from invokeai_py_client.files import whole_file
from invokeai_py_client.local.processes import identity_of, send_signal, wait_for_end

GRACE = 20.0
"""Seconds that a server has to stop in order."""

_KILLED = 10.0
"""Seconds in which a process that is killed is gone."""


@dataclass(frozen=True, kw_only=True)
class RunningServer:
    """A server that `LocalServer.start(detached=True)` has started, in whatever program.

    `identity` tells its process from a later one with the same `pid`. `url` is None while the server starts.
    `started_at` is in seconds since 1970.

    Example:
        >>> for server in running_servers():
        ...     server.stop()
    """

    pid: int
    identity: str
    root: str
    version: str
    log_path: str
    started_at: float
    url: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether its process is alive."""
        return identity_of(self.pid) == self.identity

    def stop(self) -> bool:
        """Stop it as a service manager would: SIGTERM, and SIGKILL if that takes more than 20 seconds.

        No other process is ever stopped, even if one has got the id of the server's.

        Returns:
            Whether it was running.

        Raises:
            LocalServerError: it belongs to another user, or does not end.
        """
        try:
            was_running = send_signal(self.pid, self.identity, signal.SIGTERM)
            if not wait_for_end(self.pid, self.identity, GRACE):
                send_signal(self.pid, self.identity, getattr(signal, "SIGKILL", signal.SIGTERM))
                if not wait_for_end(self.pid, self.identity, _KILLED):
                    raise LocalServerError(
                        f"Process {self.pid}, the server on {self.root}, does not end although it was killed.",
                        hint=f"It may wait for a disk or a graphics card. Look at it with: ps -p {self.pid}",
                    )
        except PermissionError as error:
            raise LocalServerError(
                f"Process {self.pid}, the server on {self.root}, belongs to another user.",
                hint="Stop it as that user.",
            ) from error
        forget_server(Path(self.root))
        return was_running

    def record(self) -> None:
        """Write down that it runs.

        Raises:
            LocalServerError: there is no folder for that, or it cannot be written.
        """
        path = _record_of(self.root)
        if path is None:
            raise LocalServerError(
                "A server that outlives this program has to be recorded, and this user has no home directory.",
                hint="Name a folder in the environment variable XDG_STATE_HOME.",
            )
        try:
            with whole_file(path) as file:
                file.write(json.dumps(asdict(self)).encode())
        except OSError as error:
            raise LocalServerError(
                f"It cannot be written down in {path} that the server runs: {error}.",
                hint="Make room there, or name another folder in the environment variable XDG_STATE_HOME.",
            ) from error


def running_servers() -> list[RunningServer]:
    """Return the servers that this user has left running, the oldest first."""
    folder = _folder()
    if folder is None:
        return []
    found = [server for path in sorted(folder.glob("*.json")) if (server := _read(path)) is not None]
    return sorted((server for server in found if server.is_running), key=lambda server: server.started_at)


def running_server_on(root: Path) -> RunningServer | None:
    """Return the server that was left running on a root folder, None if there is none."""
    path = _record_of(str(root))
    server = None if path is None else _read(path)
    return server if server is not None and server.is_running else None


def forget_server(root: Path) -> None:
    """Remove what was written down of the server on a root folder."""
    path = _record_of(str(root))
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _folder() -> Path | None:
    try:
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        else:
            base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except (RuntimeError, OSError):
        return None
    return base / "invokeai-client" / "servers"


def _record_of(root: str) -> Path | None:
    import hashlib

    folder = _folder()
    return None if folder is None else folder / f"{hashlib.sha256(root.encode()).hexdigest()[:16]}.json"


def _read(path: Path) -> RunningServer | None:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return RunningServer(**{**found, "pid": int(found["pid"]), "started_at": float(found["started_at"])})
    except (OSError, ValueError, TypeError, KeyError):
        # One that was removed meanwhile, or is of a version that wrote something else.
        return None
