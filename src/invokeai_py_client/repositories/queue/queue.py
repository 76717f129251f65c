"""`client.queue` and `client.queue_repo`: what waits, what runs, what has ended, and how to steer it."""

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
    """A queue of the server: `client.queue` is the default one, `client.queue_repo.get_queue(id)` any.

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
        """The queue's id."""
        return self._queue_id

    @on_engine
    async def get_status(self) -> QueueStatus:
        """How many items are in which state, and what the processor does.

        Endpoint: GET /api/v1/queue/{queue_id}/status

        Example:
            >>> client.queue.get_status().queue_pending_count
            3
        """
        return await self._http.send(queue.get_queue_status(self.queue_id))

    @on_engine
    async def is_busy(self) -> bool:
        """Return whether an item waits or runs in the queue.

        Endpoint: GET /api/v1/queue/{queue_id}/status
        """
        return not (await self.get_status()).is_idle

    # Items

    def list_items(self) -> Listing[QueueItemSummary]:
        """Every item the queue still knows, the newest first, without graphs and results; fetched as it is read.

        Endpoint: GET /api/v1/queue/{queue_id}/item_ids (InvokeAI 6.7 or later)
        Endpoint: POST /api/v1/queue/{queue_id}/item_summaries_by_ids (InvokeAI 6.14 or later; else what the server has)
        """
        return Listing(self._engine, self._item_ids, self._summaries, size=queue.MAX_IDS_PER_REQUEST)

    @on_engine
    async def list_all(self, destination: str | None = None) -> list[QueueItemRecord]:
        """Every item the queue still knows, whole, with its session: by priority, then in the order of submission.

        `list_items` is lighter.

        Endpoint: GET /api/v1/queue/{queue_id}/list_all

        Args:
            destination: only the items that were submitted with it.
        """
        return await self._http.send(queue.list_all_items(self.queue_id, destination=destination))

    @on_engine
    async def list_running(self) -> list[QueueItemRecord]:
        """The items that run now, whole: by priority, then in the order of submission."""
        return await self._whole_items(RUNNING)

    @on_engine
    async def list_pending(self) -> list[QueueItemRecord]:
        """The items that wait, whole, as they will run as far as priority goes: by priority, then in the order of
        submission. Where a server has several users, they take turns; `get_position` tells when an item's turn is.
        """
        return await self._whole_items(("pending",))

    @on_engine
    async def get_current(self) -> QueueItemRecord | None:
        """The item that runs; None if none does.

        Endpoint: GET /api/v1/queue/{queue_id}/current
        """
        return await self._http.send(queue.get_current_item(self.queue_id))

    @on_engine
    async def get_next(self) -> QueueItemRecord | None:
        """The pending item of the queue that is begun next, as far as priorities go; None if none waits.

        The queue is seen alone: the server's processor serves all of its queues, and may begin one of another first,
        as it may where users take turns.

        Endpoint: GET /api/v1/queue/{queue_id}/next
        """
        return await self._http.send(queue.get_next_item(self.queue_id))

    @on_engine
    async def get_item(self, item_id: int) -> QueueItemRecord:
        """A queue item with its session, as the server has it now.

        Endpoint: GET /api/v1/queue/{queue_id}/i/{item_id}

        Raises:
            NotFoundError: the queue has no such item (any more).
        """
        return await self._http.send(queue.get_queue_item(self.queue_id, item_id_of(item_id)))

    @on_engine
    async def get_items_by_ids(self, item_ids: Sequence[int]) -> list[QueueItemRecord]:
        """Items with their sessions, in the order of their ids here; those that are gone are left out.

        Servers before 6.7 get one request for each item.

        Endpoint: POST /api/v1/queue/{queue_id}/items_by_ids
        """
        return await records_of(self._http, self.queue_id, [item_id_of(item_id) for item_id in item_ids])

    @on_engine
    async def get_batch_status(self, batch_id: str) -> BatchStatus:
        """How many of a batch's items are in which state; `total` is 0 for a batch that the queue does not know.

        Endpoint: GET /api/v1/queue/{queue_id}/b/{batch_id}/status
        """
        return await self._http.send(queue.get_batch_status(self.queue_id, batch_id))

    @on_engine
    async def get_counts_by_destination(self, destination: str) -> DestinationCounts:
        """How many of the items with a destination are in which state.

        Endpoint: GET /api/v1/queue/{queue_id}/counts_by_destination
        """
        return await self._http.send(queue.get_counts_by_destination(self.queue_id, destination))

    @on_engine
    async def get_position(self, item_id: int) -> QueuePosition:
        """Where an item is in the queue, and in how many seconds it is expected to begin.

        The server has no route for it; it is worked out from the pending items, their priorities and how long items
        took lately. On a server with several users they take turns, unless it is set to first come, first served, which
        only administrators see. To who is none, the others' items show neither user nor priority: they count as those
        of one other user.

        The queue is seen alone: the server's one processor serves all of its queues, and what waits or runs in another
        one may come before.

        Raises:
            NotFoundError: the queue has no such item (any more).

        Example:
            >>> client.queue.get_position(run.item_id).ahead_count
            2
        """
        return await self._positions.of(item_id_of(item_id))

    # Steering

    @on_engine
    async def cancel_item(self, item_id: int) -> QueueItemRecord:
        """Cancel an item; one that has ended stays as it is.

        The server cancels an item of a called workflow together with the item that called it.

        Endpoint: PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel

        Returns:
            The item as it is now.

        Raises:
            NotFoundError: the queue has no such item (any more).
        """
        item_id = item_id_of(item_id)
        self._tracker.cancel_of_item_asked(item_id)
        item = await self._http.send(queue.cancel_queue_item(self.queue_id, item_id))
        if item.root_item_id is not None:
            # Without a socket the run may not know its children yet.
            self._tracker.cancel_of_item_asked(item.root_item_id)
        return item

    @on_engine
    async def cancel_batch(self, batch_id: str) -> CancelResult:
        """Cancel what has not ended of a batch; `canceled` says how many items it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids
        """
        live = self._tracker.listener.router.followed(self.queue_id, batch_id)
        with self._tracker.canceling([] if live is None else [live]):
            return await self._http.send(queue.cancel_batches(self.queue_id, [batch_id]))

    @on_engine
    async def cancel_by_destination(self, destination: str) -> CancelResult:
        """Cancel what has not ended of the items with a destination; `canceled` says how many it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_destination
        """
        with self._tracker.canceling(self._tracker.runs_of(self.queue_id, destination)):
            return await self._http.send(queue.cancel_by_destination(self.queue_id, destination))

    @on_engine
    async def cancel_all_except_current(self) -> CancelResult:
        """Cancel every pending item; `canceled` says how many it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_all_except_current
        """
        self._tracker.cancel_of_pending_asked(self.queue_id)
        return await self._http.send(queue.cancel_all_except_current(self.queue_id))

    @on_engine
    async def delete_item(self, item_id: int) -> int:
        """Cancel an item, and take it out of the queue's memory; return its id.

        Endpoint: DELETE /api/v1/queue/{queue_id}/i/{item_id} (InvokeAI 6.7 or later)
        """
        item_id = item_id_of(item_id)
        self._tracker.cancel_of_item_asked(item_id)
        await self._http.send(queue.delete_queue_item(self.queue_id, item_id))
        return item_id

    @on_engine
    async def delete_by_destination(self, destination: str) -> DeletedItems:
        """Take every item with a destination out of the queue's memory; `deleted` says how many it were.

        Endpoint: DELETE /api/v1/queue/{queue_id}/d/{destination}
        """
        with self._tracker.canceling(self._tracker.runs_of(self.queue_id, destination)):
            return await self._http.send(queue.delete_by_destination(self.queue_id, destination))

    @on_engine
    async def delete_all_except_current(self) -> DeletedItems:
        """Take every pending item out of the queue; `deleted` says how many it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/delete_all_except_current
        """
        self._tracker.cancel_of_pending_asked(self.queue_id)
        return await self._http.send(queue.delete_all_except_current(self.queue_id))

    @on_engine
    async def retry(self, item_ids: int | Sequence[int]) -> list[int]:
        """Run items anew that failed or were canceled, each as a new item of the same batch.

        The server does not tell the new items' ids, but each says in `retried_from_item_id` which one it stands for;
        `client.run(item_id)` follows one of them, and `client.run(batch_id=...)` their whole batch, in which the old
        items count as well: a run of it that has a failed item ends as failed, whatever became of its new one.

        Endpoint: PUT /api/v1/queue/{queue_id}/retry_items_by_id

        Returns:
            The ids, of those given, of the items that are run anew; what can not be is left out.

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
        """Cancel what runs and delete all items of the queue, of all clients; `deleted` is their number.

        Endpoint: PUT /api/v1/queue/{queue_id}/clear

        Example:
            >>> client.queue_repo.get_queue("my-experiments").clear().deleted
            3
        """
        with self._tracker.canceling(self._tracker.runs_of(self.queue_id)):
            return await self._http.send(queue.clear_queue(self.queue_id))

    @on_engine
    async def prune(self) -> DeletedItems:
        """Take all items that have ended out of the queue's memory; `deleted` says how many it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/prune
        """
        return await self._http.send(queue.prune_queue(self.queue_id))

    @on_engine
    async def pause(self) -> ProcessorStatus:
        """Begin nothing new, in whatever queue: the server has one processor for all of them. What runs goes on.

        Endpoint: PUT /api/v1/queue/{queue_id}/processor/pause (administrators only)
        """
        return await self._http.send(queue.pause_processor(self.queue_id))

    @on_engine
    async def resume(self) -> ProcessorStatus:
        """Begin items again, in every queue.

        Endpoint: PUT /api/v1/queue/{queue_id}/processor/resume (administrators only)
        """
        return await self._http.send(queue.resume_processor(self.queue_id))

    # Watching

    def watch(self) -> EventStream:
        """The changes of the queue, from when a `with` or `async with` of it is entered, else from the first event that
        is asked for; for `for` and for `async for`. It has no end.

        What comes, typed (`invokeai_py_client.wire.events`), by its `type`:

        - `queue_item_status_changed`: an item has begun, or has ended: `item_id`, `batch_id`, `status`. Items that are
          canceled or deleted in bulk have one each, with status `canceled`; the server does not tell their batches, so
          `batch_id` is "" unless this client follows them.
        - `batch_enqueued`: a batch has come, with `batch_id`, `enqueued` of `requested`, and `priority`.
        - `queue_items_retried`: the items `item_ids` are run anew, each as a new item, whose id is not told.
        - `queue_cleared`: every item is gone, or every item of the user `user_id`; nothing comes for each of them.
        - `queue_items_canceled`: only for another user's items that were canceled in bulk: it names none.
        - `reconnected`: the socket is back after `seconds`, and what happened then is not told.

        Other users' events have batch_id "redacted", unless one is an administrator. Nothing comes for what is pruned,
        nor for an item that is deleted after its end. Servers before 6.14 tell nothing of bulk cancels and deletes.

        Raises, when it is entered or with the first event that is asked for:
            SettingsError: the client was made with `transport="polling"`.
            InvokeAIError: the server cannot be reached, or refuses this client.

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
        """Wait until nothing waits and nothing runs in the queue, whose ever it is.

        Pushed events wake it; it asks the server once when they say that the queue may be idle. The server's other
        queues, which the same processor serves, are not looked at.

        Args:
            timeout: seconds; 0 to ask once, None to wait as long as it takes.
            poll_interval: seconds after which it asks although no event came; more than 0.

        Returns:
            Whether the queue is idle; False if the time was over first.

        Raises:
            SettingsError: the interval is not above 0.
            TransportError, RequestTimeout, ServerError: when the time was over, the server was away; until then its
                absence is waited out.
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
        # What has gone on meanwhile is left out.
        items = [item for item in await records_of(self._http, self.queue_id, ids) if item.status in statuses]
        return sorted(items, key=lambda item: (-item.priority, item.item_id))


class AsyncQueues(FixedAttributes):
    """The server's queues: `client.queue_repo`, awaited `client.aio.queue_repo`."""

    def __init__(self, make_queue: Callable[[str], AsyncQueue]) -> None:
        self._make_queue = make_queue
        self._queues: dict[str, AsyncQueue] = {}

    def list_queues(self) -> list[str]:
        """The ids of the queues that every server has: the server knows no list, and makes any queue that is named."""
        return ["default"]

    def get_queue(self, queue_id: str = "default") -> AsyncQueue:
        """A queue by its id."""
        # One for each id: it remembers priorities. Two threads may ask at once.
        return self._queues.get(queue_id) or self._queues.setdefault(queue_id, self._make_queue(queue_id))
