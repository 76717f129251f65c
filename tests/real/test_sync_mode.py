"""The synchronous mode, on the real server."""

from __future__ import annotations

import pickle
import threading
import time
from typing import Any

import pytest

from invokeai_py_client import InvokeAIClient, QueueItem, WorkflowDefinition, WorkflowHandle, errors


def handle(client: InvokeAIClient, document: dict[str, Any], **values: Any) -> WorkflowHandle:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
    for shown in wf.inputs:
        if shown.field_name in values:
            shown.value = values[shown.field_name]
    return wf


def test_a_workflow_runs_and_its_output_is_mapped(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = handle(client, blur)
    submission = wf.submit_sync()
    result = wf.wait_for_completion_sync(timeout=30)
    assert result["status"] == "completed"
    assert result.get("error") is None
    assert result["item_id"] == submission["item_id"]
    (mapping,) = wf.map_outputs_to_images(result)
    assert (mapping["node_id"], mapping["node_type"], mapping["input_index"]) == ("blur", "img_blur", 2)
    assert mapping["board_id"] is None
    (name,) = mapping["image_names"]
    assert client.image_repo.get_image(name).width == 64


def test_a_submission_says_what_was_enqueued(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = handle(client, blur)
    submission = wf.submit_sync()
    item = client.queue.get_item(submission["item_id"])
    assert submission["batch_id"] == item.batch_id
    assert submission["session_id"] == item.session_id
    assert submission["item_ids"] == (submission["item_id"],)
    assert submission["enqueued"] == 1
    wf.wait_for_completion_sync(submission, timeout=30)


def test_text_to_image_tells_every_step(client: InvokeAIClient, text_to_image: WorkflowDefinition) -> None:
    wf = client.workflow_repo.create_workflow(text_to_image)
    assert not wf.sync_dnn_model(by_name=True, by_base=True).unbound
    seen: list[QueueItem] = []
    wf.submit_sync()
    result = wf.wait_for_completion_sync(timeout=60, poll_interval=30, progress_callback=seen.append)
    assert result.status == "completed"
    percentages = [item["progress_percentage"] for item in seen]
    assert percentages == sorted(percentages)
    assert percentages[0] >= 0
    assert percentages[-1] == 100
    assert {item["total_steps"] for item in seen} <= {0, 8}
    steps = [item["current_step"] for item in seen]
    assert steps == sorted(steps)
    assert steps[-1] == 8
    assert any(0 < step < 8 for step in steps), "no step was seen while it ran"
    assert seen[-1].status == "completed"
    picture = wf.submit_sync()
    wf.wait_for_completion_sync(timeout=60)
    (image,) = picture.images
    assert image.pil().size == (64, 64)


def test_the_callback_is_called_every_poll_interval_even_in_silence(
    client: InvokeAIClient, sleep: dict[str, Any]
) -> None:
    wf = handle(client, sleep, steps=1, seconds=2.0)
    calls: list[float] = []
    wf.submit_sync()
    wf.wait_for_completion_sync(
        timeout=30, poll_interval=0.1, progress_callback=lambda _: calls.append(time.monotonic())
    )
    # Nothing is pushed for two seconds, in which twenty calls are due; a quarter leaves room for a busy machine.
    assert len(calls) >= 5


def test_a_failed_node_is_reported_with_its_error(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep, fail_at=1)
    run = wf.submit_sync()
    result = wf.wait_for_completion_sync(timeout=30)
    assert result["status"] == "failed"
    assert result["error"] == "RuntimeError: told to fail at step 1"
    assert result["error_node_id"] == "sleep"
    assert "node_pack" in result["error_traceback"] or "test_nodes" in result["error_traceback"]
    assert wf.map_outputs_to_images(result) == []
    with pytest.raises(errors.RunFailed, match="told to fail at step 1") as caught:
        run.result()
    assert caught.value.node_id == "sleep"
    assert caught.value.node_type == "test_sleep"
    assert caught.value.error_traceback


def test_a_time_out_is_a_timeout_error_and_the_run_continues(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep, seconds=3.0)
    submission = wf.submit_sync()
    with pytest.raises(TimeoutError, match=str(submission["item_id"])) as caught:
        wf.wait_for_completion_sync(timeout=0.2)
    assert isinstance(caught.value, errors.RunTimeout)
    with pytest.raises(errors.RunTimeout):
        wf.wait_for_completion_sync(timeout=0.2, progress_callback=lambda _: None)
    assert wf.wait_for_completion_sync(timeout=30).status == "completed"


def test_a_canceled_run_ends_its_wait(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep, seconds=60.0, steps=100)
    submission = wf.submit_sync()

    def cancel_once_it_runs(item: QueueItem) -> None:
        if item.status == "in_progress":
            client.cancel_workflow(submission["item_id"])

    result = wf.wait_for_completion_sync(timeout=30, progress_callback=cancel_once_it_runs)
    assert result["status"] == "canceled"
    with pytest.raises(errors.RunCanceled):
        submission.result()


def test_what_a_callback_raises_ends_the_wait_and_not_the_run(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = handle(client, sleep)

    def interrupt(_: QueueItem) -> None:
        raise InterruptedError("enough")

    wf.submit_sync()
    with pytest.raises(InterruptedError, match="enough"):
        wf.wait_for_completion_sync(timeout=30, progress_callback=interrupt)
    assert wf.wait_for_completion_sync(timeout=30).status == "completed"


def test_a_handle_can_be_submitted_again_and_each_run_stands_alone(
    client: InvokeAIClient, blur: dict[str, Any]
) -> None:
    wf = handle(client, blur)
    runs = [wf.submit_sync() for _ in range(5)]
    results = [wf.wait_for_completion_sync(run, timeout=30) for run in runs]
    assert [result.item_id for result in results] == [run.item_id for run in runs]
    names = {name for result in results for mapping in wf.map_outputs_to_images(result) for name in mapping.image_names}
    assert len(names) == 5


def test_a_wait_after_the_end_returns_at_once(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = handle(client, blur)
    wf.submit_sync()
    first = wf.wait_for_completion_sync(timeout=30)
    seen: list[QueueItem] = []
    assert wf.wait_for_completion_sync(timeout=0.001) == first
    assert wf.wait_for_completion_sync(timeout=30, progress_callback=seen.append) == first
    assert seen == [first]


def test_a_wait_before_a_submission_says_so(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    with pytest.raises(errors.NotSubmittedError, match="submit_sync"):
        handle(client, blur).wait_for_completion_sync()


def test_many_threads_share_one_client(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    finished: list[QueueItem] = []

    def run_one(width: int) -> None:
        wf = handle(client, blur, width=width)
        finished.append(wf.wait_for_completion_sync(wf.submit_sync(), timeout=60))

    threads = [threading.Thread(target=run_one, args=(64 + 8 * n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [item.status for item in finished] == ["completed"] * 20
    assert len({item.item_id for item in finished}) == 20


def test_a_result_can_be_sent_to_another_process(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = handle(client, blur)
    result = wf.wait_for_completion_sync(wf.submit_sync(), timeout=30)
    copied = pickle.loads(pickle.dumps(result))
    assert copied == result
    assert wf.map_outputs_to_images(copied) == wf.map_outputs_to_images(result)


def test_the_session_is_fetched_when_it_is_read(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = handle(client, blur)
    wf.submit_sync()
    result = wf.wait_for_completion_sync(timeout=30)
    assert set(result["session"]["results"]) == {output.invocation_id for output in result.outputs}


def test_the_server_keeps_the_workflow_with_the_values_that_ran(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = handle(client, blur, radius=7)
    run = wf.submit_sync()
    run.result(timeout=30)
    kept = client._make_request("GET", f"/images/i/{run.images[0].name}/workflow").json()
    assert WorkflowDefinition.from_json(kept["workflow"]).nodes["blur"].inputs["radius"]["value"] == 7


async def test_the_awaited_face_submits_and_waits(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    definition = WorkflowDefinition.from_dict(blur)
    wf = await client.aio.workflow_repo.create_workflow(definition)
    run = await wf.submit()
    result = await wf.wait_for_completion(timeout=30)
    assert (result.status, result.item_id) == ("completed", run.item_id)


def test_a_model_of_another_machine_is_bound_to_the_installed_one(
    client: InvokeAIClient, text_to_image: WorkflowDefinition
) -> None:
    document = text_to_image.to_dict()
    elsewhere = {"key": "gone", "hash": "blake3:0", "name": "Dreamshaper", "base": "sd-1", "type": "main"}
    for node in document["nodes"]:
        if node["data"]["type"] == "main_model_loader":
            node["data"]["inputs"]["model"]["value"] = elsewhere
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
    assert len(wf.sync_dnn_model(by_name=True, by_base=False).unbound) == 1
    (change,) = wf.sync_dnn_model(by_name=True, by_base=True)
    assert dict(change.old or {}) == elsewhere
    assert wf.inputs["Model"].value["name"] == "tiny-sd-1"
    assert len(wf.sync_dnn_model(by_name=True, by_base=True)) == 0
