"""One Socket.IO connection, against a server that speaks the protocol by hand, and breaks it on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from tests.support.serving import serving
from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client.errors import AuthenticationError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport import socketio_connection
from invokeai_py_client.transport.connection_errors import SocketFailure
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.socketio_connection import SocketIOConnection, open_connection

OPEN = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'

Script = Callable[["Wire", str], Awaitable[None]]


class Wire:
    """The server's end of one websocket."""

    def __init__(self, websocket: web.WebSocketResponse) -> None:
        self._websocket = websocket

    async def say(self, text: str) -> None:
        await self._websocket.send_str(text)

    async def say_bytes(self, content: bytes) -> None:
        await self._websocket.send_bytes(content)

    async def hang_up(self) -> None:
        await self._websocket.close()


async def agree(wire: Wire, text: str) -> None:
    """Do what a server does."""
    if text.startswith("40"):
        await wire.say('40{"sid":"x"}')
    elif text.startswith("42"):
        number = text[2 : text.index("[")]
        await wire.say(f"43{number}[]")


class Server:
    """Answers each message of the client by a script."""

    def __init__(self) -> None:
        self.script: Script = agree
        self.status = 200
        self.opening: str | None = OPEN
        self.answers_pings = True
        self.heard: list[str] = []
        self.path = ""
        self.closed = asyncio.Event()
        self.wire: Wire | None = None
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.path = request.raw_path
        if "/ws/" not in request.path:
            return web.json_response({"detail": "no"}, status=401)
        if self.status != 200:
            return web.json_response({"detail": "no"}, status=self.status)
        websocket = web.WebSocketResponse(autoping=self.answers_pings)
        await websocket.prepare(request)
        self.wire = Wire(websocket)
        if self.opening is not None:
            await self.wire.say(self.opening)
        async for message in websocket:
            if message.type is WSMsgType.TEXT:
                self.heard.append(message.data)
                await self.script(self.wire, message.data)
        self.closed.set()
        return websocket


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with serving(server.answer) as server.url:
        yield server


@asynccontextmanager
async def connected(
    engine: Engine, server: Server, heard: list[tuple[str, Any]] | None = None, **settings: Any
) -> AsyncIterator[SocketIOConnection]:
    http = HttpTransport(Settings(server.url, retries=0, **{"connect_timeout": 5.0, **settings}), engine)
    events = [] if heard is None else heard

    async def opened() -> SocketIOConnection:
        return await open_connection(http, lambda name, payload, _: events.append((name, payload)), is_asked=True)

    connection = await engine.call(opened())
    try:
        yield connection
    finally:
        await engine.call(connection.close())


async def end_of(engine: Engine, connection: SocketIOConnection) -> str:
    async def wait() -> str:
        return await asyncio.wait_for(asyncio.shield(connection.ended), 10)

    return await engine.call(wait())


async def test_a_subscription_is_over_when_it_is_acknowledged(server: Server, engine: Engine) -> None:
    async with connected(engine, server) as connection:
        await engine.call(connection.subscribe("default"))
        assert server.heard[-1] == '421["subscribe_queue",{"queue_id":"default"}]'
        assert not connection.ended.done()
    await asyncio.wait_for(server.closed.wait(), 10)
    assert await end_of(engine, connection)


async def test_events_are_reported_in_order_and_pings_are_answered(server: Server, engine: Engine) -> None:
    heard: list[tuple[str, Any]] = []
    async with connected(engine, server, heard) as connection:
        assert server.wire is not None
        for number in range(3):
            await server.wire.say(f'42["told",{{"number":{number}}}]')
        await server.wire.say('42["bare"]')
        await server.wire.say("2")
        await server.wire.say("2probe")
        await engine.call(connection.subscribe("default"))
        assert heard == [*(("told", {"number": number}) for number in range(3)), ("bare", None)]
        assert [text for text in server.heard if text.startswith("3")] == ["3", "3probe"]


async def test_a_large_event_is_reported(server: Server, engine: Engine) -> None:
    heard: list[tuple[str, Any]] = []
    async with connected(engine, server, heard) as connection:
        assert server.wire is not None
        await server.wire.say(f'42["told","{"x" * 5_000_000}"]')
        await engine.call(connection.subscribe("default"))
    assert [(name, len(payload)) for name, payload in heard] == [("told", 5_000_000)]


@pytest.mark.parametrize(
    ("rubbish", "why"),
    [
        ("[" * 200_000 + "]" * 200_000, "RecursionError"),
        ('{"key":"cut', "JSONDecodeError"),
        ("1" * 10_000, "ValueError"),
    ],
    ids=["nested too deeply", "no JSON", "a number of too many digits"],
)
async def test_an_unreadable_event_is_skipped_and_logged_once(
    server: Server, engine: Engine, rubbish: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[tuple[str, Any]] = []
    async with connected(engine, server, heard) as connection:
        assert server.wire is not None
        for _ in range(2):
            await server.wire.say(f'42["odd",{rubbish}]')
        await server.wire.say('42["told",{"number":1}]')
        await engine.call(connection.subscribe("default"))
        assert not connection.ended.done()
    assert heard == [("told", {"number": 1})]
    (warning,) = [record.getMessage() for record in caplog.records if record.name == "invokeai_py_client.socket"]
    assert "type 'odd' that" in warning
    assert f"{why})" in warning


async def test_unreadable_events_of_a_few_types_are_logged(
    server: Server, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(engine, server) as connection:
        assert server.wire is not None
        for number in range(30):
            await server.wire.say(f'42["odd {number} {"x" * 100}",{{')
        await engine.call(connection.subscribe("default"))
    warnings = [record.getMessage() for record in caplog.records if record.name == "invokeai_py_client.socket"]
    assert len(warnings) == 20
    assert all("x" * 40 in one and "x" * 51 not in one for one in warnings)


@pytest.mark.parametrize("message", ["", "3", "6", "42[", '421["asked",1]', "43", "435[]", "45-", "49", b"\x01"])
async def test_what_the_client_has_no_use_for_is_ignored(server: Server, engine: Engine, message: str | bytes) -> None:
    heard: list[tuple[str, Any]] = []
    async with connected(engine, server, heard) as connection:
        assert server.wire is not None
        if isinstance(message, str):
            await server.wire.say(message or "4")
        else:
            await server.wire.say_bytes(message)
        await engine.call(connection.subscribe("default"))
        assert not connection.ended.done()
    assert heard == []


async def test_a_handler_that_fails_ends_the_connection_with_a_traceback(
    server: Server, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str, payload: Any, text: str) -> None:
        raise ZeroDivisionError

    http = HttpTransport(Settings(server.url, retries=0), engine)

    async def opened() -> SocketIOConnection:
        return await open_connection(http, fail, is_asked=True)

    connection = await engine.call(opened())
    assert server.wire is not None
    await server.wire.say('42["told"]')
    assert "ZeroDivisionError" in await end_of(engine, connection)
    assert any(record.exc_info for record in caplog.records)
    await engine.call(connection.close())


async def hang_up(wire: Wire) -> None:
    await wire.hang_up()


async def say_rubbish(wire: Wire) -> None:
    await wire.say("rubbish")


async def say_goodbye(wire: Wire) -> None:
    await wire.say("1")


async def leave_the_namespace(wire: Wire) -> None:
    await wire.say("41")


@pytest.mark.parametrize("end", [hang_up, say_rubbish, say_goodbye, leave_the_namespace])
async def test_the_end_of_a_connection_is_reported(
    server: Server, engine: Engine, end: Callable[[Wire], Awaitable[None]]
) -> None:
    async with connected(engine, server) as connection:
        assert server.wire is not None
        await end(server.wire)
        assert await end_of(engine, connection)
    await asyncio.wait_for(server.closed.wait(), 10)


async def test_a_server_that_answers_no_ping_is_lost(
    server: Server, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socketio_connection, "PING_AFTER", 0.1)
    server.answers_pings = False
    async with connected(engine, server) as connection:
        assert await end_of(engine, connection)


SILENT_FOR_LONG = OPEN.replace("25000", "100").replace("20000", "200")


async def test_a_server_that_sends_no_ping_of_socketio_is_lost(server: Server, engine: Engine) -> None:
    server.opening = SILENT_FOR_LONG
    async with connected(engine, server) as connection:
        assert await end_of(engine, connection) == "the server sent no ping for 0.3 s"


async def test_a_server_that_stops_sending_pings_of_socketio_is_lost(server: Server, engine: Engine) -> None:
    server.opening = SILENT_FOR_LONG

    async def ping_once(wire: Wire, text: str) -> None:
        await agree(wire, text)
        if text == "40":
            await wire.say("2")

    server.script = ping_once
    async with connected(engine, server) as connection:
        assert await end_of(engine, connection) == "the server sent no ping for 0.3 s"
        assert "3" in server.heard


async def test_a_server_that_sends_pings_of_socketio_is_not(server: Server, engine: Engine) -> None:
    server.opening = SILENT_FOR_LONG
    answered = asyncio.Event()

    async def ping_again(wire: Wire, text: str) -> None:
        await agree(wire, text)
        if server.heard.count("3") == 5:
            answered.set()
        elif text in ("3", "40"):
            await asyncio.sleep(0.1)
            await wire.say("2")

    server.script = ping_again
    async with connected(engine, server) as connection:
        await asyncio.wait_for(answered.wait(), 10)
        assert not connection.ended.done()


async def test_a_server_that_answers_pings_is_not(
    server: Server, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socketio_connection, "PING_AFTER", 0.05)
    async with connected(engine, server) as connection:
        await asyncio.sleep(0.2)
        await engine.call(connection.subscribe("default"))
        assert not connection.ended.done()


async def test_a_subscription_that_is_not_acknowledged_fails(engine: Engine) -> None:
    async def check(acknowledgement: str) -> None:
        async def script(wire: Wire, text: str) -> None:
            if not text.startswith("42"):
                await agree(wire, text)
            elif acknowledgement:
                await wire.say(acknowledgement)

        server = Server()
        server.script = script
        async with (
            serving(server.answer) as server.url,
            connected(engine, server, connect_timeout=0.2) as connection,
        ):
            with pytest.raises(SocketFailure, match=r"no acknowledgement within 0\.2 s"):
                await engine.call(connection.subscribe("default"))

    # None, one that is nested too deeply, and one that is not JSON; together, as each takes the time.
    await asyncio.gather(*map(check, ["", "431" + "[" * 200_000 + "]" * 200_000, "431[cut"]))


async def test_an_acknowledgement_may_hold_anything(server: Server, engine: Engine) -> None:
    async def script(wire: Wire, text: str) -> None:
        await (wire.say('431[["default"],{"a":[]}]') if text.startswith("42") else agree(wire, text))

    server.script = script
    async with connected(engine, server) as connection:
        await engine.call(connection.subscribe("default"))


async def test_the_address_may_have_a_path_of_its_own(server: Server, engine: Engine) -> None:
    server.url += "/http/%41b"
    async with connected(engine, server) as connection:
        await engine.call(connection.subscribe("default"))
    assert server.path == "/http/%41b/ws/socket.io/?transport=websocket&EIO=4"


@pytest.mark.parametrize("url", ["http://studio.example", "https://studio.example"])
async def test_a_proxy_gets_its_login_and_the_reason_is_reported(engine: Engine, url: str) -> None:
    asked = asyncio.get_running_loop().create_future()

    async def refuse_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set_result((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse_all, "127.0.0.1", 0) as proxy:
        address = f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        http = HttpTransport(Settings(url, proxy=f"http://u:S3CRET@{address}", retries=0), engine)

        async def opened() -> None:
            await open_connection(http, lambda *_: None, is_asked=True)

        with pytest.raises(SocketFailure, match="502"):
            await engine.call(opened())
    assert "Proxy-Authorization: Basic dTpTM0NSRVQ=" in await asked


async def test_a_server_that_does_not_exist_is_reported_as_such(engine: Engine) -> None:
    http = HttpTransport(Settings("http://127.0.0.1:9", retries=0), engine)

    async def opened() -> None:
        await open_connection(http, lambda *_: None, is_asked=True)

    with pytest.raises(SocketFailure, match=r"Connect call failed|refused"):
        await engine.call(opened())


async def test_a_subscription_fails_when_the_connection_is_lost(server: Server, engine: Engine) -> None:
    async def script(wire: Wire, text: str) -> None:
        await (wire.hang_up() if text.startswith("42") else agree(wire, text))

    server.script = script
    async with connected(engine, server) as connection:
        with pytest.raises(SocketFailure, match="closed"):
            await engine.call(connection.subscribe("default"))
        with pytest.raises(SocketFailure):
            await engine.call(connection.subscribe("another"))


@pytest.mark.parametrize("opening", ["rubbish", "0{}", "0[", '0{"pingInterval":null,"pingTimeout":1}', "2"])
async def test_an_opening_that_cannot_be_read_is_a_failed_handshake(
    server: Server, engine: Engine, opening: str
) -> None:
    server.opening = opening
    with pytest.raises(SocketFailure, match="handshake"):
        async with connected(engine, server):
            pass
    await asyncio.wait_for(server.closed.wait(), 10)


async def test_another_answer_than_the_server_s_is_a_failed_handshake(server: Server, engine: Engine) -> None:
    async def script(wire: Wire, text: str) -> None:
        await wire.say("45-")

    server.script = script
    with pytest.raises(SocketFailure, match="handshake"):
        async with connected(engine, server):
            pass


async def refuse(wire: Wire, text: str) -> None:
    await wire.say('44{"message":"no"}')


async def test_a_refused_handshake_is_reported_as_such(server: Server, engine: Engine) -> None:
    server.script = refuse
    # What the server says over REST, where it is asked whether the token is good.
    with pytest.raises(AuthenticationError):
        async with connected(engine, server, token="t"):
            pass


@pytest.mark.parametrize(
    ("status", "error", "why"),
    [
        (401, AuthenticationError, "401"),
        (403, AuthenticationError, "401"),
        (404, SocketFailure, "^404 "),
        (500, SocketFailure, "^500 "),
    ],
)
async def test_a_status_that_refuses_the_user_is_distinguished_from_others(
    server: Server, engine: Engine, status: int, error: type[Exception], why: str
) -> None:
    server.status = status
    with pytest.raises(error, match=why):
        async with connected(engine, server):
            pass


async def test_a_handshake_that_goes_no_further_ends_in_time(server: Server, engine: Engine) -> None:
    async def silent(wire: Wire, text: str) -> None:
        pass

    server.script = silent
    for opening in (OPEN, None):
        server.opening = opening
        server.closed.clear()
        with pytest.raises((TimeoutError, SocketFailure)):
            async with connected(engine, server, connect_timeout=0.2):
                pass
        await asyncio.wait_for(server.closed.wait(), 10)


class SilentWebSocket:
    """A websocket whose other end says nothing any more: it tells of no end."""

    is_half_open = False

    async def send_str(self, text: str) -> None:
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")

    async def close(self) -> None:
        if self.is_half_open:
            await asyncio.Event().wait()


async def test_a_connection_that_is_closed_has_ended_whatever_the_websocket_tells() -> None:
    websocket: Any = SilentWebSocket()
    connection = SocketIOConnection(websocket, lambda *_: None, 1.0)
    with pytest.raises(SocketFailure, match="closing transport"):
        await connection.subscribe("default")
    assert not connection.ended.done()
    await connection.close()
    assert connection.ended.result() == "closed"
    await connection.close()


@in_virtual_time
async def test_closing_a_half_open_connection_takes_a_few_seconds() -> None:
    websocket: Any = SilentWebSocket()
    websocket.is_half_open = True
    connection = SocketIOConnection(websocket, lambda *_: None, 1.0)
    began = now()
    await connection.close()
    assert 1 < now() - began < 10
    assert connection.ended.result() == "closed"
