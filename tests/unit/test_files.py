from __future__ import annotations

import stat
from pathlib import Path

import pytest

from invokeai_py_client.errors import UnsafePathError
from invokeai_py_client.files import cache_folder, file_for, safe_name, whole_file


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


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("INVOKEAI_CLIENT_CACHE")
    assert cache_folder().name == "invokeai-py-client"
