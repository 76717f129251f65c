# Generated from batch/batch_run.py by scripts/generate_blocking.py. Do not edit.
"""`BatchRun`: the methods of `AsyncBatchRun`, blocking."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.batch_run import AsyncBatchRun, BatchFailures, BatchProgress, CompletedRows
from invokeai_py_client.batch.manifest import BatchRow
from invokeai_py_client.blocking.generated.image import Image
from invokeai_py_client.runtime.twins import Blocking


class BatchRun(Blocking[AsyncBatchRun]):
    """The rows of a plan on their way through the queue. `BatchRun` blocks, `AsyncBatchRun` (`batch.aio`) is awaited.

    It goes on in the background for as long as the client is open, whether or not somebody waits for it. If it has a
    folder, what it does is written down there: after a crash of this program or of the server, submit the same plan to
    the same folder again, and only what is missing is run.

    Example:
        >>> batch = plan.submit(folder="out")
        >>> for row in batch.as_completed():
        ...     print(row.index, row.status, [file.path for file in row.files])
        >>> print(*batch.failures(), sep="; ")
    """

    @property
    def folder(self) -> Path | None:
        """The folder with its files; None if it has none."""
        return self._aio.folder

    @property
    def batch_id(self) -> str:
        """The beginning of the ids of its batches in the server's queue.

        A batch that goes on in its folder keeps it, in whatever process; one that overwrites another has a new one.
        `client.batch_run(batch_id=...)` finds what the queue has of the batch by it.
        """
        return self._aio.batch_id

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of rows by status, as `BatchProgress.counts`."""
        return self._aio.counts

    @property
    def progress(self) -> float:
        """The estimated part of the work that is done, 0..100."""
        return self._aio.progress

    @property
    def eta(self) -> float | None:
        """The estimated seconds that are left; None before that can be told, and 0 once the batch has ended."""
        return self._aio.eta

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen: every row has ended, or the batch has stopped."""
        return self._aio.is_over

    def __len__(self) -> int:

        return self._aio.__len__()

    def as_completed(self) -> CompletedRows:
        """Iterate over the rows as they end, in whatever order that happens, with `for` or `async for`.

        Example:
            >>> async for row in batch.as_completed():
            ...     print(row.values, row.status)
        """
        return self._aio.as_completed()

    def wait(
        self, timeout: float | None = None, *, progress_callback: Callable[[BatchProgress], object] | None = None
    ) -> BatchProgress:
        """Wait until every row has ended, however it ended. Giving the wait up leaves the batch as it is.

        Ctrl-C in the blocking form stops the sending as well: what is in the queue runs on, `batch.cancel()` cancels
        it, `batch.resume()` goes on, and submitting the plan to the same folder again does so in another process.

        Args:
            timeout: seconds; None waits as long as it takes.
            progress_callback: called in the waiting thread, or on the loop that awaits, at first, at each change
                (several at once count as one), and at the end. It may be an `async` function where the wait is
                awaited.

        Returns:
            How the batch has ended.

        Raises:
            RunTimeout: it had not ended in time. It goes on.
            BatchFolderError: its folder cannot be written any more.
            RunError: `stop_after_failures` rows have failed.
            ClientClosedError: the client was closed meanwhile.
            InvokeAIError: an error that all other rows would meet as well, such as a token that is not accepted.
        """
        return self._aio._wait_blocking(timeout, progress_callback=progress_callback)

    def display(self, timeout: float | None = None) -> None:
        """Wait until every row has ended, and show the progress in the notebook meanwhile.

        One output below the cell is updated: how many rows have which status, why rows have failed, and thumbnails of
        the latest images. It works in Jupyter, VS Code, Colab and marimo. Where no notebook runs, the first and the
        last state are printed. Interrupting the kernel stops the sending, as Ctrl-C does; see `wait`.

        Args:
            timeout: seconds; None waits as long as it takes.

        Raises:
            RunTimeout: it had not ended in time. It goes on.
            InvokeAIError: as `wait`.

        Example:
            >>> batch = wf.sweep({"Steps": [4, 8, 20]}, folder="out")
            >>> batch.display()
        """
        return self._aio._display_blocking(timeout)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: counts, failures, and thumbnails of the latest images, if they come soon."""
        return self._aio._repr_mimebundle_(include, exclude)

    def results(self, timeout: float | None = None) -> list[BatchRow]:
        """Wait until every row has ended, and return all rows in the order of the plan, whatever their status.

        Args:
            timeout: seconds; None waits as long as it takes.

        Raises:
            RunTimeout: the batch had not ended in time. It goes on.
            InvokeAIError: as `wait`.
        """
        return self._aio._results_blocking(timeout)

    def failures(self) -> list[BatchFailures]:
        """Return the rows that have failed so far, grouped by the reason, the most frequent one first."""
        return self._aio.failures()

    @property
    def images(self) -> list[Image]:
        """The images that the completed rows have made, in the order of the plan."""
        return [Image(each) for each in self._aio.images]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return all rows as they are now, in the order of the plan, as plain JSON with the keys of `manifest.jsonl`.

        Example:
            >>> [row["values"] for row in batch.to_rows() if row["status"] == "failed"]
        """
        return self._aio.to_rows()

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write all rows as they are now, in the order of the plan, as CSV: the columns of the plan, and the outcomes.

        Several files or images of a row are separated by `|`; other values that are not one text or number are JSON.

        Args:
            path: the file; one of that name is replaced.

        Returns:
            The file.

        Raises:
            UnsafePathError: the path cannot be one.
            OSError: the file cannot be written.
        """
        return self._aio.to_csv(path)

    def open_report(self) -> Path:
        """Open the page of the batch in the browser. It shows rows as they finish.

        Returns:
            The page, `index.html` in the folder of the batch.

        Raises:
            SettingsError: the batch has no report.
        """
        return self._aio.open_report()

    def pause(self) -> None:
        """Send no more rows until `resume`.

        Rows that are in the server's queue run on, and are recorded and downloaded as they end. One request may be
        under way when this is called: its rows reach the queue. If the server is away, or its queue is full, that
        request is repeated until the server takes it. A paused batch is not over while rows are unsent, so `wait`
        goes on. Another process that goes on with the folder is not paused.
        """
        return self._aio._engine.block(self._aio.pause())

    def resume(self) -> None:
        """Send the rest, after `pause` or after a wait that Ctrl-C has ended."""
        return self._aio._engine.block(self._aio.resume())

    def cancel(self) -> None:
        """Send nothing more, and cancel what has not ended. A wait then ends soon, with those rows `canceled`.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids

        Raises:
            InvokeAIError: as any request.
        """
        return self._aio._engine.block(self._aio.cancel())

    def retry_failed(self) -> int:
        """Run the failed rows again.

        Returns:
            How many there are.

        Raises:
            BatchFolderError: another batch uses the folder, or has used it since.
            RunError: the batch has stopped before all rows had ended. Submit the plan again.
            SettingsError: the batch was found by its id, without its plan.
        """
        return self._aio._engine.block(self._aio.retry_failed())

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
