"""Whatever order, repetition or loss the network makes of an item's story, its end is the same."""

from __future__ import annotations

import copy
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.live import apply, item_event

from invokeai_py_client.live.state.run_state import RunState
from invokeai_py_client.wire.events import ItemEvent, ProgressReport
from invokeai_py_client.wire.records.queue import QueueItemRecord

NODES = ("a", "b", "c")


def story(end: str) -> list[ItemEvent | ProgressReport]:
    head: dict[str, Any] = {"queue_id": "default", "item_id": 1, "batch_id": "b", "session_id": "s"}

    def invocation(node: str) -> dict[str, Any]:
        return {**head, "invocation_source_id": node, "invocation": {"id": f"{node}-1", "type": "add"}}

    error = {"error_type": "E", "error_message": "m", "error_traceback": "t"}
    told = [item_event("queue_item_status_changed", {**head, "status": "in_progress", "status_sequence": 1})]
    for node in NODES:
        told.append(item_event("invocation_started", invocation(node)))
        told.append(item_event("invocation_progress", {**invocation(node), "percentage": 0.5, "message": ""}))
        told.append(item_event("invocation_complete", {**invocation(node), "result": {"value": node}}))
    last = {**head, "status": end, "status_sequence": 2, **(error if end == "failed" else {})}
    told.append(item_event("queue_item_status_changed", last))
    if end == "failed":
        told.append(item_event("invocation_error", {**invocation("c"), **error}))
    return told


def full_record(end: str) -> QueueItemRecord:
    failed = end == "failed"
    return QueueItemRecord.model_validate(
        {
            "item_id": 1,
            "status": end,
            "batch_id": "b",
            "queue_id": "default",
            "session_id": "s",
            "error_type": "E" if failed else None,
            "error_message": "m" if failed else None,
            "error_traceback": "t" if failed else None,
            "session": {
                "results": {f"{node}-1": {"value": node} for node in NODES},
                "prepared_source_mapping": {f"{node}-1": node for node in NODES},
                "errors": {"c-1": "E: m"} if failed else {},
                "execution_graph": {"nodes": {f"{node}-1": {"type": "add"} for node in NODES}},
            },
        }
    )


@given(
    end=st.sampled_from(["completed", "failed", "canceled"]),
    seed=st.integers(0, 2**32),
    drop=st.floats(0, 1),
    repeat=st.floats(0, 1),
    shuffle=st.booleans(),
    record_at=st.floats(0, 1),
)
def test_the_end_is_the_same_however_it_is_learned(
    end: str, seed: int, drop: float, repeat: float, shuffle: bool, record_at: float
) -> None:
    choose = random.Random(seed)
    run = RunState("b", "default", graph={"nodes": {key: {"type": "add"} for key in "abc"}, "edges": []}, has_gap=True)
    run.enqueued([1])
    events = [event for event in story(end) if choose.random() >= drop]
    events += [event for event in events if choose.random() < repeat]
    if shuffle:
        choose.shuffle(events)
    before = copy.deepcopy(events)
    seen: list[str] = []
    progress = [0.0]
    place = int(record_at * len(events))
    for event in [*events[:place], None, *events[place:]]:
        told = apply(run, event) if event is not None else run.apply_snapshot(full_record(end))
        seen += [str(one["type"]) for one in told]
        progress.append(run.view().progress_percentage)
    assert run.is_finished
    view = run.view()
    assert view.status == end
    assert sorted(output.result["value"] for output in view.outputs) == list(NODES)
    assert (view.error, view.error_node_id) == (("E: m", "c") if end == "failed" else (None, None))
    assert seen.count("session_complete") == 1
    assert seen[-1] == "session_complete"
    assert seen.count("invocation_complete") == len(NODES), "each output is told once, by an event or from the record"
    assert seen.count("invocation_error") == (end == "failed")
    assert progress == sorted(progress)
    assert (progress[-1] == 100) == (end == "completed")
    # Others may see the same events.
    assert events == before


@given(end=st.sampled_from(["completed", "failed", "canceled"]), repeats=st.lists(st.integers(1, 3), min_size=13))
def test_without_a_gap_events_alone_tell_the_whole_story(end: str, repeats: list[int]) -> None:
    run = RunState("b", "default", graph={"nodes": {key: {"type": "add"} for key in "abc"}, "edges": []})
    run.enqueued([1])
    seen: list[str] = []
    for event, times in zip(story(end), repeats, strict=False):
        for _ in range(times):
            seen += [str(one["type"]) for one in apply(run, event)]
    assert run.is_finished
    assert seen[-1] == "session_complete"
    assert seen.count("session_complete") == 1
    assert seen.count("invocation_complete") == 3
