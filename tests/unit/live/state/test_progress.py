from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from invokeai_py_client.live.state.progress import Duration, GraphShape, NodeDurations, StepCounter, Workload


def counted(counter: StepCounter, percentages: Iterable[float]) -> list[int]:
    """Return the number of steps after each report."""
    steps = []
    for percentage in percentages:
        counter.count(percentage)
        steps.append(counter.step)
    return steps


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 20, 50])
def test_a_first_order_scheduler_counts_each_step(steps: int) -> None:
    counter = StepCounter(steps)
    assert counted(counter, (100 * k / steps for k in range(steps + 1))) == [*range(steps + 1)]


@pytest.mark.parametrize("steps", [3, 4, 8, 20, 50])
def test_a_second_order_scheduler_counts_no_step_twice(steps: int) -> None:
    """As the server computes it: floor(k / 2) / floor(total / 2) of 2n - 1 half steps."""
    counter = StepCounter(steps)
    total = 2 * steps - 1
    seen = counted(counter, (100 * (k // 2) / (total // 2) for k in range(total + 1)))
    assert seen == sorted(seen)
    assert [*dict.fromkeys(seen)] == [*range(steps + 1)]
    assert seen[-2:] == [steps - 1, steps]


def test_a_step_never_goes_back_nor_beyond_the_last() -> None:
    counter = StepCounter(8)
    assert counted(counter, (50, 25, 51.3, 100, 100)) == [4, 4, 4, 8, 8]


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
    workload.node_done("range", {"id": "range-1", "type": "any"}, {"collection": [1, 2, 3]})
    assert workload.total == 1 + 3 + 3 + 1 + 1
    workload.node_done("sum", {"id": "sum-1", "type": "any"}, {"value": 1})
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
    crossed.node_done("a", {"id": "a-1", "type": "any"}, {"collection": [1, 2]})
    crossed.node_done("b", {"id": "b-1", "type": "any"}, {"collection": [1, 2, 3]})
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
    nested.node_done("a", {"id": "a-1", "type": "any"}, {"collection": [1, 2]})
    nested.node_done("b", {"id": "b-1", "type": "any"}, {"collection": [0]})
    nested.node_done("b", {"id": "b-1", "type": "any"}, {"collection": [0, 1]})
    assert nested.total == 1 + 2 + 2 + 3 + 3


class Clock:
    """The time, as the test sets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


STEPS = {"id": "denoise-1", "type": "denoise_latents", "steps": 10}
PLAIN = {"id": "l2i-1", "type": "l2i"}


def test_a_node_with_many_steps_is_expected_to_take_longest() -> None:
    durations = NodeDurations()
    denoise, decode, other = (durations.expected(node).total for node in (STEPS, PLAIN, {"type": "add"}))
    assert denoise > decode > other > 0
    assert durations.expected({**STEPS, "steps": 20}).work == 2 * durations.expected(STEPS).work


def test_what_nodes_took_is_expected_of_later_ones() -> None:
    durations = NodeDurations()
    durations.learn(STEPS, Duration(setup=3.0, work=5.0))
    durations.learn(PLAIN, Duration(setup=0.0, work=7.0))
    assert durations.expected({**STEPS, "steps": 20}) == Duration(setup=3.0, work=10.0)
    assert durations.expected(PLAIN).total == 7.0
    durations.learn(PLAIN, Duration(setup=0.0, work=1.0))
    assert durations.expected(PLAIN).total == 4.0


def test_an_item_is_as_far_as_the_time_that_it_has_taken() -> None:
    """The second time: the first run teaches what its nodes take."""
    clock = Clock()
    durations = NodeDurations(clock)
    shape = GraphShape({"nodes": {"denoise": STEPS, "l2i": PLAIN}, "edges": []})

    def run() -> list[tuple[float, float]]:
        began, item = clock.now, Workload(shape, durations)
        seen = []

        def look(seconds: float) -> None:
            clock.now += seconds
            seen.append((clock.now - began, item.share))

        item.node_started("denoise", STEPS)
        look(0)
        for step in range(11):
            clock.now += 2 if step == 0 else 0.5
            item.node_progressed("denoise", "denoise-1", step / 10)
            look(0)
        item.node_done("denoise", STEPS, {})
        item.node_started("l2i", PLAIN)
        look(0)
        clock.now += 3
        item.node_done("l2i", PLAIN, {})
        look(0)
        return seen

    run()
    assert [share for _, share in run()] == pytest.approx([elapsed / 10 for elapsed, _ in run()])


def test_steps_that_come_over_an_edge_count_from_the_nodes_start() -> None:
    item = Workload(
        GraphShape({"nodes": {"denoise": {**STEPS, "steps": 1}, "l2i": PLAIN}, "edges": []}), NodeDurations()
    )
    item.node_started("denoise", {**STEPS, "steps": 100})
    item.node_done("denoise", {**STEPS, "steps": 100}, {})
    assert 0.9 < item.share < 1


def test_a_node_whose_start_was_missed_teaches_nothing() -> None:
    durations = NodeDurations(Clock())
    before = durations.expected(PLAIN)
    item = Workload(GraphShape({"nodes": {"l2i": PLAIN}, "edges": []}), durations)
    item.node_progressed("l2i", "l2i-1", 0.5)
    assert item.share == 0.5
    item.node_done("l2i", PLAIN, {})
    assert item.share == 1
    assert durations.expected(PLAIN) == before


def test_one_report_at_the_end_tells_no_setup() -> None:
    clock = Clock()
    durations = NodeDurations(clock)
    item = Workload(GraphShape({"nodes": {"denoise": STEPS}, "edges": []}), durations)
    item.node_started("denoise", STEPS)
    clock.now = 10
    item.node_progressed("denoise", "denoise-1", 1.0)
    item.node_done("denoise", STEPS, {})
    assert durations.expected(STEPS) == Duration(setup=0.0, work=10.0)


def test_an_empty_graph_has_no_share() -> None:
    assert Workload(GraphShape({"nodes": {}, "edges": []}), NodeDurations()).share == 0


def test_a_node_of_one_step_teaches_what_steps_take_and_nothing_else() -> None:
    durations = NodeDurations()
    without_steps = durations.expected({"type": "denoise_latents"})
    durations.learn({**STEPS, "steps": 1}, Duration(setup=1.0, work=5.0))
    assert durations.expected(STEPS) == Duration(setup=1.0, work=50.0)
    assert durations.expected({**STEPS, "steps": 1}) == Duration(setup=1.0, work=5.0)
    assert durations.expected({"type": "denoise_latents"}) == without_steps


def test_the_time_before_the_first_report_is_split_into_setup_and_steps() -> None:
    clock = Clock()
    durations = NodeDurations(clock)
    item = Workload(GraphShape({"nodes": {"denoise": STEPS}, "edges": []}), durations)
    item.node_started("denoise", STEPS)
    clock.now = 3
    item.node_progressed("denoise", "denoise-1", 0.2)
    clock.now = 7
    item.node_done("denoise", STEPS, {})
    # Four fifths took 4 s, so one fifth took one of the first three.
    assert durations.expected(STEPS) == pytest.approx(Duration(setup=2.0, work=5.0))


def test_a_graph_with_a_loop_which_the_server_would_refuse_is_read_to_its_end() -> None:
    looped = graph({"i": "iterate", "a": "add"}, [("i", "item", "a", "a"), ("a", "value", "i", "collection")])
    assert work(looped).total == 2


def test_progress_of_a_node_that_is_not_in_the_graph_counts_for_nothing() -> None:
    workload = work(graph({"a": "add"}, []))
    workload.node_progressed("other", "1", 0.5)
    assert workload.share == 0
    workload.node_done("other", {"id": "1", "type": "add"}, {})
    assert workload.share == 0
