"""What needs no server: a call through the engine, node templates, and the graphs of large workflows."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

from tests.documents import edge, node

from benchmarks.figures import Measurement
from benchmarks.timing import interleaved, timed
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.graph import build_graph
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

DATA = Path(__file__).parents[1] / "tests" / "data"
CALLS = 1000


def engine() -> Iterator[Measurement]:
    """A blocking call of a coroutine on another thread, against the way of the standard library."""
    private, loop = Engine(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def nothing() -> None:
        pass

    def through_the_engine() -> None:
        for _ in range(CALLS):
            private.block(nothing())

    def through_asyncio() -> None:
        for _ in range(CALLS):
            asyncio.run_coroutine_threadsafe(nothing(), loop).result()

    ours, floor = interleaved(9, timed(through_the_engine), timed(through_asyncio))
    yield Measurement("a blocking call through the engine", "us", ours, floor, scale=1e6 / CALLS)
    private.close()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def workflows() -> Iterator[Measurement]:
    text = gzip.decompress((DATA / "openapi-6.14.2.json.gz").read_bytes())

    def parse() -> None:
        templates = NodeTemplates.from_openapi(json.loads(text))
        for name in templates:
            _ = templates[name]

    ours, floor = interleaved(7, timed(parse, process_time), timed(lambda: json.loads(text), process_time))
    yield Measurement("templates of all nodes from /openapi.json", "ms", ours, floor, scale=1000, at_most=150)
    templates = NodeTemplates.from_openapi(json.loads(text))
    cached = templates.to_lines()
    (again,) = interleaved(9, timed(lambda: NodeTemplates.from_lines(cached), process_time))
    yield Measurement("templates from the cache", "ms", again, scale=1000, at_most=30)

    def load_and_build(text: str) -> None:
        definition = WorkflowDefinition.from_json(text)
        fields = WorkflowFields(definition, templates)
        shown_inputs(definition, templates, fields)
        edges, _ = kept_edges(definition, templates)
        build_graph(definition, templates, fields, edges)

    cases = gzip.decompress((DATA / "gui_parity" / "cases.jsonl.gz").read_bytes()).decode().splitlines()
    largest = max((json.loads(line)["workflow"] for line in cases), key=lambda workflow: len(workflow["nodes"]))
    for what, workflow, rounds, allowed in (
        (f"load a workflow of {len(largest['nodes'])} nodes, build its graph", largest, 21, 10),
        ("load 2,000 chained nodes, build their graph", _chained(2000, templates["add"].version), 7, 300),
    ):
        (taken,) = interleaved(rounds, timed(partial(load_and_build, json.dumps(workflow)), process_time))
        yield Measurement(what, "ms", taken, scale=1000, at_most=allowed)


def _chained(size: int, version: str) -> dict[str, Any]:
    """Make a workflow of nodes that each add one to what the node before gives."""
    nodes = [node(f"n{i}", "add", version, a=0, b=1) for i in range(size)]
    edges = [edge(f"n{i}", "value", f"n{i + 1}", "a") for i in range(size - 1)]
    return {"name": "chain", "meta": {"version": "4.0.0"}, "nodes": nodes, "edges": edges}
