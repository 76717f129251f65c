from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from tests.unit.patterns.conftest import Script, fail

from invokeai_py_client import ExecutionLogger, InvokeAIClient, QueueItem, WorkflowDefinition, WorkflowHandle

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - (INFO|ERROR) - (.*)")


def item(status: str = "in_progress", progress: float = 0.0, **more: str) -> QueueItem:
    return QueueItem(item_id=7, batch_id="b", queue_id="default", status=status, progress_percentage=progress, **more)  # type: ignore[arg-type]


def lines(path: Path) -> list[tuple[str, ...]]:
    found = [LINE.fullmatch(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert all(found)
    return [one.groups() for one in found if one is not None]


def test_a_run_is_logged_from_its_submission_to_its_end(script: Script, wf: WorkflowHandle, tmp_path: Path) -> None:
    path = tmp_path / "workflow.log"
    logger = ExecutionLogger(path)
    submission = wf.submit_sync()
    logger.log_submission(submission)
    logger.log_completion(wf.wait_for_completion_sync(progress_callback=logger.log_progress))
    told = lines(path)
    assert told[0] == ("INFO", f"Submitted: {submission.batch_id}")
    assert told[-2:] == [("INFO", "Progress: 100.0%"), ("INFO", "Workflow completed successfully")]


def test_json_lines_have_the_facts(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    logger = ExecutionLogger(path, json_lines=True)
    logger.log_progress(item(progress=12.5))
    logger.log_completion(item("failed", error_type="ValueError", error_message="too small\nfor 'π'"))
    progress, completion = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", progress.pop("time"))
    assert progress == {
        "level": "INFO",
        "event": "progress",
        "batch_id": "b",
        "item_id": 7,
        "status": "in_progress",
        "progress_percentage": 12.5,
        "current_step": 0,
        "total_steps": 0,
    }
    assert (completion["level"], completion["event"], completion["status"]) == ("ERROR", "completion", "failed")
    assert (completion["error_type"], completion["error_message"]) == ("ValueError", "too small\nfor 'π'")


def test_what_says_nothing_new_is_left_out(tmp_path: Path) -> None:
    logger = ExecutionLogger(tmp_path / "log")
    for progress in (0.0, 0.0, 50.0, 50.0):
        logger.log_progress(item(progress=progress))
    assert lines(tmp_path / "log") == [("INFO", "Progress: 0.0%"), ("INFO", "Progress: 50.0%")]


def test_a_failure_is_an_error_with_its_reason_on_one_line(tmp_path: Path) -> None:
    logger = ExecutionLogger(tmp_path / "log")
    logger.log_completion(item("failed", error="ValueError: no\n2026-01-01 00:00:00,000 - INFO - forged"))
    logger.log_completion(item("canceled"))
    first, second = lines(tmp_path / "log")
    assert first[0] == "ERROR"
    assert first[1].startswith("Workflow failed: failed (ValueError: no 2026")
    assert second == ("ERROR", "Workflow failed: canceled")


def test_a_log_is_continued_and_can_be_shared(tmp_path: Path) -> None:
    one = ExecutionLogger(tmp_path / "log")
    one.log_progress(item(progress=1.0))
    other = ExecutionLogger(tmp_path / "log")
    other.log_progress(item(progress=2.0))
    one.log_progress(item(progress=3.0))
    assert [message for _, message in lines(tmp_path / "log")] == [f"Progress: {n}.0%" for n in (1, 2, 3)]


def test_a_line_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "logs").mkdir()
    logger = ExecutionLogger(tmp_path / "logs" / "log")
    (tmp_path / "logs").rename(tmp_path / "gone")
    with caplog.at_level(logging.WARNING):
        logger.log_completion(item("completed"))
    assert "cannot be written" in caplog.text


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ExecutionLogger(tmp_path / "none" / "log")


@pytest.mark.parametrize("json_lines", [False, True])
def test_no_secret_and_no_value_is_logged(
    script: Script, definition: WorkflowDefinition, tmp_path: Path, json_lines: bool
) -> None:
    script.endings = [fail("ValueError")]
    with InvokeAIClient.from_url(script.server.url, token="s3cret") as client:
        logger = ExecutionLogger(tmp_path / "log", json_lines=json_lines)
        wf = client.workflow_repo.create_workflow(definition)
        wf.inputs["A"].value = 123456789
        logger.log_submission(wf.submit_sync())
        logger.log_completion(wf.wait_for_completion_sync(progress_callback=logger.log_progress))
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "ERROR" in text
    assert "s3cret" not in text
    assert "123456789" not in text
    assert script.server.url not in text
