"""Runs and their events from a real socket to the threads and loops that read them, on a scripted server."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator

import pytest
from tests.faults.proxy import FaultProxy
from tests.support.scripted_server import WORKFLOW, ScriptedServer, invocation, status, whole_story

from invokeai_py_client import InvokeAIClient, Run, WorkflowDefinition
from invokeai_py_client.errors import ClientClosedError, NotSubmittedError
from invokeai_py_client.live.connection_changes import ConnectionChange
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


def test_a_gap_is_reported_and_then_filled(stage: Stage, proxy: FaultProxy, client: InvokeAIClient) -> None:
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


def test_streams_end_with_the_client(stage: Stage, client: InvokeAIClient) -> None:
    run = submit(client)
    with run.stream() as of_run, client.stream_queue_events() as of_queue:
        client.close()
        for stream in (of_run, of_queue):
            with pytest.raises(ClientClosedError):
                deque(stream, 0)


async def complete(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    server.finish(item_id)
    await server.play_all(whole_story(item_id, batch_id))


async def never(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    pass


def test_two_runs_on_one_item_have_events_of_their_own() -> None:
    """The second one begins when the first is far ahead."""

    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        await server.play_all(whole_story(item_id, batch_id)[:4])

    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        first = submit(client)
        with first.stream() as events:
            seen = [event for _, event in zip(range(4), events, strict=False)]
            told = [(event.type, event.get("overall_percentage"), event.get("step")) for event in seen]
            second = client.run(first.item_id)
            server.finish(1)
            server.do(server.play_all(whole_story(1, first.batch_id)[4:]))
            assert [first.wait(30).status, second.wait(30).status] == ["completed", "completed"]
            assert [(event.type, event.get("overall_percentage"), event.get("step")) for event in seen] == told
        stories = [[event for event in run.events if event.type == "generator_progress"] for run in (first, second)]
        assert not {*map(id, stories[0])} & {*map(id, stories[1])}
        percentages = [event["overall_percentage"] for event in stories[0]]
        assert percentages == sorted(percentages)


def test_a_handle_is_searched_for_a_session_while_it_submits(eager_switches: None) -> None:
    with ScriptedServer(never) as server, InvokeAIClient.from_url(server.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
        wf.submit_sync()
        faults: list[Exception] = []
        submitted = threading.Event()

        def search() -> None:
            while not submitted.is_set():
                try:
                    wf.stream_events("no such session")
                except NotSubmittedError:
                    continue
                except Exception as error:
                    faults.append(error)
                    return

        searcher = threading.Thread(target=search)
        searcher.start()
        try:
            runs = [wf.submit_sync() for _ in range(100)]
        finally:
            submitted.set()
            searcher.join(10)
        assert faults == []
        assert len(runs) == 100


async def test_of_many_submissions_a_few_are_sent_at_once() -> None:
    with ScriptedServer(complete) as server, InvokeAIClient.from_url(server.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
        runs = await asyncio.gather(*(wf.submit() for _ in range(50)))
        ends = await asyncio.gather(*(run.aio.wait(30) for run in runs))
        assert {end.status for end in ends} == {"completed"}
        assert sorted(run.item_id for run in runs) == [*range(1, 51)]
        assert server.most_enqueuing == 2
