"""One image of the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, errors


@pytest.fixture
async def client() -> AsyncIterator[InvokeAIClient]:
    async def pixels(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/full"):
            return web.Response(body=b"pixels", content_type="image/png")
        record = {
            "image_name": "../../evil.png" if "evil" in request.path else "a.png",
            "width": 1,
            "height": 1,
            "image_category": "user",
            "image_origin": "external",
        }
        return web.json_response({**record, "is_intermediate": False, "created_at": ""})

    async with serving(pixels) as url, InvokeAIClient.from_url(url) as client:
        yield client


@pytest.mark.parametrize("name", ["0.png", "cub.JPEG"])
async def test_a_file_name_in_place_of_a_folder_is_refused(client: InvokeAIClient, tmp_path: Path, name: str) -> None:
    image = await client.aio.image_repo.get_image("a.png")
    with pytest.raises(errors.UnsafePathError, match="takes a folder") as caught:
        await image.save(tmp_path / name)
    assert "save_as" in caught.value.hint
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240


async def test_an_image_is_saved_in_a_folder_under_its_own_name(client: InvokeAIClient, tmp_path: Path) -> None:
    image = await client.aio.image_repo.get_image("a.png")
    (tmp_path / "old.png").mkdir()
    for folder in ("out", "v1.5", "old.png"):
        path = await image.save(tmp_path / folder)
        assert path == tmp_path / folder / "a.png"
        assert path.read_bytes() == b"pixels"


async def test_a_name_of_the_server_that_leads_out_of_the_folder_is_refused(
    client: InvokeAIClient, tmp_path: Path
) -> None:
    image = await client.aio.image_repo.get_image("evil")
    with pytest.raises(errors.UnsafePathError):
        await image.save(tmp_path / "in")
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240
