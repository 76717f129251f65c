"""What this client deletes, renames or installs is asked for anew by the next `validate_inputs`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from tests.documents import node
from tests.support.openapi import OPENAPI
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, errors
from invokeai_py_client.workflow_handle import AsyncWorkflowHandle

MODEL = {"key": "k", "hash": "h", "name": "Tiny", "base": "sd-1", "type": "main"}
IMAGE = {
    "image_name": "a.png",
    "width": 8,
    "height": 8,
    "image_category": "general",
    "image_origin": "internal",
    "is_intermediate": False,
    "created_at": "2026-01-01 00:00:00",
}


class Server:
    """A server with a model, a board and two images, until they are deleted or renamed."""

    def __init__(self) -> None:
        self.models = {"k": MODEL}
        self.boards = {"b": "Cats"}
        self.images = {"a.png", "b.png"}
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        parts = request.path.strip("/").split("/")
        match request.method, parts[2:] if parts[0] == "api" else parts:
            case "GET", ["openapi.json"]:
                return web.Response(body=OPENAPI, content_type="application/json")
            case "GET", ["app", "version"]:
                return web.json_response({"version": "6.14.2"})
            case "GET", ["models"]:
                return web.json_response({"models": [*self.models.values()]})
            case "DELETE", ["models", "i", key]:
                del self.models[key]
            case "GET", ["models", "install", job]:
                self.models["new"] = {**MODEL, "key": "new"}
                return web.json_response({"id": int(job), "status": "completed"})
            case "GET", ["boards"]:
                return web.json_response([{"board_id": id_, "board_name": name} for id_, name in self.boards.items()])
            case "PATCH", ["boards", board_id]:
                self.boards[board_id] = (await request.json())["board_name"]
                return web.json_response({"board_id": board_id, "board_name": self.boards[board_id]})
            case "DELETE", ["boards", board_id]:
                del self.boards[board_id]
                self.images.clear()
            case "POST", ["images", "images_by_names"]:
                names = (await request.json())["image_names"]
                return web.json_response([{**IMAGE, "image_name": name} for name in names if name in self.images])
            case "DELETE", ["images", "i", name]:
                self.images.discard(name)
                # The change was made, but its response is lost.
                raise web.HTTPBadGateway
            case ("POST", ["images", "delete"]) | ("DELETE", ["images", "uncategorized"]):
                self.images.clear()
        return web.json_response({})


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[InvokeAIClient]:
    async with serving(server.handle) as url, InvokeAIClient.from_url(url, retries=0) as client:
        yield client


@pytest.fixture
async def wf(client: InvokeAIClient) -> AsyncWorkflowHandle:
    nodes = [
        node("m", "main_model_loader", "1.0.4", model=MODEL),
        node("a", "img_blur", "1.2.2", image={"image_name": "a.png"}, board={"board_id": "b"}),
        node("b", "img_blur", "1.2.2", image={"image_name": "b.png"}),
    ]
    document = {"name": "all", "meta": {"version": "3.0.0"}, "nodes": nodes, "edges": []}
    return await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))


Change = Callable[[InvokeAIClient], Awaitable[Any]]


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        (lambda client: client.request("DELETE", "/api/v2/models/i/k"), {("m", "model")}),
        (lambda client: client.request("DELETE", "/api/v1/boards/b"), {("a", "board"), ("a", "image"), ("b", "image")}),
        (lambda client: client.request("POST", "/api/v1/images/delete", json={}), {("a", "image"), ("b", "image")}),
        (lambda client: client.request("DELETE", "/api/v1/images/uncategorized"), {("a", "image"), ("b", "image")}),
        (lambda client: client.request("DELETE", "/api/v1/images/i/a.png"), {("a", "image")}),
    ],
)
async def test_what_this_client_deletes_is_missed_at_once(
    client: InvokeAIClient, wf: AsyncWorkflowHandle, change: Change, gone: set[tuple[str, str]]
) -> None:
    assert await wf.validate_inputs() == {}
    with contextlib.suppress(errors.ServerError):
        await change(client.aio)  # type: ignore[arg-type]
    assert set(await wf.validate_inputs()) == gone


async def test_what_was_seen_is_believed_for_a_while(
    client: InvokeAIClient, wf: AsyncWorkflowHandle, server: Server
) -> None:
    assert await wf.validate_inputs() == {}
    server.asked.clear()
    assert await wf.validate_inputs() == {}
    assert server.asked == []
    # Of the images, only the one that was deleted is asked for again.
    with pytest.raises(errors.ServerError):
        await client.aio.request("DELETE", "/api/v1/images/i/c.png")
    server.asked.clear()
    assert await wf.validate_inputs() == {}
    assert server.asked == []


async def test_a_board_that_was_renamed_answers_to_its_new_name(
    client: InvokeAIClient, wf: AsyncWorkflowHandle
) -> None:
    wf.inputs["a", "board"].value = "cats"
    assert await wf.validate_inputs() == {}
    await client.aio.request("PATCH", "/api/v1/boards/b", json={"board_name": "Dogs"})
    assert set(await wf.validate_inputs()) == {("a", "board")}


async def test_a_model_that_was_installed_is_known(client: InvokeAIClient, wf: AsyncWorkflowHandle) -> None:
    wf.inputs["m", "model"].value = "Tiny"
    assert await wf.validate_inputs() == {}
    await client.aio.request("GET", "/api/v2/models/install/1")
    ((why,),) = (await wf.validate_inputs()).values()
    assert "2 models match 'Tiny'" in why


async def test_node_packs_that_were_installed_are_known(
    client: InvokeAIClient, wf: AsyncWorkflowHandle, server: Server
) -> None:
    for method, path, is_read_again in (
        ("GET", "/api/v2/custom_nodes/", False),
        ("POST", "/api/v2/custom_nodes/install", True),
        ("DELETE", "/api/v2/custom_nodes/my-pack", True),
    ):
        await client.aio.request(method, path)
        server.asked.clear()
        await client.aio.workflow_repo.create_workflow(wf.definition)
        assert ("GET /openapi.json" in server.asked) is is_read_again
