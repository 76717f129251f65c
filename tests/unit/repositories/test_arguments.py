"""What repositories take as arguments: things by id and name, one or many."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.live import FakeQueue

from invokeai_py_client.errors import AmbiguousNameError, NotFoundError
from invokeai_py_client.files import IMAGE
from invokeai_py_client.repositories.arguments import board_named, given, several, sources_of, the_one
from invokeai_py_client.wire.calls import models
from invokeai_py_client.wire.records.boards import BoardRecord


def board(board_id: str, name: str) -> BoardRecord:
    return BoardRecord.model_validate({"board_id": board_id, "board_name": name})


BOARDS = [board("1", "Tigers"), board("2", "cubs"), board("3", "Cubs"), board("4", "lions"), board("5", "lions")]


@pytest.mark.parametrize(("name", "board_id"), [("Tigers", "1"), ("tigers", "1"), ("cubs", "2"), ("Cubs", "3")])
def test_a_board_is_found_by_its_exact_name_else_regardless_of_case(name: str, board_id: str) -> None:
    assert board_named(name, BOARDS, FakeQueue()).board_id == board_id


@pytest.mark.parametrize(("name", "ids"), [("lions", ("4", "5")), ("CUBS", ("2", "3"))])
def test_a_name_of_several_boards_is_refused_with_their_ids(name: str, ids: tuple[str, ...]) -> None:
    with pytest.raises(AmbiguousNameError) as caught:
        board_named(name, BOARDS, FakeQueue())
    assert caught.value.choices == ids
    assert all(one in str(caught.value) for one in ids)


def test_an_unknown_name_is_reported_with_the_nearest_and_the_request_that_listed_the_others() -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'Tigers'") as caught:
        board_named("tigres", BOARDS, FakeQueue())
    assert (caught.value.method, caught.value.url) == ("GET", "http://127.0.0.1:9090/api/v1/boards/")
    assert not caught.value.may_have_been_applied


def test_an_id_goes_before_a_name() -> None:
    things = [("b", "a"), ("a", "c")]
    found = the_one(
        "a",
        things,
        [lambda thing: thing[0], lambda thing: thing[1]],
        what="thing",
        id_of=lambda thing: thing[0],
        call=models.list_models(),
        http=FakeQueue(),
    )
    assert found == ("a", "c")


def test_what_is_not_given_is_left_out() -> None:
    assert given(a=None, b=False, c="", d=0) == {"b": False, "c": "", "d": 0}


def test_a_single_name_is_not_a_sequence_of_characters() -> None:
    assert several("ab") == ["ab"]
    assert several(["a", "b"]) == ["a", "b"]
    assert several(iter(["a", "b"])) == ["a", "b"]


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", ".hidden", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "below").mkdir()
    assert [path.name for path in sources_of(tmp_path, IMAGE)] == ["a.png", "b.png", "notes.txt"]
    assert sources_of(str(tmp_path), IMAGE) == sources_of(tmp_path, IMAGE)
    assert sources_of("missing.png", IMAGE) == ["missing.png"]
