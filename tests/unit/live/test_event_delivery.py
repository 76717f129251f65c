"""From the socket to streams, watches and connection handlers, on a scripted server behind a proxy."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.faults.proxy import FaultProxy
from tests.support.live import tracked
from tests.support.scripted_server import WORKFLOW, ScriptedServer, invocation, status, whole_story

from invokeai_py_client import InvokeAIClient, Run, WorkflowDefinition
from invokeai_py_client.errors import ClientClosedError, SettingsError, TransportError
from invokeai_py_client.live.connection import ConnectionChange
from invokeai_py_client.wire.events import Event, InvocationComplete, Reconnected


class Stage:
    """A scripted server whose items stop after their first events until the test lets them go on."""

    def __init__(self) -> None:
        self.curtain = threading.Event()
        self.server = ScriptedServer(self._play)

    async def _play(self, server: ScriptedServer, item_id: int, batch_id: str) -> None:
        history = whole_story(item_id, batch_id)
        await server.play_all(history[:2])
        await asyncio.to_thread(self.curtain.wait, 30)
        server.finish(item_id)
        await server.play_all(history[2:])


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    with stage.server:
        yield stage
        stage.curtain.set()


@pytest.fixture
def proxy(stage: Stage) -> Iterator[FaultProxy]:
    with FaultProxy(stage.server.url) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(proxy.url) as client:
        yield client


class Changes:
    """What a connection handler was told."""

    def __init__(self, client: InvokeAIClient) -> None:
        self._changed = threading.Condition()
        self.all: list[ConnectionChange] = []
        client.on_connection(self._tell)

    def _tell(self, change: ConnectionChange) -> None:
        with self._changed:
            self.all.append(change)
            self._changed.notify_all()

    def wait_for(self, *states: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: tuple(change.state for change in self.all) == states, 30), self.all


def submit(client: InvokeAIClient, runs: int = 1) -> Run:
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW)).submit_sync(runs=runs)


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_stream_that_begins_late_tells_the_same(stage: Stage, client: InvokeAIClient) -> None:
    stage.curtain.set()
    run = submit(client)
    with run.stream() as early:
        run.wait(30)
        assert types([*early]) == types([*run.stream()]) == types([*run.events])


def test_a_stream_of_one_session_ends_with_its_item(stage: Stage, client: InvokeAIClient) -> None:
    run = submit(client, runs=2)
    first, second = run.item_ids
    with run.stream() as events:
        seen = {next(events)["item_id"] for _ in range(4)}
    assert seen == {first, second}
    with run.stream(session_id=f"s-{first}") as events:
        stage.curtain.set()
        history = [*events]
    assert {event["item_id"] for event in history} == {first}
    assert history[-1].type == "session_complete"


def test_a_run_that_has_ended_can_be_streamed_when_the_server_is_gone(
    stage: Stage, proxy: FaultProxy, client: InvokeAIClient
) -> None:
    stage.curtain.set()
    run = submit(client)
    run.wait(30)
    proxy.down()
    assert types([*run.stream()])[-1] == "session_complete"
    assert run.wait(1).status == "completed"


def test_a_gap_is_told_and_then_filled(stage: Stage, proxy: FaultProxy, client: InvokeAIClient) -> None:
    changes = Changes(client)
    run = submit(client)
    with run.stream() as events:
        assert [next(events).type for _ in range(2)] == ["queue_item_status_changed", "invocation_started"]
        proxy.next("/ws/", "503", 1)
        proxy.reset_websockets()
        changes.wait_for("connected", "disconnected")
        item_id, batch_id = run.item_id, run.batch_id
        # While nobody listens.
        stage.server.do(stage.server.play_all([invocation("invocation_progress", item_id, batch_id, percentage=0.5)]))
        changes.wait_for("connected", "disconnected", "reconnected")
        back = next(events)
        assert isinstance(back, Reconnected)
        stage.server.finish(item_id)
        stage.server.do(stage.server.play_all([status(item_id, batch_id, "completed", 2)]))
        rest = [*events]
    assert types(rest) == ["invocation_complete", "queue_item_status_changed", "session_complete"]
    assert isinstance(rest[0], InvocationComplete)
    assert rest[0].recovered
    lost, again = changes.all[1:]
    assert lost.reason
    assert again.resynced == 1
    assert again.seconds is not None
    assert again.seconds > 0
    assert client.stats().reconnects == 1


def test_a_gap_after_the_end_of_all_known_items_is_not_told(
    stage: Stage, proxy: FaultProxy, client: InvokeAIClient
) -> None:
    changes = Changes(client)
    response = threading.Event()
    stage.server.before_response = lambda: asyncio.to_thread(response.wait, 30)
    stage.curtain.set()
    with ThreadPoolExecutor(1) as pool, client.stream_queue_events() as events:
        submission = pool.submit(submit, client)
        # The item ends before the response names it.
        assert any(event.get("status") == "completed" for event in events)
        proxy.reset_websockets()
        changes.wait_for("connected", "disconnected", "reconnected")
        response.set()
        run = submission.result(30)
    run.wait(30)
    assert types([*run.events])[-1] == "session_complete"


def test_a_queue_is_streamed_whoever_submits(stage: Stage, client: InvokeAIClient) -> None:
    stage.curtain.set()
    with (
        client.stream_queue_events() as events,
        client.queue.watch() as changes,
        InvokeAIClient.from_url(stage.server.url) as other,
    ):
        run = submit(other)
        run.wait(30)
        # It has no `session_complete`, which is told of a run.
        seen = [next(events) for _ in range(len(run.events) - 1)]
        assert types(seen) == types([*run.events])[:-1]
        assert [next(changes)["status"] for _ in range(2)] == ["in_progress", "completed"]


def test_who_streams_a_queue_is_told_of_a_gap(stage: Stage, proxy: FaultProxy, client: InvokeAIClient) -> None:
    with client.stream_queue_events() as events:
        proxy.reset_websockets()
        back = next(events)
    assert isinstance(back, Reconnected)
    assert back.seconds > 0


def test_streams_end_with_the_client(stage: Stage, client: InvokeAIClient) -> None:
    run = submit(client)
    with run.stream() as of_run, client.stream_queue_events() as of_queue:
        client.close()
        for stream in (of_run, of_queue):
            with pytest.raises(ClientClosedError):
                deque(stream, 0)


def test_a_queue_cannot_be_streamed_without_a_socket(stage: Stage) -> None:
    with (
        InvokeAIClient.from_url(stage.server.url, transport="polling") as client,
        pytest.raises(SettingsError, match="polling"),
    ):
        next(client.stream_queue_events())
    with (
        InvokeAIClient.from_url("http://127.0.0.1:9", retries=0) as client,
        pytest.raises(TransportError),
    ):
        next(client.stream_queue_events())


async def test_a_stream_that_is_left_costs_nothing_more(stage: Stage, client: InvokeAIClient) -> None:
    wf = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
    run = await wf.submit()
    for _ in range(3):
        async for _ in run.stream():
            break
    stage.curtain.set()
    await run.wait(30)
    assert tracked(run).watchers == []
