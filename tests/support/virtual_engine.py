"""An engine that is the running loop itself, so that what lives on an engine can be tested in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from invokeai_py_client.runtime.engine import Engine

T = TypeVar("T")


class VirtualEngine(Engine):
    """Runs everything on the loop of the test. `close` is never needed: it has no thread."""

    def __init__(self) -> None:
        super().__init__("virtual engine")
        self.cleanups: list[Callable[[], Awaitable[None]]] = []

    @property
    def generation(self) -> int:
        return 1

    async def call(self, coro: Coroutine[Any, Any, T]) -> T:
        return await coro

    def spawn(self, coro: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(coro, name=name)

    def on_close(self, cleanup: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        self.cleanups.append(cleanup)
        return lambda: self.cleanups.remove(cleanup)
