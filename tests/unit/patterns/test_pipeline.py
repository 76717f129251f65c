from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.unit.patterns.conftest import Script, fail, stay

from invokeai_py_client import (
    AsyncWorkflowHandle,
    AsyncWorkflowPipeline,
    InvokeAIClient,
    WorkflowDefinition,
    WorkflowHandle,
    WorkflowPipeline,
    errors,
)


def set_a(wf: WorkflowHandle | AsyncWorkflowHandle, value: Any) -> None:
    wf.inputs["A"].value = value


def set_ten(wf: WorkflowHandle | AsyncWorkflowHandle, output: Any) -> None:
    """The workflow makes no images, so there is no output to use."""
    assert output == []
    wf.inputs["A"].value = 10


@pytest.fixture
def pipeline(client: InvokeAIClient, definition: WorkflowDefinition) -> WorkflowPipeline:
    return WorkflowPipeline(client).add_stage(definition, set_a).add_stage(definition, set_ten)


def test_stages_run_one_after_another(script: Script, pipeline: WorkflowPipeline) -> None:
    assert pipeline.execute(3) == []
    assert script.values() == [3, 10]


async def test_awaited_they_do_the_same(script: Script, client: InvokeAIClient, definition: WorkflowDefinition) -> None:
    async def set_later(wf: AsyncWorkflowHandle, output: Any) -> None:
        await asyncio.sleep(0)
        set_ten(wf, output)

    pipeline = AsyncWorkflowPipeline(client.aio).add_stage(definition, set_a).add_stage(definition, set_later)
    assert await pipeline.execute(3) == []
    assert script.values() == [3, 10]


async def test_the_awaited_face_has_the_same_stages(script: Script, pipeline: WorkflowPipeline) -> None:
    results = await pipeline.aio.execute_many([4, 5], concurrency=1)
    assert [result.output for result in results] == [[], []]
    assert script.values() == [4, 10, 5, 10]
    assert repr(pipeline.aio) == "<AsyncWorkflowPipeline ['add', 'add']>"


def test_an_error_names_stage_and_input(script: Script, pipeline: WorkflowPipeline) -> None:
    script.endings = [fail("OutOfMemoryError", "CUDA out of memory")]
    with pytest.raises(
        errors.PipelineError, match=r"Stage 1 of 2 \('add'\) failed for the input 3: Item 1 .*"
    ) as caught:
        pipeline.execute(3)
    error = caught.value
    assert (error.stage, error.stage_name, error.initial_input) == (1, "add", 3)
    assert isinstance(error.__cause__, errors.RunFailed)
    assert (error.is_transient, error.batch_id) == (True, error.__cause__.batch_id)
    assert pickle.loads(pickle.dumps(error)).stage == 1


def test_so_does_the_error_of_a_mapper(script: Script, client: InvokeAIClient, definition: WorkflowDefinition) -> None:
    pipeline = WorkflowPipeline(client).add_stage(definition, set_a)
    pipeline.add_stage(definition, lambda wf, made: set_a(wf, made[0]["image_names"][0]))
    with pytest.raises(errors.PipelineError, match=r"Stage 2 of 2 .* for the input 3: IndexError") as caught:
        pipeline.execute(3)
    assert (caught.value.is_transient, caught.value.batch_id) == (False, None)


def test_a_long_input_is_shortened_in_the_message(pipeline: WorkflowPipeline) -> None:
    with pytest.raises(errors.PipelineError) as caught:
        pipeline.execute("x" * 10_000)
    assert len(str(caught.value)) < 500


def test_an_async_mapper_is_for_the_awaited_pipeline(client: InvokeAIClient, definition: WorkflowDefinition) -> None:
    async def mapper(wf: WorkflowHandle, value: Any) -> None: ...

    with pytest.raises(errors.PipelineError, match=r"Use it in a pipeline's `\.aio`"):
        WorkflowPipeline(client).add_stage(definition, mapper).execute(3)


def test_a_stage_that_takes_too_long_is_canceled(script: Script, pipeline: WorkflowPipeline) -> None:
    script.endings = [stay]
    with pytest.raises(errors.PipelineError) as caught:
        pipeline.execute(3, timeout=0.2)
    assert isinstance(caught.value.__cause__, errors.RunTimeout)
    assert str(caught.value).endswith(caught.value.__cause__.hint)
    assert caught.value.__cause__.hint == "The run was canceled. Pass a longer timeout."
    assert "wait for it again" not in str(caught.value)
    assert script.statuses() == ["canceled"]


async def test_a_cancelled_task_cancels_its_runs(script: Script, pipeline: WorkflowPipeline) -> None:
    script.endings = [stay, stay]
    task = asyncio.create_task(pipeline.aio.execute_many([1, 2, 3], concurrency=2))
    for _ in range(2):
        assert await asyncio.to_thread(script.enqueued.acquire, timeout=20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert script.statuses() == ["canceled", "canceled"]


@pytest.mark.parametrize("is_awaited", [False, True])
def test_one_failure_does_not_stop_the_others(script: Script, pipeline: WorkflowPipeline, is_awaited: bool) -> None:
    inputs = [1, "no number", 3]
    results = asyncio.run(pipeline.aio.execute_many(inputs)) if is_awaited else pipeline.execute_many(inputs)
    assert [result.initial_input for result in results] == inputs
    assert [result.output for result in results] == [[], None, []]
    assert isinstance(results[1].error, errors.PipelineError)
    assert results[0].error is results[2].error is None
    assert sorted(script.values()) == [1, 3, 10, 10]


def test_stages_overlap(client: InvokeAIClient, definition: WorkflowDefinition) -> None:
    """The second stage of one input begins while the first stage of another has not ended."""
    second_stage = threading.Event()

    def first(wf: WorkflowHandle, value: int) -> None:
        set_a(wf, value)
        if value == 2:
            assert second_stage.wait(20)

    def second(wf: WorkflowHandle, output: Any) -> None:
        second_stage.set()

    pipeline = WorkflowPipeline(client).add_stage(definition, first).add_stage(definition, second)
    assert [result.error for result in pipeline.execute_many([1, 2], concurrency=2)] == [None, None]


def test_no_more_inputs_are_read_than_are_about_to_begin(
    script: Script, client: InvokeAIClient, definition: WorkflowDefinition
) -> None:
    read: list[int] = []
    ahead: list[int] = []

    def inputs() -> Iterator[int]:
        for number in range(5):
            read.append(number)
            yield number

    def mapper(wf: WorkflowHandle, value: int) -> None:
        ahead.append(len(read) - value)

    results = WorkflowPipeline(client).add_stage(definition, mapper).execute_many(inputs(), concurrency=1)
    assert len(results) == 5
    assert ahead == [1] * 5


@pytest.mark.parametrize("is_awaited", [False, True])
def test_what_reading_the_inputs_raises_is_raised(pipeline: WorkflowPipeline, is_awaited: bool) -> None:
    def inputs() -> Iterator[int]:
        yield 1
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"):
        _ = asyncio.run(pipeline.aio.execute_many(inputs())) if is_awaited else pipeline.execute_many(inputs())


def test_an_interrupted_call_cancels_its_runs_and_begins_no_more(
    script: Script, pipeline: WorkflowPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.endings = [stay] * 10

    def interrupted(futures: list[Any]) -> Iterator[Any]:
        for _ in range(2):
            assert script.enqueued.acquire(timeout=20)
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("invokeai_py_client.patterns.pipeline.as_completed", interrupted)
    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        pool.submit(pipeline.execute_many, range(10), 2).result(20)
    assert script.statuses() == ["canceled", "canceled"]


def test_wrong_arguments_are_refused(client: InvokeAIClient, definition: WorkflowDefinition) -> None:
    pipeline = WorkflowPipeline(client)
    with pytest.raises(errors.SettingsError, match="has no stages"):
        pipeline.execute(1)
    with pytest.raises(errors.SettingsError, match="has no stages"):
        pipeline.execute_many([1])
    wrong: Any = "tiger.json"
    with pytest.raises(TypeError, match="must be a WorkflowDefinition, not str"):
        pipeline.add_stage(wrong, set_a)
    with pytest.raises(TypeError, match="must be a function, not str"):
        pipeline.add_stage(definition, wrong)
    pipeline.add_stage(definition, set_a)
    for concurrency in (0, True, 1.5):
        with pytest.raises(errors.SettingsError, match="concurrency"):
            pipeline.execute_many([1], concurrency)  # type: ignore[arg-type]
