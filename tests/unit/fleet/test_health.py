"""When a server that has work counts as away."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from tests.support.fleet_servers import another_page, fail, hang_up
from tests.support.serving import Handler, serving

from invokeai_py_client.fleet import health
from invokeai_py_client.fleet.calls import Away
from invokeai_py_client.fleet.health import Health
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport


async def refuse(_: web.Request) -> web.StreamResponse:
    return web.json_response({"detail": "Missing authentication credentials"}, status=401)


async def bad_gateway(_: web.Request) -> web.StreamResponse:
    return web.Response(status=502)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [(hang_up, "dead"), (bad_gateway, "dead"), (refuse, "refused"), (another_page, "refused"), (fail, "refused")],
)
async def test_why_a_server_is_away(handler: Handler, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOKS_EVERY", 0.01)
    monkeypatch.setattr(health, "DEAD_AFTER", 0.02)
    engine = Engine("health")

    async def lost(url: str) -> Away:
        http = HttpTransport(Settings(url), engine)
        with Health(http, RunTracker(http, engine), engine).watching() as away:
            return await asyncio.wait_for(away, 10)

    try:
        async with serving(handler) as url:
            assert (await engine.call(lost(url))).kind == kind
    finally:
        await engine.aclose()
