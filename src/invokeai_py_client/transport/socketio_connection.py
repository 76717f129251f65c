"""One Socket.IO connection: handshake, subscriptions, its end.

Only the websocket transport is used: long polling answers 500 on a fresh server, and would cost a request an event.
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
"""aiohttp's default of 4 MiB would end the connection at the first big event (a large preview, a long collection)."""

PING_AFTER = 10.0
"""Seconds without any data after which the client sends a websocket ping.

Half as long again without an answer ends the connection, so a half-open socket is noticed within 15 s. Socket.IO's own
heartbeat (InvokeAI: `pingInterval` 25 s, `pingTimeout` 20 s) would take up to 45 s.
"""

_GOODBYE = 5.0
"""Seconds to close a connection in order; a half-open one cannot be."""


class SocketIOConnection:
    """An open connection. `ended` is done, with the reason, when the connection has ended.

    Made by `open_connection`. Used on the engine only.

    Args:
        client: not connected yet.
        session: with which the client opens its websocket.
        timeout: seconds to wait for the server's acknowledgement of a subscription.
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
            HandshakeRefused: the server does not accept the token.
            SocketFailure: the handshake failed for another reason.
        """
        parts = urlsplit(url)
        try:
            await self._client.connect(
                f"{parts.scheme}://{parts.netloc}",
                socketio_path=f"{parts.path}/ws/socket.io".lstrip("/"),
                transports=["websocket"],
                auth=None if token is None else {"token": token.reveal()},
                wait_timeout=ceil(self._timeout),
            )
        except socketio.exceptions.ConnectionError as error:
            if self._client.failed_namespaces or _was_answered(error, {401, 403}):
                raise HandshakeRefused("the server does not accept the token") from None
            raise SocketFailure(str(error)) from error
        # The library tells the end of most connections. Should its reader die of an error, its task tells it.
        self._client.eio.read_loop_task.add_done_callback(lambda _: self._end("the reader has ended"))

    async def subscribe(self, queue_id: str) -> None:
        """Subscribe to the events of a queue, and wait until the server has acknowledged it.

        Raises:
            SocketFailure: the connection is lost, or the acknowledgement did not come in time.
        """
        try:
            # `call` waits for the server's ack, and so until the room is joined; `emit` would return before.
            await self._client.call("subscribe_queue", {"queue_id": queue_id}, timeout=ceil(self._timeout))
        except socketio.exceptions.SocketIOError as error:
            raise SocketFailure(str(error) or type(error).__name__) from error
        logger.debug("subscribed to the events of queue %r", queue_id)

    async def close(self) -> None:
        """End the connection; in a few seconds even if it is half-open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._client.disconnect()
                await self._session.close_websocket()
        self._end("closed")

    def _end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)


async def open_connection(http: HttpTransport, on_event: EventHandler, *, is_asked: bool) -> SocketIOConnection:
    """Connect as whoever the client is now.

    Where the server does not accept the token, the client logs in once and tries again.

    Args:
        http: whose session, proxy, TLS and token the websocket shares.
        on_event: called with each event's name and payload.
        is_asked: the user waits for it, so that a login which was refused before may be tried again.

    Raises:
        AuthenticationError: the server does not accept who the client is.
        ForbiddenError: the user was deactivated.
        TimeoutError: the handshake took longer than `connect_timeout`.
        Exception: whatever else the network and the libraries raise.
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
    """Whether the handshake was answered with one of these statuses."""
    return any(isinstance(one, aiohttp.WSServerHandshakeError) and one.status in statuses for one in chain(error))
