"""Runs items again that a restarted server has canceled, exactly once."""

from __future__ import annotations

import asyncio
import logging

from invokeai_py_client.errors import InvokeAIError, NotFoundError, RejectedError
from invokeai_py_client.live.enqueue import DEFAULT_TIMES
from invokeai_py_client.live.queue_reads import items_of_batch, records_of
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue

logger = logging.getLogger("invokeai_py_client.live")


async def resubmit_lost(http: Sender, router: Router, run: TrackedRun) -> None:
    """Have the server run the lost items of a run again, and follow the new items in their place.

    The server creates a new item in the same batch, whose record names the item that it replaces. New items are looked
    for first, because the response to an earlier attempt may have been lost.

    Raises:
        InvokeAIError: a request failed. The caller tries again in the next round.
    """
    state = run.state
    lost = state.lost_items()
    found = await _replacements(http, run)
    missing = [item_id for item_id in lost if item_id not in found]
    if missing:
        try:
            await http.send(queue.retry_items(state.queue_id, missing))
        except (NotFoundError, RejectedError) as error:
            if error.is_transient or error.may_have_been_applied:
                await _let_it_settle(error)
                raise
            logger.warning("items %s cannot be run again: %s", missing, error)
        except InvokeAIError as error:
            await _let_it_settle(error)
            raise
        found = await _replacements(http, run)
    for item_id in lost:
        if item_id in found:
            logger.info("item %d, which a restarted server canceled, is run again as %d", item_id, found[item_id])
            state.replaced(item_id, found[item_id])
        else:
            router.apply(run, state.given_up(item_id))


async def _let_it_settle(error: InvokeAIError) -> None:
    """Give the server time to store what it may still be storing, so that the next round finds it."""
    if error.may_have_been_applied:
        await asyncio.sleep(DEFAULT_TIMES.grace)


async def _replacements(http: Sender, run: TrackedRun) -> dict[int, int]:
    """Return the newest item that replaces each lost item, by the item from which it was retried.

    A retry of a retry names the first item.
    """
    state = run.state
    lost = state.lost_items()
    later = [item.item_id for item in await items_of_batch(http, state.queue_id, state.batch_id)]
    # Only full records name the item that they were retried from.
    items = await records_of(http, state.queue_id, [item_id for item_id in later if item_id >= min(lost)])
    first_of = {item.item_id: item.retried_from_item_id or item.item_id for item in items}
    found: dict[int, int] = {}
    for item_id in sorted(first_of):
        found[first_of[item_id]] = item_id
    return {
        item_id: found[first_of[item_id]]
        for item_id in lost
        if item_id in first_of and found[first_of[item_id]] > item_id
    }
