"""CPU time and memory of the client, beside 1 to 10,000 live runs and in batches of 1 to 100,000 rows.

Each point is measured in a process of its own: `python -m benchmarks.scale PROGRAM URL NUMBER`. The servers play a
script: a real one would need hours.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.documents import node
from tests.support.scripted_server import WORKFLOW

from benchmarks.figures import Measurement
from benchmarks.peers.contest import peak_memory
from benchmarks.peers.floor import connected, enqueue
from benchmarks.timing import apart, in_turn
from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle

ROOT = Path(__file__).parents[1]

LIVE = (1, 10, 100, 1000, 10_000)
ROWS = (1, 10, 100, 1000, 10_000, 100_000)
SUBMISSIONS = 100
"""Submissions that are measured beside so many live runs."""
RUNS, EVENTS = 500, 100_000
SLOW_RUNS, SLOW_EVENTS = 10, 1_000_000


def scale() -> Iterator[Measurement]:
    with server("benchmarks.scripted_server", 2 * LIVE[-1], 0) as url:
        for told in measured("submissions", url, LIVE[-1]):
            yield Measurement("CPU of a submission beside live runs", "ms", told["cpu"], scale=1000, at=told["live"])
            goal = 150 if told["live"] == LIVE[-1] else None
            if told["live"] > 1:
                yield Measurement("memory of live runs", "MiB", [told["memory"]], at=told["live"], at_most=goal)
    for count in ROWS:
        with server("tests.support.batch_server") as url:
            told = measured("rows", url, count)
        goal = 300 if count == ROWS[-1] else None
        yield Measurement("CPU of a batch", "s", [told["cpu"]], at=count)
        yield Measurement("memory of a batch", "MiB", [told["memory"]], at=count, at_most=goal)
    with server("benchmarks.scripted_server", SLOW_RUNS, SLOW_EVENTS) as url:
        memory = measured("slow_consumer", url, SLOW_EVENTS)
    name = f"growth of memory in the last nine tenths of {SLOW_EVENTS:,} events with a slow consumer"
    yield Measurement(name, "MiB", [max(memory) - memory[0]], at_most=5)


def beside_live_runs(rounds: int = 4) -> Iterator[Measurement]:
    """CPU of events that come for all live runs in turns, against the same frames received by aiohttp."""
    cpu: dict[int, list[float]] = {count: [] for count in LIVE}
    floor: dict[int, list[float]] = {count: [] for count in LIVE}
    for count in in_turn(rounds, LIVE):
        cpu[count].append(taken("events", count)[1])
        floor[count].append(taken("bare_events", count)[1])
    for count in LIVE:
        yield Measurement("CPU of an event beside live runs", "us", cpu[count], floor[count], scale=1e6, at=count)
    name = f"CPU of an event beside {LIVE[-1]:,} live runs, against one live run"
    yield Measurement(name, "us", cpu[LIVE[-1]], cpu[LIVE[0]], scale=1e6, at_most_ratio=1.2)


def taken(program: str, runs: int, in_order: int = 0) -> list[float]:
    """Return the seconds and the CPU seconds of an event, with a server of its own."""
    with server("benchmarks.scripted_server", runs, EVENTS, in_order) as url:
        its: list[float] = measured(program, url, runs)
        return its


def throughput(rounds: int = 3) -> Iterator[Measurement]:
    """One socket, 500 live runs: events a second, and the client's own CPU for one of them.

    A real server runs one item after another. Events of all runs in turns are the worst case for a processor's caches.
    """
    for order, in_order in (("in turns", 0), ("one after another", 1)):
        both = [(taken("events", RUNS, in_order), taken("bare_events", RUNS, in_order)) for _ in range(rounds)]
        rates = [1 / seconds for (seconds, _), _ in both]
        yield Measurement(f"events through one socket, {RUNS} live runs {order}", "/s", rates, at_least=15_000)
        ours, floor = [cpu for (_, cpu), _ in both], [cpu for _, (_, cpu) in both]
        yield Measurement(f"CPU of an event, {RUNS} live runs {order}", "us", ours, floor, scale=1e6, at_most_ratio=2)


@contextmanager
def server(module: str, *arguments: int) -> Iterator[str]:
    """Run a server's module on a core of its own; gives the address that it prints."""
    with apart(_server(module, *arguments)) as url:
        yield url


@contextmanager
def _server(module: str, *arguments: int) -> Iterator[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def measured(program: str, url: str, number: int) -> Any:
    """Run one of the programs below in a process of its own, and return what it tells."""
    command = [sys.executable, "-m", "benchmarks.scale", program, url, str(number)]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)


def submissions(url: str, most: int) -> list[dict[str, Any]]:
    """Submit more and more runs that stay pending."""
    told: list[dict[str, Any]] = []
    with InvokeAIClient.from_url(url) as client:
        wf = _handle(client)
        wf.submit_sync()
        live, idle = 1, resident_memory()
        for level in (1, 300, 1000, 3000, most):
            asyncio.run(_submit(wf, level - live))
            memory = resident_memory() - idle
            cpu = [_cpu(wf.submit_sync) for _ in range(SUBMISSIONS)]
            live = level + SUBMISSIONS
            told.append({"live": level, "memory": memory, "cpu": cpu})
    return told


def events(url: str, count: int) -> list[float]:
    """Submit runs; return the seconds and the CPU seconds that each of their progress events takes.

    The first event of a run begins its state, which `benchmarks.micro` measures. Where the runs have their events in
    turns, these come first, and are not counted: with 10,000 runs they would be a tenth of all.
    """
    with InvokeAIClient.from_url(url) as client:
        runs = asyncio.run(_submit(_handle(client), count))
        while (before := client.stats().events) < count:
            time.sleep(0.001)
        began, cpu = time.perf_counter(), time.process_time()
        while (received := client.stats().events) < EVENTS:
            time.sleep(0.005)
        taken = time.perf_counter() - began, time.process_time() - cpu
        for run in runs:
            run.wait(300)
        return [seconds / (received - before) for seconds in taken]


async def bare_events(url: str, count: int) -> list[float]:
    """Receive the same frames with aiohttp, and decode their JSON: the floor."""
    async with connected(url) as (session, socket):
        for _ in range(count):
            await enqueue(session, {"batch": {"graph": {}, "runs": 1}})
        await socket.receive_str()
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(1, EVENTS):
            json.loads((await socket.receive_str())[2:])
        return [(time.perf_counter() - began) / EVENTS, (time.process_time() - cpu) / EVENTS]


def rows(url: str, count: int) -> dict[str, float]:
    """Plan a batch and run it to its end."""
    workflow = {
        "name": "blank",
        "meta": {"version": "3.0.0"},
        "exposedFields": [{"nodeId": "blank", "fieldName": "width"}],
        "nodes": [node("blank", "blank_image", "1.2.2", intermediate=False, width=64, height=64, mode="RGB")],
        "edges": [],
    }
    with InvokeAIClient.from_url(url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(workflow))
        cpu = time.process_time()
        end = wf.plan({"Width": range(1, count + 1)}).submit().wait()
        assert end.counts["completed"] == count
        return {"cpu": time.process_time() - cpu, "memory": peak_memory()}


def slow_consumer(url: str, count: int) -> list[float]:
    """Read a stream of all events at a hundred a second; return the memory after each tenth that has arrived."""
    memory: list[float] = []
    with InvokeAIClient.from_url(url) as client, client.stream_queue_events() as stream:

        def read() -> None:
            for _ in stream:
                time.sleep(0.01)

        threading.Thread(target=read, daemon=True).start()
        runs = asyncio.run(_submit(_handle(client), SLOW_RUNS))
        while len(memory) < 10:
            time.sleep(0.01)
            if client.stats().events >= (len(memory) + 1) * count / 10:
                memory.append(resident_memory())
        for run in runs:
            run.wait(60)
    return memory


def resident_memory() -> float:
    """Return the resident size of this process in MiB, without garbage."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _handle(client: InvokeAIClient) -> WorkflowHandle:
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))


async def _submit(wf: WorkflowHandle, count: int) -> list[Any]:
    runs: list[Any] = []
    while len(runs) < count:
        runs += await asyncio.gather(*(wf.submit() for _ in range(min(50, count - len(runs)))))
    return runs


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    PROGRAMS: dict[str, Callable[[str, int], Any]] = {
        "submissions": submissions,
        "events": events,
        "bare_events": bare_events,
        "rows": rows,
        "slow_consumer": slow_consumer,
    }
    result = PROGRAMS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
    print(json.dumps(asyncio.run(result) if asyncio.iscoroutine(result) else result))
