"""Measurements that hold on a noisy machine: what is compared is measured in turn, A B B A, and medians are quoted."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from unittest import mock

Way = Callable[[], float]
"""Does the work once, and returns what it took."""


def interleaved(rounds: int, *ways: Way) -> list[list[float]]:
    """Return what each way took in each round, after one each that does not count; every other round goes backwards."""
    for way in ways:
        way()
    taken: list[list[float]] = [[] for _ in ways]
    pairs = [*zip(ways, taken, strict=True)]
    for number in range(rounds):
        for way, its in pairs[:: 1 if number % 2 == 0 else -1]:
            its.append(way())
    return taken


def timed(work: Callable[[], object]) -> Way:
    """Return a way that measures the seconds of a call."""

    def way() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

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
def keeping_bytecode() -> Iterator[None]:
    """While the context is open, interpreters that are started keep compiled modules, as those of a user do.

    Where `PYTHONDONTWRITEBYTECODE` is set, each of them would compile all that it imports, libraries too.
    """
    with tempfile.TemporaryDirectory() as folder:
        variables = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        with mock.patch.dict(os.environ, variables):
            yield
