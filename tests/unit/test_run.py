"""A run as user threads see it, without a server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from tests.support.live import GRAPH, apply, item_event, messages, node_payload, status_payload
from tests.support.tracking import Room
from tests.support.virtual_time import in_virtual_time

from invokeai_py_client import errors
from invokeai_py_client.blocking.generated.run import Run
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.run import AsyncRun, poll_pauses
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport.http import HttpTransport


def run_of(engine: Engine, live: TrackedRun) -> Run:
    """A run whose state is read only: nothing is sent or followed."""

    def images_of(item: QueueItem) -> list[Any]:
        return [output.invocation_id for output in item.outputs]

    return Run(AsyncRun(engine, cast(HttpTransport, None), cast(RunTracker, Tracker()), live, images_of))


class Tracker:
    """Watches nothing: what happens to the run is up to the test."""

    @contextlib.asynccontextmanager
    async def watching(
        self, live: TrackedRun, wake: Callable[[], None], *, seconds: float | None, pauses: tuple[float, ...]
    ) -> AsyncIterator[None]:
        with live.waking(wake):
            yield


def test_threads_read_a_run_while_the_engine_changes_it(engine: Engine, eager_switches: None) -> None:
    live = TrackedRun(RunState("b", "default", GRAPH))
    run = run_of(engine, live)
    faults: list[BaseException] = []
    written = threading.Event()

    def read() -> None:
        progress = 0.0
        try:
            while not written.is_set():
                item = run.item
                assert item.progress_percentage >= progress
                progress = item.progress_percentage
                assert (item.status == "completed") == (progress == 100)
                assert len(item.outputs) == len([*item.outputs])
                assert run.status in {"pending", "in_progress", "completed"}
                assert 0 <= run.progress <= 100
                ids = run.item_ids
                assert [*ids] == sorted(ids)
                assert len(run.session_ids) <= run.enqueued
                assert len(run.images) <= run.enqueued
                assert "batch_id" in run
                assert [event.type for event in run.events if event.type == "unknown"] == []
                _ = run.started_at, repr(run), run["status"]
        except BaseException as error:
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        # Events make the items: the server's response has not come.
        for item_id in range(1, 301):
            for message in messages(item_id):
                live.changed(apply(live.state, item_event(*message)))
        live.state.enqueued([])
    finally:
        written.set()
        for reader in readers:
            reader.join(30)
    assert faults == []
    assert (run.status, run.progress, run.enqueued, len(run.images)) == ("completed", 100, 300, 300)


def test_what_a_run_shows(engine: Engine) -> None:
    live = TrackedRun(RunState("b", "default", GRAPH))
    run = run_of(engine, live)
    live.state.enqueued([2, 1])
    assert (run.batch_id, run.queue_id, run.item_id, run.item_ids, run.enqueued) == ("b", "default", 1, (1, 2), 2)
    assert (run.status, run.progress, run.started_at, run.session_ids) == ("pending", 0, None, ())
    apply(live.state, item_event("queue_item_status_changed", status_payload("in_progress", 1, started_at="t")))
    apply(live.state, item_event("invocation_progress", node_payload(1, percentage=0.5, message="")))
    assert (run.status, run.progress, run.started_at) == ("in_progress", 25, "t")
    assert (run.session_id, run.session_ids) == ("s-1", ("s-1",))
    assert (run["status"], run["item_ids"], run["progress_percentage"]) == ("in_progress", (1, 2), 25)
    assert repr(run) == "<Run b items=[1, 2] in_progress>"
    with pytest.raises(errors.NotSubmittedError, match="'s-9'"):
        run.stream("s-9")
    with pytest.raises(KeyError):
        run["nothing"]


def test_the_sentence_of_a_failure_ends_with_one_period(engine: Engine) -> None:
    live = TrackedRun(RunState("b", "default", GRAPH))
    for name, payload in (
        (
            "invocation_error",
            node_payload(1, error_type="OSError", error_message="The disk is full.", error_traceback=""),
        ),
        ("queue_item_status_changed", status_payload("failed", 1)),
    ):
        live.changed(apply(live.state, item_event(name, payload)))
    live.state.enqueued([1])
    with pytest.raises(errors.RunFailed, match=r"\(add\): OSError: The disk is full\. The server's"):
        run_of(engine, live).result(1)


def test_a_run_that_is_still_being_submitted_has_no_item_id(engine: Engine) -> None:
    run = run_of(engine, TrackedRun(RunState("b", "default", GRAPH)))
    assert (run.item_ids, run.status) == ((), "pending")
    with pytest.raises(errors.NotSubmittedError, match="batch b"):
        _ = run.item_id


async def test_a_run_that_cannot_be_followed_says_why(engine: Engine) -> None:
    live = TrackedRun(RunState("b", "default", GRAPH))
    run = run_of(engine, live)
    with pytest.raises(errors.RunTimeout):
        run.wait(0)
    live.fail(errors.AuthenticationError("who are you", status=401, method="GET", url="http://x"))
    with pytest.raises(errors.AuthenticationError):
        run.wait()
    with pytest.raises(errors.AuthenticationError):
        await run.aio.wait(progress_callback=print)


@in_virtual_time
async def test_a_request_that_timed_out_is_not_taken_for_the_timeout_of_the_wait() -> None:
    room = Room()
    live = await room.attach(1)
    run = AsyncRun(room.engine, cast(HttpTransport, room.queue), room.tracker, live, lambda item: [])
    live.fail(errors.RequestTimeout("slow", url="u", method="PUT", timeout=1.0))
    for timeout in (None, 60.0):
        with pytest.raises(errors.RequestTimeout):
            await run.wait(timeout)


def test_poll_intervals() -> None:
    assert poll_pauses(0.5) == (0.5,)
    assert poll_pauses(lambda attempt: 2.0**attempt if attempt < 9 else 9)[:4] == (1, 2, 4, 8)
    assert poll_pauses(lambda attempt: 10.0**attempt) == (1, 10, 100, 1000, 10_000), "it is not called on and on"
    for bad in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            poll_pauses(bad)


async def test_an_awaited_wait_tells_its_progress(engine: Engine) -> None:
    live = TrackedRun(RunState("b", "default", GRAPH))
    run = run_of(engine, live).aio
    live.state.enqueued([1])
    seen: list[tuple[str, threading.Thread]] = []
    sent = iter(messages(1))

    async def callback(item: QueueItem) -> None:
        seen.append((item.status, threading.current_thread()))
        if (message := next(sent, None)) is not None:
            live.changed(apply(live.state, item_event(*message)))

    end = await run.wait(30, progress_callback=callback)
    assert (end.status, seen[0][0], seen[-1][0]) == ("completed", "pending", "completed")
    assert {thread for _, thread in seen} == {threading.current_thread()}
    assert live.wakers == ()


async def test_an_awaited_wait_asks_for_progress_again_at_each_interval(engine: Engine) -> None:
    live = TrackedRun(RunState("b", "default", GRAPH))
    run = run_of(engine, live).aio
    live.state.enqueued([1])
    seen: list[str] = []
    with pytest.raises(errors.RunTimeout):
        await run.wait(0.2, poll_interval=0.01, progress_callback=lambda item: seen.append(item.status))
    assert 3 < len(seen) <= 21
    assert live.wakers == ()


def test_a_blocking_wait_takes_no_async_callback(engine: Engine) -> None:
    async def callback(item: QueueItem) -> None:
        raise AssertionError(item)

    with pytest.raises(TypeError, match="async"):
        run_of(engine, TrackedRun(RunState("b", "default", GRAPH))).wait(progress_callback=callback)
