"""Takes events off a websocket before the Socket.IO library sees them.

The library makes two tasks of each message, which costs more than all that this client does with an event. Everything
else is still the library's: the handshake, acks, pings, and the connection's end.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractCookieJar

EventHandler = Callable[[str, Any], None]

logger = logging.getLogger("invokeai_py_client.socket")

_EVENT = '42["'
"""How an event of the default namespace that wants no ack begins: a message (4), an event (2), its name."""

_MOST_SKIPPED = 20
"""Types of unreadable events that are logged, for each connection."""

_LONGEST_NAME = 50
"""Characters of an unreadable event's name that are logged."""


class TappedSession:
    """The part of an HTTP session that the library uses, for one websocket, which is tapped.

    Args:
        session: whose websocket it is. It is shared, and never closed here.
        handler: called with each event's name and payload, in order; it must not block, nor raise.
    """

    def __init__(self, session: aiohttp.ClientSession, handler: EventHandler) -> None:
        self._session = session
        self._handler = handler
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self.closed = False

    @property
    def cookie_jar(self) -> AbstractCookieJar:
        """The session's."""
        return self._session.cookie_jar

    async def ws_connect(self, url: str, **options: Any) -> TappedWebSocket:
        """Open the websocket."""
        # The library's client closes a session that is not closed yet when it is collected, in whatever thread.
        self.closed = True
        self._websocket = await self._session.ws_connect(url, **options)
        return TappedWebSocket(self._websocket, self._handler)

    async def close_websocket(self) -> None:
        """Close the websocket if it is still open, as after a failed handshake, which the library leaves to itself."""
        if self._websocket is not None:
            await self._websocket.close()


class TappedWebSocket:
    """A websocket whose `receive` returns no events: they go to the handler, or are skipped if they are not JSON."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, handler: EventHandler) -> None:
        self._websocket = websocket
        self._handler = handler
        self._skipped: set[str] = set()
        self.send_str = websocket.send_str
        self.send_bytes = websocket.send_bytes
        self.close = websocket.close

    async def receive(self) -> aiohttp.WSMessage:
        """The next message that is no event."""
        while True:
            message = await self._websocket.receive()
            if message.type is aiohttp.WSMsgType.ERROR:
                logger.info("the websocket broke: %s", message.data)
            if message.type is not aiohttp.WSMsgType.TEXT or not message.data.startswith(_EVENT):
                return message
            try:
                name, *payload = json.loads(message.data[2:])
            except (ValueError, RecursionError) as error:
                # The library would end the connection, and so would the next one, for the same event.
                self._skip(message.data, error)
                continue
            self._handler(name, payload[0] if payload else None)

    def _skip(self, data: str, error: Exception) -> None:
        name = data[len(_EVENT) :].partition('"')[0][:_LONGEST_NAME]
        if name not in self._skipped and len(self._skipped) < _MOST_SKIPPED:
            self._skipped.add(name)
            logger.warning(
                "skipped an event of type %r that is not readable JSON (%d characters, %s); "
                "more of this type are not logged",
                name,
                len(data),
                type(error).__name__,
            )
