"""The folder of a batch: who may use it, what it remembers, and that it belongs to one workflow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from invokeai_py_client.batch.journal import Journal
from invokeai_py_client.batch.manifest import Manifest
from invokeai_py_client.errors import BatchFolderError
from invokeai_py_client.local.locking import FileLock

_HIDDEN = ".batch"
"""The folder, in that of the batch, of the journal, the plan and the lock."""


class BatchFolder:
    """What a batch leaves behind. It is locked for this object until `release`.

    Args:
        path: the folder; it is made if it is missing. None for a batch that leaves nothing behind.

    Raises:
        BatchFolderError: another process uses the folder, or it cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = None if path is None else FileLock(path / _HIDDEN / "lock")
        self._acquire()
        try:
            with self.writing():
                self._open()
        except BaseException:
            self.release()
            raise

    def _open(self) -> None:
        self.journal = Journal(None if self.path is None else self.path / _HIDDEN / "journal.jsonl")
        self.manifest = Manifest(self.path)

    def check(self, workflow: str) -> None:
        """Refuse to mix the results of two workflows.

        Args:
            workflow: the hash of the workflow that is to run.

        Raises:
            BatchFolderError: the folder holds the results of another workflow.
        """
        earlier = self.journal.start
        if self.path is not None and earlier is not None and earlier.workflow != workflow:
            raise BatchFolderError(
                f"The folder {str(self.path)!r} holds the results of another workflow, or of other values of the "
                "inputs that the plan does not vary.",
                folder=self.path,
                hint="Give another folder, or overwrite=True to delete those results.",
            )

    def lock(self) -> None:
        """Lock the folder again after `release`.

        Raises:
            BatchFolderError: another process uses it, or has used it since, or it cannot be written.
        """
        self._acquire()
        if not (self.journal.is_current() and self.manifest.is_current()):
            self.release()
            raise BatchFolderError(
                f"The folder {str(self.path)!r} has been used by another batch since.",
                folder=self.path,
                hint="Submit the plan to the folder again: what that batch has done is not run again.",
            )

    def _acquire(self) -> None:
        if self._lock is None:
            return
        with self.writing():
            is_ours = self._lock.acquire(wait=False)
        if not is_ours:
            raise BatchFolderError(
                f"The folder {str(self.path)!r} is in use by another batch, of the process {self._lock.holder()}.",
                folder=self.path,
                hint="Wait for that batch to end, or give another folder.",
            )

    def release(self) -> None:
        """Let others use the folder. What it remembers can still be read."""
        if self._lock is not None:
            self._lock.release()

    def clear(self) -> None:
        """Delete what an earlier batch has left.

        Raises:
            OSError: that cannot be done.
        """
        if self.path is None:
            return
        for name in self.manifest.taken_names():
            if ".." not in Path(name).parts:
                (self.path / name).unlink(missing_ok=True)
        self.manifest.close()
        self.journal.close()
        (self.path / "manifest.jsonl").unlink()
        (self.path / _HIDDEN / "journal.jsonl").unlink()
        self._open()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Translate the errors of writing into the folder.

        Raises:
            BatchFolderError: in place of an `OSError`.
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
            hint="Make room, or make the folder writable, and submit the same plan to it again: what has finished by "
            "then is not run again.",
        )


def plan_path(folder: Path) -> Path:
    """Return the file in which the plan of a batch is saved."""
    return folder / _HIDDEN / "plan.json"
