"""What notebooks show, on light and on dark pages, and with values that would be markup."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page
from tests.browser.conftest import PHOTOGRAPH, OpenPage

from invokeai_py_client import QueueItem
from invokeai_py_client.notebook.elements import Html, Picture
from invokeai_py_client.notebook.views import batch_view, inputs_view, plan_view, run_view

HOSTILE = "</td></div><script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
LONG = "a cup of coffee, " * 40


def photograph() -> bytes:
    with Image.open(PHOTOGRAPH) as image:
        image.thumbnail((256, 256))
        content = io.BytesIO()
        image.save(content, format="WEBP")
    return content.getvalue()


def item(status: str, **facts: object) -> QueueItem:
    return QueueItem(item_id=1, batch_id="b", queue_id="default", status=status, **facts)  # type: ignore[arg-type]


def views() -> list[Html]:
    shown = Picture(photograph(), "image/webp", HOSTILE, width=128)
    running = item("in_progress", progress_percentage=60.0, current_step=12, total_steps=20)
    failed = item(
        "failed",
        progress_percentage=40.0,
        error=f"OutOfMemoryError: {HOSTILE}",
        error_traceback=f"Traceback:\n  {HOSTILE}",
        error_node_id="denoise",
        error_node_type="denoise_latents",
    )
    done = item(
        "completed",
        progress_percentage=100.0,
        started_at="2026-11-27 04:00:00.500",
        completed_at="2026-11-27 04:00:04.700",
    )
    counts = {"pending": 5, "in_progress": 1, "completed": 14, "failed": 3, "canceled": 1, "invalid": 0}
    return [
        run_view(running, message="Denoising", shown=[Picture(photograph(), "image/webp", width=256)]),
        run_view(failed),
        run_view(done, shown=[shown._replace(caption=f"images[{n}]", width=None) for n in range(2)]),
        batch_view(
            counts,
            progress=77.0,
            eta=42.0,
            failures=[("OutOfMemoryError: CUDA out of memory", 2), (HOSTILE, 1)],
            shown=[shown, *[shown._replace(caption=f"{n}: a cup of coffee, {n}") for n in range(11)]],
            note="No longer updated. The batch continues to run.",
        ),
        plan_view(
            HOSTILE,
            "24 rows, 1 model loaded, about 3 min on this server",
            axes=[("Positive Prompt", 500, [LONG, HOSTILE]), ("Steps", 2, ["8", "20"])],
            columns=["#", "Positive Prompt", "Steps", "seed"],
            rows=[["0", LONG, "8", "7"], ["1", HOSTILE, "20", "7"]],
            total=24,
            problems=[f"row 3, 'Steps': {HOSTILE}"],
        ),
        inputs_view(HOSTILE, ["#", "Input", "Current"], [["0", "Positive Prompt", LONG], ["1", "x" * 500, HOSTILE]]),
    ]


@pytest.mark.parametrize(
    ("background", "colour"),
    [("white", "rgb(17, 17, 17)"), ("#111111", "rgb(238, 238, 238)")],
    ids=["light", "dark"],
)
def test_views_take_the_colours_of_the_page_and_nothing_in_them_runs(
    background: str, colour: str, tmp_path: Path, open_page: OpenPage, screenshot: Callable[[Page], None]
) -> None:
    style = f"background:{background};color:{colour};font:14px sans-serif"
    cells = "".join(f'<section style="margin:16px">{view}</section>' for view in views())
    path = tmp_path / "views.html"
    path.write_text(f'<!doctype html><meta charset="utf-8"><title>views</title><body style="{style}">{cells}')
    page = open_page(path, width=800, height=1600)
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
    screenshot(page)
    assert page.title() == "views"
    assert page.locator("script").count() == 0
    assert page.locator("img").count() == 1 + 2 + 12
    assert page.locator("img").evaluate_all("all => all.every(one => one.naturalWidth > 0)")
    colours = page.locator("section *").evaluate_all("all => [...new Set(all.map(one => getComputedStyle(one).color))]")
    assert colours == [colour]
    too_wide = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).length"
    assert page.locator("section").evaluate_all(too_wide) == 0
