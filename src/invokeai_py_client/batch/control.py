"""What the parts of a running batch share: whether it goes on, what runs in the background, and what waits for it."""

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
"""Errors that would meet all other rows as well."""

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between the attempts at what a server that is away must do; the last is repeated."""

logger = logging.getLogger("invokeai_py_client.batch")


class BatchControl:
    """Whether a batch goes on. Changed on the engine only; any thread may read it.

    Args:
        engine: runs the background tasks.
        batch_id: the id of the batch; empty for a new one.
    """

    def __init__(self, engine: Engine, batch_id: str = "") -> None:
        self.batch_id = batch_id or str(uuid4())
        """The beginning of the ids of what is sent to the server's queue."""
        self.is_paused = False
        self.is_canceled = False
        self.is_over = False
        self.failure: Exception | None = None
        """Why the batch has stopped before all rows had ended."""
        self._engine = engine
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_end: list[Callable[[], None]] = []
        self._changed = asyncio.Event()
        self._mailboxes: dict[Mailbox[None], None] = {}
        self._is_telling = False

    # Beginning and end

    def begin(self) -> None:
        """Go on, after an end as well."""
        self.is_over = self.is_paused = False
        self.failure = None

    def end(self, failure: Exception | None) -> None:
        """Stop everything that runs in the background. What comes after the first end changes nothing.

        Args:
            failure: why, if not all rows have ended.
        """
        if self.is_over:
            return
        self.failure, self.is_over = failure, True
        if failure is not None:
            level = logging.DEBUG if isinstance(failure, ClientClosedError) else logging.WARNING
            logger.log(level, "batch %s has stopped: %s", self.batch_id, failure)
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        for function in self._at_end:
            function()
        self._changed.set()
        self._tell()

    def at_end(self, function: Callable[[], None]) -> None:
        """Call a function at each end."""
        self._at_end.append(function)

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]], *, name: str) -> None:
        """Run something in the background. An error in it ends the batch, so that nothing waits for it without end."""
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
            logger.exception("batch %s has met an unforeseen error", self.batch_id)
            self.end(error)

    # Waiting

    def notify(self) -> None:
        """Tell what waits that something has changed; once for all that changes in one burst of events."""
        self._changed.set()
        if not self._is_telling:
            self._is_telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    async def until(self, is_so: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait until something is so, which is looked at after each change, but at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()

    async def patiently(self, attempt: Callable[[], Awaitable[T]], *, even_if_canceled: bool = False) -> T:
        """Repeat what fails because the server is away, until it succeeds, or the batch is canceled.

        Raises:
            InvokeAIError: another failure; or the batch is canceled.
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
        """Put something into a mailbox at each change. Any thread may call this."""
        self._mailboxes[mailbox] = None

    def unwatch(self, mailbox: Mailbox[None]) -> None:
        """Undo `watch`. Any thread may call this."""
        self._mailboxes.pop(mailbox, None)

    def _tell(self) -> None:
        self._is_telling = False
        for mailbox in self._mailboxes.copy():
            mailbox.put(None, key="changed")


def pauses() -> Iterator[float]:
    """Yield the seconds between attempts, without end."""
    return itertools.chain(PAUSES, itertools.repeat(PAUSES[-1]))


def one_line(error: Exception) -> str:
    """Return an error as one line, with its class."""
    return " ".join(f"{type(error).__name__}: {error}".split())
