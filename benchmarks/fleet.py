"""What a fleet costs.

Each point is measured in a process of its own: `python -m benchmarks.fleet PROGRAM SERVERS ROWS`.

- `driver`: the driver on simulated servers, in virtual time, without requests. The simulation's own cost is included.
- `dask`: calls that do nothing, through the Dask cluster in this process.
- `cluster`: the same through a scheduler and workers that are processes of their own.
- `requests`: a fleet on servers that run their items at once, with requests and events, as real ones have them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.documents import node
from tests.support.fleet_simulation import Simulation

from benchmarks.figures import Measurement
from benchmarks.peers.contest import peak_memory
from invokeai_py_client import Fleet, WorkflowDefinition
from invokeai_py_client.fleet.agent import ServerAgent
from invokeai_py_client.fleet.calls import Answer, Forget
from invokeai_py_client.fleet.dask_cluster import DaskCluster
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings

ROOT = Path(__file__).parents[1]

DRIVER = ((1, 10_000), (10, 10_000), (100, 10_000), (100, 100_000), (1000, 100_000))
DASK = ((2, 2_000), (20, 2_000), (100, 2_000), (300, 2_000))
CLUSTER = ((2, 2_000),)
REQUESTS = ((2, 2_000), (4, 2_000))
IDLE = 5.0
"""Seconds for which the CPU of a cluster without calls is measured."""
AT_ONCE = 4
"""Calls that are under way at each worker."""


def driver(servers: int, rows: int) -> dict[str, float]:
    """Run a batch on simulated servers, whose speeds differ by up to four times."""
    speeds = random.Random(1)
    simulation = Simulation(["m"] * rows)
    for number in range(servers):
        simulation.add_server(f"server {number}", speeds.uniform(5.0, 20.0))
    cpu = time.process_time()
    virtual = simulation.run()
    assert len(simulation.done) == rows
    return {**_told(rows, time.process_time() - cpu), "time that passed in the simulation": virtual / 3600}


def dask(workers: int, calls: int) -> dict[str, float]:
    """Call the workers of a cluster in this process."""
    engine = Engine("benchmark")
    sites = [ServerAgent(Settings(f"http://127.0.0.1:{number + 1}"), engine) for number in range(workers)]
    with contextlib.closing(engine):
        return engine.block(_calls(engine, lambda cluster: cluster.start(sites), workers, calls))


def cluster(workers: int, calls: int) -> dict[str, float]:
    """Call workers that are processes; tell the CPU of the scheduler too."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as opened:
        where = Path(folder) / "scheduler.json"

        def begin(*arguments: object, **environment: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "distributed.cli." + str(arguments[0]), *map(str, arguments[1:])]
            process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
            opened.callback(process.wait)
            opened.callback(process.kill)
            return process

        scheduler = begin("dask_scheduler", "--port", 0, "--no-dashboard", "--scheduler-file", where)
        for number in range(workers):
            begin(
                *("dask_worker", "--scheduler-file", where, "--no-dashboard", "--no-nanny", "--nthreads", 1),
                *("--memory-limit", 0, "--local-directory", Path(folder) / str(number)),
                INVOKEAI_URL=f"http://127.0.0.1:{number + 1}",
            )
        while not where.exists():
            time.sleep(0.05)
        address = json.loads(where.read_text())["address"]
        engine = opened.enter_context(contextlib.closing(Engine("benchmark")))

        async def connect(cluster: DaskCluster) -> None:
            await cluster.connect(address)
            all_there = asyncio.Event()

            class Watcher:
                def joined(self, server: str) -> None:
                    if len(cluster.servers) == workers:
                        all_there.set()

                def left(self, server: str, why: str) -> None:
                    raise AssertionError(why)

            cluster.watch(Watcher())
            await all_there.wait()

        before = _cpu_of(scheduler.pid)
        told = engine.block(_calls(engine, connect, workers, calls))
        return {**told, "CPU of the scheduler a row": 1000 * (_cpu_of(scheduler.pid) - before) / calls}


async def _calls(engine: Engine, open_it: Callable[[DaskCluster], Any], workers: int, calls: int) -> dict[str, float]:
    opened = DaskCluster(engine)
    await open_it(opened)
    left, under_way = iter(range(calls)), asyncio.Semaphore(0)

    def call(server: str) -> None:
        if next(left, None) is None:
            under_way.release()
        else:
            opened.submit(server, Forget("none"), lambda answer: done(server, answer))

    def done(server: str, answer: Answer) -> None:
        assert type(answer).__name__ == "Done", answer
        call(server)

    began, cpu = time.perf_counter(), time.process_time()
    for server in opened.servers:
        for _ in range(AT_ONCE):
            call(server)
    for _ in range(AT_ONCE * workers):
        await under_way.acquire()
    told = _told(calls, time.process_time() - cpu, time.perf_counter() - began)
    cpu = time.process_time()
    await asyncio.sleep(IDLE)
    idle = 100 * (time.process_time() - cpu) / IDLE
    await opened.close()
    return {**told, "CPU when idle": idle}


def requests(servers: int, rows: int) -> dict[str, float]:
    """Run a batch on servers that play a script."""
    workflow = {
        "name": "blank",
        "meta": {"version": "3.0.0"},
        "exposedFields": [{"nodeId": "blank", "fieldName": "width"}],
        "nodes": [node("blank", "blank_image", "1.2.2", intermediate=False, width=64, height=64, mode="RGB")],
        "edges": [],
    }
    with contextlib.ExitStack() as opened:
        urls = [opened.enter_context(_batch_server()) for _ in range(servers)]
        fleet = opened.enter_context(Fleet(urls))
        wf = fleet.workflow(WorkflowDefinition.from_dict(workflow))
        plan = wf.plan({"Width": range(1, rows + 1)})
        with tempfile.TemporaryDirectory() as folder:
            began, cpu = time.perf_counter(), time.process_time()
            end = fleet.submit(plan, folder).wait()
            told = _told(rows, time.process_time() - cpu, time.perf_counter() - began)
        assert end.counts["completed"] == rows
        return told


@contextlib.contextmanager
def _batch_server() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.support.batch_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _told(rows: int, cpu: float, wall: float | None = None) -> dict[str, float]:
    told = {"CPU a row": 1000 * cpu / rows, "largest resident size": peak_memory()}
    return told if wall is None else {**told, "rows a second": rows / wall}


def _cpu_of(pid: int) -> float:
    """Return the CPU seconds of another process; on Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


PROGRAMS: dict[str, tuple[Callable[[int, int], dict[str, float]], tuple[tuple[int, int], ...]]] = {
    "driver": (driver, DRIVER),
    "dask": (dask, DASK),
    "cluster": (cluster, CLUSTER),
    "requests": (requests, REQUESTS),
}


UNITS = {
    "CPU a row": "ms",
    "CPU of the scheduler a row": "ms",
    "largest resident size": "MiB",
    "rows a second": "/s",
    "CPU when idle": "%",
    "time that passed in the simulation": "h",
}


def fleet() -> Iterator[Measurement]:
    """Measure all points."""
    for name, (_, points) in PROGRAMS.items():
        for servers, rows in points:
            command = [sys.executable, "-m", "benchmarks.fleet", name, str(servers), str(rows)]
            run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
            for what, value in json.loads(run.stdout).items():
                yield Measurement(f"fleet, {name}, {servers:,} servers: {what}", UNITS[what], [value], at=rows)


if __name__ == "__main__":
    program, servers, rows = sys.argv[1:]
    print(json.dumps(PROGRAMS[program][0](int(servers), int(rows))))
