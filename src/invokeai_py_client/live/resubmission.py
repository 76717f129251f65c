"""Runs anew what a restarted server has canceled, exactly once."""

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

    The server makes a new item in the same batch, and says in it which one it replaces. It is looked for first: the
    answer to an earlier try may have been lost.

    Raises:
        InvokeAIError: as any request. It is tried again in the next round then.
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
            logger.warning("items %s cannot be run anew: %s", missing, error)
        except InvokeAIError as error:
            await _let_it_settle(error)
            raise
        found = await _replacements(http, run)
    for item_id in lost:
        if item_id in found:
            logger.info("item %d, which a restarted server canceled, is run anew as %d", item_id, found[item_id])
            state.replaced(item_id, found[item_id])
        else:
            router.apply(run, state.given_up(item_id))


async def _let_it_settle(error: InvokeAIError) -> None:
    """Give the server the time to store what it may still be storing: the next round looks for it first."""
    if error.may_have_been_applied:
        await asyncio.sleep(DEFAULT_TIMES.grace)


async def _replacements(http: Sender, run: TrackedRun) -> dict[int, int]:
    """The newest item that replaces each one, found by the item that it says it was retried from.

    A retry of a retry names the first of them all.
    """
    state = run.state
    lost = state.lost_items()
    later = [item.item_id for item in await items_of_batch(http, state.queue_id, state.batch_id)]
    # Only whole items tell what they were retried from.
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
