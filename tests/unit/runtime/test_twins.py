"""Arguments that fetch while they are iterated are read where the caller is."""

from __future__ import annotations

import inspect
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.reporting import block_reporting, reporting
from invokeai_py_client.runtime.twins import Blocking, on_engine, read_here


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

    @reporting
    async def take_and_tell(
        self, things: Any, *, progress_callback: Callable[[int], object] | None = None
    ) -> list[Any]:
        """Take."""
        assert progress_callback is not None
        progress_callback(len(things))
        return [*things]


@pytest.fixture
def things(engine: Engine) -> AsyncThings:
    return AsyncThings(engine)


def ours(listing: Iterable[int], readers: set[threading.Thread]) -> Iterator[int]:
    for thing in listing:
        readers.add(threading.current_thread())
        yield thing


async def ours_awaited(listing: Listing[int]) -> AsyncIterator[int]:
    async for thing in listing:
        yield thing


def test_what_fetches_as_it_is_read_is_read_by_the_caller(engine: Engine, things: AsyncThings) -> None:
    listing = things.list_things()
    readers: set[threading.Thread] = set()
    assert engine.block(things.take(read_here(listing), more=read_here(listing))) == [1, 2, 3, 1, 2, 3]
    assert engine.block(things.take(read_here(ours(listing, readers)), more=read_here(iter([4])))) == [1, 2, 3, 4]
    assert readers == {threading.current_thread()}


def test_work_that_reports_may_be_blocked_on(engine: Engine, things: AsyncThings) -> None:
    told: list[int] = []
    assert block_reporting(engine, lambda report: things.take_and_tell([1], progress_callback=report), None) == [1]
    assert block_reporting(engine, lambda report: things.take_and_tell([1], progress_callback=report), told.append) == [
        1
    ]
    assert told == [1]


async def test_what_fetches_as_it_is_read_is_read_by_the_caller_who_awaits(things: AsyncThings) -> None:
    listing = things.list_things()
    readers: set[threading.Thread] = set()
    assert await things.take(listing, more=listing) == [1, 2, 3, 1, 2, 3]
    assert await things.take(ours_awaited(listing), more=ours(listing, readers)) == [1, 2, 3, 1, 2, 3]
    assert await things.take_and_tell(ours_awaited(listing), progress_callback=lambda _: None) == [1, 2, 3]
    assert await things.take_and_tell(listing) == [1, 2, 3]
    assert readers == {threading.current_thread()}


async def test_what_is_there_already_is_passed_on_as_it_is(things: AsyncThings) -> None:
    for value in ([1], {"a": 1}, "abc", io.BytesIO(b"a\nb"), io.StringIO("a\nb"), range(3)):
        assert read_here(value) is value
        assert await things.keep(value) is value


def test_a_method_on_the_engine_keeps_its_name_docstring_and_signature() -> None:
    assert (AsyncThings.keep.__name__, AsyncThings.keep.__doc__) == ("keep", "Keep.")
    assert str(inspect.signature(AsyncThings.keep)) == "(self, thing: 'Any') -> 'Any'"


class Things(Blocking[object]):
    """A blocking class."""


class OtherThings(Blocking[object]):
    """Another."""


def test_two_blocking_objects_are_equal_if_they_are_of_one_class_and_of_the_same_awaited_object() -> None:
    one, same, other = Things((1, 2)), Things((1, 2)), Things((1, 3))
    assert one == same
    assert hash(one) == hash(same) != hash(other)
    assert one != other
    assert one != OtherThings((1, 2))
    assert one != (1, 2)
    assert OtherThings((1, 2)) != one
    assert {one, same, other} == {one, other}
