"""The one Socket.IO connection of a client: connect, subscribe, supervise.

Only the websocket transport is used: long polling answers 500 on a fresh server, and would cost a request an event.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import random
import time
from collections.abc import Iterator
from math import ceil
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import socketio
import socketio.exceptions

from invokeai_py_client.errors import AuthenticationError, ForbiddenError, InvokeAIError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.secret import Secret
from invokeai_py_client.transport.event_tap import TappedSession
from invokeai_py_client.transport.failures import reason
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.library_log import guard_messages, library_logger
from invokeai_py_client.transport.redirects import LedElsewhere

logger = logging.getLogger("invokeai_py_client.socket")

MAX_EVENT_BYTES = 256 * 1024 * 1024
"""aiohttp's default of 4 MiB would end the connection at the first big event (a large preview, a long collection)."""

_Opened = tuple[socketio.AsyncClient, "asyncio.Future[str]"]
"""A connection, and why it has ended once it has."""

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0


class _NotLetIn(Exception):
    """The server refuses the socket's handshake."""


_EXPECTED = (
    socketio.exceptions.SocketIOError,
    aiohttp.ClientError,
    OSError,
    InvokeAIError,
    LedElsewhere,
    _NotLetIn,
)
"""What the network may do; of anything else the log has the traceback."""


class SocketListener(Protocol):
    """Who is told what the socket sees. All calls are made on the engine and must not block."""

    def received(self, name: str, payload: Any) -> None:
        """One message of the server's."""

    def connected(self) -> None:
        """The socket is open, and every subscription was acknowledged: nothing is missed from here on."""

    def refused(self) -> None:
        """Nothing listens at the server's address: it is being restarted."""

    def denied(self, error: InvokeAIError) -> None:
        """The server does not accept who the client is: nothing comes until somebody else logs in."""

    def lost(self, reason: str) -> None:
        """The socket is gone: what happens from here on is missed."""


class Socket:
    """Keeps one connection to the server open for as long as the engine runs.

    Args:
        http: whose session, proxy, TLS and token the websocket shares.
        engine: whose loop it lives on.
        listener: who is told.
    """

    def __init__(self, http: HttpTransport, engine: Engine, listener: SocketListener) -> None:
        self._http = http
        self._engine = engine
        self._listener = listener
        self._path = f"{urlsplit(http.settings.url).path}/ws/socket.io".lstrip("/")
        self._queues: set[str] = set()
        self._generation = -1
        self._forget()
        http.credentials.on_login = self._logged_in

    def _forget(self) -> None:
        self._client: socketio.AsyncClient | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._attempt: asyncio.Future[None] | None = None
        self._joined: set[str] = set()
        self._wanted_now = asyncio.Event()
        self.denial: InvokeAIError | None = None
        self._is_asked = True
        self.epoch = 0

    @property
    def is_connected(self) -> bool:
        """Whether events arrive now. `epoch` rises with each new connection; `denial` is why there is to be none."""
        return self._client is not None and self._generation == self._engine.generation

    async def subscribe(self, queue_id: str) -> bool:
        """See to it that the events of a queue arrive.

        The first call opens the connection; it is then kept open, and the subscription renewed, until the engine
        closes.

        Returns:
            True once the server has acknowledged: no event from here on is missed. False if the socket cannot be
            opened now; it goes on trying, and the listener is told when it succeeds.
        """
        if self._generation != self._engine.generation:
            # After a fork the connection is the parent's.
            self._generation = self._engine.generation
            self._forget()
        self._queues.add(queue_id)
        if self._http.settings.transport == "polling":
            return False
        if self._supervisor is None:
            self._attempt = asyncio.get_running_loop().create_future()
            self._supervisor = self._engine.spawn(self._supervise(), name="socket supervisor")
        elif self.denial is not None and self._attempt is None:
            self._attempt = asyncio.get_running_loop().create_future()
            self._is_asked = True
            self._wanted_now.set()
        if self._client is None and self._attempt is not None:
            await asyncio.shield(self._attempt)
        client = self._client
        if client is not None and queue_id not in self._joined:
            try:
                await self._join(client, queue_id)
            except (socketio.exceptions.SocketIOError, TimeoutError) as error:
                logger.info("subscribing to queue %r failed (%s); reconnecting", queue_id, reason(error))
                await client.disconnect()
        return self.is_connected and queue_id in self._joined

    async def reconnect(self) -> None:
        """Open the connection anew, at once: the client is somebody else from now on."""
        self._wanted_now.set()
        if self._client is not None:
            await self._client.disconnect()

    def _logged_in(self) -> None:
        if self.denial is not None:
            self._wanted_now.set()

    async def _supervise(self) -> None:
        failures = 0
        while True:
            identity = self._http.credentials.identity
            opened = await self._open()
            self._settle()
            if opened is not None and self._http.credentials.identity != identity:
                # Somebody has logged in or out meanwhile: this connection is still the other's.
                await self.reconnect()
            if opened is not None:
                client, gone = opened
                failures = 0
                began = time.monotonic()
                try:
                    why = await gone
                finally:
                    self._client = None
                    if not gone.done() or gone.cancelled():
                        # The engine is closing: say goodbye, so that the server need not find out by itself.
                        await client.disconnect()
                logger.info("socket lost after %.1f s: %s", time.monotonic() - began, why)
                self._listener.lost(why)
            try:
                # Who was denied would be denied again, for ever.
                pause = random.uniform(0, min(_LONGEST_DELAY, _FIRST_DELAY * 2**failures))
                async with asyncio.timeout(pause if self.denial is None else None):
                    await self._wanted_now.wait()
                self._wanted_now.clear()
            except TimeoutError:
                failures += 1

    def _settle(self) -> None:
        """The first attempt is over: those who wait for it see for themselves how it went."""
        if self._attempt is not None and not self._attempt.done():
            self._attempt.set_result(None)
        self._attempt = None

    async def _open(self) -> _Opened | None:
        """Connect and subscribe; None if that fails, for whatever reason the network may have."""
        url = self._http.settings.url
        self.denial = None
        is_asked, self._is_asked = self._is_asked, False
        try:
            token = await self._http.token(is_asked=is_asked)
            try:
                return await self._connect(token)
            except _NotLetIn:
                await self._http.confirm(token, is_asked=is_asked)
                if self._http.credentials.token == token:
                    raise
                return await self._connect(self._http.credentials.token)
        except (AuthenticationError, ForbiddenError) as error:
            logger.info("no socket to %s: %s", url, error)
            self.denial = copy.copy(error)
            self._listener.denied(self.denial)
        except Exception as error:
            # Whatever it is, those who want to submit must not wait for it: the server can still be polled.
            if _was_refused(error):
                self._listener.refused()
            logger.info(
                "no socket to %s: %s", url, reason(error), exc_info=None if isinstance(error, _EXPECTED) else error
            )
        return None

    async def _connect(self, token: Secret | None) -> _Opened:
        """Connect and subscribe.

        Raises:
            _NotLetIn: the server does not accept the token.
        """
        settings = self._http.settings
        timeout = settings.connect_timeout
        gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._joined.clear()
        client = socketio.AsyncClient(
            reconnection=False,
            handle_sigint=False,
            logger=library_logger,
            engineio_logger=library_logger,
            request_timeout=timeout,
            http_session=TappedSession(self._http.session(), self._listener.received),
            websocket_extra_options={"max_msg_size": MAX_EVENT_BYTES, "proxy_headers": self._http.proxy_headers},
        )
        guard_messages(client)
        client.on("disconnect", lambda reason="unknown": None if gone.done() else gone.set_result(str(reason)))
        parts = urlsplit(settings.url)
        logger.debug("opening a socket to %s", settings.url)
        try:
            async with asyncio.timeout(timeout):
                await client.connect(
                    f"{parts.scheme}://{parts.netloc}",
                    socketio_path=self._path,
                    transports=["websocket"],
                    auth=None if token is None else {"token": token.reveal()},
                    wait_timeout=ceil(timeout),
                )
                for queue_id in sorted(self._queues):
                    await self._join(client, queue_id)
        except BaseException as error:
            is_not_let_in = bool(client.failed_namespaces) or _was_answered(error, {401, 403})
            await client.disconnect()
            if is_not_let_in and isinstance(error, socketio.exceptions.ConnectionError):
                raise _NotLetIn("the server does not accept the token") from None
            raise
        self._client = client
        self.epoch += 1
        self._listener.connected()
        return client, gone

    async def _join(self, client: socketio.AsyncClient, queue_id: str) -> None:
        # `call` waits for the server's ack, and so until the room is joined; `emit` would return before.
        await client.call("subscribe_queue", {"queue_id": queue_id}, timeout=ceil(self._http.settings.connect_timeout))
        self._joined.add(queue_id)
        logger.debug("subscribed to the events of queue %r", queue_id)


def _was_refused(error: BaseException) -> bool:
    """Whether nothing listened at the address; the network's own error may be wrapped."""
    return any(
        isinstance(one, ConnectionRefusedError) or isinstance(getattr(one, "os_error", None), ConnectionRefusedError)
        for one in _chain(error)
    )


def _was_answered(error: BaseException, statuses: set[int]) -> bool:
    """Whether the handshake was answered with one of these statuses."""
    return any(isinstance(one, aiohttp.WSServerHandshakeError) and one.status in statuses for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
