"""The page that describes the product runs as it is written, on the real server."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client import InvokeAIClient, OutputMapping, Run, WorkflowDefinition, WorkflowHandle

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
