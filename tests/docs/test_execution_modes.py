"""The page that describes the product runs as it is written, on the real server."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.documents import node

from invokeai_py_client import (
    ExecutionLogger,
    InvokeAIClient,
    OutputMapping,
    Run,
    WorkflowDefinition,
    WorkflowHandle,
    WorkflowMonitor,
    WorkflowPipeline,
    execute_with_recovery,
    execute_with_retry,
)
from invokeai_py_client.wire.events import Event

PAGE = Path(__file__).parents[1] / "data" / "execution-modes.md"

Block = Callable[..., dict[str, Any]]


def block_below(heading: str) -> str:
    """The first code block below a heading of the page."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^### {re.escape(heading)}\n.*?```python\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


@pytest.fixture
def run_block() -> Block:
    def run(heading: str, **names: Any) -> dict[str, Any]:
        code = compile(block_below(heading), f"{PAGE.name}: {heading}", "exec")
        exec(code, names)
        return names

    return run


@pytest.fixture
def wf(client: InvokeAIClient, text_to_image: WorkflowDefinition) -> WorkflowHandle:
    wf = client.workflow_repo.create_workflow(text_to_image)
    wf.sync_dnn_model(by_name=True, by_base=True)
    return wf


def image_names(mappings: list[OutputMapping]) -> list[str]:
    return [name for mapping in mappings for name in mapping["image_names"]]


def test_basic_sync_pattern(wf: WorkflowHandle, run_block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    names = run_block("Basic Sync Pattern", wf=wf)
    assert capsys.readouterr().out == "Success!\n"
    assert names["result"]["item_id"] == names["submission"]["item_id"]
    assert len(image_names(names["mappings"])) == 1


def test_with_progress_callback(wf: WorkflowHandle, run_block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    names = run_block("With Progress Callback", wf=wf)
    assert names["result"].get("status") == "completed"
    lines = capsys.readouterr().out.splitlines()
    seen = [re.fullmatch(r"\[ *(\d+)%\] Status: (\w+) \((\d+)/(\d+)\)", line) for line in lines]
    assert all(seen)
    shown = [(int(m[1]), m[2], int(m[3]), int(m[4])) for m in seen if m]
    assert shown[-1] == (100, "completed", 8, 8)
    assert any(status == "in_progress" and 0 < step < total == 8 for _, status, step, total in shown)


def test_complete_sync_example(
    client: InvokeAIClient,
    text_to_image: WorkflowDefinition,
    run_block: Block,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = text_to_image.save(tmp_path / "workflow.json")
    shown = client.workflow_repo.create_workflow(text_to_image).inputs
    names = run_block("Complete Sync Example", WorkflowDefinition=WorkflowDefinition)
    inputs = {shown["Positive Prompt"].index: "a fox", shown["Steps"].index: 4}
    mappings = names["run_workflow_sync"](client, path, inputs)
    (name,) = image_names(mappings)
    out = capsys.readouterr().out
    assert "Submitting workflow...\nWaiting for completion...\nProgress: 0" in out
    assert "Progress: 100.0%" in out
    assert "Workflow completed successfully" in out
    kept = client._make_request("GET", f"/images/i/{name}/workflow").json()["workflow"]
    assert '"a fox"' in kept


def without(code: str, *endings: str) -> str:
    """A block without the lines from which on it calls what it has defined."""
    for ending in endings:
        assert ending in code
        code = code[: code.index(ending)]
    return code


def block_code(heading: str, *endings: str, **names: Any) -> dict[str, Any]:
    code = without(block_below(heading), *endings) if endings else block_below(heading)
    exec(compile(code, f"{PAGE.name}: {heading}", "exec"), names)
    return names


def test_basic_async_pattern(
    client: InvokeAIClient, text_to_image: WorkflowDefinition, run_block: Block, capsys: pytest.CaptureFixture[str]
) -> None:
    definition = bound(client, text_to_image)
    run_block("Basic Async Pattern", client=client, workflow_def=definition)
    out = capsys.readouterr().out
    assert re.search(r"Submitted: [0-9a-f-]{36}\nResult: \[OutputMapping", out)


def bound(client: InvokeAIClient, definition: WorkflowDefinition) -> WorkflowDefinition:
    """The definition with its models bound, as a user's export from this server would be."""
    wf = client.workflow_repo.create_workflow(definition)
    wf.sync_dnn_model()
    return WorkflowDefinition.from_dict(wf._build_submission()["batch"]["workflow"])


def prompt_first(client: InvokeAIClient, definition: WorkflowDefinition) -> WorkflowDefinition:
    """The definition, bound, with the prompt as the first input of its form."""
    document = bound(client, definition).to_dict()
    document["exposedFields"].sort(key=lambda field: field["fieldName"] != "value" and field["fieldName"] != "prompt")
    document.pop("form", None)
    return WorkflowDefinition.from_dict(document)


def test_concurrent_workflows(
    client: InvokeAIClient, text_to_image: WorkflowDefinition, run_block: Block, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page sets input 0 to the prompt: so does this workflow's form."""
    definition = prompt_first(client, text_to_image)
    names = block_code("Basic Async Pattern", "# Run async", client=client)
    run_block(
        "Concurrent Workflows",
        client=client,
        workflow_def=definition,
        asyncio=names["asyncio"],
        run_workflow_async=names["run_workflow_async"],
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4:] == [f"{prompt}: 1 images" for prompt in ("Sunset", "Mountains", "Ocean", "Forest")]


async def test_with_event_handling(wf: WorkflowHandle, capsys: pytest.CaptureFixture[str]) -> None:
    names = block_code("With Event Handling")
    result = await names["run_with_events"](wf)
    assert result["status"] == "completed"
    lines = capsys.readouterr().out.splitlines()
    steps = [line for line in lines if re.fullmatch(r"Progress: \d/8", line)]
    assert steps == [f"Progress: {step}/8" for step in range(9)]
    assert [line for line in lines if line.startswith("Node completed: ")]
    assert lines[-1] == "Session finished!"


async def test_hybrid_streaming(wf: WorkflowHandle, capsys: pytest.CaptureFixture[str]) -> None:
    names = block_code("Hybrid Streaming", wf=wf)
    await names["monitor_workflow"]()
    lines = capsys.readouterr().out.splitlines()
    values = [float(line.removeprefix("Progress: ").removesuffix("%")) for line in lines[:-1] if "None" not in line]
    assert 12.5 in values
    assert values[-1] == 100.0 or 100.0 in values
    assert lines[-1] == "Finished: completed"


async def test_websocket_streaming(
    client: InvokeAIClient, wf: WorkflowHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's class speaks a protocol that servers no longer have: the package's stands for it, with its prints."""

    class Printing(WorkflowMonitor):
        async def on_progress(self, event: Event) -> None:
            print(f"Progress: {event.get('step', 0)}/{event.get('total_steps', 0)}")

        async def on_node_complete(self, event: Event) -> None:
            print(f"Node complete: {event.get('node_id')}")

        async def on_complete(self, event: Event) -> None:
            print(f"Session complete: {event.get('status')}")

    code = block_below("WebSocket Streaming")
    use = code[code.index("# Use monitor") :].replace("ws://localhost:9090", client.settings.url.replace("http", "ws"))
    submission = await wf.submit()
    body = "".join(f"    {line}\n" for line in use.splitlines())
    names: dict[str, Any] = {"WorkflowMonitor": Printing, "submission": submission}
    exec(compile(f"async def use():\n{body}    return monitor\n", "WebSocket Streaming", "exec"), names)
    monitor = await names["use"]()
    await monitor.wait()
    assert monitor.events[-1][0] == "complete"
    assert {name for name, _ in monitor.events} <= {"progress", "node", "complete"}
    assert capsys.readouterr().out.splitlines()[-1] == "Session complete: completed"
    await monitor.disconnect()


def test_cancellation_as_the_page_has_it(
    client: InvokeAIClient, wf: WorkflowHandle, run_block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's function makes its event itself, so its timer cannot reach it: the run completes."""
    import threading

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    names = run_block("Cancellation", wf=wf, client=client, threading=threading)
    assert names["result"]["status"] == "completed"


def test_timeouts(client: InvokeAIClient, wf: WorkflowHandle, run_block: Block) -> None:
    submission = wf.submit_sync()
    names = run_block("Timeouts", wf=wf, client=client, submission=submission)
    assert names["result"]["status"] == "completed"


def test_timeouts_where_the_time_is_too_short(
    client: InvokeAIClient, sleep: dict[str, Any], run_block: Block, capsys: pytest.CaptureFixture[str]
) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.inputs["Seconds"].value = 60.0
    submission = wf.submit_sync()
    code = block_below("Timeouts")
    handling = code[code.index("# Handle timeout") :].replace("timeout=60)", "timeout=0.3)")
    names: dict[str, Any] = {"wf": wf, "client": client, "submission": submission}
    exec(compile(handling, "Timeouts", "exec"), names)
    assert capsys.readouterr().out == "Workflow timed out after 60 seconds\n"
    assert wf.wait_for_completion_sync(timeout=30)["status"] == "canceled"


def test_polling_intervals(wf: WorkflowHandle, run_block: Block) -> None:
    wf.submit_sync()
    names = run_block("Polling Intervals", wf=wf)
    assert names["result"]["status"] == "completed"
    assert [names["adaptive_poll_interval"](n) for n in (0, 10, 30)] == [1.0, 2.0, 5.0]


def test_cancellation_through_the_callback(client: InvokeAIClient, sleep: dict[str, Any], run_block: Block) -> None:
    """The page's function, with its own event set by a timer; the page's last lines pass none in."""
    import threading

    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.inputs["Seconds"].value = 60.0
    runs: list[Run] = []
    submission = wf.submit_sync()
    runs.append(submission)
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()

    def check(_: object) -> None:
        if cancelled.is_set():
            raise InterruptedError("Workflow cancelled")

    with pytest.raises(InterruptedError):
        wf.wait_for_completion_sync(timeout=120, poll_interval=0.1, progress_callback=check)
    began = time.monotonic()
    client.cancel_workflow(submission["item_id"])
    assert submission.wait(timeout=30).status == "canceled"
    assert time.monotonic() - began < 10


def test_queue_status_and_position(
    client: InvokeAIClient, wf: WorkflowHandle, run_block: Block, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.queue.wait_until_idle(60)
    client.queue.pause()
    try:
        submission = wf.submit_sync()
        get_queue_status = run_block("Queue Status")["get_queue_status"]
        assert get_queue_status(client)["queue"]["pending"] == 1
        assert "Queue: default\n  Pending: 1\n  In Progress: 0\n" in capsys.readouterr().out
        get_queue_position = run_block("Queue Position")["get_queue_position"]
        assert get_queue_position(client, submission["item_id"])["position"] == 1
        # While the processor is paused nobody knows.
        assert "Position: 1\nAhead: 0\nETA: None" in capsys.readouterr().out
        submission.cancel()
    finally:
        client.queue.resume()


def test_priority_submission(client: InvokeAIClient, wf: WorkflowHandle, run_block: Block) -> None:
    assert client.queue.wait_until_idle(60)
    client.queue.pause()
    try:
        normal = wf.submit_sync()
        submission = run_block("Priority Submission", client=client, wf=wf)["submission"]
        (item_id,) = submission["item_ids"]
        tracker = client.queue.get_next()
        assert tracker is not None
        assert tracker.item_id == item_id
        client.queue.cancel_item(item_id)
        normal.cancel()
    finally:
        client.queue.resume()


def test_batch_processing(
    client: InvokeAIClient, blur: dict[str, Any], run_block: Block, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page sets input 0, which this workflow's form shows as a width."""
    process_batch = run_block("Batch Processing")["process_batch"]
    items = [{"prompt": width} for width in (64, 72, 80)]
    results = process_batch(client, WorkflowDefinition.from_dict(blur), items, batch_size=2)
    assert [result["status"] for result in results] == ["completed"] * 3
    assert capsys.readouterr().out == "Processing batch 1\nProcessing batch 2\n"


BLUR_NODE = node("blur", "img_blur", "1.2.2", intermediate=False, image=None, radius=2.0, blur_type="gaussian")


def blur_of_an_image() -> WorkflowDefinition:
    """A workflow whose input 1 is an image."""
    return WorkflowDefinition.from_dict(
        {
            "name": "blur an image",
            "meta": {"version": "3.0.0", "category": "user"},
            "exposedFields": [{"nodeId": "blur", "fieldName": name} for name in ("radius", "image")],
            "nodes": [BLUR_NODE],
            "edges": [],
        }
    )


@pytest.mark.parametrize("is_the_packages", [False, True])
def test_pipeline_pattern(
    client: InvokeAIClient, text_to_image: WorkflowDefinition, is_the_packages: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's lambdas assign, which Python does not allow: they call `setattr` here."""
    code = block_below("Pipeline Pattern")
    code, changed = re.subn(r"lambda wf, inp: (\S+)\.value = (.+)", r'lambda wf, inp: setattr(\1, "value", \2)', code)
    assert changed == 2
    names: dict[str, Any] = {
        "client": client,
        "workflow1": prompt_first(client, text_to_image),
        "workflow2": blur_of_an_image(),
    }
    if is_the_packages:
        code = code[code.index("# Use pipeline") :]
        names["WorkflowPipeline"] = WorkflowPipeline
    exec(compile(code, "Pipeline Pattern", "exec"), names)
    (name,) = image_names(names["result"])
    assert client.image_repo.get_image(name).width == 64
    assert capsys.readouterr().out == ("" if is_the_packages else "Stage 1/2\nStage 2/2\n")


@pytest.mark.parametrize("is_the_packages", [False, True])
def test_retry_logic(client: InvokeAIClient, blur: dict[str, Any], run_block: Block, is_the_packages: bool) -> None:
    execute = execute_with_retry if is_the_packages else run_block("Retry Logic")["execute_with_retry"]
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    assert execute(wf, max_retries=3, backoff=2.0)["status"] == "completed"


def test_retry_logic_where_it_fails(
    client: InvokeAIClient,
    sleep: dict[str, Any],
    run_block: Block,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.inputs["Fail At"].value = 0
    execute = run_block("Retry Logic")["execute_with_retry"]
    pauses: list[float] = []
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", pauses.append)
        with pytest.raises(Exception, match="Failed after 3 attempts"):
            execute(wf)
    assert pauses == [1.0, 2.0]
    assert capsys.readouterr().out.count("failed: RuntimeError") == 3


def test_error_recovery(client: InvokeAIClient, sleep: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The page's function, with times that are shorter."""
    document = {
        **sleep,
        "exposedFields": [
            {"nodeId": "sleep", "fieldName": "steps"},
            {"nodeId": "blank", "fieldName": "width"},
            {"nodeId": "blank", "fieldName": "height"},
        ],
        "nodes": [*sleep["nodes"], node("blank", "blank_image", "1.2.2", width=64, height=64, mode="RGB")],
    }
    document["nodes"][0]["data"]["inputs"]["seconds"]["value"] = 1.0
    code = block_below("Error Recovery").replace("timeout=120)", "timeout=timeout)")
    names: dict[str, Any] = {"STEPS_IDX": 0, "WIDTH_IDX": 1, "HEIGHT_IDX": 2, "timeout": 60}
    exec(compile(code, "Error Recovery", "exec"), names)
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
    assert names["execute_with_recovery"](wf)["status"] == "completed"
    assert wf.inputs["Width"].value == 64
    names["timeout"] = 0.2
    assert names["execute_with_recovery"](wf)["status"] == "completed"
    assert [field.value for field in wf.inputs] == [10, 512, 512]
    assert capsys.readouterr().out == "Timeout - attempting recovery\n"


def test_error_recovery_with_the_packages_function(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.inputs["Seconds"].value = 60.0
    assert execute_with_recovery(wf, fallbacks=[{"Seconds": 0.1}], timeout=0.5)["status"] == "completed"


@pytest.mark.parametrize("is_the_packages", [False, True])
def test_execution_logger(
    wf: WorkflowHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_the_packages: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    code = block_below("Execution Logger")
    names: dict[str, Any] = {"wf": wf}
    if is_the_packages:
        code = code[code.index("# Use logger") :]
        names["ExecutionLogger"] = ExecutionLogger
    try:
        exec(compile(code, "Execution Logger", "exec"), names)
    finally:
        shared = logging.getLogger("workflow")
        for handler in [*shared.handlers]:
            shared.removeHandler(handler)
            handler.close()
    lines = (tmp_path / "workflow.log").read_text(encoding="utf-8").splitlines()
    messages = [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - INFO - ", "", line) for line in lines]
    assert messages[0] == f"Submitted: {names['submission'].batch_id}"
    assert [*dict.fromkeys(message.split(":")[0] for message in messages[1:-1])] == ["Progress"]
    assert messages[-2:] == ["Progress: 100.0%", "Workflow completed successfully"]


@pytest.mark.parametrize("status", ["completed", "failed", "canceled"])
def test_handle_all_status_types(
    client: InvokeAIClient, sleep: dict[str, Any], run_block: Block, status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.inputs["Fail At"].value = 0 if status == "failed" else -1
    wf.inputs["Seconds"].value = 60.0 if status == "canceled" else 0.0
    wf.submit_sync()
    if status == "canceled":
        wf.cancel()
    calls: list[tuple[str, object]] = []
    handlers = {
        name: lambda result, name=name: calls.append((name, result))
        for name in ("process_results", "log_error", "cleanup", "wait_more")
    }
    result = wf.wait_for_completion_sync(timeout=30)
    run_block("2. Handle All Status Types", result=result, **handlers)
    wanted = {"completed": "process_results", "failed": "log_error", "canceled": "cleanup"}
    assert calls == [(wanted[status], result)]
    assert capsys.readouterr().out == ""


def test_resource_cleanup(client: InvokeAIClient, run_block: Block) -> None:
    import io

    from PIL import Image as Pillow

    png = io.BytesIO()
    Pillow.new("RGB", (64, 64)).save(png, "PNG")
    uploaded = client.image_repo.upload_image(png.getvalue())
    wf = client.workflow_repo.create_workflow(blur_of_an_image())
    wf.inputs["Image"].value = uploaded
    submission = wf.submit_sync()
    names = run_block(
        "3. Resource Cleanup", client=client, wf=wf, submission=submission, uploaded_images=[uploaded.name]
    )
    assert names["result"]["status"] == "completed"
    assert uploaded.name not in {image.name for image in client.image_repo.list_images()}
