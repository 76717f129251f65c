"""The socket's supervisor over simulated hours and days, with connections that are scripted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client.errors import AuthenticationError, InvokeAIError
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.connection_errors import SocketFailure
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.reconnecting_socket import Socket
from invokeai_py_client.transport.socketio_connection import EventHandler

HOUR = 3600.0
WEEK = 7 * 24 * HOUR


class Connection:
    """A scripted connection: it lasts for some seconds, or until the test ends it."""

    def __init__(self, lasts: float | None = None, refuses: str = "") -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.subscribed: list[str] = []
        self._refuses = refuses
        if lasts is not None:
            asyncio.get_running_loop().call_later(lasts, self.end)

    def end(self, reason: str = "the script says so") -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    async def subscribe(self, queue_id: str) -> None:
        await asyncio.sleep(0.001)
        if queue_id == self._refuses:
            raise TimeoutError
        self.subscribed.append(queue_id)

    async def close(self) -> None:
        self.end("closed")


Script = Callable[[], Connection]


class Server:
    """Opens a connection by its script at each attempt, and remembers when it was asked to."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.attempts: list[float] = []
        self.connections: list[Connection] = []

    def __call__(self, http: HttpTransport, on_event: EventHandler, *, is_asked: bool) -> Awaitable[Connection]:
        return self._open()

    async def _open(self) -> Connection:
        self.attempts.append(now())
        connection = self.script()
        self.connections.append(connection)
        return connection

    @property
    def pauses(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.attempts)]


class Listener:
    def __init__(self, raises: type[Exception] | None = None) -> None:
        self.told: list[str] = []
        self.changed = asyncio.Event()
        self._raises = raises

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self.changed.set()
        if self._raises is not None:
            raise self._raises("a listener's own error")

    def received(self, name: str, payload: Any, text: str) -> None:
        self._tell(f"received {name}")

    def connected(self) -> None:
        self._tell("connected")

    def refused(self) -> None:
        self._tell("refused")

    def denied(self, error: InvokeAIError) -> None:
        self._tell("denied")

    def lost(self, reason: str) -> None:
        self._tell("lost")


def raising(error: Exception) -> Script:
    def script() -> Connection:
        raise error

    return script


def socket_to(server: Server, listener: Listener | None = None) -> Socket:
    engine = VirtualEngine()
    http = HttpTransport(Settings("http://127.0.0.1:9"), engine)
    return Socket(http, engine, listener or Listener(), open_connection=server)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ConnectionRefusedError("refused"), WEEK),
        (OSError("no route"), HOUR),
        (TimeoutError(), HOUR),
        (RecursionError(), HOUR),
        (KeyError("a library's own error"), 24 * HOUR),
    ],
)
@in_virtual_time
async def test_a_server_that_is_away_for_long_is_found_when_it_is_back(error: Exception, seconds: float) -> None:
    listener = Listener()
    server = Server(raising(error))
    socket = socket_to(server, listener)
    assert not await socket.subscribe("default")
    await asyncio.sleep(seconds)
    assert len(server.attempts) > seconds / 30
    assert max(server.pauses) <= 30
    server.script = Connection
    began = now()
    while not socket.is_connected:
        listener.changed.clear()
        await listener.changed.wait()
    assert now() - began <= 30.1
    assert server.connections[-1].subscribed == ["default"]


@in_virtual_time
async def test_a_socket_that_is_dropped_right_after_opening_is_opened_less_and_less_often() -> None:
    server = Server(lambda: Connection(lasts=0.01))
    socket = socket_to(server)
    await socket.subscribe("default")
    await asyncio.sleep(30)
    assert len(server.attempts) <= 25, "at least every 0.25 s without a back-off"
    await asyncio.sleep(3600)
    hour = [at for at in server.attempts if at > now() - 3600]
    assert 3600 / 30 <= len(hour) <= 2 * 3600 / 15


@in_virtual_time
async def test_a_connection_that_was_stable_is_opened_again_at_once() -> None:
    server = Server(lambda: Connection(lasts=0.01))
    socket = socket_to(server)
    await socket.subscribe("default")
    await asyncio.sleep(3600)
    server.script = lambda: Connection(lasts=60)
    await asyncio.sleep(3600)
    ends = [(connection, at) for connection, at in zip(server.connections, server.attempts, strict=True)]
    stable = [at for _, at in ends if at > now() - 1800]
    gaps = [later - earlier - 60 for earlier, later in pairwise(stable)]
    assert gaps
    assert max(gaps) < 0.6


@in_virtual_time
async def test_the_pauses_of_many_clients_are_spread() -> None:
    servers = [Server(raising(OSError("away"))) for _ in range(50)]
    for server in servers:
        await socket_to(server).subscribe("default")
    await asyncio.sleep(600)
    seconds = {round(server.attempts[-1]) for server in servers}
    assert len(seconds) > 10


@in_virtual_time
async def test_a_listener_that_raises_costs_neither_connection_nor_supervisor(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listener = Listener(raises=ZeroDivisionError)
    server = Server(lambda: Connection(lasts=40))
    socket = socket_to(server, listener)
    assert await socket.subscribe("default")
    await asyncio.sleep(200)
    assert listener.told[:4] == ["connected", "lost", "connected", "lost"]
    assert "the socket's listener failed" in caplog.text


@in_virtual_time
async def test_a_queue_that_is_added_while_the_socket_is_away_is_subscribed_with_the_others() -> None:
    server = Server(raising(OSError("away")))
    socket = socket_to(server)
    await socket.subscribe("default")
    assert not await socket.subscribe("other")
    server.script = Connection
    await asyncio.sleep(31)
    assert server.connections[0].subscribed == ["default", "other"]
    assert await socket.subscribe("third")
    assert server.connections[0].subscribed == ["default", "other", "third"]


@in_virtual_time
async def test_a_queue_that_is_added_while_the_others_are_subscribed_is_not_left_out() -> None:
    server = Server(Connection)
    socket = socket_to(server)
    first, second = await asyncio.gather(socket.subscribe("default"), socket.subscribe("other"))
    assert first
    assert second
    assert sorted(server.connections[0].subscribed) == ["default", "other"]


@in_virtual_time
async def test_a_subscription_that_is_not_acknowledged_ends_the_connection() -> None:
    listener = Listener()
    server = Server(lambda: Connection(refuses="other"))
    socket = socket_to(server, listener)
    assert await socket.subscribe("default")
    assert not await socket.subscribe("other")
    while len(listener.told) < 2:
        listener.changed.clear()
        await listener.changed.wait()
    assert listener.told == ["connected", "lost"]
    server.script = Connection
    await asyncio.sleep(31)
    assert server.connections[-1].subscribed == ["default", "other"]


@in_virtual_time
async def test_each_new_connection_has_a_number_of_its_own() -> None:
    server = Server(Connection)
    socket = socket_to(server)
    assert socket.epoch == 0
    await socket.subscribe("default")
    assert (socket.epoch, socket.is_connected) == (1, True)
    server.connections[0].end()
    await asyncio.sleep(31)
    assert (socket.epoch, socket.is_connected) == (2, True)


@in_virtual_time
async def test_a_denied_client_does_not_knock_again_until_it_is_asked_to() -> None:
    listener = Listener()
    denial = AuthenticationError("no", status=401, method="GET", url="u", detail=None)
    server = Server(raising(denial))
    socket = socket_to(server, listener)
    assert not await socket.subscribe("default")
    assert str(socket.denial) == "no"
    await asyncio.sleep(WEEK)
    assert len(server.attempts) == 1
    server.script = Connection
    assert await socket.subscribe("default")
    assert socket.denial is None
    assert listener.told == ["denied", "connected"]


@in_virtual_time
async def test_a_server_that_is_away_is_one_line_of_the_log_not_one_for_each_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "invokeai_py_client")
    server = Server(raising(OSError("away")))
    await socket_to(server).subscribe("default")
    await asyncio.sleep(24 * 3600)
    assert [record.getMessage() for record in caplog.records] == ["no socket to http://127.0.0.1:9: away"]
    assert len(server.attempts) > 1000


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def no_connection(error: OSError) -> Exception:
    return aiohttp.ClientConnectorError(ConnectionKey("127.0.0.1", 9, False, True, None, None, None), error)


@pytest.mark.parametrize(
    ("error", "is_refused"),
    [
        (ConnectionRefusedError("refused"), True),
        (caused_by(SocketFailure("x"), no_connection(ConnectionRefusedError("refused"))), True),
        (caused_by(SocketFailure("x"), no_connection(OSError("no route"))), False),
        (SocketFailure("x"), False),
        (TimeoutError(), False),
    ],
    ids=["refused", "refused, wrapped", "no route, wrapped", "the library's own", "too late"],
)
@in_virtual_time
async def test_only_a_refused_connection_means_that_the_server_is_restarted(error: Exception, is_refused: bool) -> None:
    listener = Listener()
    socket = socket_to(Server(raising(error)), listener)
    assert not await socket.subscribe("default")
    assert listener.told == (["refused"] if is_refused else [])
    assert not socket.is_connected
    assert socket.epoch == 0


@in_virtual_time
async def test_a_new_outage_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "invokeai_py_client")
    server = Server(raising(OSError("away")))
    socket = socket_to(server)
    await socket.subscribe("default")
    await asyncio.sleep(100)
    server.script = Connection
    await asyncio.sleep(100)
    server.script = raising(OSError("away"))
    server.connections[-1].end("broken")
    await asyncio.sleep(100)
    said = [record.getMessage().split(":")[0].split(" after")[0] for record in caplog.records]
    assert said == ["no socket to http", "socket lost", "no socket to http"]


@in_virtual_time
async def test_a_socket_that_is_closed_for_another_user_is_opened_at_once() -> None:
    server, listener = Server(Connection), Listener()
    socket = socket_to(server, listener)
    await socket.subscribe("default")
    await asyncio.sleep(1)
    began = now()
    await socket.reconnect()
    while socket.epoch < 2:
        listener.changed.clear()
        await listener.changed.wait()
    assert now() - began < 0.1
    assert server.connections[0].ended.done()


@in_virtual_time
async def test_polling_opens_no_socket() -> None:
    server = Server(Connection)
    engine = VirtualEngine()
    http = HttpTransport(Settings("http://127.0.0.1:9", transport="polling"), engine)
    socket = Socket(http, engine, Listener(), open_connection=server)
    assert not await socket.subscribe("default")
    await asyncio.sleep(60)
    assert server.attempts == []
