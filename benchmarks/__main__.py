"""Measure all, or the parts that are named, and keep the figures: `python -m benchmarks [PART ...]`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks import figures, plots, publish
from benchmarks.batches import enqueueing
from benchmarks.contests import contests, starts
from benchmarks.figures import Figure
from benchmarks.fleet import fleet
from benchmarks.live import gathered, latency, real_server
from benchmarks.micro import micro
from benchmarks.plans import plans
from benchmarks.pure import engine, workflows
from benchmarks.scale import scale, throughput
from benchmarks.startup import startup
from benchmarks.transfers import transfers


def runs() -> Iterator[Figure]:
    with real_server() as url:
        yield from latency(url)
        yield from gathered(url)
        yield from enqueueing(url)


def pure() -> Iterator[Figure]:
    yield from engine()
    yield from workflows()


PARTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "startup": startup,
    "starts": starts,
    "contests": contests,
    "pure": pure,
    "plans": plans,
    "events": throughput,
    "micro": micro,
    "scale": scale,
    "runs": runs,
    "transfers": transfers,
    "fleet": fleet,
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        print(f"--- {part}", flush=True)
        measured, began, load = [], time.monotonic(), os.getloadavg()[0]
        for one in PARTS[part]():
            print(one, flush=True)
            measured.append(one)
        figures.keep(part, measured, seconds=time.monotonic() - began, load=load)
    plots.draw()
    publish.write()
