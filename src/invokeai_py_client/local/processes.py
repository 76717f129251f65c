"""Processes of other programs, told apart by more than their id, which the system gives to a new process in time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PAUSE = 0.1
"""Seconds between two looks at a process, where the system does not report its end."""


def identity_of(pid: int) -> str | None:
    """Return what tells a process from all others that have had or will have its id: when it began.

    None if there is no such process, or if it has ended and only waits for its parent to notice.
    """
    if pid <= 0:
        return None
    if sys.platform == "win32":
        return _identity_on_windows(pid)
    if sys.platform == "linux":
        return _identity_on_linux(pid)
    return _identity_by_ps(pid)


def send_signal(pid: int, identity: str, number: signal.Signals) -> bool:
    """Send a signal to a process, unless its id belongs to another one by now.

    Args:
        pid: its id.
        identity: what `identity_of` returned for it.
        number: the signal; on Windows any ends the process.

    Returns:
        Whether it was sent; False if the process has ended.

    Raises:
        PermissionError: it belongs to another user.
    """
    try:
        # Held before the look, so that the signal cannot reach a process that gets the id after it.
        with _handle_of(pid) as handle:
            if identity_of(pid) != identity:
                return False
            if handle is None:
                os.kill(pid, number)
            elif sys.platform == "linux":
                signal.pidfd_send_signal(handle, number)
            return True
    except ProcessLookupError:
        return False


def wait_for_end(pid: int, identity: str, timeout: float) -> bool:
    """Wait until a process has ended.

    Args:
        pid: its id.
        identity: what `identity_of` returned for it.
        timeout: seconds to wait at most.

    Returns:
        Whether it has ended.
    """
    deadline = time.monotonic() + timeout
    try:
        with _handle_of(pid) as handle:
            while identity_of(pid) == identity:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                if handle is None:
                    time.sleep(min(_PAUSE, left))
                else:
                    select.select([handle], [], [], left)
    except ProcessLookupError:
        pass
    return True


@contextlib.contextmanager
def _handle_of(pid: int) -> Iterator[int | None]:
    """Hold a process, so that its id cannot pass to another one unnoticed; None where the system has no such thing.

    Raises:
        ProcessLookupError: there is no such process.
    """
    try:
        handle = os.pidfd_open(pid) if sys.platform == "linux" else None
    except ProcessLookupError:
        raise
    except OSError:  # a kernel before 5.3
        handle = None
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _identity_on_linux(pid: int) -> str | None:
    try:
        # After the name, which may have any character in it, come the state and the start in ticks since the boot.
        state, *rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else f"{boot} {rest[18]}"


def _identity_by_ps(pid: int) -> str | None:
    import subprocess

    command = ["ps", "-p", str(pid), "-o", "stat=", "-o", "lstart="]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    )
    state, _, began = done.stdout.strip().partition(" ")
    return None if done.returncode != 0 or not began or state.startswith("Z") else began.strip()


def _identity_on_windows(pid: int) -> str | None:
    import ctypes

    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    process_query_limited_information, still_active = 0x1000, 259
    handle = kernel.OpenProcess(process_query_limited_information, False, pid)
    if not handle:
        return None
    try:
        exit_code = ctypes.c_ulong()
        times = [ctypes.c_ulonglong() for _ in range(4)]
        is_known = kernel.GetExitCodeProcess(handle, ctypes.pointer(exit_code)) and kernel.GetProcessTimes(
            handle, *map(ctypes.pointer, times)
        )
        return str(times[0].value) if is_known and exit_code.value == still_active else None
    finally:
        kernel.CloseHandle(handle)
