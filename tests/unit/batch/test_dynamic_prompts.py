"""Texts with alternatives and wildcards, and the texts that they stand for."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from invokeai_py_client.batch.dynamic_prompts import DynamicPrompts, PromptError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "wildcards"
    (root / "animals").mkdir(parents=True)
    (root / "colour.txt").write_text("# colours\nred\n\n  {light|dark} blue  \n", encoding="utf-8-sig")
    (root / "animals" / "big.txt").write_text("__colour__ tiger\n", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret\n", encoding="utf-8")
    return root


def variants(text: str, folder: Path | None = None) -> list[str]:
    return DynamicPrompts(folder).variants(text)


def test_alternatives_multiply_with_the_last_changing_fastest() -> None:
    assert variants("a {b|c} {d|e}") == ["a b d", "a b e", "a c d", "a c e"]
    assert variants("{a|b {c|d}|}") == ["a", "b c", "b d", ""]


def test_a_text_without_alternatives_stands_for_itself() -> None:
    prompts = DynamicPrompts()
    assert variants("a | b, snake_case and __") == ["a | b, snake_case and __"]
    assert not prompts.is_dynamic("plain")
    assert not prompts.is_dynamic("")
    assert prompts.is_dynamic("{a|b}")


def test_a_backslash_takes_the_meaning_of_a_mark() -> None:
    assert variants(r"\{a\|b\} \_\_colour\_\_ \(c\)") == [r"{a|b} __colour__ \(c\)"]


def test_wildcards_are_lines_of_files_and_nest(folder: Path) -> None:
    assert variants("__colour__", folder) == ["red", "light blue", "dark blue"]
    assert variants("a __animals/big__", folder) == ["a red tiger", "a light blue tiger", "a dark blue tiger"]


def test_a_draw_asks_for_each_choice_from_left_to_right(folder: Path) -> None:
    asked: list[int] = []

    def last(size: int) -> int:
        asked.append(size)
        return size - 1

    assert DynamicPrompts(folder).draw("{a|b|c} __colour__", last) == "c dark blue"
    assert asked == [3, 2, 2]


def test_the_lines_that_were_used_expand_the_same_texts_without_the_folder(folder: Path) -> None:
    prompts = DynamicPrompts(folder)
    expanded = prompts.variants("__animals/big__")
    assert {*prompts.lines} == {"animals/big", "colour"}
    assert DynamicPrompts(lines=prompts.lines).variants("__animals/big__") == expanded


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("__color__", "the wildcard 'color' is unknown: the folder .* has colour"),
        ("__../secret__", "the wildcard '../secret' would lead out of the folder"),
        ("__/etc/passwd__", "would lead out of the folder|is unknown"),
        (r"__animals\big__", "would lead out of the folder"),
        ("{a|b", r"a '\{' has no '\}'"),
        ("a}", r"a '\}' has no '\{'"),
        ("{2$$red|blue|green}", r"'2\$\$' is not supported"),
        ("{red|1-2$$, $$blue}", r"'1-2\$\$' is not supported"),
        ("{ 0.5::red|blue}", "'0.5::' is not supported"),
        ("{" * 60 + "}" * 60, "nest more than 50 deep"),
    ],
)
def test_a_prompt_that_cannot_be_expanded_raises_an_error_with_the_reason(folder: Path, text: str, why: str) -> None:
    with pytest.raises(PromptError, match=why):
        DynamicPrompts(folder).is_dynamic(text)


def test_a_wildcard_that_is_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    with pytest.raises(PromptError, match="would lead out"):
        variants("__link__", folder)


def test_a_wildcard_that_leads_back_to_itself_is_refused(folder: Path) -> None:
    (folder / "a.txt").write_text("__b__\n")
    (folder / "b.txt").write_text("{x|__a__}\n")
    with pytest.raises(PromptError, match="'a' leads back to itself: a > b > a"):
        variants("__a__", folder)


def test_a_wildcard_without_lines_or_folder_is_refused(folder: Path) -> None:
    (folder / "empty.txt").write_text("# nothing\n")
    with pytest.raises(PromptError, match="'empty' has no lines"):
        variants("__empty__", folder)
    with pytest.raises(PromptError, match=r"pass wildcards='folder', or write \\_\\_colour__"):
        variants("__colour__")


def test_the_text_for_a_wildcard_without_folder_is_the_text_itself() -> None:
    assert variants(r"\_\_colour__") == ["__colour__"]


def test_too_many_variants_are_counted_and_not_made() -> None:
    with pytest.raises(PromptError, match="1,267,650,600,228,229,401,496,703,205,376 variants"):
        variants("{a|b}" * 100)


def test_draws_differ_with_what_is_picked() -> None:
    picks = count()
    prompts = DynamicPrompts()
    assert [prompts.draw("{a|b|c}", lambda size: next(picks) % size) for _ in range(4)] == ["a", "b", "c", "a"]
