"""The part of the engine that code on it uses, on the running loop: for tests in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any


class LoopEngine:
    """Runs background work on the running loop, and ends it as the engine does."""

    generation = 1

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._cleanups: dict[object, Callable[[], Awaitable[None]]] = {}

    def spawn(self, coro: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def cleanups(self) -> int:
        """How many clean-ups are registered."""
        return len(self._cleanups)

    def on_close(self, cleanup: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        key = object()
        self._cleanups[key] = cleanup
        return lambda: self._cleanups.pop(key, None) and None

    async def aclose(self) -> None:
        """Cancel what was spawned, clean up, and cancel whatever else runs, in the engine's order."""
        await self._cancel(self._tasks)
        while self._cleanups:
            await self._cleanups.popitem()[1]()
        await self._cancel(asyncio.all_tasks() - {asyncio.current_task()})

    async def _cancel(self, tasks: Any) -> None:
        tasks = list(tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.5)
