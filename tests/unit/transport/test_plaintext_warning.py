"""A warning of secrets on an open line; a proxy on loopback stands for the network."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, Settings


@pytest.fixture
async def network() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/auth/login"):
            return web.json_response({"token": "t", "user": {"user_id": "u", "email": "a@b.c"}, "expires_in": 1})
        return web.json_response({"version": "1.2.3"})

    async with serving(answer) as url:
        yield url


def about_open_lines(caught: list[warnings.WarningMessage]) -> list[warnings.WarningMessage]:
    return [one for one in caught if "not encrypted" in str(one.message)]


@pytest.mark.parametrize(
    ("url", "secret", "warned"),
    [
        ("http://studio.example", {"token": "t"}, True),
        ("http://10.0.0.3:9090", {"email": "a@b.c", "password": "p"}, True),
        ("http://localhost", {"token": "t"}, False),
        ("http://studio.example", {}, False),
    ],
)
async def test_a_secret_that_leaves_on_an_open_line_is_warned_of_once(
    network: str, url: str, secret: dict[str, Any], warned: bool
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = inspect.currentframe()
        assert frame is not None
        client, line = InvokeAIClient(Settings(url, proxy=network, **secret)), frame.f_lineno
        async with client:
            assert about_open_lines(caught) == [], "nothing has left yet"
            for _ in range(2):
                await client.aio.request("GET", "/api/v1/x")
    assert [(one.filename, one.lineno) for one in about_open_lines(caught)] == [(__file__, line)] * warned


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("http://studio.example", True),
        ("https://studio.example", False),
        ("http://127.0.0.1:9090", False),
        ("http://[::1]:9090", False),
        ("http://localhost:9090", False),
    ],
)
def test_a_line_is_open_to_other_machines_without_encryption(url: str, is_open: bool) -> None:
    assert Settings(url).is_open == is_open


async def test_a_login_later_on_is_warned_of_as_well(network: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with InvokeAIClient.from_url("http://studio.example", proxy=network) as client:
            await client.aio.app.get_version()
            assert about_open_lines(caught) == []
            await client.aio.auth.login("a@b.c", "p")
    assert [one.filename for one in about_open_lines(caught)] == [__file__]


async def test_the_socket_s_token_is_warned_of_too(network: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with InvokeAIClient.from_url("http://studio.example", token="t", proxy=network) as client:
            await client._engine.call(client._http.token(is_asked=True))
    assert [one.filename for one in about_open_lines(caught)] == [__file__]
