"""The layout of generated source: as `ruff format` would lay it out, whatever the data."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from invokeai_py_client.codegen.source_text import (
    WIDTH,
    assignment,
    docstring,
    exploded,
    literal,
    sentence,
    text_literal,
)

ODD = [
    *("", " ", "a", '"', "'", "\"'", "'''", '"""', "\\", "\\\\", "\n", "\r\n", "\t", "\0", "\x85", "\u2028", "\u202e"),
    *("tiger cub", 'a "tiger"', "it's", 'it\'s a "tiger"', "אבג", "👩\u200d👧", "\ud800", "\\N{DIGIT ONE}", "{x}"),
]
LONG = [
    *("word " * count for count in range(10, 40)),
    *("x" * count for count in range(60, 100)),
    *('"' * count for count in range(30, 100, 7)),
    *("\\" * count for count in range(30, 100, 7)),
    *("a line\n" * count for count in range(8, 20)),
    *("提示词，" * count for count in range(5, 60, 5)),
    "first paragraph, which is rather long and says a lot\n\n\nsecond paragraph\n" * 3,
    "spaces" + " " * 100 + "and more",
    "\n" * 100,
]


@pytest.mark.parametrize("text", [*ODD, *LONG])
def test_a_literal_has_the_value_and_shows_every_character(text: str) -> None:
    source = text_literal(text)
    assert ast.literal_eval(source) == text
    assert source.isprintable()
    lines = assignment("value: str", text, "    ")
    (made,) = ast.parse("class A:\n" + "\n".join(lines)).body[0].body  # type: ignore[attr-defined]
    assert ast.literal_eval(made.value) == text
    assert all(len(line) <= WIDTH for line in lines)


@pytest.mark.parametrize("text", [*ODD, *LONG])
def test_a_docstring_holds_the_text_and_nothing_else(text: str) -> None:
    lines = docstring(sentence(text), "More.", indent="    ")
    (function,) = ast.parse("\n".join(["def f() -> None:", *lines])).body
    assert isinstance(function, ast.FunctionDef)
    assert len(function.body) == 1
    held = ast.get_docstring(function)
    assert held is not None
    # Wrapping breaks long words.
    assert held.replace("\n", "").replace(" ", "") == sentence(text).replace(" ", "") + "More."


@pytest.mark.parametrize("value", [0, -1, 1.5, 1e-07, 10**30, True, None, (), (1,), ("a", 2.0), ("x" * 40, "y" * 50)])
def test_other_values(value: object) -> None:
    assert ast.literal_eval(literal(value)) == value


def test_a_call_is_on_one_line_if_it_fits() -> None:
    assert exploded("f", ["a", "b"], "()") == ["f(a, b)"]
    assert exploded("    f", ["a" * 50, "b" * 50], "()", end=",") == [
        "    f(",
        f"        {'a' * 50},",
        f"        {'b' * 50},",
        "    ),",
    ]


def test_it_is_laid_out_as_ruff_does(tmp_path: Path) -> None:
    lines: list[str] = []
    for number, text in enumerate([*ODD, *LONG]):
        lines += ["", "", f"class C{number}:", *docstring(sentence(text), indent="    "), ""]
        lines += assignment(f"value_{number}: str", text, "    ")
        lines += docstring(sentence(text), sentence(f"{text} {text}"), indent="    ")
    lines += ["", "", *assignment("numbers", tuple(range(10**6, 10**6 + 20)))]
    lines += assignment("one", ("x" * 70,))
    for width in range(70, 95):
        lines += exploded("f", ['"' + "x" * 30 + '"', '"' + "y" * (width - 40) + '"'], "()")
    file = tmp_path / "a.py"
    file.write_text("\n".join(lines).lstrip() + "\n", encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    done = subprocess.run(
        [*ruff, "format", "--isolated", "--diff", file], capture_output=True, encoding="utf-8", check=False
    )
    assert done.stdout == ""
