"""Long work that reports: where the callback is called, and what ends the work."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from invokeai_py_client.errors import ClientClosedError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.reporting import (
    block_reporting,
    checked_callback,
    plain_callback,
    reporting,
)
from invokeai_py_client.runtime.twins import Blocking


class AsyncWork:
    def __init__(self, engine: Engine) -> None:
        self._engine = self.engine = engine
        self.began = threading.Event()
        self.was_cancelled = threading.Event()
        self.has_counted = threading.Event()

    @reporting
    async def count(self, to: int, *, progress_callback: Callable[[int], object] | None = None) -> int:
        """Count."""
        assert progress_callback is not None
        for number in range(to):
            progress_callback(number)
            await asyncio.sleep(0)
        self.has_counted.set()
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
def work(engine: Engine) -> Work:
    return Work(AsyncWork(engine))


async def hang(work: Work, callback: Callable[[int], object] | None, *, awaited: bool) -> None:
    if awaited:
        await work.aio.hang(progress_callback=callback)
    else:
        work.hang(progress_callback=callback)


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


@pytest.mark.parametrize("awaited", [False, True])
async def test_a_slow_callback_sees_the_latest(work: Work, awaited: bool) -> None:
    seen: list[int] = []

    def callback(number: int) -> None:
        if not seen:
            assert work.aio.has_counted.wait(10)
        seen.append(number)

    if awaited:
        assert await work.aio.count(1000, progress_callback=callback) == 1000
    else:
        assert work.count(1000, progress_callback=callback) == 1000
    assert seen[-1] == 999
    # What it was called with, and the last of what came meanwhile; only the last if all had come before the first call.
    assert len(seen) <= 2


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("closes", [False, True])
async def test_what_the_callback_raises_ends_the_work_and_is_raised(
    work: Work, engine: Engine, awaited: bool, closes: bool
) -> None:
    async def close_and_raise(_: int) -> None:
        if closes:
            await engine.aclose()
        raise KeyError("enough")

    def raise_here(_: int) -> None:
        if closes:
            engine.close()
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        await hang(work, close_and_raise if awaited else raise_here, awaited=awaited)
    assert work.aio.was_cancelled.is_set(), "its clean-up was waited for"


async def test_cancelling_the_wait_ends_the_work(work: Work) -> None:
    task = asyncio.create_task(work.aio.hang(progress_callback=lambda _: None))
    await asyncio.to_thread(work.aio.began.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.aio.was_cancelled.is_set()


@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize("awaited", [False, True])
async def test_closing_the_client_ends_the_work(work: Work, engine: Engine, awaited: bool, reports: bool) -> None:
    def close() -> None:
        assert work.aio.began.wait(10)
        engine.close()

    closing = threading.Thread(target=close)
    closing.start()
    callback = (lambda _: None) if reports else None
    with pytest.raises(ClientClosedError) as caught:
        await hang(work, callback, awaited=awaited)
    closing.join(10)
    assert caught.value.may_have_been_applied, "it had begun"


@pytest.mark.parametrize("callback", [None, lambda _: None])
async def test_a_closed_client_begins_no_work(
    work: Work, engine: Engine, callback: Callable[[int], None] | None
) -> None:
    engine.close()
    with pytest.raises(ClientClosedError) as blocking:
        work.hang(progress_callback=callback)
    with pytest.raises(ClientClosedError) as awaiting:
        await work.aio.hang(progress_callback=callback)
    assert not work.aio.began.is_set()
    assert not blocking.value.may_have_been_applied
    assert not awaiting.value.may_have_been_applied


async def test_on_the_engine_the_work_is_awaited_in_place(work: Work, engine: Engine) -> None:
    seen: list[tuple[int, bool]] = []

    async def both() -> list[int]:
        noted = work.aio.count(2, progress_callback=lambda number: seen.append((number, engine.is_own_thread())))
        return [await noted, await work.aio.count(2)]

    assert await engine.call(both()) == [2, 2]
    assert seen == [(0, True), (1, True)], "each report, at once"


async def test_an_argument_that_is_read_once_is_read_where_the_caller_is(engine: Engine) -> None:
    class Adder:
        def __init__(self, engine: Engine) -> None:
            self._engine = engine

        @reporting
        async def add(
            self, first: object, *, second: object, progress_callback: Callable[[int], object] | None = None
        ) -> int:
            """Add."""
            assert isinstance(first, list)
            assert isinstance(second, list)
            assert self._engine.is_own_thread()
            return sum([*first, *second])

    threads: set[threading.Thread] = set()

    async def numbers() -> AsyncIterator[int]:
        for number in (1, 2):
            threads.add(threading.current_thread())
            yield number

    for callback in (None, lambda _: None):
        assert await Adder(engine).add(numbers(), second=iter([3]), progress_callback=callback) == 6
    assert threads == {threading.current_thread()}


def test_a_reporting_method_keeps_its_name_and_docstring() -> None:
    assert (AsyncWork.count.__name__, AsyncWork.count.__doc__) == ("count", "Count.")


@pytest.mark.parametrize("callback", [3, "print", [print]])
def test_what_cannot_be_called_is_no_callback(callback: object) -> None:
    for check in (checked_callback, plain_callback):
        with pytest.raises(TypeError, match=type(callback).__name__):
            check(callback)


async def nothing(_: int) -> None:
    """Take a report."""


def test_a_callback_is_checked_and_passed_on() -> None:
    assert checked_callback(None) is None
    assert plain_callback(None) is None
    assert checked_callback(print) is print
    assert checked_callback(nothing) is nothing
    seen: list[object] = []
    plain = plain_callback(seen.append)
    assert plain is not None
    plain(1)
    assert seen == [1]


def test_a_plain_callback_that_returns_a_coroutine_is_told_and_the_coroutine_closed() -> None:
    made = []

    def sneaky(number: int) -> object:
        made.append(nothing(number))
        return made[-1]

    plain = plain_callback(sneaky)
    assert plain is not None
    with pytest.raises(TypeError, match="async function"):
        plain(1)
    assert inspect.getcoroutinestate(made[0]) == inspect.CORO_CLOSED


@pytest.mark.parametrize("callback", [None, lambda _: None])
async def test_what_the_work_raises_is_raised(work: Work, callback: Callable[[int], None] | None) -> None:
    with pytest.raises(ValueError, match="no"):
        work.fail(progress_callback=callback)
    with pytest.raises(ValueError, match="no"):
        await work.aio.fail(progress_callback=callback)


async def test_a_callback_that_cannot_be_called_is_told_before_anything_begins(work: Work) -> None:
    with pytest.raises(TypeError, match="progress_callback must be a function, not int"):
        work.hang(progress_callback=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="progress_callback must be a function, not str"):
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
    assert work.aio.was_cancelled.is_set()
