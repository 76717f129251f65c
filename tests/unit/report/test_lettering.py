from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont

from invokeai_py_client.report import lettering
from invokeai_py_client.report.lettering import Lettering


@pytest.fixture
def bundled_only(monkeypatch: pytest.MonkeyPatch) -> Lettering:
    """Letters on a machine without fonts."""
    monkeypatch.setattr(lettering, "_INSTALLED", ())
    return Lettering()


def text_of(lines: tuple[str, ...]) -> str:
    return " ".join(lines)


def test_a_short_text_is_one_large_line() -> None:
    block = Lettering().block("Steps", 200, 40)
    assert block.lines == ("Steps",)
    assert block.font.size == 18


def test_a_longer_text_becomes_smaller_and_is_broken_at_spaces() -> None:
    text = "a tiger cub in the snow, photograph, 35 mm, soft light"
    block = Lettering().block(text, 120, 60)
    assert text_of(block.lines) == text
    assert len(block.lines) > 1
    assert block.font.size < 18
    assert block.height <= 60
    assert all(block.font.getlength(line) <= 120 for line in block.lines)


def test_what_does_not_fit_gets_more_height_and_loses_nothing() -> None:
    text = "word " * 2000
    block = Lettering().block(text, 200, 50)
    assert text_of(block.lines) == text.strip()
    assert block.height > 50


def test_a_word_wider_than_a_line_is_broken() -> None:
    block = Lettering().block("x" * 500, 100, 50)
    assert "".join(block.lines) == "x" * 500
    assert not block.is_whole
    assert all(block.font.getlength(line) <= 100 for line in block.lines)


def test_a_caption_is_cut_off_with_dots() -> None:
    block = Lettering().short_block("word " * 100, 100, 30)
    assert block.height <= 30
    assert block.lines[-1].endswith("...")
    assert all(block.font.getlength(line) <= 100 for line in block.lines)
    assert Lettering().short_block("word", 100, 30).lines == ("word",)


def test_white_space_and_no_text() -> None:
    assert Lettering().block(" a\n\tb ", 200, 40).lines == ("a b",)
    assert Lettering().block("", 200, 40).lines == ()


def test_characters_that_no_font_has_are_named(bundled_only: Lettering) -> None:
    assert bundled_only.block("a 猫 cat", 400, 40).lines == ("a <U+732B> cat",)
    assert bundled_only.block("猫" * 10, 400, 40).lines == ("<U+732B U+732B U+732B and 7 more>",)
    assert bundled_only.block("\ud800\u202e\x07", 400, 40).lines == ("<U+D800 U+202E U+0007>",)
    assert bundled_only.block("plain ASCII ~", 400, 40).lines == ("plain ASCII ~",)


def test_an_installed_font_is_used_where_it_has_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A font that is the bundled one, but named as installed, is not preferred; one that has more is."""
    try:
        font = ImageFont.truetype("DejaVuSans.ttf", 20)
    except OSError:
        monkeypatch.setattr(lettering, "_INSTALLED", ("no such font.ttf",))
        assert Lettering().block("café", 400, 40).lines == ("caf<U+00E9>",)
        return
    block = Lettering().block("café שלום 猫", 400, 40)
    assert block.font.getname() == font.getname()
    assert block.lines == ("café שלום <U+732B>",)
    assert Lettering().block("cafe", 400, 40).font.getname() != font.getname()


@pytest.mark.parametrize("across", ["left", "middle", "right"])
def test_a_block_is_drawn_inside_its_box(across: str) -> None:
    block = Lettering().block("a tiger cub in the snow", 90, 60)
    canvas = Image.new("L", (200, 200))
    block.draw(ImageDraw.Draw(canvas), (50, 60, 50 + 90, 60 + block.height), "#ffffff", across=across)
    box = canvas.getbbox()
    assert box is not None
    # Serifs may reach a pixel out.
    assert box[0] >= 49
    assert box[1] >= 60
    assert box[2] <= 141
    assert box[3] <= 60 + block.height
