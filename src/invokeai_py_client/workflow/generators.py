"""What generator nodes make, number for number as the web UI's `types/field.ts` does.

Two kinds are made by the server: dynamic prompts, and the images of a board. They are described as a
`ServerGenerator`, for somebody else to ask.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_VALUES = 1_000_000
"""A generator that is told to make more is refused: no queue could hold them, and memory might not."""

_JS_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_JS_INTEGER = re.compile(r"[+-]?\d+")
_IMAGE_CATEGORIES = {"images": ("general",), "assets": ("control", "mask", "user", "other")}


@dataclass(frozen=True, slots=True)
class DynamicPrompts:
    """Prompts that the server makes of a template such as `a {cute|ferocious} cat`."""

    prompt: str
    max_prompts: int
    combinatorial: bool
    seed: int | None


@dataclass(frozen=True, slots=True)
class BoardImages:
    """The images of a board, by their categories."""

    board_id: str
    categories: tuple[str, ...]


ServerGenerator = DynamicPrompts | BoardImages


def generate(value: Any) -> list[Any] | ServerGenerator:
    """What a generator's value stands for.

    Args:
        value: of the `generator` input, with its `type`.

    Returns:
        The list that it makes, or what must be asked of the server to have it.

    Raises:
        ValueError: it is no generator that is known, or its parts are of the wrong type.
    """
    if not isinstance(value, Mapping):
        raise ValueError("it has no value")
    maker = _MAKERS.get(str(value.get("type")))
    if maker is None:
        raise ValueError(f"its type {value.get('type')!r} is not known")
    return maker(_Parts(value))


class _Parts:
    """The parts of a generator's value, checked, with the web UI's defaults."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._value = value

    def number(self, name: str, default: float) -> float:
        value = self._value.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{name!r} is no number but {value!r}")
        return value

    def integer(self, name: str, default: int) -> int:
        value = self.number(name, default)
        if value != int(value):
            raise ValueError(f"{name!r} is no whole number but {value!r}")
        return int(value)

    def count(self, name: str = "count") -> int:
        count = self.integer(name, 10)
        if count > MOST_VALUES:
            raise ValueError(f"{count} values are more than {MOST_VALUES}")
        return max(0, count)

    def seed(self) -> int | None:
        return None if self._value.get("seed") is None else self.integer("seed", 0)

    def text(self, name: str, default: str) -> str:
        value = self._value.get(name, default)
        if not isinstance(value, str):
            raise ValueError(f"{name!r} is no text but {value!r}")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._value.get(name) is None else self.text(name, "")

    def stored(self) -> list[Any] | None:
        """Values that an older web UI kept beside the generator; it still goes by them."""
        values = self._value.get("values")
        return values if isinstance(values, list) else None


def _float_sequence(parts: _Parts) -> list[Any]:
    start, step = parts.number("start", 0), parts.number("step", 0.1)
    return [start] if step == 0 else [start + place * step for place in range(parts.count())]


def _integer_sequence(parts: _Parts) -> list[Any]:
    start, step = parts.integer("start", 0), parts.integer("step", 1)
    return [start] if step == 0 else [start + place * step for place in range(parts.count())]


def _float_line(parts: _Parts) -> list[Any]:
    start, end, count = parts.number("start", 0), parts.number("end", 1), parts.count()
    return [start] if count == 1 else [start + (end - start) * (place / (count - 1)) for place in range(count)]


def _integer_line(parts: _Parts) -> list[Any]:
    start, end, count = parts.integer("start", 0), parts.integer("end", 10), parts.count()
    if count == 1:
        return [start]
    # JavaScript rounds a half up, Python to the even neighbour.
    return [start + math.floor((end - start) * (place / (count - 1)) + 0.5) for place in range(count)]


def _float_random(parts: _Parts) -> list[Any]:
    low, high, draw = parts.number("min", 0), parts.number("max", 1), _random(parts.seed())
    return [draw() * (high - low) + low for _ in range(parts.count())]


def _integer_random(parts: _Parts) -> list[Any]:
    low, high, draw = parts.integer("min", 0), parts.integer("max", 10), _random(parts.seed())
    return [math.floor(draw() * (high - low + 1)) + low for _ in range(parts.count())]


def _float_text(parts: _Parts) -> list[Any]:
    pieces = _split(parts.text("input", "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1"), parts)
    return [float(found[0]) for piece in pieces if (found := _JS_FLOAT.match(piece.strip()))]


def _integer_text(parts: _Parts) -> list[Any]:
    pieces = _split(parts.text("input", "1,2,3,4,5,6,7,8,9,10"), parts)
    return [int(found[0]) for piece in pieces if (found := _JS_INTEGER.match(piece.strip()))]


def _string_text(parts: _Parts) -> list[Any]:
    return [piece for piece in _split(parts.text("input", "foo,bar,baz,qux"), parts) if piece]


def _prompts(*, combinatorial: bool) -> Callable[[_Parts], ServerGenerator]:
    def describe(parts: _Parts) -> ServerGenerator:
        return DynamicPrompts(
            prompt=parts.text("input", "a super {cute|ferocious} {dog|cat}"),
            max_prompts=parts.count("maxPrompts" if combinatorial else "count"),
            combinatorial=combinatorial,
            seed=None if combinatorial else parts.seed(),
        )

    return describe


def _board(parts: _Parts) -> list[Any] | ServerGenerator:
    board_id = parts.optional_text("board_id")
    categories = _IMAGE_CATEGORIES.get(parts.text("category", "images"))
    if categories is None:
        raise ValueError("'category' is neither 'images' nor 'assets'")
    return [] if not board_id else BoardImages(board_id, categories)


def _split(text: str, parts: _Parts) -> list[str]:
    """Split as the web UI does: what to split on may be written with escapes, such as a line's end."""
    written = parts.text("splitOn", ",")
    if not written:
        return [text]
    try:
        mark = json.loads(f'"{written}"')
    except ValueError:
        mark = written
    return text.split(mark) if mark else list(text)


def _random(seed: int | None) -> Callable[[], float]:
    """Numbers from 0 to below 1: of the Mersenne Twister with a 32-bit seed, which the web UI uses too."""
    if seed is None:
        return random.random
    # Python's generator is the same, but spreads its seed otherwise; so its state is set to what the plain seeding
    # of the reference implementation gives.
    state = [seed & 0xFFFFFFFF]
    for place in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + place) & 0xFFFFFFFF)
    twister = random.Random()
    twister.setstate((3, (*state, 624), None))
    return lambda: twister.getrandbits(32) * 2.0**-32


def _unless_stored(maker: Callable[[_Parts], list[Any]]) -> Callable[[_Parts], list[Any]]:
    def make(parts: _Parts) -> list[Any]:
        stored = parts.stored()
        return maker(parts) if stored is None else stored

    return make


_MAKERS: dict[str, Callable[[_Parts], list[Any] | ServerGenerator]] = {
    "float_generator_arithmetic_sequence": _unless_stored(_float_sequence),
    "float_generator_linear_distribution": _unless_stored(_float_line),
    "float_generator_random_distribution_uniform": _unless_stored(_float_random),
    "float_generator_parse_string": _unless_stored(_float_text),
    "integer_generator_arithmetic_sequence": _integer_sequence,
    "integer_generator_linear_distribution": _integer_line,
    "integer_generator_random_distribution_uniform": _integer_random,
    "integer_generator_parse_string": _integer_text,
    "string_generator_parse_string": _string_text,
    "string_generator_dynamic_prompts_combinatorial": _prompts(combinatorial=True),
    "string_generator_dynamic_prompts_random": _prompts(combinatorial=False),
    "image_generator_images_from_board": _board,
}
