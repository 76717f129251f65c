"""Cancels a run when a recipe stops waiting for it, because its results would not be used."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator

from invokeai_py_client.blocking.generated.run import Run
from invokeai_py_client.errors import InvokeAIError, RunTimeout
from invokeai_py_client.run import AsyncRun

logger = logging.getLogger("invokeai_py_client.patterns")


@contextlib.contextmanager
def canceled_if_given_up(run: Run) -> Iterator[None]:
    """Cancel a run if its wait ends by a timeout, Ctrl-C or any other exception."""
    try:
        yield
    except BaseException as reason:
        try:
            run.cancel()
        except InvokeAIError as error:
            warn_not_canceled(run.batch_id, error)
        else:
            _tell_canceled(reason)
        raise


@contextlib.asynccontextmanager
async def awaited_canceled_if_given_up(run: AsyncRun) -> AsyncIterator[None]:
    """Like `canceled_if_given_up`, for awaited waits, which may also end because their task is cancelled."""
    try:
        yield
    except BaseException as reason:
        try:
            await run.cancel()
        except InvokeAIError as error:
            warn_not_canceled(run.batch_id, error)
        else:
            _tell_canceled(reason)
        raise


def _tell_canceled(reason: BaseException) -> None:
    """Change the hint of a timeout error, as its default hint says that the run continues."""
    if isinstance(reason, RunTimeout):
        what = str(reason).removesuffix(reason.hint)
        reason.hint = "The run was canceled. Pass a longer timeout."
        reason.args = (what + reason.hint,)


def warn_not_canceled(batch_id: str, error: InvokeAIError) -> None:
    """Warn that a run that was given up may continue."""
    logger.warning("batch %s was given up, but could not be canceled: %s", batch_id, error)
