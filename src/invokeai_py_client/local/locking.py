"""A lock file that the operating system frees when its holder dies, however it dies."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    _PAUSE = 0.2
    """Seconds between two tries to get the lock."""

    def _try_lock(file: IO[str]) -> bool:
        file.seek(1024)  # past the text, which others must still be able to read
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EDEADLK, errno.EDEADLOCK}:
                raise
            return False
        return True

    def _lock(file: IO[str]) -> None:
        # LK_LOCK would give up after ten seconds.
        while not _try_lock(file):
            time.sleep(_PAUSE)

    def _unlock(file: IO[str]) -> None:
        file.seek(1024)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: IO[str]) -> None:
        # Closing the file is not enough: a process that was forked meanwhile has it open as well.
        fcntl.flock(file, fcntl.LOCK_UN)


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
            wait: wait until its holder frees it, however long that takes.

        Returns:
            Whether this object holds the lock now; always True with `wait`.

        Raises:
            OSError: the file cannot be opened, or its file system has no locks.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = open(self.path, "a+")  # noqa: SIM115 - held until release
        try:
            if wait:
                _lock(file)
            elif not _try_lock(file):
                file.close()
                return False
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        except BaseException:
            file.close()
            raise
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
            _unlock(self._file)
            self._file.close()
            self._file = None
