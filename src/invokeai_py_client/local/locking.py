"""A lock file that the operating system frees when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> None:
        file.seek(1024)  # past the text, which others must still be able to read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _lock(file: IO[str]) -> None:
        file.seek(1024)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
else:
    import fcntl

    def _try_lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)


class FileLock:
    """An exclusive lock on a path, held by at most one object of one process at a time.

    Args:
        path: of the lock file, which stays there and holds the process id of its last holder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, *, wait: bool) -> bool:
        """Take the lock.

        Args:
            wait: until its holder frees it.

        Returns:
            Whether it is ours now; always True if it was waited for.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = open(self.path, "a+")  # noqa: SIM115 - held until release
        try:
            _lock(file) if wait else _try_lock(file)
        except OSError:
            file.close()
            return False
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return True

    def holder(self) -> str:
        """The process id that the last holder wrote, for messages."""
        try:
            return self.path.read_text().strip() or "unknown"
        except OSError:
            return "unknown"

    def release(self) -> None:
        """Free the lock; harmless if it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None
