"""Prints all benchmarks, those of live runs and of transfers last: they need a server."""

from __future__ import annotations

import asyncio
import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any

from tests.documents import edge, node

from benchmarks.batches import enqueueing
from benchmarks.live import gathered, latency, real_server, submissions, throughput
from benchmarks.plans import plans
from benchmarks.show import show
from benchmarks.startup import first_enqueue, importing
from benchmarks.timing import median_seconds, paired_seconds
from benchmarks.transfers import transfers
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.graph import build_graph
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

DATA = Path(__file__).parents[1] / "tests" / "data"


def engine() -> None:
    private, loop = Engine(), asyncio.new_event_loop()

    async def nothing() -> None:
        pass

    def through_the_engine() -> None:
        for _ in range(1000):
            private.block(nothing())

    def on_a_loop_of_its_own() -> None:
        for _ in range(1000):
            loop.run_until_complete(nothing())

    ours, floor = paired_seconds(through_the_engine, on_a_loop_of_its_own, runs=7)
    show("a blocking call through the engine", 1000 * ours, "us", f"{ours / floor:.1f} x run_until_complete")
    private.close()
    loop.close()


def workflows() -> None:
    text = gzip.decompress((DATA / "openapi-6.14.2.json.gz").read_bytes())
    floor = median_seconds(lambda: json.loads(text), runs=9)

    def parse() -> None:
        templates = NodeTemplates.from_openapi(json.loads(text))
        for name in templates:
            _ = templates[name]

    whole = median_seconds(parse, runs=9)
    show(
        "templates of all nodes from /openapi.json",
        1000 * whole,
        "ms",
        f"allowed: 150 ms; {whole / floor:.1f} x json.loads of it",
    )
    templates = NodeTemplates.from_openapi(json.loads(text))
    cached = templates.to_lines()
    again = median_seconds(lambda: NodeTemplates.from_lines(cached), runs=9)
    show("templates from the cache", 1000 * again, "ms", "allowed: 30 ms")

    def load_and_build(text: str) -> None:
        definition = WorkflowDefinition.from_json(text)
        fields = WorkflowFields(definition, templates)
        shown_inputs(definition, templates, fields)
        edges, _ = kept_edges(definition, templates)
        build_graph(definition, templates, fields, edges)

    cases = gzip.decompress((DATA / "gui_parity" / "cases.jsonl.gz").read_bytes()).decode().splitlines()
    largest = max((json.loads(line)["workflow"] for line in cases), key=lambda workflow: len(workflow["nodes"]))
    for what, workflow, runs, allowed in (
        (f"load the largest workflow ({len(largest['nodes'])} nodes), build its graph", largest, 21, 10),
        ("load 2,000 chained nodes, build their graph", chained(2000, templates["add"].version), 7, 300),
    ):
        text_of_it = json.dumps(workflow)
        built = median_seconds(partial(load_and_build, text_of_it), runs=runs)
        show(what, 1000 * built, "ms", f"allowed: {allowed} ms")


def chained(size: int, version: str) -> dict[str, Any]:
    """Make a workflow of nodes that each add one to what the node before gives."""
    nodes = [node(f"n{i}", "add", version, a=0, b=1) for i in range(size)]
    edges = [edge(f"n{i}", "value", f"n{i + 1}", "a") for i in range(size - 1)]
    return {"name": "chain", "meta": {"version": "4.0.0"}, "nodes": nodes, "edges": edges}


if __name__ == "__main__":
    importing()
    first_enqueue()
    engine()
    workflows()
    plans()
    throughput()
    submissions()
    with real_server() as url:
        latency(url)
        gathered(url)
        enqueueing(url)
    transfers()
