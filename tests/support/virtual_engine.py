"""An engine that is the running loop itself, so that what lives on an engine can be tested in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from invokeai_py_client.runtime.engine import Engine

T = TypeVar("T")


class VirtualEngine(Engine):
    """Runs everything on the loop of the test.

    It has no thread, so it need not be closed: `aclose` is for tests of what happens then.
    """

    def __init__(self) -> None:
        super().__init__("virtual engine")
        self.forks = 0
        """How often the process was forked. Raise it to have the engine's users find a new loop."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: list[Callable[[], None]] = []
        self._cleanups: dict[object, Callable[[], Awaitable[None]]] = {}

    @property
    def generation(self) -> int:
        return 1 + self.forks

    @property
    def cleanups(self) -> int:
        """How many clean-ups are registered."""
        return len(self._cleanups)

    def block(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that does not wait for anything."""
        try:
            coro.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
        coro.close()
        raise AssertionError("on the loop of the test nothing can be waited for in a blocking way")

    async def call(self, coro: Coroutine[Any, Any, T]) -> T:
        return await coro

    def spawn(self, coro: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def when_closing(self, function: Callable[[], None]) -> None:
        self._closing.append(function)

    def on_close(self, cleanup: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        key = object()
        self._cleanups[key] = cleanup

        def forget() -> None:
            self._cleanups.pop(key, None)

        return forget

    async def aclose(self) -> None:
        """Tell of it, cancel what was spawned, clean up, and cancel whatever else runs, in the engine's order."""
        for function in self._closing:
            function()
        await _cancel(self._tasks)
        while self._cleanups:
            await self._cleanups.popitem()[1]()
        await _cancel(asyncio.all_tasks() - {asyncio.current_task()})


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    ending = [*tasks]
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending, timeout=1.5)
