"""Whether a server is there, against small servers on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, errors
from invokeai_py_client.live import processor
from invokeai_py_client.repositories import app

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[InvokeAIClient]:
    async with (
        serving(handler) as url,
        InvokeAIClient.from_url(url, email="a@b.c", password="wrong") as client,
    ):
        yield client


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    return web.Response()


@pytest.mark.parametrize("seconds", [0.1, 0.6])
async def test_a_wait_keeps_its_time_and_says_what_it_waited_for(seconds: float) -> None:
    async with served(hang) as client:
        began = time.monotonic()
        with pytest.raises(
            errors.NotReadyError, match=rf"server was ready at {client.settings.url} within 0\."
        ) as caught:
            await client.aio.app.wait_until_ready(seconds)
        assert time.monotonic() - began < seconds + 3, "one question alone may take 5 s"
        assert isinstance(caught.value, TimeoutError)
        assert isinstance(caught.value, errors.TransportError)


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(text="<html>hello</html>", content_type="text/html"),
        web.Response(text="hello"),
        web.Response(status=404),
        web.Response(status=405),
        web.Response(text="{}", content_type="application/json"),
        web.Response(text="[]", content_type="application/json"),
    ],
    ids=["a page", "text", "404", "405", "another object", "a list"],
)
async def test_another_program_is_reported_at_once(answer: web.Response) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=answer.body, status=answer.status, content_type=answer.content_type)

    async with served(handler) as client:
        began = time.monotonic()
        with pytest.raises(errors.NotInvokeAIError):
            await client.aio.app.wait_until_ready(60)
        assert time.monotonic() - began < 20


async def test_a_server_that_starts_is_waited_for() -> None:
    statuses = [503, 502, 200]

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"version": "1.2.3"}, status=statuses.pop(0))

    async with served(handler) as client:
        assert await client.aio.app.wait_until_ready(5) == "1.2.3"


async def test_a_wrong_password_does_not_make_a_server_unreachable() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/version"):
            return web.json_response({"version": "1.2.3"})
        return web.json_response({"detail": "no"}, status=401)

    async with served(handler) as client:
        health = await client.aio.app.health_check()
        assert (health.is_reachable, health.is_usable, health.version) == (True, False, "1.2.3")
        assert health.latency is not None
        assert isinstance(health.error, errors.AuthenticationError)


def queue_status(
    *, is_processing: bool, in_progress: int, item_id: int | None = 7, pending: int = 0
) -> dict[str, object]:
    counts = {"pending": pending, "in_progress": in_progress, "completed": 0, "failed": 0, "canceled": 0, "total": 2}
    return {
        "queue": {**counts, "item_id": item_id if in_progress else None},
        "processor": {"is_started": True, "is_processing": is_processing},
    }


@pytest.mark.parametrize(
    ("looks", "can_read", "is_usable"),
    [
        ([(True, 1, 1)], False, True),
        ([(False, 0, 0)], False, True),
        ([(False, 1, 1), (True, 1, 1)], False, True),
        ([(False, 1, 0), (False, 0, 0)], False, True),
        ([(False, 1, 0), (False, 1, 0)], True, True),
        ([(False, 1, 0), (False, 1, 0)], False, False),
        ([(False, 0, 1), (True, 1, 0)], False, True),
        ([(False, 0, 1), (False, 0, 1)], True, True),
        ([(False, 0, 1), (False, 0, 1)], False, False),
    ],
    ids=[
        "at work",
        "idle",
        "just begins",
        "just ends",
        "takes long to begin",
        "dead",
        "just takes the next",
        "takes long to take the next",
        "blocked by the next",
    ],
)
async def test_a_server_whose_processor_has_died_is_not_usable(
    looks: list[tuple[bool, int, int]], can_read: bool, is_usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "CONFIRMED_AFTER", 0.01)
    monkeypatch.setattr(app, "CONFIRMED_AFTER", 0.02)
    left = [*looks]

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/version"):
            return web.json_response({"version": "1.2.3"})
        if request.path.endswith("/status"):
            is_processing, in_progress, pending = left.pop(0)
            status = queue_status(is_processing=is_processing, in_progress=in_progress, pending=pending)
            return web.json_response(status)
        if request.path.endswith("/login"):
            return web.json_response({"detail": "Not Found"}, status=404)
        if not can_read:
            return web.json_response({"detail": "inf"}, status=500)
        item = {"item_id": 7, "status": "in_progress", "batch_id": "b", "queue_id": "default"}
        return web.json_response({**item, "session_id": "s", "session": {}})

    async with served(handler) as client:
        health = await client.aio.app.health_check()
    assert left == []
    assert (health.is_reachable, health.is_usable, health.version) == (True, is_usable, "1.2.3")
    assert health.is_processing_started
    if is_usable:
        assert health.error is None
    else:
        assert isinstance(health.error, errors.ProcessorStoppedError)
        assert health.error.item_id == (None if looks[0][2] else 7)


async def test_a_check_of_the_health_keeps_its_time_and_raises_when_the_client_is_closed() -> None:
    async with served(hang) as client:
        health = await client.aio.app.health_check(timeout=0.1)
        assert (health.is_reachable, type(health.error)) == (False, errors.NotReadyError)
        with pytest.raises(errors.SettingsError, match="seconds above 0"):
            await client.aio.app.health_check(timeout=0)
    with pytest.raises(errors.ClientClosedError):
        await client.aio.app.health_check()


async def test_who_is_nobody_has_nothing_to_send_to_be_nobody() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.json_response({"detail": "Not Found"}, status=404)

    async with served(handler) as client:
        await client.aio.auth.logout()
        assert asked == []
