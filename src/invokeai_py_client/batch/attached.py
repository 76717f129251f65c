"""Follows the rows of a batch that was sent by another program, without its plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from invokeai_py_client.batch.batch_run import AsyncBatchRun
from invokeai_py_client.batch.folder import BatchFolder
from invokeai_py_client.batch.journal import SentChunk, SentRow
from invokeai_py_client.batch.recovery import FoundChunk
from invokeai_py_client.batch.rows import GroupBodies, PlannedRow, RowGroup
from invokeai_py_client.batch.runner import BatchOptions, Runner
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
    """Queue items as rows: what each of them was given."""

    rows: Sequence[PlannedRow]
    columns: Sequence[str]
    workflow: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[PlannedRow]:
        return iter(self.rows)

    def groups(self) -> Sequence[RowGroup]:
        """Return nothing: without the plan no row can be sent."""
        return ()

    async def check(self) -> None:
        """Nothing is sent."""

    async def prepare(self, group: RowGroup) -> GroupBodies:
        """Nothing is sent."""
        raise NotImplementedError


async def follow_batch(
    engine: Engine, http: HttpTransport, tracker: RunTracker, queue_id: str, batch_id: str
) -> AsyncBatchRun:
    """Follow what is in the queue of a batch. On the engine.

    Args:
        engine: runs the background tasks.
        http: sends the requests.
        tracker: follows the runs.
        queue_id: the queue.
        batch_id: `AsyncBatchRun.batch_id`, or the id of a single batch of the queue.

    Raises:
        NotFoundError: the queue has no item of it.
        InvokeAIError: as any request.
    """
    items = await summaries_of(http, queue_id, (await all_ids(http, queue_id))[::-1])
    batch_ids = {item.batch_id for item in items if f"{item.batch_id}-".startswith(f"{batch_id}-")}
    runs = await tracker.attacher.attach_many(queue_id, batch_ids=batch_ids)
    if not runs:
        call = queue.list_item_ids(queue_id)
        hint = "Check the id; items that have ended are deleted after a while."
        raise not_there(f"The queue {queue_id!r} has no item of batch {batch_id!r}.", call, http, hint=hint)
    rows: list[PlannedRow] = []
    found = []
    for run in runs.values():
        made = await _rows_of(http, run, first=len(rows))
        rows += made.values()
        places = {item_id: place for place, item_id in enumerate(made)}
        sent = SentChunk(run.state.batch_id, [SentRow(row.row_id, "") for row in made.values()])
        found.append((FoundChunk(sent, run, places), dict(enumerate(made.values()))))
    columns = [*dict.fromkeys(name for row in rows for name in row.values)]
    plan = _ItemRows(rows, columns)
    runner = Runner(plan, plan, engine, http, tracker, BatchFolder(None), BatchOptions(queue_id=queue_id))
    runner.follow(found)
    return AsyncBatchRun(engine, http, runner)


async def _rows_of(http: HttpTransport, run: TrackedRun, *, first: int) -> dict[int, PlannedRow]:
    """Return the items of a run as rows, by their ids."""
    records = await records_of(http, run.state.queue_id, sorted(run.state.items))
    return {record.item_id: _row_of(record, index) for index, record in enumerate(records, first)}


def _row_of(record: QueueItemRecord, index: int) -> PlannedRow:
    given = record.get("field_values") or ()
    values = {f"{each['node_path']}.{each['field_name']}": each["value"] for each in given}
    seeds = {each["value"] for each in given if each["field_name"] == "seed"}
    return PlannedRow(index, str(record.item_id), values, seeds.pop() if len(seeds) == 1 else None)
