from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.workflow.references import (
    BoardReference,
    LocalImage,
    ModelReference,
    Reference,
    SavedModel,
    Unresolved,
    find_board,
    find_model,
    is_accepted,
    is_model,
    references_in,
    saved_model,
    saved_models,
    with_resolved,
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
    with pytest.raises(Unresolved, match=r"2 models match 'Dream'.*key 1.*key 3"):
        find_model(ModelReference("Dream"), MODELS)


def test_a_name_of_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(Unresolved, match=r"no suitable model matches 'Drean'; the server has 'Dream'"):
        find_model(ModelReference("Drean", ("sd-1",)), MODELS)


def test_boards_are_found_by_id_or_name_and_shared_names_are_refused() -> None:
    boards = [{"board_id": "a", "board_name": "Cats"}, {"board_id": "b", "board_name": "a"}]
    assert find_board(BoardReference("a"), boards) == {"board_id": "a"}
    assert find_board(BoardReference("cats"), boards) == {"board_id": "a"}
    with pytest.raises(Unresolved, match="2 boards match 'Cats'"):
        find_board(BoardReference("Cats"), [boards[0], {"board_id": "c", "board_name": "Cats"}])


def test_references_are_found_and_replaced_however_deep() -> None:
    board, image = BoardReference("Cats"), LocalImage(b"png")
    value = {"a": [board, {"b": image}], "c": 1}
    assert [*references_in(value)] == [board, image]
    answers: dict[Reference, dict[str, str]] = {board: {"board_id": "x"}, image: {"image_name": "y"}}
    assert with_resolved(value, answers) == {"a": [{"board_id": "x"}, {"b": {"image_name": "y"}}], "c": 1}


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


OLD = {"model_name": "dream", "base_model": "sd-1", "model_type": "main"}
NOW = {"key": "k", "hash": "h", "name": "dream", "base": "sd-1", "type": "main"}


@pytest.mark.parametrize(
    ("value", "read", "said"),
    [
        (OLD, SavedModel("dream", "sd-1", "main"), "'dream' (sd-1 main)"),
        (NOW, SavedModel("dream", "sd-1", "main", "k", "h"), "'dream' (sd-1 main)"),
        ({**NOW, **OLD, "model_name": "old"}, SavedModel("old", "sd-1", "main", "k", "h"), "'old' (sd-1 main)"),
        ("dream", SavedModel("dream"), "'dream'"),
        ({"name": "dream", "base": "sd-1"}, SavedModel("dream", "sd-1"), "'dream' (sd-1)"),
        ({"key": "k", "name": " "}, SavedModel(key="k"), "'k'"),
        ({"hash": "h", "type": "vae"}, SavedModel(hash="h", type="vae"), "'h' (vae)"),
    ],
)
def test_a_model_of_a_file_is_read_in_any_form(value: Any, read: SavedModel, said: str) -> None:
    assert saved_model(value) == read
    assert str(saved_model(value)) == said


@pytest.mark.parametrize("value", ["", " ", None, 5, [], {}, {"base": "sd-1", "type": "main"}, {"name": 5, "key": ""}])
def test_what_names_no_model_is_none(value: Any) -> None:
    assert saved_model(value) is None


def test_the_parts_of_a_model_are_those_that_are_known() -> None:
    assert dict(SavedModel("dream", "sd-1", "main", "k", "h")) == NOW
    assert dict(SavedModel("dream", type="main")) == {"name": "dream", "type": "main"}


def test_the_models_of_a_document_are_found_by_node_and_input() -> None:
    def node(node_id: Any, inputs: Any) -> dict[str, Any]:
        return {"id": node_id, "type": "invocation", "data": {"inputs": inputs}}

    document = {
        "nodes": [
            node(
                " a ",
                {"model": {"value": OLD}, "text": {"value": "dream"}, "none": {}, "odd": 5, "list": {"value": [OLD]}},
            ),
            node("b", {"model": {"value": {"base": "sd-1"}}, "vae": {"value": NOW}}),
            node(5, {"model": {"value": OLD}}),
            node("c", []),
            {"id": "d", "data": 5},
            {"id": "e"},
            "text",
            node("f", {"model": {"value": OLD}}),
        ]
    }
    assert saved_models(document) == {
        ("a", "model"): SavedModel("dream", "sd-1", "main"),
        ("b", "vae"): SavedModel("dream", "sd-1", "main", "k", "h"),
        ("f", "model"): SavedModel("dream", "sd-1", "main"),
    }


@pytest.mark.parametrize("document", [None, [], {}, {"nodes": None}, {"nodes": {"a": {}}}])
def test_a_document_without_nodes_has_no_models(document: Any) -> None:
    assert saved_models(document) == {}


@pytest.mark.parametrize("part", NOW)
@pytest.mark.parametrize("held", ["", 5, None])
def test_a_model_is_identified_by_all_its_parts(part: str, held: Any) -> None:
    assert is_model(NOW)
    assert is_model({**NOW, "submodel_type": "vae"})
    assert not is_model({**NOW, part: held})
    assert not is_model({key: value for key, value in NOW.items() if key != part})
    assert not is_model("dream")


@pytest.mark.parametrize(
    ("bases", "types", "accepted"),
    [
        ((), (), True),
        (("sd-1", "sd-2"), (), True),
        ((), ("main",), True),
        (("sd-1",), ("main",), True),
        (("flux",), (), False),
        ((), ("vae",), False),
        (("sd-1",), ("vae",), False),
        (("flux",), ("main",), False),
    ],
)
def test_a_model_is_accepted_by_base_and_type(bases: Any, types: Any, accepted: bool) -> None:
    assert is_accepted(NOW, bases, types) is accepted


def test_only_models_that_the_input_takes_are_meant() -> None:
    models = [model("1", "Dream"), model("2", "Dream", kind="vae")]
    assert find_model(ModelReference("Dream", (), ("vae",)), models)["key"] == "2"
    with pytest.raises(Unresolved, match=r"has none$"):
        find_model(ModelReference("Dream", ("flux",)), models)


def test_an_exact_name_goes_before_one_in_another_case() -> None:
    boards = [{"board_id": "a", "board_name": "cats"}, {"board_id": "b", "board_name": "Cats"}]
    assert find_board(BoardReference("Cats"), boards) == {"board_id": "b"}
    with pytest.raises(Unresolved, match="2 boards match 'CATS'") as caught:
        find_board(BoardReference("CATS"), boards)
    assert caught.value.candidates == boards


@pytest.mark.parametrize("count", [9, 10, 11, 12])
def test_at_most_ten_are_listed(count: int) -> None:
    boards = [{"board_id": f"b{number}", "board_name": f"board {number}"} for number in range(count)]
    with pytest.raises(Unresolved) as caught:
        find_board(BoardReference("tigers"), boards)
    told = str(caught.value)
    assert told.count("(id b") == min(count, 10)
    assert (f"and {count - 10} more" in told) is (count > 10)
    assert caught.value.candidates == ()


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (ModelReference("dream"), "the model 'dream'"),
        (BoardReference("Cats"), "the board 'Cats'"),
        (LocalImage(Path("a.png")), "the file 'a.png'"),
        (LocalImage(b"png"), "an image in memory"),
    ],
)
def test_a_reference_is_said_in_words(reference: Reference, said: str) -> None:
    assert str(reference) == said
    assert "a.png" in repr(LocalImage(Path("a.png")))


def test_an_answer_is_a_copy_at_each_place() -> None:
    board = BoardReference("Cats")
    one, two = with_resolved([board, board], {board: {"board_id": "x"}})
    assert one == two
    assert one is not two
