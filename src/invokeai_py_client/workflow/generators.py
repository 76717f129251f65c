"""The values of generator nodes, computed exactly as the web UI's `types/field.ts` does.

Dynamic prompts and the images of a board come from the server. They are described as a `ServerGenerator`.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.json_values import MAX_SAFE_INTEGER, as_double
from invokeai_py_client.workflow.saved_values import GENERATORS
from invokeai_py_client.workflow.value_readers import integer, number, trimmed

MOST_VALUES = 1_000_000
"""The maximum number of values of a generator. More would not fit into a queue."""

_JS_FLOAT = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_JS_INTEGER = re.compile(r"[+-]?[0-9]+")
_IMAGE_CATEGORIES = {"images": ("general",), "assets": ("control", "mask", "user", "other")}


class DynamicPrompts(NamedTuple):
    """Prompts that the server expands from a template such as `a {cute|ferocious} cat`."""

    prompt: str
    max_prompts: int
    combinatorial: bool
    seed: int | None


class BoardImages(NamedTuple):
    """The images of a board in some categories."""

    board_id: str
    categories: tuple[str, ...]


ServerGenerator = DynamicPrompts | BoardImages


def generate(value: Any, kind: str = "") -> list[Any] | ServerGenerator:
    """Return the values of a generator.

    Args:
        value: the value of the `generator` input, with its `type`.
        kind: the expected kind: `float`, `integer`, `string` or `image`; any if it is empty.

    Returns:
        The list of values, or a description of the request to the server. A number that is too large is None.

    Raises:
        ValueError: it is not a generator of the kind, or one of its parts has the wrong type.
    """
    if not isinstance(value, Mapping):
        raise ValueError("it has no value")
    type_name = str(value.get("type"))
    maker = _MAKERS.get(type_name)
    if maker is None:
        raise ValueError(f"its type {value.get('type')!r} is not known")
    if not type_name.startswith(kind):
        raise ValueError(f"its type {type_name!r} is not that of a generator of {kind} values")
    defaults = {name: part.default for name, part in GENERATORS[type_name].items() if part.default is not UNSET}
    return maker(_Parts({**defaults, **value}))


class _Parts:
    """The parts of a generator's value, checked."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._value = value

    def number(self, name: str) -> float:
        value = number(self._value.get(name))
        if value is UNSET:
            raise ValueError(f"{name!r} must be a finite number, got {self._value.get(name)!r:.80}")
        return float(value)

    def integer(self, name: str) -> int:
        value = integer(self._value.get(name))
        if value is UNSET:
            raise ValueError(
                f"{name!r} must be a whole number of at most {MAX_SAFE_INTEGER}, got {self._value.get(name)!r:.80}"
            )
        return int(value)

    def count(self, name: str = "count") -> int:
        count = self.integer(name)
        if count > MOST_VALUES:
            raise ValueError(f"it has {count} values, more than {MOST_VALUES}")
        return max(0, count)

    def seed(self) -> int | None:
        return None if self._value.get("seed") is None else self.integer("seed")

    def text(self, name: str) -> str:
        value = self._value.get(name)
        if not isinstance(value, str):
            raise ValueError(f"{name!r} must be a string, got {value!r:.80}")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._value.get(name) is None else self.text(name)

    def stored(self) -> list[Any] | None:
        """Return the values that an older web UI saved with the generator, which the current one still uses."""
        values = self._value.get("values")
        return values if isinstance(values, list) else None


def _float_sequence(parts: _Parts) -> list[Any]:
    start, step = parts.number("start"), parts.number("step")
    return _sequence(start, step, parts.count())


def _integer_sequence(parts: _Parts) -> list[Any]:
    start, step = parts.integer("start"), parts.integer("step")
    return _sequence(start, step, parts.count())


def _sequence(start: float, step: float, count: int) -> list[Any]:
    # In floats even if both are integers, as JavaScript only has floats.
    return [as_double(float(start) + float(place) * float(step)) for place in range(count if step else 1)]


def _float_line(parts: _Parts) -> list[Any]:
    start, end, count = parts.number("start"), parts.number("end"), parts.count()
    if count == 1:
        return [as_double(start)]
    return [as_double(start + (end - start) * (place / (count - 1))) for place in range(count)]


def _integer_line(parts: _Parts) -> list[Any]:
    start, end, count = parts.integer("start"), parts.integer("end"), parts.count()
    if count == 1:
        return [start]
    length = float(end - start)
    return [as_double(float(start) + _rounded(length * (place / (count - 1)))) for place in range(count)]


def _rounded(value: float) -> float:
    """Round as JavaScript does: a half goes up, where Python goes to the even neighbour."""
    below = math.floor(value)
    return float(below + 1 if value - below >= 0.5 else below)


def _float_random(parts: _Parts) -> list[Any]:
    low, high, draw = parts.number("min"), parts.number("max"), _random(parts.seed())
    return [as_double(draw() * (high - low) + low) for _ in range(parts.count())]


def _integer_random(parts: _Parts) -> list[Any]:
    low, high, draw = parts.integer("min"), parts.integer("max"), _random(parts.seed())
    width = float(high) - float(low) + 1
    return [as_double(math.floor(draw() * width) + float(low)) for _ in range(parts.count())]


def _float_text(parts: _Parts) -> list[Any]:
    return [as_double(float(found[0])) for piece in _pieces(parts) if (found := _JS_FLOAT.match(trimmed(piece)))]


def _integer_text(parts: _Parts) -> list[Any]:
    return [as_double(float(found[0])) for piece in _pieces(parts) if (found := _JS_INTEGER.match(trimmed(piece)))]


def _string_text(parts: _Parts) -> list[Any]:
    return [piece for piece in _pieces(parts) if piece]


def _prompts(*, combinatorial: bool) -> Callable[[_Parts], ServerGenerator]:
    def describe(parts: _Parts) -> ServerGenerator:
        return DynamicPrompts(
            prompt=parts.text("input"),
            max_prompts=parts.count("maxPrompts" if combinatorial else "count"),
            combinatorial=combinatorial,
            seed=None if combinatorial else parts.seed(),
        )

    return describe


def _board(parts: _Parts) -> list[Any] | ServerGenerator:
    board_id = parts.optional_text("board_id")
    categories = _IMAGE_CATEGORIES.get(parts.text("category"))
    if categories is None:
        raise ValueError("'category' is neither 'images' nor 'assets'")
    return [] if not board_id else BoardImages(board_id, categories)


def _pieces(parts: _Parts) -> list[str]:
    """Split the input as the web UI does. The separator may contain escapes, such as that for a newline."""
    text, written = parts.text("input"), parts.text("splitOn")
    if not written:
        return [text]
    try:
        mark = json.loads(f'"{written}"')
    except ValueError:
        mark = written
    return text.split(mark)


def _random(seed: int | None) -> Callable[[], float]:
    """Return a function that draws numbers from 0 to below 1, by the web UI's Mersenne Twister with a 32-bit seed."""
    if seed is None:
        return random.random
    # Python has the same generator, but initializes it differently from a seed. So its state is set as the reference
    # implementation initializes it.
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
