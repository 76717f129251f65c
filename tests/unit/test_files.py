from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import NoReturn

import pytest

from invokeai_py_client.errors import UnsafePathError
from invokeai_py_client.files import (
    PartFile,
    cache_folder,
    file_for,
    read_regular_file,
    safe_name,
    shown_name,
    whole_file,
)


@pytest.mark.parametrize("name", [".bashrc", ".", "..", "../x.png", ""])
def test_a_file_of_many_is_neither_hidden_nor_elsewhere(name: str) -> None:
    assert shown_name("a.png") == "a.png"
    with pytest.raises(UnsafePathError):
        shown_name(name)


@pytest.mark.parametrize("name", ["a.png", "0f4b-7c1e.png", "ärger.png", ".hidden"])
def test_a_plain_name_is_taken(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../a",
        "a/b",
        "a\\b",
        "/etc/passwd",
        "C:a",
        "a\0b",
        "a\nb",
        "a\udc80b",
        "nul",
        "COM1.png",
        "a.",
        "a ",
        "x" * 256,
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError) as caught:
        safe_name(name)
    assert caught.value.name == name
    with pytest.raises(UnsafePathError):
        file_for(tmp_path, name)


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.bin"
    with whole_file(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["a.bin"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"new")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_piece_that_the_system_takes_in_parts_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, piece: write(descriptor, piece[:3]))
    part = PartFile(tmp_path / "a.bin")
    part.write(b"12345678")
    part.write(b"9")
    part.keep()
    assert (tmp_path / "a.bin").read_bytes() == b"123456789"


def test_a_file_whose_end_is_not_written_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close = os.close

    def full(descriptor: int) -> NoReturn:
        close(descriptor)
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    (tmp_path / "a.bin").write_bytes(b"old")
    part = PartFile(tmp_path / "a.bin")
    part.write(b"new")
    monkeypatch.setattr(os, "close", full)
    with pytest.raises(OSError, match="quota"):
        part.keep()
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.bin").write_bytes(b"old")
    (tmp_path / "link.bin").symlink_to(tmp_path / "real" / "a.bin")
    (tmp_path / "dangling.bin").symlink_to(tmp_path / "new" / "b.bin")
    for name in ("link.bin", "dangling.bin"):
        with whole_file(tmp_path / name) as file:
            file.write(b"new")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / name).resolve().read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.bin", "b.bin", "dangling.bin", "link.bin", "new", "real"]


def test_what_is_not_a_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "folder", "link"):
        with pytest.raises(FileExistsError, match="not a file") as caught, whole_file(tmp_path / name):
            pass
        assert caught.value.filename in {str(tmp_path / name), str(tmp_path / "pipe")}
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "link", "pipe"]


def test_what_is_being_written_is_not_taken_for_a_picture(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.png"):
        assert [p.suffix for p in tmp_path.iterdir()] == [".part"]


def test_a_target_may_be_a_folder(tmp_path: Path) -> None:
    assert file_for(tmp_path, "a.png") == tmp_path / "a.png"
    assert file_for(f"{tmp_path}/new/", "a.png") == tmp_path / "new" / "a.png"
    assert file_for(f"{tmp_path}/new", "a.png") == tmp_path / "new"
    assert file_for(f"{tmp_path}/.env", "a.png") == tmp_path / ".env", "the user may name a hidden file, not the server"
    with pytest.raises(UnsafePathError):
        file_for(tmp_path, ".env")
    for path in ("a\0b", "a\ud800b"):
        with pytest.raises(UnsafePathError, match="unpaired surrogate"):
            file_for(path, "a.png")


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("INVOKEAI_CLIENT_CACHE")
    found = cache_folder()
    assert found is not None
    assert found.name == "invokeai-py-client"


@pytest.mark.parametrize("chosen", [None, "~nobody-of-that-name/cache"])
def test_a_user_without_a_home_has_no_cache_folder(monkeypatch: pytest.MonkeyPatch, chosen: str | None) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if chosen is None:
        monkeypatch.delenv("INVOKEAI_CLIENT_CACHE", raising=False)
    else:
        monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", chosen)
    assert cache_folder() is None


def test_a_fifo_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_regular_file(tmp_path / "pipe", limit=10)


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert read_regular_file(tmp_path / "file", limit=10) == b"0123456789"
    with pytest.raises(OSError, match="too large"):
        read_regular_file(tmp_path / "file", limit=9)
