"""Images on the real server: listed, uploaded, downloaded by the hundred, starred, copied, zipped, deleted."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, errors
from invokeai_py_client.files import PartFile
from invokeai_py_client.repositories.media.common import DOWNLOAD_LOG
from invokeai_py_client.transfers.concurrent import TransferProgress

SEEN_BY = ("anyone", "a user")


def picture(color: int, size: int = 8) -> PIL.Image.Image:
    return PIL.Image.new("RGB", (size, size), (color, 3, 5))


def png(color: int) -> bytes:
    buffer = io.BytesIO()
    picture(color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def board(client: InvokeAIClient, request: pytest.FixtureRequest) -> Iterator[str]:
    """The id of a board of the test's own; it goes, with its images, when the test ends."""
    made = client._make_request("POST", "/boards/", params={"board_name": request.function.__name__}).json()
    yield made["board_id"]
    client._make_request("DELETE", f"/boards/{made['board_id']}", params={"include_images": True})


@pytest.fixture
def uploaded(client: InvokeAIClient, board: str) -> list[str]:
    return [client.image_repo.upload_image(png(color), board=board).image_name for color in range(5)]


# Uploading


def test_whatever_can_be_uploaded(client: InvokeAIClient, board: str, tmp_path: Path) -> None:
    path = tmp_path / "cub.jpg"
    picture(9).save(path, "JPEG")
    with path.open("rb") as file:
        from_file = client.image_repo.upload_image(file, board=board)
        assert not file.closed
    records = [
        client.image_repo.upload_image(path, board=board, category="control"),
        client.image_repo.upload_image(str(path), board=board),
        from_file,
        client.image_repo.upload_image(png(1), board=board, metadata={"seed": 7}),
        client.image_repo.upload_image(png(1), board=board, is_intermediate=True),
        client.image_repo.upload_image(io.BytesIO(png(2)), board=board),
        client.image_repo.upload_image(picture(3), board=board),
    ]
    assert [(record.width, record.height, record.image_origin) for record in records] == [(8, 8, "external")] * 7
    assert {record.board_id for record in records} == {board}
    assert records[0].image_category == "control"
    assert records[4].is_intermediate
    assert client.image_repo.get_metadata(records[3].image_name) == {"seed": 7}
    assert client.image_repo.get_metadata(records[6].image_name) is None
    kept = client.image_repo.get_image_bytes(records[6].image_name)
    assert PIL.Image.open(io.BytesIO(kept)).getpixel((0, 0)) == (3, 3, 5)


def test_an_open_file_is_read_from_where_it_stands(client: InvokeAIClient, board: str) -> None:
    file = io.BytesIO(b"before" + png(4))
    file.seek(6)
    name = client.image_repo.upload_image(file, board=board).image_name
    assert PIL.Image.open(io.BytesIO(client.image_repo.get_image_bytes(name))).getpixel((0, 0)) == (4, 3, 5)


@pytest.mark.parametrize("name", ["tiger cub ü.png", 'a"b\r\nX-Evil: 1.png', os.fsdecode(b"\xff\xfe.png")])
def test_a_file_may_have_any_name(client: InvokeAIClient, board: str, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(png(5))
    assert client.image_repo.upload_image(tmp_path / name, board=board).width == 8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGBA", "CMYK", "HSV", "F"])
def test_a_pillow_image_of_any_mode(client: InvokeAIClient, board: str, mode: str) -> None:
    assert client.image_repo.upload_image(PIL.Image.new(mode, (8, 8)), board=board).width == 8


@pytest.mark.parametrize("value", [float("nan"), object(), "\ud800"])
def test_metadata_that_is_not_json(client: InvokeAIClient, board: str, value: object) -> None:
    with pytest.raises(errors.RequestBodyError, match="metadata"):
        client.image_repo.upload_image(png(1), board=board, metadata={"seed": value})
    assert client.image_repo.list_image_names(board=board) == []


def test_a_large_image_is_sent_in_pieces(client: InvokeAIClient, board: str, tmp_path: Path) -> None:
    noise = PIL.Image.frombytes("RGB", (700, 700), os.urandom(3 * 700 * 700))
    noise.save(tmp_path / "noise.png")
    assert (tmp_path / "noise.png").stat().st_size > 2**20
    for source in (tmp_path / "noise.png", (tmp_path / "noise.png").read_bytes()):
        name = client.image_repo.upload_image(source, board=board).image_name
        kept = PIL.Image.open(io.BytesIO(client.image_repo.get_image_bytes(name)))
        assert kept.tobytes() == noise.tobytes()


def test_what_is_not_an_image_is_refused(client: InvokeAIClient, board: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("I am a text")
    with pytest.raises(errors.NotAnImageError, match=r"a\.png"):
        client.image_repo.upload_image(tmp_path / "a.png")
    with pytest.raises(errors.NotAnImageError):
        client.image_repo.upload_image(b"")
    with pytest.raises(errors.NotAnImageError):
        client.image_repo.upload_image(io.BytesIO(b"text"))
    with pytest.raises(FileNotFoundError):
        client.image_repo.upload_image(tmp_path / "none.png")
    with pytest.raises(TypeError, match="'rb'"):
        client.image_repo.upload_image(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="int"):
        client.image_repo.upload_image(3)  # type: ignore[arg-type]
    with pytest.raises(errors.RejectedError):
        client.image_repo.upload_image(png(1)[:30], board=board)
    with pytest.raises(errors.NotFoundError, match="nowhere"):
        client.image_repo.upload_image(png(1), board="nowhere")


# Listing


def test_listing_and_filters(client: InvokeAIClient, board: str, uploaded: list[str]) -> None:
    repo = client.image_repo
    assert repo.list_image_names(board=board) == uploaded[::-1]
    assert repo.list_image_names(board=board, newest_first=False) == uploaded
    assert [image.image_name for image in repo.list_images(board=board, newest_first=False)] == uploaded
    name = uploaded[2]
    assert repo.star_image(name) == [name]
    assert repo.list_image_names(board=board, starred=True) == [name]
    assert repo.list_image_names(board=board, starred=False, newest_first=False) == [n for n in uploaded if n != name]
    assert repo.list_image_names(board=board, categories=["general"]) == []
    assert repo.list_image_names(board=board, categories=["user"], origin="external", newest_first=False) == uploaded
    assert repo.list_image_names(board=board, origin="internal") == []
    hidden = repo.upload_image(png(1), board=board, is_intermediate=True, metadata={"positive_prompt": "a lynx"})
    assert hidden.image_name not in repo.list_image_names(board=board)
    assert repo.list_image_names(board=board, is_intermediate=True) == [hidden.image_name]
    assert repo.list_image_names(board=board, is_intermediate=None, search="lynx") == [hidden.image_name]
    assert uploaded[0] not in repo.list_image_names(board="none")


def test_a_list_that_changes_while_it_is_read(
    client: InvokeAIClient, board: str, uploaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_py_client.wire.calls.images.MAX_NAMES_PER_REQUEST", 2)
    seen: list[str] = []
    for image in client.image_repo.list_images(board=board, newest_first=False):
        if not seen:
            client.image_repo.delete_image(uploaded[3])
            client.image_repo.upload_image(png(77), board=board)
        seen.append(image.image_name)
    assert seen == [uploaded[0], uploaded[1], uploaded[2], uploaded[4]]


async def test_listing_awaited(client: InvokeAIClient, board: str, uploaded: list[str]) -> None:
    repo = client.aio.image_repo
    assert [image.image_name async for image in repo.list_images(board=board, newest_first=False)] == uploaded
    assert await repo.list_image_names(board=board, newest_first=False) == uploaded


def test_an_unknown_board_is_reported_when_the_iteration_starts(client: InvokeAIClient, board: str) -> None:
    listing = client.image_repo.list_images(board="test_an_unknown_board_is_told_when_reading_begin")
    with pytest.raises(
        errors.NotFoundError, match="Did you mean 'test_an_unknown_board_is_reported_when_the_iteration_starts'"
    ):
        list(listing)


def test_images_are_uploaded_and_copied_to_no_board(client: InvokeAIClient, board: str) -> None:
    repo = client.image_repo
    on_board = repo.upload_image(png(7), board=board)
    assert repo.copy_image(on_board).board_id == board
    none = client.board_repo.get_uncategorized_handle()
    images = [
        repo.copy_image(on_board, board="none"),
        repo.upload_image(png(8), board="none"),
        *repo.upload_many([png(9)], board=none).done,
        none.upload_image(png(10)),
        none.upload_image_data(png(11)),
        *none.upload([png(12)]).done,
    ]
    assert [one.board_id for one in images] == [None] * 6
    repo.delete_images(images)


# One image


def test_what_is_known_of_an_image(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    run = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur)).submit_sync()
    run.result(60)
    name = run.images[0].name
    repo = client.image_repo
    assert repo.get_image(name)["image_origin"] == "internal"
    graph = repo.get_graph(name)
    assert graph is not None
    assert "img_blur" in {node["type"] for node in graph["nodes"].values()}
    assert repo.get_urls(name).image_url.endswith(f"{name}/full")
    assert repo.get_thumbnail(name)[8:12] == b"WEBP"
    assert repo.get_image_bytes(name) == run.images[0].bytes()
    copy = repo.copy_image(name)
    assert copy.image_name != name
    assert repo.get_graph(copy.image_name) == graph
    assert repo.get_image_bytes(copy.image_name).startswith(b"\x89PNG")
    changed = repo.update_image(copy.image_name, category="mask", starred=True, is_intermediate=True)
    assert (changed.image_category, changed.starred, changed.is_intermediate) == ("mask", True, True)


def test_stars(client: InvokeAIClient, uploaded: list[str]) -> None:
    repo = client.image_repo
    assert sorted(repo.star_image(uploaded[:2])) == sorted(uploaded[:2])
    assert repo.get_image(uploaded[0]).starred
    assert repo.unstar_image(uploaded[0]) == [uploaded[0]]
    assert not repo.get_image(uploaded[0]).starred
    assert repo.star_image(["none.png"]) == []


@pytest.mark.parametrize("name", ["none.png", "../../x.png", "a\0b.png", "/etc/passwd", "ü.png", "..", ""])
def test_an_image_that_does_not_exist(client: InvokeAIClient, name: str, tmp_path: Path) -> None:
    repo = client.image_repo
    for ask in (
        repo.get_image,
        repo.get_metadata,
        repo.get_workflow,
        repo.get_graph,
        repo.get_urls,
        repo.get_image_bytes,
        repo.get_thumbnail,
        repo.star_image,
        repo.unstar_image,
        repo.delete_image,
        repo.copy_image,
        lambda name: repo.update_image(name, starred=True),
        lambda name: repo.download_image(name, tmp_path / "x.png"),
    ):
        with pytest.raises((errors.NotFoundError, errors.UnsafePathError)):
            ask(name)
    assert list(tmp_path.iterdir()) == []


def test_deleting(client: InvokeAIClient, uploaded: list[str]) -> None:
    repo = client.image_repo
    repo.delete_image(uploaded[0])
    assert sorted(repo.delete_images([*uploaded[:3], "none.png"])) == sorted(uploaded[1:3])
    client.delete_image(uploaded[3])
    with pytest.raises(errors.NotFoundError):
        repo.get_image(uploaded[3])


def test_one_name_alone_is_not_taken_for_its_letters(
    client: InvokeAIClient, board: str, uploaded: list[str], tmp_path: Path
) -> None:
    repo = client.image_repo
    report = repo.download_many(uploaded[0], tmp_path)
    assert [path.name for path in report.done] == uploaded[:1]
    assert len(repo.upload_many(str(report.done[0]), board=board).done) == 1
    assert repo.download_unzipped(tmp_path / "zip", image_names=uploaded[0]) == [tmp_path / "zip" / uploaded[0]]
    assert uploaded[0] in repo.list_image_names(board=board, categories="user")
    assert repo.delete_images(uploaded[0]) == uploaded[:1]


def test_intermediates(client: InvokeAIClient, board: str, seen_by: str) -> None:
    before = client.image_repo.count_intermediates()
    name = client.image_repo.upload_image(png(1), board=board, is_intermediate=True).image_name
    assert client.image_repo.count_intermediates() == before + 1
    if seen_by == "a user":
        with pytest.raises(errors.ForbiddenError):
            client.image_repo.clear_intermediates()
        return
    assert client.image_repo.clear_intermediates() == before + 1
    with pytest.raises(errors.NotFoundError):
        client.image_repo.get_image(name)


# Many


def test_many_are_downloaded_and_a_second_call_continues(
    client: InvokeAIClient, uploaded: list[str], tmp_path: Path
) -> None:
    seen: list[TransferProgress] = []
    folder = tmp_path / "out"
    report = client.image_repo.download_many(
        [*uploaded, uploaded[0]], folder, concurrency=2, progress_callback=seen.append
    )
    assert [path.name for path in report.done] == uploaded
    assert (report.skipped, report.failed) == ([], [])
    assert (seen[-1].finished, seen[-1].total, seen[-1].failed) == (5, 5, 0)
    (folder / uploaded[0]).write_bytes(b"spoilt")
    (folder / uploaded[1]).unlink()
    with (folder / DOWNLOAD_LOG).open("a") as log:
        log.write('{"key": "cut sho')
    again = client.image_repo.download_many(uploaded, folder)
    assert [path.name for path in again.done] == uploaded[:2]
    assert [path.name for path in again.skipped] == uploaded[2:]
    for name in uploaded:
        assert (folder / name).read_bytes() == client.image_repo.get_image_bytes(name)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*uploaded, DOWNLOAD_LOG])


def test_one_failure_does_not_stop_the_rest(client: InvokeAIClient, uploaded: list[str], tmp_path: Path) -> None:
    names = [uploaded[0], "../evil.png", "none.png", uploaded[1]]
    report = client.image_repo.download_many(names, tmp_path / "out")
    assert [path.name for path in report.done] == uploaded[:2]
    assert [(failure.name, type(failure.error)) for failure in report.failed] == [
        ("../evil.png", errors.UnsafePathError),
        ("none.png", errors.NotFoundError),
    ]
    with pytest.raises(errors.UnsafePathError):
        report.raise_for_failures()
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == sorted(uploaded[:2])


def test_what_is_not_a_path_is_the_callers_mistake(client: InvokeAIClient) -> None:
    with pytest.raises(TypeError, match="int"):
        client.image_repo.upload_many([3, 4])  # type: ignore[list-item]


def test_a_full_disk_ends_it_with_the_rest_untried(
    client: InvokeAIClient, uploaded: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: str) -> PartFile:
        if Path(path).name == uploaded[1]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return PartFile(path)

    monkeypatch.setattr("invokeai_py_client.transport.bodies.PartFile", full)
    report = client.image_repo.download_many(uploaded, tmp_path, concurrency=1)
    assert [path.name for path in report.done] == uploaded[:1]
    assert [failure.name for failure in report.failed] == uploaded[1:]
    assert all(isinstance(failure.error, OSError) for failure in report.failed)


def test_a_callback_that_raises_ends_the_work(client: InvokeAIClient, uploaded: list[str], tmp_path: Path) -> None:
    def stop(progress: TransferProgress) -> None:
        raise KeyError(progress.name)

    with pytest.raises(KeyError):
        client.image_repo.download_many(uploaded, tmp_path, concurrency=1, progress_callback=stop)
    assert not list(tmp_path.glob("*.part"))


async def test_many_awaited(client: InvokeAIClient, board: str, uploaded: list[str], tmp_path: Path) -> None:
    finished: list[int] = []

    async def callback(progress: TransferProgress) -> None:
        await asyncio.sleep(0)
        finished.append(progress.finished)

    report = await client.aio.image_repo.download_many(uploaded, tmp_path, progress_callback=callback)
    assert len(report.done) == 5
    assert finished[-1] == 5
    up = await client.aio.image_repo.upload_many(report.done, board=board, progress_callback=callback)
    assert len(up.done) == 5


def test_many_are_uploaded_and_a_second_call_continues(client: InvokeAIClient, board: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(png(number + 40))
    (tmp_path / "no.png").write_text("no image")
    log = tmp_path / "uploads.jsonl"
    report = client.image_repo.upload_many([*paths, tmp_path / "no.png", tmp_path / "gone.png"], board=board, log=log)
    assert len(report.done) == 4
    assert [type(failure.error) for failure in report.failed] == [errors.NotAnImageError, FileNotFoundError]
    client.image_repo.delete_image(report.done[0].image_name)
    again = client.image_repo.upload_many(paths, board=board, log=log)
    assert len(again.done) == 1
    assert [one.image_name for one in again.skipped] == [one.image_name for one in report.done[1:]]
    assert len(client.image_repo.list_image_names(board=board)) == 4


# Zips


def test_a_zip_of_images(client: InvokeAIClient, board: str, uploaded: list[str], tmp_path: Path, seen_by: str) -> None:
    path = client.image_repo.download_zip(tmp_path / "some.zip", image_names=uploaded[:2])
    assert {Path(name).name for name in zipfile.ZipFile(path).namelist()} == set(uploaded[:2])
    unpacked = client.image_repo.download_unzipped(tmp_path / "board", board=board)
    assert sorted(path.name for path in unpacked) == sorted(uploaded)
    assert sorted(path.name for path in (tmp_path / "board").iterdir()) == sorted(uploaded)
    with pytest.raises(errors.TransferError if seen_by == "anyone" else errors.NotFoundError):
        client.image_repo.download_zip(tmp_path / "none.zip", image_names=["none.png"])
    assert not (tmp_path / "none.zip").exists()


def test_a_zip_needs_the_socket(connect: Callable[..., InvokeAIClient], uploaded: list[str], tmp_path: Path) -> None:
    with (
        connect(transport="polling") as polling,
        pytest.raises(errors.TransferError, match="socket"),
    ):
        polling.image_repo.download_zip(tmp_path / "some.zip", image_names=uploaded)


# Limits


def test_the_servers_web_page_is_not_taken_for_an_image(
    client: InvokeAIClient, uploaded: list[str], tmp_path: Path
) -> None:
    with InvokeAIClient(dataclasses.replace(client.settings, url=f"{client.settings.url}/nowhere")) as lost:
        repo = lost.image_repo
        for ask in (
            repo.get_image_bytes,
            repo.get_thumbnail,
            lambda name: repo.download_image(name, tmp_path / "x.png"),
            lambda name: repo.download_many([name], tmp_path).raise_for_failures(),
            lost.video_repo.get_thumbnail,
            lambda name: lost.video_repo.download_video(name, tmp_path / "x.mp4"),
        ):
            with pytest.raises(errors.NotInvokeAIError, match="text/html"):
                ask(uploaded[0])
    assert {path.name for path in tmp_path.iterdir()} <= {DOWNLOAD_LOG}


def test_an_answer_larger_than_the_limit_is_refused(connect: Callable[..., InvokeAIClient], tmp_path: Path) -> None:
    noise = PIL.Image.frombytes("L", (64, 64), os.urandom(64 * 64))
    noise.save(tmp_path / "noise.png")
    # A login fits.
    with connect(max_answer_bytes=3000) as small:
        name = small.image_repo.upload_image(tmp_path / "noise.png").image_name
        with pytest.raises(errors.AnswerTooLargeError, match="max_answer_bytes"):
            small.image_repo.get_image_bytes(name)
        assert small.image_repo.download_image(name, tmp_path / "a.png").stat().st_size > 3000
        with pytest.raises(errors.AnswerTooLargeError):
            small.request("GET", "/openapi.json")
        small.image_repo.delete_image(name)
