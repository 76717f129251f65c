"""What the server is asked about the items of called workflows, and what a wait for their run does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.support.live import GRAPH, FakeQueue, dispatch, messages, status_payload

from invokeai_py_client.live.reconciler import Reconciler
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.runtime.engine import Engine

RECORDS = "items_by_ids"
CHANGED = "queue_item_status_changed"


class Link:
    is_connected = True
    epoch = 1


class Room:
    """A run of item 1 that calls item 2, with all that follows it."""

    def __init__(self, engine: Engine, *, only: frozenset[int] | None = None, resubmits: bool = False) -> None:
        self.engine = engine
        self.queue = FakeQueue()
        self.link = Link()
        self.router = Router(
            followed=lambda run: self.reconciler.schedule(run),
            bulk_change=lambda event: None,
            needs_requests=lambda: self.reconciler.wake(),
        )
        self.reconciler = Reconciler(self.queue, engine, self.router, self.link)
        self.queue.put(1, status="in_progress")
        self.run: TrackedRun = self.router.follow(
            RunState("b", "default", GRAPH, has_gap=only is not None, only=only, resubmits=resubmits)
        )
        self.run.state.enqueued([1])
        dispatch(self.router, CHANGED, status_payload("in_progress", 1))

    def put_child(self, status: str, item_id: int = 2, parent_item_id: int = 1) -> None:
        self.queue.put(item_id, status=status, parent_item_id=parent_item_id)
        frame = {"source_call_node_id": "call", "prepared_call_node_id": f"call-{parent_item_id}"}
        self.queue.items[item_id].session["workflow_call_stack"] = [frame]

    def put_caller(self, status: str, *called: int) -> None:
        self.queue.put(1, status=status)
        self.queue.items[1].session["workflow_call_history"] = [{"child_item_ids": [*called]}]

    def children(self) -> list[tuple[int, int | None, str]]:
        return [(child.item_id, child.parent_item_id, child.status) for child in self.run.state.view().children]

    def play(self, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def played() -> None:
            self.reconciler.start()
            async with asyncio.timeout(10):
                await test()

        self.engine.block(played())


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110 - what is waited for sets no event
        await asyncio.sleep(0.001)


def test_a_new_child_is_asked_about_once(engine: Engine) -> None:
    room = Room(engine)

    async def test() -> None:
        room.put_child("pending")
        dispatch(room.router, CHANGED, status_payload("pending", 2))
        dispatch(room.router, CHANGED, status_payload("waiting", 1))
        await until(lambda: room.children() == [(2, 1, "pending")])
        for name, payload in [*messages(2), *messages(1)[1:]]:
            dispatch(room.router, name, payload)
        await until(lambda: room.run.is_over)

    room.play(test)
    assert room.queue.asked(RECORDS) == [(2,)]
    assert room.children() == [(2, 1, "completed")]
    assert not room.router.having(2)


def test_a_wait_ends_when_the_callers_are_known_although_no_more_event_comes(engine: Engine) -> None:
    room = Room(engine)

    async def test() -> None:
        waiter = asyncio.get_running_loop().create_future()
        room.run.waiters.add(waiter)
        dispatch(room.router, CHANGED, status_payload("pending", 2))
        for name, payload in [*messages(2), *messages(1)[1:]]:
            dispatch(room.router, name, payload)
        assert not room.run.is_over
        room.put_child("completed")
        await waiter

    room.play(test)
    assert room.children() == [(2, 1, "completed")]
    assert not room.router.is_followed(room.run)


def test_a_caller_and_all_below_it_are_asked_for_in_one_round(engine: Engine) -> None:
    room = Room(engine)

    async def test() -> None:
        room.link.is_connected = False
        room.run.state.missed()
        room.put_caller("completed", 2)
        room.put_child("completed")
        room.queue.items[2].session["workflow_call_history"] = [{"child_item_ids": [3]}]
        room.put_child("completed", 3, parent_item_id=2)
        await room.reconciler.bring_up_to_date(room.run)

    room.play(test)
    assert room.run.is_over
    assert room.queue.asked(RECORDS) == [(1,), (2,), (3,)]
    assert room.children() == [(2, 1, "completed"), (3, 2, "completed")]


def test_a_run_of_one_item_learns_its_children_and_gets_their_events(engine: Engine) -> None:
    room = Room(engine, only=frozenset({1}))
    seen: list[tuple[str, int]] = []
    room.run.watch(lambda events: seen.extend((event.type, event["item_id"]) for event in events))

    async def test() -> None:
        room.put_caller("waiting", 2)
        room.put_child("in_progress")
        # The child of another item of the batch.
        dispatch(room.router, CHANGED, status_payload("pending", 9))
        dispatch(room.router, CHANGED, status_payload("waiting", 1))
        await until(lambda: room.children() == [(2, 1, "in_progress")])
        for name, payload in messages(2)[2:]:
            dispatch(room.router, name, payload)

    room.play(test)
    assert ("invocation_complete", 2) in seen
    assert 9 not in {item_id for _, item_id in seen}
    assert not room.router.having(9)


def test_a_child_that_is_gone_keeps_no_wait(engine: Engine) -> None:
    room = Room(engine)

    async def test() -> None:
        dispatch(room.router, CHANGED, status_payload("pending", 2))
        for name, payload in [*messages(2), *messages(1)[1:]]:
            dispatch(room.router, name, payload)
        await until(lambda: room.run.is_over)

    room.play(test)
    assert room.children() == [(2, None, "completed")]


def test_an_item_that_a_restarted_server_canceled_is_run_again_without_its_children(engine: Engine) -> None:
    room = Room(engine, resubmits=True)

    async def test() -> None:
        room.put_child("in_progress")
        dispatch(room.router, CHANGED, status_payload("pending", 2))
        await until(lambda: room.children() == [(2, 1, "pending")])
        room.run.state.missed()
        room.run.state.server_was_away()
        room.queue.put(1, status="canceled", started_at="t")
        room.put_child("canceled")
        room.reconciler.check(room.run)
        await until(lambda: room.run.state.snapshot.facts.item_ids == (3,))
        assert room.children() == []
        room.queue.put(3, status="completed", retried_from_item_id=1)
        room.reconciler.check(room.run)
        await until(lambda: room.run.is_over)

    room.play(test)
    assert (room.run.state.view().item_id, room.run.state.view().status) == (3, "completed")
