from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.workflow.generators import MOST_VALUES, BoardImages, DynamicPrompts, generate


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ({"type": "integer_generator_arithmetic_sequence", "start": 4, "step": -3, "count": 4}, [4, 1, -2, -5]),
        ({"type": "integer_generator_arithmetic_sequence"}, list(range(10))),
        ({"type": "integer_generator_arithmetic_sequence", "start": 5, "step": 0, "count": 4}, [5]),
        ({"type": "integer_generator_arithmetic_sequence", "count": -1}, []),
        ({"type": "float_generator_arithmetic_sequence", "start": 1, "step": 0.5, "count": 3}, [1, 1.5, 2.0]),
        ({"type": "integer_generator_linear_distribution", "start": 0, "end": 5, "count": 3}, [0, 3, 5]),
        ({"type": "integer_generator_linear_distribution", "start": 0, "end": -5, "count": 3}, [0, -2, -5]),
        ({"type": "integer_generator_linear_distribution", "start": 7, "end": 9, "count": 1}, [7]),
        ({"type": "float_generator_linear_distribution", "start": 0, "end": 1, "count": 3}, [0, 0.5, 1]),
        ({"type": "integer_generator_parse_string", "input": "1, 2,x,4.7, -3z", "splitOn": ","}, [1, 2, 4, -3]),
        ({"type": "float_generator_parse_string", "input": "0.1;0.2;;3;.5e1x;no", "splitOn": ";"}, [0.1, 0.2, 3, 5.0]),
        ({"type": "float_generator_parse_string", "input": "1", "values": [9]}, [9]),
        ({"type": "string_generator_parse_string", "input": "a, b,,c"}, ["a", " b", "c"]),
        ({"type": "string_generator_parse_string", "input": "a\nb", "splitOn": "\\n"}, ["a", "b"]),
        ({"type": "string_generator_parse_string", "input": 'a"b', "splitOn": '"'}, ["a", "b"]),
        ({"type": "string_generator_parse_string", "input": "a,b", "splitOn": ""}, ["a,b"]),
        ({"type": "image_generator_images_from_board"}, []),
        # ASCII digits only, and what JavaScript's parseFloat and parseInt take.
        ({"type": "integer_generator_parse_string", "input": "\u0663,4"}, [4]),
        ({"type": "float_generator_parse_string", "input": "\u0663,.5.5,\ufeff6 "}, [0.5, 6]),
        # What is no longer a number is null in JSON.
        ({"type": "float_generator_parse_string", "input": "1e400,Infinity,-Infinityx,2"}, [None, None, None, 2]),
        ({"type": "integer_generator_parse_string", "input": "9" * 400 + ",2"}, [None, 2]),
        ({"type": "integer_generator_parse_string", "input": "12345678901234567891"}, [12345678901234567000]),
        (
            {"type": "float_generator_arithmetic_sequence", "start": 1.7e308, "step": 1.7e308, "count": 2},
            [1.7e308, None],
        ),
        ({"type": "float_generator_arithmetic_sequence", "step": 0.5, "count": -1}, []),
    ],
)
def test_what_a_generator_makes(value: dict[str, Any], made: list[Any]) -> None:
    assert generate(value) == made


def test_a_generator_of_another_kind_is_refused() -> None:
    value = {"type": "integer_generator_arithmetic_sequence"}
    assert generate(value, "integer") == [*range(10)]
    with pytest.raises(ValueError, match="not that of a generator of float values"):
        generate(value, "float")


@pytest.mark.parametrize("part", ["start", "step", "count"])
@pytest.mark.parametrize("kind", ["float", "integer"])
def test_a_number_too_large_is_a_value_error(kind: str, part: str) -> None:
    with pytest.raises(ValueError, match=f"'{part}' must be a"):
        generate({"type": f"{kind}_generator_arithmetic_sequence", part: 10**400})


def test_seeded_numbers_are_those_of_the_web_uis_mersenne_twister() -> None:
    # As the npm package `mtwist` 1.0.2, which the web UI uses, gives them.
    uniform = {"type": "float_generator_random_distribution_uniform", "count": 5}
    assert generate({**uniform, "seed": 42}) == [
        0.37454011430963874,
        0.7965429842006415,
        0.9507143115624785,
        0.18343478767201304,
        0.7319939383305609,
    ]
    assert generate({**uniform, "seed": 4294967295, "count": 1}) == [0.09763202886097133]
    assert generate({**uniform, "seed": -5, "count": 1}) == [0.42941724648699164]
    whole = {"type": "integer_generator_random_distribution_uniform", "seed": 42, "min": 1, "max": 6, "count": 5}
    assert generate(whole) == [3, 5, 6, 2, 5]


def test_without_a_seed_numbers_are_random_and_in_their_range() -> None:
    made = generate({"type": "integer_generator_random_distribution_uniform", "min": 3, "max": 4, "count": 200})
    assert isinstance(made, list)
    assert set(made) == {3, 4}


def test_what_only_the_server_can_make_is_described() -> None:
    assert generate({"type": "image_generator_images_from_board", "board_id": "b"}) == BoardImages("b", ("general",))
    assets = generate({"type": "image_generator_images_from_board", "board_id": "b", "category": "assets"})
    assert assets == BoardImages("b", ("control", "mask", "user", "other"))
    prompts = {"input": "a {b|c}", "maxPrompts": 5, "count": 7, "seed": 3}
    assert generate({"type": "string_generator_dynamic_prompts_combinatorial", **prompts}) == DynamicPrompts(
        "a {b|c}", 5, combinatorial=True, seed=None
    )
    assert generate({"type": "string_generator_dynamic_prompts_random", **prompts}) == DynamicPrompts(
        "a {b|c}", 7, combinatorial=False, seed=3
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"type": "no_such"},
        {"type": "integer_generator_arithmetic_sequence", "start": 0.5},
        {"type": "integer_generator_arithmetic_sequence", "start": "0"},
        {"type": "integer_generator_arithmetic_sequence", "count": 10**9},
        {"type": "float_generator_arithmetic_sequence", "step": True},
        {"type": "string_generator_parse_string", "input": 5},
        {"type": "image_generator_images_from_board", "category": "x"},
    ],
)
def test_what_cannot_be_understood_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match=r"it has no value|is not known|is not that|must be a|more than|is neither"):
        generate(value)


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("float_generator_arithmetic_sequence", [float(place) * 0.1 for place in range(10)]),
        ("float_generator_linear_distribution", [place / 9 for place in range(10)]),
        ("float_generator_parse_string", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("integer_generator_arithmetic_sequence", [*range(10)]),
        ("integer_generator_linear_distribution", [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]),
        ("integer_generator_parse_string", [*range(1, 11)]),
        ("string_generator_parse_string", ["foo", "bar", "baz", "qux"]),
        (
            "string_generator_dynamic_prompts_combinatorial",
            DynamicPrompts("a super {cute|ferocious} {dog|cat}", 10, combinatorial=True, seed=None),
        ),
        (
            "string_generator_dynamic_prompts_random",
            DynamicPrompts("a super {cute|ferocious} {dog|cat}", 10, combinatorial=False, seed=None),
        ),
        ("image_generator_images_from_board", []),
    ],
)
def test_a_generator_that_says_nothing_makes_what_the_web_uis_does(kind: str, made: Any) -> None:
    assert generate({"type": kind}) == made
    assert generate({"type": kind}, kind.split("_", 1)[0]) == made


@pytest.mark.parametrize(("kind", "low", "high"), [("float", 0, 1), ("integer", 0, 10)])
def test_random_numbers_are_ten_from_the_web_uis_range(kind: str, low: int, high: int) -> None:
    uniform = {"type": f"{kind}_generator_random_distribution_uniform", "seed": 7}
    made = generate(uniform)
    assert isinstance(made, list)
    assert len({*made}) > 3
    assert len(made) == 10
    assert all(low <= number <= high for number in made)
    assert generate({**uniform, "seed": None, "count": 3}) != made
    shifted = generate({**uniform, "min": 100, "max": 100 + high})
    assert shifted == pytest.approx([number + 100 for number in made])


def test_an_integer_is_drawn_from_all_of_its_range() -> None:
    made = generate({"type": "integer_generator_random_distribution_uniform", "count": 2000, "seed": 1})
    assert isinstance(made, list)
    assert {*made} == {*range(11)}


@pytest.mark.parametrize(
    ("kind", "is_kept"),
    [
        ("float_generator_arithmetic_sequence", True),
        ("float_generator_linear_distribution", True),
        ("float_generator_random_distribution_uniform", True),
        ("float_generator_parse_string", True),
        ("integer_generator_arithmetic_sequence", False),
        ("integer_generator_parse_string", False),
    ],
)
def test_values_that_an_older_web_ui_stored_are_those_of_floats(kind: str, is_kept: bool) -> None:
    assert (generate({"type": kind, "values": [5, 6]}) == [5, 6]) is is_kept
    assert generate({"type": kind, "values": None}) != [5, 6]
    assert generate({"type": kind, "values": [], "count": 3}) == [] or not is_kept


def test_a_million_values_are_the_most() -> None:
    value = {"type": "float_generator_arithmetic_sequence", "step": 0, "count": MOST_VALUES}
    assert generate(value) == [0]
    with pytest.raises(ValueError, match="it has 1000001 values, more than 1000000"):
        generate({**value, "count": MOST_VALUES + 1})


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ({"type": "float_generator_linear_distribution", "start": "0"}, "start"),
        ({"type": "float_generator_linear_distribution", "end": None}, "end"),
        ({"type": "integer_generator_linear_distribution", "start": 0.5}, "start"),
        ({"type": "integer_generator_linear_distribution", "end": "9"}, "end"),
        ({"type": "float_generator_random_distribution_uniform", "min": "0"}, "min"),
        ({"type": "float_generator_random_distribution_uniform", "max": True}, "max"),
        ({"type": "integer_generator_random_distribution_uniform", "min": 0.5}, "min"),
        ({"type": "integer_generator_random_distribution_uniform", "max": 0.5}, "max"),
        ({"type": "integer_generator_random_distribution_uniform", "seed": 0.5}, "seed"),
        ({"type": "float_generator_arithmetic_sequence", "count": 2.5}, "count"),
        ({"type": "float_generator_parse_string", "input": 5}, "input"),
        ({"type": "integer_generator_parse_string", "input": None}, "input"),
        ({"type": "string_generator_parse_string", "splitOn": 5}, "splitOn"),
        ({"type": "string_generator_dynamic_prompts_random", "input": 5}, "input"),
        ({"type": "string_generator_dynamic_prompts_random", "count": "5"}, "count"),
        ({"type": "string_generator_dynamic_prompts_random", "seed": "5"}, "seed"),
        ({"type": "string_generator_dynamic_prompts_combinatorial", "maxPrompts": "5"}, "maxPrompts"),
        ({"type": "image_generator_images_from_board", "board_id": 5}, "board_id"),
        ({"type": "image_generator_images_from_board", "category": 5}, "category"),
    ],
)
def test_a_part_of_a_wrong_type_is_named(value: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=rf"'{part}' (must be|is neither)"):
        generate(value)
