"""The engine's contract, rule by rule, where it takes a process to see it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

posix_only = pytest.mark.skipif(os.name != "posix", reason="fork and signals as POSIX has them")


@posix_only
def test_ctrl_c_during_a_blocking_wait_returns_at_once_and_cancels_the_work(start_program: Start) -> None:
    code = """
        import asyncio, time
        from invokeai_py_client.runtime import engine
        from invokeai_py_client.runtime.engine import Engine

        engine.PATIENCE = 60.0
        engine = Engine()
        async def work():
            print("working", flush=True)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                print("cleaned up", flush=True)
                raise
        try:
            engine.block(work())
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    program = start_program(code)
    assert program.stdout is not None
    assert program.stdout.readline() == "working\n"
    began = time.monotonic()
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    # A minute is the most that the clean-up may take; this one takes no time.
    assert time.monotonic() - began < 20
    assert out.splitlines() == ["cleaned up", "interrupted"]
    assert (program.returncode, err) == (0, "")


@posix_only
def test_a_forked_child_gets_a_loop_of_its_own_and_the_parent_keeps_its(run_program: Program) -> None:
    done = run_program("""
        import asyncio, os
        from invokeai_py_client.runtime.engine import Engine

        engine = Engine()
        assert engine.block(asyncio.sleep(0, "before")) == "before"
        first = engine.generation
        child = os.fork()
        if child == 0:
            assert engine.block(asyncio.sleep(0, "child")) == "child"
            assert engine.generation == first + 1
            engine.close()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert engine.block(asyncio.sleep(0, "after")) == "after"
        assert engine.generation == first
        engine.close()
        print("ok")
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("ok\n", "", 0)


@posix_only
def test_a_fork_while_another_thread_waits_leaves_both_processes_working(run_program: Program) -> None:
    done = run_program("""
        import asyncio, os, threading
        from invokeai_py_client.runtime.engine import Engine

        engine = Engine()
        started = threading.Event()
        async def work():
            started.set()
            await asyncio.sleep(0.5)
            return "waited"
        results = []
        waiter = threading.Thread(target=lambda: results.append(engine.block(work())))
        waiter.start()
        started.wait()
        child = os.fork()
        if child == 0:
            os._exit(0 if engine.block(asyncio.sleep(0, 3)) == 3 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        waiter.join()
        print(results)
    """)
    assert (done.stdout, done.returncode) == ("['waited']\n", 0)
    assert "Traceback" not in done.stderr


def test_an_exit_with_work_under_way_is_quick_and_quiet(run_program: Program) -> None:
    done = run_program(
        """
        import asyncio, threading
        from invokeai_py_client.errors import ClientClosedError
        from invokeai_py_client.runtime.engine import Engine

        engine = Engine()
        started = threading.Event()
        async def work():
            engine.on_close(closed)
            engine.spawn(asyncio.sleep(60), name="background")
            started.set()
            await asyncio.sleep(60)
        async def closed():
            print("closed", flush=True)
        def wait():
            try:
                engine.block(work())
            except ClientClosedError:
                print("told", flush=True)
        threading.Thread(target=wait, daemon=True).start()
        started.wait()
        """,
        timeout=10,
    )
    assert "closed" in done.stdout
    assert (done.stderr, done.returncode) == ("", 0)


def test_two_loops_one_after_the_other_use_one_engine(run_program: Program) -> None:
    done = run_program("""
        import asyncio
        from invokeai_py_client.runtime.engine import Engine

        engine = Engine()
        async def main(n):
            return await asyncio.gather(*(engine.call(asyncio.sleep(0, n + i)) for i in range(3)))
        print(asyncio.run(main(0)), asyncio.run(main(10)))
        engine.close()
    """)
    assert (done.stdout, done.stderr) == ("[0, 1, 2] [10, 11, 12]\n", "")


def test_blocking_works_inside_a_running_loop_as_in_a_notebook(run_program: Program) -> None:
    done = run_program("""
        import asyncio
        from invokeai_py_client.runtime.engine import Engine

        engine = Engine()
        async def cell():
            return engine.block(asyncio.sleep(0.01, "blocked"))
        print(asyncio.run(cell()))
        engine.close()
    """)
    assert (done.stdout, done.stderr) == ("blocked\n", "")


def test_two_hundred_threads_block_at_once(run_program: Program) -> None:
    done = run_program("""
        import asyncio, threading
        from invokeai_py_client.runtime.engine import Engine

        engine = Engine()
        gate = threading.Barrier(200)
        results = []
        def wait(n):
            gate.wait()
            results.append(engine.block(asyncio.sleep(0.2, n)))
        threads = [threading.Thread(target=wait, args=(n,)) for n in range(200)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(sorted(results) == list(range(200)))
        engine.close()
    """)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_an_engine_that_was_never_closed_warns_when_it_is_collected(run_program: Program) -> None:
    done = run_program("""
        import asyncio
        from invokeai_py_client.runtime.engine import Engine

        engine = Engine("forgotten")
        engine.block(asyncio.sleep(0))
        del engine
        print("collected")
    """)
    assert done.stdout == "collected\n"
    assert "ResourceWarning: 'forgotten' was never closed" in done.stderr
