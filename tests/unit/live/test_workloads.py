"""What kind of work the batches are that were sent."""

from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.live.workloads import Kinds


def graph(*types: str) -> dict[str, Any]:
    return {"nodes": {str(place): {"type": node_type} for place, node_type in enumerate(types)}}


def test_a_kind_is_the_types_of_the_nodes() -> None:
    kinds = Kinds()
    kinds.remember("b", graph("noise", "l2i", "noise"))
    assert kinds.of("b") == frozenset({"noise", "l2i"})
    assert kinds.of("other") is None


def test_a_batch_that_is_sent_again_has_its_new_kind() -> None:
    kinds = Kinds()
    kinds.remember("b", graph("noise"))
    kinds.remember("b", graph("l2i"))
    assert kinds.of("b") == frozenset({"l2i"})


@pytest.mark.parametrize("value", [None, [], "graph", {}, {"nodes": None}, {"nodes": [{"type": "noise"}]}])
def test_what_is_not_a_graph_has_no_kind(value: object) -> None:
    kinds = Kinds()
    kinds.remember("b", value)
    assert kinds.of("b") is None


def test_what_is_not_a_node_is_left_out() -> None:
    kinds = Kinds()
    kinds.remember("b", {"nodes": {"1": None, "2": {"type": "noise"}}})
    assert kinds.of("b") == frozenset({"noise"})


def test_the_last_thousand_batches_are_remembered() -> None:
    kinds = Kinds()
    for number in range(1000):
        kinds.remember(f"b{number}", graph("noise"))
    kinds.remember("b0", graph("noise"))
    kinds.remember("new", graph("noise"))
    assert kinds.of("b1") is None
    assert None not in {kinds.of("b0"), kinds.of("b2"), kinds.of("b999"), kinds.of("new")}
