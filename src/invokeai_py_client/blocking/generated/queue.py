# Generated from repositories/queue/queue.py by scripts/generate_blocking.py. Do not edit.
"""`Queue`: the methods of `AsyncQueue`, blocking."""

from __future__ import annotations

from collections.abc import Sequence

from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.repositories.queue.order import QueuePosition
from invokeai_py_client.repositories.queue.queue import AsyncQueue
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.twins import Blocking, read_here
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


class Queue(Blocking[AsyncQueue]):
    """A queue of the server: `client.queue` is the default one, `client.queue_repo.get_queue(id)` any.

    `client.aio.queue` is awaited.

    Example:
        >>> client.queue.wait_until_idle(timeout=60)
        True
    """

    @property
    def queue_id(self) -> str:
        """The queue's id."""
        return self._aio.queue_id

    def get_status(self) -> QueueStatus:
        """How many items are in which state, and what the processor does.

        Endpoint: GET /api/v1/queue/{queue_id}/status

        Example:
            >>> client.queue.get_status().queue_pending_count
            3
        """
        return self._aio._engine.block(self._aio.get_status())

    def is_busy(self) -> bool:
        """Return whether an item waits or runs in the queue.

        Endpoint: GET /api/v1/queue/{queue_id}/status
        """
        return self._aio._engine.block(self._aio.is_busy())

    def list_items(self) -> Listing[QueueItemSummary]:
        """Every item the queue still knows, the newest first, without graphs and results; fetched as it is read.

        Endpoint: GET /api/v1/queue/{queue_id}/item_ids (InvokeAI 6.7 or later)
        Endpoint: POST /api/v1/queue/{queue_id}/item_summaries_by_ids (InvokeAI 6.14 or later; else what the server has)
        """
        return self._aio.list_items()

    def list_all(self, destination: str | None = None) -> list[QueueItemRecord]:
        """Every item the queue still knows, whole, with its session: by priority, then in the order of submission.

        `list_items` is lighter.

        Endpoint: GET /api/v1/queue/{queue_id}/list_all

        Args:
            destination: only the items that were submitted with it.
        """
        work = self._aio.list_all(destination)
        del destination
        return self._aio._engine.block(work)

    def list_running(self) -> list[QueueItemRecord]:
        """The items that run now, whole: by priority, then in the order of submission."""
        return self._aio._engine.block(self._aio.list_running())

    def list_pending(self) -> list[QueueItemRecord]:
        """The items that wait, whole, as they will run as far as priority goes: by priority, then in the order of
        submission. Where a server has several users, they take turns; `get_position` tells when an item's turn is.
        """
        return self._aio._engine.block(self._aio.list_pending())

    def get_current(self) -> QueueItemRecord | None:
        """The item that runs; None if none does.

        Endpoint: GET /api/v1/queue/{queue_id}/current
        """
        return self._aio._engine.block(self._aio.get_current())

    def get_next(self) -> QueueItemRecord | None:
        """The pending item of the queue that is begun next, as far as priorities go; None if none waits.

        The queue is seen alone: the server's processor serves all of its queues, and may begin one of another first,
        as it may where users take turns.

        Endpoint: GET /api/v1/queue/{queue_id}/next
        """
        return self._aio._engine.block(self._aio.get_next())

    def get_item(self, item_id: int) -> QueueItemRecord:
        """A queue item with its session, as the server has it now.

        Endpoint: GET /api/v1/queue/{queue_id}/i/{item_id}

        Raises:
            NotFoundError: the queue has no such item (any more).
        """
        work = self._aio.get_item(item_id)
        del item_id
        return self._aio._engine.block(work)

    def get_items_by_ids(self, item_ids: Sequence[int]) -> list[QueueItemRecord]:
        """Items with their sessions, in the order of their ids here; those that are gone are left out.

        Servers before 6.7 get one request for each item.

        Endpoint: POST /api/v1/queue/{queue_id}/items_by_ids
        """
        work = self._aio.get_items_by_ids(read_here(item_ids))
        del item_ids
        return self._aio._engine.block(work)

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        """How many of a batch's items are in which state; `total` is 0 for a batch that the queue does not know.

        Endpoint: GET /api/v1/queue/{queue_id}/b/{batch_id}/status
        """
        work = self._aio.get_batch_status(batch_id)
        del batch_id
        return self._aio._engine.block(work)

    def get_counts_by_destination(self, destination: str) -> DestinationCounts:
        """How many of the items with a destination are in which state.

        Endpoint: GET /api/v1/queue/{queue_id}/counts_by_destination
        """
        work = self._aio.get_counts_by_destination(destination)
        del destination
        return self._aio._engine.block(work)

    def get_position(self, item_id: int) -> QueuePosition:
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
        work = self._aio.get_position(item_id)
        del item_id
        return self._aio._engine.block(work)

    def cancel_item(self, item_id: int) -> QueueItemRecord:
        """Cancel an item; one that has ended stays as it is.

        The server cancels an item of a called workflow together with the item that called it.

        Endpoint: PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel

        Returns:
            The item as it is now.

        Raises:
            NotFoundError: the queue has no such item (any more).
        """
        work = self._aio.cancel_item(item_id)
        del item_id
        return self._aio._engine.block(work)

    def cancel_batch(self, batch_id: str) -> CancelResult:
        """Cancel what has not ended of a batch; `canceled` says how many items it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids
        """
        work = self._aio.cancel_batch(batch_id)
        del batch_id
        return self._aio._engine.block(work)

    def cancel_by_destination(self, destination: str) -> CancelResult:
        """Cancel what has not ended of the items with a destination; `canceled` says how many it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_destination
        """
        work = self._aio.cancel_by_destination(destination)
        del destination
        return self._aio._engine.block(work)

    def cancel_all_except_current(self) -> CancelResult:
        """Cancel every pending item; `canceled` says how many it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_all_except_current
        """
        return self._aio._engine.block(self._aio.cancel_all_except_current())

    def delete_item(self, item_id: int) -> int:
        """Cancel an item, and take it out of the queue's memory; return its id.

        Endpoint: DELETE /api/v1/queue/{queue_id}/i/{item_id} (InvokeAI 6.7 or later)
        """
        work = self._aio.delete_item(item_id)
        del item_id
        return self._aio._engine.block(work)

    def delete_by_destination(self, destination: str) -> DeletedItems:
        """Take every item with a destination out of the queue's memory; `deleted` says how many it were.

        Endpoint: DELETE /api/v1/queue/{queue_id}/d/{destination}
        """
        work = self._aio.delete_by_destination(destination)
        del destination
        return self._aio._engine.block(work)

    def delete_all_except_current(self) -> DeletedItems:
        """Take every pending item out of the queue; `deleted` says how many it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/delete_all_except_current
        """
        return self._aio._engine.block(self._aio.delete_all_except_current())

    def retry(self, item_ids: int | Sequence[int]) -> list[int]:
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
        work = self._aio.retry(read_here(item_ids))
        del item_ids
        return self._aio._engine.block(work)

    def clear(self) -> DeletedItems:
        """Cancel what runs and delete all items of the queue, of all clients; `deleted` is their number.

        Endpoint: PUT /api/v1/queue/{queue_id}/clear

        Example:
            >>> client.queue_repo.get_queue("my-experiments").clear().deleted
            3
        """
        return self._aio._engine.block(self._aio.clear())

    def prune(self) -> DeletedItems:
        """Take all items that have ended out of the queue's memory; `deleted` says how many it were.

        Endpoint: PUT /api/v1/queue/{queue_id}/prune
        """
        return self._aio._engine.block(self._aio.prune())

    def pause(self) -> ProcessorStatus:
        """Begin nothing new, in whatever queue: the server has one processor for all of them. What runs goes on.

        Endpoint: PUT /api/v1/queue/{queue_id}/processor/pause (administrators only)
        """
        return self._aio._engine.block(self._aio.pause())

    def resume(self) -> ProcessorStatus:
        """Begin items again, in every queue.

        Endpoint: PUT /api/v1/queue/{queue_id}/processor/resume (administrators only)
        """
        return self._aio._engine.block(self._aio.resume())

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
        return self._aio.watch()

    def wait_until_idle(self, timeout: float | None = 300.0, poll_interval: float = 5.0) -> bool:
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
        work = self._aio.wait_until_idle(timeout, poll_interval)
        del timeout, poll_interval
        return self._aio._engine.block(work)
