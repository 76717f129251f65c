"""Cancels the run that a recipe gives up: nothing would use what it makes."""

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
            _warn(run.batch_id, error)
        else:
            _tell_canceled(reason)
        raise


@contextlib.asynccontextmanager
async def awaited_canceled_if_given_up(run: AsyncRun) -> AsyncIterator[None]:
    """`canceled_if_given_up`, awaited; a cancelled task counts as well."""
    try:
        yield
    except BaseException as reason:
        try:
            await run.cancel()
        except InvokeAIError as error:
            _warn(run.batch_id, error)
        else:
            _tell_canceled(reason)
        raise


def _tell_canceled(reason: BaseException) -> None:
    """Have the error of a timeout say what became of the run; a wait of the user's own would leave it running."""
    if isinstance(reason, RunTimeout):
        what = str(reason).removesuffix(reason.hint)
        reason.hint = "It was canceled: give it a longer timeout."
        reason.args = (what + reason.hint,)


def _warn(batch_id: str, error: InvokeAIError) -> None:
    logger.warning("batch %s is no longer waited for, and could not be canceled: %s", batch_id, error)
