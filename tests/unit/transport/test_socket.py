"""The socket against small Socket.IO servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from aiohttp import web

from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.socket import Socket


class Studio:
    """A server that knows some tokens, on the socket and on REST, and who shows what."""

    def __init__(self) -> None:
        self.accepted: set[str | None] = {None}
        self.shown: list[str | None] = []
        self.logins: list[str] = []
        self.login_status = 401
        self.redirect_socket_to: str | None = None
        self.url = ""
        self.sio = socketio.AsyncServer(async_mode="aiohttp")
        self.sio.on("connect", self._connect)
        self.sio.on("subscribe_queue", self._subscribe)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: dict[str, Any] | None) -> bool:
        token = (auth or {}).get("token")
        self.shown.append(token)
        return token in self.accepted

    async def _subscribe(self, sid: str, data: Any) -> None:
        return

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/auth/login"):
            self.logins.append((await request.json())["password"])
            if self.login_status != 200:
                return web.json_response({"detail": "no"}, status=self.login_status)
            token = f"t{len(self.logins)}"
            self.accepted.clear()
            self.accepted.add(token)
            return web.json_response({"token": token, "user": {"user_id": "u", "email": "a@b.c"}, "expires_in": 1})
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ") or None
        if shown not in self.accepted:
            return web.json_response({"detail": "who are you"}, status=401)
        return web.json_response({"user_id": "u", "email": "a@b.c"})


@asynccontextmanager
async def open_studio() -> AsyncIterator[Studio]:
    studio = Studio()

    @web.middleware
    async def redirecting(request: web.Request, handler: Any) -> web.StreamResponse:
        if studio.redirect_socket_to and request.path.startswith("/ws/") and "redirected" not in request.query:
            raise web.HTTPTemporaryRedirect(f"{studio.redirect_socket_to}{request.path_qs}&redirected=1")
        response: web.StreamResponse = await handler(request)
        return response

    app = web.Application(middlewares=[redirecting])
    studio.sio.attach(app, socketio_path="/ws/socket.io")
    app.router.add_route("*", "/api/{path:.*}", studio.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    studio.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield studio
    finally:
        await studio.sio.shutdown()
        await runner.cleanup()


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with open_studio() as studio:
        yield studio


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


class Listener:
    """What the socket told, in order."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue()

    def received(self, name: str, payload: Any) -> None:
        self.told.put_nowait(f"received {name}")

    def connected(self) -> None:
        self.told.put_nowait("connected")

    def refused(self) -> None:
        self.told.put_nowait("refused")

    def lost(self, reason: str) -> None:
        self.told.put_nowait("lost")


def socket_of(engine: Engine, settings: Settings) -> Socket:
    return Socket(HttpTransport(settings, engine), engine, Listener())


async def test_the_token_does_not_follow_a_redirect_to_another_server(studio: Studio, engine: Engine) -> None:
    async with open_studio() as other:
        other.accepted = {"secret"}
        studio.redirect_socket_to = other.url
        socket = socket_of(engine, Settings(studio.url, token="secret"))
        assert not await engine.call(socket.subscribe("default"))
        assert other.shown == []


async def test_a_redirect_within_the_server_is_followed(studio: Studio, engine: Engine) -> None:
    studio.accepted = {"secret"}
    studio.redirect_socket_to = studio.url
    socket = socket_of(engine, Settings(studio.url, token="secret"))
    assert await engine.call(socket.subscribe("default"))
    assert studio.shown == ["secret"]
