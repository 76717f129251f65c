"""The catalog: what many callers ask for at once is asked of the server once or twice, not by each."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.secret import Secret
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call, Query, Response
from invokeai_py_client.wire.calls import auth
from invokeai_py_client.workflow.fields import FieldPlace
from invokeai_py_client.workflow.named_resources import NamedResource
from invokeai_py_client.workflow.references import BoardReference, LocalImage


class Scripted:
    """Sends nothing: it answers by path, after a moment, and counts."""

    settings = Settings()

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def send(self, call: Call[Any]) -> Any:
        self.asked.append(call.path)
        await asyncio.sleep(0.01)
        body = b'[{"board_id": "b1", "board_name": "tigers"}]' if "boards" in call.path else b"[]"
        return call.parse(Response(call.method, call.path, 200, {"content-type": "application/json"}, body))

    def url_of(self, path: str, query: Query | None = None) -> str:
        return path


async def test_the_same_missing_image_of_many_submissions_is_looked_for_at_most_twice(engine: Engine) -> None:
    http = Scripted()

    async def run() -> None:
        catalog = Catalog(http, engine)
        thing = NamedResource(FieldPlace("n", "img_blur", "", "image"), "image", "gone.png", "gone.png")
        found = await asyncio.gather(*(catalog.missing([thing]) for _ in range(200)))
        assert found == [[thing]] * 200

    await engine.call(run())
    assert len(http.asked) <= 2


async def test_a_board_of_many_submissions_is_looked_up_once(engine: Engine) -> None:
    http = Scripted()

    async def run() -> None:
        catalog = Catalog(http, engine)
        found = await asyncio.gather(*(catalog.resolve(BoardReference("tigers")) for _ in range(200)))
        assert found == [{"board_id": "b1"}] * 200

    await engine.call(run())
    assert len(http.asked) == 1


class Users(Scripted):
    """A server on which each user has a board and images of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.user = "ann"
        self.videos = {"v.mp4"}

    async def send(self, call: Call[Any]) -> Any:
        self.asked.append(f"{call.method} {call.path}")
        what = call.path.split("/")[3]
        if what == "videos":
            name = call.path.rpartition("/")[2]
            if name not in self.videos:
                raise NotFoundError("no such video", status=404, method="GET", url=call.path)
            body: Any = {
                **MEDIA,
                "video_name": name,
                "video_category": "user",
                "video_origin": "external",
                "duration": 1,
            }
        elif what == "boards":
            body = [{"board_id": f"of {self.user}", "board_name": "tigers"}]
        elif what == "models":
            body = {"models": []}
        else:
            body = {**MEDIA, "image_name": f"{self.user}.png", "image_category": "user", "image_origin": "external"}
            body = [body] if call.path.endswith("images_by_names") else body
        content = json.dumps(body).encode()
        return call.parse(Response(call.method, call.path, 200, {"content-type": "application/json"}, content))


MEDIA = {"width": 1, "height": 1, "is_intermediate": False, "created_at": ""}
PNG = LocalImage(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("change", [auth.login("b@c.d", Secret("x"), remember_me=False), auth.logout()])
async def test_another_user_gets_boards_and_uploads_of_their_own(engine: Engine, change: Call[object]) -> None:
    http = Users()

    async def run() -> None:
        catalog = Catalog(http, engine)
        assert await catalog.resolve(BoardReference("tigers")) == {"board_id": "of ann"}
        assert await catalog.resolve(PNG) == {"image_name": "ann.png"}
        http.user = "bob"
        assert await catalog.resolve(BoardReference("tigers")) == {"board_id": "of ann"}, "what was seen is fresh"
        catalog.forget_changed(change, None)
        assert await catalog.resolve(BoardReference("tigers")) == {"board_id": "of bob"}
        assert await catalog.resolve(PNG) == {"image_name": "bob.png"}

    await engine.call(run())


async def test_a_video_that_the_server_does_not_have_is_missing(engine: Engine) -> None:
    http = Users()

    async def run() -> None:
        place = FieldPlace("n", "wan_i2v", "", "video")
        there, gone = (NamedResource(place, "video", name, name) for name in ("v.mp4", "w.mp4"))
        assert await Catalog(http, engine).missing([there, gone]) == [gone]

    await engine.call(run())
