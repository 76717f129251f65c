"""Secrets show themselves nowhere: not in a `repr`, and not in the frames of a traceback that a crash report dumps."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any

import pytest
import socketio
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, Secret, Settings, errors
from invokeai_py_client.wire.calls import auth

# Put together here, as the frames of pytest hold the source of this file.
WORD = "".join(["S3cret", "-W0rd"])
pytestmark = pytest.mark.usefixtures("quick_retries")

LOGIN = base64.b64encode(f"u:{WORD}".encode()).decode()


def test_a_secret_hides_its_text_however_it_is_shown() -> None:
    secret = Secret(WORD)
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret.reveal()!r}", repr({"a": [secret.reveal()]})):
        assert WORD not in shown
    assert secret.reveal() == WORD
    assert json.dumps(secret.reveal()) == f'"{WORD}"'


def test_a_secret_can_be_compared_copied_and_pickled() -> None:
    secret = Secret(WORD)
    assert secret == Secret(WORD) == WORD
    assert secret not in ("other", None)
    assert hash(secret) == hash(Secret(WORD))
    for other in (copy.deepcopy(secret), pickle.loads(pickle.dumps(secret))):
        assert other == secret
        assert WORD not in repr(other)
    assert pickle.loads(pickle.dumps(secret.reveal())) == WORD


def test_a_call_with_a_secret_does_not_show_it() -> None:
    call = auth.login("a@b.c", Secret(WORD), remember_me=False)
    assert WORD not in repr(call)


def all_errors(error: BaseException | None) -> Iterator[BaseException]:
    """An error, all it was raised from, and all during whose handling it was raised, suppressed or not."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        one = todo.pop()
        if one is not None and all(one is not other for other in seen):
            seen.append(one)
            todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
            yield one


def frames(trace: TracebackType | None) -> Iterator[Any]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return ""  # of an object whose __init__ has failed


def check(error: BaseException) -> None:
    """What a crash report would hold: the errors, and the locals of all frames but those of the test itself."""
    count = 0
    for one in all_errors(error):
        for secret in (WORD, LOGIN):
            assert secret not in f"{one} {one!r} {vars(one)}", f"an error: {type(one)}"
        for frame in frames(one.__traceback__):
            if frame.f_code.co_filename == __file__:
                continue
            count += 1
            for name, value in frame.f_locals.items():
                for secret in (WORD, LOGIN):
                    assert secret not in shown(value), f"{frame.f_code.co_qualname}: {name} of {type(value)}"
    assert count


class Studio:
    """A server with users: it accepts nobody, and answers as it is told."""

    def __init__(self) -> None:
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = refuse
        self.url = ""
        self.sio = socketio.AsyncServer(async_mode="aiohttp")
        self.sio.on("connect", self._connect)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any) -> bool:
        return False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await self.answer(request)


async def refuse(request: web.Request) -> web.StreamResponse:
    return web.json_response({"detail": "who are you"}, status=401)


async def echo_as_invalid(request: web.Request) -> web.StreamResponse:
    """As FastAPI does, with what was sent in it."""
    sent = await request.text()
    return web.json_response({"detail": [{"loc": ["body"], "msg": "no", "input": sent}]}, status=422)


async def renew_and_fail(request: web.Request) -> web.StreamResponse:
    return web.json_response({"detail": "no"}, status=500, headers={"X-Refreshed-Token": WORD})


async def log_in_oddly(request: web.Request) -> web.StreamResponse:
    return web.json_response({"token": WORD, "user": 3})


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def sleep(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def log_in_and_fail(request: web.Request) -> web.StreamResponse:
    if request.path.endswith("/login"):
        return web.json_response({"token": WORD, "user": {"user_id": "u", "email": "a@b.c"}, "expires_in": 1})
    return web.json_response({"detail": "broken"}, status=500)


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    studio = Studio()
    app = web.Application()
    studio.sio.attach(app, socketio_path="/ws/socket.io")
    app.router.add_route("*", "/{path:.*}", studio.handle)
    async with serving(app) as studio.url:
        yield studio
        await studio.sio.shutdown()


LOGGED_IN: dict[str, Any] = {"token": WORD}
TO_LOG_IN: dict[str, Any] = {"email": "a@b.c", "password": WORD}

CALLS: dict[str, Callable[[InvokeAIClient], object]] = {
    "a request": lambda client: client.queue.get_status(),
    "login": lambda client: client.auth.login("a@b.c", WORD),
    "setup": lambda client: client.auth.setup("a@b.c", WORD),
    "a new password": lambda client: client.auth.update_me(current_password=WORD, new_password=WORD),
    "a new user": lambda client: client.auth.create_user("a@b.c", WORD),
    "another's password": lambda client: client.auth.update_user("u", password=WORD),
    "Hugging Face": lambda client: client.dnn_model_repo.hf_login(WORD),
    "an installation": lambda client: client.dnn_model_repo.install_model("a/b", access_token=WORD),
}


RAW_CALLS: dict[str, Callable[[InvokeAIClient], object]] = {
    "a raw body": lambda client: client.request("POST", "/api/v1/x", json={"a": [{"api_key": WORD}]}),
    "a raw login": lambda client: client._make_request("POST", "/auth/login", json={"word": WORD}),
    "a raw query": lambda client: client.request("GET", f"/api/v1/x?access_token={WORD}"),
    "raw parameters": lambda client: client.request("GET", "/api/v1/x", params={"token": WORD, "b": [1]}),
    "a raw header": lambda client: client.request("GET", "/api/v1/x", headers={"authorization": f"Bearer {WORD}"}),
    "a bad raw header": lambda client: client.request("GET", "/x", headers={"Authorization": f"{WORD}\n"}),
    "a bad raw body": lambda client: client.request("POST", "/x", json={"password": WORD, "a": float("nan")}),
}


def raised_by(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except errors.InvokeAIError as error:
        return error
    raise AssertionError("it raised nothing")


@pytest.mark.parametrize("who", [LOGGED_IN, TO_LOG_IN], ids=["token", "password"])
@pytest.mark.parametrize(
    "answer", [refuse, echo_as_invalid, renew_and_fail, log_in_oddly, hang_up, sleep, log_in_and_fail]
)
@pytest.mark.parametrize("name", CALLS)
async def test_a_failed_call_leaves_no_secret_in_a_frame(
    studio: Studio, name: str, answer: Callable[[web.Request], Awaitable[web.StreamResponse]], who: dict[str, Any]
) -> None:
    if (name, answer) in {("login", log_in_and_fail), ("Hugging Face", log_in_oddly)}:
        answer = refuse  # it would succeed
    studio.answer = answer
    timeout = 0.05 if answer is sleep else 5
    with InvokeAIClient.from_url(studio.url, retries=0, timeout=timeout, **who) as client:
        check(await asyncio.to_thread(raised_by, lambda: CALLS[name](client)))


@pytest.mark.parametrize("answer", [refuse, echo_as_invalid, renew_and_fail, hang_up])
@pytest.mark.parametrize("name", RAW_CALLS)
async def test_a_failed_raw_request_leaves_no_secret_in_a_frame(
    studio: Studio, name: str, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> None:
    studio.answer = answer
    with InvokeAIClient.from_url(studio.url, retries=0, timeout=5, **LOGGED_IN) as client:
        check(await asyncio.to_thread(raised_by, lambda: RAW_CALLS[name](client)))


@pytest.mark.parametrize("who", [LOGGED_IN, TO_LOG_IN], ids=["token", "password"])
@pytest.mark.parametrize("name", CALLS)
def test_a_refused_connection_leaves_no_secret_in_a_frame(name: str, who: dict[str, Any]) -> None:
    retries = int(name == "a request")
    with InvokeAIClient.from_url("http://127.0.0.1:9", retries=retries, **who) as client:
        check(raised_by(lambda: CALLS[name](client)))


def test_a_proxy_that_does_not_exist_leaves_no_secret_in_a_frame() -> None:
    proxy = f"http://u:{WORD}@127.0.0.1:9"
    with InvokeAIClient.from_url("http://studio.example", retries=0, proxy=proxy) as client:
        check(raised_by(lambda: client.app.get_version()))


async def test_a_refused_socket_leaves_no_secret_in_a_frame(studio: Studio) -> None:
    with InvokeAIClient.from_url(studio.url, retries=0, **LOGGED_IN) as client:

        def watch() -> None:
            with client.queue.watch():
                pass

        check(await asyncio.to_thread(raised_by, watch))


async def test_an_awaited_call_leaves_no_secret_in_a_frame(studio: Studio) -> None:
    async with InvokeAIClient.from_url(studio.url, retries=0) as client:
        with pytest.raises(errors.AuthenticationError) as caught:
            await client.aio.auth.login("a@b.c", WORD)
    check(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"token": WORD, "timeout": 0},
        {"token": f"Bearer {WORD}"},
        {"token": f"{WORD}\n"},
        {"password": WORD},
        {"password": WORD, "email": "a@b.c", "retries": -1},
        {"proxy": f"ftp://u:{WORD}@proxy"},
        {"proxy": f"http://u:{WORD}@proxy", "timeout": 0},
        {"url": f"http://u:{WORD}@127.0.0.1:9"},
        {"url": f"http://127.0.0.1:9/?token={WORD}"},
        {"url": f"ftp://127.0.0.1:99999/#{WORD}"},
    ],
)
@pytest.mark.parametrize("make", [Settings, InvokeAIClient.from_url, Settings.from_environment])
def test_settings_that_are_refused_leave_no_secret_in_a_frame(
    settings: dict[str, Any], make: Callable[..., object]
) -> None:
    settings = {"url": "http://127.0.0.1:9", **settings}
    check(raised_by(lambda: make(**settings)))


def test_half_a_login_in_the_environment_leaves_no_secret_in_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_PASSWORD", WORD)
    check(raised_by(InvokeAIClient))


def test_a_url_with_a_password_in_the_environment_leaves_it_in_no_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_URL", f"http://u:{WORD}@127.0.0.1:9")
    check(raised_by(InvokeAIClient))
