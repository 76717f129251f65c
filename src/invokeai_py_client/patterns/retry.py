"""`execute_with_retry` and `execute_with_recovery`: submit a workflow again where that can help."""

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
from invokeai_py_client.workflow.inputs import InputKey, WorkflowInputs, set_all
from invokeai_py_client.workflow_handle import AsyncWorkflowHandle

logger = logging.getLogger("invokeai_py_client.patterns")

Fallback = Mapping[InputKey, Any] | Mapping[str, Any] | Mapping[int, Any] | Mapping[tuple[str, str], Any]
"""Values of inputs, as `WorkflowHandle.set_many` takes them."""


def execute_with_retry(
    wf: WorkflowHandle,
    max_retries: int = 3,
    backoff: float = 2.0,
    *,
    timeout: float | None = None,
    progress_callback: ProgressCallback | None = None,
) -> QueueItem:
    """Run a workflow until it has completed, and try again after a failure that need not happen again.

    Such failures are a server that cannot be reached or is overloaded, a full queue, a timeout, and errors of nodes
    that are transient (`error.is_transient`), such as a GPU without enough free memory. Anything else is raised at
    once: a workflow that the server rejects, or whose node fails for another reason, would fail again.

    A submission whose response was lost is not sent twice. What a restarted server has canceled runs again and does not
    count as an attempt. A run that is given up, by `timeout` or Ctrl-C, is canceled.

    Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

    Args:
        wf: the workflow, with its values.
        max_retries: how many attempts there are, the first one included.
        backoff: before attempt n + 1, this many seconds to the power of n - 1 pass: 1, 2, 4, ... by default. If the
            server asks for a longer pause (`Retry-After`), that is kept.
        timeout: seconds that each attempt may take; None for as long as it takes.
        progress_callback: called as in `run.wait`.

    Returns:
        The completed item.

    Raises:
        SettingsError: `max_retries` or `backoff` cannot be used.
        RunFailed: a node failed, and it is not worth another attempt, or the last attempt has failed.
        RunCanceled: somebody canceled the run.
        RunTimeout: the last attempt took longer than `timeout`.
        InvokeAIError: as `submit_sync`.

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
    """`execute_with_retry`, awaited from any loop. If its task is cancelled, the run is canceled.

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
    """Run a workflow, and if a node fails or the time is over, run it again with values that ask less of the server.

    Each fallback is set on top of those before it, and stays set. All are checked before anything is sent. While the
    server cannot be reached, the same values are tried again as in `execute_with_retry`; a workflow that the server
    rejects is not. A run that is given up, by `timeout` or Ctrl-C, is canceled.

    Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

    Args:
        wf: the workflow, with the values to try first.
        fallbacks: values to set, one mapping after another.
        max_retries: how often the same values are submitted while the server cannot be reached.
        backoff: as in `execute_with_retry`.
        timeout: seconds that each run may take; None for as long as it takes.
        progress_callback: called as in `run.wait`.

    Returns:
        The completed item; the inputs of `wf` have the values with which it completed.

    Raises:
        InputNotFoundError: a fallback names an input that is not there. Nothing was sent.
        InputValueError: a fallback has a value that is not allowed. Nothing was sent.
        TypeError: `fallbacks` is not a list of mappings. Nothing was sent.
        SettingsError: `max_retries` or `backoff` cannot be used.
        RunFailed: a node failed with the last fallback, too.
        RunTimeout: the run with the last fallback took longer than `timeout`, too.
        RunCanceled: somebody canceled the run.
        InvokeAIError: as `submit_sync`.

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
    """`execute_with_recovery`, awaited from any loop. If its task is cancelled, the run is canceled.

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

    `batch_id` is the batch of the next submission: that of the last one if it may have been stored.
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
    """Attempts that count anew with the next fallback when a node has failed or the time is over.

    Raises:
        InputNotFoundError, InputValueError: a fallback cannot be set.
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
        """Return the seconds to wait before the next attempt, whose values are set; None if there is none."""
        if not isinstance(error, RunFailed | RunTimeout):
            return super().pause_after(error)
        if self._tried == len(self._fallbacks):
            if self._fallbacks:
                error.add_note(f"All {len(self._fallbacks)} fallbacks were tried; the last is {self._fallbacks[-1]}.")
            return None
        values = self._fallbacks[self._tried]
        self._tried += 1
        logger.warning("trying again with the values %s: %s", values, error)
        set_all(self._inputs, values)
        self._failed, self.batch_id = 0, None
        return 0.0
