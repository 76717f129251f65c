"""A wait is driven by pushed events, and by the safety net where there are none."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import socketio
from tests.faults.proxy import FaultProxy

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.local import LocalServer
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call, Response


class Witness:
    """A socket of its own beside the client's: it notes when an item's completed event arrived."""

    def __init__(self, url: str) -> None:
        self._completed: dict[int, float] = {}
        self._told = threading.Condition()
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._sio = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self._sio.on("queue_item_status_changed", self._note)
        self._thread = threading.Thread(target=self._loop.run_forever)

    def _note(self, payload: dict[str, Any]) -> None:
        if payload["status"] == "completed":
            with self._told:
                self._completed[payload["item_id"]] = time.monotonic()
                self._told.notify()

    def completed_at(self, item_id: int) -> float:
        """When an item's event arrived; waits for it, should the client have been faster."""
        with self._told:
            assert self._told.wait_for(lambda: item_id in self._completed, timeout=10)
            return self._completed[item_id]

    async def _open(self) -> None:
        await self._sio.connect(self._url, socketio_path="ws/socket.io", transports=["websocket"])
        await self._sio.call("subscribe_queue", {"queue_id": "default"})

    def __enter__(self) -> Witness:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._sio.disconnect(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def test_a_wait_returns_within_50_ms_of_the_completed_event(
    server: LocalServer, client: InvokeAIClient, sleep: dict[str, Any]
) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.inputs["Steps"].value = 1
    wf.inputs["Seconds"].value = 0.0
    late: list[float] = []
    with Witness(server.url) as witness:
        for _ in range(20):
            run = wf.submit_sync()
            wf.wait_for_completion_sync(timeout=30, poll_interval=5.0)
            returned = time.monotonic()
            late.append(returned - witness.completed_at(run.item_id))
    print(f"\nwait returned {1000 * statistics.median(late):.1f} ms after the completed event (median of {len(late)})")
    assert statistics.median(late) < 0.050


def test_a_run_costs_one_request(
    client: InvokeAIClient, sleep: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    asked: list[str] = []
    fetch = HttpTransport.fetch

    async def noting(self: HttpTransport, call: Call[Any]) -> Response:
        asked.append(call.path)
        return await fetch(self, call)

    monkeypatch.setattr(HttpTransport, "fetch", noting)
    for callback in (None, lambda _: None):
        run = wf.submit_sync()
        result = wf.wait_for_completion_sync(timeout=30, progress_callback=callback)
        assert (result.status, run.session_id) == ("completed", result.session_id)
    assert asked == ["/api/v1/queue/default/enqueue_batch"] * 2


@pytest.fixture
def deaf(server: LocalServer) -> Iterator[InvokeAIClient]:
    """A client whose socket never opens: something on the way refuses every websocket."""
    with FaultProxy(server.url) as proxy:
        proxy.next("/ws/", "400", 10**6)
        with InvokeAIClient.from_url(proxy.url) as client:
            yield client


def test_without_a_socket_polling_carries_the_run(deaf: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = deaf.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    run = wf.submit_sync()
    result = wf.wait_for_completion_sync(timeout=30, poll_interval=0.1)
    assert deaf.stats().events == 0
    assert result.status == "completed"
    assert [output.result["value"] for output in result.outputs] == [4]
    assert run.session_id == result.session_id


def test_without_a_socket_a_failure_is_reported_with_its_node(deaf: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = deaf.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.inputs["Fail At"].value = 0
    wf.submit_sync()
    result = wf.wait_for_completion_sync(timeout=30, poll_interval=0.1, progress_callback=lambda _: None)
    assert (result.status, result.error) == ("failed", "RuntimeError: told to fail at step 0")
    assert (result.error_node_id, result.error_node_type) == ("sleep", "test_sleep")


def test_a_lost_socket_is_opened_again_and_nothing_is_missed(server: LocalServer, sleep: dict[str, Any]) -> None:
    with FaultProxy(server.url) as proxy, InvokeAIClient.from_url(proxy.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
        wf.inputs["Seconds"].value = 1.0
        run = wf.submit_sync()
        proxy.reset_websockets()
        result = run.wait(timeout=30, poll_interval=0.1)
        assert result.status == "completed"
        assert [output.result["value"] for output in result.outputs] == [4]
        again = wf.submit_sync()
        assert again.wait(timeout=30).status == "completed"
        assert proxy.websockets_opened >= 2


def test_items_that_are_deleted_end_their_wait(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    client._make_request("PUT", "/queue/default/processor/pause")
    try:
        run = wf.submit_sync()
        client._make_request("PUT", "/queue/default/clear")
        result = run.wait(timeout=30)
    finally:
        client._make_request("PUT", "/queue/default/processor/resume")
    assert result.status == "canceled"
    assert result.error is not None
    assert "no longer in the server's queue" in result.error


def test_a_bulk_cancel_ends_the_waits(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    client._make_request("PUT", "/queue/default/processor/pause")
    try:
        runs = [wf.submit_sync() for _ in range(3)]
        client._make_request("PUT", "/queue/default/cancel_all_except_current")
        assert [run.wait(timeout=30).status for run in runs] == ["canceled"] * 3
    finally:
        client._make_request("PUT", "/queue/default/processor/resume")
