"""What a queue item reads as, and the results of its nodes."""

from __future__ import annotations

import pickle

import pytest

from invokeai_py_client.live.state.queue_item import NodeOutput, OutputsSoFar, QueueItem, called_results, own_results
from invokeai_py_client.workflow.outputs import NodePath, NodeResult


def output(node_id: str, item_id: int = 1) -> NodeOutput:
    return NodeOutput(
        node_id=node_id,
        invocation_id=f"{item_id}-{node_id}",
        result={"value": item_id},
        item_id=item_id,
        node_type="add",
        is_intermediate=False,
    )


def result(node_id: str, value: int, *call_path: str, board_id: str | None = None) -> NodeResult:
    return NodeResult(
        path=NodePath(node_id, call_path),
        node_type="add",
        is_intermediate=False,
        result={"value": value},
        board_id=board_id,
    )


def test_the_results_of_an_item_tell_node_type_board_and_call_path() -> None:
    child = QueueItem(
        item_id=2,
        batch_id="b",
        queue_id="default",
        call_path=("call",),
        outputs=[output("a", 2), output("b", 2)],
        boards={"b": "tigers"},
    )
    results = [result("a", 2, "call"), result("b", 2, "call", board_id="tigers")]
    assert [*own_results(child)] == results
    assert [*called_results(child)] == []
    parent = QueueItem(item_id=1, batch_id="b", queue_id="default", outputs=[output("a")], children=(child,))
    assert [*own_results(parent)] == [result("a", 1)]
    assert [*called_results(parent)] == results


def test_outputs_are_in_the_order_of_items_and_stay_as_they_were() -> None:
    made = [output("a", 2), output("a", 1), output("b", 2)]
    outputs = OutputsSoFar(made)
    made.append(output("late", 1))
    assert [(one.item_id, one.node_id) for one in outputs] == [(1, "a"), (2, "a"), (2, "b")]
    assert (len(outputs), outputs[0].item_id, outputs[1:]) == (3, 1, (made[0], made[2]))
    assert outputs == [made[1], made[0], made[2]]
    assert outputs != made
    assert outputs != 3
    assert pickle.loads(pickle.dumps(outputs)) == outputs


def test_the_session_is_fetched_when_it_is_read() -> None:
    item = QueueItem(item_id=1, batch_id="b", queue_id="default", session_fetcher=lambda: {"graph": 1})
    assert item["session"] == item.fetch_session() == {"graph": 1}
    assert "session" not in item
    assert item["batch_id"] == "b"
    with pytest.raises(KeyError):
        item["session_fetcher"]
    sent = pickle.loads(pickle.dumps(item))
    assert sent == item
    with pytest.raises(KeyError, match="session"):
        sent["session"]
