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


@pytest.mark.parametrize(
    ("status", "is_finished"),
    [
        ("pending", False),
        ("in_progress", False),
        ("waiting", False),
        ("completed", True),
        ("failed", True),
        ("canceled", True),
    ],
)
def test_an_item_is_finished_however_it_ended(status: str, is_finished: bool) -> None:
    assert QueueItem(item_id=1, batch_id="b", queue_id="default", status=status).is_finished == is_finished


def test_an_item_reads_as_a_mapping_of_what_events_tell() -> None:
    item = QueueItem(item_id=1, batch_id="b", queue_id="default", error="E: m", session_fetcher=dict)
    assert "session_fetcher" not in {*item.keys()}
    assert "session_fetcher" not in item
    assert dict(item) == {
        "item_id": 1,
        "batch_id": "b",
        "queue_id": "default",
        "status": "pending",
        "session_id": None,
        "progress_percentage": 0.0,
        "current_step": 0,
        "total_steps": 0,
        "created_at": None,
        "started_at": None,
        "completed_at": None,
        "error": "E: m",
        "error_type": None,
        "error_message": None,
        "error_traceback": None,
        "error_node_id": None,
        "error_node_type": None,
        "outputs": (),
        "boards": {},
        "canceled_by": None,
        "parent_item_id": None,
        "call_path": (),
        "error_call_path": (),
        "children": (),
    }
    assert item.get("status") == "pending"
    assert item.get("error_type", "none") == "none"
    with pytest.raises(KeyError, match="nothing"):
        item["nothing"]


def test_equality_and_text_of_an_item_are_not_disturbed_by_what_is_large() -> None:
    def item(**more: object) -> QueueItem:
        known = {"item_id": 1, "batch_id": "b", "queue_id": "default", **more}
        return QueueItem(**known)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    assert item(session_fetcher=dict) == item(session_fetcher=None) == item()
    assert item(status="failed") != item()
    large = item(
        error_traceback="LARGE", outputs=[output("LARGE")], boards={"LARGE": "b"}, children=(item(batch_id="LARGE"),)
    )
    assert "LARGE" not in repr(large)
    assert "batch_id='b'" in repr(large)


def test_a_nodes_output_is_shown_without_its_result() -> None:
    shown = repr(NodeOutput(node_id="a", invocation_id="a-1", result={"value": "LARGE"}))
    assert "LARGE" not in shown
    assert "node_id='a'" in shown


def test_an_output_is_intermediate_and_of_no_item_by_default() -> None:
    made = NodeOutput(node_id="a", invocation_id="a-1", result={})
    assert (made.item_id, made.node_type, made.is_intermediate) == (0, "", True)


def test_outputs_read_as_a_sequence() -> None:
    made = [output("a", 2), output("b", 1)]
    outputs = OutputsSoFar(made)
    assert repr(outputs) == repr((made[1], made[0]))
    assert (outputs[-1], outputs[:1], outputs.index(made[0])) == (made[0], (made[1],), 1)
    assert made[0] in outputs
    assert outputs == OutputsSoFar([*made])
    assert outputs != OutputsSoFar(made[:1])
    assert [*OutputsSoFar([])] == []
    with pytest.raises(IndexError):
        outputs[2]


def test_an_item_that_went_to_another_process_keeps_all_but_the_way_to_ask_for_more() -> None:
    child = QueueItem(item_id=2, batch_id="b", queue_id="default", parent_item_id=1, session_fetcher=dict)
    item = QueueItem(
        item_id=1, batch_id="b", queue_id="default", outputs=OutputsSoFar([output("a")]), children=(child,)
    )
    sent = pickle.loads(pickle.dumps(item))
    assert sent == item
    assert (sent.outputs, sent.children) == ((output("a"),), (child,))
    assert sent.session_fetcher is sent.children[0].session_fetcher is None
