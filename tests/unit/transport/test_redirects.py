"""Redirects: followed within one server only, and told without what their URLs hold."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import yarl
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client.errors import RedirectedError
from invokeai_py_client.transport.redirects import LedElsewhere, redirected, staying_at

HOME = "http://studio.example:9090/sub"


@pytest.fixture
async def server() -> AsyncIterator[str]:
    async def handler(request: web.Request) -> web.StreamResponse:
        status = int(request.query.get("status", "200"))
        location = request.query.get("to")
        return web.Response(status=status, headers={} if location is None else {"Location": location}, text="here")

    async with serving(handler) as url:
        yield url


async def get(url: str, home: str, *, follow: bool = True) -> int:
    async with (
        aiohttp.ClientSession(middlewares=(staying_at(home),)) as session,
        session.get(url, allow_redirects=follow) as response,
    ):
        return response.status


ELSEWHERE = [
    "https://studio.example:9090/sub",
    "wss://studio.example:9090/sub",
    "http://studio.example/sub",
    "http://other.example:9090/sub",
    "http://studio.example.evil:9090/sub",
]


@pytest.mark.parametrize("url", ELSEWHERE)
async def test_a_request_to_another_origin_is_not_sent(url: str) -> None:
    with pytest.raises(LedElsewhere) as caught:
        await get(url, HOME)
    assert caught.value.target == yarl.URL(url)


async def test_http_and_websocket_of_one_host_and_port_are_one_origin(server: str) -> None:
    assert await get(f"{server}/x", f"{server}/sub") == 200
    async with aiohttp.ClientSession(middlewares=(staying_at(server),)) as session:
        # The server has no websocket there, which it can only say if it was asked.
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(server.replace("http:", "ws:"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://other.example/y", "//other.example/y", "https://127.0.0.1/y", "ftp://h/x"])
@pytest.mark.parametrize("follow", [True, False])
async def test_a_redirect_to_another_origin_is_an_error(server: str, status: int, target: str, follow: bool) -> None:
    url = yarl.URL(server).with_query(status=status, to=target)
    with pytest.raises(LedElsewhere) as caught:
        await get(str(url), server, follow=follow)
    assert caught.value.target == url.join(yarl.URL(target))


async def test_a_redirect_within_the_origin_is_followed(server: str) -> None:
    for target in ("/there", "there", f"{server}/there"):
        assert await get(str(yarl.URL(server).with_query(status=307, to=target)), server) == 200


@pytest.mark.parametrize("status", [200, 201, 400, 404])
async def test_only_a_redirect_s_location_counts(server: str, status: int) -> None:
    url = yarl.URL(server).with_query(status=status, to="http://other.example/y")
    assert await get(str(url), server) == status


@pytest.mark.parametrize("status", [300, 304, 399])
async def test_a_status_that_redirects_nothing_by_itself_is_a_response(server: str, status: int) -> None:
    assert await get(str(yarl.URL(server).with_query(status=status)), server) == status


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (None, None),
        ("http://u:pw@other.example:81/y?token=t#there", "http://other.example:81/y"),
        (yarl.URL("https://other.example/y?token=t"), "https://other.example/y"),
        ("/y?token=t#there", "/y"),
        ("http://[", None),
    ],
)
def test_the_error_names_the_target_without_its_secrets(target: object, place: str | None) -> None:
    error = redirected("PUT", "http://studio.example/x", target, "no more is known")
    assert type(error) is RedirectedError
    assert (error.url, error.method, error.target) == ("http://studio.example/x", "PUT", place)
    assert error.hint
    to = "" if place is None else f" to {re.escape(place)}"
    assert re.match(rf"PUT http://studio\.example/x was redirected{to}, .*: no more is known\.", str(error))
