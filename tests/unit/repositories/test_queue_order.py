"""In which order pending items run, and when."""

from __future__ import annotations

from invokeai_py_client.repositories.queue_order import Durations, Waiting, first_come, in_turns, seconds_until
from invokeai_py_client.wire.records import QueueItemSummary


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


def test_the_time_until_its_turn() -> None:
    durations = Durations([took(4, "b"), took(2, "b"), took(30, "c"), took(50, "d", "failed")])
    assert durations.of("b") == 3
    assert durations.of("new") == 12
    assert seconds_until(["b", "c"], [("b", 1.0)], durations) == 3 + 30 + 2
    assert seconds_until([], [("b", 99.0)], durations) == 0
    assert seconds_until([], [], Durations([])) == 0
    assert seconds_until(["b"], [], Durations([])) is None
