"""Images and videos by the many on the real server: whatever names them, whatever is among them, whatever they meet."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from invokeai_py_client import Image, InvokeAIClient, errors
from invokeai_py_client.blocking.generated.board import Board
from invokeai_py_client.repositories.media.common import DOWNLOAD_LOG
from invokeai_py_client.repositories.media.zips import unpack
from invokeai_py_client.runtime.listing import Listing


def png(color: int) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (color, 3, 5)).save(buffer, "PNG")
    return buffer.getvalue()


def pixel(content: bytes) -> Any:
    return PIL.Image.open(io.BytesIO(content)).getpixel((0, 0))


@pytest.fixture
def board(client: InvokeAIClient, request: pytest.FixtureRequest) -> Iterator[Board]:
    """A board of the test's own; it goes, with its images, when the test ends."""
    made = client.board_repo.create_board(request.function.__name__)
    yield made
    client.board_repo.delete_board(made.board_id, delete_images=True)


@pytest.fixture
def uploaded(board: Board) -> list[str]:
    return [board.upload_image_data(png(color)).image_name for color in range(4)]


def requests_of(client: InvokeAIClient) -> int:
    """How many requests it has sent."""
    return sum(sum(by_status.values()) for by_status in client.stats().requests.values())


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != DOWNLOAD_LOG)


# Whatever names them


def test_lists_and_generators_go_into_whatever_takes_many(
    client: InvokeAIClient, board: Board, uploaded: list[str], tmp_path: Path
) -> None:
    repo = client.image_repo
    assert len(repo.download_many(repo.list_images(board=board.record), tmp_path / "listing").done) == 4
    generator = (image.image_name for image in board.images())
    assert len(repo.download_many(generator, tmp_path / "generator", progress_callback=lambda _: None).done) == 4
    assert len(board.upload(path for path in (tmp_path / "listing").glob("*.png")).done) == 4
    other = client.board_repo.create_board("test_lists_and_generators other")
    assert len(other.add_images(image.image_name for image in board.images())) == 8
    assert len(repo.star_image(other.images())) == 8
    assert len(repo.delete_images(repo.list_images(board=other.record, starred=True))) == 8
    client.board_repo.delete_board(other.board_id)


async def test_lists_and_generators_go_into_whatever_takes_many_awaited(
    client: InvokeAIClient, board: Board, uploaded: list[str], tmp_path: Path
) -> None:
    repo = client.aio.image_repo

    async def first(listing: Listing[Image], count: int) -> AsyncIterator[Image]:
        async for image in listing:
            if count:
                count -= 1
                yield image

    assert len((await repo.download_many(board.images(), tmp_path / "listing")).done) == 4
    assert len((await repo.download_many(first(board.images(), 3), tmp_path / "three")).done) == 3
    assert len(await repo.unstar_image(image.image_name for image in board.images())) == 4
    assert len(await repo.delete_images(first(board.images(), 2))) == 2


def test_an_image_is_its_name_its_record_or_an_image(
    client: InvokeAIClient, uploaded: list[str], tmp_path: Path
) -> None:
    repo = client.image_repo
    name = uploaded[0]
    image: Any
    for image in (name, repo.get_image(name)):
        assert repo.get_image(image).image_name == name
        assert repo.get_metadata(image) is None
        assert repo.get_workflow(image) is None
        assert repo.get_graph(image) is None
        assert repo.get_urls(image).image_name == name
        assert pixel(repo.get_image_bytes(image)) == (0, 3, 5)
        assert repo.get_thumbnail(image)
        assert repo.download_image(image, tmp_path).name == name
        assert repo.copy_image(image).width == 8
        assert repo.update_image(image, starred=True).starred
        assert repo.unstar_image(image) == repo.star_image([image]) == [name]
        assert repo.download_unzipped(tmp_path / "zip", image_names=image)[0].name == name
        for images in (image, [image, name], iter([image])):
            report = repo.download_many(images, tmp_path / "many")
            assert [path.name for path in [*report.done, *report.skipped]] == [name]
    for gone, image in zip(uploaded[1:], (uploaded[1], repo.get_image(uploaded[2])), strict=False):
        assert repo.delete_images(image) == [gone]
    repo.delete_image(repo.get_image(name))
    for ask in (repo.star_image, repo.unstar_image, repo.delete_image, repo.get_image):
        with pytest.raises(errors.NotFoundError):
            ask(name)


# Whatever is among them


def test_whatever_can_be_uploaded_can_be_uploaded_by_the_many(
    client: InvokeAIClient, board: Board, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(1))
    os.mkfifo(tmp_path / "pipe.png")
    with path.open("rb") as file:
        sources: list[Any] = [path, "a\0b.png", "a\ud800b.png", tmp_path / "pipe.png", file, png(2), b"no image"]
        report = board.upload([*sources, PIL.Image.new("RGBa", (8, 8)), PIL.Image.new("L", (0, 0))])
    assert len(report.done) == 4
    assert [(failure.name, type(failure.error)) for failure in report.failed] == [
        ("a\0b.png", errors.UnsafePathError),
        ("a\ud800b.png", errors.UnsafePathError),
        (str(tmp_path / "pipe.png"), errors.NotAnImageError),
        ("<bytes>", errors.NotAnImageError),
        ("<Image>", errors.NotAnImageError),
    ]
    for one in (path, png(3), io.BytesIO(png(4)), PIL.Image.new("L", (8, 8))):
        assert len(client.image_repo.upload_many(one, board=board.record).done) == 1


def test_one_bad_name_does_not_stop_the_others(client: InvokeAIClient, uploaded: list[str], tmp_path: Path) -> None:
    report = client.image_repo.download_many(["a\udc80b.png", uploaded[0], "a\0.png"], tmp_path)
    assert [path.name for path in report.done] == uploaded[:1]
    assert [(failure.name, type(failure.error)) for failure in report.failed] == [
        ("a\udc80b.png", errors.UnsafePathError),
        ("a\0.png", errors.UnsafePathError),
    ]


@pytest.mark.parametrize("wrong", [None, 5, b"a.png"])
def test_a_wrong_type_is_reported_with_its_place_before_anything_is_sent(
    client: InvokeAIClient, uploaded: list[str], tmp_path: Path, wrong: Any
) -> None:
    repo = client.image_repo
    before = requests_of(client)
    for ask in (
        lambda: repo.download_many([uploaded[0], wrong], tmp_path / "out"),
        lambda: repo.delete_images([uploaded[0], wrong]),
        lambda: repo.star_image([uploaded[0], wrong]),
        lambda: repo.download_zip(tmp_path / "a.zip", image_names=[uploaded[0], wrong]),
        lambda: repo.upload_many([png(1), [wrong]]),  # type: ignore[list-item]
    ):
        with pytest.raises(TypeError, match="at index 1: an image must be"):
            ask()
    for alone in (repo.get_image, repo.delete_image, repo.get_thumbnail):
        with pytest.raises(TypeError, match="an image must be a name"):
            alone(wrong)
    assert requests_of(client) == before
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_deleted_where_one_name_cannot_be_sent(client: InvokeAIClient, uploaded: list[str]) -> None:
    with pytest.raises(errors.UnsafePathError, match="unpaired surrogate"):
        client.image_repo.delete_images([*uploaded, "a\ud800.png"])
    assert client.image_repo.get_image(uploaded[0])


# Whatever they meet


def test_a_folder_that_cannot_be_made_is_reported_before_anything_is_asked(
    client: InvokeAIClient, uploaded: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    before = requests_of(client)
    for folder in (tmp_path / "file", tmp_path / "file" / "in it"):
        with pytest.raises(OSError, match="file") as caught:
            client.image_repo.download_many(uploaded, folder)
        assert caught.value.filename
    assert requests_of(client) == before


def test_a_log_is_opened_before_anything_is_sent(client: InvokeAIClient, board: Board, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("name,size\n")
    (tmp_path / DOWNLOAD_LOG).write_text("name,size\n")
    (tmp_path / "folder").mkdir()
    before = requests_of(client)
    for log, error in ((tmp_path / "mine.csv", errors.TransferRefusedError), (tmp_path / "folder", OSError)):
        with pytest.raises((error, ValueError), match=str(log)):
            client.image_repo.upload_many([png(1)], board=board.board_name, log=log)
    with pytest.raises(errors.TransferRefusedError, match="downloads"):
        client.image_repo.download_many("a.png", tmp_path)
    assert requests_of(client) == before
    assert (tmp_path / "mine.csv").read_text() == (tmp_path / DOWNLOAD_LOG).read_text() == "name,size\n"
    assert board.list_images() == []


UPLOADER = """
import os, signal, sys
from invokeai_py_client import InvokeAIClient
url, board, log, *paths = sys.argv[1:]
with InvokeAIClient.from_url(url) as client:
    def end(progress):
        if progress.finished == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    client.image_repo.upload_many(paths, board=board, log=log, concurrency=1, progress_callback=end)
"""


def test_a_killed_upload_continues_where_it_ended(client: InvokeAIClient, board: Board, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(200)]
    for number, path in enumerate(paths):
        path.write_bytes(png(number))
    log = tmp_path / "log"
    killed = subprocess.run(
        [sys.executable, "-c", UPLOADER, client.settings.url, board.board_id, str(log), *map(str, paths)], check=False
    )
    assert killed.returncode == -9
    there = len(board.list_images())
    assert 3 <= there < 200
    report = board.upload(paths, log=log)
    # Of the one that was under way nobody knows.
    assert there - 1 <= len(report.skipped) <= there
    assert len(board.list_images()) <= 201


def test_a_log_knows_the_board_and_the_category(client: InvokeAIClient, board: Board, tmp_path: Path) -> None:
    path, log = tmp_path / "a.png", tmp_path / "log"
    path.write_bytes(png(1))
    report = board.upload([path, png(1), path], log=log)
    assert (len(report.done), len(report.skipped)) == (1, 2)
    assert {one.image_name for one in report.skipped} == {report.done[0].image_name}
    other = client.board_repo.create_board("test_a_log_knows other")
    assert len(other.upload(path, log=log).done) == 1
    mask = client.image_repo.upload_many(path, board=other.record, category="mask", log=log)
    assert [one.image_category for one in mask.done] == ["mask"]
    assert len(client.image_repo.upload_many(path, board=other.record, category="mask", log=log).skipped) == 1
    client.board_repo.delete_board(other.board_id, delete_images=True)


def test_a_server_that_is_gone_is_not_tried_for_each(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with InvokeAIClient.from_url(url, retries=1) as client:
        report = client.image_repo.download_many([f"{number}.png" for number in range(1000)], tmp_path)
        assert len(report.failed) == 1000
        assert requests_of(client) <= 2 * 8


# Targets and zips


def test_a_target_may_be_a_folder_a_link_or_nothing_that_is_replaced(
    client: InvokeAIClient, uploaded: list[str], tmp_path: Path
) -> None:
    repo, name = client.image_repo, uploaded[0]
    assert repo.download_image(name, f"{tmp_path}/new/") == tmp_path / "new" / name
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    repo.download_image(name, tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert pixel((tmp_path / "real.png").read_bytes()) == (0, 3, 5)
    os.mkfifo(tmp_path / "pipe")
    before = requests_of(client)
    ask: Callable[[], Path]
    for ask in (
        lambda: repo.download_image(name, tmp_path / "pipe"),
        lambda: repo.download_zip(tmp_path / "pipe", image_names=uploaded),
    ):
        with pytest.raises(FileExistsError, match="pipe"):
            ask()
    assert requests_of(client) == before
    assert (tmp_path / "pipe").is_fifo()
    archive = repo.download_zip(tmp_path / "new", image_names=[*uploaded, *uploaded])
    assert archive.parent == tmp_path / "new"
    assert archive.suffix == ".zip"
    assert sorted(Path(member).name for member in zipfile.ZipFile(archive).namelist()) == sorted(uploaded)


def test_a_zip_is_of_images_or_of_a_board(client: InvokeAIClient, board: Board, uploaded: list[str]) -> None:
    ask: Any
    for ask in (client.image_repo.download_zip, client.image_repo.download_unzipped):
        with pytest.raises(errors.TransferRefusedError, match="both"):
            ask("a.zip", image_names=uploaded, board=board.record)
        with pytest.raises(ValueError, match="neither"):
            ask("a.zip")


async def test_two_zips_are_unpacked_into_one_folder_at_once(
    client: InvokeAIClient, uploaded: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = client.aio.image_repo
    both_there = threading.Barrier(2)

    def together(archive: Path, *others: Any) -> list[Path]:
        both_there.wait(20)
        return unpack(archive, *others)

    monkeypatch.setattr("invokeai_py_client.repositories.media.zips.unpack", together)
    first, second = await asyncio.gather(
        repo.download_unzipped(tmp_path, image_names=uploaded[:2]),
        repo.download_unzipped(tmp_path, image_names=uploaded[2:]),
    )
    assert sorted(path.name for path in first) == sorted(uploaded[:2])
    assert sorted(path.name for path in second) == sorted(uploaded[2:])
    assert names_in(tmp_path) == sorted(uploaded)


# Videos


@pytest.fixture
def videos(client: InvokeAIClient, video: Path) -> Iterator[list[str]]:
    """The names of three videos, the oldest first."""
    made = [client.video_repo.upload_video(video).video_name for _ in range(3)]
    yield made
    client.video_repo.delete_videos(made)


def test_videos_are_filtered_as_images_are(client: InvokeAIClient, board: Board, videos: list[str]) -> None:
    repo = client.video_repo
    assert repo.list_video_names(newest_first=False) == videos
    assert [one.video_name for one in repo.list_videos()] == videos[::-1]
    assert repo.star_videos(videos[1]) == [videos[1]]
    assert repo.list_video_names(starred=True) == [videos[1]]
    assert repo.list_video_names(starred=False) == [videos[2], videos[0]]
    assert repo.list_video_names(origin="internal") == repo.list_video_names(categories="general") == []
    assert len(repo.list_video_names(origin="external", categories=["user", "mask"])) == 3
    assert repo.update_video(videos[0], category="mask", is_intermediate=True).video_category == "mask"
    assert repo.list_video_names(is_intermediate=True) == [videos[0]]
    assert len(repo.list_video_names(is_intermediate=None)) == 3
    repo.move_to_board(videos[2], board.record)
    assert [one.video_name for one in repo.list_videos(board=board.record)] == [videos[2]]


def test_a_list_of_videos_leaves_out_what_is_deleted_meanwhile(
    client: InvokeAIClient, videos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_py_client.repositories.media.videos.PAGE", 1)
    seen: list[str] = []
    for one in client.video_repo.list_videos(newest_first=False):
        seen.append(one.video_name)
        if len(seen) == 1:
            client.video_repo.delete_video(videos[1])
    assert seen == [videos[0], videos[2]]


def test_one_video(client: InvokeAIClient, video: Path, videos: list[str], tmp_path: Path) -> None:
    repo = client.video_repo
    with video.open("rb") as file:
        from_file = repo.upload_video(file, metadata={"positive_prompt": "a lynx"}, category="other")
    from_bytes = repo.upload_video(video.read_bytes(), is_intermediate=True)
    assert (from_file.video_category, from_bytes.is_intermediate) == ("other", True)
    assert repo.get_metadata(from_file) == {"positive_prompt": "a lynx"}
    assert repo.list_video_names(search="lynx") == [from_file.video_name]
    assert repo.get_video_bytes(from_file) == repo.get_video_bytes(from_bytes.video_name) == video.read_bytes()
    assert repo.get_urls(from_file).video_url.endswith(f"{from_file.video_name}/full")
    assert repo.get_workflow(from_file) is None
    assert repo.get_graph(from_file) is None
    assert repo.download_video(from_file, f"{tmp_path}/new/") == tmp_path / "new" / from_file.video_name
    for record in (from_file, from_bytes):
        repo.delete_video(record)
    for ask in (
        repo.delete_video,
        repo.star_videos,
        repo.unstar_videos,
        repo.get_video_bytes,
        repo.get_urls,
        repo.get_metadata,
    ):
        with pytest.raises(errors.NotFoundError):
            ask(from_file)
    assert repo.star_videos([from_file.video_name]) == []
    with pytest.raises(TypeError, match="a video must be a name or a record"):
        repo.get_video(3)  # type: ignore[arg-type]
    with pytest.raises(errors.NotAnImageError, match="not an MP4"):
        repo.upload_video(png(1))


def test_videos_by_the_many(
    client: InvokeAIClient, video: Path, videos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = client.video_repo
    monkeypatch.setattr("invokeai_py_client.wire.calls.images.MAX_NAMES_PER_REQUEST", 2)
    report = repo.download_many(repo.list_videos(), tmp_path / "out")
    assert names_in(tmp_path / "out") == sorted(videos)
    assert len(repo.download_many([*videos, "none.mp4"], tmp_path / "out").skipped) == 3
    assert sorted(repo.star_videos(videos)) == sorted(repo.unstar_videos(videos)) == sorted(videos)
    up = repo.upload_many([*report.done, png(1)], log=tmp_path / "log")
    assert (len(up.done), len(up.skipped), len(up.failed)) == (1, 2, 1)
    assert len(repo.upload_many(video, log=tmp_path / "log").skipped) == 1
    assert sorted(repo.delete_videos([*videos, *up.done])) == sorted([*videos, up.done[0].video_name])
