"""Starts a batch, or resumes the batch of a folder."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.batch_report import BatchReport
from invokeai_py_client.batch.control import BatchControl
from invokeai_py_client.batch.folder import BatchFolder, plan_path
from invokeai_py_client.batch.follower import ChunkFollower
from invokeai_py_client.batch.journal import SentChunk
from invokeai_py_client.batch.recorder import Recorder, WorkflowRows
from invokeai_py_client.batch.recovery import cancel_batches, find, left_of, unfinished
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.batch.runner import Follows, Runner, Sends
from invokeai_py_client.batch.sender import Bodies, ChunkSender, PlanRows
from invokeai_py_client.errors import SettingsError
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport.http import HttpTransport

logger = logging.getLogger("invokeai_py_client.batch")


class Backend(Protocol):
    """Runs the rows of a batch on one server, or on a fleet. Its coroutines run on the engine."""

    def parts(self, options: BatchOptions, recorder: Recorder, control: BatchControl) -> tuple[Sends, Follows]:
        """Return the sender and the follower of the rows. Called once, before the other methods."""
        ...

    async def check(self) -> None:
        """Check that the rows can run, before anything is sent.

        Raises:
            InputsNotReadyError: the rows cannot run.
            InvokeAIError: a request failed.
        """
        ...

    async def withdraw(self, chunks: Sequence[SentChunk]) -> None:
        """Cancel chunks of an earlier batch.

        Raises:
            InvokeAIError: a request failed.
        """
        ...

    async def adopt(self, sent: Sequence[tuple[SentChunk, dict[int, PlannedRow]]]) -> None:
        """Find chunks that were sent earlier, and follow their rows without an outcome, given by position in the chunk.

        Raises:
            InvokeAIError: a request failed.
        """
        ...


class OneServer:
    """Runs the rows of a plan on one server.

    Args:
        plan: the rows.
        bodies: makes the request bodies.
        http: sends the requests.
        tracker: submits and follows the runs.
    """

    def __init__(self, plan: PlanRows, bodies: Bodies, http: HttpTransport, tracker: RunTracker) -> None:
        self._plan = plan
        self._bodies = bodies
        self._http = http
        self._tracker = tracker

    def parts(self, options: BatchOptions, recorder: Recorder, control: BatchControl) -> tuple[Sends, Follows]:
        """Return the sender and the follower; see `Backend.parts`."""
        self._recorder = recorder
        self._follower = ChunkFollower(self._http, self._tracker, recorder, control)
        sender = ChunkSender(
            self._plan, self._bodies, self._http, self._tracker, options, recorder, self._follower, control
        )
        return sender, self._follower

    async def check(self) -> None:
        """Check the graphs; see `Backend.check`."""
        await self._bodies.check()

    async def withdraw(self, chunks: Sequence[SentChunk]) -> None:
        """Cancel chunks; see `Backend.withdraw`."""
        ended = await asyncio.to_thread(self._recorder.folder.manifest.chunks_of)
        left = left_of(chunks, ended)
        await cancel_batches(self._http, ((chunk.queue_id, chunk.batch_id) for chunk, _ in left))
        self._warn_of_others(left, "they are not canceled there")

    async def adopt(self, sent: Sequence[tuple[SentChunk, dict[int, PlannedRow]]]) -> None:
        """Follow the chunks that this server has; see `Backend.adopt`."""
        rows_of = {chunk.batch_id: rows for chunk, rows in sent}
        for found in await find(self._http, self._tracker, [chunk for chunk, _ in sent], may_be_on_the_way=True):
            self._follower.adopt(found, rows_of.pop(found.chunk.batch_id))
        missing = ((chunk, len(rows)) for chunk, rows in sent if chunk.batch_id in rows_of)
        self._warn_of_others(missing, f"they are run again by {self._http.settings.url}")

    def _warn_of_others(self, unfinished: Iterable[tuple[SentChunk, int]], what: str) -> None:
        """Warn of the unfinished rows of chunks that were sent to other servers, given with their number."""
        elsewhere = Counter[str]()
        for chunk, count in unfinished:
            if chunk.server not in ("", self._http.settings.url):
                elsewhere[chunk.server] += count
        for server, count in elsewhere.items():
            logger.warning("%d unfinished rows were sent to %s, which is not asked: %s", count, server, what)


async def begin(
    plan: WorkflowRows,
    backend: Backend,
    engine: Engine,
    *,
    folder: Path | None,
    options: BatchOptions | None,
    save: Callable[[Path], object],
    make_report: Callable[[Path], BatchReport],
    overwrite: bool = False,
) -> Runner:
    """Start a batch, or resume it. Runs on the engine.

    Args:
        plan: the rows.
        backend: runs the rows.
        engine: runs the background tasks.
        folder: stores the outcomes and the images; None to store nothing.
        options: the options of the batch. Rows that failed, were canceled, or whose files are gone or altered are run
            again. None: use the options in the folder, and run only rows without an outcome.
        save: saves the plan to a file.
        make_report: creates the report in a folder, if the options ask for one.
        overwrite: delete the results of an earlier batch in the folder, and cancel its rows that are in the queue.

    Raises:
        BatchFolderError: the folder cannot be used.
        InvokeAIError: a request failed.
    """
    if options is not None:
        options = options.checked()
        if options.report and folder is None:
            raise SettingsError(
                "A report needs a folder.",
                setting="report",
                hint="Pass one, such as folder='out'. Nothing was submitted.",
            )
    kept = await asyncio.to_thread(BatchFolder, folder)
    start = kept.journal.start
    control = BatchControl(engine, "" if start is None or overwrite else start.batch_id)
    control.at_end(kept.release)
    try:
        used = (options or BatchOptions(**({} if start is None else start.options))).checked()
        report = make_report(kept.path) if used.report and kept.path is not None else None
        recorder = Recorder(plan, kept, used, control, report)
        sender, follower = backend.parts(used, recorder, control)
        if overwrite:
            await _overwrite(kept, backend)
        else:
            kept.check(plan.workflow)
        if options is not None and kept.path is not None:
            await kept.in_thread(save, plan_path(kept.path))
        sent = await kept.in_thread(_load, recorder, control, sender, options is not None)
        if sent:
            await backend.adopt(sent)
        if recorder.table.unsent and not control.is_canceled:
            await backend.check()
        if control.failure is not None:
            raise control.failure
    except BaseException:
        # Stops following rows that were found in the queue: a batch that did not start must not record outcomes.
        control.end(None)
        raise
    runner = Runner(recorder, follower, control, sender)
    await runner.start()
    return runner


async def _overwrite(folder: BatchFolder, backend: Backend) -> None:
    """Delete the results of an earlier batch, after checking the new one and canceling the earlier one."""
    await backend.check()
    await backend.withdraw(await asyncio.to_thread(lambda: [*folder.journal.chunks()]))
    await folder.in_thread(folder.clear)


def _load(
    recorder: Recorder, control: BatchControl, sender: Sends, redoes: bool
) -> list[tuple[SentChunk, dict[int, PlannedRow]]]:
    """Read the journal and the manifest. Blocks; runs in a thread.

    Returns:
        The chunks with rows whose outcomes are unknown, and those rows, by position in the chunk.
    """
    journal, manifest = recorder.folder.journal, recorder.folder.manifest
    parts = [*unfinished(journal.chunks(), manifest.chunks_of())]
    rows = recorder.load({row_id for _, places in parts for row_id in places.values()}, redoes=redoes)
    control.is_canceled = journal.is_canceled and not redoes
    if not control.is_canceled:
        sender.write_start()
    return [
        (chunk, {place: rows[row_id] for place, row_id in places.items() if row_id in rows})
        for chunk, places in parts
        if any(row_id in rows for row_id in places.values())
    ]
