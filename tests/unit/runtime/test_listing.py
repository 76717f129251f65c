"""Lists that are fetched in parts as they are read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing, in_parts


class Store:
    """Things by name, and which of them were fetched together."""

    def __init__(self, *names: str) -> None:
        self.names = [*names]
        self.gone: set[str] = set()
        self.fetched: list[list[str]] = []

    async def keys(self) -> list[str]:
        return [*self.names]

    async def fetch(self, names: Sequence[str]) -> list[str]:
        self.fetched.append([*names])
        return [name.upper() for name in names if name not in self.gone]


async def read(listing: Listing[str], awaited: bool) -> list[str]:
    return [thing async for thing in listing] if awaited else [*listing]


@pytest.mark.parametrize("awaited", [False, True])
async def test_it_is_fetched_in_parts_in_its_order(engine: Engine, awaited: bool) -> None:
    store = Store("a", "b", "c", "d", "e")
    store.gone = {"b"}
    listing = Listing(engine, store.keys, store.fetch, size=2)
    assert await read(listing, awaited) == ["A", "C", "D", "E"]
    assert store.fetched == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize("awaited", [False, True])
async def test_nothing_is_fetched_of_an_empty_one(engine: Engine, awaited: bool) -> None:
    store = Store()
    assert await read(Listing(engine, store.keys, store.fetch, size=2), awaited) == []
    assert store.fetched == []


@pytest.mark.parametrize("awaited", [False, True])
async def test_each_reading_begins_anew(engine: Engine, awaited: bool) -> None:
    store = Store("a")
    listing = Listing(engine, store.keys, store.fetch, size=2)
    await read(listing, awaited)
    store.names.append("b")
    assert await read(listing, awaited) == ["A", "B"]


def test_a_part_is_fetched_when_it_is_reached_and_what_is_added_meanwhile_is_not_seen(engine: Engine) -> None:
    store = Store("a", "b", "c")
    things = iter(Listing(engine, store.keys, store.fetch, size=2))
    assert next(things) == "A"
    assert store.fetched == [["a", "b"]]
    store.names.append("d")
    assert [*things] == ["B", "C"]


async def test_a_part_is_awaited_when_it_is_reached(engine: Engine) -> None:
    store = Store("a", "b", "c")
    things = aiter(Listing(engine, store.keys, store.fetch, size=2))
    assert await anext(things) == "A"
    assert store.fetched == [["a", "b"]]


def test_a_part_of_it_fetches_no_more_than_that(engine: Engine) -> None:
    store = Store("a", "b", "c", "d", "e")
    listing = Listing(engine, store.keys, store.fetch, size=2)
    assert (listing[1:4], store.fetched) == (["B", "C", "D"], [["b", "c"], ["d"]])
    store.fetched.clear()
    assert (listing[0], listing[-1], listing[-2:]) == ("A", "E", ["D", "E"])
    assert store.fetched == [["a"], ["e"], ["d", "e"]]
    assert listing[9:] == []
    store.gone = {"c"}
    for index in (5, -6, 2):
        with pytest.raises(IndexError, match=str(index)):
            listing[index]


def test_it_says_how_it_is_read_and_fetches_nothing_for_that(engine: Engine) -> None:
    store = Store("a")
    assert repr(Listing(engine, store.keys, store.fetch, size=2)) == "<Listing: iterate it, or call first(10)>"
    assert store.fetched == []


async def test_the_first_of_it_are_as_many_as_there_are(engine: Engine) -> None:
    store = Store("a", "b", "c", "d", "e")
    store.gone = {"b"}
    listing = Listing(engine, store.keys, store.fetch, size=3)
    assert (listing.first(2), store.fetched) == (["A", "C"], [["a", "b"], ["c"]])
    assert (listing.first(0), listing.first(9)) == ([], ["A", "C", "D", "E"])
    assert store.fetched[2:] == [["a", "b", "c"], ["d", "e"]], "nothing is asked for beyond the end"
    assert await listing.afirst(2) == ["A", "C"]


def test_what_is_added_after_a_count_is_in_the_next_iteration(engine: Engine) -> None:
    store = Store("a")
    listing = Listing(engine, store.keys, store.fetch, size=9)
    assert len(listing) == 1
    store.names.append("b")
    assert [one for one in listing] == ["A", "B"]  # noqa: C416 - a list() would count again


async def test_counting_it_costs_one_request_and_so_does_a_list_of_it(engine: Engine) -> None:
    store = Store("a", "b", "c")
    asked: list[int] = []

    async def keys() -> list[str]:
        asked.append(1)
        return await store.keys()

    listing = Listing(engine, keys, store.fetch, size=9)
    assert (len(listing), len(asked)) == (3, 1)
    assert (list(listing), len(asked)) == (["A", "B", "C"], 2)
    assert (await listing.acount(), len(asked), bool(listing), len(asked)) == (3, 3, True, 3)
    assert store.fetched == [["a", "b", "c"]]


@pytest.mark.parametrize(
    ("things", "parts"),
    [("", []), ("ab", ["ab"]), ("abc", ["abc"]), ("abcd", ["abc", "d"]), ("abcdef", ["abc", "def"])],
)
def test_a_sequence_is_cut_into_parts_of_a_size(things: str, parts: list[str]) -> None:
    assert [*in_parts(things, 3)] == parts
