"""Planning many rows, without a server: what is checked, told apart and grouped before anything is sent."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.plans import planned

from benchmarks.figures import Measurement
from benchmarks.timing import interleaved, timed
from invokeai_py_client.batch.plan_data import PlanData
from invokeai_py_client.workflow.templates import NodeTemplates

DATA = Path(__file__).parents[1] / "tests" / "data"
ROWS = 100_000


def plans() -> Iterator[Measurement]:
    """The time and memory of plans with 100,000 rows, and of a sample of 10**12."""
    templates = NodeTemplates.from_openapi(json.loads(gzip.decompress((DATA / "openapi-6.14.2.json.gz").read_bytes())))
    prompts = [f"a cat, number {number}" for number in range(ROWS // 100)]
    product = {"Positive Prompt": prompts, "Width": [*range(64, 144, 8)]}
    yield from _planned("plan a product of 100,000 rows", templates, product, seeds=10)
    rows = [
        {"Positive Prompt": f"a cat, number {number}", "Width": 64 + number % 10 * 8, "seed": number}
        for number in range(ROWS)
    ]
    yield from _planned("plan a list of 100,000 rows", templates, rows)
    yield from _planned("plan 100,000 rows with drawn prompts", templates, product, seeds=10, dynamic_prompts="random")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        lines = [f'"{row["Positive Prompt"]}",{row["Width"]},{row["seed"]}' for row in rows]
        path.write_text("\n".join(["Positive Prompt,Width,seed", *lines, ""]), encoding="utf-8")
        yield from _planned("plan a CSV file of 100,000 rows", templates, path)
    huge = {("add", name): range(10**6) for name in ("a", "b")}
    (taken,) = interleaved(9, timed(lambda: _read(planned(templates, huge, sample=50))))
    yield Measurement("plan a sample of 50 of 10**12 rows", "ms", taken, scale=1000, at_most=100)


def _planned(what: str, templates: NodeTemplates, source: Any, **options: Any) -> Iterator[Measurement]:
    began = time.process_time()
    plan = planned(templates, source, **options)
    assert _read(plan) == ROWS
    seconds = time.process_time() - began
    del plan
    yield Measurement(f"CPU to {what}", "s", [seconds], at_most=5)
    tracemalloc.start()
    _read(planned(templates, source, **options))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    yield Measurement(f"memory to {what}", "MiB", [peak / 2**20])


def _read(plan: PlanData) -> int:
    """Go through all rows in running order, as a batch does."""
    return sum(bool(row.row_id) for group in plan.groups() for row in group)
