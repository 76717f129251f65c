from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from tests.documents import node
from tests.support.scripted_server import WORKFLOW
from tests.unit.patterns.conftest import Script, complete, fail, stay

from invokeai_py_client import (
    AsyncWorkflowHandle,
    InvokeAIClient,
    QueueItem,
    WorkflowDefinition,
    WorkflowHandle,
    errors,
    execute_with_recovery,
    execute_with_recovery_async,
    execute_with_retry,
    execute_with_retry_async,
)

OUT_OF_MEMORY = fail("OutOfMemoryError", "CUDA out of memory")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which take no time."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr("invokeai_py_client.patterns.retry.asyncio", SimpleNamespace(sleep=sleep))
    return pauses


def test_what_can_succeed_is_tried_again(script: Script, wf: WorkflowHandle, pauses: list[float]) -> None:
    script.endings = [OUT_OF_MEMORY, OUT_OF_MEMORY]
    seen: list[QueueItem] = []
    item = execute_with_retry(wf, progress_callback=seen.append)
    assert (item.status, item.item_id) == ("completed", 3)
    assert pauses == [1.0, 2.0]
    assert {one.item_id for one in seen} == {1, 2, 3}


async def test_awaited_it_does_the_same(script: Script, wf: WorkflowHandle, pauses: list[float]) -> None:
    script.endings = [OUT_OF_MEMORY, OUT_OF_MEMORY]
    item = await execute_with_retry_async(wf.aio, backoff=3.0)
    assert (item.status, item.item_id) == ("completed", 3)
    assert pauses == [1.0, 3.0]


def test_the_last_attempt_raises_and_says_so(script: Script, wf: WorkflowHandle, pauses: list[float]) -> None:
    script.endings = [OUT_OF_MEMORY] * 5
    with pytest.raises(errors.RunFailed, match="out of memory") as caught:
        execute_with_retry(wf, max_retries=2)
    assert caught.value.__notes__ == ["This was attempt 2 of 2."]
    assert len(script.server.items) == 2


def test_a_node_that_would_fail_again_is_not_tried_again(
    script: Script, wf: WorkflowHandle, pauses: list[float]
) -> None:
    script.endings = [fail("ValueError", "the image is too small")]
    with pytest.raises(errors.RunFailed, match="too small"):
        execute_with_retry(wf)
    assert (len(script.server.items), pauses) == (1, [])


def test_a_rejected_workflow_is_not_tried_again(script: Script, client: InvokeAIClient, pauses: list[float]) -> None:
    document = {**WORKFLOW, "nodes": [node("add", "add", "1.0.1", a=1, b="no number")]}
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
    with pytest.raises(errors.InputsNotReadyError):
        execute_with_retry(wf)
    with pytest.raises(errors.InputsNotReadyError):
        execute_with_recovery(wf, [{"a": 5}])
    assert (len(script.server.items), pauses) == (0, [])


@pytest.mark.parametrize("is_awaited", [False, True])
def test_a_run_that_takes_too_long_is_canceled_and_tried_again(
    script: Script, wf: WorkflowHandle, pauses: list[float], is_awaited: bool
) -> None:
    script.endings = [stay]
    if is_awaited:
        item = asyncio.run(execute_with_retry_async(wf.aio, timeout=0.2))
    else:
        item = execute_with_retry(wf, timeout=0.2)
    assert item.item_id == 2
    assert script.statuses() == ["canceled", "completed"]


async def test_a_cancelled_task_cancels_its_run(script: Script, wf: WorkflowHandle) -> None:
    script.endings = [stay]
    seen = asyncio.Event()
    task = asyncio.create_task(execute_with_retry_async(wf.aio, progress_callback=lambda _: seen.set()))
    await asyncio.wait_for(seen.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert script.statuses() == ["canceled"]


def test_an_exception_of_the_callback_cancels_the_run(script: Script, wf: WorkflowHandle) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    script.endings = [stay]
    with pytest.raises(KeyboardInterrupt):
        execute_with_retry(wf, progress_callback=interrupt)
    assert script.statuses() == ["canceled"]


async def test_a_batch_that_may_have_been_stored_is_not_sent_twice(
    script: Script, wf: WorkflowHandle, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = AsyncWorkflowHandle.submit

    async def lost(self: AsyncWorkflowHandle, **options: Any) -> Any:
        monkeypatch.setattr(AsyncWorkflowHandle, "submit", submit)
        run = await submit(self, **options)
        raise errors.EnqueueInDoubtError("The response was lost.", batch_id=run.batch_id, url=script.server.url)

    monkeypatch.setattr(AsyncWorkflowHandle, "submit", lost)
    item = await execute_with_retry_async(wf.aio, backoff=0)
    assert (item.status, item.item_id) == ("completed", 1)
    assert len(script.server.items) == 1


def test_a_pause_is_as_long_as_the_server_asks_for(
    script: Script, wf: WorkflowHandle, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = errors.ServerError("busy", status=503, method="POST", url="", retry_after=17.0)
    submit = type(wf).submit_sync
    outcomes = [busy]

    def failing(self: WorkflowHandle, **options: Any) -> Any:
        if outcomes:
            raise outcomes.pop()
        return submit(self, **options)

    monkeypatch.setattr(type(wf), "submit_sync", failing)
    assert execute_with_retry(wf).status == "completed"
    assert pauses == [17.0]


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"max_retries": 0}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"max_retries": True}, "max_retries"),
        ({"backoff": -1}, "backoff"),
        ({"backoff": float("nan")}, "backoff"),
        ({"backoff": "2"}, "backoff"),
    ],
)
def test_a_wrong_number_is_refused_before_anything_is_sent(
    script: Script, wf: WorkflowHandle, options: dict[str, Any], setting: str
) -> None:
    with pytest.raises(errors.SettingsError, match=setting):
        execute_with_retry(wf, **options)
    assert script.server.items == {}


@pytest.mark.parametrize("is_awaited", [False, True])
def test_recovery_tries_one_fallback_after_another(
    script: Script, wf: WorkflowHandle, pauses: list[float], is_awaited: bool
) -> None:
    script.endings = [fail("ValueError"), OUT_OF_MEMORY, complete]
    wf.inputs["A"].value = 1
    fallbacks = [{"A": 2}, {"A": 3}, {"A": 4}]
    if is_awaited:
        item = asyncio.run(execute_with_recovery_async(wf.aio, fallbacks))
    else:
        item = execute_with_recovery(wf, fallbacks)
    assert item.item_id == 3
    assert script.values() == [1, 2, 3]
    assert wf.inputs["A"].value == 3
    assert pauses == []


def test_recovery_after_a_timeout_cancels_the_item_that_it_gives_up_on(script: Script, wf: WorkflowHandle) -> None:
    script.endings = [stay]
    assert execute_with_recovery(wf, [{"A": 7}], timeout=0.2).item_id == 2
    assert script.statuses() == ["canceled", "completed"]
    assert script.values() == [1, 7]


@pytest.mark.parametrize("is_awaited", [False, True])
def test_the_last_timeout_says_that_the_run_was_canceled(script: Script, wf: WorkflowHandle, is_awaited: bool) -> None:
    script.endings = [stay]

    def run() -> None:
        if is_awaited:
            asyncio.run(execute_with_retry_async(wf.aio, 1, timeout=0.2))
        else:
            execute_with_retry(wf, 1, timeout=0.2)

    with pytest.raises(errors.RunTimeout, match=r"The run was canceled\. Pass a longer timeout"):
        run()


@pytest.mark.parametrize("fallbacks", [{"A": 7}, 7])
def test_fallbacks_that_are_not_a_list_are_refused(script: Script, wf: WorkflowHandle, fallbacks: Any) -> None:
    with pytest.raises(TypeError, match="fallbacks must be a list of mappings"):
        execute_with_recovery(wf, fallbacks)
    assert script.server.items == {}


def test_recovery_raises_when_no_fallback_is_left(script: Script, wf: WorkflowHandle) -> None:
    script.endings = [fail("ValueError", "first"), fail("ValueError", "second")]
    with pytest.raises(errors.RunFailed, match="second") as caught:
        execute_with_recovery(wf, [{"A": 7}])
    assert caught.value.__notes__ == ["All 1 fallbacks were tried; the last is {'A': 7}."]


@pytest.mark.parametrize(
    ("fallbacks", "kind"),
    [([{"A": 2}, {"Width": 512}], errors.InputNotFoundError), ([{"A": 2}, {"A": "wide"}], errors.InputValueError)],
)
def test_fallbacks_are_checked_before_anything_is_sent(
    script: Script, wf: WorkflowHandle, fallbacks: list[dict[str, Any]], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        execute_with_recovery(wf, fallbacks)
    assert script.server.items == {}
    assert wf.inputs["A"].value == 1
    assert not wf.inputs["A"].field.is_changed
