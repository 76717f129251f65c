"""The transport against a scripted server on loopback: what the real one cannot be made to do."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import time
import traceback
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import aiohttp
import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import errors
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.secret import Secret
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call, Part
from invokeai_py_client.wire.calls import app as app_calls
from invokeai_py_client.wire.calls import auth as auth_calls
from invokeai_py_client.wire.calls import queue as queue_calls
from invokeai_py_client.wire.reading import content

# Not written out where it is used: tracebacks quote the lines of tests, too.
SECRET = "Secret-Word"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

pytestmark = pytest.mark.usefixtures("quick_retries")


class Script:
    """A server that answers each request with the next of its handlers, the last one for ever, and tells a version."""

    def __init__(self) -> None:
        self.handlers: list[Handler] = []
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.is_invokeai = True
        self.versions = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v1/app/version" and self.is_invokeai:
            self.versions += 1
            return web.json_response({"version": "1"})
        self.requests.append(request)
        self.bodies.append(await request.read())
        handler = self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0]
        return await handler(request)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    async with serving(script.handle) as script.url:
        yield script


def answer(status: int = 200, body: Any = None, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return handler


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def half_a_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "10"})
    await response.prepare(request)
    await response.write(b"half.")
    assert request.transport is not None
    request.transport.close()
    return response


def call(method: str = "GET", *, idempotent: bool = True, **more: Any) -> Call[Any]:
    return Call(method=method, path="/x", parse=lambda response: response.json(), idempotent=idempotent, **more)


async def send(script: Script, engine: Engine, what: Call[Any], **settings: Any) -> Any:
    http = HttpTransport(Settings(script.url, **settings), engine)
    return await engine.call(http.send(what))


@pytest.mark.parametrize("passing", [answer(503), answer(502), answer(504), answer(429, Retry_After="0"), hang_up])
async def test_a_passing_failure_is_tried_again(script: Script, engine: Engine, passing: Handler) -> None:
    script.handlers = [passing, passing, answer(body={"ok": True})]
    assert await send(script, engine, call()) == {"ok": True}
    assert len(script.requests) == 3


@pytest.mark.parametrize(("status", "tries"), [(500, 1), (404, 1), (422, 1), (503, 3)])
async def test_only_what_passes_is_tried_again_and_not_for_ever(
    script: Script, engine: Engine, status: int, tries: int
) -> None:
    script.handlers = [answer(status, {"detail": "no"})]
    with pytest.raises(errors.ApiError):
        await send(script, engine, call(), retries=2)
    assert len(script.requests) == tries


async def test_what_is_not_idempotent_is_sent_once(script: Script, engine: Engine) -> None:
    script.handlers = [hang_up]
    with pytest.raises(errors.TransportError) as caught:
        await send(script, engine, call("POST", idempotent=False))
    assert caught.value.sent
    assert len(script.requests) == 1


async def test_the_server_says_how_long_to_wait(script: Script, engine: Engine) -> None:
    script.handlers = [answer(429, Retry_After="0.1"), answer(body=1)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await send(script, engine, call()) == 1
    assert loop.time() - began >= 0.1


async def test_no_answer_in_time_is_a_time_out(script: Script, engine: Engine) -> None:
    never = asyncio.Event()

    async def sleep(_: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    script.handlers = [sleep]
    with pytest.raises(errors.RequestTimeout, match=r"within 0\.1 s"):
        await send(script, engine, call(timeout=0.1))
    with pytest.raises(TimeoutError):
        await send(script, engine, call(), timeout=0.1)
    never.set()


@pytest.mark.parametrize("seconds", ["61", "0.45"])
async def test_retries_and_their_delays_are_within_the_timeout(script: Script, engine: Engine, seconds: str) -> None:
    script.handlers = [answer(503, {"detail": "busy"}, Retry_After=seconds)]
    began = time.perf_counter()
    with pytest.raises(errors.ServerError) as caught:
        await send(script, engine, call(timeout=0.5), retries=10)
    assert time.perf_counter() - began < 4, "ten retries take 4.5 s"
    assert caught.value.retry_after == float(seconds)
    assert len(script.requests) <= 2


async def test_the_timeout_bounds_all_attempts_together(script: Script, engine: Engine) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return web.json_response({"detail": "busy"}, status=503)

    script.handlers = [slow]
    began = time.perf_counter()
    with pytest.raises((errors.RequestTimeout, errors.ServerError)):
        await send(script, engine, call(timeout=0.5), retries=10)
    assert time.perf_counter() - began < 2.5, "ten retries take 3 s"


async def test_a_login_is_within_the_timeout_of_the_call(script: Script, engine: Engine) -> None:
    over = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    script.handlers = [slow]
    with pytest.raises(errors.RequestTimeout) as caught:
        await send(script, engine, call("POST", timeout=0.1), email="a@b.c", password=SECRET)
    assert not caught.value.may_have_been_applied
    over.set()


async def test_what_was_certainly_not_carried_out_is_sent_again_whatever_it_is(
    script: Script, engine: Engine, unused_tcp_port: int
) -> None:
    script.handlers = [answer(body=1)]
    http = HttpTransport(Settings(f"http://127.0.0.1:{unused_tcp_port}", retries=9), engine)
    sending = asyncio.create_task(engine.call(http.send(call("POST", idempotent=False))))
    await asyncio.sleep(0.05)
    async with serving(script.handle, port=unused_tcp_port):
        assert await sending == 1
        assert len(script.requests) == 1


@pytest.mark.parametrize("lost", [hang_up, answer(503), answer(504), half_a_body])
async def test_a_deletion_that_finds_nothing_when_repeated_has_succeeded(
    script: Script, engine: Engine, lost: Handler
) -> None:
    script.handlers = [lost, answer(404, {"detail": "gone"})]
    deletion = Call(
        method="DELETE",
        path="/x",
        parse=lambda response: (response.status_code, response.is_repeat),
        idempotent=True,
        done_statuses=frozenset({404}),
    )
    assert await send(script, engine, deletion) == (404, True)
    script.handlers = [answer(404, {"detail": "gone"})]
    with pytest.raises(errors.NotFoundError):
        await send(script, engine, deletion)


async def test_an_error_after_a_lost_response_says_that_the_request_may_have_been_applied(
    script: Script, engine: Engine
) -> None:
    script.handlers = [hang_up, answer(403, {"detail": "no"})]
    with pytest.raises(errors.ForbiddenError) as caught:
        await send(script, engine, call("DELETE"))
    assert caught.value.may_have_been_applied
    script.handlers = [answer(403, {"detail": "no"})]
    with pytest.raises(errors.ForbiddenError) as caught:
        await send(script, engine, call("DELETE"))
    assert not caught.value.may_have_been_applied


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
async def test_a_used_connection_that_breaks_has_nothing_sent_twice(
    script: Script, engine: Engine, method: str
) -> None:
    script.handlers = [answer(body=1), hang_up]
    http = HttpTransport(Settings(script.url), engine)
    await engine.call(http.send(call()))
    with pytest.raises(errors.TransportError) as caught:
        await engine.call(http.send(call(method, idempotent=False)))
    assert caught.value.may_have_been_applied
    assert len(script.requests) == 2


async def test_a_body_that_breaks_off_is_a_transport_error(script: Script, engine: Engine) -> None:
    script.handlers = [half_a_body]
    with pytest.raises(ConnectionError, match="before the response was complete"):
        await send(script, engine, call(), retries=0)


async def test_a_download_starts_over_after_a_break(script: Script, engine: Engine, tmp_path: Path) -> None:
    script.handlers = [half_a_body, answer(body="whole")]
    http = HttpTransport(Settings(script.url), engine)
    got = await engine.call(http.download(call(), tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b'"whole"'
    assert (got.size, got.crc32) == (7, zlib.crc32(b'"whole"'))
    assert os.listdir(tmp_path) == ["file"]


async def test_a_download_that_fails_leaves_the_file_that_was_there(
    script: Script, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("old")
    script.handlers = [half_a_body]
    http = HttpTransport(Settings(script.url, retries=0), engine)
    with pytest.raises(errors.TransportError):
        await engine.call(http.download(call(), tmp_path / "file"))
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


async def web_page(_: web.Request) -> web.Response:
    return web.Response(body=b"<html>", content_type="text/html")


async def empty(_: web.Request) -> web.Response:
    return web.Response(content_type="image/png")


@pytest.mark.parametrize(("handler", "error"), [(web_page, errors.NotInvokeAIError), (empty, errors.ServerError)])
async def test_what_is_not_a_file_is_not_taken_for_one(
    script: Script, engine: Engine, tmp_path: Path, handler: Handler, error: type[Exception]
) -> None:
    script.handlers = [handler]
    (tmp_path / "file").write_text("old")
    http = HttpTransport(Settings(script.url), engine)
    for name in ("file", "new"):
        with pytest.raises(error, match="GET http"):
            await engine.call(http.download(call(), tmp_path / name))
    with pytest.raises(error, match="GET http"):
        await engine.call(http.send(Call(method="GET", path="/x", parse=content, idempotent=True)))
    assert len(script.requests) == 3
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


async def test_a_file_may_take_its_time_but_not_stand_still(script: Script, engine: Engine, tmp_path: Path) -> None:
    still = asyncio.Event()

    async def slowly(request: web.Request, pieces: int = 4) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(pieces):
            await response.write(b"0123456789")
            await asyncio.sleep(0.1)
        return response

    async def and_stops(request: web.Request) -> web.StreamResponse:
        response = await slowly(request, 1)
        await still.wait()
        return response

    script.handlers = [slowly, and_stops]
    http = HttpTransport(Settings(script.url, timeout=0.3, retries=0), engine)
    assert (await engine.call(http.download(call(), tmp_path / "file"))).size == 40
    with pytest.raises(errors.RequestTimeout, match=r"within 0\.3 s"):
        await engine.call(http.download(call(), tmp_path / "other"))
    still.set()
    assert os.listdir(tmp_path) == ["file"]


async def test_a_large_upload_may_take_longer_than_a_question(engine: Engine) -> None:
    size = 2 * 2**20

    async def take_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken = 0
        while taken < size:
            taken += len(await reader.read(2**16))
            await asyncio.sleep(0.01)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(take_slowly, "127.0.0.1", 0, limit=2**16) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        http = HttpTransport(Settings(url, timeout=0.2), engine)
        upload = Call(
            method="POST",
            path="/upload",
            parse=lambda response: response.json(),
            parts=(Part("file", b"0" * size, "a.png", "image/png"),),
        )
        assert await engine.call(http.send(upload)) == 1


async def test_an_answer_of_an_unknown_shape_is_a_server_error(script: Script, engine: Engine) -> None:
    script.handlers = [answer(body={"other": 1})]
    what = Call(method="GET", path="/x", parse=lambda response: response.json()["wanted"], idempotent=True)
    with pytest.raises(errors.ServerError, match="shape") as caught:
        await send(script, engine, what)
    assert caught.value.detail == '{"other": 1}'


async def test_what_is_sent_is_what_the_call_says(script: Script, engine: Engine) -> None:
    script.handlers = [answer(body=1)]
    await send(
        script, engine, call("POST", body={"text": "Grüße"}, query={"a": True, "b": None, "c": "x&y"}), token="t"
    )
    (request,) = script.requests
    assert request.path_qs == "/x?a=true&c=x%26y"
    assert request.headers["Authorization"] == "Bearer t"
    assert request.headers["Content-Type"] == "application/json"
    assert script.bodies == ['{"text":"Grüße"}'.encode()]


@pytest.mark.parametrize("body", [{"a": float("nan")}, {"a": object()}, {"a": "\ud800"}])
async def test_what_is_not_json_is_not_sent(script: Script, engine: Engine, body: Any) -> None:
    script.handlers = [answer(body=1)]
    with pytest.raises(errors.RequestBodyError, match="POST /x"):
        await send(script, engine, call("POST", body=body))
    assert script.requests == []


async def test_a_query_with_half_a_character_is_not_sent(script: Script, engine: Engine) -> None:
    script.handlers = [answer(body=1)]
    with pytest.raises(errors.RequestBodyError, match="query of /x"):
        await send(script, engine, call(query={"search": "\ud800"}))
    assert script.requests == []


async def test_a_server_below_a_sub_path_is_reached(script: Script, engine: Engine) -> None:
    script.handlers = [answer(body=1)]
    http = HttpTransport(Settings(f"{script.url}/invoke/"), engine)
    await engine.call(http.send(call()))
    assert script.requests[0].path == "/invoke/x"


def redirect(status: int, location: str) -> Handler:
    return answer(status, Location=location)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "what",
    [
        call(),
        call("POST", body={"a": 1}),
        call(parts=[Part("file", io.BytesIO(b"1234"), "a", "image/png")]),
        call("POST", body={"password": SECRET}, has_secrets=True),
    ],
    ids=["a question", "a body", "a file", "a secret"],
)
async def test_nothing_follows_a_redirect_to_another_server(
    script: Script, engine: Engine, status: int, what: Call[Any]
) -> None:
    heard: list[str] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append("connected")
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        other = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/there"
        script.handlers = [redirect(status, f"{other}?token={SECRET}")]
        with pytest.raises(errors.RedirectedError, match=other) as caught:
            await send(script, engine, what, token=SECRET)
        assert caught.value.target == other
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
        assert SECRET not in shown
    assert heard == []
    assert len(script.requests) == 1, "it would be redirected again"


@pytest.mark.parametrize(
    ("location", "target"),
    [("/there?a=1", "/there"), ("http://u:pw@127.0.0.1:9/x#y", "http://127.0.0.1:9/x"), ("http://[", None), ("", None)],
)
async def test_what_holds_a_secret_follows_no_redirect(
    script: Script, engine: Engine, location: str, target: str | None
) -> None:
    script.handlers = [redirect(307, location)]
    with pytest.raises(errors.RedirectedError) as caught:
        await send(script, engine, call("POST", body={"password": SECRET}, has_secrets=True))
    assert (caught.value.target or None) == target
    assert len(script.requests) == 1


@pytest.mark.parametrize("location", ["http://[", "ftp://127.0.0.1/x", "http://"])
async def test_a_redirect_to_what_is_not_an_address_is_reported(script: Script, engine: Engine, location: str) -> None:
    script.handlers = [redirect(307, location)]
    with pytest.raises(errors.RedirectedError):
        await send(script, engine, call())


async def test_another_name_of_the_host_is_another_server(script: Script, engine: Engine) -> None:
    other = script.url.replace("127.0.0.1", "localhost")
    script.handlers = [redirect(307, f"{other}/elsewhere"), answer(body=1)]
    with pytest.raises(errors.RedirectedError, match=other):
        await send(script, engine, call(), token="secret")


@pytest.mark.parametrize("relative", [True, False])
async def test_a_redirect_within_the_server_is_followed_with_what_was_sent(
    script: Script, engine: Engine, relative: bool
) -> None:
    script.handlers = [redirect(308, "/there" if relative else f"{script.url}/there"), answer(body=1)]
    assert await send(script, engine, call("PUT", body={"a": 1}), token="good") == 1
    assert [(one.method, one.path, one.headers["Authorization"]) for one in script.requests] == [
        ("PUT", "/x", "Bearer good"),
        ("PUT", "/there", "Bearer good"),
    ]
    assert script.bodies == [b'{"a":1}'] * 2


async def test_five_redirects_are_followed_and_not_more(script: Script, engine: Engine) -> None:
    script.handlers = [*[redirect(307, f"/{number}") for number in range(5)], answer(body=1)]
    assert await send(script, engine, call()) == 1
    script.handlers, script.requests = [redirect(307, "/again")], []
    with pytest.raises(errors.RedirectedError, match="too many redirects") as caught:
        await send(script, engine, call(), token=SECRET)
    assert len(script.requests) == 6
    assert caught.value.__cause__ is None


async def test_a_renewed_token_is_adopted(script: Script, engine: Engine) -> None:
    script.handlers = [answer(200, {}, **{"X-Refreshed-Token": "new"}), answer(200, {})]
    http = HttpTransport(Settings(script.url, token="old"), engine)
    for _ in range(2):
        await engine.call(http.send(call()))
    assert [request.headers["Authorization"] for request in script.requests] == ["Bearer old", "Bearer new"]


async def test_many_that_are_refused_at_once_log_in_once(script: Script, engine: Engine) -> None:
    logins = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal logins
        if request.path.endswith("/auth/login"):
            logins += 1
            user = {"user_id": "u", "email": "a@b.c"}
            return web.json_response({"token": f"t{logins}", "user": user, "expires_in": 1})
        good = request.headers.get("Authorization") == "Bearer t2"
        return web.json_response({} if good else {"detail": "expired"}, status=200 if good else 401)

    script.handlers = [handler]
    http = HttpTransport(Settings(script.url, email="a@b.c", password="secret"), engine)

    async def ten() -> None:
        await asyncio.gather(*(http.send(call()) for _ in range(10)))

    await engine.call(ten())
    assert logins == 2, "at first, and when the first token had expired"


class Doorkeeper:
    """Refuses each login, until it is told not to."""

    def __init__(self) -> None:
        self.logins = 0
        self.is_strict = True

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/auth/login"):
            self.logins += 1
            if self.is_strict:
                return web.json_response({"detail": "no"}, status=401)
            return web.json_response({"token": "t", "user": {"user_id": "u", "email": "a@b.c"}, "expires_in": 1})
        is_good = request.headers.get("Authorization") == "Bearer t" or request.path.endswith("/version")
        return web.json_response({"version": "1"}, status=200 if is_good else 401)


@pytest.mark.parametrize("token", [None, "expired"])
async def test_a_refused_password_is_not_sent_again_by_those_who_waited(
    script: Script, engine: Engine, token: str | None
) -> None:
    door = Doorkeeper()
    script.handlers = [door]
    http = HttpTransport(Settings(script.url, token=token, email="a@b.c", password="wrong"), engine)

    async def twenty() -> list[Any]:
        return await asyncio.gather(*(http.send(call()) for _ in range(20)), return_exceptions=True)

    refusals = await engine.call(twenty())
    assert [type(refusal) for refusal in refusals] == [errors.AuthenticationError] * 20
    assert len({id(refusal) for refusal in refusals}) == 20
    assert door.logins == 1
    with pytest.raises(errors.AuthenticationError):
        await engine.call(http.token(is_asked=False) if token is None else http.confirm(Secret(token), is_asked=False))
    assert door.logins == 1, "nobody has asked for it"
    door.is_strict = False
    assert await engine.call(http.send(call())) == {"version": "1"}
    assert door.logins == 2


@pytest.mark.parametrize("becomes", ["nobody", "somebody else"])
async def test_a_login_that_comes_late_does_not_undo_who_one_is(script: Script, engine: Engine, becomes: str) -> None:
    is_asked, go_on = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/auth/login"):
            return web.json_response({"detail": "expired"}, status=401)
        email = (await request.json())["email"]
        if email == "ann@b.c":
            is_asked.set()
            await go_on.wait()
        return web.json_response({"token": f"of {email}", "user": {"user_id": "u", "email": email}, "expires_in": 1})

    script.handlers = [handler]
    http = HttpTransport(Settings(script.url, token="expired", email="ann@b.c", password="word"), engine)
    asking = asyncio.ensure_future(engine.call(http.send(call())))
    await is_asked.wait()
    if becomes == "nobody":
        http.credentials.forget()
    else:
        await engine.call(http.log_in("bob@b.c", "word"))
    go_on.set()
    with pytest.raises(errors.AuthenticationError):
        await asking
    assert http.credentials.token == (None if becomes == "nobody" else "of bob@b.c")


@pytest.mark.parametrize("rest_comes_later", [False, True])
async def test_what_is_sent_when_a_server_hangs_up_after_an_error_is_not_lost(
    script: Script, engine: Engine, rest_comes_later: bool
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path != "/bad":
            return web.json_response({})
        assert isinstance(request.transport, asyncio.Transport)
        # What comes from now on is not read any more. A busy server takes its time to close the connection.
        request.transport.pause_reading()
        asyncio.get_running_loop().call_later(0.5, request.transport.abort)
        if not rest_comes_later:
            return web.json_response({}, status=500)
        response = web.StreamResponse(status=500, headers={"Content-Type": "application/json", "Content-Length": "2"})
        await response.prepare(request)
        await response.write(b"{")
        await asyncio.sleep(0.01)
        await response.write(b"}")
        return response

    script.handlers = [handler]
    http = HttpTransport(Settings(script.url), engine)

    async def one_meanwhile() -> None:
        async def good(before: int) -> None:
            # As soon as the other's answer is there, which is before the other goes on.
            while http.answers.total() == before:  # noqa: ASYNC110 - there is nobody who would tell
                await asyncio.sleep(0)
            await http.send(Call(method="POST", path="/good", parse=lambda response: None))

        for _ in range(5):
            sent = asyncio.ensure_future(good(http.answers.total()))
            with pytest.raises(errors.ServerError):
                await http.send(Call(method="POST", path="/bad", parse=lambda response: None))
            await sent

    await engine.call(one_meanwhile())


async def test_the_size_in_a_response_to_head_is_not_that_of_its_body(script: Script, engine: Engine) -> None:
    async def large(_: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Content-Length": "999999999"})

    script.handlers = [large]
    http = HttpTransport(Settings(script.url), engine)
    assert (await engine.call(http.fetch(call("HEAD")))).headers["Content-Length"] == "999999999"


async def test_what_needs_no_token_is_asked_without_a_login(script: Script, engine: Engine) -> None:
    door = Doorkeeper()
    script.handlers = [door]
    http = HttpTransport(Settings(script.url, email="a@b.c", password="wrong"), engine)
    assert await engine.call(http.send(app_calls.get_version())) == "1"
    assert door.logins == 0


async def test_a_login_is_remembered_for_as_long_as_the_one_before(script: Script, engine: Engine) -> None:
    door = Doorkeeper()
    door.is_strict = False
    script.handlers = [door]
    http = HttpTransport(Settings(script.url), engine)
    await engine.call(http.log_in("a@b.c", "right", remember_me=True))
    http.credentials.adopt("expired")
    await engine.call(http.send(call()))
    logins = [json.loads(body) for body in script.bodies if b"password" in body]
    assert [login["remember_me"] for login in logins] == [True, True]


async def test_a_packed_answer_counts_as_it_is_unpacked(script: Script, engine: Engine) -> None:
    async def packed(_: web.Request) -> web.StreamResponse:
        response = web.Response(body=b"0" * 10_000_000)
        response.enable_compression()
        return response

    script.handlers = [packed]
    http = HttpTransport(Settings(script.url, max_answer_bytes=1_000_000), engine)
    with pytest.raises(errors.AnswerTooLargeError, match="1,000,000"):
        await engine.call(http.send(call()))


@pytest.mark.parametrize("packs", [True, False])
async def test_what_is_too_large_is_reported_without_the_secret_of_its_query(
    script: Script, engine: Engine, packs: bool
) -> None:
    async def large(_: web.Request) -> web.StreamResponse:
        response = web.Response(body=b"0" * 2000)
        if packs:
            response.enable_compression()
        return response

    script.handlers = [large]
    with pytest.raises(errors.AnswerTooLargeError) as caught:
        await send(script, engine, call(query={"access_token": SECRET}, has_secrets=True), max_answer_bytes=1000)
    assert SECRET not in str(caught.value) + caught.value.url


async def test_a_connection_that_takes_too_long_is_reported_without_the_secret_of_a_query(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(*_: Any, **__: Any) -> Any:
        raise TimeoutError

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect)
    http = HttpTransport(Settings("http://127.0.0.1:9", retries=0), engine)
    with pytest.raises(errors.TransportError, match="took too long") as caught:
        await engine.call(http.send(call(query={"access_token": SECRET}, has_secrets=True)))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def full_disk(_: Path) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_an_error_of_the_disk_is_not_taken_for_one_of_the_network(
    script: Script, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_py_client.transport.bodies.PartFile", full_disk)
    script.handlers = [answer(body="whole")]
    http = HttpTransport(Settings(script.url), engine)
    with pytest.raises(OSError, match="No space left") as caught:
        await engine.call(http.download(call(), Path("file")))
    assert caught.value.errno == errno.ENOSPC
    assert len(script.requests) == 1
    gone = Call(
        method="POST",
        path="/upload",
        parse=lambda response: response,
        parts=(Part("file", Path("/nowhere/a.png"), "a.png", "image/png"),),
    )
    with pytest.raises(FileNotFoundError):
        await engine.call(http.send(gone))


async def test_a_login_that_is_answered_oddly_shows_nothing(script: Script, engine: Engine) -> None:
    script.handlers = [answer(body={"token": "secret-token", "user": 3})]
    http = HttpTransport(Settings(script.url, email="a@b.c", password="secret-word"), engine)
    with pytest.raises(errors.ServerError, match="unexpected shape") as caught:
        await engine.call(http.send(call()))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    assert "secret-token" not in shown
    assert "secret-word" not in shown


class Slips(io.BytesIO):
    """A file that is closed, or fails, while it is sent."""

    def __init__(self, error: Exception) -> None:
        super().__init__(b"0" * 1000)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        raise self._error


def upload(file: BinaryIO) -> Call[Any]:
    return call("POST", parts=(Part("file", file, "a.png", "image/png"),))


@pytest.mark.parametrize("first", [answer(401), answer(503)])
async def test_an_open_file_is_sent_again_from_where_it_stood(script: Script, engine: Engine, first: Handler) -> None:
    file = io.BytesIO(b"before" + b"content " * 100_000)
    file.seek(6)

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/auth/login"):
            user = {"user_id": "u", "email": "a@b.c"}
            return web.json_response({"token": "new", "user": user, "expires_in": 1})
        uploads.append(script.bodies[-1].count(b"content "))
        assert b"before" not in script.bodies[-1]
        return await (first(request) if len(uploads) == 1 else answer(body=1)(request))

    uploads: list[int] = []
    script.handlers = [handler]
    http = HttpTransport(Settings(script.url, token="old", email="a@b.c", password="secret"), engine)
    assert await engine.call(http.send(upload(file))) == 1
    assert uploads == [100_000, 100_000]
    assert not file.closed
    assert file.read() == b""


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), ValueError("read of closed file")])
async def test_an_open_file_that_cannot_be_read_is_not_taken_for_the_network(
    script: Script, engine: Engine, error: Exception
) -> None:
    script.handlers = [answer(body=1)]
    http = HttpTransport(Settings(script.url), engine)
    with pytest.raises(OSError, match=str(error.args[-1])):
        await engine.call(http.send(upload(Slips(error))))


def page(status: int) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="<html>", content_type="text/html")

    return handler


@pytest.mark.parametrize(
    "foreign",
    [
        answer(404, {"detail": "Not Found"}),
        answer(404, {"error": "what?"}),
        answer(405, {"detail": "Method Not Allowed"}),
        answer(body={"some": "other service"}),
        answer(body=[]),
        page(404),
        page(200),
    ],
    ids=["fastapi", "json", "method", "object", "list", "page", "page with 200"],
)
@pytest.mark.parametrize("name", ["send", "me", "login"])
async def test_a_server_of_another_kind_is_reported_on_every_route(
    script: Script, engine: Engine, foreign: Handler, name: str
) -> None:
    script.handlers, script.is_invokeai = [foreign], False
    http = HttpTransport(Settings(script.url, retries=0), engine)
    what: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "send": lambda: http.send(queue_calls.get_queue_status("default")),
        "me": lambda: http.send(auth_calls.get_me()),
        "login": lambda: http.send(auth_calls.login("a@b.c", Secret("word"), remember_me=False)),
    }
    with pytest.raises(errors.NotInvokeAIError):
        await engine.call(what[name]())


@pytest.mark.parametrize("foreign", [answer(404, {"detail": "Not Found"}), answer(body="odd")])
async def test_the_question_what_server_it_is_stays_within_the_timeout_of_the_call(
    script: Script, engine: Engine, foreign: Handler
) -> None:
    asked = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        if request.path != "/api/v1/app/version":
            return await foreign(request)
        asked.set()
        await asyncio.sleep(60)
        raise AssertionError("the client has hung up")

    script.handlers, script.is_invokeai = [hang], False
    http = HttpTransport(Settings(script.url, retries=0), engine)
    began = time.monotonic()
    with pytest.raises(errors.ApiError):
        await engine.call(http.send(replace(queue_calls.get_queue_status("default"), timeout=0.2)))
    assert asked.is_set()
    assert time.monotonic() - began < 4, "the question alone may take 5 s"


async def test_a_missing_thing_of_an_invokeai_server_is_not_found_and_asked_about_once(
    script: Script, engine: Engine
) -> None:
    script.handlers = [answer(404, {"detail": "Not Found"})]
    http = HttpTransport(Settings(script.url), engine)

    async def twenty() -> list[Any]:
        return await asyncio.gather(*(http.send(call()) for _ in range(20)), return_exceptions=True)

    for _ in range(2):
        assert [type(error) for error in await engine.call(twenty())] == [errors.NotFoundError] * 20
    assert (len(script.requests), script.versions) == (40, 1)


REFUSALS = [(413, errors.RejectedError), (415, errors.RejectedError), (500, errors.ServerError)]


@pytest.mark.parametrize(("status", "kind"), REFUSALS)
@pytest.mark.parametrize("form", ["bytes", "file", "path"])
async def test_a_refused_upload_names_its_file_and_size(
    script: Script, engine: Engine, tmp_path: Path, status: int, kind: type[Exception], form: str
) -> None:
    path = tmp_path / "big.png"
    path.write_bytes(b"0" * 1234)
    content: Any = {"bytes": b"0" * 1234, "file": io.BytesIO(b"0" * 1234), "path": path}[form]
    script.handlers = [page(status)]
    upload = call("POST", idempotent=False, parts=(Part("file", content, "big.png", "image/png"),))
    with pytest.raises(kind, match=r"big\.png' \(1,234 bytes\)"):
        await send(script, engine, upload)


async def test_a_download_is_not_larger_than_the_limit(script: Script, engine: Engine, tmp_path: Path) -> None:
    async def packed(_: web.Request) -> web.StreamResponse:
        response = web.Response(body=b"0" * 10_000_000)
        response.enable_compression()
        return response

    async def plain(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"0" * 1_000_001)

    for handler in (packed, plain):
        script.handlers = [handler]
        http = HttpTransport(Settings(script.url, max_download_bytes=1_000_000), engine)
        with pytest.raises(errors.AnswerTooLargeError, match=r"1,000,000.*max_download_bytes"):
            await engine.call(http.download(call(), tmp_path / "file"))
        assert os.listdir(tmp_path) == []


async def test_a_call_may_have_a_smaller_limit_of_its_own(script: Script, engine: Engine) -> None:
    script.handlers = [answer(body="0" * 2000)]
    with pytest.raises(errors.AnswerTooLargeError, match="1,000 bytes"):
        await send(script, engine, call(max_bytes=1000))
    with pytest.raises(errors.AnswerTooLargeError, match=" 100 bytes"):
        await send(script, engine, call(max_bytes=1000), max_answer_bytes=100)


@pytest.mark.parametrize("status", [404, 405])
async def test_a_server_of_another_kind_is_reported_by_downloads_and_raw_requests_too(
    script: Script, engine: Engine, tmp_path: Path, status: int
) -> None:
    script.handlers, script.is_invokeai = [answer(status, {"detail": {404: "Not Found"}.get(status)})], False
    http = HttpTransport(Settings(script.url), engine)
    with pytest.raises(errors.NotInvokeAIError):
        await engine.call(http.download(call(), tmp_path / "file"))
    raw = Call(method="GET", path="/api/v1/x", parse=lambda response: response)
    with pytest.raises(errors.NotInvokeAIError):
        await engine.call(http.send(raw))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, ""),
        ({"a": None}, ""),
        ({"a": True, "b": False}, "?a=true&b=false"),
        ({"a": 1, "b": 2.5, "c": "x y&z"}, "?a=1&b=2.5&c=x+y%26z"),
        ({"a": ["x", "y"], "b": (1, True)}, "?a=x&a=y&b=1&b=true"),
        ({"a": Secret(SECRET), "b": [Secret("two")]}, f"?a={SECRET}&b=two"),
    ],
)
def test_a_query_is_written_as_the_server_reads_it(engine: Engine, query: Any, text: str) -> None:
    assert (
        HttpTransport(Settings("http://host/sub"), engine).url_of("/api/v1/x", query)
        == f"http://host/sub/api/v1/x{text}"
    )


async def test_headers_of_a_call_take_the_place_of_the_client_s(script: Script, engine: Engine) -> None:
    script.handlers = [answer(body=1)]
    http = HttpTransport(Settings(script.url, token="client's"), engine)
    own = {"authorization": "Bearer own", "accept": "image/png", "content-type": "application/x-own"}
    for method, headers in (("POST", own), ("POST", {}), ("DELETE", {}), ("DELETE", {"accept-encoding": "gzip"})):
        await engine.call(http.send(call(method, body={"a": 1}, headers=headers)))
    seen = [
        tuple(one.headers[name] for name in ("Authorization", "Accept", "Content-Type")) for one in script.requests[:2]
    ]
    assert seen == [
        ("Bearer own", "image/png", "application/x-own"),
        ("Bearer client's", "application/json, */*;q=0.5", "application/json"),
    ]
    assert [one.headers["Accept-Encoding"] for one in script.requests[2:]] == ["identity", "gzip"]
    assert "identity" not in script.requests[1].headers["Accept-Encoding"]


async def test_exchanges_are_counted_by_noun_and_listeners_see_them(script: Script, engine: Engine) -> None:
    script.handlers = [answer(body=1), answer(404, {"detail": "gone"}), hang_up]
    http = HttpTransport(Settings(script.url, retries=0), engine)
    seen: list[tuple[str, int | None]] = []
    http.on_exchange.append(lambda one, response: seen.append((one.path, response.status_code if response else None)))
    await engine.call(http.send(call()))
    image = Call(method="DELETE", path="/api/v1/images/i/a.png", parse=lambda response: None, idempotent=True)
    for error in (errors.NotFoundError, errors.TransportError):
        with pytest.raises(error):
            await engine.call(http.send(image))
    assert http.answers == {("GET x", "200"): 1, ("DELETE images", "404"): 1, ("DELETE images", "no answer"): 1}
    assert seen == [("/x", 200), ("/api/v1/images/i/a.png", 404), ("/api/v1/images/i/a.png", None)]


async def test_one_session_serves_all_requests_and_is_closed_with_the_engine(script: Script, engine: Engine) -> None:
    script.handlers = [answer(body=1)]
    http = HttpTransport(Settings(script.url), engine)
    sessions = []

    async def twice() -> None:
        for _ in range(2):
            await http.send(call())
            sessions.append(http.session())

    await engine.call(twice())
    assert sessions[0] is sessions[1]
    assert not sessions[0].closed
    await engine.aclose()
    assert sessions[0].closed


@pytest.mark.parametrize("status", [300, 304])
async def test_a_redirection_without_a_target_is_an_error(script: Script, engine: Engine, status: int) -> None:
    script.handlers = [answer(status)]
    with pytest.raises(errors.RedirectedError) as caught:
        await send(script, engine, call())
    assert caught.value.target is None
    assert caught.value.method == "GET"
    assert len(script.requests) == 1


async def test_a_call_s_own_retries_take_the_place_of_the_setting(script: Script, engine: Engine) -> None:
    script.handlers = [answer(503, Retry_After="0")]
    for retries, requests in ((0, 1), (2, 3)):
        script.requests = []
        with pytest.raises(errors.ServerError):
            await send(script, engine, call(retries=retries), retries=1)
        assert len(script.requests) == requests


async def test_nothing_is_sent_after_the_session_was_closed(script: Script, engine: Engine) -> None:
    script.handlers = [answer()]
    http = HttpTransport(Settings(script.url), engine)

    async def send_late() -> None:
        # As work does that goes on for a moment while the engine closes.
        await http.session().close()
        await http.send(call())

    with pytest.raises(errors.ClientClosedError) as caught:
        await engine.call(send_late())
    assert not caught.value.may_have_been_applied
    assert script.requests == []


@pytest.mark.parametrize(("pause", "connections"), [(0.0, 1), (0.3, 2)])
async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    script: Script, engine: Engine, monkeypatch: pytest.MonkeyPatch, pause: float, connections: int
) -> None:
    monkeypatch.setattr("invokeai_py_client.transport.http.KEPT_OPEN", 0.1)
    peers: set[object] = set()

    async def note(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.json_response(1)

    script.handlers = [note]
    http = HttpTransport(Settings(script.url), engine)
    for _ in range(2):
        await engine.call(http.send(call()))
        await asyncio.sleep(pause)
    assert len(peers) == connections


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_is_an_error_whether_a_body_or_a_file_was_asked_for(
    script: Script, engine: Engine, tmp_path: Path, status: int
) -> None:
    script.handlers = [answer(status, {"detail": "the server's own words"})]
    http = HttpTransport(Settings(script.url), engine)
    with pytest.raises(errors.RejectedError, match="the server's own words") as caught:
        await engine.call(http.send(call(query={"a": 1})))
    assert (caught.value.status, caught.value.url) == (status, f"{script.url}/x?a=1")
    with pytest.raises(errors.RejectedError, match="the server's own words"):
        await engine.call(http.download(call(), tmp_path / "file"))
    assert os.listdir(tmp_path) == []


async def test_a_download_that_breaks_after_longer_than_the_timeout_starts_over(
    script: Script, engine: Engine, tmp_path: Path
) -> None:
    async def slowly_and_break(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        for _ in range(4):
            await response.write(b"0")
            await asyncio.sleep(0.1)
        assert request.transport is not None
        request.transport.close()
        return response

    script.handlers = [slowly_and_break, answer(body="whole")]
    http = HttpTransport(Settings(script.url, timeout=0.3), engine)
    assert (await engine.call(http.download(call(), tmp_path / "file"))).size == 7


@pytest.mark.parametrize(
    ("login", "error", "requests"),
    [
        (answer(200, {"token": "old", "user": {"user_id": "u", "email": "a@b.c"}, "expires_in": 1}), 401, 2),
        (answer(500, {"detail": "broken"}), 500, 2),
    ],
    ids=["the refused token again", "an error"],
)
async def test_a_login_that_is_of_no_use_ends_a_call_that_was_refused(
    script: Script, engine: Engine, login: Handler, error: int, requests: int
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await (login if request.path.endswith("/login") else answer(401, {"detail": "expired"}))(request)

    script.handlers = [handler]
    with pytest.raises(errors.ApiError) as caught:
        await send(
            script, engine, call("POST", idempotent=False), token="old", email="a@b.c", password="word", retries=0
        )
    assert caught.value.status == error
    assert not caught.value.may_have_been_applied, "the call was refused"
    assert len(script.requests) == requests


@pytest.mark.parametrize("login", [answer(body={"token": 5}), answer(body=[])])
async def test_a_login_to_a_server_of_another_kind_is_reported(script: Script, engine: Engine, login: Handler) -> None:
    script.handlers, script.is_invokeai = [login], False
    with pytest.raises(errors.NotInvokeAIError):
        await send(script, engine, call(), email="a@b.c", password="word", retries=0)
