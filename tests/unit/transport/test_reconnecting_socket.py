"""The socket against small Socket.IO servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client.client import InvokeAIClient
from invokeai_py_client.errors import AuthenticationError, ForbiddenError, InvokeAIError
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.reconnecting_socket import Socket


class Studio:
    """A server that knows some tokens, on the socket and on REST, and who shows what."""

    def __init__(self) -> None:
        self.accepted: set[str | None] = {None}
        self.shown: list[str | None] = []
        self.sids: list[str] = []
        self.subscribed = asyncio.Event()
        self.logins: list[str] = []
        self.login_status = 401
        self.redirect_socket_to: str | None = None
        self.on_connect: Callable[[], None] = lambda: None
        self.url = ""
        self.sio = socketio.AsyncServer(async_mode="aiohttp")
        self.sio.on("connect", self._connect)
        self.sio.on("subscribe_queue", self._subscribe)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: dict[str, Any] | None) -> bool:
        token = (auth or {}).get("token")
        self.shown.append(token)
        self.sids.append(sid)
        self.on_connect()
        return token in self.accepted

    async def _subscribe(self, sid: str, data: Any) -> None:
        self.subscribed.set()

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
    async with serving(app) as studio.url:
        try:
            yield studio
        finally:
            await studio.sio.shutdown()


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with open_studio() as studio:
        yield studio


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    # Awaited, as the server that the socket says goodbye to is on this loop.
    await engine.aclose()


class Listener:
    """What the socket told, in order."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue()

    def received(self, name: str, payload: Any, text: str) -> None:
        self.told.put_nowait(f"received {name}")

    def connected(self) -> None:
        self.told.put_nowait("connected")

    def refused(self) -> None:
        self.told.put_nowait("refused")

    def denied(self, error: InvokeAIError) -> None:
        self.told.put_nowait(type(error).__name__)

    def lost(self, reason: str) -> None:
        self.told.put_nowait("lost")


def socket_of(engine: Engine, settings: Settings, listener: Listener | None = None) -> Socket:
    return Socket(HttpTransport(settings, engine), engine, listener or Listener())


async def test_the_token_does_not_follow_a_redirect_to_another_server(studio: Studio, engine: Engine) -> None:
    async with open_studio() as other:
        other.accepted = {"secret"}
        studio.redirect_socket_to = other.url
        socket = socket_of(engine, Settings(studio.url, token="secret"))
        assert not await engine.call(socket.subscribe("default"))
        assert other.shown == []


async def test_who_logs_in_while_the_socket_is_opened_is_who_it_is_of(studio: Studio, engine: Engine) -> None:
    studio.accepted = {"of ann", "of bob"}
    http = HttpTransport(Settings(studio.url, token="of ann"), engine)
    listener = Listener()
    socket = Socket(http, engine, listener)
    studio.on_connect = lambda: become(http, "of bob") if len(studio.shown) == 1 else None
    await engine.call(socket.subscribe("default"))
    while len(studio.shown) < 2 or not socket.is_connected:
        await asyncio.wait_for(engine.call(listener.told.get()), 10)
    assert studio.shown == ["of ann", "of bob"]


def become(http: HttpTransport, token: str) -> None:
    http.credentials.forget()
    http.credentials.adopt(token)


async def test_a_redirect_within_the_server_is_followed(studio: Studio, engine: Engine) -> None:
    studio.accepted = {"secret"}
    studio.redirect_socket_to = studio.url
    socket = socket_of(engine, Settings(studio.url, token="secret"))
    assert await engine.call(socket.subscribe("default"))
    assert studio.shown == ["secret"]


async def test_the_socket_logs_in_again_when_its_token_has_expired(studio: Studio, engine: Engine) -> None:
    studio.accepted, studio.login_status = {"good"}, 200
    listener = Listener()
    socket = socket_of(engine, Settings(studio.url, token="expired", email="a@b.c", password="right"), listener)
    assert await engine.call(socket.subscribe("default"))
    assert (studio.shown, studio.logins) == (["expired", "t1"], ["right"])
    await studio.sio.emit("queue_cleared", {"queue_id": "default"})
    assert [await engine.call(listener.told.get()) for _ in range(2)] == ["connected", "received queue_cleared"]


@pytest.mark.parametrize(
    ("login_status", "login", "error"),
    [
        (401, {"email": "a@b.c", "password": "wrong"}, AuthenticationError),
        (403, {"email": "a@b.c", "password": "right"}, ForbiddenError),
        (401, {}, AuthenticationError),
    ],
    ids=["a wrong password", "a deactivated user", "nothing to log in with"],
)
async def test_who_is_refused_is_reported_instead_of_waiting_in_silence(
    studio: Studio, engine: Engine, login_status: int, login: dict[str, str], error: type[Exception]
) -> None:
    studio.accepted, studio.login_status = {"good"}, login_status
    listener = Listener()
    socket = socket_of(engine, Settings(studio.url, token="expired", **login), listener)  # type: ignore[arg-type]
    assert not await engine.call(socket.subscribe("default"))
    assert type(socket.denial) is error
    assert await engine.call(listener.told.get()) == error.__name__
    assert studio.shown == ["expired"]


@pytest.mark.parametrize("token", [None, "expired"])
async def test_the_socket_waits_after_a_refusal_until_somebody_logs_in(
    studio: Studio, engine: Engine, token: str | None
) -> None:
    studio.accepted = {"good"}
    listener = Listener()
    http = HttpTransport(Settings(studio.url, token=token, email="a@b.c", password="wrong"), engine)
    socket = Socket(http, engine, listener)
    assert not await engine.call(socket.subscribe("default"))
    assert await engine.call(listener.told.get()) == "AuthenticationError"
    assert studio.logins == ["wrong"]
    await engine.call(socket.reconnect())
    assert await engine.call(listener.told.get()) == "AuthenticationError"
    assert studio.logins == ["wrong"], "it is known to be wrong"
    assert not await engine.call(socket.subscribe("default"))
    assert studio.logins == ["wrong", "wrong"], "asked for, so tried once more"
    assert await engine.call(listener.told.get()) == "AuthenticationError"
    studio.login_status = 200
    assert await engine.call(http.log_in("a@b.c", "right")) is not None
    assert await engine.call(listener.told.get()) == "connected"


async def test_a_stream_ends_when_its_user_is_refused(studio: Studio) -> None:
    studio.accepted = {"good"}
    async with InvokeAIClient(Settings(studio.url, token="good")) as client:
        stream = client.stream_queue_events()
        first = asyncio.ensure_future(anext(stream))
        await studio.subscribed.wait()
        while not first.done():
            # Who has subscribed does not listen yet.
            await studio.sio.emit("queue_cleared", {"queue_id": "default"}, to=studio.sids[0])
            await asyncio.wait([first], timeout=0.1)
        assert (await first).type == "queue_cleared"
        studio.accepted.clear()
        await studio.sio.disconnect(studio.sids[0])
        with pytest.raises(AuthenticationError, match="who are you"):
            await asyncio.wait_for(end_of(stream), 10)
        with pytest.raises(AuthenticationError):
            await anext(client.queue.watch())


async def end_of(stream: EventStream) -> None:
    async for _ in stream:
        pass
