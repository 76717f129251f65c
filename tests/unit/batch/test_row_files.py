"""Plans of rows: lists, frames and files, in all the forms in which spreadsheets write them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.plans import cells, planned

from invokeai_py_client.batch.plan_data import PlanData
from invokeai_py_client.batch.sources import SourceError, taken
from invokeai_py_client.errors import PlanError
from invokeai_py_client.workflow.templates import NodeTemplates

PNG = (Path(__file__).parents[3] / "docs" / "demo.png").read_bytes()


class Rows:
    """Writes files of rows and plans them."""

    def __init__(self, templates: NodeTemplates, folder: Path) -> None:
        self.templates = templates
        self.folder = folder

    def plan(self, text: str, *, name: str = "rows.csv", encoding: str = "utf-8", **options: Any) -> PlanData:
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return planned(self.templates, path, **options)

    def problems(self, text: str, *, name: str = "rows.csv", **options: Any) -> list[tuple[int | None, str, str]]:
        with pytest.raises(PlanError) as caught:
            self.plan(text, name=name, **options)
        return [*caught.value.problems]


@pytest.fixture
def rows(templates: NodeTemplates, tmp_path: Path) -> Rows:
    return Rows(templates, tmp_path)


PLAIN = [("a, b", 64, 1.5), ('say "x"\nor y', 128, 2.0)]
QUOTED = '"Positive Prompt","Width","Radius"\n"a, b",64,1.5\n"say ""x""\nor y",128,2.0\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_file_may_have_a_byte_order_mark(rows: Rows, encoding: str) -> None:
    assert cells(rows.plan(QUOTED, encoding=encoding)) == PLAIN


def test_a_csv_file_may_have_the_line_ends_of_windows(rows: Rows) -> None:
    plan = rows.plan("Positive Prompt,Width\r\na,64\r\n\r\nb,128\r\n")
    assert cells(plan) == [("a", 64), ("b", 128)]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_csv_file_may_use_other_delimiters(rows: Rows, mark: str) -> None:
    text = f"Positive Prompt{mark}Width{mark}Radius\na, b{mark}64{mark}2.5\n"
    assert cells(rows.plan(text)) == [("a, b", 64, 2.5)]


def test_a_decimal_comma_is_read_where_semicolons_delimit(rows: Rows) -> None:
    assert cells(rows.plan("Radius;Width\n2,5;64\n")) == [(2.5, 64)]
    assert rows.problems('Radius,Width\n"2,5",64\n')[0][:2] == (0, "Radius")


def test_a_tsv_file_is_delimited_by_tabs(rows: Rows) -> None:
    assert cells(rows.plan("Positive Prompt\nred, blue; green\n", name="rows.tsv")) == [("red, blue; green",)]


def test_a_delimiter_at_the_end_of_each_line_makes_no_column(rows: Rows) -> None:
    assert cells(rows.plan("Width,Height,\n64,64,\n128,128\n", on_bad_row="skip")) == [(64, 64), (128, 128)]


def test_ragged_rows_are_reported_with_their_lines(rows: Rows) -> None:
    found = rows.problems('Width,Positive Prompt\n64,"a\nb"\n128\n\n64,c,d\n64,e\n')
    path = rows.folder / "rows.csv"
    assert found == [
        (1, "", f"it has 1 cell, and the first line of the file has 2 (line 4 of {path})"),
        (
            2,
            "",
            "it has 3 cells, and the first line of the file has 2; a cell that contains ',' must be quoted "
            f"(line 6 of {path})",
        ),
    ]


@pytest.mark.parametrize("cell", ['"a cat', '"a" cat', '"a"" cat'])
def test_an_unpaired_quote_is_reported_with_the_line_of_its_row(rows: Rows, cell: str) -> None:
    # Otherwise all rows after it would be part of one prompt.
    text = f'Positive Prompt\nx\n"y\nz"\n{cell}\nb\nc\n'
    [(_, _, why)] = rows.problems(text, on_bad_row="skip")
    assert "the row that begins in line 5" in why


def test_a_quote_inside_a_cell_is_part_of_it(rows: Rows) -> None:
    assert cells(rows.plan('Positive Prompt\n12" ruler\n')) == [('12" ruler',)]


def test_lines_of_nothing_but_delimiters_at_the_end_are_no_rows(rows: Rows) -> None:
    plan = rows.plan("Positive Prompt,#note\n,\na,b\n,\n , ,\n")
    assert cells(plan) == [("", ""), ("a", "b")]
    assert cells(rows.plan('Positive Prompt\na\n""\n')) == [("a",), ("",)]


def test_lines_that_are_not_json_are_reported_although_none_is(rows: Rows) -> None:
    found = rows.problems("[1]\nx\n", name="rows.jsonl")
    assert [row for row, _, _ in found] == [0, 1, None]


@pytest.mark.parametrize("path", ["/" + "x" * 10_000, "x" * 10_000])
def test_a_cell_that_is_too_long_for_a_path_is_a_bad_cell_or_a_name(rows: Rows, path: str) -> None:
    plan = rows.plan(f"blur.image\n{path}\n", on_bad_row="skip")
    assert bool(plan.row(0).problems) is path.startswith("/")


def test_an_unknown_column_is_reported_with_the_nearest(rows: Rows) -> None:
    [(row, column, why)] = rows.problems("Widht,Height\n64,64\n")
    assert (row, column) == (None, "Widht")
    assert "Width" in why


def test_a_missing_column_is_the_workflows_own_value(rows: Rows) -> None:
    plan = rows.plan("Width\n128\n")
    assert [*plan.columns] == ["Width"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty; its first line must name the columns"),
        ("Width\n", "has no rows"),
        ("Width,Width\n64,64\n", "names 'Width' twice"),
        ("Width,,Height\n64,1,64\n", "has a column without a name"),
        ("Width,\n64,1\n", "has a column without a name"),
    ],
)
def test_a_csv_file_of_which_no_rows_can_be_read_says_why(rows: Rows, text: str, why: str) -> None:
    assert why in rows.problems(text)[0][2]


def test_bad_cells_are_reported_with_their_lines(rows: Rows) -> None:
    found = rows.problems("Width,Use Cpu\n64,true\n65,maybe\n")
    assert [(row, column) for row, column, _ in found] == [(1, "Width"), (1, "Use Cpu")]
    assert all("(line 3 of" in why for _, _, why in found)
    assert "65 is not allowed" in found[0][2]
    assert "'maybe' is not allowed: it takes True or False" in found[1][2]


def test_texts_of_a_file_become_values_of_the_input(rows: Rows) -> None:
    text = "Width,Radius,Use Cpu,Blur Type,Model,Board,Positive Prompt,add.a\n" + (
        "64.0,1e1,YES,gaussian,huge,none, 7 ,3\n 128 ,2,0,box,k-tiny,Cats,,-4\n"
    )
    plan = rows.plan(text)
    assert cells(plan) == [
        (64, 10.0, True, "gaussian", "huge", "none", " 7 ", 3),
        (128, 2, False, "box", "tiny", "Cats", "", -4),
    ]
    assert [column.name for column in plan.cell_columns][-1] == "add.a"


def test_an_empty_cell_is_the_workflows_own_value_but_for_texts(rows: Rows) -> None:
    plan = rows.plan("Width,Positive Prompt\n,\n128,a\n", values={"Width": 192})
    assert cells(plan) == [(192, ""), (128, "a")]


def test_a_path_of_an_image_starts_at_the_folder_of_the_file(rows: Rows) -> None:
    (rows.folder / "below").mkdir()
    for name in ("here.png", "below/there.png"):
        (rows.folder / name).write_bytes(PNG)
    plan = rows.plan("Image\nhere.png\nbelow/there.png\non-the-server.png\n")
    assert [row.values["Image"] for row in plan] == [
        str(rows.folder / "here.png"),
        str(rows.folder / "below" / "there.png"),
        "on-the-server.png",
    ]
    [(row, column, why)] = rows.problems("Image\nbelow/none.png\n")
    assert (row, column) == (0, "Image")
    assert "No such file" in why


def test_a_file_of_json_lines_has_an_object_on_each(rows: Rows) -> None:
    text = '{"Positive Prompt": "a", "Width": 64}\n\n{"Width": 128, "Positive Prompt": "b"}\n'
    assert cells(rows.plan(text, name="rows.jsonl")) == [("a", 64), ("b", 128)]
    found = rows.problems('{"Width": 64}\n{"Width": \n[64]\n', name="rows.jsonl")
    assert [(row, column) for row, column, _ in found] == [(1, ""), (2, "")]
    assert "the line is not JSON" in found[0][2]
    assert "it is [64], not an object (line 3 of" in found[1][2]


def test_a_row_without_a_value_that_others_have_is_bad(rows: Rows) -> None:
    [(row, column, why)] = rows.problems('{"Width": 64, "Height": 64}\n{"Width": 64}\n', name="rows.jsonl")
    assert (row, column) == (1, "Height")
    assert "which other rows have" in why
    assert cells(rows.plan('{"Width": 64}\n{"Width": null}\n', name="rows.ndjson")) == [(64,), (64,)]


def test_a_json_file_has_a_list_of_rows(rows: Rows) -> None:
    picks = '[{"Positive Prompt": "a", "seed": 7, "#note": "best"}]'
    plan = rows.plan(picks, name="picks.json")
    assert [(row.seed, row.values["#note"]) for row in plan] == [(7, "best")]
    assert "does not contain a list of rows" in rows.problems("{}", name="picks.json")[0][2]
    assert "is not JSON" in rows.problems("[", name="picks.json")[0][2]


def test_a_plan_of_the_rows_of_a_plan_runs_the_same(rows: Rows) -> None:
    plan = rows.plan("Width,Model,Positive Prompt,#who\n64,huge,a,Ann\n128,tiny,b,Bob\n", seeds=2)
    again = planned(rows.templates, [dict(row.values) for row in plan])
    assert [row.row_id for row in again] == [row.row_id for row in plan]


def test_a_row_may_name_its_seed_beside_the_column_that_sets_it(rows: Rows) -> None:
    plan = rows.plan("noise.seed,Width\n7,64\n8,128\n", override_edge=True)
    picks = [{**row.values, "seed": row.seed} for row in plan]
    again = planned(rows.templates, picks, override_edge=True)
    assert [*again] == [*plan]
    picks[1]["seed"] = 9
    with pytest.raises(PlanError, match=r"row 1, 'seed': it is 9, and 'noise.seed' sets the same input to 8"):
        planned(rows.templates, picks, override_edge=True)


@pytest.mark.parametrize("name", ["rows.xlsx", "rows"])
def test_another_kind_of_file_is_refused(rows: Rows, name: str) -> None:
    assert "is not a .csv, .tsv, .jsonl, .ndjson or .json file" in rows.problems("Width\n64\n", name=name)[0][2]


def test_a_file_that_cannot_be_read_is_refused(rows: Rows) -> None:
    with pytest.raises(PlanError, match="cannot be read: No such file"):
        planned(rows.templates, rows.folder / "none.csv")
    (rows.folder / "latin.csv").write_bytes(b"Positive Prompt\nna\xefve\n")
    with pytest.raises(PlanError, match="is not UTF-8"):
        planned(rows.templates, rows.folder / "latin.csv")


class PandasFrame:
    """As much of a frame of pandas as a plan needs."""

    columns: Sequence[str] = ("Width", "Radius")

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        assert orient == "records"
        return [{"Width": 64, "Radius": 2.5}, {"Width": 128, "Radius": float("nan")}]


def test_columns_of_one_name_in_a_frame_are_refused(rows: Rows) -> None:
    # pandas would leave out all but the last.
    class Frame(PandasFrame):
        columns = (*PandasFrame.columns, "Width")

    with pytest.raises(SourceError, match="several columns named 'Width'"):
        taken(Frame())


class PolarsFrame:
    """As much of a frame of polars as a plan needs."""

    columns = ("Width", "Radius")

    def to_dicts(self) -> list[dict[str, Any]]:
        return [{"Width": 64, "Radius": 2.5}, {"Width": 128, "Radius": None}]

    def to_dict(self) -> dict[str, Any]:
        raise AssertionError("it returns columns")


@pytest.mark.parametrize("frame", [PandasFrame(), PolarsFrame()])
def test_a_frame_has_a_row_for_each_run(templates: NodeTemplates, frame: Any) -> None:
    assert cells(planned(templates, frame)) == [(64, 2.5), (128, 2.0)]


class NAType:
    """What pandas has in an empty cell of whole numbers; it cannot be compared."""

    def __eq__(self, other: object) -> Any:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None  # type: ignore[assignment]


def test_an_empty_cell_of_a_frame_is_the_workflows_own_value(templates: NodeTemplates) -> None:
    class Frame(PolarsFrame):
        def to_dicts(self) -> list[dict[str, Any]]:
            return [{"Width": NAType(), "Radius": float("nan")}]

    assert cells(planned(templates, Frame())) == [(64, 2.0)]


def test_rows_may_come_from_a_generator(templates: NodeTemplates) -> None:
    assert cells(planned(templates, ({"Width": 64 * n} for n in (1, 2)))) == [(64,), (128,)]


@pytest.mark.parametrize("what", [7, None, [64], [{"Width": 64}, 7], b"rows.csv"])
def test_what_has_no_rows_is_refused(what: Any) -> None:
    with pytest.raises(ValueError, match="not a mapping"):
        taken(what)


def test_no_rows_are_refused(templates: NodeTemplates) -> None:
    with pytest.raises(PlanError, match="there are no rows"):
        planned(templates, [])


def test_a_large_file_is_planned_quickly(rows: Rows) -> None:
    text = "Positive Prompt,Width,seed\n" + "".join(f"prompt {n},{64 + n % 9 * 8},{n}\n" for n in range(20_000))
    began = time.process_time()
    plan = rows.plan(text)
    assert sum(len(group) for group in plan.groups()) == 20_000
    assert plan.row(19_999).seed == 19_999
    # A hundred thousand shall take 5 s at most: a fifth of them, a fifth of that, and as much again for a slow machine.
    assert time.process_time() - began < 2.0
