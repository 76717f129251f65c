"""Measure all, or the parts that are named, and keep the figures: `python -m benchmarks [PART ...]`.

A machine that others use as well is slow for minutes at a time, for some work more than for other work. So the parts
that compare are measured in two passes, many minutes apart, and their figures are medians over both.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks import figures, plots, publish
from benchmarks.batches import enqueueing
from benchmarks.contests import contests, starts
from benchmarks.figures import Figure, Measurement
from benchmarks.fleet import fleet
from benchmarks.live import gathered, latency, real_server
from benchmarks.micro import micro
from benchmarks.plans import plans
from benchmarks.pure import engine, workflows
from benchmarks.scale import beside_live_runs, scale, throughput
from benchmarks.startup import startup
from benchmarks.transfers import transfers


def runs() -> Iterator[Measurement]:
    with real_server() as url:
        yield from latency(url)
        yield from gathered(url)
        yield from enqueueing(url)


def pure() -> Iterator[Measurement]:
    yield from engine()
    yield from workflows()


def events() -> Iterator[Measurement]:
    yield from throughput()
    yield from beside_live_runs()


Part = Callable[[], Iterator[Measurement]]

COMPARING: dict[str, Part] = {
    "startup": startup,
    "starts": starts,
    "contests": contests,
    "pure": pure,
    "events": events,
    "runs": runs,
    "transfers": transfers,
}
OTHERS: dict[str, Part] = {"plans": plans, "micro": micro, "scale": scale, "fleet": fleet}
PARTS = {**COMPARING, **OTHERS}


def main(names: list[str]) -> None:
    began, before = time.monotonic(), figures.kept()
    measured: dict[str, list[Measurement]] = {}
    passes: tuple[list[Figure], list[Figure]] = [], []
    loads: dict[str, float] = {}
    for name in [*names, *(name for name in names if name in COMPARING)]:
        print(f"--- {name}", flush=True)
        loads[name] = max(os.getloadavg()[0], loads.get(name, 0))
        its = []
        for one in PARTS[name]():
            print(one.figure, flush=True)
            its.append(one)
        (passes[1] if name in measured else passes[0]).extend(one.figure for one in its)
        first = measured.get(name)
        measured[name] = its if first is None else [one + other for one, other in zip(first, its, strict=True)]
    for name, its in measured.items():
        figures.keep(name, [one.figure for one in its], load=loads[name])
    plots.draw()
    publish.write()
    print("--- the second pass, against the first", *figures.changed(*passes), sep="\n")
    print("--- all results, against those before", *figures.changed(before, figures.kept()), sep="\n")
    print(f"measured in {(time.monotonic() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main(sys.argv[1:] or [*PARTS])
