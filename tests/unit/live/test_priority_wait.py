"""When a submission of some priority may be sent."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.support.queue_server import QueueServer, refused, status
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client import errors
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.priority_wait import PriorityWait
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun


class Turns:
    """Turns in the default queue of a server."""

    def __init__(self) -> None:
        self.server = QueueServer()
        self.router = Router(followed=lambda run: None, bulk_change=lambda event: None, needs_requests=lambda: None)
        self.is_connected = True

    def of(self, priority: Priority, queue_id: str = "default") -> PriorityWait:
        return PriorityWait(self.server, self.router, lambda: self.is_connected, priority, queue_id)

    def urgent(self, queue_id: str = "default") -> TrackedRun:
        return self.router.follow(RunState("urgent", queue_id, None), is_urgent=True)


@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.URGENT])
@in_virtual_time
async def test_it_is_at_once_the_turn_of_most(priority: Priority) -> None:
    turns = Turns()
    turns.server.add("others")
    turns.urgent()
    await turns.of(priority).wait()
    assert turns.server.requests == []


@pytest.mark.parametrize(("is_connected", "longest"), [(True, 5.0), (False, 2.0)])
@in_virtual_time
async def test_what_is_low_waits_until_nothing_is_pending(is_connected: bool, longest: float) -> None:
    turns = Turns()
    turns.is_connected = is_connected
    items = turns.server.add("others", 2)
    turns.server.finish(items[0], status="in_progress")
    asyncio.get_running_loop().call_later(101, turns.server.finish, items[1])
    began = now()
    priority_wait = turns.of(Priority.LOW)
    await priority_wait.wait()
    assert 101 <= now() - began <= 101 + longest
    assert 101 / longest <= len(turns.server.requests) <= 101 / longest + 2
    assert priority_wait.waits_for == "1 items are pending in the queue 'default'"


@in_virtual_time
async def test_what_is_low_waits_while_the_server_is_away_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    turns = Turns()
    turns.server.next("status", *[refused] * 50)
    priority_wait = turns.of(Priority.LOW)
    began = now()
    await priority_wait.wait()
    assert 60 < now() - began < 120
    assert "cannot be requested" in priority_wait.waits_for
    # At most one line a minute.
    assert caplog.text.count("a submission of low priority is held back") == 2


@in_virtual_time
async def test_a_server_that_refuses_to_tell_ends_the_wait() -> None:
    turns = Turns()
    turns.server.next("status", status(401))
    with pytest.raises(errors.AuthenticationError):
        await turns.of(Priority.LOW).wait()


@in_virtual_time
async def test_what_is_high_waits_for_what_is_urgent_in_its_queue() -> None:
    turns = Turns()
    urgent = turns.urgent()
    priority_wait = turns.of(Priority.HIGH)
    await turns.of(Priority.HIGH, "another").wait()
    waiting = asyncio.create_task(priority_wait.wait())
    await asyncio.sleep(100)
    assert not waiting.done()
    assert "1 urgent batches" in priority_wait.waits_for
    turns.router.forget(urgent)
    began = now()
    urgent.changed([])
    await waiting
    assert now() == began
    assert urgent.wakers == ()


@pytest.mark.parametrize("priority", [Priority.LOW, Priority.HIGH])
@in_virtual_time
async def test_a_wait_that_is_not_wanted_any_more_ends(priority: Priority) -> None:
    turns = Turns()
    turns.server.add("others")
    turns.urgent()
    began = now()
    await turns.of(priority).wait(unless=lambda: now() >= began + 30)
    assert 30 <= now() - began <= 36
