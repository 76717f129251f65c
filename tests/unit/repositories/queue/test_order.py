"""In which order pending items run, and when."""

from __future__ import annotations

import pytest

from invokeai_py_client.live.workloads import Workloads
from invokeai_py_client.repositories.queue.order import (
    Durations,
    Waiting,
    consecutive,
    first_come,
    in_turns,
    last_served,
    seconds_until,
)
from invokeai_py_client.wire.records.queue import QueueItemSummary


def ids(waiting: list[Waiting], last_served: tuple[str, ...] = ()) -> list[int]:
    return [item.item_id for item in in_turns(waiting, last_served)]


def item(item_id: int, user: str = "system", priority: int = 0) -> Waiting:
    return Waiting(item_id, f"b{item_id}", user, priority)


def took(seconds: int, batch_id: str, status: str = "completed") -> QueueItemSummary:
    return QueueItemSummary.model_validate(
        {
            "item_id": 1,
            "status": status,
            "batch_id": batch_id,
            "started_at": "2026-01-01 10:00:00.000",
            "completed_at": f"2026-01-01 10:00:{seconds:02}.000",
        }
    )


def test_priority_goes_before_age() -> None:
    waiting = [item(3, priority=1), item(1), item(2, "ann", priority=2)]
    assert [item.item_id for item in first_come(waiting)] == [2, 3, 1]


def test_users_take_turns_whatever_the_priorities() -> None:
    waiting = [item(1, "ann", 5), item(2, "ann", 5), item(3, "bob"), item(4, "bob"), item(5, "cy")]
    assert ids(waiting) == [1, 3, 5, 2, 4]
    assert ids(waiting, ("ann", "bob")) == [5, 1, 3, 2, 4]


KINDS = {"b": "blur", "b2": "blur", "b3": "blur", "c": "upscale", "x": "other"}


def test_the_time_until_its_turn_is_the_median_of_what_is_most_like_it() -> None:
    durations = Durations(
        [took(4, "b"), took(2, "b"), took(59, "b"), took(30, "c"), took(50, "d", "failed"), took(8, "b2")], KINDS.get
    )
    assert durations.of("b") == 4, "its own batch"
    assert durations.of("b3") == 6, "its kind: 2, 4, 8, 59"
    assert durations.of("x") == durations.of("unknown") == 8, "any: 2, 4, 8, 30, 59"
    assert seconds_until(["b", "c"], [("b", 1.0)], durations) == 4 + 30 + 3


def test_what_has_run_longer_than_anything_like_it_is_not_foretold() -> None:
    durations = Durations([took(4, "b"), took(2, "b"), took(30, "c")], KINDS.get)
    assert seconds_until(["b"], [("b", 3.5)], durations) == 3.0
    assert seconds_until(["b"], [("b", 4.5)], durations) is None


def test_the_time_is_a_float_or_nothing() -> None:
    nothing = Durations([], KINDS.get)
    at_once = seconds_until([], [], nothing)
    assert (at_once, type(at_once)) == (0.0, float)
    assert seconds_until(["b"], [], nothing) is None
    assert seconds_until([], [("b", 1.0)], nothing) is None


def test_who_was_served_longest_ago_comes_first() -> None:
    def served(item_id: int, user: str, minute: int | None) -> QueueItemSummary:
        began = None if minute is None else f"2026-01-01 10:{minute:02}:00.000"
        return QueueItemSummary(item_id=item_id, status="completed", batch_id="b", user_id=user, started_at=began)

    items = [served(4, "ann", None), served(3, "bob", 2), served(2, "ann", 5), served(1, "bob", 4)]
    assert last_served(items) == ["bob", "ann"]


def test_items_that_were_enqueued_together() -> None:
    items = [(7, "b"), (1, "a"), (2, "a"), (3, "b"), (4, "b"), (6, "b")]
    assert consecutive(items) == [[1, 2], [3, 4], [6, 7]]
    assert consecutive([]) == []


def test_kinds_are_remembered_of_the_latest_batches_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_py_client.live.workloads.REMEMBERED", 2)
    workloads = Workloads()
    for batch_id in ("a", "b", "a", "c"):
        workloads.remember(batch_id, {"nodes": {"1": {"type": "add"}, "2": {"type": "add"}, "3": {"type": "blur"}}})
    assert [workloads.of(batch_id) for batch_id in "abc"] == [{"add", "blur"}, None, {"add", "blur"}]
    odd: object
    for odd in (None, [], {"nodes": []}, {}):
        workloads.remember("odd", odd)
    assert workloads.of("odd") is None
