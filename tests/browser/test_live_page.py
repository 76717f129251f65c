"""The page while its batch runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenPage

from invokeai_py_client import Axis, ReportPage
from invokeai_py_client.report import data_files


def row(index: int, status: str = "completed", **more: Any) -> dict[str, Any]:
    values = {"Steps": index}
    return {"row_id": str(index), "index": index, "values": values, "seed": 7, "status": status, "files": [], **more}


def says(page: Page, text: str) -> None:
    expect(page.locator("#progress")).to_contain_text(text, timeout=15_000)


def test_rows_appear_as_they_are_added(tmp_path: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "ROWS_IN_FILE", 2)
    files = ReportPage(tmp_path, axes=[Axis("Steps", range(5))], total=5)
    page = open_page(files.write())
    says(page, "0 of 5 rows finished, live")
    expect(page.get_by_role("gridcell", name="Steps 0, pending")).to_be_visible()
    files.add(row(0))
    says(page, "1 of 5 rows finished (1 completed), live")
    page.get_by_role("gridcell", name="Steps 0, completed").focus()
    # Over the ends of files, and what becomes of a row.
    files.add(row(1, "in_progress"))
    files.add(row(2, "failed", error="out of memory"))
    says(page, "2 of 5 rows finished (1 completed, 1 in progress, 1 failed), live")
    for index in (1, 2, 3, 4):
        files.add(row(index))
    says(page, "5 of 5 rows finished (5 completed), live")
    expect(page.get_by_role("gridcell", name="completed")).to_have_count(5)
    expect(page.get_by_role("gridcell", name="Steps 0, completed")).to_be_focused()
    files.finish()
    says(page, "ended")


def test_a_file_that_is_full_is_read_once_and_nothing_after_the_end(
    tmp_path: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "ROWS_IN_FILE", 2)
    files = ReportPage(tmp_path, total=5)
    for index in range(5):
        files.add(row(index))
    page = open_page(tmp_path / "index.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.split("/")[-1].split("?")[0]))
    for _ in range(2):
        with page.expect_request(lambda request: "rows-" in request.url):
            pass
    assert set(asked) == {"rows-00002.js"}
    files.finish()
    says(page, "ended")
    asked.clear()
    # Longer than the longest pause, in the time of the page.
    page.clock.install()
    page.clock.run_for(60_000)
    assert asked == []


def test_details_follow_their_row(tmp_path: Path, open_page: OpenPage) -> None:
    files = ReportPage(tmp_path, axes=[Axis("Steps", (0,))], total=1)
    files.add(row(0, "in_progress"))
    page = open_page(tmp_path / "index.html")
    page.get_by_role("gridcell", name="Steps 0, in progress").click()
    files.add(row(0, "failed", error="out of memory"))
    dialog = page.get_by_role("dialog", name="Row 0: failed")
    expect(dialog).to_contain_text("out of memory", timeout=15_000)


def test_a_page_that_is_started_again_is_loaded_again(tmp_path: Path, open_page: OpenPage) -> None:
    files = ReportPage(tmp_path, title="First", total=2)
    files.add(row(0))
    page = open_page(tmp_path / "index.html")
    says(page, "1 of 2")
    # As another process would, which goes on with the batch.
    again = ReportPage(tmp_path, title="Second", total=3)
    again.add(row(0))
    again.add(row(1))
    expect(page).to_have_title("Second", timeout=15_000)
    says(page, "2 of 3")


@pytest.mark.expects_errors
def test_half_a_line_is_read_again_and_damage_is_reported(tmp_path: Path, open_page: OpenPage) -> None:
    files = ReportPage(tmp_path, total=2)
    files.add(row(0))
    data = tmp_path / "report" / "rows-00000.js"
    whole = data.read_bytes()
    line = data_files.statement("row", data_files.as_json(row(1)))
    data.write_bytes(whole + line[:20])
    page = open_page(tmp_path / "index.html")
    expect(page.get_by_role("alert")).to_contain_text("The end of the data is damaged", timeout=15_000)
    data.write_bytes(whole + line)
    says(page, "2 of 2 rows finished")
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.expects_errors
def test_a_page_without_its_data_says_so(tmp_path: Path, open_page: OpenPage) -> None:
    path = ReportPage(tmp_path).write()
    (tmp_path / "report" / "plan.js").unlink()
    page = open_page(path)
    expect(page.get_by_role("alert")).to_contain_text("The data of this page is missing")
