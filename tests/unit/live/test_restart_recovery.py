"""What a restarted server canceled is run again exactly once, whatever happens to the responses."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.support.queue_server import Fault, QueueServer, answered, dropped, lost, refused, status
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client import errors
from invokeai_py_client.live.restart_recovery import resubmit_lost
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.wire.records.queue import QueueItemSummary


def router() -> Router:
    return Router(followed=lambda run: None, bulk_change=lambda event: None, needs_requests=lambda: None)


def restarted(server: QueueServer, router: Router, count: int = 2) -> TrackedRun:
    """A run whose items a restarted server has canceled."""
    item_ids = server.add("mine", count)
    run = router.follow(RunState("mine", "default", {"nodes": {}}, resubmits=True))
    run.state.enqueued(item_ids)
    run.state.server_was_away()
    for item_id in item_ids:
        server.finish(item_id, status="canceled")
        canceled = QueueItemSummary(item_id=item_id, status="canceled", batch_id="mine", started_at="2026")
        router.apply(run, run.state.apply_snapshot(canceled))
    assert run.state.lost_items() == item_ids
    return run


async def in_rounds(server: QueueServer, router: Router, run: TrackedRun) -> None:
    """As the reconciler does it: a round that fails is tried again."""
    for _ in range(20):
        try:
            await resubmit_lost(server, router, run)
        except errors.InvokeAIError:
            await asyncio.sleep(2)
        else:
            return
    raise AssertionError("it was never resubmitted")


@pytest.mark.parametrize(
    "fault",
    [
        refused,
        dropped,
        lost,
        status(429),
        status(500, applied=True),
        status(503, late=2.5),
        status(429, late=2.5),
        status(409, applied=True),
        status(409, late=2.5),
        status(422, applied=True, content=b"<html>no</html>"),
        answered(b"<html>", content_type="text/html"),
        answered(b""),
    ],
)
@in_virtual_time
async def test_each_lost_item_is_run_again_once(fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server, events = QueueServer(), router()
    run = restarted(server, events)
    server.next("retry_items_by_id", fault)
    await in_rounds(server, events, run)
    await asyncio.sleep(60)
    assert server.ids_of("mine") == [1, 2, 3, 4]
    assert [*run.state.items] == [3, 4]
    assert run.state.lost_items() == []
    assert "item 1, which a restarted server canceled, is run again as 3" in caplog.text


@in_virtual_time
async def test_an_item_that_the_server_refuses_to_run_again_stays_canceled(caplog: pytest.LogCaptureFixture) -> None:
    server, events = QueueServer(), router()
    run = restarted(server, events)
    server.next("retry_items_by_id", status(422))
    began = now()
    await resubmit_lost(server, events, run)
    assert now() == began
    assert run.state.view().status == "canceled"
    assert "items [1, 2] cannot be run again" in caplog.text
    assert server.ids_of("mine") == [1, 2]
