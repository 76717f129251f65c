"""Takes events off a websocket before the Socket.IO library sees them.

The library makes two tasks of each message, which costs more than all that this client does with an event. Everything
else is still the library's: the handshake, acks, pings, and the connection's end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractCookieJar

EventHandler = Callable[[str, Any], None]

_EVENT = '42["'
"""How an event of the default namespace that wants no ack begins: a message (4), an event (2), its name."""


class TappedSession:
    """The part of an HTTP session that the library uses, for one websocket, which is tapped.

    Args:
        session: whose websocket it is. It is shared, and never closed here.
        handler: called with each event's name and payload, in order; it must not block, nor raise.
    """

    def __init__(self, session: aiohttp.ClientSession, handler: EventHandler) -> None:
        self._session = session
        self._handler = handler
        self.closed = False

    @property
    def cookie_jar(self) -> AbstractCookieJar:
        """The session's."""
        return self._session.cookie_jar

    async def ws_connect(self, url: str, **options: Any) -> TappedWebSocket:
        """Open the websocket."""
        # The library's client closes a session that is not closed yet when it is collected, in whatever thread.
        self.closed = True
        return TappedWebSocket(await self._session.ws_connect(url, **options), self._handler)


class TappedWebSocket:
    """A websocket from which events never come out of `receive`: they go to the handler."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, handler: EventHandler) -> None:
        self._websocket = websocket
        self._handler = handler
        self.send_str = websocket.send_str
        self.send_bytes = websocket.send_bytes
        self.close = websocket.close

    async def receive(self) -> aiohttp.WSMessage:
        """The next message that is no event."""
        while True:
            message = await self._websocket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT or not message.data.startswith(_EVENT):
                return message
            try:
                name, *payload = json.loads(message.data[2:])
            except ValueError:
                # The library knows what to do about it.
                return message
            self._handler(name, payload[0] if payload else None)
