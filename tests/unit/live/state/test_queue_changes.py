"""What a watcher of a queue is told of what the server pushes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from invokeai_py_client.live.state.queue_changes import changes_in
from invokeai_py_client.wire.events import Event, QueueItemStatusChanged, decode

QUEUE = {"queue_id": "default", "timestamp": 1}


def batches_of(item_ids: Collection[int]) -> Mapping[int, str]:
    return {2: "mine"} if 2 in item_ids else {}


def told(name: str, **payload: object) -> list[Event]:
    return changes_in(decode(name, {**QUEUE, **payload}), batches_of)


def test_items_canceled_in_bulk_are_told_one_by_one() -> None:
    changes = told("queue_items_canceled", canceled_item_ids=[1, 2])
    assert all(isinstance(change, QueueItemStatusChanged) for change in changes)
    seen = [(change["item_id"], change["batch_id"], change["status"], change.type) for change in changes]
    assert seen == [
        (1, "", "canceled", "queue_item_status_changed"),
        (2, "mine", "canceled", "queue_item_status_changed"),
    ]
    assert {(change.queue_id, change.timestamp) for change in changes} == {("default", 1)}
    assert [change["canceled_item_ids"] for change in changes] == [[1, 2], [1, 2]], "what the server sent is kept"


def test_what_names_no_item_is_told_as_it_is() -> None:
    (retried,) = told("queue_items_retried", retried_item_ids=[7])
    assert (retried.type, retried["item_ids"]) == ("queue_items_retried", (7,))
    (enqueued,) = told("batch_enqueued", batch_id="b", enqueued=2, requested=3, priority=1)
    assert [enqueued[name] for name in ("type", "batch_id", "enqueued", "requested", "priority")] == [
        "batch_enqueued",
        "b",
        2,
        3,
        1,
    ]
    assert [change.type for change in told("queue_cleared", user_id=None)] == ["queue_cleared"]
    assert [change.type for change in told("queue_items_canceled", canceled_item_ids=[])] == ["queue_items_canceled"]


def test_the_rest_is_no_change_of_the_queue() -> None:
    assert told("model_load_started") == []
    assert told("invocation_started", item_id="?") == []
