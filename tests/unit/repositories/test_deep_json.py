"""Answers that nest deeper than Python can follow are our errors, whatever was asked and whatever the status."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.async_client import AsyncClient
from invokeai_py_client.errors import InvokeAIError, ServerError, WorkflowFileError

Ask = Callable[[AsyncClient], Awaitable[Any]]

EMPTY = WorkflowDefinition.from_dict({"name": "w", "nodes": [], "edges": [], "meta": {"version": "3.0.0"}})

ASKS: dict[str, Ask] = {
    "version": lambda client: client.app.get_version(),
    "login": lambda client: client.auth.login("ann@example.org", "a"),
    "boards": lambda client: client.board_repo.list_boards(),
    "models": lambda client: client.dnn_model_repo.list_models(),
    "image": lambda client: client.image_repo.get_image("a.png"),
    "queue": lambda client: client.queue.get_status(),
    "drift": lambda client: client.schema_drift(),
    "library": lambda client: client.workflow_repo.list_available_workflows(),
}


class Deep:
    body = b""
    status = 200

    async def handle(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=self.body, status=self.status, content_type="application/json")


@pytest.fixture
def deep() -> Deep:
    return Deep()


@pytest.fixture
async def client(deep: Deep) -> AsyncIterator[InvokeAIClient]:
    async with serving(deep.handle) as url, InvokeAIClient.from_url(url, retries=0) as client:
        yield client


def nested(depth: int, shape: str) -> bytes:
    start, end = {"list": ("[", "]"), "object": ('{"detail":', "}")}[shape]
    return (start * depth + "1" + end * depth).encode()


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
@pytest.mark.parametrize("status", [200, 401, 422, 500])
@pytest.mark.parametrize("depth", [900, 100_000])
@pytest.mark.parametrize("shape", ["list", "object"])
async def test_a_deep_answer_is_our_error(
    client: InvokeAIClient, deep: Deep, ask: Ask, status: int, depth: int, shape: str
) -> None:
    deep.body, deep.status = nested(depth, shape), status
    with pytest.raises(InvokeAIError):
        await ask(client.aio)


async def test_a_deep_body_of_a_raw_request_is_our_error_when_it_is_read(client: InvokeAIClient, deep: Deep) -> None:
    deep.body = nested(100_000, "list")
    with pytest.raises(ServerError, match="instead of JSON"):
        (await client.aio.request("GET", "/api/v1/anything")).json()


@pytest.mark.parametrize("text", ["[" * 100_000, "no JSON", ""])
async def test_an_unreadable_workflow_of_an_image_is_our_error(client: InvokeAIClient, deep: Deep, text: str) -> None:
    deep.body = json.dumps({"workflow": text, "graph": text}).encode()
    for ask in (client.aio.image_repo.get_workflow, client.aio.image_repo.get_graph):
        with pytest.raises(WorkflowFileError, match="is not JSON"):
            await ask("a.png")
