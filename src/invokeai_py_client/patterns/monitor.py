"""`WorkflowMonitor`: watches sessions, whichever program submitted them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

from invokeai_py_client.client import InvokeAIClient
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.wire.events import Event

MonitorHandler = Callable[[Event], Awaitable[Any]]


class WorkflowMonitor:
    """Watches sessions by the events that the server pushes.

    Override `on_progress`, `on_node_complete` and `on_complete`, or read `events`, which contains all events as
    `("progress", event)`, `("node", event)` and `("complete", event)`, in order of arrival.

    Args:
        base_url: the server's address, with `http://` or `ws://`.
        token: the token, for a server in multi-user mode. It is never shown.

    Example:
        >>> async with WorkflowMonitor("ws://127.0.0.1:9090") as monitor:
        ...     await monitor.monitor_session(submission["session_id"])
        ...     await monitor.wait()
    """

    def __init__(self, base_url: str, *, token: str | None = None) -> None:
        self._client = InvokeAIClient.from_url(base_url, token=token)
        self._streams: dict[asyncio.Task[None], EventStream] = {}
        self.events: list[tuple[str, Event]] = []

    async def connect(self) -> None:
        """Check that the server can be reached.

        Raises:
            TransportError: the server cannot be reached.
            NotInvokeAIError: the responding server is not an InvokeAI server.
        """
        await self._client.aio.app.get_version()

    async def monitor_session(self, session_id: str, *, queue_id: str = "default") -> None:
        """Watch a session, in addition to those that are already watched. Returns when its events are subscribed to.

        Args:
            session_id: the id of the session, such as `submission["session_id"]`.
            queue_id: the queue of the session.

        Raises:
            NotFoundError: the queue does not have the session, or no longer.
        """
        run = await self._client.aio.run(session_id=session_id, queue_id=queue_id)
        stream = run.stream()
        self._streams[asyncio.create_task(self._watch(stream))] = stream

    async def wait(self) -> None:
        """Wait until all watched sessions have ended. An exception of a handler is raised here.

        Raises:
            InvokeAIError: watching a session failed.
        """
        await asyncio.gather(*self._streams)

    async def on_progress(self, event: Event) -> None:
        """Handle the progress of a node: `step`, `total_steps`, `progress_percentage`. Does nothing; override it."""

    async def on_node_complete(self, event: Event) -> None:
        """Handle the end of a node: `node_id`, `result`. Does nothing; override it."""

    async def on_complete(self, event: Event) -> None:
        """Handle the end of a session: `status`. Does nothing; override it."""

    async def disconnect(self) -> None:
        """Stop watching. The sessions continue to run."""
        for stream in self._streams.values():
            stream.close()
        await asyncio.gather(*self._streams, return_exceptions=True)
        self._streams.clear()
        await self._client.aclose()

    async def _watch(self, stream: EventStream) -> None:
        kinds: dict[str, tuple[str, MonitorHandler]] = {
            "generator_progress": ("progress", self.on_progress),
            "invocation_complete": ("node", self.on_node_complete),
            "session_complete": ("complete", self.on_complete),
        }
        async for event in stream:
            if event.type in kinds:
                name, handler = kinds[event.type]
                self.events.append((name, event))
                await handler(event)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    def __repr__(self) -> str:
        return f"<WorkflowMonitor {self._client.settings.url} sessions={len(self._streams)}>"
