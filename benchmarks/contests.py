"""This client against others, each in an environment of its own, on one real server, in turn.

Their scripts are in `peers/`. The server is a real one with the node pack of the tests, on which an item costs 10 to 20
ms instead of half a second, so that what the clients cost is not lost in it. Items wait for 30 ms or more, as others do
for their device: the server's own time for items that do nothing differs by half from process to process.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.documents import container, form, node, shown

from benchmarks.figures import OURS, Measurement
from benchmarks.live import WAITING, real_server
from benchmarks.scripted_server import ScriptedServer
from benchmarks.timing import apart, in_turn, interleaved, keeping_bytecode
from benchmarks.transfers import into_a_folder, noise
from invokeai_py_client import InvokeAIClient

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "out" / "peers"


@dataclass(frozen=True)
class Contestant:
    """`packages` are installed into its environment."""

    name: str
    script: str
    packages: tuple[str, ...]

    @property
    def python(self) -> Path:
        return ENVIRONMENTS / self.script / "bin" / "python"

    def install(self) -> None:
        """Make its environment anew; uv links what it has in its cache."""
        uv = Path(sys.executable).with_name("uv")
        folder = ENVIRONMENTS / self.script
        _quietly(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
        options = ("--quiet", "--compile-bytecode", "--refresh-package", "invokeai-py-client")
        _quietly(uv, "pip", "install", *options, "--python", self.python, *self.packages)

    def run(self, contest: str, **arguments: Any) -> dict[str, Any]:
        """Run a contest; return its result, the CPU seconds and the peak memory of its process."""
        module = f"benchmarks.peers.{self.script}"
        command: list[str | Path] = [self.python, "-m", module, contest, json.dumps(arguments)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=TIMEOUT)
        told: dict[str, Any] = json.loads(done.stdout)
        return told


TIMEOUT = 180
"""Seconds after which a contestant has failed."""

AIOHTTP = f"aiohttp=={version('aiohttp')}"
FLOOR = Contestant("aiohttp and a websocket by hand", "floor", (AIOHTTP,))
CONTESTANTS = (
    Contestant(OURS, "ours", (str(ROOT), AIOHTTP)),
    FLOOR,
    Contestant("requests, polling", "polling", ("requests",)),
    Contestant("invokeai-py-client 1.1.1", "client_1_1", ("invokeai-py-client==1.1.1",)),
    Contestant("invokeai-python 0.6.2", "invokeai_python", ("invokeai-python==0.6.2",)),
)
AWAITED = "invokeai-py-client 1.1.1, awaited"


# Rounds of one pass. The shorter a contest is, the more rounds it needs, as the server's own time varies.
STARTS = 7
SINGLES = 2
GATHERINGS = 7
BATCHES = 2
UPLOADS = 1
DOWNLOADS = 6

RUNS = 3
"""Runs of one process, in each round."""
DURATIONS = random.Random(17)
TOGETHER = 50
ROWS = 1000
PICTURES = 500


@contextlib.contextmanager
def contestants() -> Iterator[Path]:
    """While the context is open, the environments are there; gives a folder for the documents."""
    for contestant in CONTESTANTS:
        contestant.install()
    with keeping_bytecode(), tempfile.TemporaryDirectory() as name:
        yield Path(name)


def contests() -> Iterator[Measurement]:
    """Run the contests that need a real server."""
    with contestants() as folder, real_server() as url:
        yield from singles(url, folder)
        yield from gatherings(url, folder)
        yield from batches(url, folder)
        yield from transfers(url, folder)


def _sleep(folder: Path, seconds: float) -> dict[str, str]:
    """Write the documents of a workflow whose node sleeps."""
    # A negative `fail_at` changes nothing: it tells rows apart.
    return _documents(folder, node("sleep", "test_sleep", "1.0.0", seconds=seconds, fail_at=-1))


def _documents(folder: Path, only: dict[str, Any]) -> dict[str, str]:
    """Write the workflow of one node as the web UI does, with all inputs on its form, and the graph that is sent."""
    node_id, data = only["id"], only["data"]
    for name, field in data["inputs"].items():
        field["label"] = name.replace("_", " ").title()
    workflow = {
        **dict.fromkeys(("author", "description", "version", "contact", "tags", "notes"), ""),
        "name": node_id,
        "meta": {"version": "3.0.0", "category": "user"},
        "nodes": [only],
        "edges": [],
        "exposedFields": [],
        "form": form(container("root", *data["inputs"]), *(shown(name, node_id, name) for name in data["inputs"])),
    }
    values = {name: field["value"] for name, field in data["inputs"].items()}
    sent = {"id": node_id, "type": data["type"], "use_cache": False, **values}
    documents = {"workflow": workflow, "graph": {"id": node_id, "nodes": {node_id: sent}, "edges": []}}
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document), encoding="utf-8")
    return {name: str(folder / name) for name in documents}


def starts() -> Iterator[Measurement]:
    """From the start of an interpreter until the first enqueue request is at the server, which is a scripted one."""
    with contestants() as folder, apart(ScriptedServer.in_a_thread()) as (server, url):
        given = _documents(folder, node("add", "add", "1.0.1", a=1, b=2))

        def start(contestant: Contestant) -> float:
            script = ROOT / "benchmarks" / "peers" / "start" / f"{contestant.script}.py"
            command: list[str | Path] = [contestant.python, script, url, given["workflow"], given["graph"]]
            began = time.perf_counter()
            subprocess.run(command, check=True, timeout=TIMEOUT)
            assert server.enqueued_at is not None
            return server.enqueued_at - began

        taken = interleaved(STARTS, *(partial(start, contestant) for contestant in CONTESTANTS))
    yield from _compared("start to the first request", "ms", taken, at_most_ratio=1.6, scale=1000)


def singles(url: str, folder: Path) -> Iterator[Measurement]:
    """One run after another: what submit and wait add to the time between creation and end that the server tells.

    Each run sleeps for a time of its own, drawn from a range as long as the longest interval of a poll.
    """
    overheads: dict[str, list[float]] = {name: [] for name in (*(one.name for one in CONTESTANTS), AWAITED)}
    memory: dict[str, list[float]] = {one.name: [] for one in CONTESTANTS}
    given = _sleep(folder, 0.0)
    for _ in range(SINGLES):
        seconds = [DURATIONS.uniform(0.2, 0.7) for _ in range(RUNS)]
        for contestant in in_turn(1, CONTESTANTS):
            told = contestant.run("single", url=url, seconds=seconds, **given)
            overheads[contestant.name] += _overheads(url, told)
            memory[contestant.name].append(told["memory"])
            if contestant.script == "client_1_1":
                awaited = contestant.run("single_awaited", url=url, seconds=seconds, **given)
                overheads[AWAITED] += _overheads(url, awaited)
    for name, added in overheads.items():
        yield Measurement("what waiting adds to a run", "ms", added, scale=1000, contestant=name)
    # Not a ratio, as the floor's own is about zero.
    ours, floor = overheads[OURS], overheads[FLOOR.name]
    over = [one - least for one, least in zip(ours, floor, strict=True)]
    yield Measurement("what waiting adds to a run, over the floor", "ms", over, scale=1000, at_most=3)
    for name, peaks in memory.items():
        yield Measurement("memory of a process with one run", "MiB", peaks, contestant=name)


def _overheads(url: str, told: dict[str, Any]) -> list[float]:
    return [taken - _own_time(url, item_id) for item_id, taken in told["result"]]


def _own_time(url: str, item_id: int) -> float:
    """Return the seconds between creation and end of an item, by the server's clock."""
    with urllib.request.urlopen(f"{url}/api/v1/queue/default/i/{item_id}") as response:
        item = json.load(response)
    created, completed = (datetime.fromisoformat(item[name]) for name in ("created_at", "completed_at"))
    return (completed - created).total_seconds()


def gatherings(url: str, folder: Path) -> Iterator[Measurement]:
    """50 runs that are submitted and awaited together. Polls every half second meet their end at any phase."""
    longest = WAITING + 0.5 / TOGETHER
    yield from _processes("gathered", f"{TOGETHER} runs together", url, folder, GATHERINGS, TOGETHER, longest)
    (peer,) = [contestant for contestant in CONTESTANTS if contestant.script == "client_1_1"]
    returned = peer.run("gathered_awaited", url=url, count=10, **_sleep(folder, 0.0))["result"]
    yield Measurement("waits that returned, of 10 runs together", "", [returned], contestant=AWAITED)


def batches(url: str, folder: Path) -> Iterator[Measurement]:
    """A batch of 1,000 rows, until all have ended."""
    yield from _processes("rows", f"a batch of {ROWS:,} rows", url, folder, BATCHES, ROWS, WAITING)


def _processes(
    contest: str, name: str, url: str, folder: Path, rounds: int, count: int, longest: float
) -> Iterator[Measurement]:
    """Run a contest in turn, with items that wait for 30 ms up to `longest` seconds, the same for all in a round.

    Tells the time, and the CPU time and memory of the process.
    """
    told: list[list[dict[str, Any]]] = [[] for _ in CONTESTANTS]
    with InvokeAIClient.from_url(url) as client:
        for _ in range(rounds):
            given = _sleep(folder, DURATIONS.uniform(WAITING, longest))
            for contestant, its in in_turn(1, [*zip(CONTESTANTS, told, strict=True)]):
                # The server slows down as its queue grows.
                client.queue.clear()
                its.append(contestant.run(contest, url=url, count=count, **given))
    for what, unit, key in (
        (name, "s", "result"),
        (f"CPU of the client, {name}", "s", "cpu"),
        (f"memory, {name}", "MiB", "memory"),
    ):
        yield from _compared(what, unit, [[one[key] for one in its] for its in told])


def transfers(url: str, folder: Path) -> Iterator[Measurement]:
    """500 uploads, and their downloads into a folder; eight at a time, for all.

    More rounds of uploads would change the downloads of a client that lists all images for each.
    """
    picture = str(noise(folder / "noise.png"))
    upload = [partial(_result, one, "upload", url=url, picture=picture, count=PICTURES) for one in CONTESTANTS]
    taken = interleaved(UPLOADS, *upload, warm_up=False)
    yield from _compared(f"{PICTURES} uploads", "s", taken)
    with InvokeAIClient.from_url(url) as client:
        names = [*client.image_repo.list_image_names()][:PICTURES]

    def download(contestant: Contestant, target: str) -> float:
        return _result(contestant, "download", url=url, names=names, folder=target)

    ways = [into_a_folder(partial(download, contestant)) for contestant in CONTESTANTS]
    taken = interleaved(DOWNLOADS, *ways, warm_up=False)
    yield from _compared(f"{PICTURES} downloads", "s", taken)


def _result(contestant: Contestant, contest: str, **given: Any) -> float:
    result: float = contestant.run(contest, **given)["result"]
    return result


def _compared(
    name: str, unit: str, taken: list[list[float]], *, scale: float = 1, at_most_ratio: float | None = None
) -> Iterator[Measurement]:
    """Make a figure for each contestant, against the floor."""
    floor = taken[CONTESTANTS.index(FLOOR)]
    for contestant, its in zip(CONTESTANTS, taken, strict=True):
        goal = at_most_ratio if contestant.name == OURS else None
        against = None if contestant is FLOOR else floor
        yield Measurement(name, unit, its, against, scale=scale, at_most_ratio=goal, contestant=contestant.name)


def _quietly(*command: str | Path) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stdout}")
