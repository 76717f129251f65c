"""The documentation site in a browser, opened from disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.browser.conftest import OpenPage


def test_search_works_from_disk(site: Path, open_page: OpenPage) -> None:
    page = open_page(site / "index.html")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").fill("create_board")
    page.get_by_role("option", name="create_board").first.click()
    page.wait_for_url("**/reference/boards.html**")
    assert [url for url in requests if url.startswith("http")] == []


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", ["index", "running", "command-line", "errors", "reference/boards"])
def test_a_page_is_as_wide_as_the_screen(site: Path, open_page: OpenPage, name: str, width: int) -> None:
    page = open_page(site / f"{name}.html", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").first.is_visible()
