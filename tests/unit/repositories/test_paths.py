"""Paths that cannot be paths are refused by every method that takes one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import AsyncClient, InvokeAIClient, errors

BAD = "a\0b.png"


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response([])

    async with serving(answer) as url, InvokeAIClient.from_url(url) as client:
        yield client.aio


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.style_preset_repo.export_style_presets(BAD),
        lambda client: client.style_preset_repo.import_style_presets(BAD),
        lambda client: client.workflow_repo.set_thumbnail("w", BAD),
        lambda client: client.dnn_model_repo.set_cover_image("m", BAD),
        lambda client: client.image_repo.upload_image(BAD),
        lambda client: client.image_repo.download_image("a.png", BAD),
        lambda client: client.image_repo.download_many(["a.png"], BAD),
    ],
)
async def test_a_path_with_a_nul_is_refused(client: AsyncClient, use: Callable[[AsyncClient], Awaitable[Any]]) -> None:
    with pytest.raises(errors.UnsafePathError, match="NUL"):
        await use(client)
