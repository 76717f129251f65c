"""The tap between the websocket and the Socket.IO library."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import socketio
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client.transport.event_tap import TappedSession

Heard = list[tuple[str, Any]]


@asynccontextmanager
async def served() -> AsyncIterator[tuple[socketio.AsyncServer, str]]:
    server = socketio.AsyncServer(async_mode="aiohttp")
    app = web.Application()
    server.attach(app)
    async with serving(app) as url:
        yield server, url
        await server.shutdown()


async def connected(url: str, session: aiohttp.ClientSession, heard: Heard) -> socketio.AsyncClient:
    tapped = TappedSession(session, lambda name, payload: heard.append((name, payload)))
    client = socketio.AsyncClient(reconnection=False, http_session=tapped)
    await client.connect(url, transports=["websocket"])
    return client


async def test_events_come_in_order_and_acks_still_work() -> None:
    heard: Heard = []
    async with served() as (server, url), aiohttp.ClientSession() as session:

        async def ask(sid: str, data: Any) -> Any:
            for number in range(3):
                await server.emit("told", {"number": number}, to=sid)
            await server.emit("bare", to=sid)
            return data

        server.on("ask", ask)
        client = await connected(url, session, heard)
        assert await client.call("ask", {"a": 1}) == {"a": 1}
        await client.disconnect()
    assert heard == [*(("told", {"number": number}) for number in range(3)), ("bare", None)]


@pytest.mark.parametrize("refused", [False, True])
async def test_the_shared_session_outlives_the_library_s_client(refused: bool) -> None:
    async with served() as (_, url), aiohttp.ClientSession() as session:
        if refused:
            client = socketio.AsyncClient(reconnection=False, http_session=TappedSession(session, lambda *_: None))
            with pytest.raises(socketio.exceptions.ConnectionError):
                await client.connect("http://127.0.0.1:9", transports=["websocket"])
        else:
            client = await connected(url, session, [])
        await client.disconnect()
        engine = client.eio
        del client

        def collect_elsewhere() -> None:
            # As the garbage collector may, in a thread whose loop does not run.
            asyncio.set_event_loop(asyncio.new_event_loop())
            engine.__del__()
            asyncio.get_event_loop().close()

        thread = threading.Thread(target=collect_elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)
        gc.collect()
        async with session.get(f"{url}/nothing") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    "rubbish",
    ["[" * 200_000 + "]" * 200_000, '{"cut": "', "1" * 10_000],
    ids=["nested too deeply", "no JSON", "a number of too many digits"],
)
async def test_an_unreadable_event_is_skipped_and_logged_once(rubbish: str, caplog: pytest.LogCaptureFixture) -> None:
    heard: Heard = []
    ended: list[object] = []
    async with served() as (server, url), aiohttp.ClientSession() as session:

        async def ask(sid: str, data: Any) -> Any:
            for _ in range(2):
                await server.eio.send(server.manager.eio_sid_from_sid(sid, "/"), f'2["odd",{rubbish}]')
            await server.emit("told", {"number": 1}, to=sid)
            return data

        server.on("ask", ask)
        client = await connected(url, session, heard)
        client.on("disconnect", ended.append)
        assert await client.call("ask", 1) == 1
        assert ended == []
        await client.disconnect()
    assert heard == [("told", {"number": 1})]
    warnings = [record.getMessage() for record in caplog.records if record.name == "invokeai_py_client.socket"]
    assert len(warnings) == 1
    assert "'odd'" in warnings[0]


async def test_of_unreadable_events_twenty_types_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        for number in range(25):
            await websocket.send_str(f'42["odd {number}",')
        await websocket.close()
        return websocket

    async with serving(talk) as url, aiohttp.ClientSession() as session:
        websocket = await TappedSession(session, lambda *_: None).ws_connect(url)
        assert (await websocket.receive()).type is not aiohttp.WSMsgType.TEXT
    warnings = [record.getMessage() for record in caplog.records if record.name == "invokeai_py_client.socket"]
    assert len(warnings) == 20
    assert "'odd 19'" in warnings[-1]


async def test_all_but_events_goes_both_ways_as_it_is() -> None:
    received: list[object] = []

    async def echo(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        async for message in websocket:
            received.append(message.data)
            await websocket.send_str('42["told"]')
            await websocket.send_str("2")
        return websocket

    heard: Heard = []
    async with serving(echo) as url, aiohttp.ClientSession() as session:
        tapped = TappedSession(session, lambda name, payload: heard.append((name, payload)))
        assert not tapped.closed
        websocket = await tapped.ws_connect(url)
        assert tapped.closed, "the library must not close it"
        await websocket.send_str("1")
        assert (await websocket.receive()).data == "2"
        await websocket.send_bytes(b"1")
        assert (await websocket.receive()).data == "2"
        await websocket.close()
    assert received == ["1", b"1"]
    assert heard == [("told", None)] * 2


async def test_a_websocket_is_closed_although_its_handshake_has_failed() -> None:
    closed = asyncio.Event()

    async def silent(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        async for _ in websocket:
            pass
        closed.set()
        return websocket

    app = web.Application()
    app.router.add_get("/socket.io/", silent)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            tapped = TappedSession(session, lambda *_: None)
            client = socketio.AsyncClient(reconnection=False, http_session=tapped)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.connect(f"http://127.0.0.1:{runner.addresses[0][1]}", transports=["websocket"])
            await client.disconnect()
            assert not closed.is_set(), "the library leaves it open"
            await tapped.close_websocket()
            await asyncio.wait_for(closed.wait(), 10)
            await tapped.close_websocket()
    finally:
        await runner.cleanup()
