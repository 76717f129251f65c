"""A client's process, with the real server behind it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.local import LocalServer

Program = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

posix_only = pytest.mark.skipif(os.name != "posix", reason="fork and signals as POSIX has them")

HEAD = """
    import asyncio, json, os, sys, threading
    from invokeai_py_client import InvokeAIClient, WorkflowDefinition
    client = InvokeAIClient.from_url(sys.argv[1])
    def handle(**values):
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_json(sys.argv[2]))
        for shown in wf.inputs:
            shown.value = values.get(shown.field_name, shown.value)
        return wf
"""


@posix_only
@pytest.mark.parametrize("callback", ["", ", progress_callback=lambda item: None"])
def test_ctrl_c_in_a_wait_returns_at_once(
    server: LocalServer, sleep: dict[str, Any], start_program: Start, callback: str
) -> None:
    code = (
        HEAD
        + f"""
    wf = handle(seconds=30.0, steps=100)
    run = wf.submit_sync()
    def tell():
        # The node takes a third of a second to its first progress, and the wait begins at once.
        next(event for event in run.stream() if event.type == "generator_progress")
        print("waiting", flush=True)
    try:
        threading.Thread(target=tell, daemon=True).start()
        wf.wait_for_completion_sync(poll_interval=30{callback})
    except KeyboardInterrupt:
        run.cancel()
        print(wf.wait_for_completion_sync(timeout=10).status, flush=True)
    client.close()
    """
    )
    program = start_program(code, server.url, json.dumps(sleep))
    assert program.stdout is not None
    assert program.stdout.readline() == "waiting\n"
    began = time.monotonic()
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=20)
    assert (out, err, program.returncode) == ("canceled\n", "", 0)
    assert time.monotonic() - began < 10


@posix_only
def test_a_forked_child_runs_workflows_of_its_own(
    server: LocalServer, blur: dict[str, Any], run_program: Program
) -> None:
    done = run_program(
        HEAD
        + """
    print(handle().submit_sync().result(timeout=30).status, flush=True)
    child = os.fork()
    if child == 0:
        print(handle(radius=3).submit_sync().result(timeout=30).status, flush=True)
        client.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    print(handle(radius=4).submit_sync().result(timeout=30).status, flush=True)
    client.close()
    """,
        server.url,
        json.dumps(blur),
    )
    assert (done.stdout.split(), done.stderr, done.returncode) == (["completed"] * 3, "", 0)


@posix_only
def test_a_forked_child_waits_for_its_parents_run(
    server: LocalServer, sleep: dict[str, Any], run_program: Program
) -> None:
    done = run_program(
        HEAD
        + """
    run = handle(seconds=1.0).submit_sync()
    child = os.fork()
    result = run.wait(timeout=30, progress_callback=(lambda item: None) if child else None)
    print(result.status, [output.result["value"] for output in result.outputs], flush=True)
    client.close()
    if child == 0:
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """,
        server.url,
        json.dumps(sleep),
    )
    assert (done.stdout, done.stderr, done.returncode) == ("completed [4]\n" * 2, "", 0)


def test_an_exit_with_runs_in_flight_is_quick_and_quiet(
    server: LocalServer, sleep: dict[str, Any], run_program: Program
) -> None:
    began = time.monotonic()
    done = run_program(
        HEAD
        + """
    runs = [handle(seconds=0.5).submit_sync() for _ in range(5)]
    print(len(runs), flush=True)
    """,
        server.url,
        json.dumps(sleep),
    )
    assert (done.stdout, done.stderr, done.returncode) == ("5\n", "", 0)
    assert time.monotonic() - began < 20


def test_closing_the_client_ends_a_wait_with_its_own_error(
    server: LocalServer, sleep: dict[str, Any], run_program: Program
) -> None:
    done = run_program(
        HEAD
        + """
    from invokeai_py_client.errors import ClientClosedError
    wf = handle(seconds=2.0)
    wf.submit_sync()
    started = threading.Barrier(3)
    ended = []
    def wait(callback):
        try:
            started.wait()
            wf.wait_for_completion_sync(poll_interval=30, progress_callback=callback)
        except ClientClosedError:
            ended.append("told")
    threads = [threading.Thread(target=wait, args=(callback,)) for callback in (None, lambda item: None)]
    for thread in threads: thread.start()
    started.wait()
    client.close()
    for thread in threads: thread.join(5)
    print(ended)
    """,
        server.url,
        json.dumps(sleep),
    )
    assert (done.stdout, done.stderr, done.returncode) == ("['told', 'told']\n", "", 0)


def test_two_asyncio_runs_and_a_notebook_cell_share_a_client(
    server: LocalServer, blur: dict[str, Any], run_program: Program
) -> None:
    done = run_program(
        HEAD
        + """
    async def awaited():
        wf = handle()
        await wf.submit()
        return (await wf.wait_for_completion(timeout=30)).status
    async def cell():
        return handle().submit_sync().result(timeout=30).status
    print(asyncio.run(awaited()), asyncio.run(awaited()), asyncio.run(cell()))
    client.close()
    """,
        server.url,
        json.dumps(blur),
    )
    assert (done.stdout.split(), done.stderr, done.returncode) == (["completed"] * 3, "", 0)


def test_two_hundred_threads_wait_at_once(server: LocalServer, blur: dict[str, Any], run_program: Program) -> None:
    done = run_program(
        HEAD
        + """
    gate = threading.Barrier(200)
    runs = [handle(radius=1 + n / 100).submit_sync() for n in range(20)]
    statuses = []
    def wait(n):
        gate.wait()
        statuses.append(runs[n % 20].wait(timeout=60, progress_callback=(lambda item: None) if n % 2 else None).status)
    threads = [threading.Thread(target=wait, args=(n,)) for n in range(200)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(len(statuses), set(statuses))
    client.close()
    """,
        server.url,
        json.dumps(blur),
        timeout=120,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("200 {'completed'}\n", "", 0)


@posix_only
@pytest.mark.parametrize("after", [0.02, 0.1, 0.2])
def test_ctrl_c_in_a_submission_leaves_nothing_to_run_or_says_what(
    server: LocalServer, client: InvokeAIClient, sleep: dict[str, Any], start_program: Start, after: float
) -> None:
    code = (
        HEAD
        + """
    wf = handle(seconds=0.0, steps=1)
    client.queue.get_status()
    print("submitting", flush=True)
    wf.submit_sync(runs=10_000, batch_id=sys.argv[3])
    """
    )
    batch_id = str(uuid.uuid4())
    client.queue.pause()
    try:
        program = start_program(code, server.url, json.dumps(sleep), batch_id)
        assert program.stdout is not None
        assert program.stdout.readline() == "submitting\n"
        time.sleep(after)
        program.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = program.communicate(timeout=20)
        assert time.monotonic() - began < 8
        assert "KeyboardInterrupt" in err
        status = client.queue.get_batch_status(batch_id)
        assert status.total in (0, 10_000)
        # The program waits 2.5 s at most, in which a busy server may not have answered.
        if f"batch {batch_id} may be in the queue 'default'" not in err:
            assert status.pending == status.in_progress == 0
    finally:
        client.queue.clear()
        client.queue.resume()
