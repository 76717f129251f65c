# Generated from batch/batch_run.py by scripts/generate_blocking.py. Do not edit.
"""`BatchRun`: the methods of `AsyncBatchRun`, blocking."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.batch_run import AsyncBatchRun, BatchProgress, CompletedRows
from invokeai_py_client.batch.failures import BatchFailures
from invokeai_py_client.batch.manifest import BatchRow
from invokeai_py_client.blocking.generated.image import Image
from invokeai_py_client.runtime.twins import Blocking


class BatchRun(Blocking[AsyncBatchRun]):
    """A running batch: the rows of a plan. `BatchRun` blocks, `AsyncBatchRun` (`batch.aio`) is awaited.

    The batch runs in the background for as long as the client is open. If it has a folder, it can be resumed: after a
    crash of this program or of the server, submit the same plan to the same folder again. Only the rows that are
    missing are run.

    Example:
        >>> batch = plan.submit(folder="out")
        >>> for row in batch.as_completed():
        ...     print(row.index, row.status, [file.path for file in row.files])
        >>> print(*batch.failures(), sep="; ")
    """

    @property
    def folder(self) -> Path | None:
        """The folder of the batch; None if it does not have one."""
        return self._aio.folder

    @property
    def batch_id(self) -> str:
        """The id of the batch. The ids of its parts in the server's queue start with it.

        A batch that is resumed from its folder keeps its id. `client.batch_run(batch_id=...)` finds the rows of the
        batch that are in the queue.
        """
        return self._aio.batch_id

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of rows by status; see `BatchProgress`."""
        return self._aio.counts

    @property
    def progress(self) -> float:
        """The estimated percentage of the work that is done, 0..100."""
        return self._aio.progress

    @property
    def eta(self) -> float | None:
        """The estimated time left, in seconds; None while it is unknown, 0 once the batch has ended."""
        return self._aio.eta

    @property
    def is_over(self) -> bool:
        """Whether every row has ended, or an error has stopped the batch."""
        return self._aio.is_over

    def __len__(self) -> int:

        return self._aio.__len__()

    def as_completed(self) -> CompletedRows:
        """Iterate over the rows in the order in which they end, with `for` or `async for`.

        Returns:
            An iterator, which ends when all rows have ended. It raises what `wait` raises.

        Example:
            >>> for row in batch.as_completed():
            ...     print(row.values, row.status)
        """
        return self._aio.as_completed()

    def wait(
        self, timeout: float | None = None, *, progress_callback: Callable[[BatchProgress], object] | None = None
    ) -> BatchProgress:
        """Wait until every row has ended, whether or not it succeeded.

        Canceling the wait, or a timeout, does not affect the batch. Ctrl-C in the blocking form also stops the sending
        of further rows, while those in the queue continue to run. After that, `batch.cancel()` cancels them,
        `batch.resume()` sends the others, and submitting the plan to the same folder resumes the batch in a new
        process.

        Args:
            timeout: seconds; None waits without a limit.
            progress_callback: called at the start, after changes (a burst of changes counts as one), and at the end, in
                the waiting thread or on the loop that awaits. May be an `async` function if the wait is awaited.

        Returns:
            The final progress.

        Raises:
            RunTimeout: the batch had not ended in time. It continues to run.
            BatchFolderError: the folder can no longer be written.
            RunError: `stop_after_failures` rows have failed.
            ClientClosedError: the client was closed during the wait.
            InvokeAIError: an error that all other rows would have as well, such as a token that is not accepted.
        """
        return self._aio._wait_blocking(timeout, progress_callback=progress_callback)

    def display(self, timeout: float | None = None) -> None:
        """Wait until every row has ended, and show the progress in the notebook.

        An output below the cell is updated with the number of rows by status, the reasons of failures, and thumbnails
        of the latest images. Works in Jupyter, VS Code, Colab and marimo. Outside of a notebook, the first and the last
        state are printed. Interrupting the kernel acts like Ctrl-C; see `wait`.

        Args:
            timeout: seconds; None waits without a limit.

        Raises:
            RunTimeout: the batch had not ended in time. It continues to run.
            InvokeAIError: as for `wait`.

        Example:
            >>> batch = wf.sweep({"Steps": [4, 8, 20]}, folder="out")
            >>> batch.display()
        """
        return self._aio._display_blocking(timeout)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the notebook view: counts, failures, and thumbnails of the latest images, if they load quickly."""
        return self._aio._repr_mimebundle_(include, exclude)

    def results(self, timeout: float | None = None) -> list[BatchRow]:
        """Wait until every row has ended, and return all rows.

        Args:
            timeout: seconds; None waits without a limit.

        Returns:
            The rows in the order of the plan, whatever their status.

        Raises:
            RunTimeout: the batch had not ended in time. It continues to run.
            InvokeAIError: as for `wait`.
        """
        return self._aio._results_blocking(timeout)

    def failures(self) -> list[BatchFailures]:
        """Return the rows that have failed so far, grouped by reason, most frequent first."""
        return self._aio.failures()

    @property
    def images(self) -> list[Image]:
        """The images of the completed rows, in the order of the plan.

        They are downloaded from the server that ran the row, if it is the client's or one of the fleet's. A folder may
        have rows of another server. That server is never asked: it is only known from a file, and would get the
        client's token. Its images raise a `NotFoundError` when they are used, unless the client's own server has them.
        """
        return [Image(each) for each in self._aio.images]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the current state of all rows, in plan order, as plain JSON with the keys of `manifest.jsonl`.

        Example:
            >>> [row["values"] for row in batch.to_rows() if row["status"] == "failed"]
        """
        return self._aio.to_rows()

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the current state of all rows to a CSV file, in plan order: the columns of the plan, and the outcomes.

        If a row has several files or images, they are separated by `|`. Other lists and objects are JSON.

        Args:
            path: the CSV file. An existing file is replaced.

        Returns:
            The path.

        Raises:
            UnsafePathError: the path has a NUL character.
            OSError: the file cannot be written.
        """
        return self._aio.to_csv(path)

    def open_report(self) -> Path:
        """Open the report page of the batch in the browser. It shows rows as they finish.

        Returns:
            The path of the page, `index.html` in the folder of the batch.

        Raises:
            SettingsError: the batch has no report.
        """
        return self._aio.open_report()

    def pause(self) -> None:
        """Send no more rows until `resume`.

        Rows that are in the server's queue continue to run, and their outcomes and images are saved as usual. A request
        that is in flight is completed, so its rows still reach the queue; if the server is unreachable or its queue is
        full, that request is retried. `wait` does not return while the batch is paused with unsent rows. The pause is
        not stored: a process that resumes the batch from its folder sends rows.
        """
        return self._aio._engine.block(self._aio.pause())

    def resume(self) -> None:
        """Send the remaining rows, after `pause` or after a wait that Ctrl-C interrupted."""
        return self._aio._engine.block(self._aio.resume())

    def cancel(self) -> None:
        """Send no more rows, and cancel those that have not ended. `wait` then returns soon.

        The report of the batch gets no contact sheet. `invokeai-client report FOLDER` draws one.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids

        Raises:
            InvokeAIError: a request failed; for a fleet, to any of its servers. Rows that were not canceled may run on:
                call `cancel` again.
        """
        return self._aio._engine.block(self._aio.cancel())

    def retry_failed(self) -> int:
        """Run the failed rows again. If `stop_after_failures` has stopped the batch, its other rows are run as well.

        Returns:
            The number of failed rows.

        Raises:
            BatchFolderError: another batch uses the folder, or has used it in the meantime.
            RunError: the batch stopped before all rows had ended: submit the plan again. Or it is still being canceled:
                call this when `wait` has returned.
            SettingsError: the batch was found by its id, so its plan is unknown.
        """
        return self._aio._engine.block(self._aio.retry_failed())

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
