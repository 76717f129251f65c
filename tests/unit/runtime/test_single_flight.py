"""One fetch shared by all who ask for the same thing at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from tests.support.virtual_engine import VirtualEngine
from tests.support.virtual_time import in_virtual_time

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.single_flight import SingleFlight


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.aclose()


class Source:
    """Counts its fetches; each waits until it is let go, and then returns its number or raises."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.error: Exception | None = None
        self.started = asyncio.Event()
        self.let_go = asyncio.Event()

    async def fetch(self) -> int:
        self.begun += 1
        number = self.begun
        self.started.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return number


async def on(engine: Engine, test: Callable[[SingleFlight[int], Source], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await test(SingleFlight(engine), Source())

    await engine.call(run())


async def test_all_who_ask_at_once_share_one_fetch(engine: Engine) -> None:
    async def test(flight: SingleFlight[int], source: Source) -> None:
        askers = [asyncio.create_task(flight.get(source.fetch)) for _ in range(200)]
        await source.started.wait()
        source.let_go.set()
        assert await asyncio.gather(*askers) == [1] * 200
        assert await flight.get(source.fetch) == 1
        assert source.begun == 1

    await on(engine, test)


async def test_a_result_that_is_too_old_is_fetched_again_once(engine: Engine) -> None:
    async def test(flight: SingleFlight[int], source: Source) -> None:
        source.let_go.set()
        assert await flight.get(source.fetch, max_age=0) == 1
        assert await asyncio.gather(*(flight.get(source.fetch, max_age=0) for _ in range(50))) == [2] * 50
        assert await flight.get(source.fetch, max_age=60) == 2

    await on(engine, test)


async def test_a_fetch_that_began_before_is_not_fresh_enough_for_max_age_zero(engine: Engine) -> None:
    async def test(flight: SingleFlight[int], source: Source) -> None:
        early = asyncio.create_task(flight.get(source.fetch, max_age=0))
        await source.started.wait()
        late = [asyncio.create_task(flight.get(source.fetch, max_age=0)) for _ in range(10)]
        await asyncio.sleep(0)
        source.let_go.set()
        assert await early == 1
        assert await asyncio.gather(*late) == [2] * 10

    await on(engine, test)


async def test_cancelling_the_first_caller_cancels_no_other(engine: Engine) -> None:
    async def test(flight: SingleFlight[int], source: Source) -> None:
        first, second = (asyncio.create_task(flight.get(source.fetch)) for _ in range(2))
        await source.started.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        source.let_go.set()
        assert await second == 1
        assert (source.begun, source.cancelled) == (1, 0)

    await on(engine, test)


async def test_a_fetch_that_nobody_waits_for_any_more_is_cancelled(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(flight: SingleFlight[int], source: Source) -> None:
        askers = [asyncio.create_task(flight.get(source.fetch)) for _ in range(2)]
        await source.started.wait()
        for asker in askers:
            asker.cancel()
        await asyncio.wait(askers)
        assert source.cancelled == 1
        source.let_go.set()
        assert await flight.get(source.fetch) == 2

    await on(engine, test)
    assert caplog.messages == [], "asyncio reports no error that nobody has seen"


async def test_a_failure_reaches_all_who_waited_and_is_not_kept(engine: Engine) -> None:
    async def test(flight: SingleFlight[int], source: Source) -> None:
        source.error = InvokeAIError("no")
        askers = [asyncio.create_task(flight.get(source.fetch)) for _ in range(20)]
        await source.started.wait()
        source.let_go.set()
        failures = await asyncio.gather(*askers, return_exceptions=True)
        assert [type(failure) for failure in failures] == [InvokeAIError] * 20
        assert len({id(failure) for failure in failures}) == 20, "each has a traceback of its own"
        assert source.begun == 1
        source.error = None
        assert await flight.get(source.fetch) == 2

    await on(engine, test)


async def test_what_is_forgotten_is_fetched_again_even_during_a_fetch(engine: Engine) -> None:
    async def test(flight: SingleFlight[int], source: Source) -> None:
        before = asyncio.create_task(flight.get(source.fetch))
        await source.started.wait()
        flight.forget()
        after = asyncio.create_task(flight.get(source.fetch))
        await asyncio.sleep(0)
        source.let_go.set()
        assert (await before, await after) == (1, 2)
        assert await flight.get(source.fetch) == 2

    await on(engine, test)


async def test_it_is_idle_unless_a_fetch_is_running(engine: Engine) -> None:
    async def test(flight: SingleFlight[int], source: Source) -> None:
        assert flight.is_idle is True
        asking = asyncio.create_task(flight.get(source.fetch))
        await source.started.wait()
        assert flight.is_idle is False
        asking.cancel()
        await asyncio.wait([asking])
        assert flight.is_idle is True
        source.let_go.set()
        await flight.get(source.fetch)
        assert flight.is_idle is True

    await on(engine, test)


@in_virtual_time
async def test_a_fetch_that_begins_at_the_moment_of_the_call_is_fresh() -> None:
    flight: SingleFlight[int] = SingleFlight(VirtualEngine())
    numbers = iter(range(2))

    async def fetch() -> int:
        return next(numbers)

    assert await flight.get(fetch, max_age=0) == 0
    assert await flight.get(fetch, max_age=0) == 0, "no time has passed"
    await asyncio.sleep(1)
    assert await flight.get(fetch, max_age=1) == 0
    await asyncio.sleep(1)
    assert await flight.get(fetch, max_age=1) == 1


async def test_a_caller_that_comes_while_a_fetch_is_being_cancelled_has_one_of_its_own(engine: Engine) -> None:
    async def run() -> None:
        flight: SingleFlight[int] = SingleFlight(engine)
        begun, cleaning, cleaned = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def slow() -> int:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cleaning.set()
                await cleaned.wait()
            return 1

        async def quick() -> int:
            return 2

        first = asyncio.create_task(flight.get(slow))
        await begun.wait()
        first.cancel()
        await cleaning.wait()
        second = asyncio.create_task(flight.get(quick))
        await asyncio.sleep(0)
        assert not first.done(), "it waits for the clean-up"
        cleaned.set()
        assert await second == 2
        assert (await asyncio.wait([first]))[0].pop().cancelled()

    await engine.call(run())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_a_forked_child_fetches_for_itself(engine: Engine) -> None:
    flight: SingleFlight[int] = SingleFlight(engine)
    source = Source()
    asking = asyncio.ensure_future(engine.call(flight.get(source.fetch)))
    await engine.call(source.started.wait())
    child = os.fork()
    if child == 0:
        code = 1
        try:

            async def fetch() -> int:
                return 7

            code = 0 if engine.block(flight.get(fetch)) == 7 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0  # noqa: ASYNC222

    async def let_go() -> None:
        source.let_go.set()

    await engine.call(let_go())
    assert await asking == 1
