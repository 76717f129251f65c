"""Which rows a plan has: columns, groups, products and zips, seeds, samples, prompts, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.documents import edge, node
from tests.support.plans import cells, document, planned

from invokeai_py_client.batch import planner, sources
from invokeai_py_client.batch.sources import ABSENT, SourceError, replace, taken
from invokeai_py_client.errors import PlanError, SettingsError
from invokeai_py_client.workflow.fields import Field
from invokeai_py_client.workflow.templates import NodeTemplates

PNG = (Path(__file__).parents[3] / "docs" / "demo.png").read_bytes()


def problems(templates: NodeTemplates, what: Any, **options: Any) -> list[tuple[int | None, str, str]]:
    with pytest.raises(PlanError) as caught:
        planned(templates, what, **options)
    return [*caught.value.problems]


# Columns and keys


def test_columns_are_multiplied_with_the_last_changing_fastest(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Positive Prompt": ["a", "b"], "Width": range(64, 192, 64)})
    assert cells(plan) == [("a", 64), ("a", 128), ("b", 64), ("b", 128)]
    assert [row.index for row in plan] == [0, 1, 2, 3]
    assert [(axis.name, axis.values) for axis in plan.shown_axes] == [
        ("Positive Prompt", ["a", "b"]),
        ("Width", [64, 128]),
    ]


def test_columns_are_zipped(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Positive Prompt": iter("ab"), "Width": (64, 128), "Height": [8, 8]}, combine="zip")
    assert cells(plan) == [("a", 64, 8), ("b", 128, 8)]
    # What does not vary is not an axis.
    assert [axis.name for axis in plan.shown_axes] == ["Positive Prompt", "Width"]


def test_zipped_columns_must_have_the_same_number_of_values(templates: NodeTemplates) -> None:
    found = problems(templates, {"Positive Prompt": ["a"], "Width": [64, 128]}, combine="zip")
    assert found == [
        (None, "", "zipped columns must have the same number of values, but 'Positive Prompt' has 1, 'Width' has 2")
    ]


def test_cells_are_checked_without_setting_inputs(templates: NodeTemplates, monkeypatch: pytest.MonkeyPatch) -> None:
    # Rows are worked out when they are read, in several threads at once.
    plan = planned(templates, {"Positive Prompt": ["{a|b}"]}, dynamic_prompts="all")
    monkeypatch.delattr(Field, "set")
    assert cells(plan) == [("a",), ("b",)]
    assert plan.cell_columns[0].check("c") == "c"


@pytest.mark.parametrize("key", ["Width", "width", 1, ("noise", "width"), "noise.width", "1"], ids=lambda key: str(key))
def test_a_column_is_named_by_label_index_or_node_and_field(templates: NodeTemplates, key: Any) -> None:
    [column] = planned(templates, {key: [64]}).cell_columns
    assert column.places == (("noise", "width"),)


@pytest.mark.parametrize("key", ["Width", 1, ("noise", "width"), ("add", "a")], ids=str)
def test_the_name_of_a_column_names_it_in_a_file_of_rows(templates: NodeTemplates, key: Any) -> None:
    [name] = planned(templates, {key: [64]}).columns
    [column] = planned(templates, [{name: 64}]).cell_columns
    assert column.places == planned(templates, {key: [64]}).cell_columns[0].places


def test_a_group_varies_inputs_together(templates: NodeTemplates) -> None:
    plan = planned(templates, {("Width", "Height"): [(64, 128), [128, 64]], "Positive Prompt": ["a", "b"]})
    assert [[row.values[name] for name in ("Width", "Height", "Positive Prompt")] for row in plan] == [
        [64, 128, "a"],
        [64, 128, "b"],
        [128, 64, "a"],
        [128, 64, "b"],
    ]
    # The report finds the place of a row by one value.
    axis = plan.shown_axes[0]
    assert (axis.name, axis.values) == ("#Width, Height", ["64, 128", "128, 64"])
    assert plan.row(0).values["#Width, Height"] == "64, 128"


@pytest.mark.parametrize("key", [(1, 2), ("Width", ("noise", "height")), (("noise", "width"), ("noise", "height"))])
def test_the_members_of_a_group_are_named_like_columns(templates: NodeTemplates, key: Any) -> None:
    columns = planned(templates, {key: [(64, 128)]}).cell_columns
    assert [column.places for column in columns[:2]] == [(("noise", "width"),), (("noise", "height"),)]


def test_a_pair_of_texts_is_a_node_and_its_field_if_there_is_such_an_input(templates: NodeTemplates) -> None:
    assert planned(templates, {("noise", "width"): [64, 128]}).columns == ["noise.width"]


def test_a_pair_that_could_be_either_is_refused(templates: NodeTemplates) -> None:
    ambiguous = document()
    # A node with the label "Width" has the field "width", and another input has the label "width".
    ambiguous["nodes"][2]["data"]["label"] = "Width"
    ambiguous["nodes"][5]["data"]["inputs"]["radius"]["label"] = "height"
    found = problems(templates, {("Width", "height"): [(64, 2)]}, document=ambiguous)
    assert found[0][1] == "Width, height"
    assert "could be the input 'height' of the node 'Width', or a group of two labels" in found[0][2]


def test_a_pair_that_is_neither_says_so(templates: NodeTemplates) -> None:
    [(row, column, why)] = problems(templates, {("Width", "Hight"): [(64, 2)]})
    assert (row, column) == (None, "Width, Hight")
    assert "neither a node and its field, nor a group of inputs: there is no input 'Hight'" in why


@pytest.mark.parametrize("values", [[64, 128], [(64,)], [(64, 64, 64)], ["ab"], range(3), [], "ab"])
def test_the_values_of_a_group_are_tuples_of_its_size(templates: NodeTemplates, values: Any) -> None:
    [(row, column, why)] = problems(templates, {("Width", "Height"): values})
    assert (row, column) == (None, "Width, Height")
    assert "tuple" in why


def test_two_columns_cannot_set_one_input(templates: NodeTemplates) -> None:
    assert problems(templates, {"Width": [64], ("noise", "width"): [64]}) == [
        (None, "noise.width", "another column sets the same input: 'Width'")
    ]


def test_all_unknown_columns_are_reported_at_once(templates: NodeTemplates) -> None:
    with pytest.raises(PlanError) as caught:
        planned(templates, {"Prompt": ["a"], "Widht": [64], 99: [1], "gone.width": [64]})
    assert [(column, why) for _, column, why in caught.value.problems] == [
        ("Prompt", "No input matches 'Prompt'"),
        ("Widht", "No input matches 'Widht' (did you mean 'Width'?)"),
        ("99", "There is no input 99: this workflow has 9"),
        ("gone.width", "No input matches 'gone.width' (did you mean 'Width'?)"),
    ]
    # What there is, is listed once.
    assert str(caught.value).count("[0] Positive Prompt") == 1
    assert caught.value.hint.startswith("The inputs of the form: [0] Positive Prompt")


@pytest.mark.parametrize("values", [20, None, {"a": 1}, b"ab"])
def test_a_column_that_is_not_a_list_is_refused(templates: NodeTemplates, values: Any) -> None:
    with pytest.raises(ValueError, match=r"the values of 'Width' are .*, not a list: pass \["):
        taken({"Width": values})


def test_replace_rejects_a_string_in_place_of_a_list() -> None:
    with pytest.raises(TypeError, match=r"pass \['dog'\]"):
        replace("Positive Prompt", "cat", "dog")


def test_a_frame_is_not_a_column() -> None:
    class Frame:
        columns = ("a",)

        def __iter__(self) -> Iterator[str]:
            return iter(self.columns)

    with pytest.raises(SourceError, match="pass one of its columns"):
        taken({"Positive Prompt": Frame()})


def test_a_column_rejects_a_string_in_place_of_a_list(templates: NodeTemplates) -> None:
    [(_, column, why)] = problems(templates, {"Positive Prompt": "prompts.txt"})
    assert column == "Positive Prompt"
    assert "pass [...] for one value, or Path(...) for a file of lines" in why


def test_a_column_without_values_is_refused(templates: NodeTemplates) -> None:
    assert problems(templates, {"Width": []}) == [(None, "Width", "its values cannot be used: there are none")]


def test_no_columns_make_one_row(templates: NodeTemplates) -> None:
    assert len(planned(templates, {})) == 1
    assert [row.seed for row in planned(templates, {}, seeds=3)] == [0, 1, 2]
    assert [row.seed for row in planned(templates, {}, seeds=3, sample=2)] == [0, 1, 2]


def test_rows_without_columns_and_groups_without_members_are_refused(templates: NodeTemplates) -> None:
    assert problems(templates, [{}, {}]) == [(None, "", "the rows have no columns")]
    assert "is empty: name at least one input" in problems(templates, {(): [()]})[0][2]


def test_an_input_that_an_edge_feeds_is_a_column_only_if_that_is_wanted(templates: NodeTemplates) -> None:
    what = {("noise", "seed"): [1, 2]}
    [(_, column, why)] = problems(templates, what)
    assert column == "noise.seed"
    assert "rand_int (random) feeds this input" in why
    assert "override_edge=True" in why
    assert [row.seed for row in planned(templates, what, override_edge=True)] == [1, 2]


def test_notes_are_kept_and_set_nothing(templates: NodeTemplates) -> None:
    plan = planned(templates, [{"#who": "Ann", "Width": 64}, {"#who": None, "Width": 64}])
    assert cells(plan) == [("Ann", 64), (None, 64)]
    plain = planned(templates, [{"Width": 64}] * 2)
    assert [row.row_id for row in plan] == [row.row_id for row in plain]


def test_a_note_that_json_cannot_hold_is_text(templates: NodeTemplates) -> None:
    notes = [date(2026, 11, 27), Decimal("1.5"), float("nan"), 10**5000, {"a": 1}]
    shown = [row.values["#note"] for row in planned(templates, [{"#note": one} for one in notes])]
    assert shown == ["2026-11-27", "1.5", "nan", "int with too many digits to show", {"a": 1}]


# Values


@pytest.mark.parametrize(
    "bad", [math.nan, math.inf, 10**5000, "\ud800", b"", ABSENT, {"a": math.nan}, object()], ids=type
)
def test_a_bad_cell_is_kept_as_plain_json(templates: NodeTemplates, bad: object) -> None:
    # It goes into the manifest and the page, which are UTF-8 and JSON that browsers read.
    plan = planned(templates, [{"Width": 64}, {"Width": bad}], on_bad_row="skip")
    values = plan.row(1).values
    assert json.loads(json.dumps(values, allow_nan=False, ensure_ascii=False).encode()) == values
    assert plan.row(1).problems


def test_a_bad_cell_that_json_can_hold_is_kept_as_it_is(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Width": [65, 0.5, True, "many"]}, on_bad_row="skip")
    assert [row.values["Width"] for row in plan] == [65, 0.5, True, "many"]


@pytest.mark.parametrize("what", [{"Width": count(64, 8)}, ({"Width": 64} for _ in count())], ids=["column", "rows"])
def test_a_generator_without_an_end_is_refused(
    templates: NodeTemplates, monkeypatch: pytest.MonkeyPatch, what: Any
) -> None:
    for module in (planner, sources):
        monkeypatch.setattr(module, "MOST_ROWS", 100)
    [(row, _, why)] = problems(templates, what)
    assert row is None
    assert "it has 101 values, more than 100 rows" in why


@pytest.mark.parametrize("values", [range(10**9), range(10**30)], ids=["1e9", "1e30"])
def test_a_range_of_more_values_than_rows_may_run_is_refused(templates: NodeTemplates, values: range) -> None:
    with pytest.raises((PlanError, SourceError), match="more than"):
        planned(templates, {"Width": values})


def test_a_number_of_seeds_that_is_a_seed_is_refused(templates: NodeTemplates) -> None:
    [(_, column, why)] = problems(templates, {"Width": [64]}, seeds=123456789)
    assert column == "seed"
    assert "pass seeds=[7] for the seed 7" in why
    with pytest.raises(SettingsError, match="`seeds` must be"):
        planned(templates, {"Width": [64]}, seeds=10**5000)


def test_all_bad_cells_are_reported_at_once_with_row_column_and_reason(templates: NodeTemplates) -> None:
    found = problems(templates, {"Positive Prompt": ["a", 7], "Width": [64, 65, "x"]})
    assert found == [
        (3, "Positive Prompt", "7 is not allowed: it takes text"),
        (1, "Width", "65 is not allowed: it takes a whole number above 0, a multiple of 8"),
        (2, "Width", "'x' is not allowed: it takes a whole number above 0, a multiple of 8"),
    ]


def test_rows_with_bad_cells_are_invalid_if_they_are_to_be_skipped(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Positive Prompt": ["a", "b"], "Width": [64, 65]}, on_bad_row="skip")
    assert [[(one.row, one.column) for one in row.problems] for row in plan] == [[], [(1, "Width")], [], [(3, "Width")]]
    assert [row.values["Width"] for row in plan] == [64, 65, 64, 65]
    assert plan.invalid == 2
    assert [[row.index for row in group] for group in plan.groups()] == [[0, 2]]
    assert len({row.row_id for row in plan}) == 4


def test_a_plan_of_bad_rows_only_runs_nothing(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Width": [65]}, on_bad_row="skip")
    assert [*plan.groups()] == []
    assert str(plan) == "1 row, 1 invalid"


def test_none_empties_an_input_or_stands_for_its_own_value(templates: NodeTemplates) -> None:
    plan = planned(templates, [{"Width": None, "Board": None}], values={"Width": 128})
    assert cells(plan) == [(128, None)]
    assert problems(templates, [{"Positive Prompt": "a", "noise.seed": None}], override_edge=True) == [
        (0, "noise.seed", "it has no value, and the plan replaces the edge that feeds the input")
    ]


def test_models_are_found_on_the_server_by_key_hash_or_name(templates: NodeTemplates) -> None:
    elsewhere = {"key": "of another server", "hash": "h-huge", "name": "huge", "base": "sd-1", "type": "main"}
    plan = planned(templates, {"Model": ["tiny", "k-huge", elsewhere]})
    assert [row.values["Model"] for row in plan] == ["tiny", "huge", "huge"]
    assert [plan.raws(index)[0]["key"] for index in range(3)] == ["k-tiny", "k-huge", "k-huge"]


def test_what_the_server_does_not_have_is_a_bad_cell(templates: NodeTemplates) -> None:
    unknown = {"key": "?", "hash": "?", "name": "lost", "base": "sd-1", "type": "main"}
    what = [
        {"Model": "tiny", "Image": "a.png", "Board": "Cats"},
        {"Model": "none such", "Image": "gone.png", "Board": "Dogs"},
        {"Model": unknown, "Image": "a.png", "Board": {"board_id": "b-2"}},
    ]
    plan = planned(templates, what, on_bad_row="skip")
    told = [[str(one) for one in row.problems] for row in plan]
    assert told[0] == []
    assert "row 1, 'Model': no suitable model matches 'none such'" in told[1][0]
    assert "row 2, 'Model': the server does not have the model 'lost' (sd-1 main)" in told[2][0]
    found = problems(templates, what[1:2])
    assert [column for _, column, _ in found] == ["Model", "Image", "Board"]


# Images and lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.png", "c.PNG"):
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "notes.txt").write_text("a cat\r\n\n  a dog  \n", encoding="utf-8-sig")
    (tmp_path / ".hidden.png").write_bytes(PNG)
    (tmp_path / "below").mkdir()
    return tmp_path


def test_an_image_input_takes_a_folder_a_pattern_or_a_path(templates: NodeTemplates, folder: Path) -> None:
    def names(values: Any) -> list[str]:
        return [Path(row.values["Image"]).name for row in planned(templates, {"Image": values})]

    assert names(folder) == names(str(folder)) == ["a.png", "b.png", "c.PNG"]
    assert names(str(folder / "*.png")) == ["a.png", "b.png"]
    assert names(folder / "a.png") == ["a.png"]
    assert names([folder / "b.png", "a.png", PNG])[:2] == ["b.png", "a.png"]


def test_a_folder_or_pattern_without_images_is_refused(templates: NodeTemplates, folder: Path) -> None:
    assert "has no image files" in problems(templates, {"Image": folder / "below"})[0][2]
    assert "no file matches" in problems(templates, {"Image": str(folder / "*.webp")})[0][2]
    assert problems(templates, {"Image": str(folder / "*.txt")})[0][:2] == (0, "Image")


def test_a_path_is_a_file_of_lines(templates: NodeTemplates, folder: Path) -> None:
    assert cells(planned(templates, {"Positive Prompt": folder / "notes.txt"})) == [("a cat",), ("  a dog  ",)]
    (folder / "widths.txt").write_text("64\n 128 \n")
    assert cells(planned(templates, {"Width": folder / "widths.txt"})) == [(64,), (128,)]


def test_a_file_of_lines_that_cannot_be_read_is_refused(templates: NodeTemplates, folder: Path) -> None:
    (folder / "empty.txt").write_text("\n\n")
    assert "is empty" in problems(templates, {"Positive Prompt": folder / "empty.txt"})[0][2]
    assert "No such file" in problems(templates, {"Positive Prompt": folder / "none.txt"})[0][2]


# Seeds


def test_a_number_of_seeds_runs_everything_with_the_same_ones(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Positive Prompt": ["a", "b"]}, seeds=2)
    assert [(row.values["Positive Prompt"], row.seed) for row in plan] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert [(axis.name, axis.values) for axis in plan.shown_axes][-1] == ("seed", [0, 1])


def test_listed_seeds_are_checked_by_the_inputs(templates: NodeTemplates) -> None:
    assert [row.seed for row in planned(templates, {}, seeds=[7, 2**32 - 1])] == [7, 2**32 - 1]
    assert problems(templates, {}, seeds=[7, -1, 2**32, True]) == [
        (1, "seed", "-1 is not allowed: it takes a whole number at least 0, at most 4294967295"),
        (2, "seed", "4294967296 is not allowed: it takes a whole number at least 0, at most 4294967295"),
        (3, "seed", "True is not allowed: it takes a whole number at least 0, at most 4294967295"),
    ]


def test_seeds_may_be_an_array(templates: NodeTemplates) -> None:
    class Array(list[int]):
        """As arrays of numpy, it has a method of whole numbers, and no truth value."""

        def __index__(self) -> int:
            raise TypeError("only integer scalar arrays can be converted to a scalar index")

        def __eq__(self, other: object) -> Any:
            raise ValueError("the truth value of an array is ambiguous")

        __hash__ = None

    assert [row.seed for row in planned(templates, {}, seeds=Array([7, 8]))] == [7, 8]


def test_random_seeds_differ_by_row_and_come_back_with_the_same_random_seed(templates: NodeTemplates) -> None:
    what = {"Positive Prompt": ["a", "b", "a"]}
    first, again, other = (planned(templates, what, seeds="random", random_seed=seed) for seed in (1, 1, 2))
    seeds = [row.seed for row in first]
    assert len({*seeds}) == 3
    assert seeds == [row.seed for row in again] == [row.values["seed"] for row in first]
    assert seeds != [row.seed for row in other]
    drawn = planned(templates, what, seeds="random")
    assert [row.seed for row in planned(templates, what, seeds="random", random_seed=drawn.random_seed)] == [
        row.seed for row in drawn
    ]


def test_the_column_seed_sets_all_seeds(templates: NodeTemplates) -> None:
    two = document()
    two["nodes"].append(node("more", "noise", "1.0.3", seed=6, width=64, height=64))
    plan = planned(templates, [{"seed": 7}, {"seed": 8}], document=two)
    assert [row.seed for row in plan] == [7, 8]
    assert plan.cell_columns[0].places == (("noise", "seed"), ("more", "seed"))


def test_seeds_are_given_once(templates: NodeTemplates) -> None:
    [(_, column, why)] = problems(templates, [{"seed": 7}], seeds=2)
    assert (column, why) == ("seed", "another column sets the same input: 'seed'")


def test_a_plan_without_seeds_tells_the_seed_that_the_workflow_has(templates: NodeTemplates) -> None:
    assert [row.seed for row in planned(templates, {"Width": [64]})] == [None]
    fixed = document()
    fixed["edges"] = []
    assert [row.seed for row in planned(templates, {"Width": [64]}, document=fixed)] == [5]
    fixed["nodes"].append(node("more", "noise", "1.0.3", seed=6, width=64, height=64))
    assert [row.seed for row in planned(templates, {"Width": [64]}, document=fixed)] == [None]
    assert [row.seed for row in planned(templates, {("more", "seed"): [5]}, document=fixed)] == [5]


def test_a_workflow_without_randomness_says_so(templates: NodeTemplates) -> None:
    still = {**document(), "nodes": [document()["nodes"][5]], "edges": []}
    [(_, column, why)] = problems(templates, {}, document=still, seeds=2)
    assert column == "seed"
    assert "has no seed" in why


@pytest.mark.parametrize("seeds", [0, -1, True, "all", [], 1.5])
def test_seeds_that_are_neither_a_number_nor_a_list_are_refused(templates: NodeTemplates, seeds: Any) -> None:
    with pytest.raises(SettingsError, match="`seeds` must be"):
        planned(templates, {}, seeds=seeds)


# Replaced texts


def test_a_text_is_replaced_in_another_column(templates: NodeTemplates) -> None:
    what = {"Positive Prompt": ["a cat", "cat, cat"], "animal": replace("Positive Prompt", "cat", ["cat", "owl"])}
    plan = planned(templates, what)
    assert [row.values["Positive Prompt"] for row in plan] == ["a cat", "a owl", "cat, cat", "owl, owl"]
    assert [row.values["#animal"] for row in plan] == ["cat", "owl"] * 2
    # Axes are what was given, and each row says where it is on them.
    assert [(axis.name, axis.values) for axis in plan.shown_axes] == [
        ("#Positive Prompt", ["a cat", "cat, cat"]),
        ("#animal", ["cat", "owl"]),
    ]
    assert [row.values["#Positive Prompt"] for row in plan] == ["a cat", "a cat", "cat, cat", "cat, cat"]


def test_a_text_is_replaced_in_the_workflows_own_value(templates: NodeTemplates) -> None:
    what = {"animal": replace("Positive Prompt", "cat", ["dog"]), "place": replace(0, "mat", ["hat", "bed"])}
    plan = planned(templates, what)
    assert [row.values["Positive Prompt"] for row in plan] == ["a dog on a hat", "a dog on a bed"]
    assert [axis.name for axis in plan.shown_axes] == ["#animal", "#place"]


def test_a_text_that_is_to_be_replaced_must_be_there(templates: NodeTemplates) -> None:
    what = {"Positive Prompt": ["a cat", "a tree"], "animal": replace("Positive Prompt", "cat", ["owl"])}
    assert problems(templates, what) == [
        (1, "Positive Prompt", "'a tree' does not contain 'cat', which is to be replaced")
    ]


@pytest.mark.parametrize(
    ("replacement", "why"),
    [
        (replace("Prompt", "cat", ["dog"]), "No input matches 'Prompt'"),
        (replace("Width", "6", ["7"]), "'Width' is not a text input"),
        (replace("Positive Prompt", "", ["dog"]), "needs a string to replace"),
        (replace("Positive Prompt", "cat", []), "needs a string to replace"),
    ],
)
def test_a_replacement_that_cannot_be_is_refused(templates: NodeTemplates, replacement: Any, why: str) -> None:
    [(_, column, told)] = problems(templates, {"animal": replacement})
    assert column == "#animal"
    assert why in told


# Prompts


def test_prompts_are_drawn_for_each_row_and_come_back_with_the_same_random_seed(templates: NodeTemplates) -> None:
    what = {"Positive Prompt": ["{a|b|c} {d|e|f}", "plain"], "Width": range(64, 64 + 8 * 20, 8)}
    plan, again = (planned(templates, what, dynamic_prompts="random", random_seed=1) for _ in range(2))
    texts = [row.values["Positive Prompt"] for row in plan]
    assert {*texts[20:]} == {"plain"}
    assert len({*texts[:20]}) > 3
    assert {*texts[:20]} <= {f"{x} {y}" for x in "abc" for y in "def"}
    assert texts == [row.values["Positive Prompt"] for row in again]
    assert plan.row(0).values["#Positive Prompt"] == "{a|b|c} {d|e|f}"


def test_a_draw_does_not_depend_on_the_other_rows(templates: NodeTemplates) -> None:
    rows = [{"Positive Prompt": "{a|b|c|d}", "Width": 64 + 8 * n} for n in range(20)]
    drawn = {row.values["Width"]: row.row_id for row in planned(templates, rows, **DRAWN)}
    fewer = {row.values["Width"]: row.row_id for row in planned(templates, rows[5:0:-1], **DRAWN)}
    assert fewer.items() <= drawn.items()


DRAWN: dict[str, Any] = {"dynamic_prompts": "random", "random_seed": 1}


def test_equal_rows_draw_each_for_itself(templates: NodeTemplates) -> None:
    plan = planned(templates, [{"Positive Prompt": "{a|b|c|d|e|f|g|h}"}] * 20, **DRAWN)
    assert len({row.values["Positive Prompt"] for row in plan}) > 3
    assert len({row.row_id for row in plan}) == 20


def test_all_texts_that_a_prompt_stands_for_are_rows(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Positive Prompt": ["{a|b} x", "y"], "Width": [64, 128]}, dynamic_prompts="all")
    assert cells(plan) == [(text, width) for text in ("a x", "b x", "y") for width in (64, 128)]
    rows = planned(templates, [{"Positive Prompt": "{a|b}", "Width": 64}], dynamic_prompts="all")
    assert cells(rows) == [("a", 64), ("b", 64)]


def test_prompts_are_left_alone_unless_it_is_said(templates: NodeTemplates) -> None:
    assert cells(planned(templates, {"Positive Prompt": ["{a|b} __c__"]})) == [("{a|b} __c__",)]


def test_wildcards_are_drawn_and_an_unknown_one_is_named(templates: NodeTemplates, tmp_path: Path) -> None:
    (tmp_path / "colour.txt").write_text("red\nblue\n")
    plan = planned(templates, {"Positive Prompt": ["__colour__"] * 20}, wildcards=tmp_path, random_seed=1)
    assert {row.values["Positive Prompt"] for row in plan} == {"red", "blue"}
    [(row, column, why)] = problems(templates, {"Positive Prompt": ["a", "__color__"]}, wildcards=tmp_path)
    assert (row, column) == (1, "Positive Prompt")
    assert "the wildcard 'color' is unknown" in why
    [(row, _, why)] = problems(templates, {"Positive Prompt": ["a", "{x"]}, wildcards=tmp_path, dynamic_prompts="all")
    assert row == 1
    assert "has no '}'" in why


def test_a_drawn_text_is_checked_after_a_replacement(templates: NodeTemplates) -> None:
    what = {"animal": replace("Positive Prompt", "cat", ["{dog", "{dog|owl}"])}
    [(row, _, why)] = problems(templates, what, dynamic_prompts="random")
    assert row == 0
    assert "has no '}'" in why


# Samples


def test_a_sample_has_rows_of_the_product_in_its_order(templates: NodeTemplates) -> None:
    what = {"Positive Prompt": [str(n) for n in range(100)], "Width": range(64, 864, 8)}
    everything = cells(planned(templates, what))
    plan = planned(templates, what, sample=50, sample_seed=7)
    places = [everything.index(row) for row in cells(plan)]
    assert places == sorted({*places})
    assert len(places) == 50
    assert cells(planned(templates, what, sample=50, sample_seed=7)) == cells(plan)
    assert cells(planned(templates, what, sample=50, sample_seed=plan.sample_seed)) == cells(plan)
    prompts = plan.shown_axes[0]
    assert [int(value) for value in prompts.values] == sorted({int(text) for text, _ in cells(plan)})


def test_a_sample_of_more_than_there_are_has_all(templates: NodeTemplates) -> None:
    assert cells(planned(templates, {"Width": [64, 128]}, sample=5)) == [(64,), (128,)]


def test_each_row_of_a_sample_runs_with_each_seed(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Width": range(64, 864, 8)}, sample=3, seeds=2)
    assert [row.seed for row in plan] == [0, 1] * 3


def test_only_the_rows_of_a_sample_are_checked(templates: NodeTemplates) -> None:
    million = 10**6
    plan = planned(
        templates,
        {("add", "a"): range(million), ("add", "b"): range(million)},
        sample=50,
        sample_seed=7,
    )
    assert len(plan) == 50
    assert len({cell for row in cells(plan) for cell in row}) > 90


def test_a_sample_of_rows_keeps_what_is_wrong_with_them(templates: NodeTemplates, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("Width,Height\n" + "64,64\n64\n" * 20)
    plan = planned(templates, tmp_path / "rows.csv", sample=20, sample_seed=1, on_bad_row="skip")
    bad = [row for row in plan if row.problems]
    assert 0 < len(bad) < 20
    assert all("it has 1 cell," in row.problems[0].why for row in bad)


def test_more_combinations_than_can_be_counted_are_refused(templates: NodeTemplates) -> None:
    huge = {("add", name): range(10**10) for name in "ab"}
    assert "more than" in problems(templates, huge, sample=5)[0][2]


@pytest.mark.parametrize(
    "options",
    [
        {"combine": "sum"},
        {"sample": 0},
        {"sample": "many"},
        {"sample_seed": "x"},
        {"random_seed": 1.5},
        {"dynamic_prompts": "some"},
        {"on_bad_row": "ignore"},
        {"wildcards": Path("/nowhere/at/all")},
    ],
    ids=str,
)
def test_an_option_that_cannot_be_used_is_refused(templates: NodeTemplates, options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        planned(templates, {"Width": [64]}, **options)
    assert caught.value.setting in options


# Batch nodes


def batched() -> dict[str, Any]:
    shown = document()
    shown["nodes"].append(node("batch", "integer_batch", "1.0.0", integers=[64, 128]))
    shown["edges"].append(edge("batch", "value", "noise", "width"))
    return shown


def test_a_workflow_that_multiplies_its_runs_itself_is_refused(templates: NodeTemplates) -> None:
    shown = batched()
    [(_, _, why)] = problems(templates, {"Positive Prompt": ["a"]}, document=shown)
    assert "the batch node 'integer_batch' would make several runs of each row" in why
    assert "the input that it feeds (('noise', 'width')) instead, with override_edge=True" in why


def test_a_batch_node_whose_edges_are_all_replaced_takes_no_part(templates: NodeTemplates) -> None:
    shown = batched()
    assert cells(planned(templates, {"Width": [64, 128]}, document=shown, override_edge=True)) == [(64,), (128,)]
