"""Items by their ids, on servers that lack routes."""

from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client import errors
from invokeai_py_client.live.queue_reads import (
    all_ids,
    item_id_of,
    item_of_session,
    items_of_batch,
    records_of,
    summaries_of,
)
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records.queue import ItemIds, QueueItemRecord, QueueItemSummary


def api_error(status: int) -> errors.ApiError:
    kind = errors.NotFoundError if status == 404 else errors.RejectedError
    return kind("no", status=status, method="POST", url="u")


def web_page(_: int = 0) -> errors.InvokeAIError:
    return errors.NotInvokeAIError("a web page", url="u", method="GET")


class Server(HttpTransport):
    """A server with 30 items, two a batch, that lacks some routes, and answers what is unknown as it is told."""

    def __init__(self, *lacks: str, unknown: errors.InvokeAIError | None = None) -> None:
        self.settings = Settings()
        self.asked: list[str] = []
        self._lacks = lacks
        self._unknown = unknown or api_error(405)
        self._items = {
            item_id: QueueItemRecord(
                item_id=item_id,
                status="pending",
                batch_id=f"b{item_id // 2}",
                queue_id="default",
                session_id=f"s{item_id}",
                session={},
            )
            for item_id in range(1, 31)
        }

    async def send(self, call: Call[Any]) -> Any:
        assert call.path.startswith("/api/v1/queue/default/")
        route = call.path.removeprefix("/api/v1/queue/default/")
        self.asked.append(route)
        if route in self._lacks:
            raise self._unknown
        if route == "item_ids":
            return ItemIds(item_ids=[*self._items])
        if route == "list_all":
            return [*self._items.values()]
        if route.startswith("i/"):
            if (item_id := int(route[2:])) not in self._items:
                raise api_error(404)
            return self._items[item_id]
        if not all(isinstance(item_id, int) for item_id in call.body["item_ids"]):
            raise api_error(422)
        found = [self._items[item_id] for item_id in sorted(call.body["item_ids"]) if item_id in self._items]
        if route == "items_by_ids":
            return found
        return [QueueItemSummary(item_id=i.item_id, status=i.status, batch_id=i.batch_id) for i in found]


OLD = ("item_ids", "items_by_ids", "item_summaries_by_ids")


@pytest.mark.parametrize("lacks", [(), ("item_summaries_by_ids",), OLD])
async def test_items_come_in_order_whatever_the_server_lacks(lacks: tuple[str, ...]) -> None:
    server = Server(*lacks)
    assert await all_ids(server, "default") == [*range(30, 0, -1)]
    for read in (summaries_of, records_of):
        assert [item.item_id for item in await read(server, "default", [7, 99, 3])] == [7, 3]
    assert [item.item_id for item in await summaries_of(server, "default", range(1, 31))] == [*range(1, 31)]
    assert [item.item_id for item in await items_of_batch(server, "default", "b4")] == [8, 9]
    assert await item_of_session(server, "default", "s5") == 5
    with pytest.raises(errors.NotFoundError, match="s77"):
        await item_of_session(server, "default", "s77")


async def test_summaries_of_many_items_are_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_IDS_PER_REQUEST", 8)
    server = Server()
    assert [item.item_id for item in await summaries_of(server, "default", range(20, 0, -1))] == [*range(20, 0, -1)]
    assert server.asked == ["item_summaries_by_ids"] * 3


async def test_an_old_server_is_asked_for_few_items_one_by_one_and_for_many_at_once() -> None:
    server = Server(*OLD, unknown=api_error(404))
    await records_of(server, "default", [1, 2])
    assert server.asked == ["items_by_ids", "i/1", "i/2"]
    server.asked.clear()
    assert len(await records_of(server, "default", range(1, 26))) == 25
    assert server.asked == ["items_by_ids", "list_all"]


async def test_a_web_page_is_not_a_route() -> None:
    assert len(await all_ids(Server("item_ids", unknown=web_page()), "default")) == 30


@pytest.mark.parametrize("status", [401, 422, 500])
async def test_what_is_not_a_missing_route_is_reported(status: int) -> None:
    error = errors.ApiError("no", status=status, method="POST", url="u")
    server = Server(*OLD, unknown=error)
    for asking in (
        all_ids(server, "default"),
        summaries_of(server, "default", [1]),
        records_of(server, "default", [1]),
        items_of_batch(server, "default", "b"),
        item_of_session(server, "default", "s"),
    ):
        with pytest.raises(errors.ApiError):
            await asking
    assert len(server.asked) == 5


async def test_an_id_that_is_none_is_refused() -> None:
    ids: list[Any] = ["x", 1]
    with pytest.raises(errors.RejectedError):
        await records_of(Server(), "default", ids)


class Integer:
    """An integer type of another library."""

    def __index__(self) -> int:
        return 7


def test_an_item_id_is_an_integer_of_any_type() -> None:
    assert (item_id_of(7), item_id_of(Integer())) == (7, 7)


@pytest.mark.parametrize("value", ["318", "5f9c", True, 3.0, None, b"3"])
def test_what_is_not_an_integer_is_refused_as_an_item_id(value: object) -> None:
    with pytest.raises(TypeError, match=f"not {type(value).__name__}.*batch_id="):
        item_id_of(value)
