"""The folder of a batch: its lock, journal and manifest."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from invokeai_py_client.batch.journal import Journal
from invokeai_py_client.batch.manifest import Manifest
from invokeai_py_client.errors import BatchFolderError, SettingsError
from invokeai_py_client.files import path_of, remove_parts
from invokeai_py_client.local.locking import FileLock
from invokeai_py_client.report.page import remove_report

T = TypeVar("T")

_HIDDEN = ".batch"
"""The subfolder for the journal, the plan and the lock."""


class BatchFolder:
    """The folder of a batch. It is locked until `release`.

    Args:
        path: the folder; created if it is missing. None for a batch without a folder.

    Raises:
        BatchFolderError: another process uses the folder, or it cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = None if path is None else FileLock(path / _HIDDEN / "lock")
        self._is_released = False
        self._threads = 0
        """How many threads work on the folder."""
        self._guard = threading.RLock()
        self._acquire()
        try:
            with self.writing():
                if path is not None:
                    remove_parts(path)
                self._open()
        except BaseException:
            self.release()
            raise

    def _open(self) -> None:
        self.journal = Journal(None if self.path is None else self.path / _HIDDEN / "journal.jsonl")
        self.manifest = Manifest(self.path)

    def check(self, workflow: str) -> None:
        """Check that the folder does not hold results of another workflow.

        Args:
            workflow: the hash of the workflow that will run.

        Raises:
            BatchFolderError: the folder holds the results of another workflow.
        """
        earlier = self.journal.start
        if self.path is not None and earlier is not None and earlier.workflow != workflow:
            raise BatchFolderError(
                f"The folder {str(self.path)!r} holds results of another workflow.",
                folder=self.path,
                hint="Pass another folder, or overwrite=True to delete those results.",
            )

    def lock(self) -> None:
        """Lock the folder again after `release`.

        Raises:
            BatchFolderError: another process uses it, or has used it in the meantime, or it cannot be written.
        """
        self._acquire()
        if not (self.journal.is_current() and self.manifest.is_current()):
            self.release()
            raise BatchFolderError(
                f"The folder {str(self.path)!r} has been used by another batch in the meantime.",
                folder=self.path,
                hint="Submit the plan to the folder again. Rows that the other batch has completed are not run again.",
            )

    def _acquire(self) -> None:
        if self._lock is None:
            return
        with self.writing():
            is_ours = self._lock.acquire(wait=False)
        if not is_ours:
            raise BatchFolderError(
                f"The folder {str(self.path)!r} is in use by a batch of process {self._lock.holder()}.",
                folder=self.path,
                hint="Wait for that batch to end, or pass another folder.",
            )
        self._is_released = False

    def release(self) -> None:
        """Unlock the folder, when no thread works on it any more. Its contents can still be read."""
        with self._guard:
            self._is_released = True
            if self._lock is not None and not self._threads:
                self._lock.release()

    async def in_thread(self, work: Callable[..., T], *args: Any) -> T:
        """Call a function in a thread. If the task is cancelled, it waits for the function to return.

        If it cannot wait that long, the folder stays locked until then.

        Raises:
            BatchFolderError: the folder cannot be written.
        """
        with self._guard:
            # The count goes up only if the thread starts, and before the thread can lower it.
            done = asyncio.get_running_loop().run_in_executor(None, self._counted, work, *args)
            self._threads += 1
        with self.writing():
            try:
                return await asyncio.shield(done)
            except asyncio.CancelledError:
                # Retrieves the exception, so that asyncio does not report it.
                done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
                await asyncio.wait([done])
                raise

    def _counted(self, work: Callable[..., T], *args: Any) -> T:
        try:
            return work(*args)
        finally:
            with self._guard:
                self._threads -= 1
            # The loop of the task may have been closed meanwhile.
            if self._is_released:
                self.release()

    def clear(self) -> None:
        """Delete the files of an earlier batch.

        Raises:
            OSError: a file cannot be deleted.
        """
        if self.path is None:
            return
        for name in self.manifest.taken_names():
            (self.path / name).unlink(missing_ok=True)
        remove_report(self.path)
        self.manifest.close()
        self.journal.close()
        (self.path / "manifest.jsonl").unlink()
        (self.path / _HIDDEN / "journal.jsonl").unlink()
        self._open()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Translate an `OSError` in the block to a `BatchFolderError`.

        Raises:
            BatchFolderError: the folder cannot be written.
        """
        try:
            yield
        except OSError as error:
            raise self.unwritable(error) from error

    def unwritable(self, error: OSError) -> BatchFolderError:
        """Return the error for a folder that cannot be written."""
        return BatchFolderError(
            f"The batch cannot write {str(error.filename or self.path or 'its temporary file')!r}: "
            f"{error.strerror or error}.",
            folder=self.path,
            hint="Free disk space or make the folder writable, and submit the same plan to it again. Completed rows "
            "are not run again.",
        )


def batch_folder(folder: str | os.PathLike[str]) -> Path:
    """Convert the folder of a batch, as the user gives it, to an absolute path.

    Raises:
        SettingsError: it is the empty string.
        UnsafePathError: it cannot be the path of a folder.
    """
    if folder == "":
        raise SettingsError(
            "The folder must have a name, got ''.", setting="folder", hint="Pass '.' for the current folder."
        )
    return path_of(folder).absolute()


def plan_path(folder: Path) -> Path:
    """Return the path of the file in which the plan of a batch is saved."""
    return folder / _HIDDEN / "plan.json"


def has_results(folder: Path) -> bool:
    """Return whether a folder has rows that were submitted or have ended; not so if its batch never began."""
    files = (folder / _HIDDEN / "journal.jsonl", folder / "manifest.jsonl")
    return any(path.is_file() and path.stat().st_size > 0 for path in files)
