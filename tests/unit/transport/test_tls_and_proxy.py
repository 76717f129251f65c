"""TLS and proxies, against scripted servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client.errors import RejectedError, TransportError
from invokeai_py_client.live.event_listener import EventListener
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.reconnecting_socket import Socket
from invokeai_py_client.wire.calls import app as app_calls


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def serve(context: ssl.SSLContext | None, seen: list[str]) -> AsyncIterator[str]:
    async def version(request: web.Request) -> web.Response:
        seen.append(str(request.url))
        return web.json_response({"version": "1.2.3"})

    async with serving(version, context=context) as url:
        yield url


@pytest.fixture
async def https_url(authority: trustme.CA) -> AsyncIterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async for url in serve(context, []):
        yield url


async def version(settings: Settings, engine: Engine) -> str:
    return await engine.call(HttpTransport(settings, engine).send(app_calls.get_version()))


async def test_a_certificate_of_an_unknown_authority_is_refused(https_url: str, engine: Engine) -> None:
    with pytest.raises(TransportError, match=r"(?is)certificate.*verify=") as caught:
        await version(Settings(https_url, retries=0), engine)
    assert caught.value.sent is False


async def test_a_server_that_speaks_no_tls_is_reported(engine: Engine) -> None:
    async for url in serve(None, []):
        with pytest.raises(TransportError, match=r"(?s)http://.*verify"):
            await version(Settings(url.replace("http:", "https:"), retries=0), engine)


async def test_an_authority_can_be_named_by_file_or_context(
    https_url: str, engine: Engine, authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    assert await version(Settings(https_url, verify=str(bundle)), engine) == "1.2.3"
    context = ssl.create_default_context(cafile=str(bundle))
    assert await version(Settings(https_url, verify=context), engine) == "1.2.3"


async def test_the_check_can_be_turned_off(https_url: str, engine: Engine) -> None:
    assert await version(Settings(https_url, verify=False), engine) == "1.2.3"


async def test_requests_go_through_the_proxy(engine: Engine) -> None:
    seen: list[str] = []
    async for proxy in serve(None, seen):
        settings = Settings("http://studio.example", proxy=proxy)
        assert await version(settings, engine) == "1.2.3"
    assert seen == ["http://studio.example/api/v1/app/version"]


@pytest.mark.filterwarnings("ignore:.*not encrypted")
async def test_the_password_of_a_proxy_is_sent_to_it_and_shown_to_nobody(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "".join(["S3", "CRET/"])
    logins: list[str] = []
    requests = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        logins.extend(line.split(": ")[1] for line in request.splitlines() if line.startswith("Proxy-Authorization"))
        status = b"404 Not Found" if request.startswith("CONNECT") else b"307 Away\r\nLocation: /again"
        writer.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        proxy = f"http://u:{secret.replace('/', '%2F')}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        seen: list[str] = []
        for url, said in (
            ("https://studio.example", "proxy returned 404 Not Found"),
            ("http://studio.example", "too many"),
        ):
            settings = Settings(url, proxy=proxy, token=secret, retries=0)
            http = HttpTransport(settings, engine)
            with pytest.raises(TransportError, match=said) as caught:
                await engine.call(http.send(app_calls.get_version()))
            seen += [*traceback.format_exception(caught.value), repr(caught.value.__cause__), repr(vars(caught.value))]
            socket = Socket(http, engine, EventListener(http, engine))
            assert not await engine.call(socket.subscribe("default"))
    assert len(logins) == requests > 4
    assert set(logins) == {"Basic " + base64.b64encode(f"u:{secret}".encode()).decode()}
    everything = "".join(seen) + caplog.text
    assert secret not in everything
    assert "S3CRET" not in everything
    assert logins[0].split()[1] not in everything


async def test_the_password_of_a_proxy_that_does_not_exist_is_not_in_the_cause(engine: Engine) -> None:
    http = HttpTransport(Settings("http://studio.example", proxy="http://u:S3CRET@127.0.0.1:9", retries=0), engine)
    with pytest.raises(TransportError, match="no connection") as caught:
        await engine.call(http.send(app_calls.get_version()))
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert "S3CRET" not in repr(caught.value.__cause__)


async def test_an_error_of_the_proxy_names_the_proxy_without_its_login(engine: Engine) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for url, proxy, told in (
            ("http://studio.example", "127.0.0.1:9", r"no connection to the proxy http://127\.0\.0\.1:9 .*proxy="),
            ("https://studio.example", "127.0.0.1:9", r"no connection to the proxy http://127\.0\.0\.1:9 .*proxy="),
            ("https://studio.example", f"127.0.0.1:{port}", rf"through the proxy http://127\.0\.0\.1:{port} .*407"),
        ):
            http = HttpTransport(Settings(url, proxy=f"http://u:S3CRET@{proxy}", retries=0), engine)
            with pytest.raises(TransportError, match=f"(?s){told}") as caught:
                await engine.call(http.send(app_calls.get_version()))
            assert "S3CRET" not in str(caught.value)
        http = HttpTransport(Settings("http://studio.example", proxy=f"http://127.0.0.1:{port}", retries=0), engine)
        with pytest.raises(RejectedError, match=r"407.*proxy requires a login"):
            await engine.call(http.send(app_calls.get_version()))


async def test_the_socket_takes_the_same_way_as_requests(engine: Engine) -> None:
    for through_proxy in (True, False):
        asked: list[str] = []

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append((await reader.readuntil(b"\r\n")).decode().split("?")[0])  # noqa: B023
            writer.close()

        async with await asyncio.start_server(note, "127.0.0.1", 0) as server:
            address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            url, proxy = ("http://studio.example", address) if through_proxy else (address, "")
            http = HttpTransport(Settings(url, proxy=proxy, retries=0), engine)
            socket = Socket(http, engine, EventListener(http, engine))
            assert not await engine.call(socket.subscribe("default"))
        path = "/ws/socket.io/"
        assert asked[0] == f"GET {'ws://studio.example' if through_proxy else ''}{path}"
