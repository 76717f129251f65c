"""Streams of events, for `for` and `async for`."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Losses, Mailbox, MailboxClosed
from invokeai_py_client.wire.events import Event


class EventStream(FixedAttributes):
    """Events in the order in which the server sent them, until there are no more: `async for` from any loop, or `for`.

    It subscribes when a `with` or `async with` is entered, or with the first event that is asked for, and unsubscribes
    when it is let go: at the end, by `close()`, by leaving the `with`, or by dropping it, as `break` does.

    `dropped` and `coalesced` count the progress events that a slow consumer did not get to see. Other events are never
    dropped.

    Example:
        >>> async for event in wf.stream_events():
        ...     print(event.type)
    """

    def __init__(
        self,
        engine: Engine,
        subscribe: Callable[[Mailbox[Event]], Awaitable[Callable[[], InvokeAIError | None]]],
        losses: Losses,
    ) -> None:
        self._engine = engine
        self._subscribe = subscribe
        self._failure: Callable[[], InvokeAIError | None] | None = None
        self._mailbox: Mailbox[Event] = Mailbox(losses=losses)
        self._taken: deque[Event] = deque()

    @property
    def dropped(self) -> int:
        """How many progress events were dropped."""
        return self._mailbox.dropped

    @property
    def coalesced(self) -> int:
        """How many progress events gave way to a newer one of the same node."""
        return self._mailbox.coalesced

    def close(self) -> None:
        """Unsubscribe. What was already taken from the server can still be read."""
        self._mailbox.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        await self._begin()
        while not self._taken:
            try:
                self._taken.extend(await self._mailbox.take_async())
            except MailboxClosed:
                self._raise_failure()
                raise StopAsyncIteration from None
        return self._taken.popleft()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        self._begin_here()
        while not self._taken:
            try:
                self._taken.extend(self._mailbox.take())
            except MailboxClosed:
                self._raise_failure()
                raise StopIteration from None
        return self._taken.popleft()

    async def _begin(self) -> None:
        if self._failure is None:
            await self._engine.call(self._start())

    def _begin_here(self) -> None:
        if self._failure is None:
            self._engine.block(self._start())

    async def _start(self) -> None:
        # Noted here: the reader may be cancelled before it hears of the subscription.
        if self._failure is None:
            self._failure = await self._subscribe(self._mailbox)

    def _raise_failure(self) -> None:
        assert self._failure is not None
        failure = self._failure()
        if failure is not None:
            raise failure

    def __enter__(self) -> Self:
        self._begin_here()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # No waiting here: the producer is told that nobody listens any more.
        self._mailbox.close()
