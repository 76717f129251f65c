"""`ExecutionLogger`: writes submissions, their progress and their outcomes to a log file."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from invokeai_py_client.files import path_of
from invokeai_py_client.fixed_attributes import FixedAttributes

logger = logging.getLogger("invokeai_py_client.patterns")

_SUBMISSION = ("batch_id", "item_id", "queue_id", "enqueued")
_PROGRESS = ("batch_id", "item_id", "status", "progress_percentage", "current_step", "total_steps")
_COMPLETION = (
    "batch_id",
    "item_id",
    "status",
    "started_at",
    "completed_at",
    "canceled_by",
    "error_type",
    "error_message",
    "error_node_id",
    "error_node_type",
)


class ExecutionLogger(FixedAttributes):
    """Logs submissions, their progress and their outcomes to a file.

    It logs ids, statuses and the server's error messages, but no values of inputs, URLs or tokens. Each line is written
    immediately, so the logger does not have to be closed, and several loggers and threads can share a file. A line that
    cannot be written, for example because the disk is full, causes a warning (`invokeai_py_client.patterns`) and does
    not affect the run.

    Args:
        log_file: the file, which is created if it is missing.
        json_lines: write each line as a JSON object with `time` (UTC), `level`, `event` (`submission`, `progress` or
            `completion`), and the known ids and values.

    Raises:
        OSError: the file cannot be opened.
        UnsafePathError: `log_file` is not a valid path.

    Example:
        >>> logger = ExecutionLogger("workflow.log")
        >>> logger.log_submission(wf.submit_sync())
        >>> logger.log_completion(wf.wait_for_completion_sync(progress_callback=logger.log_progress))
    """

    def __init__(self, log_file: str | os.PathLike[str] = "workflow.log", *, json_lines: bool = False) -> None:
        self._path = path_of(log_file).absolute()
        self._json_lines = json_lines
        self._told: tuple[Any, ...] = ()
        self._append("")

    def log_submission(self, submission: Mapping[str, Any]) -> None:
        """Log a submission.

        Args:
            submission: the result of `submit_sync` or `submit`.
        """
        self._log("INFO", "submission", f"Submitted: {submission.get('batch_id')}", submission, _SUBMISSION)

    def log_progress(self, queue_item: Mapping[str, Any]) -> None:
        """Log the progress of a run, unless it is unchanged. Can be used as a `progress_callback`.

        Args:
            queue_item: the current state of the item.
        """
        told = tuple(queue_item.get(name) for name in _PROGRESS)
        if told != self._told:
            self._told = told
            progress = queue_item.get("progress_percentage", 0)
            self._log("INFO", "progress", f"Progress: {progress}%", queue_item, _PROGRESS)

    def log_completion(self, result: Mapping[str, Any]) -> None:
        """Log the outcome of a run. If it has not completed, the level is ERROR, and the line has the server's reason.

        Args:
            result: the finished item.
        """
        status = result.get("status")
        if status == "completed":
            self._log("INFO", "completion", "Workflow completed successfully", result, _COMPLETION)
            return
        reason = result.get("error")
        message = f"Workflow failed: {status}" + (f" ({reason})" if reason else "")
        self._log("ERROR", "completion", message, result, _COMPLETION)

    def _log(
        self,
        level: Literal["INFO", "ERROR"],
        event: str,
        message: str,
        thing: Mapping[str, Any],
        names: tuple[str, ...],
    ) -> None:
        if self._json_lines:
            facts = {name: value for name in names if (value := thing.get(name)) is not None}
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = json.dumps({"time": now, "level": level, "event": event, **facts}, default=str)
        else:
            # On one line, so that a message of the server cannot forge log lines.
            now = datetime.now().isoformat(" ", "milliseconds").replace(".", ",")
            line = f"{now} - {level} - {' '.join(message.splitlines())}"
        try:
            self._append(f"{line}\n")
        except OSError as error:
            logger.warning("the execution log %s cannot be written: %s", self._path, error)

    def _append(self, text: str) -> None:
        with self._path.open("ab") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
