from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.report.axes import Axis, Grid, is_grid, label_of


def row(index: int, seed: int | None = None, **values: Any) -> dict[str, Any]:
    return {"row_id": f"id{index}", "index": index, "values": values, "seed": seed, "status": "completed", "files": []}


def test_a_row_is_found_by_its_values() -> None:
    grid = Grid([Axis("Steps", (8, 20)), Axis("CFG", (4.0, 7.5))], [row(0, Steps=8, CFG=4), row(1, Steps=20, CFG=7.5)])
    assert [axis.name for axis in grid.axes] == ["Steps", "CFG"]
    found = grid.row_at((1, 1))
    assert found is not None
    assert found["index"] == 1
    assert grid.row_at((0, 1)) is None


def test_a_column_that_sets_nothing_is_shown_without_its_mark() -> None:
    axis = Axis("#Width, Height", ("512, 512", "768, 512"))
    assert axis.title == "Width, Height"
    values: dict[str, Any] = {"Width": 768, "Height": 512, "#Width, Height": "768, 512"}
    assert Grid([axis], [row(0, **values)]).row_at((1,)) is not None


def test_the_seed_can_be_an_axis() -> None:
    grid = Grid([Axis("seed", (7, 8))], [row(0, seed=8)])
    assert grid.row_at((0,)) is None
    assert grid.row_at((1,)) is not None


def test_rows_of_one_place_are_distinguished_by_an_axis_of_runs() -> None:
    rows = [row(2, seed=3, Steps=8), row(0, seed=1, Steps=8), row(1, seed=2, Steps=20)]
    grid = Grid([Axis("Steps", (8, 20))], rows)
    assert [(axis.name, list(axis.values)) for axis in grid.axes] == [("Steps", [8, 20]), ("Run", [1, 2])]
    places = {(x, y): grid.row_at((x, y)) for x in (0, 1) for y in (0, 1)}
    assert {place: found and found["index"] for place, found in places.items()} == {
        (0, 0): 0,
        (0, 1): 2,
        (1, 0): 1,
        (1, 1): None,
    }


def test_the_last_line_of_a_row_counts() -> None:
    failed = {**row(0, Steps=8), "status": "failed"}
    found = Grid([Axis("Steps", (8,))], [failed, row(0, Steps=8)]).row_at((0,))
    assert found is not None
    assert found["status"] == "completed"


def test_images_of_one_folder_are_shown_by_their_names() -> None:
    assert Axis("Image", ["/photos/a.png", "/photos/b.JPG"]).labels == ["a.png", "b.JPG"]
    assert Axis("Image", [r"C:\photos\a.png"]).labels == ["a.png"]
    for others in (["/photos/a.png", "/more/a.png"], ["/photos/a.png", None], ["/a cat", "/a dog"], ["a.png", "b.png"]):
        assert Axis("Image", others).labels == [label_of(value) for value in others]


@pytest.mark.parametrize(
    ("lengths", "rows", "is_one"),
    [
        ((), 5, False),
        ((8,), 8, True),
        ((9,), 9, False),
        ((3, 9), 27, True),
        ((10, 10), 51, True),
        # Rows of a file, whose columns do not vary independently, with several seeds.
        ((2, 2, 10), 20, False),
        ((9, 1), 9, True),
        ((0,), 0, False),
    ],
)
def test_a_grid_has_rows_at_many_of_its_places(lengths: tuple[int, ...], rows: int, is_one: bool) -> None:
    assert is_grid([Axis(str(number), range(length)) for number, length in enumerate(lengths)], rows) is is_one


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("", "(empty)"),
        (" \n", "(empty)"),
        ("<b>", "<b>"),
        (7, "7"),
        (7.0, "7"),
        (True, "true"),
        (None, "none"),
        ((512, 768), "512, 768"),
        ({"name": "Dreamshaper", "key": "1"}, "Dreamshaper"),
        ({"x": "猫"}, '{"x": "猫"}'),
    ],
)
def test_labels(value: object, label: str) -> None:
    assert label_of(value) == label
