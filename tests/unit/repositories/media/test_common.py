"""What the repositories of images and of videos share."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import ServerError, UnsafePathError
from invokeai_py_client.repositories.media.common import change_all, parts_of
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call, Query
from invokeai_py_client.wire.calls import images
from invokeai_py_client.wire.records.images import DeletedImages

RECORD = {
    "image_name": "a.png",
    "width": 8,
    "height": 8,
    "image_category": "user",
    "image_origin": "external",
    "is_intermediate": False,
    "created_at": "2026-01-01",
}
NAMES = [f"{number}.png" for number in range(2500)]


class Server:
    """Deletes all images that it is asked to, but fails after some requests."""

    settings = Settings()

    def __init__(self, works: int) -> None:
        self._works = works
        self.sizes: list[int] = []

    async def send(self, call: Call[Any]) -> Any:
        names = call.body["image_names"]
        self.sizes.append(len(names))
        if len(self.sizes) > self._works:
            raise ServerError("it broke", status=500, method=call.method, url=call.path)
        return DeletedImages(deleted_images=names)

    def url_of(self, path: str, query: Query | None = None) -> str:
        return path


async def delete(server: Server) -> list[str]:
    return await change_all(server, NAMES, images.delete_images, lambda result: result.deleted_images)


async def test_many_are_changed_in_requests_of_the_size_that_the_server_takes() -> None:
    server = Server(works=3)
    assert await delete(server) == NAMES
    assert server.sizes == [1000, 1000, 500]


@pytest.mark.parametrize(("works", "notes"), [(0, []), (2, ["Earlier requests changed 2000 of the 2500 images."])])
async def test_a_failure_tells_what_earlier_requests_have_changed(works: int, notes: list[str]) -> None:
    with pytest.raises(ServerError) as caught:
        await delete(Server(works))
    assert getattr(caught.value, "__notes__", []) == notes


def test_a_name_that_cannot_be_sent_is_refused_before_any_is() -> None:
    with pytest.raises(UnsafePathError):
        parts_of([*NAMES, "\ud800"])


async def test_an_upload_to_the_board_none_names_no_board() -> None:
    boards: list[str | None] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        boards.append(request.query.get("board_id"))
        return web.json_response(RECORD, status=201)

    async with serving(answer) as url, InvokeAIClient.from_url(url) as client:
        await client.aio.image_repo.upload_image(b"\x89PNG\r\n\x1a\n", board="none")
        none = await client.aio.board_repo.get_uncategorized_handle()
        await none.upload_image_data(b"\x89PNG\r\n\x1a\n")
    assert boards == [None, None]
