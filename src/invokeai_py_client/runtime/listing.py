"""Long lists that are fetched in parts while they are iterated, with `for` or `async for`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.runtime.engine import Engine

T = TypeVar("T")
K = TypeVar("K")
M = TypeVar("M")


def in_parts(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Iterate over slices of a sequence, each of at most `size` elements."""
    return (things[start : start + size] for start in range(0, len(things), size))


class Listing(FixedAttributes, Generic[T]):
    """A list that is fetched in parts while it is iterated: with `for` or `list()`, and with `async for` on any loop.

    Its elements are those that exist when an iteration begins. Elements that are added later are not included, and
    those that are deleted before they are reached are left out; none appears twice. Each iteration fetches anew.

    `len()` costs one request, and counts elements that are deleted later. An index or a slice costs one more request
    for its part. `afirst` and `acount` are the awaited forms of `first` and `len()`.

    Args:
        engine: the engine on which the parts are fetched.
        keys: fetches the names of all elements.
        fetch: fetches the elements with some names, in their order, without those that no longer exist.
        size: the number of elements that are fetched at once.

    Example:
        >>> for image in client.image_repo.list_images(board="tigers"):
        ...     print(image.image_name)
        >>> client.image_repo.list_images().first(3)
    """

    def __init__(
        self,
        engine: Engine,
        keys: Callable[[], Coroutine[Any, Any, Sequence[K]]],
        fetch: Callable[[Sequence[K]], Coroutine[Any, Any, Sequence[T]]],
        *,
        size: int,
    ) -> None:
        self._engine = engine
        self._keys: Callable[[], Coroutine[Any, Any, Sequence[Any]]] = keys
        self._fetch: Callable[[Sequence[Any]], Coroutine[Any, Any, Sequence[T]]] = fetch
        self._size = size
        self._counted: Sequence[Any] | None = None
        """The names that `len` has fetched after an iteration was created: `list()` calls both, in this order."""

    def _mapped(self, made_of: Callable[[T], M]) -> Listing[M]:
        """Return a listing with a function applied to each element."""

        async def fetch(keys: Sequence[Any]) -> Sequence[M]:
            return [made_of(thing) for thing in await self._fetch(keys)]

        return Listing(self._engine, self._keys, fetch, size=self._size)

    def __iter__(self) -> Iterator[T]:
        self._counted = None
        return self._elements()

    def _elements(self) -> Iterator[T]:
        counted, self._counted = self._counted, None
        keys = self._engine.block(self._keys()) if counted is None else counted
        for start in range(0, len(keys), self._size):
            yield from self._engine.block(self._fetch(keys[start : start + self._size]))

    async def __aiter__(self) -> AsyncIterator[T]:
        keys = await self._engine.call(self._keys())
        for start in range(0, len(keys), self._size):
            for thing in await self._engine.call(self._fetch(keys[start : start + self._size])):
                yield thing

    def __len__(self) -> int:
        self._counted = self._engine.block(self._keys())
        return len(self._counted)

    def __bool__(self) -> bool:
        # Checking whether the list is empty would cost a request.
        return True

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """Return one element of the list, or those of a slice.

        Raises:
            IndexError: the list is shorter, or the element was deleted meanwhile.
        """
        found = self._engine.block(self._part(index if isinstance(index, slice) else slice(index, index + 1 or None)))
        if isinstance(index, slice):
            return found
        if not found:
            raise IndexError(f"the list has nothing at {index}")
        return found[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: iterate it, or call first(10)>"

    def first(self, n: int) -> list[T]:
        """Return the first `n` elements, or fewer if the list is shorter."""
        return self._engine.block(self._first(n))

    async def afirst(self, n: int) -> list[T]:
        """Do the same as `first`, awaited from any loop."""
        return await self._engine.call(self._first(n))

    async def acount(self) -> int:
        """Return what `len()` does, awaited from any loop."""
        return len(await self._engine.call(self._keys()))

    async def _first(self, n: int) -> list[T]:
        keys = await self._keys()
        found: list[T] = []
        start = 0
        while len(found) < n and start < len(keys):
            size = min(n - len(found), self._size)
            found += await self._fetch(keys[start : start + size])
            start += size
        return found

    async def _part(self, index: slice) -> list[T]:
        keys = (await self._keys())[index]
        return [
            thing
            for start in range(0, len(keys), self._size)
            for thing in await self._fetch(keys[start : start + self._size])
        ]
