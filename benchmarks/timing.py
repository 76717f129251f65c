"""Measurements that hold on a noisy machine: what is compared is measured in turn, A B B A, and medians are quoted."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from unittest import mock

Way = Callable[[], float]
"""Does the work once, and returns what it took."""


T = TypeVar("T")


def interleaved(rounds: int, *ways: Way, warm_up: bool = True) -> list[list[float]]:
    """Return what each way took in each round, after one each that does not count unless `warm_up` is false."""
    if warm_up:
        for way in ways:
            way()
    taken: list[list[float]] = [[] for _ in ways]
    for way, its in in_turn(rounds, [*zip(ways, taken, strict=True)]):
        its.append(way())
    return taken


def in_turn(rounds: int, things: Sequence[T]) -> Iterator[T]:
    """Give the things once in each round; every other round goes backwards, and chance says which."""
    backwards = random.random() < 0.5
    for _ in range(rounds):
        yield from reversed(things) if backwards else things
        backwards = not backwards


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Way:
    """Return a way that measures the seconds of a call; those of `time.process_time` for what only computes."""

    def way() -> float:
        # So that each call meets the garbage collector in the same state.
        gc.collect()
        began = clock()
        work()
        return clock() - began

    return way


def cpu_of(command: Sequence[str]) -> Way:
    """Return a way that measures the CPU seconds of a program, from its start to its end."""

    def way() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return way


def cpu_of_code(code: str) -> Way:
    """Return a way that measures the CPU seconds of a fresh interpreter that runs code."""
    return cpu_of([sys.executable, "-c", code])


@contextlib.contextmanager
def apart(server: contextlib.AbstractContextManager[T]) -> Iterator[T]:
    """Enter the context of a server, which starts on the first core; what runs in this context has the others.

    On a machine with few cores, the same work takes longer or shorter where its client and the server happen to meet,
    and for minutes at a time: 500 downloads took 0.47 or 0.75 s.
    """
    with contextlib.ExitStack() as opened:
        with _on(slice(1)):
            entered = opened.enter_context(server)
        with _on(slice(1, None)):
            yield entered


@contextlib.contextmanager
def _on(cores: slice) -> Iterator[None]:
    """Have this thread, and what it starts, run on some of its cores, where the system can do that."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[cores] or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def keeping_bytecode() -> Iterator[None]:
    """While the context is open, interpreters that are started keep compiled modules, as those of a user do.

    Where `PYTHONDONTWRITEBYTECODE` is set, each of them would compile all that it imports, libraries too.
    """
    with tempfile.TemporaryDirectory() as folder:
        variables = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        with mock.patch.dict(os.environ, variables):
            yield
