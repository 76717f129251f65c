"""One coroutine, two faces: methods that are awaited from any loop, and the same methods blocking.

```
class AsyncBoards:
    def __init__(self, engine): self._engine = engine

    @on_engine
    async def list_boards(self) -> list[Board]: ...

class Boards(Blocking[AsyncBoards]):
    list_boards = blocking(AsyncBoards.list_boards)
```

Both faces keep the name, the docstring, the parameters and the exact types of the one method. An argument that may
fetch as it is read, a `Listing` or a generator, is read where the caller is: on the engine it would wait for itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
F = TypeVar("F")


class HasEngine(Protocol):
    """What `on_engine` needs of a class."""

    _engine: Engine


S = TypeVar("S", bound=HasEngine)


def on_engine(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a coroutine method run on its object's engine, from whatever loop it is awaited."""

    coroutine: Callable[..., Coroutine[Any, Any, T]] = method

    @functools.wraps(method)
    async def awaited(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        read_args, read_kwargs = await read_awaited(args, kwargs)
        work = coroutine(self, *read_args, **read_kwargs)
        # One of them may be a password: this frame will be in the traceback of an error, and its locals in reports.
        del args, kwargs, read_args, read_kwargs
        return await self._engine.call(work)

    return awaited


def read_blocking(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """In the caller's thread: arguments with a list in place of each that may fetch as it is read."""

    def read(value: Any) -> Any:
        return [*value] if _is_read_once(value) else value

    return [read(value) for value in args], {name: read(value) for name, value in kwargs.items()}


async def read_awaited(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """On the caller's loop: `read_blocking`, also for what is read with `async for`."""

    async def read(value: Any) -> Any:
        if hasattr(value, "__aiter__") and not hasattr(value, "read"):
            return [thing async for thing in value]
        return [*value] if _is_read_once(value) else value

    return [await read(value) for value in args], {name: await read(value) for name, value in kwargs.items()}


def _is_read_once(value: Any) -> bool:
    # An open file is an iterator as well, of lines.
    return isinstance(value, Listing) or (hasattr(value, "__next__") and not hasattr(value, "read"))


class Blocking(Generic[A]):
    """The base of blocking faces: it holds the awaited one.

    Args:
        aio: the awaited twin.
    """

    def __init__(self, aio: A) -> None:
        self._aio = aio

    @property
    def aio(self) -> A:
        """The same methods, awaited; they may be used from any loop, beside the blocking ones."""
        return self._aio


def blocking(method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Any, P], T]:
    """The blocking face of a method made by `on_engine`, for a class derived from `Blocking`."""
    coroutine: Callable[..., Coroutine[Any, Any, T]] = inspect.unwrap(method)

    @functools.wraps(method)
    def face(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # The plain coroutine, not its awaited face: one hand-over to the engine is enough.
        aio = self.aio
        work = _work(aio, coroutine, args, kwargs)
        # As in `on_engine`.
        del args, kwargs
        result: T = aio._engine.block(work)
        return result

    # `wraps` marks it as a wrapper of a coroutine function, which it is not.
    del face.__dict__["__wrapped__"]
    face.__dict__["__signature__"] = inspect.signature(coroutine)
    return face


def _work(
    aio: Any, coroutine: Callable[..., Coroutine[Any, Any, T]], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Coroutine[Any, Any, T]:
    read_args, read_kwargs = read_blocking(args, kwargs)
    return coroutine(aio, *read_args, **read_kwargs)


def handing(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, A]], face: Callable[[A], F]
) -> Callable[Concatenate[Any, P], F]:
    """The blocking face of a method that gives a handle, or several: it gives `face` of what the method gives."""
    hand = blocking(method)
    coroutine: Callable[..., Coroutine[Any, Any, A]] = inspect.unwrap(method)

    @functools.wraps(hand)
    def blocked(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> F:
        aio = self.aio
        work = _work(aio, coroutine, args, kwargs)
        del args, kwargs
        return face(aio._engine.block(work))

    del blocked.__dict__["__wrapped__"]
    return blocked


def shared(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """The blocking face of a method that needs no awaiting: it gives something that has both faces itself."""

    @functools.wraps(method)
    def face(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self.aio, *args, **kwargs)

    return face
