from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import contextlib
import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from invokeai_py_client.errors import ClientClosedError, EngineThreadError
from invokeai_py_client.runtime.engine import NOTICES_CTRL_C, Engine, LoopWatch


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine("test engine")
    yield engine
    engine.close()


async def thread_name() -> str:
    return threading.current_thread().name


async def fail() -> None:
    raise LookupError("told to")


def test_it_starts_with_its_first_use_on_a_daemon_thread_of_its_name(engine: Engine) -> None:
    assert engine.generation == 0
    assert engine.closed is False
    assert engine.block(thread_name()) == "test engine"
    assert engine.generation == 1
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "test engine")


def test_its_thread_can_be_told_from_others() -> None:
    engine = Engine()
    assert engine.block(thread_name()) == "invokeai-client"
    engine.close()


def test_errors_come_back_to_the_caller(engine: Engine) -> None:
    with pytest.raises(LookupError, match="told to"):
        engine.block(fail())


def test_blocking_on_its_own_thread_is_refused(engine: Engine) -> None:
    async def block_inside() -> None:
        engine.block(thread_name())

    with pytest.raises(EngineThreadError):
        engine.block(block_inside())

    async def close_inside() -> None:
        engine.close()

    with pytest.raises(EngineThreadError):
        engine.block(close_inside())


async def test_a_call_runs_on_the_engine_and_within_it_runs_in_place(engine: Engine) -> None:
    async def twice() -> str:
        return await engine.call(thread_name())

    assert await engine.call(twice()) == "test engine"
    with pytest.raises(LookupError):
        await engine.call(fail())


async def test_a_time_out_around_a_call_cancels_its_work(engine: Engine) -> None:
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await engine.call(work())
    assert ended.is_set(), "its clean-up was waited for"


async def test_a_call_that_is_cancelled_before_it_begins_never_runs(engine: Engine) -> None:
    is_busy, go_on = threading.Event(), threading.Event()
    begun: list[str] = []

    async def occupy() -> None:
        is_busy.set()
        go_on.wait(10)

    async def work() -> None:
        begun.append("work")

    occupying = asyncio.create_task(engine.call(occupy()))
    await asyncio.to_thread(is_busy.wait, 10)
    calling = asyncio.create_task(engine.call(work()))
    await asyncio.sleep(0)
    calling.cancel()
    await asyncio.sleep(0)
    go_on.set()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert time.monotonic() - began < 5, "it is told at once that its work ends"
    await occupying
    assert await engine.call(thread_name()) == "test engine"
    assert begun == []


async def test_a_cancelled_call_raises_cancelled_error(engine: Engine) -> None:
    started = threading.Event()

    async def work() -> None:
        started.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(engine.call(work()))
    await asyncio.to_thread(started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_work_that_is_cancelled_from_within_is_not_taken_for_a_close(engine: Engine) -> None:
    async def cancel_oneself() -> None:
        raise asyncio.CancelledError

    with pytest.raises(concurrent.futures.CancelledError):
        engine.block(cancel_oneself())


def test_a_closed_engine_refuses_and_closing_again_is_harmless(engine: Engine) -> None:
    engine.block(thread_name())
    engine.close()
    engine.close()
    assert engine.closed
    with pytest.raises(ClientClosedError) as caught:
        engine.block(thread_name())
    assert not caught.value.may_have_been_applied


async def test_it_can_be_closed_from_a_loop() -> None:
    engine = Engine()
    await engine.call(thread_name())
    await engine.aclose()
    with pytest.raises(ClientClosedError):
        await engine.call(thread_name())


def test_closing_tells_those_who_wait_and_cleans_up_last_in_first_out(engine: Engine) -> None:
    done: list[str] = []
    ready = threading.Event()

    async def clean(name: str) -> None:
        done.append(name)

    async def background() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            done.append("background")

    async def work() -> None:
        engine.on_close(lambda: clean("first"))
        forget = engine.on_close(lambda: clean("forgotten"))
        engine.on_close(lambda: clean("second"))
        forget()
        engine.spawn(background(), name="background")
        await asyncio.sleep(0)
        ready.set()
        await asyncio.sleep(60)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(engine.block, work())
        ready.wait()
        engine.close()
        error = waiting.exception(5)
    assert isinstance(error, ClientClosedError)
    assert error.may_have_been_applied
    assert done == ["background", "second", "first"]


def test_a_background_task_that_fails_is_logged(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    async def start() -> None:
        task = engine.spawn(fail(), name="bad one")
        await asyncio.wait([task])
        await asyncio.sleep(0)

    engine.block(start())
    assert "background task 'bad one' ended by an error" in caplog.text


def test_ctrl_c_is_noticed_although_it_does_not_wake_the_waiting_thread(engine: Engine) -> None:
    ended: list[str] = []

    async def interrupted() -> None:
        # As on Windows, or in the instant before the wait: the main thread only finds out when it looks.
        _thread.interrupt_main()
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            ended.append("canceled")
            raise

    with pytest.raises(KeyboardInterrupt):
        engine.block(interrupted())
    assert ended == ["canceled"]


def test_a_timeout_error_of_the_coroutine_is_raised_however_long_it_took(engine: Engine) -> None:
    async def late() -> None:
        await asyncio.sleep(2 * NOTICES_CTRL_C)
        raise TimeoutError("the coroutine's own")

    with pytest.raises(TimeoutError, match="the coroutine's own"):
        engine.block(late())


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_inside_a_coroutine_is_its_callers_affair_alone(engine: Engine, error: type[BaseException]) -> None:
    async def leave() -> None:
        raise error

    with pytest.raises(error):
        engine.block(leave())
    assert engine.block(thread_name()) == "test engine"


def test_work_that_will_not_be_cancelled_holds_up_neither_close_nor_its_caller(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_py_client.runtime.engine.PATIENCE", patience := 0.2)
    started = threading.Event()
    release = threading.Event()

    async def stubborn() -> None:
        started.set()
        while not release.is_set():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(engine.block, stubborn())
        started.wait()
        (own,) = (one for one in threading.enumerate() if one.name == "test engine")
        began = time.monotonic()
        engine.close()
        closed_after = time.monotonic() - began
        assert isinstance(waiting.exception(5), ClientClosedError)
        own.join(5)
        assert not own.is_alive(), "the engine's thread ends all the same"
        release.set()
    assert closed_after < 2 * patience + 0.5


def test_a_task_that_ends_slowly_has_ended_before_connections_are_closed(engine: Engine) -> None:
    done: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)
            done.append("task")

    async def close_connection() -> None:
        done.append("connection")

    async def start() -> None:
        engine.on_close(close_connection)
        engine.spawn(slow(), name="slow")
        await asyncio.sleep(0)

    engine.block(start())
    engine.close()
    assert done == ["task", "connection"]


def test_connections_are_closed_although_a_task_will_not_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_py_client.runtime.engine.PATIENCE", 0.2)
    done: list[str] = []
    release = threading.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    async def close_connection() -> None:
        await asyncio.sleep(0)
        done.append("connection")

    async def start() -> None:
        engine.on_close(close_connection)
        engine.spawn(stubborn(), name="stubborn")
        await asyncio.sleep(0)

    engine.block(start())
    engine.close()
    release.set()
    assert done == ["connection"]


def test_a_connection_that_cannot_be_closed_keeps_neither_the_thread_nor_the_caller(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_py_client.runtime.engine.PATIENCE", 0.2)
    release = threading.Event()

    async def never() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    async def start() -> threading.Thread:
        engine.on_close(never)
        return threading.current_thread()

    own = engine.block(start())
    engine.close()
    own.join(5)
    assert not own.is_alive()
    release.set()


def test_a_close_is_announced_although_a_task_will_not_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("invokeai_py_client.runtime.engine.PATIENCE", 0.2)
    done: list[str] = []
    release = threading.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                done.append("cancelled")

    def broken() -> None:
        raise LookupError("told to")

    async def start() -> None:
        engine.spawn(stubborn(), name="stubborn")
        engine.when_closing(broken)
        engine.when_closing(lambda: done.append("announced"))
        await asyncio.sleep(0)

    engine.block(start())
    engine.close()
    release.set()
    assert done[:2] == ["announced", "cancelled"]
    assert "told to" in caplog.text


def test_a_clean_up_that_fails_is_logged_and_holds_up_no_other(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    async def close_connection() -> None:
        done.append("connection")

    async def start() -> None:
        engine.on_close(close_connection)
        engine.on_close(fail)

    engine.block(start())
    engine.close()
    assert done == ["connection"]
    assert "told to" in caplog.text


def test_tasks_that_a_library_left_behind_are_ended_in_order(engine: Engine) -> None:
    done: list[str] = []
    left: list[asyncio.Task[None]] = []

    async def library() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    async def start() -> None:
        left.append(asyncio.create_task(library()))
        await asyncio.sleep(0)

    engine.block(start())
    engine.close()
    assert done == ["cleaned up"]
    assert left[0].cancelled()


async def test_only_the_engine_s_thread_spawns_and_registers(engine: Engine) -> None:
    async def clean() -> None:
        raise AssertionError("it was not registered")

    await engine.call(thread_name())
    with pytest.raises(EngineThreadError):
        engine.spawn(fail(), name="never")
    with pytest.raises(EngineThreadError):
        engine.on_close(clean)
    with pytest.raises(EngineThreadError):
        engine.when_closing(engine.close)


def test_calls_that_meet_a_close_end_one_way_or_the_other() -> None:
    ended: list[str] = []
    for _ in range(20):
        engine = Engine()
        gate = threading.Barrier(5)

        def call(engine: Engine = engine, gate: threading.Barrier = gate) -> None:
            gate.wait()
            try:
                ended.append(engine.block(thread_name()))
            except ClientClosedError:
                ended.append("refused")

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        gate.wait()
        engine.close()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
    assert len(ended) == 80


def test_nothing_is_kept_of_work_that_is_done(engine: Engine) -> None:
    class Result:
        pass

    async def make() -> Result:
        return Result()

    tasks: list[weakref.ref[asyncio.Task[None]]] = []

    async def spawn() -> None:
        task = engine.spawn(asyncio.sleep(0), name="short")
        tasks.append(weakref.ref(task))
        await task

    result = weakref.ref(engine.block(make()))
    engine.block(spawn())
    engine.block(asyncio.sleep(0))
    gc.collect()
    assert result() is None
    assert tasks[0]() is None


def test_a_clean_up_may_be_taken_back_at_any_time(engine: Engine) -> None:
    ran: list[str] = []

    async def clean_up() -> None:
        ran.append("cleaned up")

    async def register() -> Callable[[], None]:
        engine.on_close(clean_up)
        return engine.on_close(clean_up)

    forget = engine.block(register())
    forget()
    forget()
    engine.close()
    assert ran == ["cleaned up"]
    forget()


async def test_a_loop_that_is_blocked_holds_up_no_close(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_py_client.runtime.engine.PATIENCE", 0.1)
    started, release = threading.Event(), threading.Event()

    async def block_the_loop() -> None:
        started.set()
        release.wait(10)

    blocked = asyncio.ensure_future(engine.call(block_the_loop()))
    await asyncio.to_thread(started.wait)
    began = time.monotonic()
    await engine.aclose()
    await asyncio.to_thread(engine.close)
    assert time.monotonic() - began < 6
    release.set()
    with contextlib.suppress(ClientClosedError):
        await blocked


def test_a_new_loop_is_noticed_once(engine: Engine) -> None:
    before = LoopWatch(engine)
    assert (before.is_stale, before.has_changed(), before.has_changed()) == (True, True, False)
    engine.block(asyncio.sleep(0))
    for watch in (before, LoopWatch(engine)):
        assert (watch.is_stale, watch.has_changed(), watch.is_stale, watch.has_changed()) == (True, True, False, False)


PROGRAM = """
import asyncio, os
from invokeai_py_client.runtime.engine import Engine

engine = Engine()
print(engine.block(asyncio.sleep(0, "begun")), flush=True)
if (child := os.fork()) == 0:
    print(engine.block(asyncio.sleep(0, "in the child")), flush=True)
    engine.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(engine.block(asyncio.sleep(0, "in the parent")), flush=True)

async def clean_up():
    print("cleaned up", flush=True)

async def register():
    engine.on_close(clean_up)

engine.block(register())
# It is not closed: the end of the program does that.
"""


@pytest.mark.skipif(os.name != "posix", reason="fork as POSIX has it")
def test_it_outlives_a_fork_and_ends_with_its_program() -> None:
    # From 3.12 on, Python warns of each fork of a program with threads.
    quiet = ("-W", "ignore:This process:DeprecationWarning")
    done = subprocess.run(
        [sys.executable, *quiet, "-c", PROGRAM], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.stdout.splitlines(), done.stderr) == (["begun", "in the child", "in the parent", "cleaned up"], "")
    assert done.returncode == 0


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_cannot_be_copied(copied: Callable[[Engine], object], engine: Engine) -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled: create one in each process"):
        copied(engine)
