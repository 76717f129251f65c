"""aiohttp repeats some requests by itself; the middleware keeps it from repeating those that change something."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey
from tests.support.serving import serving

from invokeai_py_client.transport.single_attempt import HungUp, sent_once

KEY = ConnectionKey("h", 80, is_ssl=False, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)

seen: Counter[str] = Counter()


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """A server that hangs up on the second request of each connection."""
    seen.clear()
    connections: Counter[object] = Counter()

    async def handler(request: web.Request) -> web.StreamResponse:
        seen[request.method] += 1
        connections[request.transport] += 1
        if connections[request.transport] > 1:
            assert request.transport is not None
            request.transport.close()
        return web.Response()

    async with serving(handler) as url:
        yield url


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_change_is_not_repeated_when_a_used_connection_breaks(server: str, method: str) -> None:
    async with aiohttp.ClientSession(middlewares=(sent_once,)) as session:
        async with session.request(method, server) as response:
            assert response.status == 200
        with pytest.raises(HungUp) as caught:
            await session.request(method, server)
    assert isinstance(caught.value.error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
    assert caught.value.__cause__ is caught.value.error
    assert str(caught.value) == str(caught.value.error)
    assert seen[method] == 2


async def test_what_only_reads_may_be_repeated(server: str) -> None:
    async with aiohttp.ClientSession(middlewares=(sent_once,)) as session:
        for _ in range(2):
            async with session.get(server) as response:
                assert response.status == 200
    assert seen["GET"] == 3, "the second request was sent twice"


async def outcome(method: str, raised: Exception) -> Exception:
    """Return what the middleware raises when the rest of aiohttp raises this."""

    async def handler(_: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
        raise raised

    async with aiohttp.ClientSession(middlewares=(lambda request, _: sent_once(request, handler),)) as session:
        try:
            await session.request(method, "http://studio.example")
        except Exception as error:
            return error
    raise AssertionError("nothing was raised")


BROKEN = [aiohttp.ServerDisconnectedError("gone"), aiohttp.ClientOSError(errno.ECONNRESET, "reset")]
OTHERS = [
    aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "refused")),
    aiohttp.ClientPayloadError("half"),
    TimeoutError("late"),
]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_only_a_connection_that_broke_after_it_was_made_is_another_error(method: str) -> None:
    for raised in BROKEN:
        error = await outcome(method, raised)
        assert isinstance(error, HungUp)
        assert error.error is raised
    for other in OTHERS:
        assert await outcome(method, other) is other


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_aiohttp_does_not_repeat_keeps_its_error(method: str) -> None:
    for raised in [*BROKEN, *OTHERS]:
        assert await outcome(method, raised) is raised
