from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.workflow.references import (
    BoardReference,
    LocalImage,
    ModelReference,
    Reference,
    Unresolved,
    find_board,
    find_model,
    references_in,
    with_answers,
)


def model(key: str, name: str, base: str = "sd-1", kind: str = "main") -> dict[str, Any]:
    return {"key": key, "hash": f"hash-{key}", "name": name, "base": base, "type": kind, "path": "somewhere"}


MODELS = [model("1", "Dream"), model("2", "Flow", "flux"), model("3", "Dream", "flux"), model("4", "2")]


@pytest.mark.parametrize(
    ("text", "bases", "key"),
    [
        ("1", (), "1"),
        ("2", (), "2"),  # a key goes before a name
        ("hash-3", (), "3"),
        ("Dream", ("sd-1",), "1"),
        ("dream", ("flux",), "3"),
        ("Flow", (), "2"),
    ],
)
def test_a_model_is_found_by_key_hash_or_name(text: str, bases: tuple[str, ...], key: str) -> None:
    found = find_model(ModelReference(text, bases), MODELS)
    assert found["key"] == key
    assert set(found) == {"key", "hash", "name", "base", "type"}


def test_a_name_of_several_models_is_refused_and_lists_them() -> None:
    with pytest.raises(Unresolved, match=r"2 models answer to 'Dream'.*key 1.*key 3"):
        find_model(ModelReference("Dream"), MODELS)


def test_a_name_of_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(Unresolved, match=r"no model that would fit answers to 'Drean'; the server has 'Dream'"):
        find_model(ModelReference("Drean", ("sd-1",)), MODELS)


def test_boards_are_found_by_id_or_name_and_shared_names_are_refused() -> None:
    boards = [{"board_id": "a", "board_name": "Cats"}, {"board_id": "b", "board_name": "a"}]
    assert find_board(BoardReference("a"), boards) == {"board_id": "a"}
    assert find_board(BoardReference("cats"), boards) == {"board_id": "a"}
    with pytest.raises(Unresolved, match="2 boards answer to 'Cats'"):
        find_board(BoardReference("Cats"), [boards[0], {"board_id": "c", "board_name": "Cats"}])


def test_references_are_found_and_replaced_however_deep() -> None:
    board, image = BoardReference("Cats"), LocalImage(b"png")
    value = {"a": [board, {"b": image}], "c": 1}
    assert [*references_in(value)] == [board, image]
    answers: dict[Reference, dict[str, str]] = {board: {"board_id": "x"}, image: {"image_name": "y"}}
    assert with_answers(value, answers) == {"a": [{"board_id": "x"}, {"b": {"image_name": "y"}}], "c": 1}


def test_the_content_of_an_image_is_not_in_its_repr() -> None:
    assert "secret" not in repr(LocalImage(b"secret"))
    assert "secret" not in str(LocalImage(b"secret"))


def test_a_wrong_board_lists_the_boards() -> None:
    boards = [{"board_id": f"b{number}", "board_name": f"board {number}"} for number in range(30)]
    with pytest.raises(Unresolved) as caught:
        find_board(BoardReference("tigers"), boards[:3])
    assert all(f"'board {number}' (id b{number})" in str(caught.value) for number in range(3))
    with pytest.raises(Unresolved, match=r"has 'board 2.*and 20 more$"):
        find_board(BoardReference("bord 2"), boards)
    with pytest.raises(Unresolved, match="has none"):
        find_board(BoardReference("tigers"), [])
