"""The log of what was transferred: what it remembers, what it refuses, and what it does when it cannot be written."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from invokeai_py_client.errors import TransferError, TransferRefusedError
from invokeai_py_client.transfers.journal import TransferLog


def test_each_line_is_there_at_once_unless_some_may_be_lost(tmp_path: Path) -> None:
    with TransferLog(tmp_path / "new" / "log") as log:
        log.remember("a", size=1)
        assert '"a"' in (tmp_path / "new" / "log").read_text()
    with TransferLog(tmp_path / "lazy", lines_at_once=2) as log:
        log.remember("a", size=1)
        assert (tmp_path / "lazy").read_text() == ""
        log.remember("b", size=1)
        assert len((tmp_path / "lazy").read_text().splitlines()) == 2


def test_what_was_cut_short_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"ke')
    with TransferLog(path) as log:
        assert log.get("a") is None
        log.remember("a", size=1)
    with path.open("a") as file:
        file.write('{"key": "b", "si')
    with TransferLog(path) as log:
        assert log.get("a") == {"key": "a", "size": 1}
        log.remember("c", size=3)
    with TransferLog(path) as log:
        assert [log.get(key) is not None for key in "abc"] == [True, False, True]


@pytest.mark.parametrize(
    "content", [b"name,size\n", b"\x89PNG\r\n\x1a\n", b'{"other": 1}\n', b'{\n  "key": 1\n}', b"\n\n[]"]
)
def test_some_other_file_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(TransferRefusedError, match=r"mine\.csv") as caught, TransferLog(path):
        pass
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TransferError)
    assert path.read_bytes() == content


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TransferRefusedError, match="pipe"), TransferLog(tmp_path / "pipe"):
        pass


def test_one_that_cannot_be_opened_is_reported_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught, TransferLog(tmp_path / "file" / "log"):
        pass
    assert caught.value.filename


class FullFile:
    """A file on a full disk: what it is given it holds, and cannot write."""

    closed = False

    def tell(self) -> int:
        return 0

    def write(self, _: str) -> None:
        pass

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.flush()


@pytest.mark.parametrize("lines_at_once", [1, 100])
def test_one_that_fails_later_is_reported_once_and_let_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, lines_at_once: int
) -> None:
    full = FullFile()
    monkeypatch.setattr(Path, "open", lambda path, mode, encoding: full)
    with caplog.at_level(logging.WARNING), TransferLog(tmp_path / "log", lines_at_once=lines_at_once) as log:
        for key in "abc":
            log.remember(key, size=1)
        assert log.get("c") is not None
    assert [record.message for record in caplog.records] == [
        f"The log {tmp_path / 'log'} cannot be written (No space left on device). "
        "Further transfers are not recorded in it."
    ]
    assert full.closed
