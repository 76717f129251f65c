"""Long lists that are fetched in parts as they are read, for `for` and for `async for`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Generic, TypeVar

from invokeai_py_client.runtime.engine import Engine

T = TypeVar("T")
K = TypeVar("K")


def in_parts(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Iterate over slices of a sequence, each of at most `size` things."""
    return (things[start : start + size] for start in range(0, len(things), size))


class Listing(Generic[T]):
    """A list that is fetched in parts as it is read: `for` or `list()`, and `async for` from any loop.

    It fixes what is in it when its reading begins: what is added meanwhile is not seen, what is deleted meanwhile is
    left out, and nothing is seen twice. Each reading begins anew.

    Args:
        engine: where the parts are fetched.
        keys: fetches what names the things, all of it.
        fetch: fetches the things of some names, in their order; what is gone is left out.
        size: how many are fetched at once.

    Example:
        >>> for image in client.image_repo.list_images(board="tigers"):
        ...     print(image.image_name)
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
        self._keys = keys
        self._fetch: Callable[[Sequence[Any]], Coroutine[Any, Any, Sequence[T]]] = fetch
        self._size = size

    def __iter__(self) -> Iterator[T]:
        keys = self._engine.block(self._keys())
        for part in in_parts(keys, self._size):
            yield from self._engine.block(self._fetch(part))

    async def __aiter__(self) -> AsyncIterator[T]:
        keys = await self._engine.call(self._keys())
        for part in in_parts(keys, self._size):
            for thing in await self._engine.call(self._fetch(part)):
                yield thing
