"""The functions that are called most, each by itself: `python -m benchmarks.micro`, with the options of pyperf."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyperf
from tests.support.live import apply, item_event, message, messages, node_payload
from tests.support.plans import planned

from benchmarks.figures import Measurement
from invokeai_py_client.live.router import Router
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.wire.events import decode, read_event
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.graph import build_graph
from invokeai_py_client.workflow.templates import NodeTemplates

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"

STEPS = 1000
ROWS = 1000
ITEMS = 10_000
NODE = {"id": "denoise-1", "type": "denoise_latents", "steps": STEPS, "cfg_scale": 7.5, "scheduler": "euler"}
GRAPH: dict[str, Any] = {"nodes": {"denoise": {**NODE, "id": "denoise"}}, "edges": []}


def micro() -> Iterator[Measurement]:
    """Run all in processes of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "micro.json")
        # pyperf starts this file itself in further processes, which must find the packages beside it.
        options = ["--fast", "--quiet", "--inherit-environ", "PYTHONPATH", "-o", str(path)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "benchmarks.micro", *options]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        suite = pyperf.BenchmarkSuite.load(str(path))
    for one in suite.get_benchmarks():
        yield Measurement(one.get_name(), "us", one.get_values(), scale=1e6)


def progress(step: int) -> dict[str, Any]:
    """Return the payload with which a node reports a step."""
    return node_payload(
        1, node_id="denoise", invocation=NODE, message="Denoising", percentage=step / STEPS, image=None, timestamp=1
    )


def events(runner: pyperf.Runner) -> None:
    name, payload = "invocation_progress", progress(STEPS // 3)
    text = message(name, payload)
    runner.bench_func("json.loads of a message of progress, the floor", json.loads, text[2:])
    runner.bench_func("read a message of progress", read_event, name, payload, text)
    for kind, told in messages(1)[:3]:
        runner.bench_func(f"decode {kind}", decode, kind, told)
    report = item_event(name, payload)

    def read_all() -> None:
        for event in apply(RunState("b", "default", GRAPH), report):
            assert event["message"] == "Denoising"

    runner.bench_func("begin a run, and read its first event of progress whole", read_all)


def run_state(runner: pyperf.Runner) -> None:
    reports = [("invocation_progress", progress(step)) for step in range(1, STEPS + 1)]
    told = [(name, payload, message(name, payload)) for name, payload in reports]
    story = [(name, payload, message(name, payload)) for name, payload in messages(1)]

    def dispatched(graph: dict[str, Any], told: list[tuple[str, Any, str]]) -> Callable[[], None]:
        def dispatch() -> None:
            router = Router(followed=lambda run: None, bulk_change=lambda event: None, needs_requests=lambda: None)
            run = router.follow(RunState("b", "default", graph))
            run.state.enqueued([1])
            for name, payload, text in told:
                router.dispatch(name, payload, text)

        return dispatch

    runner.bench_func("take in one report of progress", dispatched(GRAPH, told), inner_loops=STEPS)
    shortest = {"nodes": {"add": {"type": "add", "id": "add"}}, "edges": []}
    runner.bench_func("take in the events of a run of one node, from its submission", dispatched(shortest, story))
    large = RunState("b", "default", GRAPH)
    large.enqueued(range(1, ITEMS + 1))
    steps = itertools.cycle(item_event(name, payload) for name, payload in reports)

    def view() -> None:
        apply(large, next(steps))
        large.view()

    runner.bench_func(f"take in a report, and view a run of {ITEMS:,} items", view)


def workflows(runner: pyperf.Runner) -> None:
    templates = NodeTemplates.from_openapi(json.loads(gzip.decompress((DATA / "openapi-6.14.2.json.gz").read_bytes())))
    cases = gzip.decompress((DATA / "gui_parity" / "cases.jsonl.gz").read_bytes()).decode().splitlines()
    largest = max((json.loads(line)["workflow"] for line in cases), key=lambda workflow: len(workflow["nodes"]))
    definition = WorkflowDefinition.from_json(json.dumps(largest))
    fields = WorkflowFields(definition, templates)
    edges, _ = kept_edges(definition, templates)
    what = f"build the graph of {len(largest['nodes'])} nodes"
    runner.bench_func(what, build_graph, definition, templates, fields, edges)
    source = {
        "Positive Prompt": [f"a cat, number {number}" for number in range(ROWS // 10)],
        "Width": range(64, 144, 8),
    }

    def plan() -> None:
        assert sum(bool(row.row_id) for group in planned(templates, source).groups() for row in group) == ROWS

    runner.bench_func(f"plan {ROWS:,} rows", plan)


if __name__ == "__main__":
    perf = pyperf.Runner()
    events(perf)
    run_state(perf)
    workflows(perf)
