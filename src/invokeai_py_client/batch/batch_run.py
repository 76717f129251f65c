"""`AsyncBatchRun`: a running batch, with the status and outcome of each row."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import inspect
import os
import time
import webbrowser
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from invokeai_py_client.batch.csv_file import write_csv
from invokeai_py_client.batch.failures import BatchFailures, by_reason
from invokeai_py_client.batch.manifest import BatchRow, line_of
from invokeai_py_client.batch.runner import Runner
from invokeai_py_client.errors import InvokeAIError, RunTimeout, SettingsError
from invokeai_py_client.files import path_of
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.image import AsyncImage, thumbnails_of
from invokeai_py_client.report.axes import captions_of
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Mailbox
from invokeai_py_client.runtime.reporting import checked_callback, plain_callback
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.other_server import OtherServer
from invokeai_py_client.workflow.outputs import NodePath

if TYPE_CHECKING:
    from invokeai_py_client.notebook.elements import Html

_MOST_FAILURES = 200
"""How many failed rows the notebook view reads to show their reasons."""

_STOPPED = "No longer updated. The rows in the queue continue to run; batch.resume() sends the others."
_LEFT = "No longer updated. The batch continues to run."
"""The note in the notebook view after the display was interrupted."""


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """The progress of a batch.

    Attributes:
        total: the number of rows.
        counts: the number of rows by status: `pending`, `in_progress`, `completed`, `failed`, `canceled`, `invalid`.
        progress: the estimated percentage of the work that is done, 0..100.
        eta: the estimated time left, in seconds; None while it is unknown.
    """

    total: int
    counts: Mapping[str, int]
    progress: float
    eta: float | None

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items() if count)
        left = "" if not self.eta else f", about {duration_text(self.eta)} left"
        return f"{self.progress:.0f} % of {self.total} rows ({counts}){left}"


class CompletedRows(FixedAttributes):
    """An iterator over the rows of a batch as they end, for `for` and `async for`.

    It yields the rows that have already ended, then each row when it ends. A row that is run again is yielded again.
    The iteration stops when all rows have ended. If an error stops the batch, the error is raised after the last row
    that has ended.
    """

    def __init__(self, run: AsyncBatchRun) -> None:
        self._run = run
        self._place = 0
        self._changes: Mailbox[None] = Mailbox(capacity=1)
        run._runner.control.watch(self._changes)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BatchRow:
        while True:
            # Read before the rows, so that rows that end at the same time as the batch are yielded.
            is_over = self._run.is_over
            if (row := self._next()) is not None:
                return row
            if is_over and self._run._has_ended():
                raise StopIteration
            with self._run._interruptible():
                self._changes.take()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BatchRow:
        while True:
            is_over = self._run.is_over
            if (row := self._next()) is not None:
                return row
            if is_over and self._run._has_ended():
                raise StopAsyncIteration
            await self._changes.take_async()

    def _next(self) -> BatchRow | None:
        recorder = self._run._runner.recorder
        while self._place < len(recorder.table.ended):
            row = recorder.ended_at(self._place)
            self._place += 1
            if row is not None:
                return row
        return None

    def __del__(self) -> None:
        self._run._runner.control.unwatch(self._changes)


class AsyncBatchRun(FixedAttributes):
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

    def __init__(self, engine: Engine, http_of: Callable[[str], HttpTransport | OtherServer], runner: Runner) -> None:
        self._engine = engine
        self._http_of = http_of
        self._runner = runner
        self._began_at = time.monotonic()
        self._began_with = runner.progress

    @property
    def folder(self) -> Path | None:
        """The folder of the batch; None if it does not have one."""
        return self._runner.recorder.folder.path

    @property
    def batch_id(self) -> str:
        """The id of the batch. The ids of its parts in the server's queue start with it.

        A batch that is resumed from its folder keeps its id. `client.batch_run(batch_id=...)` finds the rows of the
        batch that are in the queue.
        """
        return self._runner.control.batch_id

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of rows by status; see `BatchProgress`."""
        return self._runner.recorder.table.counts

    @property
    def progress(self) -> float:
        """The estimated percentage of the work that is done, 0..100."""
        return self._runner.progress

    @property
    def eta(self) -> float | None:
        """The estimated time left, in seconds; None while it is unknown, 0 once the batch has ended."""
        return self._so_far().eta

    @property
    def is_over(self) -> bool:
        """Whether every row has ended, or an error has stopped the batch."""
        return self._runner.control.is_over

    def __len__(self) -> int:
        return len(self._runner.recorder.table)

    def as_completed(self) -> CompletedRows:
        """Iterate over the rows in the order in which they end, with `for` or `async for`.

        Returns:
            An iterator, which ends when all rows have ended. It raises what `wait` raises.

        Example:
            >>> for row in batch.as_completed():
            ...     print(row.values, row.status)
        """
        return CompletedRows(self)

    async def wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        progress_callback: Callable[[BatchProgress], object] | None = None,
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
        callback = checked_callback(progress_callback)

        async def tell() -> None:
            returned = None if callback is None else callback(self._so_far())
            if inspect.isawaitable(returned):
                await returned

        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                with self._watching() as changes:
                    while not self._has_ended():
                        await tell()
                        await changes.take_async()
        except TimeoutError:
            if timeout is None or not limit.expired():
                raise
            raise self._timed_out(timeout) from None
        await tell()
        return self._so_far()

    def _wait_blocking(
        self,
        timeout: float | None = None,
        *,
        progress_callback: Callable[[BatchProgress], object] | None = None,
    ) -> BatchProgress:
        callback = plain_callback(progress_callback) or (lambda report: None)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._watching() as changes, self._interruptible():
            while not self._has_ended():
                callback(self._so_far())
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    assert timeout is not None
                    raise self._timed_out(timeout)
                changes.take(left)
            callback(self._so_far())
        return self._so_far()

    async def display(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
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
        from invokeai_py_client.notebook.output import BATCH_PAUSE, LiveOutput

        output = LiveOutput()
        thumbnails: dict[str, bytes] = {}

        async def tell(progress: BatchProgress) -> None:
            latest = self._latest_images()
            thumbnails.update(await self._engine.call(self._thumbnails(latest, thumbnails)))
            output.show(self._html(latest, thumbnails), str(progress))
            if not self.is_over:
                await asyncio.sleep(BATCH_PAUSE)

        try:
            await self.wait(timeout, progress_callback=tell)
        except BaseException:
            output.show(self._html(self._latest_images(), thumbnails, _LEFT), str(self._so_far()), is_last=True)
            raise
        output.show(self._html(self._latest_images(), thumbnails), str(self._so_far()), is_last=True)

    def _display_blocking(self, timeout: float | None = None) -> None:
        from invokeai_py_client.notebook.output import BATCH_PAUSE, LiveOutput

        output = LiveOutput()
        thumbnails: dict[str, bytes] = {}

        def tell(progress: BatchProgress) -> None:
            latest = self._latest_images()
            thumbnails.update(self._thumbnails_now(latest, thumbnails))
            output.show(self._html(latest, thumbnails), str(progress))
            if not self.is_over:
                time.sleep(BATCH_PAUSE)

        try:
            self._wait_blocking(timeout, progress_callback=tell)
        except BaseException as error:
            note = _STOPPED if isinstance(error, KeyboardInterrupt) else _LEFT
            output.show(self._html(self._latest_images(), thumbnails, note), str(self._so_far()), is_last=True)
            raise
        output.show(self._html(self._latest_images(), thumbnails), str(self._so_far()), is_last=True)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the notebook view: counts, failures, and thumbnails of the latest images, if they load quickly."""
        from invokeai_py_client.notebook.output import mimebundle

        def html() -> str:
            latest = self._latest_images()
            return self._html(latest, self._thumbnails_now(latest))

        return mimebundle(html)

    async def _thumbnails(
        self, latest: Sequence[tuple[BatchRow, str]], known: Collection[str] = ()
    ) -> dict[str, bytes]:
        """Fetch the thumbnails of the latest images, by image name, except for known ones."""
        missing: dict[str, list[str]] = {}
        for row, name in latest:
            if name not in known:
                missing.setdefault(row.server or "", []).append(name)
        found = await asyncio.gather(*(thumbnails_of(self._http_of(url), names) for url, names in missing.items()))
        return {name: content for some in found for name, content in some.items()}

    def _thumbnails_now(self, latest: Sequence[tuple[BatchRow, str]], known: Collection[str] = ()) -> dict[str, bytes]:
        with contextlib.suppress(InvokeAIError):
            return self._engine.block(self._thumbnails(latest, known))
        return {}

    def _html(self, latest: Sequence[tuple[BatchRow, str]], thumbnails: Mapping[str, bytes], note: str = "") -> Html:
        from invokeai_py_client.notebook.elements import Picture
        from invokeai_py_client.notebook.views import batch_view

        so_far = self._so_far()
        made = [(row, thumbnails[name]) for row, name in latest if name in thumbnails]
        captions = captions_of([{"index": row.index, "values": row.values} for row, _ in made])
        return batch_view(
            so_far.counts,
            progress=so_far.progress,
            eta=so_far.eta,
            failures=[(group.kind, len(group.rows)) for group in self._failures(_MOST_FAILURES)],
            shown=[
                Picture(content, "image/webp", caption, width=128)
                for (_, content), caption in zip(made, captions, strict=True)
            ],
            note=note,
        )

    def _latest_images(self) -> list[tuple[BatchRow, str]]:
        """Return the first image of each of the latest completed rows, in the order of the plan."""
        from invokeai_py_client.notebook.views import MOST_PICTURES

        recorder, found = self._runner.recorder, dict[int, tuple[BatchRow, str]]()
        count = len(recorder.table.ended)
        for place in range(count - 1, max(-1, count - 1 - _MOST_FAILURES), -1):
            index = recorder.table.ended_at(place)
            if index is None or recorder.table.status(index) != "completed":
                continue
            row = recorder.outcome(index)
            if row is not None and row.images:
                found[index] = (row, row.images[0])
                if len(found) == MOST_PICTURES:
                    break
        return [found[index] for index in sorted(found)]

    async def results(self, timeout: float | None = None) -> list[BatchRow]:  # noqa: ASYNC109
        """Wait until every row has ended, and return all rows.

        Args:
            timeout: seconds; None waits without a limit.

        Returns:
            The rows in the order of the plan, whatever their status.

        Raises:
            RunTimeout: the batch had not ended in time. It continues to run.
            InvokeAIError: as for `wait`.
        """
        await self.wait(timeout)
        return await asyncio.to_thread(lambda: [*self._runner.recorder.rows()])

    def _results_blocking(self, timeout: float | None = None) -> list[BatchRow]:
        self._wait_blocking(timeout)
        return [*self._runner.recorder.rows()]

    def failures(self) -> list[BatchFailures]:
        """Return the rows that have failed so far, grouped by reason, most frequent first."""
        return self._failures()

    def _failures(self, most: int | None = None) -> list[BatchFailures]:
        recorder = self._runner.recorder
        rows = map(recorder.outcome, recorder.table.having("failed")[:most])
        return by_reason(row for row in rows if row is not None)

    @property
    def images(self) -> list[AsyncImage]:
        """The images of the completed rows, in the order of the plan.

        They are downloaded from the server that ran the row, if it is the client's or one of the fleet's. A folder may
        have rows of another server. That server is never asked: it is only known from a file, and would get the
        client's token. Its images raise a `NotFoundError` when they are used, unless the client's own server has them.
        """
        made = []
        for index in self._runner.recorder.table.having("completed"):
            row = self._runner.recorder.outcome(index)
            if row is None:
                continue
            http = self._http_of(row.server or "")
            for name, node in zip(row.images, row.nodes, strict=True):
                *call_path, node_id = node.split("/")
                made.append(AsyncImage(self._engine, http, name, NodePath(node_id, tuple(call_path))))
        return made

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the current state of all rows, in plan order, as plain JSON with the keys of `manifest.jsonl`.

        Example:
            >>> [row["values"] for row in batch.to_rows() if row["status"] == "failed"]
        """
        return [line_of(row, self.folder) for row in self._runner.recorder.rows()]

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
        target = path_of(path)
        recorder = self._runner.recorder
        write_csv(target, recorder.rows(), recorder.plan.columns, self.folder)
        return target

    def open_report(self) -> Path:
        """Open the report page of the batch in the browser. It shows rows as they finish.

        Returns:
            The path of the page, `index.html` in the folder of the batch.

        Raises:
            SettingsError: the batch has no report.
        """
        page = None if self.folder is None else self.folder / "index.html"
        if page is None or not page.exists():
            raise SettingsError(
                "The batch has no report.", setting="report", hint="Submit the plan with a folder and report=True."
            )
        webbrowser.open(page.as_uri())
        return page

    @on_engine
    async def pause(self) -> None:
        """Send no more rows until `resume`.

        Rows that are in the server's queue continue to run, and their outcomes and images are saved as usual. A request
        that is in flight is completed, so its rows still reach the queue; if the server is unreachable or its queue is
        full, that request is retried. `wait` does not return while the batch is paused with unsent rows. The pause is
        not stored: a process that resumes the batch from its folder sends rows.
        """
        self._runner.pause()

    @on_engine
    async def resume(self) -> None:
        """Send the remaining rows, after `pause` or after a wait that Ctrl-C interrupted."""
        self._runner.resume()

    @on_engine
    async def cancel(self) -> None:
        """Send no more rows, and cancel those that have not ended. `wait` then returns soon.

        The report of the batch gets no contact sheet. `invokeai-client report FOLDER` draws one.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids

        Raises:
            InvokeAIError: a request failed; for a fleet, to any of its servers. Rows that were not canceled may run on:
                call `cancel` again.
        """
        await self._runner.cancel()

    @on_engine
    async def retry_failed(self) -> int:
        """Run the failed rows again. If `stop_after_failures` has stopped the batch, its other rows are run as well.

        Returns:
            The number of failed rows.

        Raises:
            BatchFolderError: another batch uses the folder, or has used it in the meantime.
            RunError: the batch stopped before all rows had ended: submit the plan again. Or it is still being canceled:
                call this when `wait` has returned.
            SettingsError: the batch was found by its id, so its plan is unknown.
        """
        return self._runner.retry_failed()

    def _so_far(self) -> BatchProgress:
        progress = self._runner.progress
        done = progress - self._began_with
        eta = (100 - progress) * (time.monotonic() - self._began_at) / done if done > 0 else None
        return BatchProgress(len(self), self.counts, progress, 0.0 if self._runner.control.is_over else eta)

    def _has_ended(self) -> bool:
        """Return whether every row has ended.

        Raises:
            InvokeAIError: an error stopped the batch before that.
        """
        failure = self._runner.control.failure
        if failure is not None:
            raise copy.copy(failure)
        return self._runner.control.is_over

    def _timed_out(self, timeout: float) -> RunTimeout:
        return RunTimeout(
            f"The batch has not ended after {timeout:g} s: {self._so_far()}.",
            batch_id=self.batch_id,
            item_id=None,
            timeout=timeout,
            hint="The batch continues to run: wait again, or stop it with batch.cancel().",
        )

    @contextlib.contextmanager
    def _watching(self) -> Iterator[Mailbox[None]]:
        changes: Mailbox[None] = Mailbox(capacity=1)
        self._runner.control.watch(changes)
        try:
            yield changes
        finally:
            self._runner.control.unwatch(changes)

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """On Ctrl-C, send no more rows and wait for the request in flight. A second Ctrl-C ends that wait."""
        try:
            yield
        except KeyboardInterrupt:
            self._engine.block(self._runner.stop_sending())
            raise

    def __repr__(self) -> str:
        where = "" if self.folder is None else f" in {str(self.folder)!r}"
        return f"<AsyncBatchRun{where}: {self._so_far()}>"


def duration_text(seconds: float) -> str:
    """Format a duration for people, such as `40 s`, `9 min` or `1.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
