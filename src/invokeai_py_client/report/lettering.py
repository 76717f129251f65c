"""Text on a contact sheet: finds a font with its characters, and breaks it into lines.

Pillow's own font has little more than ASCII. Text with other characters is drawn in the installed font that has most of
them. Characters that this font lacks are written as code points, such as `<U+732B>`, instead of an empty box.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from invokeai_py_client.pillow import PIL

SIZES = (26, 18, 16, 14, 12, 11)
"""Font sizes in pixels."""

_INSTALLED = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "arial.ttf",
    "msyh.ttc",
    "malgun.ttf",
    "Hiragino Sans GB.ttc",
)
"""Fonts with many characters that Linux, macOS or Windows may have, by the names that Pillow searches for."""

_NEVER_DRAWN = {"Cc", "Cf", "Cs", "Co", "Cn"}
_NAMED_AT_ONCE = 3


class _Face:
    """A font in all sizes, which knows the characters that it has."""

    def __init__(self, load: Callable[[int], PIL.ImageFont.FreeTypeFont]) -> None:
        self.sized = functools.cache(load)
        # The glyph for a missing character, drawn with a character that no font has.
        self._absent = self._drawn("\U0010fffd")
        self.has = functools.cache(self._has)

    def _has(self, character: str) -> bool:
        if unicodedata.category(character) in _NEVER_DRAWN:
            return False
        return character.isspace() or self._drawn(character) != self._absent

    def _drawn(self, character: str) -> bytes:
        canvas = PIL.Image.new("L", (40, 40))
        PIL.ImageDraw.Draw(canvas).text((10, 10), character, font=self.sized(20), fill=255)
        return canvas.tobytes()


def _bundled(size: int) -> PIL.ImageFont.FreeTypeFont:
    font = PIL.ImageFont.load_default(size)
    assert isinstance(font, PIL.ImageFont.FreeTypeFont)
    return font


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """Lines of text in one font. It is whole if no word was broken."""

    lines: tuple[str, ...]
    font: PIL.ImageFont.FreeTypeFont
    line_height: int
    is_whole: bool
    direction: str | None

    @property
    def height(self) -> int:
        """The height in pixels."""
        return len(self.lines) * self.line_height

    def draw(
        self, canvas: PIL.ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: str, *, across: str = "middle"
    ) -> None:
        """Draw the lines in the middle of the height of a box.

        Args:
            canvas: the canvas to draw on.
            box: left, top, right, bottom.
            colour: the color of the text.
            across: the horizontal alignment: "left", "middle" or "right".
        """
        left, top, right, bottom = box
        anchor, x = {"left": ("la", left), "middle": ("ma", (left + right) // 2), "right": ("ra", right)}[across]
        y = top + max(0, (bottom - top - self.height) // 2)
        for line in self.lines:
            canvas.text((x, y), line, font=self.font, fill=colour, anchor=anchor, direction=self.direction)
            y += self.line_height


class Lettering:
    """Chooses fonts and sizes for text, and breaks it into lines."""

    def __init__(self) -> None:
        self._own = _Face(_bundled)
        self._others: list[_Face] | None = None

    def block(self, text: str, width: int, height: int, *, largest: int = 18) -> Block:
        """Break text into lines, in the largest font size in which it fits.

        Args:
            text: any text.
            width: the maximum width of a line, in pixels.
            height: the preferred height, in pixels. If the text does not fit in the smallest size, the block is higher.
            largest: the largest font size, in pixels.
        """
        face, text = self._readable(text)
        sizes = [size for size in SIZES if size <= largest]
        blocks = (_block(text, face, size, width) for size in sizes)
        return next((block for block in blocks if block.height <= height), None) or _block(text, face, sizes[-1], width)

    def short_block(self, text: str, width: int, height: int, *, largest: int = 18) -> Block:
        """Do the same as `block`, but truncate text that does not fit into the height, with an ellipsis."""
        found = self.block(text, width, height, largest=largest)
        room = max(1, height // found.line_height)
        if len(found.lines) <= room:
            return found
        last = found.lines[room - 1]
        while last and found.font.getlength(f"{last}...") > width:
            last = last[:-1]
        return dataclasses.replace(found, lines=(*found.lines[: room - 1], f"{last}..."))

    def _readable(self, text: str) -> tuple[_Face, str]:
        """Return the font for a text, and the text with code points for the characters that the font lacks."""
        text = " ".join(text.split())
        if not text.isascii() and not all(map(self._own.has, text)):
            if self._others is None:
                self._others = list(_installed_faces())
            faces = [self._own, *self._others]
            missing = [sum(not face.has(character) for character in set(text)) for face in faces]
            face = faces[missing.index(min(missing))]
        else:
            face = self._own
        return face, "".join(_marked(text, face))


def _installed_faces() -> Iterator[_Face]:
    for name in _INSTALLED:
        try:
            yield _Face(functools.partial(PIL.ImageFont.truetype, name))
        except OSError:
            continue


def _marked(text: str, face: _Face) -> Iterator[str]:
    for is_there, characters in itertools.groupby(text, face.has):
        if is_there:
            yield from characters
            continue
        codes = [f"U+{ord(character):04X}" for character in characters]
        rest = len(codes) - _NAMED_AT_ONCE
        yield f"<{' '.join(codes[:_NAMED_AT_ONCE])}{f' and {rest} more' if rest > 0 else ''}>"


def _block(text: str, face: _Face, size: int, width: int) -> Block:
    font = face.sized(size)
    words = text.split()
    length = functools.cache(font.getlength)
    lines = tuple(_lines(words, length, width))
    is_whole = all(len(word) <= width and length(word) <= width for word in words)
    return Block(lines, font, math.ceil(size * 1.25), is_whole, _direction(text, font))


def _direction(text: str, font: PIL.ImageFont.FreeTypeFont) -> str | None:
    """Return the direction of a text, by its first letter with one; None if Pillow only draws from left to right."""
    if font.layout_engine != PIL.ImageFont.Layout.RAQM:
        return None
    strong = (kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL"))
    return "ltr" if next(strong, "L") == "L" else "rtl"


def _lines(words: Iterable[str], length: Callable[[str], float], width: int) -> Iterator[str]:
    """Put words into lines; break those that are wider than a line."""
    space = length(" ")
    line: list[str] = []
    used = 0.0
    for word in words:
        for part in _parts(word, length, width):
            taken = length(part)
            if line and used + space + taken > width:
                yield " ".join(line)
                line, used = [], 0.0
            used += taken + (space if line else 0)
            line.append(part)
    if line:
        yield " ".join(line)


def _parts(word: str, length: Callable[[str], float], width: int) -> Iterator[str]:
    """Cut a word into parts that fit into a line."""
    # No character is narrower than a pixel.
    while len(word) > width or length(word) > width:
        ends = range(2, min(len(word), width) + 1)
        fits = bisect.bisect_right(ends, width, key=lambda end: math.ceil(length(word[:end]))) + 1
        yield word[:fits]
        word = word[fits:]
        if not word:
            return
    yield word
