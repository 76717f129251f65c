"""Boards and videos on the real server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
from tests.real.conftest import ANN, BOB, client_with_token

from invokeai_py_client import InvokeAIClient, errors
from invokeai_py_client.blocking.generated.board import Board
from invokeai_py_client.local import LocalServer

SEEN_BY = ("anyone", "a user")


def png(color: int) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (color, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def board(client: InvokeAIClient, request: pytest.FixtureRequest) -> Iterator[Board]:
    made = client.board_repo.create_board(request.node.name)
    yield made
    for left in client.board_repo.get_boards_by_name(request.node.name):
        client.board_repo.delete_board(left, delete_images=True)


def test_boards_are_made_found_changed_and_deleted(client: InvokeAIClient) -> None:
    repo = client.board_repo
    made = repo.create_board("otters")
    assert (made.board_name, made.record.archived, made.is_uncategorized) == ("otters", False, False)
    assert repo.get_board_by_id(made.board_id).board_name == "otters"
    assert [board.board_id for board in repo.get_boards_by_name("otters")] == [made.board_id]
    assert repo.get_board_handle_by_name("otters").board_id == made.board_id
    assert repo.get_board_handle(made.board_id).board_name == "otters"
    assert made.board_id in [board.board_id for board in repo.list_boards()]
    assert repo.update_board("otters", "river otters", archived=True).board_name == "river otters"
    assert made.refresh().archived
    assert made.board_id not in [board.board_id for board in repo.list_boards(include_archived=False)]
    name = made.upload_image(png(1)).image_name
    assert repo.update_board(made.board_id, cover_image_name=name).cover_image_name == name
    with pytest.raises(errors.NotFoundError, match=r"none\.png"):
        repo.update_board(made, cover_image_name="none.png")
    assert repo.delete_board(made).deleted_board_images == [name]
    assert client.image_repo.get_image(name).board_id is None
    with pytest.raises(errors.NotFoundError, match=made.board_id):
        repo.get_board_by_id(made.board_id)
    for ask in (made.refresh, made.list_images, lambda: list(made.images()), lambda: made.download("out")):
        with pytest.raises(errors.NotFoundError):
            ask()
    client.image_repo.delete_image(name)


def test_a_name_that_several_boards_share(client: InvokeAIClient, board: Board) -> None:
    other = client.board_repo.create_board(board.board_name)
    assert len(client.board_repo.get_boards_by_name(board.board_name)) == 2
    with pytest.raises(errors.AmbiguousNameError, match=other.board_id) as caught:
        client.board_repo.get_board_handle_by_name(board.board_name)
    assert set(caught.value.choices) == {board.board_id, other.board_id}
    with pytest.raises(LookupError):
        client.image_repo.upload_image(png(1), board=board.board_name)


def test_a_board_may_be_named_as_no_board_is(client: InvokeAIClient) -> None:
    repo = client.board_repo
    made = repo.create_board("none")
    assert repo.get_board_handle_by_name("none").board_id == made.board_id
    assert repo.get_board_handle("none").is_uncategorized
    repo.delete_board(made)


def test_what_is_not_a_board_or_no_visibility(client: InvokeAIClient, board: Board) -> None:
    repo = client.board_repo
    before = len(repo.list_boards())
    with pytest.raises(ValueError, match="private, shared, public"):
        repo.create_board("x", visibility="secret")  # type: ignore[arg-type]
    assert len(repo.list_boards()) == before
    with pytest.raises(TypeError, match="an id, a name, a record or a handle, not int"):
        repo.delete_board(5)  # type: ignore[arg-type]
    for offset, limit in ((-1, None), (0, -1)):
        with pytest.raises(ValueError, match="at least 0"):
            board.list_images(offset, limit)


@pytest.mark.parametrize("name", ["no such board", "", "../x", "a\0b"])
def test_a_board_that_does_not_exist(client: InvokeAIClient, board: Board, name: str) -> None:
    repo = client.board_repo
    for ask in (repo.get_board_handle, repo.get_board_handle_by_name, repo.update_board, repo.delete_board):
        with pytest.raises(errors.NotFoundError):
            ask(name)
    assert repo.get_boards_by_name(name) == []
    with pytest.raises((errors.NotFoundError, errors.UnsafePathError)):
        repo.get_board_by_id(name)


def test_the_images_of_a_board(client: InvokeAIClient, board: Board, tmp_path: Path) -> None:
    first = board.upload_image_data(png(1)).image_name
    second = board.upload_image(io.BytesIO(png(2))).image_name
    assert board.list_images() == [second, first]
    assert board.list_images(1, 1, order_dir="ASC") == [second]
    assert [image.image_name for image in board.images()] == [second, first]
    # What was uploaded as an asset is counted apart.
    assert (board.get_image_count(), board.record.asset_count) == (0, 2)
    board.upload_image(png(3), image_category="general")
    assert board.get_image_count() == 1
    assert board.delete_image(board.list_images()[0])
    assert board.download_image(first).startswith(b"\x89PNG")
    assert board.download_image(first, full_resolution=False)[8:12] == b"WEBP"
    assert board.star_image(first)
    assert board.list_images(starred_first=True)[0] == first
    assert [image.image_name for image in board.images(starred=True)] == [first]
    assert board.unstar_image(first)
    report = board.download(tmp_path / "out")
    assert sorted(path.name for path in report.done) == sorted([first, second])
    uploaded = board.upload(report.done, progress_callback=lambda progress: None)
    assert len(uploaded.done) == 2
    assert len(board.list_images()) == 4
    board.delete_image(first)
    assert len(board.list_images()) == 3
    with pytest.raises(errors.NotFoundError):
        assert board.star_image(first)


def test_images_move_between_boards(client: InvokeAIClient, board: Board) -> None:
    other = client.board_repo.create_board("test_images_move elsewhere")
    none = client.board_repo.get_uncategorized_handle()
    names = [board.upload_image(png(color)).image_name for color in range(3)]
    assert board.move_image_to(names[0], other)
    assert board.move_image_to(names[1], "test_images_move elsewhere")
    # A board has nothing to say of another's images.
    for ask in (
        board.remove_image,
        board.delete_image,
        none.delete_image,
        lambda name: board.move_image_to(name, None),
    ):
        with pytest.raises(errors.NotFoundError, match=rf"not on the board .*{other.board_id}"):
            ask(names[0])
    assert board.remove_images(names) == names[2:]
    board.add_images(names[2])
    assert sorted(other.list_images()) == sorted(names[:2])
    assert other.remove_images(names[:1]) == names[:1]
    other.add_images(names[0])
    other.remove_image(names[0])
    assert other.move_image_to(names[1], "none")
    assert other.list_images() == []
    assert none.is_uncategorized
    assert {*names[:2]} <= {*none.list_images()}
    assert sorted(board.add_images(iter(names))) == sorted(names)
    assert sorted(none.add_images(names[:2])) == sorted(names[:2])
    assert other.add_images(names[2]) == [names[2]]
    with pytest.raises(errors.NotFoundError):
        board.move_image_to("none.png", other.board_id)
    with pytest.raises(errors.NotFoundError):
        board.remove_image("none.png")
    with pytest.raises(errors.NotFoundError):
        board.move_image_to(names[0], "nowhere")
    with pytest.raises(errors.NotFoundError, match=r"no image 'none\.png'"):
        board.add_images("none.png")
    assert board.add_images([names[0], "none.png"]) == [names[0]]
    client.board_repo.delete_board(other.board_id, delete_images=True)
    client.image_repo.delete_images(names)


def test_the_board_of_no_board(client: InvokeAIClient) -> None:
    repo = client.board_repo
    name = client.image_repo.upload_image(png(9)).image_name
    none = repo.get_board_handle(None)
    assert (none.board_id, none.board_name) == ("none", "Uncategorized")
    assert name in none.list_images()
    assert repo.get_uncategorized_board().asset_count == none.refresh().asset_count >= 1
    assert none.get_image_count() == len(client.image_repo.list_image_names(board="none", categories="general"))
    assert repo.list_boards(include_uncategorized=True)[0].board_id == "none"
    assert repo.get_board_by_id("none").board_name == "Uncategorized"
    assert none.upload_image(png(8)).board_id is None
    with pytest.raises(errors.NotFoundError, match="stands for the images"):
        repo.update_board("none", "x")
    with pytest.raises(errors.NotFoundError, match="stands for the images"):
        repo.delete_board("none")
    assert name in client.image_repo.delete_uncategorized()
    assert none.list_images() == []


def test_what_an_earlier_clients_script_calls(client: InvokeAIClient, board: Board) -> None:
    first = board.upload_image_data(png(1), "cub.png")
    second = board.upload_image_data(image_data=png(2), filename="cub.png", is_intermediate=True)
    assert (first.board_id, second.is_intermediate) == (board.board_id, True)
    with pytest.raises(errors.NotAnImageError, match=r"cub\.png"):
        board.upload_image_data(b"text", "cub.png")
    repo = client.board_repo
    renamed = repo.update_board(board_id=board.board_id, name="test_what_an_earlier")
    assert renamed.board_name == "test_what_an_earlier"
    made = repo.create_board(name="test_what_an_earlier too")
    assert repo.delete_board(board_id=made.board_id, delete_images=True).board_id == made.board_id
    none = repo.get_uncategorized_handle()
    name = none.upload_image_data(png(3)).image_name
    assert name in none.list_images(0, 100, order_dir="DESC")
    assert name in none.list_images(0, 100, "created_at", "DESC", False, None)
    assert repo.list_boards(True, True)[0].board_id == "none"
    assert board.board_id in [one.board_id for one in repo.list_boards(all=True, include_uncategorized=False)]
    assert none.download_image(name, full_resolution=True) == client.image_repo.get_image_bytes(name)
    client.image_repo.delete_image(name)


async def test_the_awaited_face(client: InvokeAIClient, board: Board, tmp_path: Path) -> None:
    awaited = await client.aio.board_repo.get_board_handle(board.board_id)
    assert (awaited.board_name, awaited.is_uncategorized) == (board.board_name, False)
    await awaited.upload_image(png(1))
    assert [image.width async for image in awaited.images()] == [8]
    report = await awaited.download(tmp_path)
    assert len(report.done) == 1
    assert len((await awaited.upload(report.done)).done) == 1


def test_what_the_board_of_somebody_else_refuses(shared: LocalServer) -> None:
    with client_with_token(shared, ANN) as ann, client_with_token(shared, BOB) as bob:
        hers = ann.board_repo.create_board("to be seen", visibility="shared")
        name = hers.upload_image(png(1)).image_name
        seen = bob.board_repo.get_board_handle(hers.board_id)
        assert seen.list_images() == [name]
        for ask in (seen.remove_image, seen.delete_image, lambda name: seen.move_image_to(name, None)):
            with pytest.raises(errors.ForbiddenError):
                ask(name)
        assert seen.remove_images([name]) == []
        assert hers.list_images() == [name]
        ann.board_repo.delete_board(hers, delete_images=True)


# Videos


def test_videos(client: InvokeAIClient, board: Board, video: Path, tmp_path: Path) -> None:
    repo = client.video_repo
    record = repo.upload_video(video, board=board.board_id)
    name = record.video_name
    assert (record.width, record.height, record.board_id) == (64, 64, board.board_id)
    assert 0.5 < record.duration < 2
    assert [one.video_name for one in repo.list_videos(board=board.record)] == [name]
    assert repo.get_video(name).video_name == name
    assert repo.get_metadata(name) is None
    assert repo.get_workflow(name) is None
    assert len(repo.get_thumbnail(name)) > 20
    assert repo.download_video(name, tmp_path).read_bytes() == video.read_bytes()
    assert repo.update_video(name, starred=True).starred
    assert repo.unstar_videos([name]) == [name]
    assert repo.star_videos([name]) == [name]
    repo.move_to_board(name, "none")
    assert [one.video_name for one in repo.list_videos(board="none")] == [name]
    repo.move_to_board(name, board.board_name)
    assert repo.get_video(name).board_id == board.board_id
    on_none = repo.upload_video(video, board="none")
    assert on_none.board_id is None
    assert {*repo.delete_videos([name, on_none, "none.mp4"])} == {name, on_none.video_name}
    for ask in (
        repo.get_video,
        repo.get_workflow,
        lambda name: repo.move_to_board(name, "none"),
        lambda name: repo.update_video(name, starred=True),
    ):
        with pytest.raises(errors.NotFoundError):
            ask(name)


def test_what_is_not_a_video(client: InvokeAIClient, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(png(1))
    with pytest.raises(errors.NotAnImageError, match=r"a\.mp4"):
        client.video_repo.upload_video(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"\0\0\0\x18ftypmp42 and no more")
    with pytest.raises(errors.RejectedError):
        client.video_repo.upload_video(tmp_path / "b.mp4")
