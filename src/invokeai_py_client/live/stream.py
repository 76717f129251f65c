"""Streams of events, for `for` and `async for`."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Self

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Losses, Mailbox, MailboxClosed
from invokeai_py_client.wire.events import Event


class EventStream(FixedAttributes):
    """A stream of events in the order in which the server sent them, for `for`, or `async for` on any loop.

    The stream subscribes when it is entered with `with` or `async with`, otherwise when the first event is requested.
    It unsubscribes at its end, on `close()`, when the `with` block exits, and when it is garbage-collected, for example
    after a `break`.

    `dropped` and `coalesced` count the progress events that a slow consumer did not receive. Other events are never
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
        """The number of progress events that were dropped."""
        return self._mailbox.dropped

    @property
    def coalesced(self) -> int:
        """The number of progress events that were replaced by a newer one of the same node."""
        return self._mailbox.coalesced

    def close(self) -> None:
        """Unsubscribe. Events that were already received can still be read."""
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
        # Stored here, because the reader may be cancelled before it gets the subscription.
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

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Must not wait: closing the mailbox notifies the producer.
        self._mailbox.close()
