"""One Socket.IO connection: its handshake, subscriptions and end.

Only the websocket transport is used: long polling returns 500 on a new server, and needs one request for each event.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from math import ceil
from urllib.parse import urlsplit

import aiohttp
import socketio
import socketio.exceptions

from invokeai_py_client.secret import Secret
from invokeai_py_client.transport.connection_errors import HandshakeRefused, SocketFailure, chain
from invokeai_py_client.transport.event_tap import EventHandler, TappedSession
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.library_log import guard_messages, library_logger

logger = logging.getLogger("invokeai_py_client.socket")

MAX_EVENT_BYTES = 256 * 1024 * 1024
"""With aiohttp's default of 4 MiB, a large event (a large preview, a long collection) would end the connection."""

PING_AFTER = 10.0
"""Seconds without any data after which the client sends a websocket ping.

Half as long again without an answer ends the connection, so a half-open socket is noticed within 15 s. Socket.IO's own
heartbeat (InvokeAI: `pingInterval` 25 s, `pingTimeout` 20 s) would take up to 45 s.
"""

_GOODBYE = 5.0
"""Seconds; the timeout for closing a connection, which a half-open one always reaches."""


class SocketIOConnection:
    """A connection, made by `open_connection`. Used on the engine only.

    Args:
        client: A client that is not connected.
        session: The session with which the client opens its websocket.
        timeout: Seconds to wait for the server's acknowledgement of a subscription.

    Attributes:
        ended: A future that has the reason as its result when the connection has ended.
    """

    def __init__(self, client: socketio.AsyncClient, session: TappedSession, timeout: float) -> None:
        self._client = client
        self._session = session
        self._timeout = timeout
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        client.on("disconnect", lambda reason="unknown": self._end(str(reason)))

    async def connect(self, url: str, token: Secret | None) -> None:
        """Do the handshake.

        Raises:
            HandshakeRefused: The server does not accept the token.
            SocketFailure: The handshake failed for another reason.
        """
        parts = urlsplit(url)
        try:
            await self._client.connect(
                f"{parts.scheme}://{parts.netloc}",
                socketio_path=f"{parts.path}/ws/socket.io",
                transports=["websocket"],
                auth=None if token is None else {"token": token.reveal()},
                wait_timeout=ceil(self._timeout),
            )
        except socketio.exceptions.ConnectionError as error:
            if self._client.failed_namespaces or _was_answered(error, {401, 403}):
                raise HandshakeRefused("the server does not accept the token") from None
            raise SocketFailure(str(error)) from error
        # The library reports the end of most connections, but not if its reader ends with an error.
        self._client.eio.read_loop_task.add_done_callback(lambda _: self._end("the reader has ended"))

    async def subscribe(self, queue_id: str) -> None:
        """Subscribe to the events of a queue, and wait until the server has acknowledged it.

        Raises:
            SocketFailure: The connection is lost, or the acknowledgement did not come in time.
        """
        try:
            # Unlike `emit`, `call` waits for the server's acknowledgement, and so until the room is joined.
            await self._client.call("subscribe_queue", {"queue_id": queue_id}, timeout=ceil(self._timeout))
        except socketio.exceptions.SocketIOError as error:
            raise SocketFailure(str(error) or type(error).__name__) from error
        logger.debug("subscribed to the events of queue %r", queue_id)

    async def close(self) -> None:
        """Close the connection, within a few seconds even if it is half-open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._client.disconnect()
                await self._session.close_websocket()
        self._end("closed")

    def _end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)


async def open_connection(http: HttpTransport, on_event: EventHandler, *, is_asked: bool) -> SocketIOConnection:
    """Open a connection with the client's current token. If the token is refused, log in and try once more.

    Args:
        http: The transport whose session, proxy, TLS and token the websocket shares.
        on_event: Called with the name and payload of each event.
        is_asked: Whether a call of the user needs the connection. Only such a call repeats a refused login.

    Raises:
        AuthenticationError: The server does not accept the credentials.
        ForbiddenError: The user was deactivated.
        TimeoutError: The handshake took longer than `connect_timeout`.
        Exception: Whatever else the network and the libraries raise.
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
    session = TappedSession(http.session(), on_event)
    client = socketio.AsyncClient(
        reconnection=False,
        handle_sigint=False,
        logger=library_logger,
        engineio_logger=library_logger,
        request_timeout=timeout,
        http_session=session,
        websocket_extra_options={
            "max_msg_size": MAX_EVENT_BYTES,
            "proxy_headers": http.proxy_headers,
            "heartbeat": PING_AFTER,
        },
    )
    guard_messages(client)
    connection = SocketIOConnection(client, session, timeout)
    logger.debug("opening a socket to %s", http.settings.url)
    try:
        async with asyncio.timeout(timeout):
            await connection.connect(http.settings.url, token)
    except BaseException:
        await connection.close()
        raise
    return connection


def _was_answered(error: BaseException, statuses: set[int]) -> bool:
    """Return whether the server responded to the handshake with one of these statuses."""
    return any(isinstance(one, aiohttp.WSServerHandshakeError) and one.status in statuses for one in chain(error))
