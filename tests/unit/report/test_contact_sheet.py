from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from invokeai_py_client import Axis, contact_sheet
from invokeai_py_client.report import sheets
from invokeai_py_client.report.sheets import Cell, Painter, Table

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)

Rows = Callable[..., dict[str, Any]]


@pytest.fixture
def row(tmp_path: Path) -> Rows:
    """Make a row with an image of one colour."""

    def make(index: int, colour: tuple[int, int, int] = RED, **values: Any) -> dict[str, Any]:
        Image.new("RGB", (96, 64), colour).save(tmp_path / f"{index}.png")
        return {
            "row_id": f"id{index}",
            "index": index,
            "values": values,
            "seed": None,
            "status": "completed",
            "error": None,
            "files": [{"path": f"{index}.png"}],
        }

    return make


def colours(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as image:
        found = image.convert("RGB").getcolors(1_000_000)
    assert found is not None
    return {colour for count, colour in found if count > 1000 and isinstance(colour, tuple)}


def place_of(path: Path, colour: tuple[int, int, int]) -> tuple[int, int]:
    """The middle of what has a colour."""
    with Image.open(path) as image:
        pixels = image.convert("RGB").load()
        assert pixels is not None
        places = [(x, y) for x in range(0, image.width, 4) for y in range(0, image.height, 4) if pixels[x, y] == colour]
    xs, ys = zip(*places, strict=True)
    return sum(xs) // len(xs), sum(ys) // len(ys)


def test_the_first_axis_goes_across_and_the_second_down(tmp_path: Path, row: Rows) -> None:
    rows = [row(0, RED, X=1, Y="a"), row(1, GREEN, X=2, Y="a"), row(2, BLUE, X=1, Y="b")]
    (path,) = contact_sheet(tmp_path, axes=[Axis("X", (1, 2)), Axis("Y", ("a", "b"))], rows=rows, title="Colours")
    assert path == tmp_path / "contact_sheet.png"
    red, green, blue = (place_of(path, colour) for colour in (RED, GREEN, BLUE))
    assert green[0] > red[0]
    assert green[1] == red[1]
    assert blue[0] == red[0]
    assert blue[1] > red[1]


def test_each_value_of_a_third_axis_has_a_sheet(tmp_path: Path, row: Rows) -> None:
    axes = [Axis("X", (1,)), Axis("Y", (1,)), Axis("Z", ("p", "q")), Axis("W", (0,))]
    rows = [row(0, RED, X=1, Y=1, Z="p", W=0), row(1, GREEN, X=1, Y=1, Z="q", W=0)]
    paths = contact_sheet(tmp_path, axes=axes, rows=rows)
    assert [path.name for path in paths] == ["contact_sheet.png", "contact_sheet-2.png"]
    assert RED in colours(paths[0])
    assert RED not in colours(paths[1])
    assert GREEN in colours(paths[1])


def test_runs_of_the_same_values_are_side_by_side(tmp_path: Path, row: Rows) -> None:
    rows = [row(0, RED, X=1), row(1, GREEN, X=1)]
    (path,) = contact_sheet(tmp_path, axes=[Axis("X", (1,))], rows=rows)
    assert {RED, GREEN} <= colours(path)


def test_several_files_of_a_row_share_its_place(tmp_path: Path, row: Rows) -> None:
    first, second = row(0, RED, X=1), row(1, GREEN, X=2)
    first["files"] += second["files"]
    (path,) = contact_sheet(tmp_path, axes=[Axis("X", (1,))], rows=[first])
    assert place_of(path, GREEN)[0] > place_of(path, RED)[0]


def test_rows_without_axes_are_a_gallery(tmp_path: Path, row: Rows) -> None:
    rows = [row(index, (RED, GREEN, BLUE)[index], Prompt=f"prompt {index}") for index in range(3)]
    (path,) = contact_sheet(tmp_path, rows=rows, title="猫 \ud800")
    assert {RED, GREEN, BLUE} <= colours(path)
    assert contact_sheet(tmp_path, rows=[]) == []
    assert contact_sheet(tmp_path, axes=[Axis("X", ())], rows=[]) == []


def test_a_sample_of_a_huge_product_is_a_gallery(tmp_path: Path, row: Rows) -> None:
    axes = [Axis("X", range(10**6)), Axis("Y", range(10**6))]
    (path,) = contact_sheet(tmp_path, axes=axes, rows=[row(0, RED, X=3, Y=4)])
    assert RED in colours(path)


def test_a_table_of_rows_is_a_gallery(tmp_path: Path, row: Rows) -> None:
    """Rows of a file have other values each: a grid would have a row on its diagonal only."""
    rows = [row(index, GREEN, Prompt=f"prompt {index}", seed=index) for index in range(9)]
    axes = [Axis("Prompt", [f"prompt {index}" for index in range(9)]), Axis("seed", range(9))]
    (path,) = contact_sheet(tmp_path, axes=axes, rows=rows)
    with Image.open(path) as image:
        assert max(image.size) < 500
    assert (0xEC, 0xEF, 0xF2) not in colours(path)


def test_a_long_axis_alone_is_a_gallery(tmp_path: Path, row: Rows) -> None:
    rows = [row(index, Steps=index) for index in range(9)]
    sizes = []
    for count in (8, 9):
        (path,) = contact_sheet(tmp_path, axes=[Axis("Steps", range(count))], rows=rows[:count])
        with Image.open(path) as image:
            sizes.append(image.size)
    assert sizes[0][0] > 2 * sizes[0][1]
    assert sizes[1][0] < 2 * sizes[1][1]


def test_captions_have_the_room_that_the_longest_needs(tmp_path: Path, row: Rows) -> None:
    heights = []
    for prompt in ("a cub", "a cub in the snow of a mountain " * 3, "word " * 2000):
        rows = [row(index, Prompt=f"{prompt} {index}") for index in range(4)]
        (path,) = contact_sheet(tmp_path, rows=rows)
        with Image.open(path) as image:
            heights.append(image.height)
    assert heights[0] < heights[1] < heights[2] < heights[0] + 2 * 160


def test_what_did_not_complete_is_marked(tmp_path: Path, row: Rows) -> None:
    failed = {**row(0, X=1), "status": "failed", "error": "CUDA out of memory", "files": []}
    (path,) = contact_sheet(tmp_path, axes=[Axis("X", (1, 2))], rows=[failed], total=2)
    assert {(0xFF, 0xEB, 0xE9), (0xEC, 0xEF, 0xF2)} <= colours(path)


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_text("text"), id="no image"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-30]), id="cut short"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:40]), id="header only"),
    ],
)
def test_a_broken_file_stops_nothing(tmp_path: Path, row: Rows, break_it: Callable[[Path], object]) -> None:
    rows = [row(0, RED, X=1), row(1, GREEN, X=2)]
    break_it(tmp_path / "0.png")
    (path,) = contact_sheet(tmp_path, axes=[Axis("X", (1, 2))], rows=rows)
    assert {GREEN, (0xFF, 0xEB, 0xE9)} <= colours(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_images_of_any_mode(tmp_path: Path, row: Rows, mode: str) -> None:
    one = row(0, X=1)
    one["files"] = [{"path": "other.tiff"}]
    Image.new(mode, (96, 64)).save(tmp_path / "other.tiff")
    (path,) = contact_sheet(tmp_path, axes=[Axis("X", (1,))], rows=[one])
    assert (0xFF, 0xEB, 0xE9) not in colours(path)


def test_what_is_clear_is_white(tmp_path: Path, row: Rows) -> None:
    one = row(0, X=1)
    Image.new("RGBA", (96, 64), (0, 0, 0, 0)).save(tmp_path / "0.png")
    (path,) = contact_sheet(tmp_path, axes=[Axis("X", (1,))], rows=[one])
    assert colours(path) == {(255, 255, 255)}


def test_the_same_rows_make_the_same_bytes(tmp_path: Path, row: Rows) -> None:
    rows = [row(0, RED, X=1), row(1, GREEN, X=2)]
    axes = [Axis("X", (1, 2))]
    first = contact_sheet(tmp_path, axes=axes, rows=rows)[0].read_bytes()
    assert contact_sheet(tmp_path, axes=axes, rows=reversed(rows))[0].read_bytes() == first


def test_sheets_that_are_not_needed_any_more_are_deleted(tmp_path: Path, row: Rows) -> None:
    rows = [row(index, X=1, Y=1, Z=index) for index in range(3)]
    axes = [Axis("X", (1,)), Axis("Y", (1,)), Axis("Z", (0, 1, 2))]
    assert len(contact_sheet(tmp_path, axes=axes, rows=rows)) == 3
    (tmp_path / "contact_sheet-mine.png").touch()
    contact_sheet(tmp_path, axes=axes[:1], rows=rows[:1])
    assert sorted(path.name for path in tmp_path.glob("contact*")) == ["contact_sheet-mine.png", "contact_sheet.png"]


def table(columns: int, lines: int, label: str = "") -> Table:
    return Table(
        columns=[f"{label}{number}" for number in range(columns)],
        labels=[f"{label}{number}" for number in range(lines)],
        cell=lambda x, y: Cell(None),
        subtitle="Sampler: euler",
        across="Steps",
        down="Positive Prompt",
    )


@pytest.mark.parametrize("label", ["", "word " * 100, "x" * 700, "a prompt <script>, "])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (1, 12)])
def test_no_label_is_cut_off(tmp_path: Path, label: str, shape: tuple[int, int]) -> None:
    title = "A title that is rather long for a sheet with one column " * 3
    for sheet in Painter(tmp_path, title, (96, 96)).sheets(table(*shape, label)):
        for block, (left, top, right, bottom), _, _ in sheet.texts:
            assert block.height <= bottom - top
            assert all(block.font.getlength(line) <= right - left for line in block.lines)
            assert left >= 0
            assert top >= 0
            assert right <= sheet.width
            assert bottom <= sheet.height
        # No label stands where an image is.
        heads = max(bottom for _, (_, _, _, bottom), _, _ in sheet.texts[: 4 + shape[0]])
        assert heads <= sheet.lines[0][1]


@pytest.mark.parametrize(
    ("shape", "label"), [((1000, 1000), ""), ((5000, 1), ""), ((1, 5000), ""), ((300, 3), "word " * 400)]
)
def test_a_sheet_that_would_be_too_large_is_split(tmp_path: Path, shape: tuple[int, int], label: str) -> None:
    made = list(Painter(tmp_path, "", (1024, 1024)).sheets(table(*shape, label)))
    assert len(made) > 1
    assert all(sheet.width * sheet.height <= sheets.MOST_PIXELS for sheet in made)
    assert all(max(sheet.width, sheet.height) <= sheets.MOST_SIDE for sheet in made)
    places = [(x, y) for sheet in made for x, _ in sheet.columns for y, _ in sheet.lines]
    assert len(places) == len(set(places)) == shape[0] * shape[1]


def test_without_pillow_the_error_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "from pathlib import Path\n"
        "from invokeai_py_client import InvokeAIError, contact_sheet\n"
        "try: contact_sheet(Path('.'), rows=[])\n"
        "except InvokeAIError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "contact_sheet() needs Pillow" in done.stdout
    assert 'pip install "invokeai-py-client[images]"' in done.stdout
