"""Follows the rows of a batch that another program sent, without its plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.batch_run import AsyncBatchRun
from invokeai_py_client.batch.control import BatchControl
from invokeai_py_client.batch.folder import BatchFolder
from invokeai_py_client.batch.follower import ChunkFollower
from invokeai_py_client.batch.journal import SentChunk, SentRow
from invokeai_py_client.batch.recorder import Recorder
from invokeai_py_client.batch.recovery import FoundChunk
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.batch.runner import Runner
from invokeai_py_client.live.queue_reads import all_ids, records_of, summaries_of
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records.queue import QueueItemRecord


@dataclass(frozen=True, slots=True)
class _ItemRows:
    """Queue items as rows."""

    rows: Sequence[PlannedRow]
    columns: Sequence[str]
    invalid: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[PlannedRow]:
        return iter(self.rows)


async def follow_batch(
    engine: Engine, http: HttpTransport, tracker: RunTracker, queue_id: str, batch_id: str
) -> AsyncBatchRun:
    """Follow the items of a batch that are in the queue. Runs on the engine.

    Args:
        engine: runs the background tasks.
        http: sends the requests.
        tracker: follows the runs.
        queue_id: the queue.
        batch_id: `AsyncBatchRun.batch_id`, or the id of a single batch of the queue.

    Raises:
        NotFoundError: the queue has no items of the batch.
        InvokeAIError: a request failed.
    """
    items = await summaries_of(http, queue_id, (await all_ids(http, queue_id))[::-1])
    batch_ids = {item.batch_id for item in items if f"{item.batch_id}-".startswith(f"{batch_id}-")}
    runs = await tracker.attacher.attach_many(queue_id, batch_ids=batch_ids)
    if not runs:
        call = queue.list_item_ids(queue_id)
        hint = (
            "Check the id and the queue. Rows that were not sent yet are not in the queue, and the server may delete "
            "finished ones. If the batch has a folder, pass the folder instead."
        )
        raise not_there(f"The queue {queue_id!r} has no items of batch {batch_id!r}.", call, http, hint=hint)
    rows: list[PlannedRow] = []
    found = []
    for run in runs.values():
        made = await _rows_of(http, run, first=len(rows))
        rows += made.values()
        places = {item_id: place for place, item_id in enumerate(made)}
        sent = SentChunk(run.state.batch_id, [SentRow(row.row_id, "") for row in made.values()], queue_id)
        found.append((FoundChunk(sent, run, places), dict(enumerate(made.values()))))
    columns = [*dict.fromkeys(name for row in rows for name in row.values)]
    control = BatchControl(engine, batch_id)
    # Nothing can be sent again without the plan, so rows whose items are canceled stay canceled.
    control.is_canceled = True
    recorder = Recorder(_ItemRows(rows, columns), BatchFolder(None), BatchOptions(), control)
    follower = ChunkFollower(http, tracker, recorder, control)
    for chunk, rows_of in found:
        follower.adopt(chunk, rows_of)
    runner = Runner(recorder, follower, control)
    await runner.start()
    return AsyncBatchRun(engine, lambda url: http, runner)


async def _rows_of(http: HttpTransport, run: TrackedRun, *, first: int) -> dict[int, PlannedRow]:
    """Return the items of a run as rows, by item id."""
    records = await records_of(http, run.state.queue_id, sorted(run.state.items))
    return {record.item_id: _row_of(record, index) for index, record in enumerate(records, first)}


def _row_of(record: QueueItemRecord, index: int) -> PlannedRow:
    given = record.get("field_values") or ()
    values = {f"{each['node_path']}.{each['field_name']}": each["value"] for each in given}
    seeds = {each["value"] for each in given if each["field_name"] == "seed"}
    return PlannedRow(index, str(record.item_id), values, seeds.pop() if len(seeds) == 1 else None)
