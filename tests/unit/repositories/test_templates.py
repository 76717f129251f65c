"""Node templates: fetched once for many callers, and cached on disk where that is possible."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.support.openapi import document
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.errors import AnswerTooLargeError, NotInvokeAIError

SCHEMAS = document()["components"]["schemas"]
OPENAPI = json.dumps(
    {"components": {"schemas": {name: SCHEMAS[name] for name in ("NoiseInvocation", "NoiseOutput")}}}
).encode()
"""The part of a server's document that tells of one node."""

WORKFLOW: dict[str, Any] = {"name": "w", "meta": {"version": "3.0.0"}, "nodes": [], "edges": [], "exposedFields": []}


class Studio:
    """A server with a version and an OpenAPI document, and the paths that were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.document = OPENAPI
        self.version = "6.14.2"
        self.is_packed = False
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == "/openapi.json":
            response = web.Response(body=self.document, content_type="application/json")
            if self.is_packed:
                response.enable_compression()
            return response
        return web.json_response({"version": self.version})


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    studio = Studio()
    async with serving(studio.answer) as studio.url:
        yield studio


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


async def noise_multiple(studio: Studio) -> float | None:
    """A fact of one node, as a new client tells it."""
    async with InvokeAIClient.from_url(studio.url) as client:
        return (await client.aio.workflow_repo.get_templates())["noise"].inputs["width"].multiple_of


async def test_two_hundred_workflows_at_once_fetch_the_document_once(studio: Studio) -> None:
    definition = WorkflowDefinition.from_dict(WORKFLOW)
    async with InvokeAIClient.from_url(studio.url) as client:
        made = await asyncio.gather(*(client.aio.workflow_repo.create_workflow(definition) for _ in range(200)))
    assert len(made) == 200
    assert sorted(studio.asked) == ["/api/v1/app/version", "/openapi.json"]


def deep(entry: Path) -> None:
    entry.write_text("[" * 200_000)


def fifo(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)


def folder(entry: Path) -> None:
    entry.unlink()
    entry.mkdir()


def cut(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:1000])


def unreadable(entry: Path) -> None:
    entry.unlink()
    entry.symlink_to(entry)


def of_another_version(entry: Path) -> None:
    text = b'{"nodes": {}, "outputs": {}}'
    entry.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


@pytest.mark.parametrize(
    "damage",
    [
        of_another_version,
        deep,
        fifo,
        folder,
        cut,
        unreadable,
        lambda entry: entry.write_text("[]"),
        lambda entry: entry.write_text('{"nodes": [], "outputs": 3}'),
        lambda entry: entry.write_text('{"nodes": {"noise": 5}, "outputs": {}}'),
        lambda entry: entry.write_bytes(b"\xff\xfe"),
        lambda entry: entry.write_bytes(b""),
    ],
    ids=[
        "another version",
        "deep",
        "fifo",
        "folder",
        "cut",
        "a loop of links",
        "a list",
        "shape",
        "nodes",
        "not text",
        "empty",
    ],
)
async def test_a_cache_entry_that_is_of_no_use_is_read_again_from_the_server(
    studio: Studio, cache: Path, damage: Callable[[Path], object]
) -> None:
    assert await noise_multiple(studio) == 8
    (entry,) = (cache / "node-templates").iterdir()
    damage(entry)
    async with asyncio.timeout(20):
        assert await noise_multiple(studio) == 8


async def test_a_file_in_place_of_the_cache_folder_means_no_cache(studio: Studio, cache: Path) -> None:
    cache.write_text("in the way")  # noqa: ASYNC240
    assert await noise_multiple(studio) == 8
    assert cache.read_text() == "in the way"  # noqa: ASYNC240


async def test_no_home_directory_means_no_cache(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    for name in ("INVOKEAI_CLIENT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert await noise_multiple(studio) == 8


async def test_a_version_that_cannot_be_a_file_name_is_not_an_obstacle(studio: Studio, cache: Path) -> None:
    studio.version = "../../6.14.2\0" + "x" * 300
    assert await noise_multiple(studio) == 8
    assert [entry.parent for entry in cache.rglob("*.json")] == [cache / "node-templates"]  # noqa: ASYNC240


@pytest.mark.parametrize("document", [b"[" * 200_000, b"{}", b"[]", b'{"components": {"schemas": {"a": 3}}}', b"no"])
async def test_a_document_of_another_kind_of_server_is_reported(studio: Studio, document: bytes) -> None:
    studio.document = document
    with pytest.raises(NotInvokeAIError):
        await noise_multiple(studio)


@pytest.mark.parametrize("is_packed", [True, False])
async def test_an_openapi_document_of_absurd_size_is_not_read(studio: Studio, is_packed: bool) -> None:
    studio.document = b'{"components":{"schemas":{"x":[' + b'{"a":1},' * 2_200_000 + b"{}]}}}"
    studio.is_packed = is_packed
    with pytest.raises(AnswerTooLargeError, match="InvokeAI server"):
        await noise_multiple(studio)
