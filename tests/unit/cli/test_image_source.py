"""The rows of a batch as `reproduce` and `recall` find them: in the manifest alone, also while the batch runs."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
from PIL import Image as Pillow
from tests.support.batch_server import BatchServer

from invokeai_py_client.batch.folder import BatchFolder
from invokeai_py_client.batch.manifest import BatchRow, RowFile, rows_in
from invokeai_py_client.cli.commands import GlobalOptions
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.image_source import load_image
from invokeai_py_client.cli.session import Session
from invokeai_py_client.errors import UnsafePathError


@pytest.fixture
def png() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (4, 4)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path, png: bytes) -> Path:
    """The folder of a batch in which rows have ended."""
    folder = tmp_path / "out"
    kept = BatchFolder(folder)
    (folder / "b.png").write_bytes(png)
    (tmp_path / "secret.png").write_bytes(png)

    def add(index: int, row_id: str, status: str, *names: str) -> None:
        files = tuple(RowFile(folder / name, "", 0, "n", "x.png") for name in names)
        kept.manifest.add(BatchRow(index=index, row_id=row_id, values={"a": 1}, status=status, files=files))

    add(1, "ab1", "completed", "b.png")
    add(0, "ab0", "failed")
    add(0, "ab0", "completed", "../secret.png")
    kept.release()
    with (folder / "manifest.jsonl").open("ab") as file:
        file.write(b'[]\n{"row_id": "ab2", "index": 2, "val')
    return folder


def test_the_last_line_of_each_row_counts_and_a_torn_line_does_not(folder: Path) -> None:
    before = (folder / "manifest.jsonl").read_bytes()
    assert [(row.index, row.row_id, row.status) for row in rows_in(folder)] == [
        (0, "ab0", "completed"),
        (1, "ab1", "completed"),
    ]
    assert (folder / "manifest.jsonl").read_bytes() == before


def test_a_row_is_found_by_index_or_id_while_the_batch_holds_its_lock(folder: Path, png: bytes) -> None:
    session = Session(GlobalOptions())
    kept = BatchFolder(folder)
    try:
        for row in ("1", "ab1"):
            image = load_image(session, str(folder), row)
            assert (image.name, image.content) == ("b.png", png)
    finally:
        kept.release()


@pytest.mark.parametrize(
    ("row", "code"), [("ab", "ambiguous"), ("7", "not_found"), (None, "usage"), ("0", "not_found")]
)
def test_a_row_that_is_not_one_or_has_no_image_in_the_folder(folder: Path, row: str | None, code: str) -> None:
    with pytest.raises(Failure) as caught:
        load_image(Session(GlobalOptions()), str(folder), row)
    assert caught.value.code == code


def test_the_name_of_an_image_in_a_manifest_is_not_a_path(folder: Path, tmp_path: Path) -> None:
    kept = BatchFolder(folder)
    images = (str(tmp_path / "secret.png"),)
    kept.manifest.add(BatchRow(index=5, row_id="cd5", values={}, status="completed", images=images))
    kept.release()
    with (
        BatchServer() as server,
        contextlib.closing(Session(GlobalOptions(url=server.url))) as session,
        pytest.raises(UnsafePathError, match=r"secret\.png"),
    ):
        load_image(session, str(folder), "5")


def test_a_row_needs_a_folder_of_a_batch(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="needs the folder"):
        load_image(Session(GlobalOptions()), str(tmp_path / "a.png"), "1")
    with pytest.raises(Failure, match="is not the folder of a batch"):
        load_image(Session(GlobalOptions()), str(tmp_path), "1")
