"""The catalog: what many callers ask for at once is asked of the server once or twice, not by each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call, Query, Response
from invokeai_py_client.workflow.fields import FieldPlace
from invokeai_py_client.workflow.named_resources import NamedResource
from invokeai_py_client.workflow.references import BoardReference


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


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


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
        found = await asyncio.gather(*(catalog.answer(BoardReference("tigers")) for _ in range(200)))
        assert found == [{"board_id": "b1"}] * 200

    await engine.call(run())
    assert len(http.asked) == 1
