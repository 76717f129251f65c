"""Timing that holds on a noisy machine: what is compared is measured in turn, and medians are quoted."""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from unittest import mock


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median_seconds(work: Callable[[], object], runs: int) -> float:
    """The median of several calls, after one that does not count."""
    work()
    return statistics.median(seconds(work) for _ in range(runs))


def paired_seconds(one: Callable[[], object], other: Callable[[], object], runs: int) -> tuple[float, float]:
    """The medians of two, called in turn, after one each that does not count."""
    one()
    other()
    pairs = [(seconds(one), seconds(other)) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


@contextlib.contextmanager
def keeping_bytecode() -> Iterator[None]:
    """While the context is open, interpreters that are started keep compiled modules, as those of a user do.

    Where `PYTHONDONTWRITEBYTECODE` is set, each of them would compile all that it imports, libraries too.
    """
    with tempfile.TemporaryDirectory() as folder:
        variables = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        with mock.patch.dict(os.environ, variables):
            yield


def cpu_seconds(code: str) -> float:
    """How much CPU time a fresh interpreter takes that runs code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def paired_cpu_seconds(one: str, other: str, runs: int) -> tuple[float, float]:
    """The median CPU times of two pieces of code in fresh interpreters, in turn, after one run each."""
    cpu_seconds(one)
    cpu_seconds(other)
    pairs = [(cpu_seconds(one), cpu_seconds(other)) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
