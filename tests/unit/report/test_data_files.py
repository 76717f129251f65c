from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.report import data_files
from invokeai_py_client.report.data_files import DataFiles, statement

HOSTILE = "<script>alert('x')</script><!-- \"q\" \\ \u2028\u2029 \u202e שלום 🐈 \ud800 ${1} ` \x00\r\n"


def calls(path: Path) -> list[tuple[str, list[str]]]:
    """The calls that a data file makes: function and arguments."""
    found = []
    for line in path.read_text("ascii").splitlines():
        name, arguments = line.removeprefix("batchPage.").removesuffix(");").split("(", 1)
        found.append((name, json.loads(f"[{arguments}]")))
    return found


def row(index: int, **more: Any) -> dict[str, Any]:
    return {"row_id": f"id{index}", "index": index, "values": {}, "status": "completed", **more}


def test_whatever_is_in_a_text_it_is_data() -> None:
    line = statement("row", json.dumps({HOSTILE: HOSTILE * 300}))
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert b"<" not in line
    assert b"\r" not in line
    (argument,) = json.loads(line[len(b"batchPage.row") : -2].replace(b"(", b"[", 1)[:-1] + b"]")
    assert json.loads(argument) == {HOSTILE: HOSTILE * 300}


def test_rows_are_appended(tmp_path: Path) -> None:
    files = DataFiles(tmp_path, {"title": HOSTILE})
    first = (tmp_path / "rows-00000.js").read_bytes()
    files.add(row(0))
    second = (tmp_path / "rows-00000.js").read_bytes()
    files.add(row(1, path=Path("a.png")))
    files.finish()
    third = (tmp_path / "rows-00000.js").read_bytes()
    assert second.startswith(first)
    assert third.startswith(second)
    names = [name for name, _ in calls(tmp_path / "rows-00000.js")]
    assert names == ["begin", "row", "row", "finished"]
    ((_, (mark, plan)),) = calls(tmp_path / "plan.js")
    assert json.loads(plan) == {"title": HOSTILE}
    assert calls(tmp_path / "rows-00000.js")[0][1] == [mark]
    assert json.loads(calls(tmp_path / "rows-00000.js")[2][1][0])["path"] == "a.png"


def test_a_full_file_names_its_successor_and_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "ROWS_IN_FILE", 3)
    files = DataFiles(tmp_path, {})
    for index in range(7):
        files.add(row(index))
    names = {path.name: [name for name, _ in calls(path)] for path in sorted(tmp_path.glob("rows-*"))}
    assert names == {
        "rows-00000.js": ["begin", "row", "row", "row", "more"],
        "rows-00001.js": ["begin", "row", "row", "row", "more"],
        "rows-00002.js": ["begin", "row"],
    }


def test_large_rows_fill_a_file_sooner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "BYTES_IN_FILE", 1000)
    files = DataFiles(tmp_path, {})
    for index in range(4):
        files.add(row(index, text="x" * 300))
    assert len(list(tmp_path.glob("rows-*"))) == 2


def test_a_new_run_leaves_no_rows_of_an_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "ROWS_IN_FILE", 1)
    files = DataFiles(tmp_path, {})
    for index in range(3):
        files.add(row(index))
    before = calls(tmp_path / "rows-00000.js")[0]
    DataFiles(tmp_path, {})
    assert [path.name for path in tmp_path.glob("rows-*")] == ["rows-00000.js"]
    # Another mark, by which an open page notices.
    assert calls(tmp_path / "rows-00000.js")[0] != before


def test_a_row_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = DataFiles(tmp_path, {})
    files.add(row(0))
    before = (tmp_path / "rows-00000.js").read_bytes()
    opened = Path.open

    class Full:
        """A file on a disk that has room for ten bytes."""

        def __init__(self, path: Path) -> None:
            self.file: Any = opened(path, "ab", buffering=0)

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, content: bytes) -> int:
            return int(self.file.write(content[:10]))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Full(path))
    with pytest.raises(OSError, match=r"Only 10 of \d+ bytes could be written to .*rows-00000.js"):
        files.add(row(1))
    monkeypatch.undo()
    assert (tmp_path / "rows-00000.js").read_bytes() == before
    files.add(row(1))
    assert [name for name, _ in calls(tmp_path / "rows-00000.js")] == ["begin", "row", "row"]
