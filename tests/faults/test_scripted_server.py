"""Events that no real server can be made to send: doubled, reordered, dropped, huge, by the ten thousand, unknown."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.faults.conftest import Told
from tests.faults.proxy import FaultProxy
from tests.support.scripted_server import WORKFLOW, Message, ScriptedServer, invocation, status, whole_story

from invokeai_py_client import InvokeAIClient, Run, WorkflowDefinition
from invokeai_py_client.errors import ProcessorStoppedError
from invokeai_py_client.live import reconciler
from invokeai_py_client.transport import socketio_connection
from invokeai_py_client.wire.events import Event, InvocationComplete

Script = Callable[[ScriptedServer, int, str], Awaitable[None]]


def submit(client: InvokeAIClient, count: int = 1) -> list[Run]:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
    return [wf.submit_sync() for _ in range(count)]


def check(runs: list[Run]) -> None:
    for run in runs:
        end = run.wait(60)
        assert end.status == "completed"
        assert len(end.outputs) == 1
        events = [event.type for event in run.stream()]
        assert events.count("session_complete") == 1
        assert events[-1] == "session_complete"


@pytest.mark.parametrize("seed", range(5))
def test_events_doubled_reordered_and_dropped(seed: int, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_py_client.live.reconciler.SILENCE", 0.5)
    choose = random.Random(seed)
    dropped = doubled = moved = 0

    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        nonlocal dropped, doubled, moved
        messages: list[Message] = []
        for message in whole_story(item_id, batch_id):
            match choose.choice(["drop", "double", "move", "keep", "keep"]):
                case "drop":
                    dropped += 1
                case "double":
                    doubled += 1
                    messages += [message, message]
                case "move":
                    moved += 1
                    messages.insert(choose.randint(0, len(messages)), message)
                case _:
                    messages.append(message)
        server.finish(item_id)
        await server.play_all(messages)

    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        check(submit(client, 20))
    told(f"events at random, seed {seed}", f"20 ended; {dropped} dropped, {doubled} doubled, {moved} moved")


def test_unknown_events_and_fields(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        server.finish(item_id)
        for name, payload in whole_story(item_id, batch_id):
            await server.emit("something_new", {"queue_id": "default", "whatever": [1]})
            await server.emit("invocation_started", {"queue_id": "default", "item_id": "?"})
            await server.emit(name, {**payload, "a_new_field": {"deep": [None]}})

    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        runs = submit(client, 3)
        check(runs)
        assert runs[0].events[0]["a_new_field"] == {"deep": [None]}
    assert len([r for r in caplog.records if "invocation_started" in r.getMessage()]) <= 1
    told("unknown events and fields", "3 ended")


def test_an_event_of_eight_megabytes(told: Told) -> None:
    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        server.finish(item_id)
        story = whole_story(item_id, batch_id)
        story[-2][1]["result"]["value"] = "x" * (8 * 1024 * 1024)
        await server.play_all(story)

    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        (run,) = submit(client)
        end = run.wait(60)
        assert len(end.outputs[0].result["value"]) == 8 * 1024 * 1024
        assert client.stats().reconnects == 0
    told("an event of 8 MB", "1 ended, the socket stayed")


FLOOD = 50_000


def flood(item_id: int, batch_id: str) -> Iterator[Message]:
    """A story with 50,000 progress events, and the end of a node after each thousand."""
    yield status(item_id, batch_id, "in_progress", 1)
    for n in range(FLOOD):
        yield invocation(
            "invocation_progress",
            item_id,
            batch_id,
            message=f"part {n}",
            percentage=n / FLOOD,
            image={"width": 64, "height": 64, "dataURL": "data:image/png;base64," + "A" * 2000},
        )
        if n % 1000 == 999:
            yield invocation("invocation_complete", item_id, batch_id, n, result={"type": "integer_output", "value": n})
    yield status(item_id, batch_id, "completed", 2)


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def test_a_slow_consumer_under_a_flood(told: Told) -> None:
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        server.finish(item_id)
        await server.play_all(flood(item_id, batch_id))
        loop.call_soon_threadsafe(began.set)

    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        wf = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
        run = await wf.submit()
        stream = wf.stream_events()
        slow: list[Event] = [await anext(stream)]
        before = resident_megabytes()
        await wf.wait_for_completion(timeout=120)
        grown = resident_megabytes() - before
        await began.wait()
        # One event a second would take 14 hours: what a consumer of that speed finds when it looks again is this.
        slow += [event async for event in stream]
        kinds = [event.type for event in slow]
        assert kinds.count("invocation_complete") == FLOOD // 1000
        assert kinds[-2:] == ["queue_item_status_changed", "session_complete"]
        lost = stream.coalesced + stream.dropped
        assert kinds.count("generator_progress") + lost == FLOOD
        assert kinds.count("generator_progress") <= 512
        assert lost == client.stats().coalesced + client.stats().dropped
        assert len(run.events) <= 1000 + FLOOD // 1000 + 3
        # 256 progress events in the mailbox, 1,000 without their pictures in the story, and what the sending server,
        # which is in this process too, has in its buffers.
        assert grown < 150, "a consumer's mailbox and a run's story are bounded"
        told(
            f"a slow consumer under {FLOOD:,} events",
            f"{kinds.count('invocation_complete')} of {FLOOD // 1000} node ends arrived, {lost:,} progress events "
            f"counted as lost, {grown:.0f} MB grown (bound: 150, the sender's buffers among them)",
        )


async def test_many_consumers_do_not_slow_one_another(told: Told) -> None:
    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        await asyncio.sleep(0.2)
        server.finish(item_id)
        await server.play_all(whole_story(item_id, batch_id))

    async def all_of(stream: Any) -> list[str]:
        return [event.type async for event in stream]

    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        wf = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
        run = await wf.submit()
        abandoned = run.stream()
        await anext(abandoned)
        stories = await asyncio.gather(*(all_of(run.stream()) for _ in range(50)))
        assert all(story == stories[0] for story in stories)
    told("50 consumers of one run, and one that reads no further", "50 equal stories")


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_outputs_without_an_event_are_reported_from_the_record(
    transport: Literal["websocket", "polling"], told: Told
) -> None:
    curtain, gone = threading.Event(), threading.Event()

    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        story = whole_story(item_id, batch_id)
        await server.play_all(story[:2])
        await asyncio.to_thread(curtain.wait, 30)
        server.finish(item_id)
        await server.play_all(story[2:])

    with (
        ScriptedServer(play) as server,
        FaultProxy(server.url) as proxy,
        InvokeAIClient.from_url(proxy.url, transport=transport) as client,
    ):
        client.on_connection(lambda change: gone.set() if change.state == "disconnected" else None)
        (run,) = submit(client)
        stream = run.stream()
        seen: list[Event] = []
        if transport == "websocket":
            seen += [next(stream), next(stream)]
            proxy.next("/ws/", "503", 10**6)
            proxy.reset_websockets()
            assert gone.wait(30)
        curtain.set()
        assert run.wait(30, poll_interval=0.05).status == "completed"
        seen += stream
    wanted = ["invocation_complete", "queue_item_status_changed", "session_complete"]
    assert [event.type for event in seen[-3:]] == wanted
    assert [event.type for event in seen].count("invocation_complete") == 1
    output = seen[-3]
    assert isinstance(output, InvocationComplete)
    assert (output.recovered, output.node_id, output.result["value"]) == (True, "add", 1)
    told(f"a node's end that no event told, {transport}", "told from the record, marked recovered")


def test_a_half_open_socket_is_found_by_ping(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setattr(socketio_connection, "PING_AFTER", 0.4)
    curtain, gone = threading.Event(), threading.Event()

    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        await asyncio.to_thread(curtain.wait, 30)
        server.finish(item_id)
        await server.play_all(whole_story(item_id, batch_id))

    with (
        ScriptedServer(play) as server,
        FaultProxy(server.url) as proxy,
        InvokeAIClient.from_url(proxy.url) as client,
    ):
        client.on_connection(lambda change: gone.set() if change.state == "disconnected" else None)
        (run,) = submit(client)
        time.sleep(1.0)
        assert not gone.is_set(), "a server that is merely silent answers the ping"
        proxy.freeze_websockets()
        began = time.monotonic()
        curtain.set()
        check([run])
        late = time.monotonic() - began
        # The handler is called on another thread, perhaps after the wait has ended.
        assert gone.wait(10)
        assert late < 5
    told("a half-open socket, pinged after 0.4 s", f"noticed, and the run ended {late:.1f} s late")


def test_a_wait_ends_when_the_processor_has_died(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setattr(reconciler, "SILENCE", 0.3)

    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        server.items[item_id]["status"] = "in_progress"
        await server.play_all(whole_story(item_id, batch_id)[:2])
        server.kill_processor(item_id)

    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        assert client.health_check().is_usable
        (run,) = submit(client)
        with pytest.raises(ProcessorStoppedError, match=r"item 1 of the queue 'default'.*Restart the server") as info:
            run.wait(30)
        assert info.value.item_id == run.item_id
        with pytest.raises(ProcessorStoppedError):
            [*run.stream()]
        with pytest.raises(ProcessorStoppedError):
            asyncio.run(run.aio.result(30))
        health = client.health_check()
        assert (health.is_reachable, health.is_usable) == (True, False)
        assert isinstance(health.error, ProcessorStoppedError)
    told("the server's processor has died", "told as an error that names the item")
