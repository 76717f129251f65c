"""One Socket.IO connection over a websocket: its handshake, subscriptions, events and end.

This is the part of Engine.IO 4 and Socket.IO 5 that InvokeAI's server speaks: text messages in the default namespace.
Only the websocket transport is used: long polling returns 500 on a new server, and needs one request for each event.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Callable
from typing import Any, NoReturn

import aiohttp
import yarl

from invokeai_py_client.json_text import read_json
from invokeai_py_client.secret import Secret
from invokeai_py_client.transport.connection_errors import HandshakeRefused, SocketFailure, reason
from invokeai_py_client.transport.http import HttpTransport

EventHandler = Callable[[str, Any, str], None]
"""Called with the name and payload of an event, and with the whole message as it came."""

logger = logging.getLogger("invokeai_py_client.socket")

MAX_EVENT_BYTES = 256 * 1024 * 1024
"""With aiohttp's default of 4 MiB, a large event (a large preview, a long collection) would end the connection."""

PING_AFTER = 10.0
"""Seconds without any data after which the client sends a websocket ping.

If there is no response for half of that time, the connection is closed, so a half-open socket is noticed within 15 s.
Socket.IO's own heartbeat (InvokeAI: `pingInterval` 25 s, `pingTimeout` 20 s) would take up to 45 s.
"""

_GOODBYE = 5.0
"""Seconds; the timeout for closing a connection, which a half-open one always reaches."""

_MOST_SKIPPED = 20
"""The number of types of unreadable events that are logged for each connection."""

_LONGEST_NAME = 50
"""The number of characters of the name of an unreadable event that are logged."""

# How a message begins: the digit of its Engine.IO type and, where that is 4 for a message, that of its Socket.IO type.
_OPEN, _CLOSE, _PING, _PONG, _NOOP, _MESSAGE = "0", "1", "2", "3", "6", "4"
_CONNECT, _DISCONNECT, _EVENT, _ACKNOWLEDGE, _REFUSE = "40", "41", "42", "43", "44"
_PLAIN_EVENT = '42["'
"""The beginning of an event without an acknowledgement: the server sends no others."""

_TEXT = aiohttp.WSMsgType.TEXT
_read_json_from = json.JSONDecoder().raw_decode


class SocketIOConnection:
    """A connection, made by `open_connection`. Used on the engine only.

    Args:
        websocket: the open websocket, on which nothing was received yet.
        on_event: called with each event, in order. It must not block or raise.
        timeout: seconds to wait for the server's acknowledgement of a subscription.

    Attributes:
        ended: a future that has the reason as its result when the connection has ended.
    """

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, on_event: EventHandler, timeout: float) -> None:
        self._websocket = websocket
        self._on_event = on_event
        self._timeout = timeout
        self._numbers = itertools.count(1)
        self._acknowledged: dict[int, asyncio.Future[None]] = {}
        self._skipped: set[str] = set()
        self._reader: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def connect(self, token: Secret | None) -> None:
        """Do the handshake, and begin to receive events.

        Raises:
            HandshakeRefused: the server does not accept the token.
            SocketFailure: the handshake failed for another reason.
        """
        try:
            opening = read_json((await self._websocket.receive_str()).removeprefix(_OPEN))
            silence = (opening["pingInterval"] + opening["pingTimeout"]) / 1000
            await self._websocket.send_str(_hello(token).reveal())
            response = await self._websocket.receive_str()
        except (aiohttp.ClientError, OSError, LookupError, TypeError, ValueError) as error:
            raise SocketFailure(f"the handshake failed ({reason(error)})") from error
        if response.startswith(_REFUSE):
            raise HandshakeRefused("the server does not accept the token")
        if not response.startswith(_CONNECT):
            raise SocketFailure("the server did not respond to the handshake")
        self._reader = asyncio.create_task(self._read(silence), name="socket reader")

    async def subscribe(self, queue_id: str) -> None:
        """Subscribe to the events of a queue, and wait until the server has acknowledged it.

        Raises:
            SocketFailure: the connection is lost, or the acknowledgement did not come in time.
        """
        number = next(self._numbers)
        acknowledged = self._acknowledged[number] = asyncio.get_running_loop().create_future()
        event = json.dumps(["subscribe_queue", {"queue_id": queue_id}], separators=(",", ":"))
        try:
            async with asyncio.timeout(self._timeout):
                await self._websocket.send_str(f"{_EVENT}{number}{event}")
                # The server acknowledges it when the room is joined.
                await asyncio.wait([acknowledged, self.ended], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise SocketFailure(f"no acknowledgement within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise SocketFailure(reason(error)) from error
        finally:
            del self._acknowledged[number]
        if not acknowledged.done():
            raise SocketFailure(self.ended.result())
        logger.debug("subscribed to the events of queue %r", queue_id)

    async def close(self) -> None:
        """Close the connection, within a few seconds even if it is half-open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._websocket.close()
        self._end("closed")
        if self._reader is not None:
            self._reader.cancel()

    def _end(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)

    async def _read(self, silence: float) -> None:
        """Handle messages until the connection ends, or until nothing but events was received for `silence` seconds."""
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(silence) as limit:
                while True:
                    message = await self._websocket.receive()
                    text = message.data
                    if message.type is _TEXT and text.startswith(_PLAIN_EVENT):
                        self._handle_event(text)
                    elif message.type is _TEXT:
                        limit.reschedule(clock() + silence)
                        await self._handle(text)
                    elif message.type is not aiohttp.WSMsgType.BINARY:
                        self._fail(message)
        except TimeoutError:
            self._end(f"the server sent no ping for {silence:g} s")
        except (SocketFailure, aiohttp.ClientError, OSError) as error:
            self._end(reason(error))
        except Exception as error:
            logger.exception("unexpected error in the socket's reader, which ends the connection")
            self._end(reason(error))
        finally:
            self._end("the reader has ended")

    def _fail(self, message: aiohttp.WSMessage) -> NoReturn:
        if message.type is aiohttp.WSMsgType.ERROR:
            raise SocketFailure(f"the websocket broke: {message.data}")
        raise SocketFailure("the websocket was closed")

    async def _handle(self, text: str) -> None:
        """Handle a message that is not an event.

        Raises:
            SocketFailure: it ends the connection.
        """
        if text.startswith(_PING):
            await self._websocket.send_str(_PONG + text[1:])
        elif text.startswith((_CLOSE, _DISCONNECT)):
            raise SocketFailure("the server ended it")
        elif text.startswith(_ACKNOWLEDGE):
            self._handle_acknowledgement(text)
        elif not text.startswith((_MESSAGE, _PONG, _NOOP)):
            raise SocketFailure("the server sent a message of an unknown type")

    def _handle_acknowledgement(self, text: str) -> None:
        number, bracket, rest = text.removeprefix(_ACKNOWLEDGE).partition("[")
        try:
            read_json(bracket + rest)
            waiting = self._acknowledged.get(int(number))
        except ValueError as error:
            logger.debug("an acknowledgement could not be read: %s", error)
            return
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _handle_event(self, text: str) -> None:
        try:
            event, end = _read_json_from(text, len(_EVENT))
            if end != len(text):
                raise ValueError("something follows the event")
        except (ValueError, RecursionError) as error:
            # The next connection would get the same event, so this does not end the connection.
            self._skip(text, error)
            return
        self._on_event(event[0], event[1] if len(event) > 1 else None, text)

    def _skip(self, text: str, error: Exception) -> None:
        name = text[len(_PLAIN_EVENT) :].partition('"')[0][:_LONGEST_NAME]
        if name not in self._skipped and len(self._skipped) < _MOST_SKIPPED:
            self._skipped.add(name)
            logger.warning(
                "skipped an event of type %r that is not readable JSON (%d characters, %s); "
                "more of this type are not logged",
                name,
                len(text),
                type(error).__name__,
            )


def _hello(token: Secret | None) -> Secret:
    """Return the first message of the client. It holds the token, which no frame of a traceback may show."""
    return Secret(_CONNECT + ("" if token is None else json.dumps({"token": token.reveal()})))


async def open_connection(http: HttpTransport, on_event: EventHandler, *, is_asked: bool) -> SocketIOConnection:
    """Open a connection with the client's current token. If the token is refused, log in and try once more.

    Args:
        http: the transport whose session, proxy, TLS and token the websocket shares.
        on_event: called with each event, in order. It must not block or raise.
        is_asked: whether a call of the user needs the connection. Only such a call repeats a refused login.

    Raises:
        AuthenticationError: the server does not accept the credentials.
        ForbiddenError: the user was deactivated.
        SocketFailure: the handshake failed.
        TimeoutError: the handshake took longer than `connect_timeout`.
        Exception: whatever else the network and aiohttp raise.
    """
    token = await http.token(is_asked=is_asked)
    try:
        return await _open(http, on_event, token)
    except HandshakeRefused:
        await http.confirm(token, is_asked=is_asked)
        if http.credentials.token == token:
            raise
        return await _open(http, on_event, http.credentials.token)


async def _open(http: HttpTransport, on_event: EventHandler, token: Secret | None) -> SocketIOConnection:
    timeout = http.settings.connect_timeout
    logger.debug("opening a socket to %s", http.settings.url)
    async with asyncio.timeout(timeout):
        connection = SocketIOConnection(await _open_websocket(http), on_event, timeout)
        try:
            await connection.connect(token)
        except BaseException:
            await connection.close()
            raise
    return connection


async def _open_websocket(http: HttpTransport) -> aiohttp.ClientWebSocketResponse:
    url = http.url_of("/ws/socket.io/", {"transport": "websocket", "EIO": 4}).replace("http", "ws", 1)
    try:
        return await http.session().ws_connect(
            yarl.URL(url, encoded=True),
            max_msg_size=MAX_EVENT_BYTES,
            heartbeat=PING_AFTER,
            proxy_headers=http.proxy_headers,
        )
    except aiohttp.WSServerHandshakeError as error:
        if error.status in {401, 403}:
            raise HandshakeRefused("the server does not accept the token") from None
        raise SocketFailure(reason(error)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise SocketFailure(reason(error)) from error
