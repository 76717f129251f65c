"""Recipes on the real server: what is given up is canceled there, and images need not travel."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any

import pytest
from PIL import Image as Pillow
from tests.documents import node

from invokeai_py_client import (
    InvokeAIClient,
    WorkflowDefinition,
    WorkflowHandle,
    WorkflowPipeline,
    errors,
    execute_with_recovery,
    execute_with_retry,
)

CROP: dict[str, Any] = {
    "name": "crop",
    "meta": {"version": "3.0.0", "category": "user"},
    "exposedFields": [{"nodeId": "crop", "fieldName": name} for name in ("image", "width")],
    "nodes": [node("crop", "img_crop", "1.2.2", intermediate=False, image=None, x=0, y=0, width=32, height=32)],
    "edges": [],
}
"""A workflow that takes an image."""


def set_width(wf: WorkflowHandle, width: Any) -> None:
    wf.inputs["Width"].value = width


def set_image(wf: WorkflowHandle, output: Any) -> None:
    wf.inputs["Image"].value = output[0]["image_names"][0]


@pytest.fixture
def pipeline(client: InvokeAIClient, blur: dict[str, Any]) -> WorkflowPipeline:
    stages = WorkflowPipeline(client).add_stage(WorkflowDefinition.from_dict(blur), set_width)
    return stages.add_stage(WorkflowDefinition.from_dict(CROP), set_image)


@pytest.fixture
def sleeper(client: InvokeAIClient, sleep: dict[str, Any]) -> WorkflowHandle:
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))


def all_images(client: InvokeAIClient) -> set[str]:
    return {image.name for shown in (True, False) for image in client.image_repo.list_images(is_intermediate=shown)}


def test_an_image_of_one_stage_is_the_input_of_the_next_without_a_download(
    client: InvokeAIClient, pipeline: WorkflowPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "invokeai_py_client.http"):
        (mapping,) = pipeline.execute(96)
    routes = [record.getMessage() for record in caplog.records]
    assert any("enqueue_batch" in route for route in routes)
    assert not any("/full" in route or "upload" in route for route in routes)
    image = client.image_repo.get_image(mapping.image_names[0])
    assert (image.width, image.height) == (32, 32)


def test_many_inputs_go_through_the_stages(pipeline: WorkflowPipeline) -> None:
    results = pipeline.execute_many([64, -1, 80, 96], concurrency=2)
    assert [result.error is None for result in results] == [True, False, True, True]
    assert str(results[1].error).startswith("Stage 1 of 2 ('blur') failed for the input -1: ")
    assert len({mapping.image_names for result in results for mapping in result.output or []}) == 3


def test_a_timeout_cancels_the_item_that_it_gives_up_on(client: InvokeAIClient, sleeper: WorkflowHandle) -> None:
    sleeper.inputs["Seconds"].value = 60.0
    with pytest.raises(errors.RunTimeout) as caught:
        execute_with_retry(sleeper, max_retries=1, timeout=0.5)
    assert caught.value.item_id is not None
    assert client.queue.get_item(caught.value.item_id).status == "canceled"
    assert client.queue.wait_until_idle(20)


async def test_a_cancelled_task_cancels_its_item(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    started = asyncio.Event()

    def tell(wf: WorkflowHandle, _: Any) -> None:
        wf.inputs["Seconds"].value = 60.0
        wf.on_event(lambda event: started.set(), types="invocation_started")

    pipeline = WorkflowPipeline(client).add_stage(WorkflowDefinition.from_dict(sleep), tell).aio
    task = asyncio.create_task(pipeline.execute(None))
    await asyncio.wait_for(started.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await client.aio.queue.wait_until_idle(20)


def test_recovery_runs_with_other_values(sleeper: WorkflowHandle) -> None:
    sleeper.inputs["Fail At"].value = 0
    item = execute_with_recovery(sleeper, [{"Steps": 2}, {"Fail At": -1}])
    assert (item.status, sleeper.inputs["Steps"].value) == ("completed", 2)


def test_temporary_images_leave_nothing_but_what_was_there(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    png = io.BytesIO()
    Pillow.new("RGB", (64, 64), "red").save(png, "PNG")
    # The server's cache has the outputs of this run: the same one inside makes no images of its own.
    for one in blur["nodes"]:
        one["data"]["useCache"] = True
    cached = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    cached.submit_sync().result(30)
    before = all_images(client)
    with client.temporary_images() as tmp:
        crop = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(CROP))
        crop.inputs["Image"].value = client.image_repo.upload_image(png.getvalue())
        crop.submit_sync().result(30)
        (reused,) = cached.submit_sync().result(30).outputs[-1:]
        cached.inputs["Width"].value = 80
        cached.submit_sync().result(30)
        # One upload, one crop, and a blank image that is blurred.
        assert len(all_images(client) - before) == 4
    assert all_images(client) == before
    assert len(tmp.deleted) == 4
    assert reused.result["image"]["image_name"] in before


def test_temporary_images_are_deleted_after_a_failure(
    client: InvokeAIClient, pipeline: WorkflowPipeline, blur: dict[str, Any]
) -> None:
    before = all_images(client)
    pipeline.add_stage(WorkflowDefinition.from_dict(blur), lambda wf, _: set_width(wf, "wide"))
    with pytest.raises(errors.PipelineError, match="Stage 3 of 3"), client.temporary_images():
        pipeline.execute(64)
    assert all_images(client) == before
