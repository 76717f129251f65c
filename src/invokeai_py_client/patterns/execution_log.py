"""`ExecutionLogger`: a file that says what was submitted, how far it is, and how it ended."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from invokeai_py_client.fixed_attributes import FixedAttributes

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
    """Logs submissions, their progress and their ends to a file.

    It logs ids, statuses and the server's error messages, but no values of inputs, URLs or tokens. Lines are appended;
    several loggers, also of several threads, can be used at once. What cannot be written, as on a full disk, is
    reported by Python's `logging` on stderr and does not end the run.

    Args:
        log_file: the file, which is created if it is missing.
        json_lines: write each line as a JSON object with `time` (UTC), `level`, `event` (`submission`, `progress` or
            `completion`), and what is known.

    Raises:
        OSError: the file cannot be opened.

    Example:
        >>> with ExecutionLogger("workflow.log") as logger:
        ...     submission = wf.submit_sync()
        ...     logger.log_submission(submission)
        ...     logger.log_completion(wf.wait_for_completion_sync(progress_callback=logger.log_progress))
    """

    def __init__(self, log_file: str | os.PathLike[str] = "workflow.log", *, json_lines: bool = False) -> None:
        self._handler = logging.FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
        self._handler.setFormatter(_JSONLines() if json_lines else _Lines("%(asctime)s - %(levelname)s - %(message)s"))
        # One that `logging.getLogger` does not know, so that two of them do not write each other's lines.
        self._logger = logging.Logger("workflow", logging.INFO)
        self._logger.addHandler(self._handler)
        self._told: tuple[Any, ...] = ()

    def log_submission(self, submission: Mapping[str, Any]) -> None:
        """Log what was submitted.

        Args:
            submission: what `submit_sync` or `submit` returned.
        """
        self._log(logging.INFO, "submission", f"Submitted: {submission.get('batch_id')}", submission, _SUBMISSION)

    def log_progress(self, queue_item: Mapping[str, Any]) -> None:
        """Log how far a run is; it can be a `progress_callback`. What says nothing new is left out.

        Args:
            queue_item: the item as it is now.
        """
        told = tuple(queue_item.get(name) for name in _PROGRESS)
        if told != self._told:
            self._told = told
            progress = queue_item.get("progress_percentage", 0)
            self._log(logging.INFO, "progress", f"Progress: {progress}%", queue_item, _PROGRESS)

    def log_completion(self, result: Mapping[str, Any]) -> None:
        """Log how a run has ended: as an error, with the server's reason, unless it has completed.

        Args:
            result: the finished item.
        """
        status = result.get("status")
        if status == "completed":
            self._log(logging.INFO, "completion", "Workflow completed successfully", result, _COMPLETION)
            return
        reason = result.get("error")
        message = f"Workflow failed: {status}" + (f" ({reason})" if reason else "")
        self._log(logging.ERROR, "completion", message, result, _COMPLETION)

    def close(self) -> None:
        """Close the file."""
        self._logger.removeHandler(self._handler)
        self._handler.close()

    def _log(self, level: int, event: str, message: str, thing: Mapping[str, Any], names: tuple[str, ...]) -> None:
        facts = {name: value for name in names if (value := thing.get(name)) is not None}
        self._logger.log(level, "%s", message, extra={"event": event, "facts": facts})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Lines(logging.Formatter):
    """One line for each record: a server's message cannot begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(super().format(record).splitlines())


class _JSONLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": vars(record)["event"],
            **vars(record)["facts"],
        }
        return json.dumps(facts, ensure_ascii=False, default=str)
