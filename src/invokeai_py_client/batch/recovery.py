"""Finds the parts of a batch on the server that an earlier process, or an earlier attempt, sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from invokeai_py_client.batch.checksums import aligned, checksum
from invokeai_py_client.batch.journal import SentChunk
from invokeai_py_client.live.enqueue import DEFAULT_TIMES
from invokeai_py_client.live.queue_reads import all_ids, records_of, summaries_of
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue

TIMES = DEFAULT_TIMES
"""How long the server may still be storing a chunk after its sender has crashed."""


@dataclass(frozen=True, slots=True)
class FoundChunk:
    """A chunk that is on the server: its run, and the positions of its rows by item id."""

    chunk: SentChunk
    run: TrackedRun
    places: Mapping[int, int]


def unfinished(
    chunks: Iterable[SentChunk], ended: Mapping[str, Collection[str]]
) -> Iterator[tuple[SentChunk, dict[int, str]]]:
    """Yield the chunks with rows whose outcomes are unknown, and the ids of those rows by position.

    A row that was sent more than once belongs to the latest chunk that contains it, because a row is only sent again
    when the earlier item has ended or certainly does not exist.

    Args:
        chunks: all chunks that were sent, in order.
        ended: the rows whose outcomes are known, by the id of the batch that ran them.
    """
    sent = [*chunks]
    latest = {row.row_id: number for number, chunk in enumerate(sent) for row in chunk.rows}
    for number, chunk in enumerate(sent):
        known = ended.get(chunk.batch_id, ())
        places = {
            place: row.row_id
            for place, row in enumerate(chunk.rows)
            if latest[row.row_id] == number and row.row_id not in known
        }
        if places:
            yield chunk, places


def left_of(chunks: Iterable[SentChunk], ended: Mapping[str, Collection[str]]) -> list[tuple[SentChunk, int]]:
    """Return the chunks with rows whose outcomes are unknown, and the numbers of those rows.

    Unlike `unfinished`, this includes rows that were sent again later, as their first items may still be in a queue.

    Args:
        chunks: all chunks that were sent.
        ended: as for `unfinished`.
    """
    counts = (
        (chunk, len({row.row_id for row in chunk.rows}.difference(ended.get(chunk.batch_id, ())))) for chunk in chunks
    )
    return [(chunk, count) for chunk, count in counts if count]


async def find(
    http: Sender, tracker: RunTracker, chunks: Iterable[SentChunk], *, may_be_on_the_way: bool
) -> list[FoundChunk]:
    """Find chunks in the queues that they were sent to, and follow them.

    Args:
        http: sends the requests.
        tracker: follows the runs.
        chunks: the chunks.
        may_be_on_the_way: whether the server may still be storing a chunk, because its sender has just crashed. If a
            chunk is incomplete, the queue is then read a second time after a delay.

    Raises:
        InvokeAIError: a request failed.
    """
    queues: dict[str, list[SentChunk]] = {}
    for chunk in chunks:
        queues.setdefault(chunk.queue_id, []).append(chunk)
    return [
        found
        for queue_id, sent in queues.items()
        for found in await _find_in_queue(http, tracker, queue_id, sent, may_be_on_the_way=may_be_on_the_way)
    ]


async def find_late(tracker: RunTracker, queue_id: str, batch_id: str) -> TrackedRun | None:
    """Follow a batch of one row that was not in the queue yet, because its sender has just crashed; None if it is not.

    Raises:
        InvokeAIError: a request failed.
    """
    await asyncio.sleep(TIMES.storing(1))
    return await tracker.attacher.attach_if_there(queue_id, batch_id)


async def _find_in_queue(
    http: Sender, tracker: RunTracker, queue_id: str, chunks: Sequence[SentChunk], *, may_be_on_the_way: bool
) -> list[FoundChunk]:
    sizes = {chunk.batch_id: len(chunk.rows) for chunk in chunks}
    if may_be_on_the_way and any(
        count < sizes[batch_id] for batch_id, count in (await _counts(http, queue_id, sizes)).items()
    ):
        await asyncio.sleep(TIMES.storing(max(sizes.values())))
    runs = await tracker.attacher.attach_many(queue_id, batch_ids=sizes.keys())
    return [await places_in(http, chunk, runs[chunk.batch_id]) for chunk in chunks if chunk.batch_id in runs]


async def places_in(http: Sender, chunk: SentChunk, run: TrackedRun) -> FoundChunk:
    """Find out which item of a followed batch runs which row.

    The server creates the items in the order of the rows. If the number of items or the values of the first and last
    item do not match, the values of all items are compared.

    Raises:
        InvokeAIError: a request failed.
    """
    item_ids = sorted(run.state.items)
    if len(chunk.rows) == 1:
        # Further items are retries of the row by other clients, of which the last one counts.
        return FoundChunk(chunk, run, {item_ids[-1]: 0})
    if len(item_ids) == len(chunk.rows):
        ends = await _checksums(http, run, [item_ids[0], item_ids[-1]])
        if ends == {item_ids[0]: chunk.rows[0].checksum, item_ids[-1]: chunk.rows[-1].checksum}:
            return FoundChunk(chunk, run, dict(zip(item_ids, range(len(item_ids)), strict=True)))
    of_all = await _checksums(http, run, item_ids)
    return FoundChunk(chunk, run, aligned(chunk.rows, sorted(of_all.items())))


async def cancel_batches(http: Sender, batches: Iterable[tuple[str, str]]) -> None:
    """Cancel batches, given as (queue id, batch id) pairs.

    Raises:
        InvokeAIError: a request failed.
    """
    queues: dict[str, list[str]] = {}
    for queue_id, batch_id in batches:
        queues.setdefault(queue_id, []).append(batch_id)
    for queue_id, batch_ids in queues.items():
        await http.send(queue.cancel_batches(queue_id, batch_ids))


async def _counts(http: Sender, queue_id: str, batch_ids: Collection[str]) -> dict[str, int]:
    """Return the number of items of each batch, without those of called workflows."""
    items = await summaries_of(http, queue_id, await all_ids(http, queue_id))
    counts = Counter(item.batch_id for item in items if item.parent_item_id is None)
    return {batch_id: counts[batch_id] for batch_id in batch_ids}


async def _checksums(http: Sender, run: TrackedRun, item_ids: Sequence[int]) -> dict[int, str]:
    """Return the checksums of the values of items, by item id."""
    found = {}
    for record in await records_of(http, run.state.queue_id, item_ids):
        values = record.get("field_values") or ()
        found[record.item_id] = checksum((each["node_path"], each["field_name"], each["value"]) for each in values)
    return found
