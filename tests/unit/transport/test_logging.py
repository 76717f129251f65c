"""What the client logs: at INFO what a user wants to know, at DEBUG every request, and nowhere a secret."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import socketio
from aiohttp import web
from tests.support.scripted_server import WORKFLOW, ScriptedServer, whole_story
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.errors import InvokeAIError, ServerError

WORD = "S3cret-W0rd"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Studio:
    """A server with a socket, and routes by path."""

    def __init__(self) -> None:
        self.routes: dict[str, Handler] = {}
        self.url = ""
        self.sio = socketio.AsyncServer(async_mode="aiohttp")
        self.sio.on("subscribe_queue", self._subscribe)
        self.sio.on("connect", self._connect)
        self.is_subscribed = asyncio.Event()
        self.sids: list[str] = []

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any) -> bool:
        self.sids.append(sid)
        return True

    async def _subscribe(self, sid: str, data: Any) -> None:
        self.is_subscribed.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await self.routes.get(request.path.rsplit("/", 1)[-1], version)(request)


async def version(_: web.Request) -> web.StreamResponse:
    return web.json_response({"version": "6.14.2"})


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    studio = Studio()
    app = web.Application()
    studio.sio.attach(app, socketio_path="/ws/socket.io")
    app.router.add_route("*", "/{path:.*}", studio.handle)
    async with serving(app) as studio.url:
        yield studio
        await studio.sio.shutdown()


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path))
    caplog.set_level(logging.DEBUG, logger="invokeai_py_client")


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == level and record.name.startswith("invokeai_py_client.")
    ]


def answering(status: int, body: Any = None, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return handler


async def test_each_request_is_one_debug_line(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    async with InvokeAIClient.from_url(studio.url) as client:
        await client.aio.app.get_version()
    (line,) = lines(caplog, logging.DEBUG)
    assert line.startswith("GET /api/v1/app/version: 200, ")
    assert line.endswith(" ms, 21 bytes")
    assert lines(caplog, logging.INFO) == []


async def test_each_retry_says_why_and_when(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    studio.routes["app_deps"] = answering(503, {"detail": "starting"})
    async with InvokeAIClient.from_url(studio.url, retries=2) as client:
        with pytest.raises(ServerError):
            await client.aio.app.get_dependencies()
    told = [line for line in lines(caplog, logging.DEBUG) if "retry" in line]
    assert [line.split(" in ")[0] for line in told] == [f"GET /api/v1/app/app_deps: retry {n} of 2" for n in (1, 2)]
    assert all("starting" in line and " s, because" in line for line in told)


async def test_the_life_of_a_socket_is_reported_at_info(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    async with InvokeAIClient.from_url(studio.url) as client:
        changes: asyncio.Queue[str] = asyncio.Queue()
        client.on_connection(lambda change: changes.put_nowait(change.state))
        events = client.stream_queue_events()
        async with events:
            assert await asyncio.wait_for(changes.get(), 10) == "connected"
            await studio.sio.disconnect(studio.sids[0])
            assert await asyncio.wait_for(changes.get(), 10) == "disconnected"
            assert await asyncio.wait_for(changes.get(), 10) == "reconnected"
    told = lines(caplog, logging.INFO)
    assert told[0] == f"connected to {studio.url}"
    assert any("socket lost after" in line for line in told)
    assert told[-1].startswith(f"reconnected to {studio.url} after ")
    assert len(told) <= 5
    assert "subscribed to the events of queue 'default'" in lines(caplog, logging.DEBUG)


def test_an_enqueue_is_one_line_at_info_and_its_items_are_one_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        server.finish(item_id)
        await server.play_all(whole_story(item_id, batch_id))

    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        run = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW)).submit_sync()
        run.wait(20)
    where = f"batch {run.batch_id} in the queue 'default'"
    assert lines(caplog, logging.INFO) == [f"connected to {server.url}", f"{where}: enqueued 1"]
    assert f"{where}: its new items are [1]" in lines(caplog, logging.DEBUG)


async def test_a_login_is_reported_at_info(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    user = {"user_id": "u", "email": "a@b.c"}
    studio.routes["login"] = answering(200, {"token": WORD, "user": user, "expires_in": 1})
    studio.routes["app_deps"] = answering(200, {})
    async with InvokeAIClient.from_url(studio.url, email="a@b.c", password=WORD) as client:
        await client.aio.app.get_dependencies()
    assert lines(caplog, logging.INFO) == [f"logged in to {studio.url}"]


async def test_no_line_holds_a_secret(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    user = {"user_id": "u", "email": "a@b.c"}
    studio.routes["login"] = answering(200, {"token": f"token-{WORD}", "user": user, "expires_in": 1})
    studio.routes["install"] = answering(503, {"detail": "no"}, **{"X-Refreshed-Token": f"new-{WORD}"})
    async with InvokeAIClient.from_url(studio.url, email="a@b.c", password=WORD, retries=1) as client:
        async with client.stream_queue_events():
            await studio.is_subscribed.wait()
        for call in (
            client.aio.dnn_model_repo.install_model("a/b", access_token=WORD),
            client.aio.request("GET", f"/api/v1/x?access_token={WORD}"),
            client.aio.request("GET", "/api/v1/x", headers={"Authorization": f"Bearer {WORD}"}),
            client.aio.auth.create_user("a@b.c", WORD),
        ):
            try:
                await call
            except InvokeAIError:
                continue
    proxy = f"http://u:{WORD}@127.0.0.1:9"
    async with InvokeAIClient.from_url("http://studio.example", proxy=proxy, retries=1) as client:
        with pytest.raises(InvokeAIError):
            await client.aio.app.get_version()
    ours = [record for record in caplog.records if record.name.startswith("invokeai_py_client")]
    assert len(ours) > 8
    for record in caplog.records:
        if not record.name.startswith(("socketio.server", "engineio.server", "aiohttp.access")):
            assert WORD not in f"{record.getMessage()} {record.exc_text}", record.name


@pytest.mark.parametrize("message", ['2["bad', "2[", "3", '2["a",1]x', "5-", "9", ""])
async def test_a_message_that_cannot_be_read_writes_nothing_to_stderr(
    studio: Studio, message: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async with InvokeAIClient.from_url(studio.url) as client, client.stream_queue_events():
        await asyncio.wait_for(studio.is_subscribed.wait(), 10)
        studio.is_subscribed.clear()
        (eio_sid,) = studio.sio.eio.sockets
        await studio.sio.eio.send(eio_sid, message)
        await studio.sio.eio.disconnect(eio_sid)
        # It has taken all of it in once it is back.
        await asyncio.wait_for(studio.is_subscribed.wait(), 20)
    assert [r.getMessage() for r in caplog.records if r.name == "asyncio"] == []
    assert capfd.readouterr().err == ""
