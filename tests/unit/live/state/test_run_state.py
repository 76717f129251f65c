from __future__ import annotations

import copy
import pickle
import random
import time
from typing import Any

import pytest
from tests.support.live import GRAPH, RESULT, apply, calls_made, item_event, messages, node_payload, status_payload

from invokeai_py_client.live.state.item_state import GONE
from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.wire.events import Event, InvocationComplete, InvocationError, ItemEvent, ProgressReport
from invokeai_py_client.wire.records.queue import QueueItemRecord, QueueItemSummary


def status(name: str, sequence: int | None = None, item_id: int = 1, **more: Any) -> ItemEvent | ProgressReport:
    payload = {"queue_id": "default", "item_id": item_id, "batch_id": "b", "session_id": "s", "status": name, **more}
    return item_event("queue_item_status_changed", {**payload, "status_sequence": sequence})


def node(name: str, node_id: str, item_id: int = 1, **more: Any) -> ItemEvent | ProgressReport:
    payload = {
        "queue_id": "default",
        "item_id": item_id,
        "batch_id": "b",
        "session_id": "s",
        "invocation_source_id": node_id,
        "invocation": {"id": f"{node_id}-1", "type": "add", "steps": 4},
        **more,
    }
    return item_event(name, payload)


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
    apply(run, status("in_progress", 1, started_at="t1"))
    apply(run, node("invocation_started", "a"))
    apply(run, node("invocation_progress", "a", percentage=0.5, message=""))
    view = run.view()
    assert (view.current_step, view.total_steps) == (2, 4)
    assert 0 < view.progress_percentage < 99
    apply(run, node("invocation_complete", "a", result={"value": 1}))
    apply(run, node("invocation_complete", "b", result={"value": 2}))
    assert 99 < run.view().progress_percentage < 100
    assert not run.is_finished
    assert types(apply(run, status("completed", 2, completed_at="t2"))) == [
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
    apply(run, status("in_progress", 1))
    apply(run, status("completed", 2))
    assert not run.is_finished
    run.enqueued([1])
    assert run.is_finished


def test_duplicates_and_late_events_change_nothing() -> None:
    run = started()
    apply(run, status("in_progress", 1))
    done = node("invocation_complete", "a", result={"value": 1})
    apply(run, done)
    assert apply(run, done) == []
    assert apply(run, status("in_progress", 1)) == []
    apply(run, status("completed", 2))
    before = run.view()
    for event in (status("in_progress", 3), status("canceled", 4), node("invocation_complete", "b", result={}), done):
        assert apply(run, event) == []
    assert run.apply_snapshot(summary("in_progress")) == []
    assert run.view() == before


def test_a_server_without_sequence_numbers_is_understood() -> None:
    run = started(nodes="")
    assert types(apply(run, status("in_progress"))) == ["queue_item_status_changed"]
    assert apply(run, status("in_progress")) == []
    apply(run, status("completed"))
    assert run.is_finished


def test_a_failure_is_whole_once_its_node_is_known() -> None:
    run = started()
    apply(run, status("failed", 2, error_type="E", error_message="m\nmore", error_traceback="t"))
    assert not run.is_finished
    assert run.awaits_error()
    event = node("invocation_error", "a", error_type="E", error_message="m\nmore", error_traceback="")
    assert types(apply(run, event)) == ["invocation_error", "session_complete"]
    view = run.view()
    assert (view.error, view.error_node_id, view.error_node_type) == ("E: m", "a", "add")
    assert view.error_traceback == "t"


ERROR: dict[str, Any] = {"error_type": "E", "error_message": "m\nmore", "error_traceback": "t"}


@pytest.mark.parametrize("told_by_status", [False, True])
@pytest.mark.parametrize("node_error_first", [False, True])
def test_the_line_of_an_error_is_there_whichever_event_tells_of_it(
    told_by_status: bool, node_error_first: bool
) -> None:
    run = started()
    ends = [status("failed", 2, **(ERROR if told_by_status else {})), node("invocation_error", "a", **ERROR)]
    for event in [status("in_progress", 1), *(reversed(ends) if node_error_first else ends)]:
        apply(run, event)
    assert run.is_finished
    view = run.view()
    assert (view.error, view.error_type, view.error_message, view.error_traceback) == ("E: m", "E", "m\nmore", "t")
    assert view.error_node_id == "a"


def test_a_record_without_an_error_leaves_what_events_have_told() -> None:
    run = started()
    apply(run, status("failed", 2, **ERROR))
    run.apply_snapshot(record("failed"))
    assert run.is_finished
    assert (run.view().error, run.view().error_message) == ("E: m", "m\nmore")


@pytest.mark.parametrize(
    ("error_type", "error_message", "line"),
    [("E", None, "E"), (None, "m", "m"), ("E", "m", "E: m"), (None, None, None)],
)
def test_the_line_of_an_error_is_made_of_what_there_is(
    error_type: str | None, error_message: str | None, line: str | None
) -> None:
    for end, expected in (("failed", line), ("canceled", line), ("completed", None)):
        run = started(has_gap=True)
        apply(run, status(end, 2, error_type=error_type, error_message=error_message))
        assert run.items[1].view.error == expected


def test_a_failure_whose_node_is_not_told_is_filled_in_by_the_record() -> None:
    run = started()
    apply(run, status("failed", 2, error_type="E", error_message="m"))
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
    assert apply(run, late) == []


def test_with_a_gap_only_the_full_record_ends_a_run() -> None:
    run = started(has_gap=True)
    apply(run, node("invocation_complete", "a", result={"value": 1}))
    assert apply(run, status("completed", 2)) == []
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
def test_outputs_that_were_missed_are_reported_in_order_before_the_end(learned_by: str) -> None:
    run = started(nodes="abc")
    told = apply(run, status("in_progress", 1))
    told += apply(run, node("invocation_complete", "a", result={"value": 0}))
    run.missed()
    if learned_by == "an event":
        told += apply(run, status("completed", 2))
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
        assert apply(run, event) == [], "each is told once"


def test_a_failure_in_a_gap_is_reported_with_what_came_before_it() -> None:
    run = started(nodes="abc")
    run.missed()
    assert apply(run, status("failed", 2, error_type="E", error_message="m")) == []
    error = node("invocation_error", "c", error_type="E", error_message="m", error_traceback="")
    assert apply(run, error) == []
    session: dict[str, Any] = {
        **THREE,
        "results": {"a-1": {"value": 0}, "b-1": {"value": 1}},
        "errors": {"c-1": "E: m"},
    }
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
    assert apply(run, status("completed", 2)) == []
    assert types(run.apply_gone(1)) == ["queue_item_status_changed", "session_complete"]
    assert run.view().status == "completed"


def test_a_record_without_the_parts_of_a_session_settles_an_item_all_the_same() -> None:
    run = started(has_gap=True)
    told = run.apply_snapshot(record("completed", results={"a-1": {"value": 1}}))
    assert types(told) == ["invocation_complete", "queue_item_status_changed", "session_complete"]
    assert (told[0]["node_id"], told[0]["node"]) == ("a-1", {"id": "a-1"})
    assert run.is_finished
    run = started(has_gap=True)
    told = run.apply_snapshot(record("completed", results={"a-1": {"value": 1}}, prepared_source_mapping={"a-1": "a"}))
    assert (told[0]["node_id"], told[0]["node"]) == ("a", {"id": "a-1", "type": "add"})


def test_an_item_that_is_seen_pending_while_watched_has_no_gap() -> None:
    run = started()
    run.missed()
    run.apply_snapshot(summary("pending"))
    apply(run, status("canceled", 1))
    assert not run.is_finished
    run = started()
    run.missed()
    run.apply_snapshot(summary("pending"), nothing_missed=True)
    apply(run, status("canceled", 1))
    assert run.is_finished


def test_an_item_that_is_gone_ends_as_canceled() -> None:
    run = started()
    assert types(run.apply_gone(1)) == ["queue_item_status_changed", "session_complete"]
    assert (run.view().status, run.view().error) == ("canceled", GONE)
    assert run.apply_gone(1) == []


def test_several_items_are_shown_as_one() -> None:
    run = started(items=3, nodes="")
    assert list(run.items) == [1, 2, 3]
    apply(run, status("completed", 2, item_id=1))
    assert run.view().status == "in_progress"
    apply(run, status("canceled", 1, item_id=2))
    apply(run, status("in_progress", 1, item_id=3))
    apply(run, node("invocation_complete", "a", item_id=3, result={"value": 3}))
    assert not run.is_finished
    apply(run, status("completed", 2, item_id=3))
    view = run.view()
    assert (view.item_id, view.status, run.is_finished) == (1, "canceled", True)
    assert [output.result["value"] for output in view.outputs] == [3]


def test_an_event_of_an_unknown_status_changes_nothing() -> None:
    run = started()
    assert apply(run, status("dreaming", 1)) == []
    assert run.view().status == "pending"


def test_a_completed_item_of_whose_nodes_one_was_not_heard_is_not_whole() -> None:
    run = started()
    apply(run, status("in_progress", 1))
    apply(run, node("invocation_complete", "a", result={"value": 1}))
    apply(run, status("completed", 2))
    assert not run.is_finished
    assert run.lacking_details() == [1]


def many(items: int) -> RunState:
    """A run of many items: the first half has completed, one is running, the others are pending."""
    run = RunState("b", "default", GRAPH)
    run.enqueued(range(1, items + 1))
    for item_id in range(1, items // 2 + 1):
        for name, payload in messages(item_id):
            apply(run, item_event(name, payload))
    for name, payload in messages(items // 2 + 1)[:2]:
        apply(run, item_event(name, payload))
    return run


def test_reading_a_run_takes_the_same_work_for_one_item_as_for_hundreds() -> None:
    few, hundreds = many(10), many(500)
    assert calls_made(few.view) == calls_made(hundreds.view)
    assert (few.view().status, hundreds.view().status) == ("in_progress", "in_progress")
    assert hundreds.view().progress_percentage == pytest.approx(50)
    assert [output.item_id for output in hundreds.view().outputs] == [*range(1, 251)]


def test_an_event_takes_the_same_work_for_one_item_as_for_hundreds() -> None:
    few, hundreds = many(10), many(500)

    def work(run: RunState, item_id: int) -> int:
        event = item_event("invocation_progress", node_payload(item_id, percentage=0.5, message=""))
        return calls_made(lambda: apply(run, event))

    # The first call also fills caches.
    work(many(10), 6)
    assert work(few, 6) == work(hundreds, 251)


def test_a_snapshot_stays_as_it_was() -> None:
    run = many(4)
    snapshot = run.snapshot
    before = pickle.dumps(snapshot.item())
    for item_id in (3, 4, 5):
        for name, payload in messages(item_id):
            apply(run, item_event(name, payload))
    run.enqueued([5, 6])
    assert run.view().outputs != snapshot.item().outputs
    assert pickle.dumps(snapshot.item()) == before
    assert (snapshot.facts.item_ids, snapshot.session_ids()) == ((1, 2, 3, 4), ("s-1", "s-2", "s-3"))


def test_applying_an_event_does_not_change_it() -> None:
    run = many(2)
    event = item_event("invocation_complete", node_payload(2, result=RESULT))
    before = copy.deepcopy(event)
    (told,) = apply(run, event)
    assert event == before
    assert told["overall_percentage"] > 99


def test_outputs_are_sorted_by_item_whichever_ends_first() -> None:
    run = RunState("b", "default", GRAPH)
    run.enqueued([1, 2])
    for item_id in (2, 1):
        for name, payload in messages(item_id):
            apply(run, item_event(name, payload))
    outputs = run.view().outputs
    assert [output.item_id for output in outputs] == [1, 2]
    assert (len(outputs), outputs[0].item_id, outputs[0:1] == (outputs[0],)) == (2, 1, True)
    assert outputs == tuple(outputs)
    assert pickle.loads(pickle.dumps(outputs)) == tuple(outputs)


def test_progress_never_falls_and_is_100_only_at_the_end() -> None:
    run = RunState("b", "default", GRAPH)
    run.enqueued([1, 2], all_of_them=False, expected=4)
    seen = [run.view().progress_percentage]

    def play(*item_ids: int) -> None:
        for item_id in item_ids:
            for name, payload in messages(item_id):
                apply(run, item_event(name, payload))
                seen.append(run.view().progress_percentage)

    play(1, 2)
    assert seen[-1] == 50
    run.enqueued([3, 4])
    play(3)
    assert seen[-1] == 75
    play(4)
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert max(seen[:-1]) < 100


def test_the_progress_of_a_run_that_grows_does_not_fall() -> None:
    """The answer to its submission was lost, so that nobody knows how many items it will have."""
    run = RunState("b", "default", GRAPH)
    run.enqueued([1], all_of_them=False)
    for name, payload in messages(1):
        apply(run, item_event(name, payload))
    before = run.view().progress_percentage
    run.enqueued([2, 3])
    assert run.view().progress_percentage == before < 100.1
    assert run.view().status == "in_progress"


def test_the_steps_are_those_of_the_node_that_last_reported() -> None:
    run = RunState("b", "default", GRAPH)
    run.enqueued([1, 2])
    told: dict[str, Any] = {"percentage": 0.5, "message": "", "invocation": {"id": "p", "type": "add", "steps": 8}}
    apply(run, item_event("invocation_progress", node_payload(1, **told)))
    assert (run.view().current_step, run.view().total_steps) == (4, 8)
    apply(run, item_event("queue_item_status_changed", status_payload("canceled", 2)))
    assert (run.view().current_step, run.view().total_steps) == (4, 8)


def test_the_end_of_many_items_is_the_worst_of_them() -> None:
    run = RunState("b", "default", {"nodes": {}, "edges": []})
    run.enqueued([1, 2, 3])
    times = {"started_at": "t2", "completed_at": "t5"}
    apply(run, item_event("queue_item_status_changed", status_payload("completed", 1, **times)))
    apply(run, item_event("queue_item_status_changed", status_payload("canceled", 2, started_at="t1")))
    assert run.view().completed_at is None
    failed = status_payload("failed", 3, error_type="E", error_message="m", completed_at="t9", started_at="t3")
    apply(run, item_event("queue_item_status_changed", failed))
    error = {"error_type": "E", "error_message": "m", "error_traceback": "t"}
    apply(run, item_event("invocation_error", node_payload(3, **error)))
    view = run.view()
    assert (view.item_id, view.status, view.error, view.error_node_id) == (1, "failed", "E: m", "add")
    assert (view.session_id, view.started_at, view.completed_at) == ("s-1", "t1", "t9")
    assert run.snapshot.facts.is_finished


def test_a_session_is_found_by_its_id() -> None:
    run = many(4)
    assert run.item_of_session("s-2") == 2
    assert run.item_of_session("s-4") is None
    run.learned_session(4, "s-4")
    run.learned_session(4, "other")
    run.learned_session(99, "s-99")
    assert (run.item_of_session("s-4"), run.item_of_session("other")) == (4, None)
    assert run.snapshot.session_ids() == ("s-1", "s-2", "s-3", "s-4")


def lost(run: RunState, item_id: int) -> None:
    """An item that was running when the server went away."""
    run.server_was_away()
    run.apply_snapshot(
        QueueItemSummary.model_validate({"item_id": item_id, "status": "canceled", "batch_id": "b", "started_at": "t"})
    )


def test_a_lost_item_is_replaced_by_the_one_that_runs_again() -> None:
    run = RunState("b", "default", GRAPH, resubmits=True)
    run.enqueued([1, 2])
    added: list[int] = []
    removed: list[int] = []
    run.item_added, run.item_removed = added.append, removed.append
    for name, payload in messages(1)[:3]:
        apply(run, item_event(name, payload))
    before = run.view()
    lost(run, 1)
    assert (run.lost_items(), run.needs_requests, run.is_finished) == ([1], True, False)
    run.replaced(1, 3)
    assert (run.lost_items(), run.needs_requests) == ([], False)
    assert (run.snapshot.facts.item_ids, added, removed) == ((2, 3), [3], [1])
    assert [output.item_id for output in before.outputs] == [1]
    assert [*run.view().outputs] == []
    assert run.view().progress_percentage == before.progress_percentage > 0
    assert run.view().status == "pending"


def test_the_new_item_takes_the_place_of_a_lost_one_among_those_that_a_run_is_about() -> None:
    run = RunState("b", "default", GRAPH, resubmits=True, only=frozenset({1, 2}))
    run.enqueued([1, 2])
    lost(run, 1)
    run.replaced(1, 3)
    assert run.only == frozenset({2, 3})
    assert run.item_ids() == {2, 3}
    for item_id in (2, 3):
        for name, payload in messages(item_id):
            apply(run, item_event(name, payload))
        run.apply_snapshot(record("completed", item_id))
    assert (run.is_finished, run.view().status) == (True, "completed")


def test_a_lost_item_that_cannot_run_again_ends_as_canceled() -> None:
    run = RunState("b", "default", GRAPH, resubmits=True)
    run.enqueued([1])
    lost(run, 1)
    assert not run.is_finished
    assert types(run.given_up(1)) == ["session_complete"]
    assert (run.view().status, run.view().canceled_by, run.is_finished) == ("canceled", "server", True)
    assert run.lost_items() == []


@pytest.mark.parametrize(
    ("asked", "away", "began", "expected"),
    [
        (True, True, True, "client"),
        (False, True, True, "server"),
        (False, True, False, "unknown"),
        (False, False, True, "unknown"),
    ],
)
def test_who_canceled_an_item(asked: bool, away: bool, began: bool, expected: str) -> None:
    run = RunState("b", "default", GRAPH)
    run.enqueued([1, 2])
    if asked:
        run.cancel_asked([1])
    if away:
        run.server_was_away()
    told = {"item_id": 1, "status": "canceled", "batch_id": "b", "started_at": "t" if began else None}
    run.apply_snapshot(QueueItemSummary.model_validate(told))
    assert run.items[1].view.canceled_by == expected
    assert run.items[2].view.canceled_by is None


def test_a_cancel_of_the_run_is_one_of_all_that_has_not_ended() -> None:
    run = many(4)
    run.cancel_asked()
    assert sorted(run.pending_ids()) == [4]
    for item_id in (3, 4):
        apply(run, item_event("queue_item_status_changed", status_payload("canceled", item_id)))
    assert [run.items[item_id].view.canceled_by for item_id in (1, 2, 3, 4)] == [None, None, "client", "client"]


def test_whether_something_is_pending() -> None:
    run = RunState("b", "default", GRAPH)
    assert run.is_waiting
    run.enqueued([1])
    assert run.is_waiting
    apply(run, item_event("queue_item_status_changed", status_payload("in_progress", 1)))
    assert not run.is_waiting


def test_the_graph_of_a_run_started_elsewhere_comes_with_the_first_record() -> None:
    run = RunState("b", "default", None, has_gap=True, only=frozenset({1}))
    run.enqueued([1])
    graph = {"nodes": {"add": {"type": "add", "board": {"board_id": "x"}}}, "edges": []}
    run.apply_snapshot(record("completed", graph=graph, results={"p": RESULT}, prepared_source_mapping={"p": "add"}))
    assert run.graph == graph
    assert (run.view().boards, [output.node_id for output in run.view().outputs]) == ({"add": "x"}, ["add"])
    assert run.is_finished


def test_a_run_that_is_about_one_item_ignores_the_others() -> None:
    run = RunState("b", "default", GRAPH, only=frozenset({1}))
    run.enqueued([1])
    assert apply(run, item_event("queue_item_status_changed", status_payload("in_progress", 2))) == []
    assert run.snapshot.facts.item_ids == (1,)


def test_records_of_unknown_items_change_nothing() -> None:
    run = many(2)
    assert run.apply_snapshot(summary("completed", item_id=9)) == []
    assert run.apply_gone(9) == []
    assert run.snapshot.facts.item_ids == (1, 2)


def test_totals_are_what_counting_would_give() -> None:
    """Whatever happens in whatever order, the snapshot is what its items are."""
    choose = random.Random(7)
    for _ in range(20):
        run = RunState("b", "default", GRAPH)
        run.enqueued(range(1, 7))
        events = [item_event(*message) for item_id in range(1, 7) for message in messages(item_id)]
        choose.shuffle(events)
        for event in events[: choose.randrange(len(events))]:
            apply(run, event)
        views = [item.view for item in run.items.values()]
        started = any(view.status != "pending" for view in views)
        shares = [item.progress[0] for item in run.items.values()]
        assert run.snapshot.progress_percentage == pytest.approx(sum(shares) / 6, abs=0.1)
        if not run.is_finished:
            assert run.snapshot.facts.status == ("in_progress" if started else "pending")
        made = {output.item_id for output in run.view().outputs}
        assert made == {item_id for item_id, item in run.items.items() if item.outputs}


def test_a_run_of_one_item_shows_what_its_item_is() -> None:
    run = RunState("b", "default", GRAPH)
    run.enqueued([1], expected=1)
    for name in ("in_progress", "waiting"):
        apply(run, item_event("queue_item_status_changed", status_payload(name, 1)))
        assert run.view().status == name
    apply(run, item_event("queue_item_status_changed", status_payload("canceled", 1, completed_at="t")))
    assert (run.view().status, run.view().completed_at) == ("canceled", "t")


def test_the_work_for_the_items_of_a_batch_grows_with_their_number_only() -> None:
    def seconds_for(count: int) -> float:
        state = RunState("b", "default", GRAPH, has_gap=False)
        began = time.process_time()
        state.enqueued(range(1, count + 1))
        return time.process_time() - began

    few, many = min(seconds_for(2_000) for _ in range(3)), min(seconds_for(50_000) for _ in range(2))
    # 25 times as many items: quadratic work would take 625 times as long.
    assert many < 150 * few


def test_a_full_record_of_an_item_that_runs_is_news_although_nothing_was_missed() -> None:
    run = started()
    assert types(run.apply_snapshot(record("in_progress"))) == ["queue_item_status_changed"]
    assert run.view().status == "in_progress"


def test_a_report_that_says_nothing_new_is_not_an_event() -> None:
    run = started()
    report = node("invocation_progress", "a", percentage=0.5, message="")
    assert types(apply(run, report)) == ["generator_progress"]
    assert apply(run, report) == []
    assert types(apply(run, node("invocation_progress", "a", percentage=0.75, message=""))) == ["generator_progress"]


def test_an_item_whose_node_runs_is_in_progress_although_its_status_was_not_heard() -> None:
    run = started()
    apply(run, status("pending", 0))
    assert run.view().session_id == "s"
    apply(run, node("invocation_started", "a"))
    assert run.view().status == "in_progress"


def test_an_item_lacks_the_output_of_one_of_several_iterations() -> None:
    edges = [
        {"source": {"node_id": "r", "field": "collection"}, "destination": {"node_id": "i", "field": "collection"}},
        {"source": {"node_id": "i", "field": "item"}, "destination": {"node_id": "a", "field": "a"}},
    ]
    kinds = {"r": "range", "i": "iterate", "a": "add"}
    run = RunState(
        "b", "default", graph={"nodes": {key: {"type": kind} for key, kind in kinds.items()}, "edges": edges}
    )
    run.enqueued([1])
    apply(run, status("in_progress", 1))
    for node_id, prepared, result in (
        ("r", "r1", {"collection": [1, 2]}),
        ("i", "i1", {"item": 1}),
        ("i", "i2", {"item": 2}),
        ("a", "a1", {"value": 1}),
    ):
        invocation = {"id": prepared, "type": kinds[node_id]}
        apply(run, node("invocation_complete", node_id, invocation=invocation, result=result))
    apply(run, status("completed", 2))
    assert run.lacking_details() == [1]


def test_the_boards_of_a_run_are_known_before_it_has_items() -> None:
    graph = {"nodes": {"a": {"type": "l2i", "board": {"board_id": "cats"}}, "b": {"type": "l2i"}}, "edges": []}
    assert RunState("b", "default", graph).view().boards == {"a": "cats"}


def test_a_run_of_one_item_that_gets_another_shows_the_mean_of_both_and_does_not_go_back() -> None:
    run = started(nodes="a")
    apply(run, node("invocation_progress", "a", percentage=0.6))
    assert run.view().progress_percentage == pytest.approx(60)
    run.enqueued([2])
    assert run.view().progress_percentage == pytest.approx(60)
    apply(run, node("invocation_progress", "a", item_id=2, percentage=0.75))
    view = run.view()
    assert view.progress_percentage == pytest.approx(67.5)
    assert (view.current_step, view.total_steps) == (3, 4)


def test_progress_counts_from_the_report_after_the_graph_became_known() -> None:
    run = RunState("b", "default", graph=None)
    run.enqueued([1])
    apply(run, node("invocation_progress", "a", percentage=0.25))
    assert run.view().progress_percentage == 0
    run.learned_graph({"nodes": {"a": {"type": "add"}}, "edges": []})
    apply(run, node("invocation_progress", "a", percentage=0.5))
    assert run.view().progress_percentage == pytest.approx(50)


def test_an_item_that_has_completed_is_at_100_although_its_outputs_may_be_incomplete() -> None:
    run = started(has_gap=True)
    apply(run, node("invocation_progress", "a", percentage=0.5))
    apply(run, status("completed"))
    view = run.view()
    assert (view.status, view.progress_percentage, run.is_finished) == ("completed", 100, False)
