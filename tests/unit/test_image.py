"""An image of the server, whether listed, fetched, uploaded or made by a run, is one thing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import AsyncImage, Image, InvokeAIClient, errors

PNG = b"\x89PNG\r\n\x1a\n and so on"
NAMES = ["a.png", "b.jpg", "c.webp"]


def record(name: str) -> dict[str, Any]:
    return {
        "image_name": name,
        "width": 8,
        "height": 4,
        "image_category": "general",
        "image_origin": "internal",
        "is_intermediate": False,
        "created_at": "now",
        "board_id": "b",
        "has_workflow": True,
    }


async def answer(request: web.Request) -> web.Response:
    path = request.path.removeprefix("/api/v1/images/")
    if path == "names":
        return web.json_response({"image_names": NAMES, "starred_count": 0, "total_count": len(NAMES)})
    if path == "images_by_names":
        return web.json_response([record(name) for name in (await request.json())["image_names"]])
    if path.endswith("/full"):
        return web.Response(body=PNG, content_type="image/png")
    return web.json_response(record(path.removeprefix("i/")))


@pytest.fixture
async def client() -> AsyncIterator[InvokeAIClient]:
    async with serving(answer) as url, InvokeAIClient.from_url(url, retries=0) as client:
        yield client


async def test_a_listed_image_is_known_and_can_be_saved(client: InvokeAIClient, tmp_path: Path) -> None:
    listed = await client.aio.image_repo.list_images().afirst(1)
    fetched = await client.aio.image_repo.get_image("a.png")
    assert listed == [fetched]
    (image,) = listed
    assert (image.name, image.width, image.height, image.board_id) == ("a.png", 8, 4, "b")
    assert isinstance(image, Mapping)
    assert (image["image_name"], image["width"], image["has_workflow"]) == ("a.png", 8, True)
    assert dict(image) == dict(image.record or {})
    assert (await image.save(tmp_path)).read_bytes() == PNG
    async for other in client.image_repo.list_images():
        assert isinstance(other, Image)
        assert isinstance(other.aio, AsyncImage)


async def test_of_an_image_of_a_run_the_name_is_known(client: InvokeAIClient) -> None:
    listed = await client.aio.image_repo.get_image("a.png")
    made = AsyncImage(listed._engine, listed._http, "a.png")
    assert (made.image_name, made["image_name"], dict(made), made.record) == (
        "a.png",
        "a.png",
        {"image_name": "a.png"},
        None,
    )
    with pytest.raises(errors.NotFetchedError, match="refresh"):
        _ = made.width
    with pytest.raises(KeyError):
        made["width"]
    assert made != listed
    assert await made.refresh() == listed.record
    assert (made.width, made) == (8, listed)
    assert len({made, listed}) == 1


async def test_a_notebook_shows_it(client: InvokeAIClient) -> None:
    def shown() -> list[tuple[bytes | None, bytes | None]]:
        return [(image._repr_png_(), image._repr_jpeg_()) for image in client.image_repo.list_images()]

    assert await asyncio.to_thread(shown) == [(PNG, None), (None, PNG), (None, None)]
