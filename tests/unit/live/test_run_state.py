from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.live.run_state import GONE, RunState
from invokeai_py_client.wire.events import Event, InvocationComplete, InvocationError, ItemEvent, decode
from invokeai_py_client.wire.records import QueueItemRecord, QueueItemSummary


def status(name: str, sequence: int | None = None, item_id: int = 1, **more: Any) -> ItemEvent:
    payload = {"queue_id": "default", "item_id": item_id, "batch_id": "b", "session_id": "s", "status": name, **more}
    event = decode("queue_item_status_changed", {**payload, "status_sequence": sequence})
    assert isinstance(event, ItemEvent)
    return event


def node(name: str, node_id: str, item_id: int = 1, **more: Any) -> ItemEvent:
    payload = {
        "queue_id": "default",
        "item_id": item_id,
        "batch_id": "b",
        "session_id": "s",
        "invocation_source_id": node_id,
        "invocation": {"id": f"{node_id}-1", "type": "add", "steps": 4},
        **more,
    }
    event = decode(name, payload)
    assert isinstance(event, ItemEvent)
    return event


def record(name: str, item_id: int = 1, **session: Any) -> QueueItemRecord:
    return QueueItemRecord.model_validate(
        {
            "item_id": item_id,
            "status": name,
            "batch_id": "b",
            "queue_id": "default",
            "session_id": "s",
            "session": session,
        }
    )


def summary(name: str, item_id: int = 1) -> QueueItemSummary:
    return QueueItemSummary.model_validate({"item_id": item_id, "status": name, "batch_id": "b"})


def started(*, items: int = 1, has_gap: bool = False, nodes: str = "ab") -> RunState:
    run = RunState(
        "b", "default", graph={"nodes": {key: {"type": "add"} for key in nodes}, "edges": []}, has_gap=has_gap
    )
    run.enqueued(range(items, 0, -1))
    return run


def types(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


def test_a_run_from_start_to_end() -> None:
    run = started()
    assert run.view().status == "pending"
    run.apply_event(status("in_progress", 1, started_at="t1"))
    run.apply_event(node("invocation_started", "a"))
    run.apply_event(node("invocation_progress", "a", percentage=0.5, message=""))
    view = run.view()
    assert (view.current_step, view.total_steps) == (2, 4)
    assert 0 < view.progress_percentage < 50
    run.apply_event(node("invocation_complete", "a", result={"value": 1}))
    run.apply_event(node("invocation_complete", "b", result={"value": 2}))
    assert 99 < run.view().progress_percentage < 100
    assert not run.is_finished
    assert types(run.apply_event(status("completed", 2, completed_at="t2"))) == [
        "queue_item_status_changed",
        "session_complete",
    ]
    assert run.is_finished
    view = run.view()
    assert (view.status, view.progress_percentage, view.started_at, view.completed_at) == (
        "completed",
        100.0,
        "t1",
        "t2",
    )
    assert [(output.node_id, output.result["value"]) for output in view.outputs] == [("a", 1), ("b", 2)]


def test_an_event_may_come_before_the_answer_to_the_enqueue() -> None:
    run = RunState("b", "default", graph={"nodes": {}, "edges": []})
    run.apply_event(status("in_progress", 1))
    run.apply_event(status("completed", 2))
    assert not run.is_finished
    run.enqueued([1])
    assert run.is_finished


def test_duplicates_and_late_events_change_nothing() -> None:
    run = started()
    run.apply_event(status("in_progress", 1))
    done = node("invocation_complete", "a", result={"value": 1})
    run.apply_event(done)
    assert run.apply_event(done) == []
    assert run.apply_event(status("in_progress", 1)) == []
    run.apply_event(status("completed", 2))
    before = run.view()
    for event in (status("in_progress", 3), status("canceled", 4), node("invocation_complete", "b", result={}), done):
        assert run.apply_event(event) == []
    assert run.apply_snapshot(summary("in_progress")) == []
    assert run.view() == before


def test_a_server_without_sequence_numbers_is_understood() -> None:
    run = started(nodes="")
    assert types(run.apply_event(status("in_progress"))) == ["queue_item_status_changed"]
    assert run.apply_event(status("in_progress")) == []
    run.apply_event(status("completed"))
    assert run.is_finished


def test_a_failure_is_whole_once_its_node_is_known() -> None:
    run = started()
    run.apply_event(status("failed", 2, error_type="E", error_message="m\nmore", error_traceback="t"))
    assert not run.is_finished
    assert run.awaits_error()
    event = node("invocation_error", "a", error_type="E", error_message="m\nmore", error_traceback="")
    assert types(run.apply_event(event)) == ["invocation_error", "session_complete"]
    view = run.view()
    assert (view.error, view.error_node_id, view.error_node_type) == ("E: m", "a", "add")
    assert view.error_traceback == "t"


def test_a_failure_whose_node_is_not_told_is_filled_in_by_the_record() -> None:
    run = started()
    run.apply_event(status("failed", 2, error_type="E", error_message="m"))
    full = record(
        "failed",
        errors={"a-1": "E: m"},
        prepared_source_mapping={"a-1": "a"},
        execution_graph={"nodes": {"a-1": {"type": "add"}}},
    )
    error, end = run.apply_snapshot(full)
    assert isinstance(error, InvocationError)
    assert (error.recovered, error.node_id, error.error_type, error.error_message) == (True, "a", "E", "m")
    assert end.type == "session_complete"
    assert (run.view().error_node_id, run.view().error_node_type) == ("a", "add")
    late = node("invocation_error", "a", error_type="E", error_message="m", error_traceback="")
    assert run.apply_event(late) == []


def test_with_a_gap_only_the_full_record_ends_a_run() -> None:
    run = started(has_gap=True)
    run.apply_event(node("invocation_complete", "a", result={"value": 1}))
    assert run.apply_event(status("completed", 2)) == []
    assert run.view().status == "completed"
    assert run.lacking_details() == [1]
    assert run.apply_snapshot(summary("completed")) == []
    full = record(
        "completed",
        results={"a-1": {"value": 1}, "b-1": {"value": 2}},
        prepared_source_mapping={"a-1": "a", "b-1": "b"},
    )
    assert types(run.apply_snapshot(full)) == ["invocation_complete", "queue_item_status_changed", "session_complete"]
    assert [(output.node_id, output.result["value"]) for output in run.view().outputs] == [("a", 1), ("b", 2)]


THREE: dict[str, Any] = {
    "results": {f"{key}-1": {"value": n} for n, key in enumerate("abc")},
    "prepared_source_mapping": {f"{key}-1": key for key in "abc"},
    "execution_graph": {"nodes": {f"{key}-1": {"id": f"{key}-1", "type": "add"} for key in "abc"}},
}


@pytest.mark.parametrize("learned_by", ["an event", "a summary", "the record"])
def test_outputs_that_were_missed_are_told_in_order_before_the_end(learned_by: str) -> None:
    run = started(nodes="abc")
    told = run.apply_event(status("in_progress", 1))
    told += run.apply_event(node("invocation_complete", "a", result={"value": 0}))
    run.missed()
    if learned_by == "an event":
        told += run.apply_event(status("completed", 2))
    elif learned_by == "a summary":
        told += run.apply_snapshot(summary("completed"))
    told += run.apply_snapshot(record("completed", **THREE))
    assert types(told) == [
        "queue_item_status_changed",
        "invocation_complete",
        "invocation_complete",
        "invocation_complete",
        "queue_item_status_changed",
        "session_complete",
    ]
    outputs = [event for event in told if isinstance(event, InvocationComplete)]
    assert [(event.node_id, event.result["value"], event.recovered) for event in outputs] == [
        ("a", 0, False),
        ("b", 1, True),
        ("c", 2, True),
    ]
    assert [event.node["type"] for event in outputs] == ["add"] * 3
    for event in outputs:
        assert run.apply_event(event) == [], "each is told once"


def test_a_failure_in_a_gap_is_told_with_what_came_before_it() -> None:
    run = started(nodes="abc")
    run.missed()
    assert run.apply_event(status("failed", 2, error_type="E", error_message="m")) == []
    error = node("invocation_error", "c", error_type="E", error_message="m", error_traceback="")
    assert run.apply_event(error) == []
    session: dict[str, Any] = {**THREE, "results": {"a-1": {"value": 0}, "b-1": {"value": 1}}, "errors": {"c-1": "E: m"}}
    told = run.apply_snapshot(record("failed", **session))
    assert types(told) == [
        "invocation_complete",
        "invocation_complete",
        "queue_item_status_changed",
        "invocation_error",
        "session_complete",
    ]
    assert [event["recovered"] for event in told] == [True, True, False, False, False]


def test_an_item_that_is_gone_before_its_record_was_fetched_still_ends() -> None:
    run = started(has_gap=True)
    assert run.apply_event(status("completed", 2)) == []
    assert types(run.apply_gone(1)) == ["queue_item_status_changed", "session_complete"]
    assert run.view().status == "completed"


def test_a_record_without_the_parts_of_a_session_settles_an_item_all_the_same() -> None:
    run = started(has_gap=True)
    told = run.apply_snapshot(record("completed", results={"a-1": {"value": 1}}))
    assert types(told) == ["invocation_complete", "queue_item_status_changed", "session_complete"]
    assert told[0]["node_id"] == "a-1"
    assert run.is_finished


def test_an_item_that_is_seen_pending_while_watched_has_no_gap() -> None:
    run = started()
    run.missed()
    run.apply_snapshot(summary("pending"))
    run.apply_event(status("canceled", 1))
    assert not run.is_finished
    run = started()
    run.missed()
    run.apply_snapshot(summary("pending"), nothing_missed=True)
    run.apply_event(status("canceled", 1))
    assert run.is_finished


def test_an_item_that_is_gone_ends_as_canceled() -> None:
    run = started()
    assert types(run.apply_gone(1)) == ["queue_item_status_changed", "session_complete"]
    assert (run.view().status, run.view().error) == ("canceled", GONE)
    assert run.apply_gone(1) == []


def test_several_items_are_told_of_as_one() -> None:
    run = started(items=3, nodes="")
    assert list(run.items) == [1, 2, 3]
    run.apply_event(status("completed", 2, item_id=1))
    assert run.view().status == "in_progress"
    run.apply_event(status("canceled", 1, item_id=2))
    run.apply_event(status("in_progress", 1, item_id=3))
    run.apply_event(node("invocation_complete", "a", item_id=3, result={"value": 3}))
    assert not run.is_finished
    run.apply_event(status("completed", 2, item_id=3))
    view = run.view()
    assert (view.item_id, view.status, run.is_finished) == (1, "canceled", True)
    assert [output.result["value"] for output in view.outputs] == [3]


def test_an_event_of_an_unknown_status_changes_nothing() -> None:
    run = started()
    assert run.apply_event(status("dreaming", 1)) == []
    assert run.view().status == "pending"


def test_a_completed_item_of_whose_nodes_one_was_not_heard_is_not_whole() -> None:
    run = started()
    run.apply_event(status("in_progress", 1))
    run.apply_event(node("invocation_complete", "a", result={"value": 1}))
    run.apply_event(status("completed", 2))
    assert not run.is_finished
    assert run.lacking_details() == [1]
