"""State that the parts of a running batch share: paused, canceled or over; background tasks; waiting for changes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar
from uuid import uuid4

from invokeai_py_client.errors import (
    AuthenticationError,
    BatchFolderError,
    ClientClosedError,
    ForbiddenError,
    InvokeAIError,
    NotInvokeAIError,
    ProcessorStoppedError,
    RedirectedError,
)
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Mailbox

T = TypeVar("T")

FATAL = (
    AuthenticationError,
    ForbiddenError,
    BatchFolderError,
    ClientClosedError,
    NotInvokeAIError,
    ProcessorStoppedError,
    RedirectedError,
)
"""Errors that all other rows would have as well, so they stop the batch."""

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between attempts while the server is unreachable. The last one is repeated."""

logger = logging.getLogger("invokeai_py_client.batch")


class BatchControl:
    """The shared state of a batch. Changed on the engine only; any thread may read it.

    Args:
        engine: runs the background tasks.
        batch_id: the id of the batch; empty to generate one.
    """

    def __init__(self, engine: Engine, batch_id: str = "") -> None:
        self.batch_id = batch_id or str(uuid4())
        """The prefix of the ids of all parts that are sent to the server's queue."""
        self.is_paused = False
        self.is_canceled = False
        self.is_over = False
        self.failure: Exception | None = None
        """The error that stopped the batch before all rows had ended."""
        self._engine = engine
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_end: list[Callable[[], None]] = []
        self._changed = asyncio.Event()
        self._mailboxes: dict[Mailbox[None], None] = {}
        self._is_telling = False

    # Beginning and end

    def begin(self) -> None:
        """Mark the batch as running, also after an end."""
        self.is_over = self.is_paused = False
        self.failure = None

    def end(self, failure: Exception | None) -> None:
        """End the batch and cancel its background tasks. Does nothing if the batch is over.

        Args:
            failure: the reason, if not all rows have ended.
        """
        if self.is_over:
            return
        self.failure, self.is_over = failure, True
        if failure is not None:
            level = logging.DEBUG if isinstance(failure, ClientClosedError) else logging.WARNING
            # A wait raises it.
            logger.log(level, "batch %s has stopped: %s", self.batch_id, failure, extra={"is_known": True})
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        for function in self._at_end:
            function()
        self._changed.set()
        self._tell()

    def at_end(self, function: Callable[[], None]) -> None:
        """Call a function each time the batch ends."""
        self._at_end.append(function)

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]], *, name: str) -> None:
        """Run a coroutine in the background. An error in it ends the batch, so that waits do not hang."""
        task = self._engine.spawn(self._guarded(work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            with self.guarding():
                await work()
        except asyncio.CancelledError:
            self.end(ClientClosedError("The client was closed while a batch was running."))
            raise

    @contextlib.contextmanager
    def guarding(self) -> Iterator[None]:
        """End the batch with the error that the block raises."""
        try:
            yield
        except InvokeAIError as error:
            self.end(error)
        except Exception as error:
            logger.exception("batch %s has stopped with an unexpected error", self.batch_id)
            self.end(error)

    # Waiting

    def notify(self) -> None:
        """Wake up waiters and mailboxes after a change. Mailboxes get one message for a burst of changes."""
        self._changed.set()
        if not self._is_telling:
            self._is_telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    async def until(self, is_so: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait until a condition is true, at most `seconds`. The condition is evaluated after each change."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()

    async def patiently(self, attempt: Callable[[], Awaitable[T]], *, even_if_canceled: bool = False) -> T:
        """Repeat a call that fails transiently until it succeeds or the batch is canceled.

        Args:
            attempt: the call.
            even_if_canceled: go on when the batch is canceled.

        Raises:
            InvokeAIError: the call failed permanently, or the batch was canceled.
        """
        for pause in pauses():
            try:
                return await attempt()
            except InvokeAIError as error:
                if not error.is_transient or (self.is_canceled and not even_if_canceled):
                    raise
                logger.info("batch %s waits for the server: %s", self.batch_id, error)
            await self.until(lambda: self.is_canceled and not even_if_canceled, pause)
        raise AssertionError("the loop above returns or raises")

    def watch(self, mailbox: Mailbox[None]) -> None:
        """Put a message into a mailbox at each change. Any thread may call this."""
        self._mailboxes[mailbox] = None

    def unwatch(self, mailbox: Mailbox[None]) -> None:
        """Undo `watch`. Any thread may call this."""
        self._mailboxes.pop(mailbox, None)

    def _tell(self) -> None:
        self._is_telling = False
        for mailbox in self._mailboxes.copy():
            mailbox.put(None, key="changed")


def pauses() -> Iterator[float]:
    """Yield the seconds between attempts, infinitely."""
    return itertools.chain(PAUSES, itertools.repeat(PAUSES[-1]))


def one_line(error: Exception) -> str:
    """Return an error as one line, with its class."""
    return " ".join(f"{type(error).__name__}: {error}".split())
