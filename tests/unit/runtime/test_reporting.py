"""Long work that reports: where the callback is called, and what ends the work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from invokeai_py_client.errors import ClientClosedError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.reporting import block_reporting, reporting
from invokeai_py_client.runtime.twins import Blocking


class AsyncWork:
    def __init__(self, engine: Engine) -> None:
        self._engine = self.engine = engine
        self.began = threading.Event()
        self.was_cancelled = threading.Event()

    @reporting
    async def count(self, to: int, *, progress_callback: Callable[[int], object] | None = None) -> int:
        """Count."""
        assert progress_callback is not None
        for number in range(to):
            progress_callback(number)
            await asyncio.sleep(0)
        return to

    @reporting
    async def hang(self, *, progress_callback: Callable[[int], object] | None = None) -> None:
        """Wait for ever."""
        assert progress_callback is not None
        progress_callback(0)
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.was_cancelled.set()

    @reporting
    async def fail(self, *, progress_callback: Callable[[int], object] | None = None) -> None:
        """Raise."""
        raise ValueError("no")


class Work(Blocking[AsyncWork]):
    def count(self, to: int, *, progress_callback: Callable[[int], object] | None = None) -> int:
        return block_reporting(
            self.aio.engine, lambda report: self.aio.count(to, progress_callback=report), progress_callback
        )

    def hang(self, *, progress_callback: Callable[[int], object] | None = None) -> None:
        return block_reporting(
            self.aio.engine, lambda report: self.aio.hang(progress_callback=report), progress_callback
        )

    def fail(self, *, progress_callback: Callable[[int], object] | None = None) -> None:
        return block_reporting(
            self.aio.engine, lambda report: self.aio.fail(progress_callback=report), progress_callback
        )


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def work(engine: Engine) -> Work:
    return Work(AsyncWork(engine))


def test_the_callback_is_called_in_the_thread_that_waits(work: Work) -> None:
    seen: list[tuple[int, threading.Thread]] = []
    assert work.count(3, progress_callback=lambda number: seen.append((number, threading.current_thread()))) == 3
    assert seen[-1][0] == 2
    assert {thread for _, thread in seen} == {threading.current_thread()}
    assert work.count(3) == 3


async def test_the_callback_is_called_on_the_loop_that_awaits(work: Work) -> None:
    seen: list[int] = []

    async def callback(number: int) -> None:
        await asyncio.sleep(0)
        assert threading.current_thread() is threading.main_thread()
        seen.append(number)

    assert await work.aio.count(3, progress_callback=callback) == 3
    assert seen[-1] == 2
    assert await work.aio.count(2) == 2


def test_a_slow_callback_sees_the_latest(work: Work) -> None:
    seen: list[int] = []
    late = threading.Event()

    def callback(number: int) -> None:
        late.wait(0.05)
        seen.append(number)

    work.count(1000, progress_callback=callback)
    assert seen[-1] == 999
    assert len(seen) < 100


def test_what_the_callback_raises_ends_the_work(work: Work) -> None:
    def callback(_: int) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError):
        work.hang(progress_callback=callback)
    assert work.aio.was_cancelled.wait(5)


async def test_cancelling_the_wait_ends_the_work(work: Work) -> None:
    task = asyncio.create_task(work.aio.hang(progress_callback=lambda _: None))
    await asyncio.to_thread(work.aio.began.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.aio.was_cancelled.is_set()


def test_closing_the_client_ends_the_work(work: Work, engine: Engine) -> None:
    def close(_: int) -> None:
        threading.Thread(target=engine.close).start()

    with pytest.raises(ClientClosedError):
        work.hang(progress_callback=close)


@pytest.mark.parametrize("callback", [None, lambda _: None])
async def test_what_the_work_raises_is_raised(work: Work, callback: Callable[[int], None] | None) -> None:
    with pytest.raises(ValueError, match="no"):
        work.fail(progress_callback=callback)
    with pytest.raises(ValueError, match="no"):
        await work.aio.fail(progress_callback=callback)


async def test_a_callback_that_cannot_be_called_is_told_before_anything_begins(work: Work) -> None:
    with pytest.raises(TypeError, match="progress_callback is a function, not int"):
        work.hang(progress_callback=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="progress_callback is a function, not str"):
        await work.aio.hang(progress_callback="print")  # type: ignore[arg-type]

    async def callback(_: int) -> None:
        raise AssertionError

    class Callback:
        async def __call__(self, _: int) -> None:
            raise AssertionError

    for awaited in (callback, Callback()):
        with pytest.raises(TypeError, match="async function"):
            work.hang(progress_callback=awaited)
    assert not work.aio.began.is_set()
    with pytest.raises(TypeError, match="async function"):
        work.hang(progress_callback=lambda number: callback(number))
    assert work.aio.was_cancelled.wait(5)


async def test_a_listing_fetches_its_parts_as_it_is_read(engine: Engine) -> None:
    asked: list[list[int]] = []

    async def keys() -> list[int]:
        return [1, 2, 3, 4, 5]

    async def fetch(some: object) -> list[str]:
        assert isinstance(some, list)
        asked.append(some)
        return [f"thing {key}" for key in some if key != 4]

    listing = Listing(engine, keys, fetch, size=2)
    things = iter(listing)
    assert (next(things), asked) == ("thing 1", [[1, 2]])
    assert [*things] == ["thing 2", "thing 3", "thing 5"]
    assert [thing async for thing in listing] == ["thing 1", "thing 2", "thing 3", "thing 5"]
