"""`client.queue` and `client.queue_repo`: reading, changing and watching queues."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.live.queue_idle import nothing_at_all, until_counts
from invokeai_py_client.live.queue_reads import all_ids, item_id_of, records_of, summaries_of
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.repositories.queue.order import QueuePosition
from invokeai_py_client.repositories.queue.positions import RUNNING, Positions, recent_items
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.settings import checked_seconds
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records.queue import (
    BatchStatus,
    CancelResult,
    DeletedItems,
    DestinationCounts,
    ProcessorStatus,
    QueueItemRecord,
    QueueItemSummary,
    QueueStatus,
)


class AsyncQueue(FixedAttributes):
    """A queue of the server: `client.queue` is the default queue, `client.queue_repo.get_queue(id)` any other.

    `client.aio.queue` is awaited.

    Example:
        >>> client.queue.wait_until_idle(timeout=60)
        True
    """

    def __init__(self, engine: Engine, http: HttpTransport, tracker: RunTracker, queue_id: str = "default") -> None:
        self._engine = engine
        self._http = http
        self._tracker = tracker
        self._queue_id = queue_id
        self._positions = Positions(http, queue_id, tracker.workloads)

    @property
    def queue_id(self) -> str:
        """The id of the queue."""
        return self._queue_id

    @on_engine
    async def get_status(self) -> QueueStatus:
        """Return the number of items by status, and the state of the processor.

        Endpoint: GET /api/v1/queue/{queue_id}/status

        Example:
            >>> client.queue.get_status().queue_pending_count
            3
        """
        return await self._http.send(queue.get_queue_status(self.queue_id))

    @on_engine
    async def is_busy(self) -> bool:
        """Return whether the queue has pending or running items.

        Endpoint: GET /api/v1/queue/{queue_id}/status
        """
        return not (await self.get_status()).is_idle

    # Items

    def list_items(self) -> Listing[QueueItemSummary]:
        """Iterate over all items of the queue, newest first, without graphs and results. Fetched during iteration.

        Endpoint: GET /api/v1/queue/{queue_id}/item_ids (InvokeAI 6.7 or later)
        Endpoint: POST /api/v1/queue/{queue_id}/item_summaries_by_ids (InvokeAI 6.14 or later)
        """
        return Listing(self._engine, self._item_ids, self._summaries, size=queue.MAX_IDS_PER_REQUEST)

    @on_engine
    async def list_all(self, destination: str | None = None) -> list[QueueItemRecord]:
        """Return all items of the queue with their sessions, by priority, then in the order of submission.

        The records may be large; `list_items` returns items without sessions.

        Endpoint: GET /api/v1/queue/{queue_id}/list_all

        Args:
            destination: only items that were submitted with this destination.
        """
        return await self._http.send(queue.list_all_items(self.queue_id, destination=destination))

    @on_engine
    async def list_running(self) -> list[QueueItemRecord]:
        """Return the running items with their sessions, by priority, then in the order of submission."""
        return await self._whole_items(RUNNING)

    @on_engine
    async def list_pending(self) -> list[QueueItemRecord]:
        """Return the pending items with their sessions, by priority, then in the order of submission.

        In multi-user mode, users take turns, so items may run in another order; see `get_position`.
        """
        return await self._whole_items(("pending",))

    @on_engine
    async def get_current(self) -> QueueItemRecord | None:
        """Return the running item; None if no item is running.

        Endpoint: GET /api/v1/queue/{queue_id}/current
        """
        return await self._http.send(queue.get_current_item(self.queue_id))

    @on_engine
    async def get_next(self) -> QueueItemRecord | None:
        """Return the pending item with the highest priority, which runs next; None if no item is pending.

        Another item may run first if users take turns, or if other queues have items: the server has one processor for
        all queues.

        Endpoint: GET /api/v1/queue/{queue_id}/next
        """
        return await self._http.send(queue.get_next_item(self.queue_id))

    @on_engine
    async def get_item(self, item_id: int) -> QueueItemRecord:
        """Return a queue item with its session.

        Endpoint: GET /api/v1/queue/{queue_id}/i/{item_id}

        Raises:
            NotFoundError: the queue does not have the item, or no longer.
        """
        return await self._http.send(queue.get_queue_item(self.queue_id, item_id_of(item_id)))

    @on_engine
    async def get_items_by_ids(self, item_ids: Sequence[int]) -> list[QueueItemRecord]:
        """Return items with their sessions, in the order of `item_ids`. Items that do not exist are skipped.

        Endpoint: POST /api/v1/queue/{queue_id}/items_by_ids (InvokeAI 6.7 or later; before, a request for each item)
        """
        return await records_of(self._http, self.queue_id, [item_id_of(item_id) for item_id in item_ids])

    @on_engine
    async def get_batch_status(self, batch_id: str) -> BatchStatus:
        """Return the number of a batch's items by status. `total` is 0 for an unknown batch.

        Endpoint: GET /api/v1/queue/{queue_id}/b/{batch_id}/status
        """
        return await self._http.send(queue.get_batch_status(self.queue_id, batch_id))

    @on_engine
    async def get_counts_by_destination(self, destination: str) -> DestinationCounts:
        """Return the number of items with a destination by status.

        Endpoint: GET /api/v1/queue/{queue_id}/counts_by_destination
        """
        return await self._http.send(queue.get_counts_by_destination(self.queue_id, destination))

    @on_engine
    async def get_position(self, item_id: int) -> QueuePosition:
        """Return the position of an item in the queue, and the estimated time until it starts.

        The server has no route for this. The client computes it from the pending items, their priorities and the
        durations of recent items. In multi-user mode, users take turns, unless the server is set to first come, first
        served, which only administrators can see. Non-administrators cannot see other users' ids or priorities, so
        those items count as items of one user.

        Items in other queues are not considered, although the server has one processor for all queues.

        Args:
            item_id: the id of the item, `run.item_id`.

        Raises:
            NotFoundError: the queue does not have the item, or no longer.

        Example:
            >>> client.queue.get_position(run.item_id).ahead_count
            2
        """
        return await self._positions.of(item_id_of(item_id))

    # Canceling, deleting, retrying, pausing

    @on_engine
    async def cancel_item(self, item_id: int) -> QueueItemRecord:
        """Cancel an item. An item that has ended is not changed.

        If the item belongs to a called workflow, the server also cancels the item that called it.

        Endpoint: PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel

        Returns:
            The item after the cancellation.

        Raises:
            NotFoundError: the queue does not have the item, or no longer.
        """
        item_id = item_id_of(item_id)
        self._tracker.cancel_of_item_asked(item_id)
        item = await self._http.send(queue.cancel_queue_item(self.queue_id, item_id))
        if item.root_item_id is not None:
            # Without events, the run may not know the items of called workflows yet.
            self._tracker.cancel_of_item_asked(item.root_item_id)
        return item

    @on_engine
    async def cancel_batch(self, batch_id: str) -> CancelResult:
        """Cancel the items of a batch that have not ended. `canceled` is the number of canceled items.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids
        """
        live = self._tracker.listener.router.followed(self.queue_id, batch_id)
        with self._tracker.canceling([] if live is None else [live]):
            return await self._http.send(queue.cancel_batches(self.queue_id, [batch_id]))

    @on_engine
    async def cancel_by_destination(self, destination: str) -> CancelResult:
        """Cancel the items with a destination that have not ended. `canceled` is the number of canceled items.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_destination
        """
        with self._tracker.canceling(self._tracker.runs_of(self.queue_id, destination)):
            return await self._http.send(queue.cancel_by_destination(self.queue_id, destination))

    @on_engine
    async def cancel_all_except_current(self) -> CancelResult:
        """Cancel all pending items. `canceled` is the number of canceled items.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_all_except_current
        """
        self._tracker.cancel_of_pending_asked(self.queue_id)
        return await self._http.send(queue.cancel_all_except_current(self.queue_id))

    @on_engine
    async def delete_item(self, item_id: int) -> int:
        """Cancel an item and delete it from the queue; return its id.

        Endpoint: DELETE /api/v1/queue/{queue_id}/i/{item_id} (InvokeAI 6.7 or later)
        """
        item_id = item_id_of(item_id)
        self._tracker.cancel_of_item_asked(item_id)
        await self._http.send(queue.delete_queue_item(self.queue_id, item_id))
        return item_id

    @on_engine
    async def delete_by_destination(self, destination: str) -> DeletedItems:
        """Delete all items with a destination from the queue. `deleted` is the number of deleted items.

        Endpoint: DELETE /api/v1/queue/{queue_id}/d/{destination}
        """
        with self._tracker.canceling(self._tracker.runs_of(self.queue_id, destination)):
            return await self._http.send(queue.delete_by_destination(self.queue_id, destination))

    @on_engine
    async def delete_all_except_current(self) -> DeletedItems:
        """Delete all pending items from the queue. `deleted` is the number of deleted items.

        Endpoint: PUT /api/v1/queue/{queue_id}/delete_all_except_current
        """
        self._tracker.cancel_of_pending_asked(self.queue_id)
        return await self._http.send(queue.delete_all_except_current(self.queue_id))

    @on_engine
    async def retry(self, item_ids: int | Sequence[int]) -> list[int]:
        """Retry items that failed or were canceled. Each is run again as a new item of the same batch.

        The server does not return the ids of the new items. Each new item has the id of the old one in
        `retried_from_item_id`. `client.run(item_id)` follows a new item. `client.run(batch_id=...)` follows the whole
        batch, including the old items, so that run fails even if the new items complete.

        Endpoint: PUT /api/v1/queue/{queue_id}/retry_items_by_id

        Returns:
            Those of `item_ids` that are run again. Items that cannot be retried are missing.

        Example:
            >>> client.queue.retry(failed.item_id)
            [7]
            >>> new = [item for item in client.queue.list_all() if item.retried_from_item_id == failed.item_id][-1]
            >>> client.run(new.item_id).wait(timeout=60).status
            'completed'
        """
        ids = [item_id_of(item_id) for item_id in (item_ids if isinstance(item_ids, Iterable) else [item_ids])]
        return (await self._http.send(queue.retry_items(self.queue_id, ids))).retried_item_ids

    @on_engine
    async def clear(self) -> DeletedItems:
        """Cancel the running item and delete all items of the queue, also those of other clients.

        `deleted` is the number of deleted items.

        Endpoint: PUT /api/v1/queue/{queue_id}/clear

        Example:
            >>> client.queue_repo.get_queue("my-experiments").clear().deleted
            3
        """
        with self._tracker.canceling(self._tracker.runs_of(self.queue_id)):
            return await self._http.send(queue.clear_queue(self.queue_id))

    @on_engine
    async def prune(self) -> DeletedItems:
        """Delete all items that have ended from the queue. `deleted` is the number of deleted items.

        Endpoint: PUT /api/v1/queue/{queue_id}/prune
        """
        return await self._http.send(queue.prune_queue(self.queue_id))

    @on_engine
    async def pause(self) -> ProcessorStatus:
        """Pause the processor, which serves all queues: no new items are started. The running item continues.

        Endpoint: PUT /api/v1/queue/{queue_id}/processor/pause (administrators only)
        """
        return await self._http.send(queue.pause_processor(self.queue_id))

    @on_engine
    async def resume(self) -> ProcessorStatus:
        """Resume the processor, which serves all queues.

        Endpoint: PUT /api/v1/queue/{queue_id}/processor/resume (administrators only)
        """
        return await self._http.send(queue.resume_processor(self.queue_id))

    # Watching

    def watch(self) -> EventStream:
        """Stream the changes of the queue, whoever submitted the items. The stream does not end by itself.

        Iterate over the stream with `for` or `async for`. It starts when a `with` or `async with` block is entered,
        otherwise with the iteration. Errors are raised at that point.

        The events are objects of `invokeai_py_client.wire.events`, with one of these types:

        - `queue_item_status_changed`: an item has started or ended: `item_id`, `batch_id`, `status`. If items are
          canceled or deleted in bulk, there is an event for each, with the status `canceled`. The server does not send
          their batch ids, so `batch_id` is "" unless this client follows the batch.
        - `batch_enqueued`: a batch was submitted: `batch_id`, `enqueued` and `requested` (numbers of items),
          `priority`.
        - `queue_items_retried`: the items `item_ids` are retried as new items, whose ids the server does not send.
        - `queue_cleared`: all items, or all items of the user `user_id`, were deleted. There are no events for each.
        - `queue_items_canceled`: items of another user were canceled in bulk. It does not contain their ids.
        - `reconnected`: the socket was disconnected for `seconds`. Changes during that time are not reported.

        For non-administrators, the `batch_id` of other users' events is "redacted". There are no events for pruned
        items and for items that are deleted after they have ended. Servers before 6.14 do not report that items were
        canceled or deleted in bulk.

        Raises:
            SettingsError: the client was created with `transport="polling"`.
            InvokeAIError: the server cannot be reached, or rejects this client.

        Example:
            >>> with client.queue.watch() as changes:
            ...     for event in changes:
            ...         if event.type == "queue_item_status_changed":
            ...             print(event["item_id"], event["status"])
        """
        return EventStream(
            self._engine,
            lambda mailbox: self._tracker.stream_queue(self.queue_id, mailbox, only_changes=True),
            self._tracker.losses,
        )

    @on_engine
    async def wait_until_idle(self, timeout: float | None = 300.0, poll_interval: float = 5.0) -> bool:  # noqa: ASYNC109
        """Wait until the queue has no pending and no running items, whoever submitted them.

        The wait uses events from the socket, and polling as a fallback. Other queues are not considered, although the
        server has one processor for all queues.

        Args:
            timeout: seconds; 0 checks once, None waits without a limit.
            poll_interval: seconds without an event after which the server is polled; more than 0.

        Returns:
            Whether the queue is idle; False after a timeout.

        Raises:
            SettingsError: the interval is not above 0.
            TransportError: the server was unreachable at the end of the timeout. Until then, requests are retried.
            RequestTimeout: the server did not respond at the end of the timeout.
            ServerError: the server responded with an internal error at the end of the timeout.
        """
        checked_seconds("poll_interval", poll_interval)
        await self._tracker.listener.subscribe(self.queue_id)
        return await until_counts(
            self._http,
            self._tracker.listener.router,
            self.queue_id,
            nothing_at_all,
            pause=lambda: poll_interval,
            seconds=timeout,
        )

    async def _item_ids(self) -> Sequence[int]:
        return await all_ids(self._http, self.queue_id)

    async def _summaries(self, item_ids: Sequence[int]) -> Sequence[QueueItemSummary]:
        return await summaries_of(self._http, self.queue_id, item_ids)

    async def _whole_items(self, statuses: Collection[str]) -> list[QueueItemRecord]:
        counts = (await self._http.send(queue.get_queue_status(self.queue_id))).queue
        recent = await recent_items(self._http, self.queue_id, counts, ended=0)
        ids = [summary.item_id for summary in recent if summary.status in statuses]
        # The status may have changed since the ids were listed.
        items = [item for item in await records_of(self._http, self.queue_id, ids) if item.status in statuses]
        return sorted(items, key=lambda item: (-item.priority, item.item_id))


class AsyncQueues(FixedAttributes):
    """The server's queues: `client.queue_repo`, awaited `client.aio.queue_repo`."""

    def __init__(self, make_queue: Callable[[str], AsyncQueue]) -> None:
        self._make_queue = make_queue
        self._queues: dict[str, AsyncQueue] = {}

    def list_queues(self) -> list[str]:
        """Return the ids of the queues that every server has. The server creates any other queue on first use."""
        return ["default"]

    def get_queue(self, queue_id: str = "default") -> AsyncQueue:
        """Return the queue with an id."""
        # One object for each id, as it caches priorities. `setdefault` makes this safe for concurrent threads.
        return self._queues.get(queue_id) or self._queues.setdefault(queue_id, self._make_queue(queue_id))
