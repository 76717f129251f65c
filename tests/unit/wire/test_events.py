from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from tests.support.live import message

from invokeai_py_client.wire.events import (
    BulkChange,
    GeneratorProgress,
    InvocationComplete,
    InvocationError,
    InvocationStarted,
    ItemEvent,
    ProgressReport,
    QueueItemStatusChanged,
    UnknownEvent,
    decode,
    read_event,
    with_text,
)

ITEM = {"queue_id": "default", "item_id": 3, "batch_id": "b", "timestamp": 1}
NODE = {"id": "prepared", "type": "denoise_latents", "steps": 8, "denoising_start": 0, "denoising_end": 1}
INVOCATION = {**ITEM, "session_id": "s", "invocation": NODE, "invocation_source_id": "node"}


def test_progress_becomes_steps() -> None:
    event = decode("invocation_progress", {**INVOCATION, "percentage": 0.5, "message": "Denoising", "image": None})
    assert isinstance(event, GeneratorProgress)
    assert event["type"] == "generator_progress"
    assert (event["step"], event["total_steps"], event["progress_percentage"]) == (4, 8, 50.0)
    assert (event.node_id, event.invocation_id, event.message) == ("node", "prepared", "Denoising")
    assert event.raw["percentage"] == 0.5


@pytest.mark.parametrize(
    ("node", "percentage", "step", "total"),
    [
        ({"steps": 10, "denoising_start": 0.5, "denoising_end": 1}, 0.2, 1, 5),
        ({"steps": 10, "denoising_start": 0.99, "denoising_end": 1}, 1.0, 1, 1),
        ({"steps": 10, "denoising_start": 1, "denoising_end": 0}, 1.0, 10, 10),
        ({}, 0.4, 0, 0),
        ({"steps": "many"}, 0.4, 0, 0),
        ({"steps": 10}, None, 0, 0),
        ({"steps": 4}, 1.7, 4, 4),
    ],
)
def test_steps_follow_from_the_nodes_own(node: dict[str, Any], percentage: float | None, step: int, total: int) -> None:
    payload = {**INVOCATION, "invocation": {"id": "p", "type": "t", **node}, "percentage": percentage, "message": ""}
    event = decode("invocation_progress", payload)
    assert isinstance(event, GeneratorProgress)
    assert (event.step, event.total_steps) == (step, total)


def test_progress_of_unknown_extent_gives_the_default() -> None:
    event = decode("invocation_progress", {**INVOCATION, "percentage": None, "message": "Loading"})
    assert event.get("progress_percentage", 0) == 0
    assert event["progress_percentage"] is None


def read_progress(image: Any = None, **more: Any) -> ProgressReport:
    payload = {**INVOCATION, "percentage": 0.5, "message": "Denoising", "image": image, **more}
    report = read_event("invocation_progress", payload, message("invocation_progress", payload))
    assert isinstance(report, ProgressReport)
    return report


PICTURE = {"dataURL": "data:image/png;base64,aGk=", "width": 8, "height": 8}


@pytest.mark.parametrize("image", [None, PICTURE, {"dataURL": 5}, {"dataURL": "Denoising"}, 7])
def test_what_is_read_on_demand_is_what_is_read_at_once(image: Any) -> None:
    at_once = decode("invocation_progress", {**INVOCATION, "percentage": 0.5, "message": "Denoising", "image": image})
    assert isinstance(at_once, GeneratorProgress)
    for name in at_once:
        # Each name is the first one that is asked for.
        assert read_progress(image).event()[name] == at_once[name]
    event = read_progress(image).event((12.5, 3, 9))
    assert {**event} == {**at_once, "overall_percentage": 12.5, "step": 3, "total_steps": 9}
    assert repr(event) == repr(replace(at_once, overall_percentage=12.5, step=3, total_steps=9))


def test_what_is_read_on_demand_can_be_copied_compared_and_pickled() -> None:
    event = read_progress(PICTURE).event((12.5, 3, 9))
    for same in (copy.copy(event), copy.deepcopy(event), pickle.loads(pickle.dumps(event)), replace(event)):
        assert same == event
        assert same.preview == event.preview is not None
    with pytest.raises(FrozenInstanceError):
        event.step = 4  # type: ignore[misc]
    with pytest.raises(AttributeError, match="has no attribute 'stepp'"):
        event.stepp  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("name", "more"),
    [
        (
            "queue_item_status_changed",
            {"status": "failed", "error_type": "E", "error_message": "m", "status_sequence": 2},
        ),
        ("invocation_started", {}),
        ("invocation_complete", {"result": {"type": "latents_output"}, "image": "no picture"}),
        ("invocation_error", {"error_type": "E", "error_message": "m", "error_traceback": "t"}),
    ],
)
def test_an_event_that_is_kept_as_text_reads_the_same(name: str, more: dict[str, Any]) -> None:
    payload = {**INVOCATION, **more}
    read = read_event(name, payload, message(name, payload))
    at_once = decode(name, payload)
    assert isinstance(read, ItemEvent)
    for attribute in at_once:
        assert with_text(read)[attribute] == at_once[attribute]
    assert with_text(read) == read == at_once
    again = with_text(with_text(read))
    assert pickle.loads(pickle.dumps(again)) == copy.copy(again) == at_once
    assert again.type == at_once.type


def test_a_change_of_an_event_that_is_kept_as_text_stays() -> None:
    read = read_event("invocation_started", INVOCATION, message("invocation_started", INVOCATION))
    assert isinstance(read, InvocationStarted)
    kept = with_text(read, overall_percentage=12.5)
    assert (kept.raw, kept.overall_percentage, read.overall_percentage) == (INVOCATION, 12.5, 0.0)
    assert with_text(kept, overall_percentage=25.0).overall_percentage == 25.0


def test_an_event_of_no_message_is_copied_as_it_is() -> None:
    made = InvocationStarted(item_id=1, batch_id="b", node_id="n", invocation_id="n-1", node=NODE, recovered=True)
    assert with_text(made, overall_percentage=12.5) == replace(made, overall_percentage=12.5)


def test_the_text_of_a_report_is_kept_without_the_picture() -> None:
    assert len(read_progress({**PICTURE, "dataURL": "data:image/png;base64," + "aGk=" * 5000}).text) < 1000


def test_the_other_events_have_their_types() -> None:
    started = decode("invocation_started", INVOCATION)
    assert isinstance(started, InvocationStarted)
    assert started["node"]["type"] == "denoise_latents"
    complete = decode("invocation_complete", {**INVOCATION, "result": {"type": "latents_output"}})
    assert isinstance(complete, InvocationComplete)
    assert complete.result["type"] == "latents_output"
    failed = decode("invocation_error", {**INVOCATION, "error_type": "E", "error_message": "m", "error_traceback": "t"})
    assert isinstance(failed, InvocationError)
    assert (failed.error_type, failed.error_traceback) == ("E", "t")
    status = decode("queue_item_status_changed", {**ITEM, "status": "completed", "status_sequence": 2})
    assert isinstance(status, QueueItemStatusChanged)
    assert (status.status, status.status_sequence, status.error_type) == ("completed", 2, None)
    for name in ("queue_cleared", "queue_items_canceled", "queue_items_retried"):
        bulk = decode(name, {"queue_id": "default"})
        assert isinstance(bulk, BulkChange)
        assert bulk.type == name


def test_an_event_also_reads_what_the_server_sent_beside() -> None:
    event = decode("invocation_started", {**INVOCATION, "origin": "workflows"})
    assert event["origin"] == "workflows"
    assert "origin" in event
    assert dict(event)["batch_id"] == "b"
    assert event.get("nothing", 5) == 5
    with pytest.raises(KeyError):
        event["nothing"]


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"item_id": "x", "batch_id": 1}, {**ITEM, "invocation": 5}])
def test_what_cannot_be_read_is_unknown_and_never_an_error(payload: Any) -> None:
    for name in ("invocation_progress", "queue_item_status_changed", "invocation_error"):
        for event in (decode(name, payload), read_event(name, payload, message(name, payload))):
            assert isinstance(event, UnknownEvent)
            assert event.fault
    assert isinstance(decode("model_load_started", {"queue_id": "q"}), UnknownEvent)
