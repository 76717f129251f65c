from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.live.progress import GraphShape, NodeDurations, StepCounter, Workload


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 20, 50])
def test_a_first_order_scheduler_counts_each_step(steps: int) -> None:
    counter = StepCounter(steps)
    assert [counter.count(100 * k / steps) for k in range(steps + 1)] == [*range(steps + 1)]


@pytest.mark.parametrize("steps", [3, 4, 8, 20, 50])
def test_a_second_order_scheduler_counts_no_step_twice(steps: int) -> None:
    """As the server computes it: floor(k / 2) / floor(total / 2) of 2n - 1 half steps."""
    counter = StepCounter(steps)
    total = 2 * steps - 1
    counted = [counter.count(100 * (k // 2) / (total // 2)) for k in range(total + 1)]
    assert counted == sorted(counted)
    assert [*dict.fromkeys(counted)] == [*range(steps + 1)]
    assert counted[-2:] == [steps - 1, steps]


def test_a_step_never_goes_back_nor_beyond_the_last() -> None:
    counter = StepCounter(8)
    assert [counter.count(percentage) for percentage in (50, 25, 51.3, 100, 100)] == [4, 4, 4, 8, 8]


def graph(nodes: dict[str, str], edges: list[tuple[str, str, str, str]]) -> dict[str, Any]:
    return {
        "nodes": {node_id: {"type": kind} for node_id, kind in nodes.items()},
        "edges": [
            {"source": {"node_id": a, "field": b}, "destination": {"node_id": c, "field": d}} for a, b, c, d in edges
        ],
    }


def work(graph: dict[str, Any]) -> Workload:
    return Workload(GraphShape(graph), NodeDurations())


def test_without_an_iterate_each_node_runs_once() -> None:
    assert work(graph({"a": "add", "b": "add"}, [("a", "value", "b", "a")])).total == 2


def test_nodes_below_an_iterate_run_once_for_each_element_and_a_collect_once() -> None:
    workload = work(
        graph(
            {"range": "range", "each": "iterate", "sum": "add", "all": "collect", "end": "add"},
            [
                ("range", "collection", "each", "collection"),
                ("each", "item", "sum", "a"),
                ("sum", "value", "all", "item"),
                ("all", "collection", "end", "a"),
            ],
        )
    )
    assert workload.total == 5
    workload.node_done("range", {"collection": [1, 2, 3]})
    assert workload.total == 1 + 3 + 3 + 1 + 1
    workload.node_done("sum", {"value": 1})
    assert workload.total == 9


def test_two_iterates_multiply_and_nested_ones_add_up() -> None:
    crossed = work(
        graph(
            {"a": "range", "b": "range", "i": "iterate", "j": "iterate", "sum": "add"},
            [
                ("a", "collection", "i", "collection"),
                ("b", "collection", "j", "collection"),
                ("i", "item", "sum", "a"),
                ("j", "item", "sum", "b"),
            ],
        )
    )
    crossed.node_done("a", {"collection": [1, 2]})
    crossed.node_done("b", {"collection": [1, 2, 3]})
    assert crossed.total == 2 + 2 + 3 + 6
    nested = work(
        graph(
            {"a": "range", "i": "iterate", "b": "range", "j": "iterate", "sum": "add"},
            [
                ("a", "collection", "i", "collection"),
                ("i", "item", "b", "stop"),
                ("b", "collection", "j", "collection"),
                ("j", "item", "sum", "a"),
            ],
        )
    )
    nested.node_done("a", {"collection": [1, 2]})
    nested.node_done("b", {"collection": [0]})
    nested.node_done("b", {"collection": [0, 1]})
    assert nested.total == 1 + 2 + 2 + 3 + 3
