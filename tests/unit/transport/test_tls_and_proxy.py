"""TLS and proxies, against scripted servers on loopback."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from invokeai_py_client.errors import TransportError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import app as app_calls


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


async def serve(context: ssl.SSLContext | None, seen: list[str]) -> AsyncIterator[str]:
    async def version(request: web.Request) -> web.Response:
        seen.append(str(request.url))
        return web.json_response({"version": "1.2.3"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", version)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def https_url(authority: trustme.CA) -> AsyncIterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async for url in serve(context, []):
        yield url


async def version(settings: Settings, engine: Engine) -> str:
    return (await engine.call(HttpTransport(settings, engine).send(app_calls.get_version()))).version


async def test_a_certificate_of_an_unknown_authority_is_refused(https_url: str, engine: Engine) -> None:
    with pytest.raises(TransportError, match=r"(?i)certificate"):
        await version(Settings(https_url, retries=0), engine)


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
