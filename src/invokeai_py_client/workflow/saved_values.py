"""The values that a file may hold for an input, as the web UI reads them (`zFieldInputInstance` in `types/field.ts`).

The web UI reads an input's value without looking at its template: by the first shape that it fits. Objects lose what
their shape does not name, and what fits no shape counts as not set. So does null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from invokeai_py_client.workflow.fields import UNSET

Check = Callable[[Any], bool]

_MISSING = object()


def saved_value(value: Any) -> Any:
    """A value as the web UI would have it after loading a file; UNSET if it would have none.

    Example:
        >>> saved_value({"image_name": "a.png", "width": 64})
        {'image_name': 'a.png'}
    """
    if isinstance(value, bool | str | int | float):
        return value
    if isinstance(value, list):
        return _saved_list(value)
    if isinstance(value, Mapping):
        return next((read for shape in _SHAPES if (read := shape(value)) is not UNSET), UNSET)
    return UNSET


def _saved_list(value: list[Any]) -> Any:
    if all(map(_is_number, value)) or all(isinstance(item, str) for item in value):
        return value
    for shape in (_IMAGE, _lora):
        read = [shape(item) if isinstance(item, Mapping) else UNSET for item in value]
        if UNSET not in read:
            return read
    return UNSET


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and value == int(value)


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 1


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_channel(value: Any) -> bool:
    return _is_integer(value) and 0 <= value <= 255


def _is_numbers(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(map(_is_number, value)))


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _shape(**parts: Check | tuple[Check, Any]) -> Callable[[Mapping[str, Any]], Any]:
    """An object of these parts: a check alone must be met, one with a default may be missing."""

    def read(value: Mapping[str, Any]) -> Any:
        found: dict[str, Any] = {}
        for name, part in parts.items():
            check, default = part if isinstance(part, tuple) else (part, UNSET)
            given = value.get(name, _MISSING)
            if given is _MISSING:
                if default is UNSET:
                    return UNSET
                if default is not _MISSING:
                    found[name] = default
            elif check(given):
                found[name] = given.strip() if check is _is_name else given
            else:
                return UNSET
        return found

    return read


def _generator(name: str, **parts: tuple[Check, Any]) -> Callable[[Mapping[str, Any]], Any]:
    # Even its type has a default in the web UI, so an object that fits nothing else is read as the first of these.
    return _shape(type=(lambda value: value == name, name), **parts)


_IMAGE = _shape(image_name=_is_name)
_MODEL = _shape(
    key=_is_name,
    hash=_is_name,
    name=_is_name,
    base=_is_name,
    type=_is_name,
    submodel_type=(_or_null(_is_text), _MISSING),
)
_LORA = _shape(lora=lambda value: isinstance(value, Mapping), weight=_is_number)
_COUNT = (_is_integer, 10)
_SEED = (_or_null(_is_integer), _MISSING)
_VALUES = (_is_numbers, _MISSING)
_SPLIT_ON = (_is_text, ",")


def _lora(value: Mapping[str, Any]) -> Any:
    read = _LORA(value)
    model = UNSET if read is UNSET else _MODEL(read["lora"])
    return UNSET if model is UNSET else {**read, "lora": model}


_SHAPES: tuple[Callable[[Mapping[str, Any]], Any], ...] = (
    _IMAGE,
    _shape(video_name=_is_name),
    _shape(board_id=_is_name),
    _shape(style_preset_id=_is_name),
    _shape(system_prompt_id=_is_name),
    _MODEL,
    _shape(r=_is_channel, g=_is_channel, b=_is_channel, a=_is_channel),
    _generator(
        "float_generator_arithmetic_sequence",
        start=(_is_number, 0),
        step=(_is_number, 0.1),
        count=_COUNT,
        values=_VALUES,
    ),
    _generator(
        "float_generator_linear_distribution", start=(_is_number, 0), end=(_is_number, 1), count=_COUNT, values=_VALUES
    ),
    _generator(
        "float_generator_random_distribution_uniform",
        min=(_is_number, 0),
        max=(_is_number, 1),
        count=_COUNT,
        seed=_SEED,
        values=_VALUES,
    ),
    _generator(
        "float_generator_parse_string",
        input=(_is_text, "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1"),
        splitOn=_SPLIT_ON,
        values=_VALUES,
    ),
    _generator("integer_generator_arithmetic_sequence", start=(_is_integer, 0), step=(_is_integer, 1), count=_COUNT),
    _generator("integer_generator_linear_distribution", start=(_is_integer, 0), end=(_is_integer, 10), count=_COUNT),
    _generator(
        "integer_generator_random_distribution_uniform",
        min=(_is_integer, 0),
        max=(_is_integer, 10),
        count=_COUNT,
        seed=_SEED,
    ),
    _generator("integer_generator_parse_string", input=(_is_text, "1,2,3,4,5,6,7,8,9,10"), splitOn=_SPLIT_ON),
    _generator("string_generator_parse_string", input=(_is_text, "foo,bar,baz,qux"), splitOn=_SPLIT_ON),
    _generator(
        "string_generator_dynamic_prompts_combinatorial",
        input=(_is_text, "a super {cute|ferocious} {dog|cat}"),
        maxPrompts=(_is_count, 10),
    ),
    _generator(
        "string_generator_dynamic_prompts_random",
        input=(_is_text, "a super {cute|ferocious} {dog|cat}"),
        count=(_is_count, 10),
        seed=_SEED,
    ),
    _generator(
        "image_generator_images_from_board",
        board_id=(_is_name, _MISSING),
        category=(lambda value: value in ("images", "assets"), "images"),
    ),
)
