from __future__ import annotations

import re
from pathlib import Path

from invokeai_py_client import Axis, ReportPage
from invokeai_py_client.report.page import ASSETS


def test_the_page_brings_all_that_it_loads(tmp_path: Path) -> None:
    path = ReportPage(tmp_path, axes=[Axis("Steps", range(3))]).write()
    html = path.read_text("utf-8")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert sorted(loaded) == sorted(f"report/{name}" for name in ASSETS)
    assert all((tmp_path / name).is_file() for name in loaded)
    assert {file.name for file in (tmp_path / "report").iterdir()} == {*ASSETS, "plan.js", "rows-00000.js"}


def test_the_page_needs_no_network_and_runs_no_code_from_data(tmp_path: Path) -> None:
    ReportPage(tmp_path).write()
    for path in [tmp_path / "index.html", *(tmp_path / "report").iterdir()]:
        text = path.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )
        # The address in code that is copied, and nothing else.
        assert set(re.findall(r"https?://[^\s\"'`]+", text)) <= {"http://127.0.0.1:9090"}, path
        assert not re.search(r"\bstyle=|\bon[a-z]+=\"", text), path


def test_rows_before_the_page_is_written_write_it(tmp_path: Path) -> None:
    page = ReportPage(tmp_path)
    page.add({"row_id": "a", "index": 0, "values": {}, "status": "completed", "files": []})
    page.finish()
    assert (tmp_path / "index.html").is_file()
    assert (tmp_path / "report" / "rows-00000.js").read_text().count("batchPage.") == 3


def test_writing_again_starts_without_rows(tmp_path: Path) -> None:
    page = ReportPage(tmp_path)
    page.add({"row_id": "a", "index": 0, "values": {}, "status": "completed", "files": []})
    page.write()
    assert "batchPage.row" not in (tmp_path / "report" / "rows-00000.js").read_text()
