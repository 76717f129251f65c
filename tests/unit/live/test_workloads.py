"""What kind of work the batches are that were sent."""

from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.live.workloads import Workloads


def graph(*types: str) -> dict[str, Any]:
    return {"nodes": {str(place): {"type": node_type} for place, node_type in enumerate(types)}}


def test_a_kind_is_the_types_of_the_nodes() -> None:
    workloads = Workloads()
    workloads.remember("b", graph("noise", "l2i", "noise"))
    assert workloads.of("b") == frozenset({"noise", "l2i"})
    assert workloads.of("other") is None


def test_a_batch_that_is_sent_again_has_its_new_kind() -> None:
    workloads = Workloads()
    workloads.remember("b", graph("noise"))
    workloads.remember("b", graph("l2i"))
    assert workloads.of("b") == frozenset({"l2i"})


@pytest.mark.parametrize("value", [None, [], "graph", {}, {"nodes": None}, {"nodes": [{"type": "noise"}]}])
def test_what_is_not_a_graph_has_no_kind(value: object) -> None:
    workloads = Workloads()
    workloads.remember("b", value)
    assert workloads.of("b") is None


def test_what_is_not_a_node_is_left_out() -> None:
    workloads = Workloads()
    workloads.remember("b", {"nodes": {"1": None, "2": {"type": "noise"}}})
    assert workloads.of("b") == frozenset({"noise"})


def test_the_last_thousand_batches_are_remembered() -> None:
    workloads = Workloads()
    for number in range(1000):
        workloads.remember(f"b{number}", graph("noise"))
    workloads.remember("b0", graph("noise"))
    workloads.remember("new", graph("noise"))
    assert workloads.of("b1") is None
    assert None not in {workloads.of("b0"), workloads.of("b2"), workloads.of("b999"), workloads.of("new")}
