"""The warning about secrets over plain HTTP; a proxy on loopback plays the network between client and server."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, Settings
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.plaintext_warning import PlaintextWarning

ELSEWHERE = "http://studio.example"


@pytest.fixture
async def network() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/auth/login"):
            return web.json_response({"token": "t", "user": {"user_id": "u", "email": "a@b.c"}, "expires_in": 1})
        return web.json_response({"version": "1.2.3"})

    async with serving(answer) as url:
        yield url


@pytest.fixture
def caught() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def plaintext_warnings(caught: list[warnings.WarningMessage]) -> list[str]:
    """Return the texts of the warnings about plain HTTP; each must be a `UserWarning`, which is shown by default."""
    about = [one for one in caught if "not encrypted" in str(one.message)]
    assert {one.category for one in about} <= {UserWarning}
    return [str(one.message) for one in about]


@pytest.mark.parametrize(
    ("url", "secret", "headers", "count"),
    [
        (ELSEWHERE, {"token": "t"}, {}, 1),
        ("http://10.0.0.3:9090", {"email": "a@b.c", "password": "p"}, {}, 1),
        (ELSEWHERE, {}, {"authorization": "Bearer t"}, 1),
        (ELSEWHERE, {}, {"accept": "image/png"}, 0),
        (ELSEWHERE, {}, {}, 0),
        ("http://localhost", {"token": "t"}, {}, 0),
    ],
)
async def test_the_first_request_that_carries_a_secret_unencrypted_warns(
    network: str,
    caught: list[warnings.WarningMessage],
    url: str,
    secret: dict[str, Any],
    headers: dict[str, str],
    count: int,
) -> None:
    async with InvokeAIClient(Settings(url, proxy=network, **secret)) as client:
        assert plaintext_warnings(caught) == [], "nothing was sent yet"
        for _ in range(2):
            await client.aio.request("GET", "/api/v1/x", headers=headers)
    texts = plaintext_warnings(caught)
    assert len(texts) == count
    assert all(text.startswith(url) for text in texts)


async def test_a_login_warns_though_the_client_was_made_without_secrets(
    network: str, caught: list[warnings.WarningMessage]
) -> None:
    async with InvokeAIClient.from_url(ELSEWHERE, proxy=network) as client:
        await client.aio.app.get_version()
        assert plaintext_warnings(caught) == []
        await client.aio.auth.login("a@b.c", "p")
    assert len(plaintext_warnings(caught)) == 1


@pytest.mark.parametrize(("token", "count"), [("t", 1), (None, 0)])
async def test_the_socket_s_token_warns(caught: list[warnings.WarningMessage], token: str | None, count: int) -> None:
    engine = Engine()
    try:
        await engine.call(HttpTransport(Settings(ELSEWHERE, token=token), engine).token(is_asked=True))
    finally:
        await engine.aclose()
    assert len(plaintext_warnings(caught)) == count


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        (ELSEWHERE, True),
        ("https://studio.example", False),
        ("http://127.0.0.1:9090", False),
        ("http://[::1]:9090", False),
        ("http://localhost:9090", False),
    ],
)
def test_it_is_given_once_for_an_unencrypted_connection_to_another_machine(
    caught: list[warnings.WarningMessage], url: str, is_open: bool
) -> None:
    assert Settings(url).is_open is is_open
    warning = PlaintextWarning(Settings(url))
    for _ in range(2):
        warning.warn()
        assert warning.is_pending is False
    assert len(plaintext_warnings(caught)) == is_open
    assert PlaintextWarning(Settings(url)).is_pending is is_open


def test_its_place_is_the_line_that_made_the_client(caught: list[warnings.WarningMessage]) -> None:
    frame = inspect.currentframe()
    assert frame is not None
    engine = Engine()
    made, line = PlaintextWarning(Settings(ELSEWHERE)), frame.f_lineno
    made.warn()
    http, http_line = HttpTransport(Settings(ELSEWHERE, token="t"), engine), frame.f_lineno
    engine.block(http.token(is_asked=True))
    engine.close()
    places = [(one.filename, one.lineno) for one in caught if "not encrypted" in str(one.message)]
    assert places == [(__file__, line), (__file__, http_line)]


async def test_its_place_is_outside_of_the_package_however_the_client_is_made(
    network: str, caught: list[warnings.WarningMessage]
) -> None:
    frame = inspect.currentframe()
    assert frame is not None
    client, line = InvokeAIClient.from_url(ELSEWHERE, token="t", proxy=network), frame.f_lineno
    async with client:
        await client.aio.request("GET", "/api/v1/x")
    assert [(one.filename, one.lineno) for one in caught if "not encrypted" in str(one.message)] == [(__file__, line)]
