"""Withdraws interrupted submissions: cancels what the server has stored of them, or still stores."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from invokeai_py_client.errors import ClientClosedError, InvokeAIError
from invokeai_py_client.live.enqueue import Enqueued
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import queue

RELEASE = 1.5
"""Seconds after which a cancelled submission returns, while its withdrawal continues. It must be less than the two
seconds that the engine allows for the clean-up of a cancelled call."""

_AT_CLOSE = 1.0
"""Seconds that closing the client waits for unfinished withdrawals."""

_CLOSED = "the client was closed meanwhile"

logger = logging.getLogger("invokeai_py_client.live")


class Closes(Protocol):
    """The part of the engine that withdrawals need."""

    def on_close(self, cleanup: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Await `cleanup` when the engine closes, unless the returned function is called before."""
        ...


class Withdrawals:
    """The withdrawals of one client that are not done yet. Belongs to the running loop.

    Args:
        http: sends the requests.
        engine: waits for the withdrawals when it closes.
    """

    def __init__(self, http: Sender, engine: Closes) -> None:
        self._http = http
        self._engine = engine
        self._running: dict[asyncio.Task[None], str] = {}
        """The batch of each."""

    async def withdraw(self, queue_id: str, batch_id: str, sending: asyncio.Future[Enqueued]) -> None:
        """Start to withdraw a batch, and wait for it at most 1.5 s. It continues in the background.

        Args:
            queue_id: the queue.
            batch_id: the batch.
            sending: the outcome of the request that sends the batch.
        """
        withdrawal = asyncio.create_task(self._withdraw(queue_id, batch_id, sending))
        if not self._running:
            self._forget = self._engine.on_close(self._finish)
        self._running[withdrawal] = batch_id
        withdrawal.add_done_callback(self._finished)
        await asyncio.wait([withdrawal], timeout=RELEASE)

    async def done(self, batch_id: str) -> None:
        """Wait until no withdrawal of a batch is running."""
        running = [withdrawal for withdrawal, its_batch in self._running.items() if its_batch == batch_id]
        if running:
            await asyncio.wait(running)

    async def _finish(self) -> None:
        """Wait briefly for the withdrawals, before connections are closed."""
        await asyncio.wait(self._running, timeout=_AT_CLOSE)

    def _finished(self, withdrawal: asyncio.Task[None]) -> None:
        del self._running[withdrawal]
        if not self._running:
            self._forget()

    async def _withdraw(self, queue_id: str, batch_id: str, sending: asyncio.Future[Enqueued]) -> None:
        try:
            await self._cancel_stored(queue_id, batch_id, sending)
        except ClientClosedError:
            _warn_of_stray(queue_id, batch_id, _CLOSED)
        except Exception as error:
            _warn_of_stray(queue_id, batch_id, f"{type(error).__name__}: {error}")
        except asyncio.CancelledError:
            _warn_of_stray(queue_id, batch_id, _CLOSED)
            raise

    async def _cancel_stored(self, queue_id: str, batch_id: str, sending: asyncio.Future[Enqueued]) -> None:
        """Wait until it is known whether the server has stored a batch, and cancel its items.

        Raises:
            InvokeAIError: it is still unknown, or the request failed.
        """
        doubt: InvokeAIError | None = None
        try:
            is_stored = bool((await sending).item_ids)
        except InvokeAIError as error:
            doubt, is_stored = error, error.may_have_been_applied
        if is_stored:
            result = await self._http.send(queue.cancel_batches(queue_id, [batch_id]))
            if doubt is not None:
                # Items that the server stores later were not canceled.
                raise doubt
            logger.info("the submission of batch %s was interrupted: %d items canceled", batch_id, result.canceled)


def _warn_of_stray(queue_id: str, batch_id: str, why: str) -> None:
    logger.warning(
        "batch %s may be in the queue %r although its submission was interrupted (%s). "
        "Cancel it with client.queue_repo.get_queue(%r).cancel_batch(%r).",
        batch_id,
        queue_id,
        why,
        queue_id,
        batch_id,
    )
