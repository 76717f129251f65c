"""Methods that can be awaited from any loop, and the base class of the blocking classes.

```
class AsyncBoards:
    def __init__(self, engine): self._engine = engine

    @on_engine
    async def list_boards(self) -> list[Board]: ...
```

`scripts/generate_blocking.py` writes `class Boards(Blocking[AsyncBoards])` for it.

An argument that may send requests while it is iterated, such as a `Listing` or a generator, is read in the caller's
thread or loop, because on the engine it would deadlock.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class HasEngine(Protocol):
    """An object whose methods can be decorated with `on_engine`."""

    _engine: Engine


S = TypeVar("S", bound=HasEngine)


def on_engine(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a coroutine method run on its object's engine, whichever loop it is awaited on."""

    coroutine: Callable[..., Coroutine[Any, Any, T]] = method

    @functools.wraps(method)
    async def awaited(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if self._engine.is_own_thread():
            work = coroutine(self, *args, **kwargs)
        else:
            read_args, read_kwargs = await read_awaited(args, kwargs)
            work = coroutine(self, *read_args, **read_kwargs)
            del read_args, read_kwargs
        # An argument may be a password, and the locals of this frame are shown in crash reports.
        del args, kwargs
        return await self._engine.call(work)

    return awaited


def read_here(value: T) -> T:
    """Return a list for an argument that may send requests while it is iterated, and any other unchanged."""
    return cast(T, [*cast(Any, value)]) if _is_read_once(value) else value


async def read_awaited(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Apply `read_here` to all arguments on the caller's loop, and read asynchronous iterables."""

    async def read(value: Any) -> Any:
        if hasattr(value, "__aiter__") and not hasattr(value, "read"):
            return [thing async for thing in value]
        return read_here(value)

    return [await read(value) for value in args], {name: await read(value) for name, value in kwargs.items()}


def _is_read_once(value: Any) -> bool:
    # An open file is an iterator of lines, too.
    return isinstance(value, Listing) or (hasattr(value, "__next__") and not hasattr(value, "read"))


@overload
def aio_of(value: Blocking[A]) -> A: ...
@overload
def aio_of(value: Blocking[A] | None) -> A | None: ...
def aio_of(value: Blocking[A] | None) -> A | None:
    """Return the awaited object of a blocking one; None for None.

    Raises:
        TypeError: the argument is not an object of this client.
    """
    if value is None:
        return None
    if not isinstance(value, Blocking):
        raise TypeError(
            f"This takes an object that another method has returned, such as a run of submit_sync() or a plan, not "
            f"{value!r}. Pass everything else by name, such as timeout=60 or poll_interval=0.5."
        )
    return value.aio


class Blocking(FixedAttributes, Generic[A]):
    """The base class of the blocking classes, with a reference to the awaited object.

    Args:
        aio: the awaited object.
    """

    def __init__(self, aio: A) -> None:
        self._aio = aio

    @property
    def aio(self) -> A:
        """The same object with awaited methods. Both forms may be used together, on any loop."""
        return self._aio

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Blocking) and self._aio == other.aio

    def __hash__(self) -> int:
        return hash(self._aio)
