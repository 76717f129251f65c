"""Take events off a websocket before the Socket.IO library gets them.

The library makes two tasks for each message, which costs more than all that this client does with an event. The library
still handles everything else: the handshake, acknowledgements, pings, and the end of the connection.
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
"""The beginning of an event of the default namespace without an acknowledgement: message (4), event (2), name."""

_MOST_SKIPPED = 20
"""The number of types of unreadable events that are logged for each connection."""

_LONGEST_NAME = 50
"""The number of characters of the name of an unreadable event that are logged."""


class TappedSession:
    """The part of an HTTP session that the library uses for one websocket, whose events go to a handler instead.

    Args:
        session: The session that opens the websocket. It is shared, and never closed here.
        handler: Called with the name and payload of each event, in order. It must not block or raise.
    """

    def __init__(self, session: aiohttp.ClientSession, handler: EventHandler) -> None:
        self._session = session
        self._handler = handler
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self.closed = False

    @property
    def cookie_jar(self) -> AbstractCookieJar:
        """The cookie jar of the session."""
        return self._session.cookie_jar

    async def ws_connect(self, url: str, **options: Any) -> TappedWebSocket:
        """Open the websocket."""
        # When the library's client is garbage collected, it would close a session that is not closed, in any thread.
        self.closed = True
        websocket = self._websocket = await self._session.ws_connect(url, **options)
        return TappedWebSocket(websocket, self._handler)

    async def close_websocket(self) -> None:
        """Close the websocket if it is still open. The library does not close it after a failed handshake."""
        if self._websocket is not None:
            await self._websocket.close()


class TappedWebSocket:
    """A websocket whose `receive` does not return events: the handler gets them, if they are readable JSON."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, handler: EventHandler) -> None:
        self._websocket = websocket
        self._handler = handler
        self._skipped: set[str] = set()
        self.send_str = websocket.send_str
        self.send_bytes = websocket.send_bytes
        self.close = websocket.close

    async def receive(self) -> aiohttp.WSMessage:
        """Return the next message that is not an event."""
        while True:
            message = await self._websocket.receive()
            if message.type is aiohttp.WSMsgType.ERROR:
                logger.info("the websocket broke: %s", message.data)
            if message.type is not aiohttp.WSMsgType.TEXT or not message.data.startswith(_EVENT):
                return message
            try:
                name, *payload = json.loads(message.data[2:])
            except (ValueError, RecursionError) as error:
                # The library would end the connection, and the next one for the same event.
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
