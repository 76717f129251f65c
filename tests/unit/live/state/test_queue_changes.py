"""Which changes a watcher of a queue is told of, for each event that the server pushes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from tests.support.live import RESULT, node_payload, status_payload

from invokeai_py_client.live.state.queue_changes import changes_in
from invokeai_py_client.wire.events import Event, QueueItemStatusChanged, Reconnected, decode

QUEUE = {"queue_id": "other", "timestamp": 1}


def told(event: Event, batches: Mapping[int, str] | None = None) -> list[Event]:
    def batches_of(item_ids: Collection[int]) -> Mapping[int, str]:
        known = {1: "one", 2: "mine", 3: "three"} if batches is None else batches
        return {item_id: known[item_id] for item_id in item_ids if item_id in known}

    return changes_in(event, batches_of)


@pytest.mark.parametrize(("known", "batches"), [({2: "mine"}, ["", "mine", ""]), ({}, ["", "", ""])])
def test_items_canceled_in_bulk_are_reported_one_by_one(known: Mapping[int, str], batches: list[str]) -> None:
    event = decode("queue_items_canceled", {**QUEUE, "canceled_item_ids": [5, 2, 7]})
    assert told(event, known) == [
        QueueItemStatusChanged(
            queue_id="other",
            timestamp=1,
            raw={**QUEUE, "canceled_item_ids": [5, 2, 7]},
            item_id=item_id,
            batch_id=batch_id,
            status="canceled",
        )
        for item_id, batch_id in zip([5, 2, 7], batches, strict=True)
    ]


@pytest.mark.parametrize(
    "event",
    [
        decode("queue_item_status_changed", status_payload("failed", 2)),
        decode("batch_enqueued", {**QUEUE, "batch_id": "b", "enqueued": 2, "requested": 3, "priority": 1}),
        decode("queue_items_retried", {**QUEUE, "retried_item_ids": [2]}),
        # Those of other users are not named.
        decode("queue_items_canceled", {**QUEUE, "canceled_item_ids": []}),
        decode("queue_cleared", {**QUEUE, "user_id": None}),
        Reconnected(queue_id="default", seconds=1.0),
    ],
    ids=lambda event: event.type,
)
def test_all_else_that_changes_a_queue_is_reported_as_it_is(event: Event) -> None:
    (change,) = told(event)
    assert change is event


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("model_load_started", QUEUE),
        ("invocation_started", node_payload(2)),
        ("invocation_progress", node_payload(2, message="")),
        ("invocation_complete", node_payload(2, result=RESULT)),
        ("invocation_error", node_payload(2, error_type="E", error_message="m", error_traceback="t")),
        ("queue_item_status_changed", {"item_id": "?"}),
    ],
)
def test_the_work_on_an_item_is_not_a_change_of_the_queue(name: str, payload: Any) -> None:
    assert told(decode(name, payload)) == []
