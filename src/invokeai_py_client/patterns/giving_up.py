"""Runs whose recipe is given up are canceled: nobody would use what they make."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator

from invokeai_py_client.blocking.generated.run import Run
from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.run import AsyncRun

logger = logging.getLogger("invokeai_py_client.patterns")


@contextlib.contextmanager
def canceled_if_given_up(run: Run) -> Iterator[None]:
    """Cancel a run if its wait ends by a timeout, Ctrl-C or any other exception."""
    try:
        yield
    except BaseException:
        try:
            run.cancel()
        except InvokeAIError as error:
            _warn(run.batch_id, error)
        raise


@contextlib.asynccontextmanager
async def awaited_canceled_if_given_up(run: AsyncRun) -> AsyncIterator[None]:
    """`canceled_if_given_up`, awaited; a cancelled task counts as well."""
    try:
        yield
    except BaseException:
        try:
            await run.cancel()
        except InvokeAIError as error:
            _warn(run.batch_id, error)
        raise


def _warn(batch_id: str, error: InvokeAIError) -> None:
    logger.warning("batch %s is no longer waited for, and could not be canceled: %s", batch_id, error)
