"""Converts the events of a queue to changes of its items, for watchers of the queue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from invokeai_py_client.wire.events import (
    BatchEnqueued,
    BulkChange,
    Event,
    QueueItemsCanceled,
    QueueItemStatusChanged,
    Reconnected,
)

_CHANGES = (QueueItemStatusChanged, BatchEnqueued, BulkChange, Reconnected)


def changes_in(event: Event, batches_of: Callable[[Collection[int]], Mapping[int, str]]) -> list[Event]:
    """Return the changes that an event reports: one for each item of a bulk cancel, else the event itself, or none.

    Args:
        event: any event of a queue.
        batches_of: returns the batch ids of items, as far as they are known.
    """
    if isinstance(event, QueueItemsCanceled) and event.item_ids:
        batches = batches_of(event.item_ids)
        return [
            QueueItemStatusChanged(
                queue_id=event.queue_id,
                timestamp=event.timestamp,
                raw=event.raw,
                item_id=item_id,
                batch_id=batches.get(item_id, ""),
                status="canceled",
            )
            for item_id in event.item_ids
        ]
    return [event] if isinstance(event, _CHANGES) else []
