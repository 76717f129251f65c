"""What `jobs watch` knows of a queue, and how it is drawn in little or much room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from invokeai_py_client.cli.queue_view import QueueView, screen_lines
from invokeai_py_client.wire.events import Event, Reconnected, decode
from invokeai_py_client.wire.records.queue import QueueItemSummary


def counts(**known: int) -> dict[str, int]:
    return {**dict.fromkeys(("pending", "in_progress", "completed", "failed", "canceled"), 0), **known}


def changed(item_id: int, status: str, batch: str = "batch-a", **more: Any) -> Event:
    payload = {"item_id": item_id, "batch_id": batch, "status": status, "session_id": "s", **more}
    return decode("queue_item_status_changed", payload)


def progress(item_id: int, percentage: float, batch: str = "batch-a") -> Event:
    node = {"id": "p", "type": "denoise_latents", "steps": 20}
    return decode(
        "invocation_progress",
        {
            "item_id": item_id,
            "batch_id": batch,
            "session_id": "s",
            "invocation": node,
            "invocation_source_id": "n",
            "message": "Denoising",
            "percentage": percentage,
        },
    )


def items(*statuses: str) -> list[QueueItemSummary]:
    """The items of batch-a, the newest first."""
    return [
        QueueItemSummary(item_id=number, status=status, batch_id="batch-a")  # type: ignore[arg-type]
        for number, status in enumerate(statuses, 1)
    ][::-1]


@pytest.fixture
def view() -> QueueView:
    view = QueueView("http://127.0.0.1:9090", "default")
    view.load(items("completed", "in_progress", "pending"), 0.0)
    view.set_status(counts(pending=1, in_progress=1, completed=1), is_paused=False)
    return view


@dataclass
class Run:
    progress: float


def test_what_is_loaded_is_shown(view: QueueView) -> None:
    lines = screen_lines(view, 80, 12, 0.0)
    assert lines[0].startswith("http://127.0.0.1:9090  queue default")
    assert lines[1].split() == ["1", "pending", "1", "in_progress", "1", "completed", "0", "failed"]
    assert lines[3].startswith("#2 ")
    assert lines[5].split() == ["batch-a", "###-------", "1/3", "in_progress"]
    assert len(lines) == 12
    assert lines[-1] == "q quits. What runs goes on."


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (10, 2), (59, 40), (200, 9), (80, 24), (300, 60)])
def test_it_fits_whatever_room_there_is(view: QueueView, size: tuple[int, int]) -> None:
    width, height = size
    for number in range(200):
        view.apply(changed(10 + number, "in_progress", f"batch-{number} äöü 漢字" * 3), 1.0)
        view.apply(progress(10 + number, 0.5), 1.0)
    view.apply(changed(10, "failed", "batch-0", error_message="it broke\x1b[2J " * 30), 2.0)
    for lost in (None, 0.0):
        view.lost_at = lost
        lines = screen_lines(view, width, height, 3.0)
        assert 1 <= len(lines) <= height
        assert all(len(line) <= width for line in lines)
        assert "\x1b" not in "".join(lines)


def test_in_twenty_columns_the_essence_is_there(view: QueueView) -> None:
    view.apply(progress(2, 0.45), 0.0)
    assert screen_lines(view, 20, 5, 0.0) == ["1 run 1 wait", "#2 45% denoise_late…", "batch-a 1/3 running"]
    view.lost_at = 0.0
    assert screen_lines(view, 20, 5, 75.0)[0] == "no server, 75 s"


def test_events_of_other_programs_change_it(view: QueueView) -> None:
    enqueued = decode("batch_enqueued", {"batch_id": "batch-b", "enqueued": 4, "requested": 4, "priority": 0})
    assert view.apply(enqueued, 1.0) is False
    # Told again of what was loaded meanwhile, it is not counted twice.
    assert view.apply(enqueued, 1.0) is False
    assert (view.counts["pending"], view.jobs["batch-b"].total) == (5, 4)
    queue = counts(pending=3, in_progress=1, completed=2, failed=1)
    batch = counts(pending=2, in_progress=1, failed=1)
    ended = changed(7, "failed", "batch-b", error_message="boom", queue_status=queue, batch_status=batch)
    assert view.apply(ended, 2.0) is False
    lines = screen_lines(view, 100, 12, 2.0)
    assert "3 pending   1 in_progress   2 completed   1 failed" in lines[1]
    assert lines[5].split() == ["batch-b", "##--------", "1/4", "in_progress", "1", "failed", "boom"]


@pytest.mark.parametrize(
    "event",
    [
        changed(2, "completed"),
        decode("queue_cleared", {}),
        decode("queue_items_canceled", {"canceled_item_ids": [2]}),
        decode("queue_items_retried", {"retried_item_ids": [2]}),
        Reconnected(seconds=3.0),
    ],
)
def test_what_an_event_does_not_tell_is_loaded_again(view: QueueView, event: Event) -> None:
    assert view.apply(event, 1.0) is True


def test_an_error_stays_when_the_items_are_loaded_again(view: QueueView) -> None:
    whole: dict[str, Any] = {"queue_status": counts(), "batch_status": counts(failed=3)}
    view.apply(changed(2, "failed", error_message="boom", **whole), 1.0)
    view.load(items("failed", "failed", "failed"), 2.0)
    assert "boom" in "\n".join(screen_lines(view, 100, 12, 2.0))


def test_the_time_left_follows_from_what_was_seen(view: QueueView) -> None:
    (running,) = view.unfollowed(0.5, 0.5)
    running.run = Run(10.0)
    assert view.unfollowed(9.0, 0.5) == []
    assert "~" not in "\n".join(screen_lines(view, 80, 12, 10.0))
    running.run.progress = 30.0
    assert "30%" in screen_lines(view, 80, 12, 14.0)[3]
    assert "~14 s" in screen_lines(view, 80, 12, 14.0)[3]
    view.lost_at = 14.0
    assert "~" not in "\n".join(screen_lines(view, 80, 12, 15.0))


def test_the_time_left_of_all_follows_from_the_last_ends(view: QueueView) -> None:
    queue: dict[str, Any] = {
        "queue_status": counts(pending=5, completed=2),
        "batch_status": counts(pending=5, completed=2),
    }
    for number in range(3):
        view.apply(changed(20 + number, "in_progress"), 100.0 + 4 * number)
        view.apply(changed(20 + number, "completed", **queue), 104.0 + 4 * number)
    assert "about 20 s left" in screen_lines(view, 80, 12, 112.0)[0]
    view.set_status(counts(pending=1400), is_paused=False)
    assert "about 93 min left" in screen_lines(view, 80, 12, 112.0)[0]
    view.set_status(counts(pending=5000), is_paused=False)
    assert "about 5 h left" in screen_lines(view, 80, 12, 112.0)[0]


def test_a_paused_queue_says_so(view: QueueView) -> None:
    view.set_status(counts(pending=1), is_paused=True)
    assert screen_lines(view, 80, 12, 0.0)[0].endswith("  paused")
    assert screen_lines(view, 20, 5, 0.0)[0] == "paused 0 run 1 wait"


def test_an_empty_queue_is_told_from_one_that_is_not_known_yet() -> None:
    view = QueueView("http://127.0.0.1:9090", "default")
    assert "loading" in screen_lines(view, 80, 12, 0.0)
    view.load([], 0.0)
    assert "Nothing was submitted yet." in screen_lines(view, 80, 12, 0.0)
