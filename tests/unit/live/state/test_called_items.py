"""The items of called workflows, as events and records tell of them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.live import apply, item_event

from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.wire.events import Event, ItemEvent, ProgressReport
from invokeai_py_client.wire.records.queue import QueueItemRecord, QueueItemSummary

CALLER: dict[str, Any] = {
    "nodes": {"a": {"type": "add"}, "call": {"type": "call_saved_workflow"}},
    "edges": [],
}
CALLEE: dict[str, Any] = {
    "nodes": {"a": {"type": "add", "is_intermediate": False}, "return": {"type": "workflow_return"}},
    "edges": [],
}


def status(item_id: int, name: str, sequence: int, **more: Any) -> ItemEvent | ProgressReport:
    return item_event(
        "queue_item_status_changed",
        {
            "queue_id": "default",
            "item_id": item_id,
            "batch_id": "b",
            "session_id": f"s{item_id}",
            "status": name,
            "status_sequence": sequence,
            **more,
        },
    )


def node(name: str, item_id: int, node_id: str, kind: str = "add", **more: Any) -> ItemEvent | ProgressReport:
    return item_event(
        name,
        {
            "queue_id": "default",
            "item_id": item_id,
            "batch_id": "b",
            "session_id": f"s{item_id}",
            "invocation_source_id": node_id,
            "invocation": {"id": f"{item_id}-{node_id}", "type": kind, "is_intermediate": False},
            **more,
        },
    )


def done(item_id: int, node_id: str, kind: str = "add") -> ItemEvent | ProgressReport:
    return node("invocation_complete", item_id, node_id, kind, result={"type": "out", "value": item_id})


def record(
    item_id: int,
    name: str,
    *,
    parent: int | None = None,
    path: tuple[str, ...] = (),
    calls: tuple[int, ...] = (),
    waits_for: tuple[int, ...] = (),
    graph: dict[str, Any] = CALLEE,
    **more: Any,
) -> QueueItemRecord:
    ended = name == "completed"
    session: dict[str, Any] = {
        "graph": graph,
        "workflow_call_stack": [
            {"source_call_node_id": one, "prepared_call_node_id": f"{parent}-{one}"} for one in path
        ],
        "workflow_call_history": [{"child_item_ids": [called]} for called in calls],
        "waiting_workflow_call_execution": {"child_item_ids": [*waits_for]} if waits_for else None,
        "results": {f"{item_id}-{one}": {"type": "out", "value": item_id} for one in graph["nodes"]} if ended else {},
        "prepared_source_mapping": {f"{item_id}-{one}": one for one in graph["nodes"]},
        "errors": {f"{item_id}-a": "no"} if name == "failed" else {},
        "execution_graph": {"nodes": {f"{item_id}-a": {"type": "add"}}},
    }
    return QueueItemRecord.model_validate(
        {
            "item_id": item_id,
            "status": name,
            "batch_id": "b",
            "queue_id": "default",
            "session_id": f"s{item_id}",
            "parent_item_id": parent,
            "session": session,
            **more,
        }
    )


def summary(item_id: int, name: str, parent: int | None = None) -> QueueItemSummary:
    return QueueItemSummary.model_validate(
        {"item_id": item_id, "status": name, "batch_id": "b", "parent_item_id": parent}
    )


def run_of(*item_ids: int, has_gap: bool = False, only: frozenset[int] | None = None) -> RunState:
    run = RunState("b", "default", CALLER, has_gap=has_gap, only=only)
    run.enqueued(item_ids or [1])
    return run


def calling(*, child: int = 2) -> RunState:
    """A run whose item 1 has called item 2, which has begun."""
    run = run_of()
    apply(run, status(1, "in_progress", 1))
    apply(run, node("invocation_started", 1, "call", "call_saved_workflow"))
    apply(run, status(child, "pending", 0))
    apply(run, status(1, "waiting", 2))
    apply(run, status(child, "in_progress", 1))
    return run


def known(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.type, event.item_id) for event in events if isinstance(event, ItemEvent)]


def places(items: tuple[QueueItem, ...]) -> list[tuple[int, int | None, tuple[str, ...], str]]:
    return [(item.item_id, item.parent_item_id, item.call_path, item.status) for item in items]


def test_a_child_is_not_an_item_of_the_run_and_is_known_at_once() -> None:
    run = calling()
    assert run.snapshot.facts.item_ids == (1,)
    assert places(run.view().children) == [(2, None, (), "in_progress")]
    # Who called it, only its record says.
    assert (run.needs_requests, run.lacking_details()) == (True, [2])
    assert run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",))) == []
    assert (run.needs_requests, run.lacking_details()) == (False, [])
    assert places(run.view().children) == [(2, 1, ("call",), "in_progress")]


def test_outputs_of_equal_node_ids_do_not_mix() -> None:
    run = calling()
    apply(run, done(1, "a"))
    apply(run, done(2, "a"))
    (child,) = run.view().children
    assert [(output.node_id, output.result["value"]) for output in run.view().outputs] == [("a", 1)]
    assert [(output.node_id, output.result["value"]) for output in child.outputs] == [("a", 2)]
    assert (child.outputs[0].node_type, child.outputs[0].is_intermediate) == ("add", False)


def end_of_the_child(run: RunState) -> list[Event]:
    return [
        *apply(run, done(2, "a")),
        *apply(run, done(2, "return", "workflow_return")),
        *apply(run, status(2, "completed", 2)),
    ]


def end_of_the_caller(run: RunState) -> list[Event]:
    return [
        *apply(run, done(1, "call", "call_saved_workflow")),
        *apply(run, status(1, "pending", 3)),
        *apply(run, status(1, "in_progress", 4)),
        *apply(run, done(1, "a")),
        *apply(run, status(1, "completed", 5)),
    ]


def test_the_events_of_both_are_reported_in_order() -> None:
    run = calling()
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    assert known(end_of_the_child(run))[-2:] == [("queue_item_status_changed", 2), ("session_complete", 2)]
    assert not run.is_finished
    assert known(end_of_the_caller(run))[-2:] == [("queue_item_status_changed", 1), ("session_complete", 1)]
    assert run.is_finished
    assert (run.view().status, run.view().progress_percentage) == ("completed", 100.0)
    assert places(run.view().children) == [(2, 1, ("call",), "completed")]


def test_a_run_is_not_over_before_it_is_known_who_called_whom() -> None:
    run = calling()
    end_of_the_child(run)
    end_of_the_caller(run)
    assert (run.is_finished, run.lacking_details()) == (False, [2])
    run.apply_snapshot(record(2, "completed", parent=1, path=("call",)))
    assert run.is_finished
    assert places(run.view().children) == [(2, 1, ("call",), "completed")]


def test_a_run_ends_although_a_child_was_deleted() -> None:
    run = calling()
    end_of_the_child(run)
    end_of_the_caller(run)
    run.apply_gone(2)
    assert run.is_finished
    assert places(run.view().children) == [(2, None, (), "completed")]


def test_a_record_that_is_ahead_of_the_events_takes_none_of_them_away() -> None:
    run = calling()
    assert run.apply_snapshot(record(2, "completed", parent=1, path=("call",))) == []
    assert len(known(end_of_the_child(run))) == 4


def test_progress_of_a_child_is_progress_of_its_callers() -> None:
    run = calling()
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    before = run.snapshot.progress_percentage
    apply(run, done(2, "a"))
    (child,) = run.view().children
    assert 0 < child.progress_percentage < 100
    between = run.snapshot.progress_percentage
    assert before < between < 100
    end_of_the_child(run)
    assert between < run.snapshot.progress_percentage < 100


def test_the_progress_of_a_call_of_many_items_is_their_mean() -> None:
    made = []
    for children in ((2,), (2, 3)):
        run = calling()
        for child in children:
            apply(run, status(child, "pending", 0))
            run.apply_snapshot(record(child, "pending", parent=1, path=("call",)))
        before = run.snapshot.progress_percentage
        apply(run, status(2, "in_progress", 1))
        apply(run, done(2, "a"))
        made.append(run.snapshot.progress_percentage - before)
    assert made[1] == pytest.approx(made[0] / 2)


def test_a_child_that_is_seen_pending_while_watched_has_no_gap() -> None:
    run = calling(child=2)
    apply(run, status(3, "pending", 0))
    run.apply_snapshot(record(3, "pending", parent=1, path=("call",)))
    run.missed()
    run.apply_snapshot(record(3, "pending", parent=1, path=("call",)), nothing_missed=True)
    for event in (
        status(3, "in_progress", 1),
        done(3, "a"),
        done(3, "return", "workflow_return"),
        status(3, "completed", 2),
    ):
        apply(run, event)
    assert 3 not in run.unsettled(), "its end is believed without its record"


def test_nodes_that_ran_before_the_graph_of_a_child_was_known_count() -> None:
    run = calling()
    apply(run, done(2, "a"))
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    apply(run, node("invocation_started", 2, "return", "workflow_return"))
    (child,) = run.view().children
    assert child.progress_percentage > 40


def test_a_child_of_a_child() -> None:
    run = calling()
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",), graph=CALLER))
    apply(run, status(3, "pending", 0))
    apply(run, status(2, "waiting", 2))
    run.apply_snapshot(record(3, "pending", parent=2, path=("call", "call")))
    before = run.snapshot.progress_percentage
    apply(run, status(3, "in_progress", 1))
    apply(run, done(3, "a"))
    assert places(run.view().children) == [(2, 1, ("call",), "waiting"), (3, 2, ("call", "call"), "in_progress")]
    assert run.snapshot.progress_percentage > before


def test_the_cause_of_a_failure_is_reported_where_it_began() -> None:
    run = calling()
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",), graph=CALLER))
    apply(run, status(3, "pending", 0))
    run.apply_snapshot(record(3, "pending", parent=2, path=("call", "call")))
    apply(run, status(3, "failed", 1, error_type="RuntimeError", error_message="no", error_traceback="line 7"))
    apply(run, node("invocation_error", 3, "a", error_type="RuntimeError", error_message="no"))
    for item_id in (2, 1):
        apply(run, status(item_id, "failed", 5, error_type="ValueError", error_message="no", error_traceback="no"))
        apply(
            run,
            node(
                "invocation_error", item_id, "call", "call_saved_workflow", error_type="ValueError", error_message="no"
            ),
        )
    item = run.view()
    assert run.is_finished
    assert (item.item_id, item.status, item.error) == (1, "failed", "RuntimeError: no")
    assert (item.error_node_id, item.error_node_type, item.error_call_path) == ("a", "add", ("call", "call"))
    assert (item.error_type, item.error_traceback) == ("RuntimeError", "line 7")
    # The children keep what the server says of each.
    assert [child.error_node_id for child in item.children] == ["call", "a"]


def test_a_failure_of_its_own_stays_the_runs() -> None:
    run = calling()
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    end_of_the_child(run)
    apply(run, status(1, "failed", 3, error_type="ValueError", error_message="mine"))
    apply(run, node("invocation_error", 1, "a", error_type="ValueError", error_message="mine"))
    assert (run.view().error_node_id, run.view().error_call_path) == ("a", ())


def test_without_events_the_records_tell_of_children() -> None:
    run = run_of(has_gap=True)
    run.apply_snapshot(summary(1, "in_progress"))
    assert run.lacking_details() == []
    assert known(run.apply_snapshot(summary(1, "waiting"))) == [("queue_item_status_changed", 1)]
    assert run.lacking_details() == [1]
    run.apply_snapshot(record(1, "waiting", waits_for=(2, 3), graph=CALLER))
    assert (run.lacking_details(), run.unsettled()) == ([2, 3], [1, 2, 3])
    run.apply_snapshot(record(2, "completed", parent=1, path=("call",)))
    run.apply_snapshot(record(3, "in_progress", parent=1, path=("call",)))
    assert places(run.view().children) == [(2, 1, ("call",), "completed"), (3, 1, ("call",), "in_progress")]
    assert [output.node_id for output in run.view().children[0].outputs] == ["a", "return"]
    # As long as one runs, nothing is missing.
    run.apply_snapshot(summary(1, "waiting"))
    assert run.lacking_details() == []
    run.apply_snapshot(summary(3, "completed", parent=1))
    assert run.lacking_details() == [3]
    run.apply_snapshot(record(3, "completed", parent=1, path=("call",)))
    run.apply_snapshot(summary(1, "completed"))
    run.apply_snapshot(record(1, "completed", calls=(2, 3), graph=CALLER))
    assert run.is_finished


def test_a_second_call_is_looked_for() -> None:
    run = run_of(has_gap=True)
    run.apply_snapshot(summary(1, "waiting"))
    run.apply_snapshot(record(1, "waiting", waits_for=(2,), graph=CALLER))
    run.apply_snapshot(record(2, "completed", parent=1, path=("call",)))
    run.apply_snapshot(summary(1, "waiting"))
    assert run.lacking_details() == [1]
    run.apply_snapshot(record(1, "waiting", calls=(2,), waits_for=(3,), graph=CALLER))
    assert run.lacking_details() == [3]


def test_calls_that_were_missed_are_learned_at_the_end() -> None:
    run = run_of(has_gap=True)
    run.apply_snapshot(summary(1, "completed"))
    run.apply_snapshot(record(1, "completed", calls=(2,), graph=CALLER))
    assert (run.is_finished, run.lacking_details()) == (False, [2])
    run.apply_snapshot(record(2, "completed", parent=1, path=("call",)))
    assert run.is_finished


def test_events_and_records_tell_the_same() -> None:
    told = calling()
    told.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    end_of_the_child(told)
    end_of_the_caller(told)
    asked = run_of(has_gap=True)
    asked.apply_snapshot(summary(1, "completed"))
    asked.apply_snapshot(record(1, "completed", calls=(2,), graph=CALLER))
    asked.apply_snapshot(record(2, "completed", parent=1, path=("call",)))
    views = [told.view(), asked.view()]
    assert [view.status for view in views] == ["completed", "completed"]
    assert places(views[0].children) == places(views[1].children)
    assert [{output.node_id for output in view.children[0].outputs} for view in views] == [{"a", "return"}] * 2


def test_a_run_of_one_item_learns_its_children_from_its_record() -> None:
    run = run_of(has_gap=True, only=frozenset({1}))
    # The child of another item of the batch.
    assert apply(run, status(9, "pending", 0)) == []
    apply(run, status(1, "waiting", 2))
    assert run.lacking_details() == [1]
    run.apply_snapshot(record(1, "waiting", waits_for=(2,), graph=CALLER))
    assert known(apply(run, status(2, "in_progress", 1))) == [("queue_item_status_changed", 2)]
    assert [child.item_id for child in run.view().children] == [2]


def test_an_item_that_somebody_runs_again_is_not_the_runs() -> None:
    run = run_of(1, 2)
    assert apply(run, status(7, "in_progress", 1)) == []
    assert (run.snapshot.facts.item_ids, run.view().children) == ((1, 2), ())


@pytest.mark.parametrize("by", ["the run", "the child", "its caller"])
def test_a_cancel_reaches_all_that_belong_together(by: str) -> None:
    run = calling()
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    run.cancel_asked({"the run": None, "the child": [2], "its caller": [1]}[by])
    apply(run, status(2, "canceled", 3))
    run.apply_snapshot(summary(1, "canceled"))
    run.apply_snapshot(record(1, "canceled", waits_for=(2,), graph=CALLER))
    assert run.is_finished
    assert (run.view().canceled_by, run.view().children[0].canceled_by) == ("client", "client")


def test_a_child_that_is_learned_of_after_a_cancel_was_canceled_by_the_client() -> None:
    run = run_of(has_gap=True)
    run.cancel_asked()
    run.apply_snapshot(summary(1, "canceled"))
    run.apply_snapshot(record(1, "canceled", waits_for=(2,), graph=CALLER))
    run.apply_snapshot(record(2, "canceled", parent=1, path=("call",)))
    assert [child.canceled_by for child in run.view().children] == ["client"]


def test_children_of_other_items_are_not_touched_by_a_cancel() -> None:
    run = run_of(1, 2)
    for item_id, child in ((1, 3), (2, 4)):
        apply(run, status(item_id, "in_progress", 1))
        apply(run, status(child, "pending", 0))
        run.apply_snapshot(record(child, "pending", parent=item_id, path=("call",)))
    run.cancel_asked([3])
    for item_id in (3, 4):
        apply(run, status(item_id, "canceled", 1))
    assert [child.canceled_by for child in run.view().children] == ["client", "unknown"]


def test_children_of_other_items_are_not_touched_when_one_is_learned_of_after_a_cancel() -> None:
    run = run_of(1, 2, has_gap=True)
    apply(run, status(2, "in_progress", 1))
    apply(run, status(4, "pending", 0))
    run.apply_snapshot(record(4, "pending", parent=2, path=("call",)))
    run.cancel_asked([1])
    run.apply_snapshot(summary(1, "canceled"))
    run.apply_snapshot(record(1, "canceled", waits_for=(3,), graph=CALLER))
    run.apply_snapshot(record(3, "canceled", parent=1, path=("call",)))
    apply(run, status(4, "canceled", 1))
    assert {child.item_id: child.canceled_by for child in run.view().children} == {3: "client", 4: "unknown"}


def test_an_item_that_is_run_again_loses_the_children_of_the_first_try() -> None:
    run = calling()
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    removed: list[int] = []
    run.item_removed = removed.append
    run.replaced(1, 5)
    assert sorted(removed) == [1, 2]
    assert (run.snapshot.facts.item_ids, run.view().children, run.unsettled()) == ((5,), (), [5])


def test_a_lost_socket_leaves_a_gap_in_children_too() -> None:
    run = calling()
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    run.missed()
    apply(run, done(2, "a"))
    apply(run, done(2, "return", "workflow_return"))
    apply(run, status(2, "completed", 2))
    assert run.lacking_details() == [2]


def test_an_item_of_a_called_workflow_by_itself() -> None:
    run = RunState("b", "default", None, has_gap=True, only=frozenset({2}))
    run.enqueued([2])
    run.apply_snapshot(record(2, "completed", parent=1, path=("call",)))
    assert run.is_finished
    assert (run.view().parent_item_id, run.view().call_path, run.view().children) == (1, ("call",), ())


def test_the_session_of_a_child_is_found() -> None:
    run = calling()
    assert (run.item_of_session("s2"), run.item_of_session("s1"), run.item_of_session("s9")) == (2, 1, None)
    assert (run.is_settled(1), run.is_settled(2), run.is_settled(9)) == (False, False, False)
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    end_of_the_child(run)
    assert (run.is_settled(1), run.is_settled(2)) == (False, True)


def test_the_worst_of_several_items_has_the_cause_of_its_own_failure() -> None:
    run = run_of(1, 2)
    apply(run, status(2, "in_progress", 1))
    apply(run, status(3, "pending", 0))
    run.apply_snapshot(record(3, "pending", parent=2, path=("call",)))
    apply(run, status(3, "failed", 1, error_type="RuntimeError", error_message="no"))
    apply(run, node("invocation_error", 3, "a", error_type="RuntimeError", error_message="no"))
    apply(run, status(2, "failed", 2, error_type="ValueError", error_message="no"))
    apply(run, node("invocation_error", 2, "call", error_type="ValueError", error_message="no"))
    apply(run, status(1, "canceled", 1))
    item = run.view()
    assert (item.item_id, item.status, item.error_node_id, item.error_call_path) == (1, "failed", "a", ("call",))


def test_a_child_that_runs_while_a_run_is_attached_to_is_none_of_its_items() -> None:
    run = RunState("b", "default", None, has_gap=True)
    assert apply(run, done(2, "a")) == []
    run.enqueued([1])
    run.apply_snapshot(record(1, "waiting", waits_for=(2,), graph=CALLER))
    assert (run.snapshot.facts.item_ids, [child.item_id for child in run.view().children]) == ((1,), [2])


def test_an_item_that_was_taken_for_a_child_before_the_answer_named_it() -> None:
    run = RunState("b", "default", CALLER)
    apply(run, status(1, "pending", 0))
    run.enqueued([1])
    assert (run.snapshot.facts.item_ids, run.view().children, run.unsettled()) == ((1,), (), [1])
    apply(run, done(1, "a"))
    apply(run, done(1, "call", "call_saved_workflow"))
    apply(run, status(1, "completed", 2))
    # Its first events went elsewhere.
    assert run.lacking_details() == [1]


def test_an_item_that_nobody_called_is_not_a_child() -> None:
    run = run_of()
    apply(run, status(7, "pending", 0))
    assert run.lacking_details() == [7]
    assert run.apply_snapshot(record(7, "pending")) == []
    assert (run.view().children, run.unsettled(), run.needs_requests) == ((), [1], False)


def test_a_child_that_waits_for_unknown_children_is_asked_about() -> None:
    run = run_of(has_gap=True)
    run.apply_snapshot(summary(1, "waiting"))
    run.apply_snapshot(record(1, "waiting", waits_for=(2,), graph=CALLER))
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",), graph=CALLER))
    assert run.lacking_details() == []
    run.apply_snapshot(summary(2, "waiting", parent=1))
    assert (run.lacking_details(), run.needs_requests) == ([2], True)
    run.apply_snapshot(record(2, "waiting", parent=1, path=("call",), waits_for=(3,), graph=CALLER))
    assert run.lacking_details() == [3]


def test_the_error_of_a_child_is_awaited() -> None:
    run = calling()
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",)))
    apply(run, status(2, "failed", 2, error_type="E"))
    assert run.awaits_error()
    apply(run, node("invocation_error", 2, "a", error_type="E", error_message="no"))
    assert not run.awaits_error()


def test_an_item_that_is_run_again_leaves_nothing_to_ask_about() -> None:
    run = calling()
    assert run.lacking_details() == [2]
    run.apply_snapshot(record(2, "in_progress", parent=1, path=("call",), graph=CALLER))
    apply(run, status(3, "pending", 0))
    run.apply_snapshot(record(3, "pending", parent=2, path=("call", "call")))
    run.missed()
    apply(run, status(3, "failed", 1, error_type="E"))
    assert run.lacking_details() == [3]
    run.replaced(1, 5)
    assert (run.lacking_details(), run.unsettled(), run.view().children) == ([], [5], ())


def test_the_end_of_a_child_that_is_gone_is_reported() -> None:
    run = calling()
    assert known(run.apply_gone(2)) == [("queue_item_status_changed", 2), ("session_complete", 2)]
    assert [child.status for child in run.view().children] == ["canceled"]


def test_a_summary_does_not_reveal_the_caller_of_an_item() -> None:
    run = run_of()
    apply(run, status(7, "pending", 0))
    run.apply_snapshot(summary(7, "in_progress", parent=1))
    assert run.lacking_details() == [7]
    run.apply_snapshot(record(7, "in_progress", parent=1, path=("call",)))
    assert [child.status for child in run.view().children] == ["in_progress"]
    run.apply_snapshot(record(7, "in_progress", parent=1, path=("call",)))
    assert len(run.view().children) == 1
