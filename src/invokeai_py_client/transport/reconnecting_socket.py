"""The event socket of a client: opened on demand, kept open, and resubscribed after each loss."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import aiohttp

from invokeai_py_client.errors import AuthenticationError, ForbiddenError, InvokeAIError
from invokeai_py_client.runtime.engine import Engine, LoopWatch
from invokeai_py_client.runtime.timeouts import set_within
from invokeai_py_client.transport.backoff import Backoff
from invokeai_py_client.transport.connection_errors import HandshakeRefused, SocketFailure, chain, reason
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.redirects import LedElsewhere
from invokeai_py_client.transport.socketio_connection import EventHandler, open_connection

logger = logging.getLogger("invokeai_py_client.socket")

_EXPECTED = (SocketFailure, aiohttp.ClientError, OSError, InvokeAIError, LedElsewhere, HandshakeRefused)
"""Errors of the network. For any other error, the traceback is logged."""


class OpenSocket(Protocol):
    """An open connection, such as a `SocketIOConnection`."""

    @property
    def ended(self) -> asyncio.Future[str]:
        """A future that has the reason as its result when the connection has ended."""
        ...

    async def subscribe(self, queue_id: str) -> None:
        """Subscribe to the events of a queue, and wait until the server has acknowledged it."""

    async def close(self) -> None:
        """End the connection. Does not raise, and takes a few seconds at most."""


class OpenConnection(Protocol):
    """A function that opens a connection, such as `open_connection`."""

    def __call__(self, http: HttpTransport, on_event: EventHandler, *, is_asked: bool) -> Awaitable[OpenSocket]:
        """Open a connection."""
        ...


class SocketListener(Protocol):
    """The receiver of the socket's events. Its methods are called on the engine and must not block."""

    def received(self, name: str, payload: Any, text: str) -> None:
        """Receive an event of the server."""

    def connected(self) -> None:
        """Note that the socket is open and all subscriptions are acknowledged: no event from now on is missed."""

    def refused(self) -> None:
        """Note that nothing listens at the server's address, as while the server restarts."""

    def denied(self, error: InvokeAIError) -> None:
        """Note that the server does not accept the credentials: no event comes until the next login."""

    def lost(self, reason: str) -> None:
        """Note that the connection is lost: events from now on are missed."""


class Socket:
    """One connection to the server that is kept open for as long as the engine runs.

    Args:
        http: the transport whose session, proxy, TLS and token the websocket shares.
        engine: the engine on whose loop the socket lives.
        listener: the receiver of events.
        open_connection: opens a connection.

    Attributes:
        denial: the error with which the server refused the credentials; None if it did not.
        epoch: the number of connections so far.
    """

    def __init__(
        self,
        http: HttpTransport,
        engine: Engine,
        listener: SocketListener,
        open_connection: OpenConnection = open_connection,
    ) -> None:
        self._http = http
        self._engine = engine
        self._listener = listener
        self._open_connection = open_connection
        self._queues: set[str] = set()
        self._loop = LoopWatch(engine)
        self._forget()
        http.credentials.on_login = self._logged_in

    def _forget(self) -> None:
        self._connection: OpenSocket | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._attempt: asyncio.Future[None] | None = None
        self._joined: set[str] = set()
        self._wanted_now = asyncio.Event()
        self._is_failing = False
        self.denial: InvokeAIError | None = None
        self._is_asked = True
        self.epoch = 0

    @property
    def is_connected(self) -> bool:
        """Whether the socket is connected, so that events arrive."""
        return self._connection is not None and not self._loop.is_stale

    async def subscribe(self, queue_id: str) -> bool:
        """Receive the events of a queue from now on.

        The first call opens the connection. It is then kept open, and the subscription renewed, until the engine
        closes.

        Returns:
            True if the server has acknowledged the subscription, so that no event from now on is missed. False if the
            socket cannot be opened now; it keeps trying, and calls `connected` of the listener when it succeeds.
        """
        if self._loop.has_changed():
            # After a fork, the connection belongs to the parent.
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
        if self._connection is None and self._attempt is not None:
            await asyncio.shield(self._attempt)
        connection = self._connection
        if connection is not None and queue_id not in self._joined:
            try:
                await connection.subscribe(queue_id)
                if connection is self._connection:
                    self._joined.add(queue_id)
            except (SocketFailure, TimeoutError) as error:
                logger.info("subscribing to queue %r failed (%s); reconnecting", queue_id, reason(error))
                await connection.close()
        return self.is_connected and queue_id in self._joined

    async def reconnect(self) -> None:
        """Close the connection and open a new one at once, for another user."""
        self._wanted_now.set()
        if self._connection is not None:
            await self._connection.close()

    def _logged_in(self) -> None:
        if self.denial is not None:
            self._wanted_now.set()

    async def _supervise(self) -> None:
        """Open a connection, wait until it ends, pause, and start over, until the engine closes."""
        backoff = Backoff()
        clock = asyncio.get_running_loop().time
        while True:
            try:
                connection = await self._open()
                if connection is None:
                    backoff.failed()
                else:
                    began = clock()
                    await self._stay(connection)
                    backoff.ended(clock() - began)
            except Exception:
                # Without its supervisor the client would get no more events, so no error may end it.
                logger.exception("unexpected error in the socket's supervisor, which continues")
                backoff.failed()
            # The same credentials would be refused again, so this waits for a login.
            if await set_within(self._wanted_now, backoff.pause() if self.denial is None else None):
                self._wanted_now.clear()

    async def _stay(self, connection: OpenSocket) -> None:
        """Notify the listener of an open connection, wait until it has ended, and notify the listener of that."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            self._tell(self._listener.connected)
            await asyncio.wait([connection.ended])
            self._connection = None
            why = connection.ended.result()
            logger.info("socket lost after %.1f s: %s", clock() - began, why)
            self._tell(lambda: self._listener.lost(why))
        finally:
            # Also when the engine closes, so that the server does not have to detect it.
            self._connection = None
            await connection.close()

    async def _open(self) -> OpenSocket | None:
        """Connect and subscribe; None if that fails."""
        identity = self._http.credentials.identity
        self.denial = None
        is_asked, self._is_asked = self._is_asked, False
        connection: OpenSocket | None = None
        try:
            connection = await self._open_connection(self._http, self._listener.received, is_asked=is_asked)
            await self._join_all(connection)
        except (AuthenticationError, ForbiddenError) as error:
            logger.info("no socket to %s: %s", self._http.settings.url, error)
            denial = self.denial = copy.copy(error)
            self._tell(lambda: self._listener.denied(denial))
        except Exception as error:
            # After any error, submissions must not wait for the socket, because the server can be polled.
            if _was_refused(error):
                self._tell(self._listener.refused)
            self._log_failure(error)
            if connection is not None:
                await connection.close()
        else:
            self._is_failing = False
            self._connection = connection
            self.epoch += 1
            if self._http.credentials.identity != identity:
                # The client has logged in or out in the meantime, so the connection belongs to the previous user.
                await self.reconnect()
            return connection
        finally:
            # The callers that wait for this attempt check its outcome themselves.
            if self._attempt is not None and not self._attempt.done():
                self._attempt.set_result(None)
            self._attempt = None
        return None

    async def _join_all(self, connection: OpenSocket) -> None:
        """Subscribe to every queue, including those that are added during the iteration."""
        self._joined = set()
        while missing := self._queues - self._joined:
            for queue_id in sorted(missing):
                await connection.subscribe(queue_id)
                self._joined.add(queue_id)

    def _log_failure(self, error: Exception) -> None:
        # A server may be away for days, so only the first of many failures is logged as INFO.
        logger.log(
            logging.DEBUG if self._is_failing else logging.INFO,
            "no socket to %s: %s",
            self._http.settings.url,
            reason(error),
            exc_info=None if isinstance(error, _EXPECTED) else error,
        )
        self._is_failing = True

    def _tell(self, tell: Callable[[], None]) -> None:
        """Call a method of the listener. An exception must not end the connection."""
        try:
            tell()
        except Exception:
            logger.exception("the socket's listener failed")


def _was_refused(error: BaseException) -> bool:
    """Return whether the connection was refused, which may be the cause of another error."""
    return any(
        isinstance(one, ConnectionRefusedError) or isinstance(getattr(one, "os_error", None), ConnectionRefusedError)
        for one in chain(error)
    )
