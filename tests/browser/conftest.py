"""The page of a batch in headless Chromium, opened from disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page, sync_playwright
from tests.programs import browser_path

from invokeai_py_client import Axis, ReportPage

PHOTOGRAPH = Path(__file__).parents[1] / "data" / "photograph" / "coffee.jpg"
SCREENSHOTS = Path(__file__).parents[2] / "out" / "screenshots"

RADII, HUES, EDGES = (0, 2, 6), (0, 90, 180, 270), ("none", "find")
AXES = (Axis("Radius", RADII), Axis("Hue", HUES), Axis("Edges", EDGES))
FAILED, LEFT_OUT = 5, 10
"""Rows of the sweep by index: one that failed, and one that was not run."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one module. While it is there, an event loop runs in this thread: no other test can
    have one."""
    path = browser_path()
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=path) as browser:
        yield browser


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Open a page from disk. A message of an error in its console fails the test, unless `errors` is asked for."""
    contexts = []
    problems: list[str] = []

    def open_page(path: Path, *, width: int = 1600, height: int = 1000, fragment: str = "", **context: Any) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **context))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("dialog", lambda dialog: problems.append(f"a dialog: {dialog.message}"))
        page.goto(path.as_uri() + fragment)
        return page

    yield open_page
    for context in contexts:
        context.close()
    if request.node.get_closest_marker("expects_errors") is None:
        assert problems == []


def sweep_row(folder: Path, photograph: Image.Image, index: int, radius: int, hue: int, edges: str) -> dict[str, Any]:
    """Make one image of a sweep as InvokeAI's image nodes would, and its row."""
    name = f"{index:05d} {radius}-{hue} #1 100%.png"
    row: dict[str, Any] = {
        "row_id": f"{index:064x}",
        "index": index,
        "values": {"Radius": radius, "Hue": hue, "Edges": edges, "Prompt": f'a "cup" of coffee, {index}'},
        "seed": 1000 + index,
        "status": "completed",
        "error": None,
        "files": [],
        "started_at": "2026-11-27 04:00:00.500",
        "completed_at": "2026-11-27 04:00:02.000",
        "server": "http://127.0.0.1:9090",
        "item_id": index + 1,
        "attempts": 1,
    }
    if index == FAILED:
        return {**row, "status": "failed", "error": "OutOfMemoryError: CUDA out of memory"}
    hues, *others = photograph.convert("HSV").split()
    turned = hues.point(lambda value: (value + hue * 256 // 360) % 256)
    image = Image.merge("HSV", (turned, *others)).convert("RGB")
    if edges == "find":
        image = image.filter(ImageFilter.FIND_EDGES)
    image.filter(ImageFilter.GaussianBlur(radius)).save(folder / name)
    return {**row, "files": [{"path": name, "sha256": "", "bytes": 0, "node": "blur"}]}


Sweep = tuple[Path, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """A finished sweep over a photograph: its page and its rows."""
    folder = tmp_path_factory.mktemp("a sweep, 100% #1?")
    page = ReportPage(
        folder, title="Blur, hue and edges of a cup of coffee", axes=AXES, total=24, workflow_name="coffee"
    )
    path = page.write()
    with Image.open(PHOTOGRAPH) as opened:
        photograph = opened.convert("RGB").resize((240, 160))
    places = [(radius, hue, edges) for edges in EDGES for hue in HUES for radius in RADII]
    rows = [sweep_row(folder, photograph, index, *place) for index, place in enumerate(places) if index != LEFT_OUT]
    for row in rows:
        page.add(row)
    page.finish()
    return path, rows


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keep a picture of what a test sees, to be looked at."""

    def screenshot(page: Page, more: str = "") -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name).strip("-")
        page.screenshot(path=SCREENSHOTS / f"{name}{more}.png")

    return screenshot
