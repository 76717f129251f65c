from __future__ import annotations

from typing import Any

import pytest
from tests.unit.notebook.test_elements import HOSTILE, Parsed

from invokeai_py_client import QueueItem
from invokeai_py_client.notebook.elements import Picture
from invokeai_py_client.notebook.views import MOST_PICTURES, batch_view, duration, inputs_view, plan_view, run_view


def item(**facts: Any) -> QueueItem:
    return QueueItem(item_id=1, batch_id="b", queue_id="default", **facts)


def test_a_run_that_waits() -> None:
    assert Parsed(run_view(item())).text == "pending"


def test_a_run_shows_what_it_does_and_its_preview() -> None:
    running = item(status="in_progress", progress_percentage=41.7, current_step=3, total_steps=8)
    preview = Picture(b"small", "image/jpeg")
    parsed = Parsed(run_view(running, items=2, message="Denoising", shown=[preview]))
    assert parsed.text == "2 items · in progress · 42 % · Denoising · step 3 of 8"
    assert parsed.tags.count("img") == 1


def test_a_run_that_has_ended_says_how_long_it_took() -> None:
    times = {"started_at": "2026-11-27 04:00:00.500", "completed_at": "2026-11-27 04:00:02"}
    done = item(status="completed", progress_percentage=100, **times)
    assert Parsed(run_view(done, note="over")).text == "completed · 1.5 sover"


@pytest.mark.parametrize("times", [("", "x"), (None, "2026-11-27 04:00:02"), ("2026-11-27T04:00:00Z", "2026-11-27")])
def test_times_that_cannot_be_read_are_left_out(times: tuple[str | None, str]) -> None:
    done = item(status="completed", started_at=times[0], completed_at=times[1])
    assert Parsed(run_view(done)).text == "completed"


def test_an_error_has_its_node_and_its_traceback_and_nothing_runs_in_the_page() -> None:
    failed = item(
        status="failed", error=HOSTILE, error_traceback=HOSTILE, error_node_id=HOSTILE, error_node_type=HOSTILE
    )
    parsed = Parsed(run_view(failed, message=HOSTILE, note=HOSTILE, shown=[Picture(b"", HOSTILE, HOSTILE)]))
    assert not {"script", "onerror"} & {*parsed.tags, *(name for name, _ in parsed.attributes)}
    assert parsed.tags.count("img") == 1
    assert parsed.text.count(HOSTILE) == 6
    assert "the server's traceback" in parsed.text
    assert "details" not in Parsed(run_view(item(status="failed", error="e"))).tags


def test_a_batch_has_counts_reasons_and_images() -> None:
    counts = {"pending": 3, "in_progress": 1, "completed": 4, "failed": 2, "canceled": 0, "invalid": 0}
    shown = [Picture(b"", "image/webp", f"row {n}") for n in range(MOST_PICTURES + 1)]
    html = batch_view(counts, progress=62, eta=12.3, failures=[(HOSTILE, 2)], shown=shown, note="a note")
    parsed = Parsed(html)
    assert "62 % of 10 rows · 3 pending · 1 in progress · 4 completed · 2 failed · about 12 s left" in parsed.text
    assert f"2{HOSTILE}" in parsed.text
    assert parsed.text.endswith("a note")
    assert parsed.tags.count("img") == MOST_PICTURES
    assert [width for width in ("40.00%", "20.00%", "2.00%") if f"width:{width}" in html] == [
        "40.00%",
        "20.00%",
        "2.00%",
    ]


def test_an_empty_batch() -> None:
    assert Parsed(batch_view({}, progress=100, eta=0.0)).text == "100 % of 0 rows"


def test_a_plan_shows_what_varies_and_its_first_rows() -> None:
    html = plan_view(
        HOSTILE,
        "1000 rows",
        axes=[("Prompt", 500, [HOSTILE, "b"]), ("Steps", 2, ["4", "8"])],
        columns=["#", "Prompt"],
        rows=[["0", HOSTILE], ["1", "x" * 300]],
        total=1000,
        problems=["row 3: bad"],
    )
    parsed = Parsed(html)
    assert "script" not in parsed.tags
    assert "498 more" in parsed.text
    assert "Steps4 · 8" in parsed.text
    assert "the first 2 of 1000 rows" in parsed.text
    assert "row 3: bad" in parsed.text
    assert "x" * 201 not in parsed.text


def test_a_plan_without_axes() -> None:
    parsed = Parsed(plan_view("w", "1 row", axes=[], columns=["#"], rows=[["0"]], total=1))
    assert parsed.text == "w1 rowthe rows#0"


def test_inputs_have_a_title_if_there_is_one() -> None:
    assert Parsed(inputs_view("T", ["a"], [["<b>"]])).text == "Ta<b>"
    assert Parsed(inputs_view("", ["a"], [["1"]])).text == "a1"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (42, "42 s"), (100, "2 min"), (7200, "2.0 h")]
)
def test_a_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
