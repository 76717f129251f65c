"""`execute_with_retry` and `execute_with_recovery`: submit a workflow again after a failure, if that may help."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
from invokeai_py_client.errors import (
    ApiError,
    EnqueueInDoubtError,
    InvokeAIError,
    NotEnqueuedError,
    RunError,
    RunFailed,
    RunTimeout,
)
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.option_checks import at_least_one, unusable
from invokeai_py_client.patterns.giving_up import awaited_canceled_if_given_up, canceled_if_given_up
from invokeai_py_client.run import ProgressCallback
from invokeai_py_client.workflow.inputs import WorkflowInputs, set_all
from invokeai_py_client.workflow_handle import AsyncWorkflowHandle

logger = logging.getLogger("invokeai_py_client.patterns")

# Not `InputKey`: Mapping is invariant in its key type, so mappings of fewer types of keys would be rejected.
Fallback = Mapping[Any, Any]
"""Values of inputs, by the same keys as for `WorkflowHandle.set_many`."""


def execute_with_retry(
    wf: WorkflowHandle,
    max_retries: int = 3,
    backoff: float = 2.0,
    *,
    timeout: float | None = None,
    progress_callback: ProgressCallback | None = None,
) -> QueueItem:
    """Run a workflow until it has completed, and retry after transient failures.

    Transient failures are an unreachable or overloaded server, a full queue, a timeout, and transient errors of nodes
    (`error.is_transient`), such as a lack of GPU memory. Other errors are raised immediately: a workflow that the
    server rejects, or whose node fails for another reason, would fail again.

    A submission whose response was lost is not sent twice. Items that a restarted server canceled run again, which does
    not count as an attempt. A timeout or Ctrl-C cancels the current run.

    Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

    Args:
        wf: the workflow, with its values.
        max_retries: the maximum number of attempts, including the first.
        backoff: the base of the exponential back-off. The delay after attempt n is `backoff ** (n - 1)` seconds: by
            default 1, 2, 4, ... If the server asks for a longer delay (`Retry-After`), that is used.
        timeout: the time limit for each attempt, in seconds; None for no limit.
        progress_callback: called as in `run.wait`.

    Returns:
        The completed item.

    Raises:
        SettingsError: `max_retries` or `backoff` is invalid.
        RunFailed: a node failed permanently, or the last attempt failed.
        RunCanceled: the run was canceled.
        RunTimeout: the last attempt took longer than `timeout`.
        InvokeAIError: as for `submit_sync`.

    Example:
        >>> execute_with_retry(wf, max_retries=3, timeout=180).status
        'completed'
    """
    return _repeated(wf, _Attempts(max_retries, backoff), timeout, progress_callback)


async def execute_with_retry_async(
    wf: AsyncWorkflowHandle,
    max_retries: int = 3,
    backoff: float = 2.0,
    *,
    timeout: float | None = None,  # noqa: ASYNC109
    progress_callback: ProgressCallback | None = None,
) -> QueueItem:
    """Do the same as `execute_with_retry`, awaited on any loop. If the task is cancelled, the run is canceled.

    Example:
        >>> item = await execute_with_retry_async(wf.aio, timeout=180)
    """
    return await _awaited_repeated(wf, _Attempts(max_retries, backoff), timeout, progress_callback)


def execute_with_recovery(
    wf: WorkflowHandle,
    fallbacks: Iterable[Fallback],
    *,
    max_retries: int = 3,
    backoff: float = 2.0,
    timeout: float | None = None,
    progress_callback: ProgressCallback | None = None,
) -> QueueItem:
    """Run a workflow. If a node fails or the run times out, run it again with less demanding values.

    Each fallback is set in addition to the earlier ones, and remains set. All fallbacks are checked before anything is
    sent. While the server cannot be reached, the same values are retried as in `execute_with_retry`. A workflow that
    the server rejects is not retried. A timeout or Ctrl-C cancels the current run.

    Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

    Args:
        wf: the workflow, with the values for the first run.
        fallbacks: the values to set for each further run.
        max_retries: the maximum number of attempts with the same values while the server cannot be reached.
        backoff: as for `execute_with_retry`.
        timeout: the time limit for each run, in seconds; None for no limit.
        progress_callback: called as in `run.wait`.

    Returns:
        The completed item. The inputs of `wf` have the values with which it completed.

    Raises:
        InputNotFoundError: a fallback names an input that does not exist. Nothing was sent.
        InputValueError: a fallback has a value that is not allowed. Nothing was sent.
        TypeError: `fallbacks` is not a list of mappings. Nothing was sent.
        SettingsError: `max_retries` or `backoff` is invalid.
        RunFailed: a node also failed with the last fallback.
        RunTimeout: the run with the last fallback also took longer than `timeout`.
        RunCanceled: the run was canceled.
        InvokeAIError: as for `submit_sync`.

    Example:
        >>> smaller = [{"Width": 512, "Height": 512}, {"Steps": 10}]
        >>> execute_with_recovery(wf, fallbacks=smaller, timeout=120).status
        'completed'
    """
    attempts = _AttemptsWithFallbacks(wf.inputs, fallbacks, max_retries, backoff)
    return _repeated(wf, attempts, timeout, progress_callback)


async def execute_with_recovery_async(
    wf: AsyncWorkflowHandle,
    fallbacks: Iterable[Fallback],
    *,
    max_retries: int = 3,
    backoff: float = 2.0,
    timeout: float | None = None,  # noqa: ASYNC109
    progress_callback: ProgressCallback | None = None,
) -> QueueItem:
    """Do the same as `execute_with_recovery`, awaited on any loop. If the task is cancelled, the run is canceled.

    Example:
        >>> item = await execute_with_recovery_async(wf.aio, [{"Width": 512, "Height": 512}], timeout=120)
    """
    attempts = _AttemptsWithFallbacks(wf.inputs, fallbacks, max_retries, backoff)
    return await _awaited_repeated(wf, attempts, timeout, progress_callback)


def _repeated(
    wf: WorkflowHandle, attempts: _Attempts, timeout: float | None, progress_callback: ProgressCallback | None
) -> QueueItem:
    while True:
        try:
            run = wf.submit_sync(batch_id=attempts.batch_id, on_server_loss="resubmit")
            with canceled_if_given_up(run):
                run.wait(timeout, progress_callback=progress_callback)
            return run.result()
        except InvokeAIError as error:
            if (pause := attempts.pause_after(error)) is None:
                raise
        if pause:
            time.sleep(pause)


async def _awaited_repeated(
    wf: AsyncWorkflowHandle,
    attempts: _Attempts,
    timeout: float | None,  # noqa: ASYNC109
    progress_callback: ProgressCallback | None,
) -> QueueItem:
    while True:
        try:
            run = await wf.submit(batch_id=attempts.batch_id, on_server_loss="resubmit")
            async with awaited_canceled_if_given_up(run):
                await run.wait(timeout, progress_callback=progress_callback)
            return await run.result()
        except InvokeAIError as error:
            if (pause := attempts.pause_after(error)) is None:
                raise
        if pause:
            await asyncio.sleep(pause)


class _Attempts:
    """Counts attempts, and decides after each failure whether there is another one.

    `batch_id` is the batch id of the next submission: that of the last one if that may have been stored.
    """

    def __init__(self, most: int, backoff: float) -> None:
        if not isinstance(backoff, int | float) or not 0 <= backoff < float("inf"):
            raise unusable("backoff", backoff, "a number of at least 0")
        self._most = at_least_one("max_retries", most)
        self._backoff = backoff
        self._failed = 0
        self.batch_id: str | None = None

    def pause_after(self, error: InvokeAIError) -> float | None:
        """Return the seconds to wait before the next attempt; None if there is none."""
        self._failed += 1
        if not error.is_transient and not isinstance(error, RunTimeout | EnqueueInDoubtError):
            return None
        if self._failed == self._most:
            error.add_note(f"This was attempt {self._failed} of {self._most}.")
            return None
        has_run = isinstance(error, RunError) and not isinstance(error, NotEnqueuedError)
        self.batch_id = None if has_run else error.batch_id
        asked_for = error.retry_after if isinstance(error, ApiError) else None
        pause = max(float(self._backoff ** (self._failed - 1)), asked_for or 0.0)
        logger.warning("attempt %d of %d failed, the next is in %g s: %s", self._failed, self._most, pause, error)
        return pause


class _AttemptsWithFallbacks(_Attempts):
    """Counts attempts separately for each fallback. The next fallback is set when a node has failed or a run timed out.

    Raises:
        InputNotFoundError: a fallback names an input that does not exist.
        InputValueError: a fallback has a value that is not allowed.
        TypeError: the fallbacks are not a list of mappings.
    """

    def __init__(self, inputs: WorkflowInputs, fallbacks: Iterable[Fallback], most: int, backoff: float) -> None:
        if isinstance(fallbacks, Mapping) or not isinstance(fallbacks, Iterable):
            raise TypeError(f"fallbacks must be a list of mappings, one for each attempt, not {fallbacks!r:.80}")
        self._inputs = inputs
        self._fallbacks = [dict(values) for values in fallbacks]
        self._tried = 0
        before = [(field := inputs[key].field, field.snapshot()) for values in self._fallbacks for key in values]
        try:
            for values in self._fallbacks:
                set_all(inputs, values)
        finally:
            for field, state in reversed(before):
                field.restore(state)
        super().__init__(most, backoff)

    def pause_after(self, error: InvokeAIError) -> float | None:
        """Return the seconds to wait before the next attempt, whose values this sets; None if there is none."""
        if not isinstance(error, RunFailed | RunTimeout):
            return super().pause_after(error)
        if self._tried == len(self._fallbacks):
            if self._fallbacks:
                error.add_note(f"All {len(self._fallbacks)} fallbacks were tried; the last is {self._fallbacks[-1]}.")
            return None
        values = self._fallbacks[self._tried]
        self._tried += 1
        logger.warning("retrying with the values %s: %s", values, error)
        set_all(self._inputs, values)
        self._failed, self.batch_id = 0, None
        return 0.0
