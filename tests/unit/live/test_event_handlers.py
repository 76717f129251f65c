"""Handlers of a handle's events: who calls them, with what, and what is left of them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.live import GRAPH, dispatch, messages
from tests.support.scripted_server import WORKFLOW, ScriptedServer, whole_story
from tests.support.tracking import Room, settle
from tests.support.virtual_time import in_virtual_time

from invokeai_py_client import ConnectionChange, InvokeAIClient, Run, WorkflowDefinition, WorkflowHandle
from invokeai_py_client.errors import SettingsError
from invokeai_py_client.live.event_handlers import EventHandlers, event_types
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.wire.events import Event

STORY = [
    "queue_item_status_changed",
    "invocation_started",
    *["generator_progress"] * 5,
    "invocation_complete",
    "queue_item_status_changed",
    "session_complete",
]


class Stage:
    """A scripted server whose items run when the test says so, and a handle of its workflow."""

    def __init__(self) -> None:
        self.curtain = threading.Event()
        self.curtain.set()
        self.server = ScriptedServer(self._play)

    async def _play(self, server: ScriptedServer, item_id: int, batch_id: str) -> None:
        await asyncio.to_thread(self.curtain.wait, 30)
        server.finish(item_id)
        await server.play_all(whole_story(item_id, batch_id))

    def handle(self, client: InvokeAIClient) -> WorkflowHandle:
        return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    with stage.server:
        yield stage


@pytest.fixture
def client(stage: Stage) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(stage.server.url) as client:
        yield client


WAITS: dict[str, Callable[[WorkflowHandle, Run], object]] = {
    "run.wait": lambda wf, run: run.wait(30),
    "run.wait with a callback": lambda wf, run: run.wait(30, progress_callback=lambda item: None),
    "run.result": lambda wf, run: run.result(30),
    "wf.wait_for_completion_sync": lambda wf, run: wf.wait_for_completion_sync(timeout=30),
    "await run.aio.wait": lambda wf, run: asyncio.run(run.aio.wait(30)),
    "await run.aio.result": lambda wf, run: asyncio.run(run.aio.result(30)),
    "await wf.wait_for_completion": lambda wf, run: asyncio.run(wf.wait_for_completion(timeout=30)),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_every_wait_calls_the_handler_with_the_whole_story(
    stage: Stage, client: InvokeAIClient, wait: Callable[[WorkflowHandle, Run], object]
) -> None:
    wf = stage.handle(client)
    seen: list[str] = []
    threads: set[int] = set()

    def handler(event: Event) -> None:
        threads.add(threading.get_ident())
        seen.append(event.type)

    wf.on_event(handler)
    for count in (1, 2):
        wait(wf, wf.submit_sync())
        assert seen == STORY * count
    assert threads == {threading.get_ident()}


def test_an_async_handler_is_awaited_by_a_blocking_wait(stage: Stage, client: InvokeAIClient) -> None:
    wf = stage.handle(client)
    seen: list[str] = []

    async def handler(event: Event) -> None:
        await asyncio.sleep(0)
        seen.append(event.type)

    wf.on_event(handler)
    wf.submit_sync().result(30)
    assert seen == STORY


async def test_a_handler_of_a_loop_has_seen_all_when_a_wait_of_the_run_returns(
    stage: Stage, client: InvokeAIClient
) -> None:
    wf = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
    seen: list[str] = []

    async def handler(event: Event) -> None:
        await asyncio.sleep(0.001)
        seen.append(event.type)

    wf.on_event(handler)
    await (await wf.submit()).result(30)
    assert seen == STORY


def test_a_handler_that_is_registered_during_a_wait_is_called_by_it(stage: Stage, client: InvokeAIClient) -> None:
    wf = stage.handle(client)
    stage.curtain.clear()
    run = wf.submit_sync()
    seen: list[str] = []
    waiting = threading.Thread(target=run.wait, args=(30,))
    waiting.start()
    wf.on_event(lambda event: seen.append(event.type))
    stage.curtain.set()
    waiting.join(30)
    assert seen == STORY


def test_waits_of_two_threads_call_a_handler_one_event_at_a_time(stage: Stage, client: InvokeAIClient) -> None:
    wf = stage.handle(client)
    stage.curtain.clear()
    busy = threading.Lock()
    seen: list[str] = []

    def handler(event: Event) -> None:
        assert busy.acquire(blocking=False)
        time.sleep(0.001)
        seen.append(event.type)
        busy.release()

    wf.on_event(handler)
    threads = [threading.Thread(target=wf.submit_sync().wait, args=(30,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    stage.curtain.set()
    for thread in threads:
        thread.join(30)
    assert sorted(seen) == sorted(STORY * 4)


def test_a_handler_may_wait_for_its_run_itself(stage: Stage, client: InvokeAIClient) -> None:
    wf = stage.handle(client)
    seen: list[str] = []

    def handler(event: Event) -> None:
        run.wait(30)
        seen.append(event.type)

    wf.on_event(handler)
    run = wf.submit_sync()
    run.wait(30)
    assert seen == STORY


@contextmanager
def held(server: ScriptedServer) -> Iterator[threading.Event]:
    """Hold back the response to a submission until the event is set; its items run meanwhile."""
    release = threading.Event()
    server.before_response = lambda: asyncio.to_thread(release.wait, 30)
    try:
        yield release
    finally:
        release.set()


def test_a_handler_that_is_registered_while_a_submission_is_answered_sees_that_run(
    stage: Stage, client: InvokeAIClient
) -> None:
    wf = stage.handle(client)
    before: list[str] = []
    during: list[str] = []
    started = threading.Event()

    def handler(event: Event) -> None:
        before.append(event.type)

    wf.on_event(handler)
    with held(stage.server) as release:
        runs: list[Run] = []
        submitting = threading.Thread(target=lambda: runs.append(wf.submit_sync()))
        submitting.start()
        while not stage.server.items:
            started.wait(0.005)
        wf.on_event(lambda event: during.append(event.type))
        release.set()
        submitting.join(30)
    runs[0].wait(30)
    assert before == during == STORY


def test_a_handler_is_notified_of_later_runs_but_not_of_the_latest_but_one(
    stage: Stage, client: InvokeAIClient
) -> None:
    wf = stage.handle(client)
    wf.submit_sync().wait(30)
    latest = wf.submit_sync()
    latest.wait(30)
    seen: list[int] = []
    wf.on_event(lambda event: seen.append(event["item_id"]))
    later = wf.submit_sync()
    later.wait(30)
    assert seen == [latest.item_id] * len(STORY) + [later.item_id] * len(STORY)


def test_a_batch_that_is_submitted_twice_is_reported_once(stage: Stage, client: InvokeAIClient) -> None:
    wf = stage.handle(client)
    seen: list[str] = []
    wf.on_event(lambda event: seen.append(event.type))
    stage.curtain.clear()
    first = wf.submit_sync(batch_id="mine")
    again = wf.submit_sync(batch_id="mine")
    stage.curtain.set()
    first.wait(30)
    again.wait(30)
    assert first.item_ids == again.item_ids
    assert seen == STORY


def test_a_handler_that_is_stopped_is_called_no_more(stage: Stage, client: InvokeAIClient) -> None:
    wf = stage.handle(client)
    seen: list[str] = []
    stop = wf.on_event(lambda event: seen.append(event.type))
    wf.submit_sync().wait(30)
    stop()
    stop()
    wf.submit_sync().wait(30)
    assert seen == STORY


async def test_a_handler_that_stops_itself_on_a_loop_is_called_no_more(stage: Stage, client: InvokeAIClient) -> None:
    wf = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
    seen: list[str] = []

    def handler(event: Event) -> None:
        seen.append(event.type)
        stop()

    stop = wf.on_event(handler)
    await (await wf.submit()).wait(30)
    await asyncio.sleep(0)
    assert seen == STORY[:1]


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ("generator_progress", {"generator_progress"}),
        ("invocation_progress", {"generator_progress"}),
        (["session_complete", "invocation_complete"], {"session_complete", "invocation_complete"}),
    ],
)
def test_a_handler_sees_the_types_that_it_asks_for(
    stage: Stage, client: InvokeAIClient, types: Any, wanted: set[str]
) -> None:
    wf = stage.handle(client)
    seen: list[str] = []
    wf.on_event(lambda event: seen.append(event.type), types=types)
    wf.submit_sync().wait(30)
    assert seen == [name for name in STORY if name in wanted]


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"foo"}, r"Unknown event type 'foo'.*invocation_complete"),
        ("generator_progres", r"Did you mean 'generator_progress'\?"),
        (["session_complete", "batch_enqueued"], "Unknown event type 'batch_enqueued'"),
        ([3], "Unknown event type 3"),
        ((), "is empty, so the handler"),
    ],
)
def test_types_that_no_run_has_are_refused(stage: Stage, client: InvokeAIClient, types: Any, message: str) -> None:
    wf = stage.handle(client)
    with pytest.raises(SettingsError, match=message) as caught:
        wf.on_event(print, types=types)
    assert caught.value.setting == "types"


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        (None, None),
        ("invocation_progress", {"generator_progress"}),
        (("generator_progress", "invocation_progress"), {"generator_progress"}),
        ((name for name in ["session_complete", "reconnected"]), {"session_complete", "reconnected"}),
    ],
)
def test_types_are_one_name_or_several_or_all(types: Any, wanted: set[str] | None) -> None:
    assert event_types(types) == wanted


@pytest.mark.parametrize(
    ("types", "hint"),
    [
        ("session_complet", "Did you mean 'session_complete'? A run has the events generator_progress, "),
        ("nonsense", "A run has the events generator_progress, "),
        (3 * [3], "A run has the events generator_progress, "),
        ([], "Omit it for all events, or pass some of generator_progress, "),
    ],
)
def test_a_refusal_lists_the_types_that_there_are(types: Any, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        event_types(types)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)
    assert caught.value.setting == "types"


# One handle's handlers, without a server.


class Handle:
    """The handlers of a handle, whose submissions the test makes."""

    def __init__(self) -> None:
        self.room = Room()
        self.handlers = EventHandlers(self.room.engine, self.room.tracker)
        self._ids = iter(range(1, 100))

    def follow(self) -> TrackedRun:
        item_id = next(self._ids)
        run = self.room.listener.router.follow(RunState(f"b{item_id}", "default", GRAPH))
        run.state.enqueued([item_id])
        return run

    def submit(self) -> TrackedRun:
        with self.handlers.submission() as on_followed:
            run = self.follow()
            on_followed(run)
        return run

    def play(self, run: TrackedRun) -> None:
        (item_id,) = run.state.items
        for name, payload in messages(item_id, run.state.batch_id):
            dispatch(self.room.listener.router, name, payload)


def test_handlers_are_truthy_while_there_is_one() -> None:
    handlers = Handle().handlers
    assert not handlers
    stops = [handlers.add(print, None) for _ in range(2)]
    for stop in stops:
        assert handlers
        stop()
    assert not handlers


def test_a_handler_without_a_loop_is_called_by_who_drains() -> None:
    handle, seen = Handle(), list[str]()
    handle.handlers.add(lambda event: seen.append(event.type), ["invocation_complete", "session_complete"])
    handle.play(handle.submit())
    assert seen == []
    handle.handlers.drain()
    assert seen == ["invocation_complete", "session_complete"]
    handle.handlers.drain()
    assert len(seen) == 2


def test_a_new_handler_is_notified_of_the_latest_run_and_of_those_being_submitted() -> None:
    handle, seen = Handle(), list[int]()
    handle.play(handle.submit())
    handle.play(handle.submit())
    with handle.handlers.submission() as on_followed, handle.handlers.submission() as other_followed:
        one, two = handle.follow(), handle.follow()
        on_followed(one)
        other_followed(two)
        handle.handlers.add(lambda event: seen.append(event["item_id"]), "session_complete")
    for run in (one, two, handle.submit()):
        handle.play(run)
    handle.handlers.drain()
    assert sorted(seen) == [2, 3, 4, 5]


def test_a_submission_that_fails_leaves_the_latest_run_as_it_was() -> None:
    handle, seen = Handle(), list[int]()
    handle.play(handle.submit())
    submission = handle.handlers.submission()
    submission.__enter__()(handle.follow())
    assert submission.__exit__(ZeroDivisionError, ZeroDivisionError(), None) is not True
    with handle.handlers.submission():
        pass
    handle.handlers.add(lambda event: seen.append(event["item_id"]), "session_complete")
    handle.handlers.drain()
    assert seen == [1]


def test_a_run_that_is_followed_again_is_reported_once() -> None:
    handle, seen = Handle(), list[str]()
    handle.handlers.add(lambda event: seen.append(event.type), "session_complete")
    run = handle.submit()
    with handle.handlers.submission() as on_followed:
        on_followed(run)
        handle.handlers.add(lambda event: seen.append(event.type), "session_complete")
    handle.play(run)
    handle.handlers.drain()
    assert seen == ["session_complete"] * 2


def test_a_handler_that_is_stopped_is_not_called_with_what_waits() -> None:
    handle, seen, others = Handle(), list[str](), list[str]()
    stop = handle.handlers.add(lambda event: seen.append(event.type), None)
    handle.handlers.add(lambda event: others.append(event.type), "session_complete")
    handle.play(handle.submit())
    stop()
    stop()
    handle.handlers.drain()
    assert (seen, others) == ([], ["session_complete"])


def test_what_a_slow_handler_does_not_see_is_counted_for_the_client() -> None:
    handle = Handle()
    handle.handlers.add(print, "generator_progress")
    run = handle.submit()
    (_, started), *_ = messages(1, run.state.batch_id)[1:2]
    for _ in range(1000):
        dispatch(handle.room.listener.router, "invocation_progress", {**started, "percentage": None, "message": ""})
    assert handle.room.tracker.losses.coalesced > 0


@in_virtual_time
async def test_a_handler_of_a_loop_is_called_by_itself_and_can_be_waited_for() -> None:
    handle, seen = Handle(), list[str]()

    async def handler(event: Event) -> None:
        await asyncio.sleep(1)
        seen.append(event.type)

    handle.handlers.add(handler, "session_complete")
    handle.play(handle.submit())
    assert seen == []
    await settle()
    await handle.handlers.caught_up()
    assert seen == ["session_complete"]


def test_a_handler_that_no_loop_calls_is_adopted_by_one() -> None:
    handle, seen = Handle(), list[str]()
    handle.handlers.add(lambda event: seen.append(event.type), "session_complete")
    handle.play(handle.submit())

    async def main() -> None:
        handle.handlers.adopt()
        await settle()

    asyncio.run(main())
    assert seen == ["session_complete"]


def test_a_dropped_handle_leaves_no_task(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def follow(client: InvokeAIClient) -> list[str]:
        wf = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
        seen: list[str] = []

        async def handler(event: Event) -> None:
            seen.append(event.type)

        wf.on_event(handler)
        await (await wf.submit()).wait(30)
        return seen

    async def main() -> None:
        async with InvokeAIClient.from_url(stage.server.url) as client:
            assert await follow(client) == STORY
            gc.collect()
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    gc.collect()
    assert "Task was destroyed" not in caplog.text


def handler_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "invokeai-handler"}


@pytest.mark.parametrize("opens", [False, True])
def test_the_threads_of_connection_handlers_end_with_the_client(stage: Stage, opens: bool) -> None:
    states: list[str] = []
    told = threading.Event()

    def listen(change: ConnectionChange) -> None:
        states.append(change.state)
        told.set()

    others = handler_threads()
    with InvokeAIClient.from_url(stage.server.url) as client:
        client.on_connection(listen)
        client.on_connection(lambda change: None)
        threads = handler_threads() - others
        assert len(threads) == 2
        if opens:
            stage.handle(client).submit_sync().wait(30)
            assert told.wait(30)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert states == (["connected"] if opens else [])
    client.on_connection(print)
    for thread in handler_threads() - others:
        thread.join(10)
        assert not thread.is_alive()
