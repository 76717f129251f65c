"""Begins to run a plan, or goes on with it where an earlier process has stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.batch_report import BatchReport
from invokeai_py_client.batch.batch_run import AsyncBatchRun
from invokeai_py_client.batch.control import BatchControl
from invokeai_py_client.batch.folder import BatchFolder, plan_path
from invokeai_py_client.batch.follower import ChunkFollower
from invokeai_py_client.batch.journal import SentChunk
from invokeai_py_client.batch.recorder import Recorder
from invokeai_py_client.batch.recovery import cancel_batches, find, unfinished
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.batch.runner import Runner
from invokeai_py_client.batch.sender import Bodies, ChunkSender, PlanRows
from invokeai_py_client.errors import SettingsError
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport.http import HttpTransport


async def begin(
    plan: PlanRows,
    bodies: Bodies,
    engine: Engine,
    http: HttpTransport,
    tracker: RunTracker,
    *,
    folder: Path | None,
    options: BatchOptions | None,
    save: Callable[[Path], object],
    make_report: Callable[[Path], BatchReport],
    overwrite: bool = False,
) -> AsyncBatchRun:
    """Begin to run a plan, or go on with it. On the engine.

    Args:
        plan: the rows.
        bodies: makes their submissions.
        engine: runs the background tasks.
        http: sends the requests.
        tracker: submits and follows.
        folder: keeps what became of the rows, and the files; None to keep nothing.
        options: how the plan is run; rows are run again that have failed, were canceled, or whose files are gone or
            altered. None to go on as the folder says, with what was not done yet.
        save: saves the plan in a file.
        make_report: makes the report in a folder, if the options want one.
        overwrite: delete what an earlier batch has left in the folder, and cancel what it still has in the queue.

    Raises:
        BatchFolderError: the folder cannot be used.
        InvokeAIError: as any request.
    """
    if options is not None:
        options = options.checked()
        if options.report and folder is None:
            raise SettingsError(
                "A report needs a folder.",
                setting="report",
                hint="Give one, such as folder='out'. Nothing was submitted.",
            )
    kept = await asyncio.to_thread(BatchFolder, folder)
    start = kept.journal.start
    control = BatchControl(engine, "" if start is None or overwrite else start.batch_id)
    control.at_end(kept.release)
    try:
        used = (options or BatchOptions(**({} if start is None else start.options))).checked()
        report = make_report(kept.path) if used.report and kept.path is not None else None
        recorder = Recorder(plan, kept, used, control, report)
        if overwrite:
            await _overwrite(kept, bodies, http)
        else:
            kept.check(plan.workflow)
        follower = ChunkFollower(http, tracker, recorder, control)
        sender = ChunkSender(plan, bodies, http, tracker, used, recorder, follower, control)
        if options is not None and kept.path is not None:
            with kept.writing():
                await asyncio.to_thread(save, plan_path(kept.path))
        with kept.writing():
            sent = await asyncio.to_thread(_load, recorder, control, sender, options is not None)
        if sent:
            chunks = [chunk for chunk, _ in sent]
            rows_of = {chunk.batch_id: rows for chunk, rows in sent}
            for found in await find(http, tracker, chunks, may_be_on_the_way=True):
                follower.adopt(found, rows_of[found.chunk.batch_id])
        if recorder.table.unsent and not control.is_canceled:
            await bodies.check()
        if control.failure is not None:
            raise control.failure
    except BaseException:
        # What was found in the queue is not recorded by a batch that has not begun.
        control.end(None)
        raise
    runner = Runner(recorder, follower, control, sender)
    await runner.start()
    return AsyncBatchRun(engine, http, runner)


async def _overwrite(folder: BatchFolder, bodies: Bodies, http: HttpTransport) -> None:
    """Delete what an earlier batch has left, once the new one is sure to begin and the earlier one is canceled."""
    await bodies.check()
    sent = await asyncio.to_thread(lambda: [(each.queue_id, each.batch_id) for each in folder.journal.chunks()])
    await cancel_batches(http, sent)
    with folder.writing():
        await asyncio.to_thread(folder.clear)


def _load(
    recorder: Recorder, control: BatchControl, sender: ChunkSender, redoes: bool
) -> list[tuple[SentChunk, dict[int, PlannedRow]]]:
    """Read the journal and the manifest, in a thread.

    Returns:
        The chunks whose outcomes are not all known, with the rows of the plan that these concern, by their place.
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
