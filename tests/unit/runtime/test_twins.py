"""Arguments that fetch as they are read are read where the caller is, by both faces."""

from __future__ import annotations

import inspect
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.reporting import blocking_reporting, reporting
from invokeai_py_client.runtime.twins import Blocking, blocking, handing, on_engine, shared


class AsyncThings:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_things(self) -> Listing[int]:
        async def keys() -> list[int]:
            return [1, 2, 3]

        async def fetch(some: Sequence[int]) -> Sequence[int]:
            return some

        return Listing(self._engine, keys, fetch, size=2)

    @on_engine
    async def take(self, things: Any, *, more: Any = ()) -> list[Any]:
        """Take."""
        return [*things, *more]

    @on_engine
    async def keep(self, thing: Any) -> Any:
        """Keep."""
        return thing

    @on_engine
    async def find(self, name: str, *, size: int = 1) -> tuple[str, int]:
        """Find a thing."""
        return name, size

    @reporting
    async def take_and_tell(
        self, things: Any, *, progress_callback: Callable[[int], object] | None = None
    ) -> list[Any]:
        """Take."""
        return [*things]


class Things(Blocking[AsyncThings]):
    take = blocking(AsyncThings.take)
    keep = blocking(AsyncThings.keep)
    find = blocking(AsyncThings.find)
    find_in_words = handing(AsyncThings.find, lambda found: f"{found[0]} of {found[1]}")
    list_things = shared(AsyncThings.list_things)
    take_and_tell = blocking_reporting(AsyncThings.take_and_tell)


@pytest.fixture
def things() -> Iterator[Things]:
    engine = Engine()
    yield Things(AsyncThings(engine))
    engine.close()


def ours(listing: Iterable[int], readers: set[threading.Thread]) -> Iterator[int]:
    for thing in listing:
        readers.add(threading.current_thread())
        yield thing


async def ours_awaited(listing: Listing[int]) -> AsyncIterator[int]:
    async for thing in listing:
        yield thing


def test_what_fetches_as_it_is_read_is_read_by_the_caller(things: Things) -> None:
    listing = things.aio.list_things()
    readers: set[threading.Thread] = set()
    assert things.take(listing, more=listing) == [1, 2, 3, 1, 2, 3]
    assert things.take(ours(listing, readers), more=iter([4])) == [1, 2, 3, 4]
    assert things.take_and_tell(listing) == [1, 2, 3]
    assert things.take_and_tell(ours(listing, readers), progress_callback=lambda _: None) == [1, 2, 3]
    assert readers == {threading.current_thread()}


async def test_what_fetches_as_it_is_read_is_read_by_the_caller_who_awaits(things: Things) -> None:
    aio, listing = things.aio, things.aio.list_things()
    readers: set[threading.Thread] = set()
    assert await aio.take(listing, more=listing) == [1, 2, 3, 1, 2, 3]
    assert await aio.take(ours_awaited(listing), more=ours(listing, readers)) == [1, 2, 3, 1, 2, 3]
    assert await aio.take_and_tell(ours_awaited(listing), progress_callback=lambda _: None) == [1, 2, 3]
    assert await aio.take_and_tell(listing) == [1, 2, 3]
    assert readers == {threading.current_thread()}


async def test_what_is_there_already_is_passed_on_as_it_is(things: Things) -> None:
    for value in ([1], {"a": 1}, "abc", io.BytesIO(b"a\nb"), io.StringIO("a\nb"), range(3)):
        assert things.keep(value) is value
        assert await things.aio.keep(value) is value


def test_the_faces_give_what_the_method_gives(things: Things) -> None:
    assert things.find("a", size=2) == ("a", 2)
    assert things.find_in_words("a", size=2) == "a of 2"
    assert [*things.list_things()] == [1, 2, 3]


@pytest.mark.parametrize("name", ["find", "find_in_words", "take_and_tell", "list_things"])
def test_a_face_has_the_docstring_and_the_signature_of_the_method_and_is_no_coroutine_function(name: str) -> None:
    method = getattr(AsyncThings, "find" if name == "find_in_words" else name)
    face = getattr(Things, name)
    assert (face.__name__, face.__doc__) == (method.__name__, method.__doc__)
    assert inspect.signature(face) == inspect.signature(method)
    assert not inspect.iscoroutinefunction(face)
    assert not inspect.iscoroutinefunction(inspect.unwrap(face))
