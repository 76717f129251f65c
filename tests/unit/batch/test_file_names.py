"""File names are safe, unique, and say what is in the file."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invokeai_py_client.batch.file_names import DEFAULT_TEMPLATE, FileNames, plain_name
from invokeai_py_client.errors import SettingsError
from invokeai_py_client.files import safe_name


def facts(index: int = 3, *, seed: int | None = 7, prompt: str | None = None, **values: Any) -> dict[str, Any]:
    row = {"index": index, "seed": seed, "row_id": "ab12", "repetition": 0, **values}
    return row if prompt is None else {**row, "Positive Prompt": prompt}


def claimed(
    template: str, *rows: dict[str, Any], columns: tuple[str, ...] = ("Positive Prompt", "Steps", "CFG")
) -> list[str]:
    names = FileNames(template, columns)
    return [names.claim(row) for row in rows]


def test_the_default_names_the_index_the_prompt_and_the_seed() -> None:
    row = facts(prompt="a tiger cub, in the style of a very old oil painting")
    assert claimed(DEFAULT_TEMPLATE, row) == ["00003-a tiger cub, in the style of a very old -7"]


def test_what_a_row_does_not_have_is_left_out_with_the_text_before_it() -> None:
    assert claimed(DEFAULT_TEMPLATE, facts(seed=None), columns=("Steps",)) == ["00003"]
    assert claimed(DEFAULT_TEMPLATE, facts(), columns=("Steps",)) == ["00003-7"]


def test_a_template_formats_the_columns() -> None:
    row = facts(Steps=8, CFG=7.25)
    assert claimed("{Steps:03d} steps, cfg {CFG:.1f} ({row_id})", row) == ["008 steps, cfg 7.2 (ab12)"]


def test_a_format_that_a_value_does_not_have_is_that_of_its_text() -> None:
    assert claimed("{Steps:.2}-{CFG:05d}", facts(Steps="many", CFG="x")) == ["ma-x"]


def test_an_image_is_named_without_its_folder() -> None:
    assert claimed("{Image}-{Steps}", facts(Image="/photos/a cup.png", Steps=8), columns=("Image", "Steps")) == [
        "a cup-8"
    ]


def test_equal_names_are_distinguished() -> None:
    assert claimed("{Steps}", facts(0, Steps="A"), facts(1, Steps="a"), facts(2, Steps="A")) == ["A", "a_2", "A_3"]


def test_no_row_has_the_name_of_a_contact_sheet() -> None:
    assert claimed("Contact_sheet-{index}", facts(2)) == ["_Contact_sheet-2"]


def test_the_cost_of_a_name_does_not_grow_with_the_rows_that_have_it() -> None:
    began = time.process_time()
    assert claimed("{Steps}", *(facts(index, Steps=20) for index in range(10_000)))[-1] == "20_10000"
    # It takes 0.1 s; a search from the first number would take 25 s.
    assert time.process_time() - began < 5


def test_names_of_other_files_are_not_taken() -> None:
    names = FileNames("{index}", (), taken=["3.png", "4-1.png"])
    assert names.claim(facts(3)) == "3_2"
    four = names.claim(facts(4))
    assert (four, names.files_of(four, [".png", ".png"])) == ("4", ["4_2-1.png", "4_2-2.png"])


def test_several_files_of_a_row_are_numbered() -> None:
    names = FileNames("{index}", ())
    name = names.claim(facts(3))
    assert names.files_of(name, [".png", ".webp"]) == ["3-1.png", "3-2.webp"]


def test_the_name_of_a_row_that_is_run_again_is_free() -> None:
    names = FileNames("{index}", ())
    name = names.claim(facts(3))
    names.release(name)
    assert names.claim(facts(3)) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\nb\tc", "a b c"),
        ("con", "_con"),
        ("", "_"),
        ("...", "_"),
        ("\u202egnp.exe", "gnp.exe"),
        ("<script>|*?", "_script____"),
        ("e\u0301", "é"),
    ],
)
def test_a_prompt_becomes_a_plain_name(text: str, name: str) -> None:
    assert plain_name(text) == name


@given(st.text(max_size=300))
def test_any_text_becomes_a_plain_name(text: str) -> None:
    name = plain_name(text)
    assert safe_name(f"{name}-1.png")
    assert not name.startswith(".")
    assert len(name.encode()) <= 201


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{index", "expected '}'"),
        ("{Stpes}", "'Stpes' is unknown.* Use one of: CFG, Positive Prompt, Steps, index"),
        ("picture", "all rows would have the same name"),
        ("{index:{Steps}}", "a format has braces"),
        ("{index:zz}", "'zz' is not a format"),
        ("{seed!r}", "it has a conversion"),
        ("a/{index}", "a character that is not allowed"),
        ("{}", "'' is unknown"),
    ],
)
def test_a_template_that_cannot_be_used(template: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        claimed(template)
