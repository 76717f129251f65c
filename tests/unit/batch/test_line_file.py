"""Lines are whole or absent, whatever interrupts their writing."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import pytest

from invokeai_py_client.batch.line_file import LineFile


def contents(path: Path) -> list[object]:
    return [content for _, content in LineFile(path).lines()]


def test_lines_are_read_back_in_order_and_by_offset(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "new" / "lines.jsonl")
    offsets = [file.append({"n": n, "text": "ä\n😀\ud800"}, is_durable=n == 1) for n in range(3)]
    assert [(offset, content["n"]) for offset, content in file.lines()] == list(zip(offsets, range(3), strict=True))
    assert file.read(offsets[1]) == {"n": 1, "text": "ä\n😀\ud800"}
    file.append({"n": 3})
    assert contents(tmp_path / "new" / "lines.jsonl")[3] == {"n": 3}


def test_a_file_without_a_name_works_the_same() -> None:
    file = LineFile(None)
    first, second = file.append({"n": 1}, is_durable=True), file.append({"n": 2})
    assert (file.read(second), file.read(first)) == ({"n": 2}, {"n": 1})
    file.close()


@pytest.mark.parametrize("torn", ['{"n": 2', '{"n": 2, "text": "' + "x" * 200_000, "\x00\x00", '["n"]'])
def test_a_torn_last_line_is_removed(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"n": 1}\n' + torn)
    assert contents(path) == [{"n": 1}]
    LineFile(path).append({"n": 3})
    assert path.read_text() == '{"n": 1}\n{"n":3}\n'


def test_a_whole_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"n": 1}')
    LineFile(path).append({"n": 2})
    assert contents(path) == [{"n": 1}, {"n": 2}]


def test_only_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"n"')
    assert contents(path) == []
    assert path.read_bytes() == b""


def test_what_is_not_an_object_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"n": 1}\nnonsense\n\n[1]\n{"n": 2}\n')
    assert contents(path) == [{"n": 1}, {"n": 2}]


def test_a_line_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    file = LineFile(path)
    file.append({"n": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            file.append({"text": "x" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    file.append({"n": 2})
    assert path.read_text() == '{"n":1}\n{"n":2}\n'
