"""Zips are unpacked whole and safely, or not at all."""

from __future__ import annotations

import asyncio
import copy
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client import errors
from invokeai_py_client.files import whole_file
from invokeai_py_client.repositories.media import zips
from invokeai_py_client.repositories.media.zips import ZipLimits, unpack
from invokeai_py_client.settings import Settings


def zip_of(path: Path, *names: str, content: bytes = b"1") -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "user/../../evil.png",
        "/etc/evil",
        "a\\..\\b.png",
        "C:evil.png",
        ".hidden",
        "a/.invokeai-downloads.jsonl",
    ],
)
def test_an_unsafe_member_is_quoted_and_nothing_is_unpacked(name: str, tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "evil.zip", "good.png", name)
    with pytest.raises(errors.UnsafePathError) as caught:
        unpack(archive, tmp_path / "in" / "here")
    assert caught.value.name == name
    assert repr(name) in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_reported_as_the_zip_s_damage(packing: int, tmp_path: Path) -> None:
    archive = tmp_path / "damaged.zip"
    with zipfile.ZipFile(archive, "w", packing) as made:
        made.writestr("x.png", os.urandom(2000))
    content = bytearray(archive.read_bytes())
    content[60:90] = bytes(30)
    archive.write_bytes(content)
    with pytest.raises(errors.TransferError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "out")
    assert [*(tmp_path / "out").iterdir()] == []


@pytest.mark.parametrize("names", [("a/x.png", "b/x.png"), ("x.png", "X.PNG")])
def test_two_members_of_one_name_are_refused(names: tuple[str, str], tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "two.zip", *names)
    with pytest.raises(errors.TransferError, match="two files with the same name") as caught:
        unpack(archive, tmp_path)
    assert all(repr(name) in str(caught.value) for name in names)
    assert os.listdir(tmp_path) == ["two.zip"]


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "secret.zip", "x.png")
    content = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.index(mark) + place] |= 1
    archive.write_bytes(content)
    with pytest.raises(errors.TransferError, match="encrypted"):
        unpack(archive, tmp_path)
    assert os.listdir(tmp_path) == ["secret.zip"]


def test_a_broken_zip_is_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK no more")
    with pytest.raises(errors.TransferError):
        unpack(tmp_path / "broken.zip", tmp_path)


async def test_a_cancelled_one_stops_and_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = zip_of(tmp_path / "many.zip", *(f"{number}.png" for number in range(5)))
    begun, go_on = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def slowly(path: Path) -> Any:
        if path.name == "1.png":
            threads.append(threading.current_thread())
            begun.set()
            assert go_on.wait(10)
        return whole_file(path)

    monkeypatch.setattr(zips, "whole_file", slowly)
    task = asyncio.create_task(zips.unpack_in_thread(archive, tmp_path / "out", Settings()))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done(), "its thread is at work"
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert os.listdir(tmp_path / "out") == ["0.png"]


def overlapping(path: Path, files: int) -> Path:
    """A zip bomb: every entry of its directory is the same data, as David Fifield's overlap theirs."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("0.png", b"0" * 1_000_000)
        (first,) = made.infolist()
        for number in range(1, files):
            entry = copy.copy(first)
            entry.filename = f"{number}.png"
            made.filelist.append(entry)
            made.NameToInfo[entry.filename] = entry
    return path


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (ZipLimits(files=2), "has 3 files, more than the limit of 2.*max_zip_files"),
        (ZipLimits(total_bytes=2_999_999), "unpacks to 3,000,000 bytes.*max_download_bytes"),
        (ZipLimits(ratio_matters_from=2_999_999), "would unpack to 3,000,000"),
    ],
)
def test_a_zip_above_the_limits_is_not_unpacked_at_all(limits: ZipLimits, told: str, tmp_path: Path) -> None:
    archive = overlapping(tmp_path / "bomb.zip", 3)
    with pytest.raises(errors.TransferError, match=told):
        unpack(archive, tmp_path / "in", limits=limits)
    assert not (tmp_path / "in").exists()


def test_a_zip_of_images_is_within_the_limits(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "good.zip", "a.png", "b.png", content=os.urandom(1000))
    assert len(unpack(archive, tmp_path, limits=ZipLimits(files=2, total_bytes=2000, ratio_matters_from=0))) == 2


def test_a_bomb_is_not_unpacked_by_default(tmp_path: Path) -> None:
    archive = overlapping(tmp_path / "bomb.zip", 1100)
    with pytest.raises(errors.TransferError, match="would unpack to 1,100,000,000"):
        unpack(archive, tmp_path / "in")


def test_a_zip_of_a_version_that_python_does_not_read_is_reported(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "new.zip", "good.png")
    content = bytearray(archive.read_bytes())
    # The version that is needed to extract it, in the central directory.
    content[content.index(b"PK\x01\x02") + 6] = 99
    archive.write_bytes(content)
    with pytest.raises(errors.TransferError, match="version 9"):
        unpack(archive, tmp_path / "out")
