"""What can be uploaded: how it is read, what is refused, and what a Pillow image becomes."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from invokeai_py_client import errors
from invokeai_py_client.files import IMAGE, VIDEO
from invokeai_py_client.repositories.arguments import sources_of
from invokeai_py_client.transfers.uploads import Upload, name_of_source

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
MP4 = b"\0\0\0\x18ftypmp42" + b"0" * 100


def content_of(source: Any) -> bytes:
    content = Upload(source).content
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize("target", ["pipe", "/dev/null"])
def test_only_regular_files_are_uploaded_by_path(tmp_path: Path, target: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / target)
    for path in (tmp_path / target, tmp_path / "link"):
        with pytest.raises(errors.NotAnImageError, match="not a regular file"):
            Upload(path)
    with pytest.raises(IsADirectoryError):
        Upload(tmp_path)


@pytest.mark.parametrize("path", ["a\0b.png", "a\ud800b.png"])
def test_what_is_not_a_path_is_refused(path: str) -> None:
    with pytest.raises(errors.UnsafePathError):
        Upload(path)


class Unseekable(io.RawIOBase):
    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)


class GivesNumbers:
    def read(self, size: int) -> int:
        return size


def test_odd_files_are_read_or_refused(tmp_path: Path) -> None:
    assert content_of(Unseekable(PNG)) == PNG
    closed = io.BytesIO(PNG)
    closed.close()
    with pytest.raises(errors.NotAnImageError, match="closed"):
        Upload(closed)
    with pytest.raises(errors.NotAnImageError, match="returned int, not bytes"):
        Upload(GivesNumbers())
    with pytest.raises(TypeError, match=r"at index 1: <StringIO> is open for text"):
        sources_of([closed, io.StringIO()], IMAGE)
    (tmp_path / "a.png").write_bytes(PNG)
    with (tmp_path / "a.png").open("wb") as writable, pytest.raises(errors.NotAnImageError, match="read"):
        Upload(writable)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", PNG)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("a.png") as member:
        assert Upload(member).filename == "a.png"
    spoilt = (tmp_path / "a.zip").read_bytes().replace(b"000", b"001", 1)
    with (
        zipfile.ZipFile(io.BytesIO(spoilt)) as archive,
        archive.open("a.png") as member,
        pytest.raises(errors.NotAnImageError, match="CRC"),
    ):
        Upload(member).digest()


def test_a_video_is_not_an_image_and_an_image_is_not_a_video() -> None:
    assert Upload(MP4, kind=VIDEO).content_type == "video/mp4"
    assert Upload(io.BytesIO(MP4), kind=VIDEO).filename == "video.mp4"
    for content in (PNG, b"\0\0\0\x18ftypavif" + b"0" * 100, b""):
        with pytest.raises(errors.NotAnImageError, match="not an MP4"):
            Upload(content, kind=VIDEO)
    with pytest.raises(errors.NotAnImageError, match="not an image in a known format"):
        Upload(MP4)
    with pytest.raises(TypeError, match="a video must be a path"):
        Upload(PIL.Image.new("L", (1, 1)), kind=VIDEO)


def test_the_same_content_has_the_same_digest(tmp_path: Path) -> None:
    large = PNG + os.urandom(600 * 1024)
    (tmp_path / "a.png").write_bytes(large)
    file = io.BytesIO(b"before" + large)
    file.seek(6)
    sources = [large, tmp_path / "a.png", file]
    assert {Upload(source).digest() for source in sources} == {hashlib.sha256(large).hexdigest()}
    assert file.tell() == 6


def sixteen(mode: str, value: int) -> PIL.Image.Image:
    return PIL.Image.frombytes(mode, (2, 2), value.to_bytes(2, "big" if mode == "I;16B" else "little") * 4)


@pytest.mark.parametrize(
    ("make", "mode", "pixel"),
    [
        (lambda: PIL.Image.new("RGBA", (2, 2), (200, 100, 50, 255)).convert("RGBa"), "RGBA", (200, 100, 50, 255)),
        (lambda: PIL.Image.new("RGBA", (2, 2), (0, 0, 0, 77)).convert("RGBa"), "RGBA", (0, 0, 0, 77)),
        (lambda: PIL.Image.new("La", (2, 2), (0, 77)), "LA", (0, 77)),
        (lambda: PIL.Image.new("RGBA", (2, 2), (200, 3, 4, 77)).convert("P").convert("PA"), "RGBA", (200, 3, 4, 77)),
        (lambda: PIL.Image.new("I", (2, 2), 3000), "I;16", 3000),
        (lambda: sixteen("I;16", 3000), "I;16", 3000),
        (lambda: sixteen("I;16B", 3000), "I;16", 3000),
        (lambda: PIL.Image.new("F", (2, 2), 0.5), "L", 127),
        (lambda: PIL.Image.new("F", (2, 2), 130.0), "L", 130),
        (lambda: PIL.Image.new("CMYK", (2, 2), (0, 0, 0, 0)), "RGB", (255, 255, 255)),
    ],
)
def test_a_pillow_image_keeps_what_a_png_can_keep(make: Callable[[], PIL.Image.Image], mode: str, pixel: Any) -> None:
    kept = PIL.Image.open(io.BytesIO(content_of(make())))
    assert (kept.mode, kept.getpixel((0, 0))) == (mode, pixel)


def test_what_pillow_cannot_write_is_reported_with_its_reason() -> None:
    with pytest.raises(errors.NotAnImageError, match="empty image"):
        Upload(PIL.Image.new("RGB", (0, 5)))
    buffer = io.BytesIO()
    PIL.Image.frombytes("RGB", (64, 64), os.urandom(3 * 64 * 64)).save(buffer, "PNG")
    cut = PIL.Image.open(io.BytesIO(buffer.getvalue()[:5000]))
    with pytest.raises(errors.NotAnImageError, match="truncated"):
        Upload(cut)


def test_one_source_alone_is_one_of_many(tmp_path: Path) -> None:
    file, image = io.BytesIO(PNG), PIL.Image.new("L", (1, 1))
    for source in ("a.png", Path("a.png"), PNG, bytearray(PNG), file, image):
        assert sources_of(source, IMAGE) == [source]
    assert sources_of([file, image], IMAGE) == [file, image]
    for wrong in ([file, None], ("a.png", 5)):
        with pytest.raises(TypeError, match="at index 1: an image must be a path"):
            sources_of(wrong, IMAGE)
    with pytest.raises(TypeError, match="not int"):
        sources_of(3, IMAGE)


def test_what_a_report_calls_a_source(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    with (tmp_path / "a.png").open("rb") as file:
        named = [
            name_of_source(one) for one in ("b.png", tmp_path, file, PNG, io.BytesIO(), PIL.Image.new("L", (1, 1)))
        ]
    assert named == ["b.png", str(tmp_path), str(tmp_path / "a.png"), "<bytes>", "<BytesIO>", "<Image>"]
