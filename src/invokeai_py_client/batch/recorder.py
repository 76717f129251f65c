"""Records the outcomes of the rows of a batch: in the table, the manifest and the report. Downloads the images.

It does not know about servers: each outcome is passed to it, with the connection to the server that ran the row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.batch_report import BatchReport
from invokeai_py_client.batch.control import FATAL, BatchControl, one_line
from invokeai_py_client.batch.downloads import ImageSource, download, images_of, suffixes_of
from invokeai_py_client.batch.file_names import FileNames
from invokeai_py_client.batch.folder import BatchFolder
from invokeai_py_client.batch.manifest import BatchRow, RowFile, is_intact
from invokeai_py_client.batch.row_table import QUEUED, UNSENT, RowTable
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.errors import InvokeAIError, NotFoundError, RunError
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.workflow.outputs import NodePath

_DOWNLOADS = 8
"""The maximum number of rows whose images are downloaded concurrently."""

_CHUNK_BYTES = 4 << 20
"""The approximate maximum size of the values in one chunk."""

_CANCELED = {
    "client": "canceled by this client",
    "server": "canceled by the server, which was restarted",
    "unknown": "canceled by another client, or by a restart of the server",
}
"""The error of a canceled row, by the origin of the cancellation."""

_OF_ONE_FILE = (FileExistsError, IsADirectoryError)
"""Write errors that concern a single file, so they do not stop the batch."""


class Rows(Protocol):
    """The rows of a plan, in plan order."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        ...

    @property
    def invalid(self) -> int:
        """The number of rows that have problems."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[PlannedRow]: ...


class WorkflowRows(Rows, Protocol):
    """Rows of a workflow."""

    @property
    def workflow(self) -> str:
        """The hash of the workflow, without the values of the columns."""
        ...


class Recorder:
    """Holds the state of each row, and records the outcomes. Changed on the engine; any thread may read from it.

    Args:
        plan: the rows.
        folder: stores the outcomes and the images.
        options: the images to download, their names, and the number of failures after which the batch stops.
        control: runs the downloads.
        report: displays the outcomes; None for no report.
    """

    def __init__(
        self,
        plan: Rows,
        folder: BatchFolder,
        options: BatchOptions,
        control: BatchControl,
        report: BatchReport | None = None,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.table = RowTable(len(plan))
        self.saving = 0
        """The number of rows that have run and whose images are being downloaded."""
        self.stopped_by: RunError | None = None
        """The error that stops the batch after `stop_after_failures` rows have failed."""
        self._options = options
        self._control = control
        self._report = report
        self._names = FileNames(options.file_name, plan.columns)
        self._claimed: dict[int, str] = {}
        self._failed = 0
        self._slots = asyncio.Semaphore(_DOWNLOADS)

    # Reading, in any thread

    def outcome(self, index: int) -> BatchRow | None:
        """Return the outcome of a row; None if it has not ended."""
        offset = self.table.outcome(index)
        return None if offset is None else self.folder.manifest.read(offset, index)

    def ended_at(self, place: int) -> BatchRow | None:
        """Return the row that was the n-th to end, counted from 0; None if it is run again."""
        index = self.table.ended_at(place)
        return None if index is None else self.outcome(index)

    def rows(self) -> Iterator[BatchRow]:
        """Yield the current state of all rows, in plan order."""
        for row in self.plan:
            yield self.outcome(row.index) or BatchRow(
                **_facts(row), status=self.table.status(row.index), attempts=self.table.attempts(row.index)
            )

    def take_unsent(self, rows: Iterator[PlannedRow], count: int) -> list[PlannedRow]:
        """Return the next unsent rows of `rows`: `count` of them, or fewer if their values are large."""
        part: list[PlannedRow] = []
        size = 0
        while len(part) < count and size < _CHUNK_BYTES:
            row = next((row for row in rows if self.table.is_unsent(row.index)), None)
            if row is None:
                break
            part.append(row)
            size += sum(len(value) if isinstance(value, str) else 16 for value in row.values.values())
        return part

    # Beginning and end

    def load(self, awaited: Collection[str], *, redoes: bool) -> dict[str, PlannedRow]:
        """Read the outcomes that earlier processes recorded, and write the report page. Blocks; runs in a thread.

        Args:
            awaited: the ids of the rows that may still be in a queue.
            redoes: whether rows are run again if they failed, were canceled, or their files are gone or altered.

        Returns:
            The awaited rows, by row id.

        Raises:
            OSError: the folder cannot be read or written.
        """
        manifest = self.folder.manifest
        latest = manifest.latest()
        found: dict[str, PlannedRow] = {}
        taken: list[str] = []
        again: set[str] = set()
        # Creating rows takes time, which a new batch does not have to spend.
        is_new = not (latest or awaited or self.plan.invalid)
        for row in self.plan if not is_new else ():
            offset = latest.pop(row.row_id, None)
            outcome = None if offset is None else manifest.read(offset, row.index)
            if row.problems:
                if outcome is None or offset is None or outcome.status != "invalid":
                    offset = manifest.add(
                        BatchRow(**_facts(row), status="invalid", error="; ".join(map(str, row.problems)))
                    )
                self.table.end(row.index, "invalid", offset)
                continue
            if outcome is not None:
                self.table.add_attempts(row.index, outcome.attempts)
            if row.row_id in awaited:
                found[row.row_id] = row
                if outcome is not None and offset is not None and outcome.status != "completed" and not redoes:
                    # The recorded outcome is valid, unless the row turns out to be in a queue.
                    self.table.end(row.index, outcome.status, offset)
            elif outcome is not None and offset is not None and _stays(outcome, redoes):
                self.table.end(row.index, outcome.status, offset)
                taken += [file.path.name for file in outcome.files]
                continue
            if outcome is not None:
                again.update(file.path.name for file in outcome.files)
        # Rows of earlier plans keep their files, and so do rows that were run before they became invalid.
        taken += [file.path.name for offset in latest.values() for file in manifest.read(offset).files]
        taken += [name for name in manifest.taken_names() if name not in again]
        self._names = FileNames(self._options.file_name, self.plan.columns, taken)
        if self._report is not None:
            self._report.begin(self._ended())
        return found

    def _ended(self) -> Iterator[BatchRow]:
        rows = map(self.ended_at, range(len(self.table.ended)))
        return (row for row in rows if row is not None)

    async def finish(self) -> None:
        """Finish the report. A batch that is canceled, meanwhile too, gets no contact sheet, which takes long.

        Raises:
            BatchFolderError: the report cannot be written.
        """
        if self._report is not None:
            if not self._control.is_canceled:
                await self.folder.in_thread(self._report.draw, self.rows(), lambda: not self._control.is_canceled)
            await self.folder.in_thread(self._report.finish)

    def forgive(self) -> None:
        """Reset the count of failures for `stop_after_failures`."""
        self._failed, self.stopped_by = 0, None

    # Changes of a row

    def sent(self, row: PlannedRow) -> None:
        """Record that a row is in the queue, or about to be sent."""
        self.table.set_state(row.index, QUEUED)
        self.table.add_attempts(row.index, 1)
        if self.folder.path is not None:
            facts = {"index": row.index, "row_id": row.row_id, "seed": row.seed, "repetition": row.repetition}
            self._claimed[row.index] = self._names.claim({**row.values, **facts})

    def unsent(self, row: PlannedRow, *, was_tried: bool) -> None:
        """Record that a row has to be sent again. `was_tried` tells whether the attempt counts."""
        if not was_tried:
            self.table.add_attempts(row.index, -1)
        self._release(row)
        self.table.set_state(row.index, UNSENT)

    def begun(self, row: PlannedRow) -> None:
        """Record that a row has started to run."""
        self.table.set_state(row.index, "in_progress")

    def ended(self, row: PlannedRow, item: QueueItem, source: ImageSource) -> None:
        """Record the outcome of a row, after its images have been downloaded.

        Args:
            row: the row.
            item: the queue item that ran the row.
            source: the server that ran it.

        Raises:
            BatchFolderError: the outcome cannot be written.
        """
        if item.status != "completed":
            error = item.error or _CANCELED.get(item.canceled_by or "", f"the item has {item.status}")
            self._record_end(row, item, source.url, error=error)
            return
        made = images_of(item, with_intermediate=self._options.images == "all")
        if made and self.folder.path is not None and self._options.images != "none":
            self.saving += 1
            self._control.spawn(partial(self._save, row, item, made, source), name=f"images of item {item.item_id}")
        else:
            self._record_end(row, item, source.url, made=made)

    def failed(self, row: PlannedRow, error: str, server: str | None, *, batch_id: str | None = None) -> None:
        """Record that a row could not be run.

        Args:
            row: the row.
            error: the reason, in one line.
            server: the URL of the server that the row was to run on; None for any.
            batch_id: the batch of the queue that the row was to be part of.

        Raises:
            BatchFolderError: the outcome cannot be written.
        """
        self._release(row)
        self._record(row, "failed", server, error=error, batch_id=batch_id)

    def canceled(self, row: PlannedRow) -> None:
        """Record that a row was canceled before it was sent.

        Raises:
            BatchFolderError: the outcome cannot be written.
        """
        self._record(row, "canceled", None, error=_CANCELED["client"])

    async def _save(self, row: PlannedRow, item: QueueItem, made: Mapping[str, NodePath], source: ImageSource) -> None:
        """Download the images of a row, and record the outcome.

        Raises:
            InvokeAIError: an error that all other rows would have as well.
        """
        assert self.folder.path is not None
        names = self._names.files_of(self._claimed[row.index], suffixes_of([*made]))
        paths = [self.folder.path / name for name in names]
        files: tuple[RowFile, ...] = ()
        error: str | None = None
        try:
            async with self._slots:
                fetch = partial(download, source, made, paths)
                files = await self._control.patiently(fetch, even_if_canceled=True)
        except NotFoundError as missing:
            error = f"image not found: {missing.url.split('/')[-2]}"
        except FATAL:
            raise
        except InvokeAIError as refused:
            error = one_line(refused)
        except _OF_ONE_FILE as occupied:
            error = f"the image cannot be saved: {occupied}"
        except OSError as unwritable:
            raise self.folder.unwritable(unwritable) from unwritable
        finally:
            self.saving -= 1
        if not files:
            self._names.forget(names)
        self._record_end(row, item, source.url, error=error, made=made, files=files)

    def _record_end(
        self,
        row: PlannedRow,
        item: QueueItem,
        server: str,
        *,
        error: str | None = None,
        made: Mapping[str, NodePath] = MappingProxyType({}),
        files: tuple[RowFile, ...] = (),
    ) -> None:
        if files:
            del self._claimed[row.index]
        else:
            self._release(row)
        self._record(
            row,
            "failed" if error is not None and item.status == "completed" else item.status,
            server,
            error=error,
            images=tuple(made),
            nodes=tuple(map(str, made.values())),
            files=files,
            started_at=item.started_at,
            completed_at=item.completed_at,
            batch_id=item.batch_id,
            item_id=item.item_id,
        )

    def _record(self, row: PlannedRow, status: str, server: str | None, **facts: Any) -> None:
        outcome = BatchRow(
            **_facts(row),
            status=status,
            attempts=self.table.attempts(row.index),
            server=server,
            **facts,
        )
        with self.folder.writing():
            offset = self.folder.manifest.add(outcome)
            if self._report is not None:
                self._report.add(outcome)
        self.table.end(row.index, status, offset)
        if status == "failed":
            self._failed += 1
            if self._failed == self._options.stop_after_failures:
                self.stopped_by = RunError(
                    f"The batch was stopped after {self._failed} failed row{'' if self._failed == 1 else 's'}, "
                    f"the last with: {outcome.error}.",
                    batch_id=self._control.batch_id,
                    hint="batch.failures() has the reasons. Submit the plan to the same folder again to run the rest.",
                )
        self._control.notify()

    def _release(self, row: PlannedRow) -> None:
        """Free the file name of a row that did not leave any files."""
        claimed = self._claimed.pop(row.index, None)
        if claimed is not None:
            self._names.release(claimed)


def _facts(row: PlannedRow) -> dict[str, Any]:
    return {"index": row.index, "row_id": row.row_id, "values": row.values, "seed": row.seed}


def _stays(outcome: BatchRow, redoes: bool) -> bool:
    """Return whether a row does not have to be run again."""
    if not redoes:
        return True
    return outcome.status == "completed" and all(map(is_intact, outcome.files))
