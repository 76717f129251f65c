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
        overwrite: delete what an earlier batch has left there.

    Raises:
        BatchFolderError: another process uses the folder, or it cannot be written.
    """

    def __init__(self, path: Path | None, *, overwrite: bool = False) -> None:
        self.path = path
        self._lock = None if path is None else FileLock(path / _HIDDEN / "lock")
        self.overwritten: list[str] = []
        """The ids of the batches that the earlier batch has sent, if it was overwritten."""
        self.lock()
        try:
            with self.writing():
                if path is not None and overwrite:
                    self.overwritten = _delete(path)
                self.journal = Journal(None if path is None else path / _HIDDEN / "journal.jsonl")
                self.manifest = Manifest(path)
        except BaseException:
            self.release()
            raise

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
            BatchFolderError: another process uses it, or it cannot be written.
        """
        if self._lock is None:
            return
        assert self.path is not None
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


def _delete(folder: Path) -> list[str]:
    """Delete what a batch has left in a folder, and return what it has sent."""
    journal = Journal(folder / _HIDDEN / "journal.jsonl")
    manifest = Manifest(folder)
    for name in manifest.taken_names():
        if ".." not in Path(name).parts:
            (folder / name).unlink(missing_ok=True)
    batch_ids = [chunk.batch_id for chunk in journal.chunks()]
    manifest.close()
    journal.close()
    (folder / "manifest.jsonl").unlink()
    (folder / _HIDDEN / "journal.jsonl").unlink()
    return batch_ids
