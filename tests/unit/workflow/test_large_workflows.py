"""Large workflows: the time they take grows with their size alone, and the engine does not wait for them."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tests.documents import container, edge, form, node, shown

from invokeai_py_client.enqueue_body import Composer
from invokeai_py_client.workflow.acyclic_order import AcyclicOrder
from invokeai_py_client.workflow.batching import batch_nodes
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.form import read_form
from invokeai_py_client.workflow.graph import build_graph
from invokeai_py_client.workflow.inputs import set_all, shown_inputs
from invokeai_py_client.workflow.readiness import batch_problems, input_problems
from invokeai_py_client.workflow.templates import NodeTemplates

Parts = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def connector(node_id: str) -> dict[str, Any]:
    return {"id": node_id, "type": "connector", "data": {"id": node_id, "type": "connector"}}


def many(count: int, node_type: str, prefix: str = "n") -> list[dict[str, Any]]:
    return [node(f"{prefix}{i}", node_type, "1.0.1") for i in range(count)]


def chain(size: int) -> Parts:
    return many(size, "add"), [edge(f"n{i}", "value", f"n{i + 1}", "a") for i in range(size - 1)]


def wide(size: int) -> Parts:
    return many(size, "add"), [edge("n0", "value", f"n{i}", "a") for i in range(1, size)]


def collected(size: int) -> Parts:
    return [*many(size, "integer"), node("c", "collect", "1.1.0")], [
        edge(f"n{i}", "value", "c", "item") for i in range(size)
    ]


def collect_chain(size: int) -> Parts:
    edges = [edge(f"n{i}", "collection", f"n{i + 1}", "collection") for i in range(size - 1)]
    return [*many(size, "collect"), node("first", "integer", "1.0.1")], [edge("first", "value", "n0", "item"), *edges]


def iterate_chain(size: int) -> Parts:
    nodes = [node(f"n{i}", "iterate" if i % 2 else "collect", "1.1.0") for i in range(size)]
    edges = [
        edge(f"n{i}", "item", f"n{i + 1}", "item") if i % 2 else edge(f"n{i}", "collection", f"n{i + 1}", "collection")
        for i in range(size - 1)
    ]
    return [*nodes, node("first", "integer", "1.0.1")], [edge("first", "value", "n0", "item"), *edges]


def if_chain(size: int) -> Parts:
    inputs = ("true_input", "false_input")
    edges = [edge(f"n{i}", "value", f"n{i + 1}", name) for i in range(size - 1) for name in inputs]
    first = [edge("first", "value", "n0", name) for name in inputs]
    return [*many(size, "if"), node("first", "integer", "1.0.1")], [*first, *edges]


def connector_chain(size: int) -> Parts:
    ends = [edge("first", "value", "n0", "in"), edge(f"n{size - 1}", "out", "last", "a")]
    inner = [edge(f"n{i}", "out", f"n{i + 1}", "in") for i in range(size - 1)]
    return [
        *(connector(f"n{i}") for i in range(size)),
        node("first", "integer", "1.0.1"),
        node("last", "add", "1.0.1"),
    ], [*ends, *inner]


def connector_fan(size: int) -> Parts:
    return [connector("c"), node("first", "integer", "1.0.1"), *many(size, "add")], [
        edge("first", "value", "c", "in"),
        *(edge("c", "out", f"n{i}", "a") for i in range(size)),
    ]


def dense(size: int) -> Parts:
    draw = random.Random(1)
    return many(size, "add"), [
        edge(f"n{draw.randrange(i)}", "value", f"n{i}", name) for i in range(1, size) for name in "ab"
    ]


SHAPES = [chain, wide, collected, collect_chain, iterate_chain, if_chain, connector_chain, connector_fan, dense]
ORDERS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "forward": list,
    "backward": lambda edges: edges[::-1],
    "shuffled": lambda edges: random.Random(2).sample(edges, len(edges)),
}


def definition(parts: Parts, order: str = "forward") -> WorkflowDefinition:
    nodes, edges = parts
    return WorkflowDefinition.from_dict({"meta": {"version": "4.0.0"}, "nodes": nodes, "edges": ORDERS[order](edges)})


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_kept_whole_in_no_more_than_linear_time(
    shape: Callable[[int], Parts], order: str, templates: NodeTemplates
) -> None:
    document = definition(shape(600), order)
    begin = time.perf_counter()
    edges, warnings = kept_edges(document, templates)
    graph = build_graph(document, templates, WorkflowFields(document, templates), edges).graph
    # About 0.03 s. The slack is for a busy machine: when it grew with the cube of the size, it took 20 s.
    assert time.perf_counter() - begin < 3
    assert warnings == ()
    assert len(edges) == len(document.edges)
    assert len(graph["nodes"]) + sum(n.kind == "connector" for n in document.all_nodes) == len(document.all_nodes)


@pytest.mark.parametrize("order", ORDERS)
def test_edges_that_lead_forward_are_checked_without_a_search(order: str) -> None:
    edges = ORDERS[order]([Edge(f"n{i}", "value", f"n{i + 1}", "a", str(i)) for i in range(5000)])
    acyclic = AcyclicOrder(edges)
    for one in edges:
        assert not acyclic.would_loop(one.source, one.target)
        acyclic.add(one)
    assert acyclic.visited == 0


@pytest.mark.parametrize("order", ORDERS)
def test_one_edge_that_closes_a_long_loop_costs_a_few_walks(order: str) -> None:
    size = 2000
    edges = ORDERS[order]([Edge(f"n{i}", "value", f"n{(i + 1) % size}", "a", str(i)) for i in range(size)])
    acyclic = AcyclicOrder(edges)
    refused = []
    for one in edges:
        if acyclic.would_loop(one.source, one.target):
            refused.append(one)
        else:
            acyclic.add(one)
    assert refused == [edges[-1]]
    assert acyclic.visited <= 10 * size


@pytest.mark.parametrize("seed", range(40))
def test_loops_are_found_as_a_search_of_the_whole_graph_finds_them(seed: int) -> None:
    draw = random.Random(seed)
    size = draw.randrange(3, 9)
    candidates = [
        Edge(f"n{draw.randrange(size)}", "value", f"n{draw.randrange(size)}", "a", str(i)) for i in range(3 * size)
    ]
    acyclic = AcyclicOrder(candidates)
    kept: list[Edge] = []
    for one in candidates:
        left_out = {other.id for other in kept if draw.random() < 0.3}
        for without in (set(), left_out):
            counted = [other for other in kept if other.id not in without]
            assert acyclic.would_loop(one.source, one.target, without) == has_loop([*counted, one])
        # Now and then one that closes a loop is kept: the web UI does so with edges between connectors.
        if not has_loop([*kept, one]) or draw.random() < 0.1:
            acyclic.add(one)
            kept.append(one)


def has_loop(edges: list[Edge]) -> bool:
    left = {(one.source, one.target) for one in edges}
    for _ in range(len(edges) + 1):
        left = {(source, target) for source, target in left if any(target == other for other, _ in left)}
    return bool(left)


def test_the_engine_does_other_work_while_a_large_workflow_is_composed(templates: NodeTemplates) -> None:
    document = definition(chain(2000))
    fields = WorkflowFields(document, templates)
    http: Any = SimpleNamespace(settings=SimpleNamespace(default_board=None))
    catalog: Any = SimpleNamespace()
    turns = itertools.count()

    async def other_work() -> None:
        while True:
            next(turns)
            await asyncio.sleep(0)

    async def main() -> dict[str, Any]:
        other = asyncio.create_task(other_work())
        # None of what it awaits suspends it here: all turns of the other work are owed to threads.
        body = await Composer(document, templates, fields, http, catalog).compose(check=False)
        other.cancel()
        return body

    body = asyncio.run(main())
    assert len(body["batch"]["graph"]["nodes"]) == 2000
    assert next(turns) > 3


def a_deep_form(templates: NodeTemplates) -> None:
    size = 30_000
    containers = [container(f"c{i}", f"c{i + 1}") for i in range(size)]
    read = read_form(form(container("root", "c0"), *containers, shown(f"c{size}", "n", "seed")))
    assert [*read.fields()] == [("n", "seed")]


def many_missing_values(templates: NodeTemplates) -> None:
    size = 6000
    nodes = [node("text", "string", "1.0.1"), connector("c"), *many(size, "img_blur")]
    edges = [edge("text", "value", f"n{i}", "image") for i in range(size // 2)]
    edges += [edge("c", "out", f"n{i}", "image") for i in range(size // 2, size)]
    document = definition((nodes, edges))
    problems = input_problems(document, templates, WorkflowFields(document, templates))
    assert len(problems) == size
    assert "StringField cannot feed ImageField" in problems[0].why
    assert "the connector c, which has no source" in problems[-1].why


def many_batches(templates: NodeTemplates) -> None:
    size = 6000
    batches = [node(f"b{i}", "integer_batch", "1.0.0", integers=[1], batch_group_id="None") for i in range(size)]
    edges = [edge(f"b{i}", "value", f"n{i}", "a") for i in range(size)]
    document = definition(([*batches, *many(size, "add")], edges))
    fields = WorkflowFields(document, templates)
    inputs = shown_inputs(document, templates, fields)
    set_all(inputs, {("n0", "a"): 1}, override_edge=True)
    made = batch_nodes(document, fields, fields.edges)
    assert len(made) == size - 1
    assert batch_problems(made, fields, {}) == []


def many_values(templates: NodeTemplates) -> None:
    size = 6000
    document = definition((many(size, "add"), []))
    inputs = shown_inputs(document, templates, WorkflowFields(document, templates))
    set_all(inputs, {(f"n{i}", "a"): i for i in range(size)})
    assert inputs["n7", "a"].value == 7


@pytest.mark.parametrize("work", [a_deep_form, many_missing_values, many_batches, many_values])
def test_the_time_of_other_work_does_not_grow_with_the_square_of_the_size(
    work: Callable[[NodeTemplates], None], templates: NodeTemplates
) -> None:
    begin = time.process_time()
    work(templates)
    # About 1 s, most of it to make the document; 7 s and more where each step looks through all of it.
    assert time.process_time() - begin < 4
