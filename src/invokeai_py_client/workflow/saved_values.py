"""Reads the value of an input in a file, as the web UI does (`zFieldInputInstance` in `types/field.ts`).

The web UI reads a value without the template of its input, as the first shape that fits. Keys that the shape does not
have are dropped. A value that does not fit any shape, such as null, counts as not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from invokeai_py_client.workflow.templates import ANY_MODEL, ModelTerms
from invokeai_py_client.workflow.value_readers import (
    Part,
    Reader,
    boolean,
    first_of,
    integer,
    integer_from,
    list_of,
    name,
    nullish,
    number,
    object_of,
    one_of,
    optional,
    text,
    text_from,
)

image = object_of(image_name=name)
color = object_of(**dict.fromkeys("rgba", integer_from(0, 255)))

LISTS: dict[str, Reader] = {
    "floats": list_of(number),
    "integers": list_of(integer),
    "strings": list_of(text),
    "images": list_of(image),
}
"""The readers of the lists of batch nodes, by input name."""


_COUNT = Part(integer, 10)
_SEED = nullish(integer)
_VALUES = nullish(list_of(number))
_SPLIT_ON = Part(text, ",")
_TEMPLATE = Part(text, "a super {cute|ferocious} {dog|cat}")

GENERATORS: dict[str, dict[str, Part]] = {
    "float_generator_arithmetic_sequence": {
        "start": Part(number, 0),
        "step": Part(number, 0.1),
        "count": _COUNT,
        "values": _VALUES,
    },
    "float_generator_linear_distribution": {
        "start": Part(number, 0),
        "end": Part(number, 1),
        "count": _COUNT,
        "values": _VALUES,
    },
    "float_generator_random_distribution_uniform": {
        "min": Part(number, 0),
        "max": Part(number, 1),
        "count": _COUNT,
        "seed": _SEED,
        "values": _VALUES,
    },
    "float_generator_parse_string": {
        "input": Part(text, "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1"),
        "splitOn": _SPLIT_ON,
        "values": _VALUES,
    },
    "integer_generator_arithmetic_sequence": {"start": Part(integer, 0), "step": Part(integer, 1), "count": _COUNT},
    "integer_generator_linear_distribution": {"start": Part(integer, 0), "end": Part(integer, 10), "count": _COUNT},
    "integer_generator_random_distribution_uniform": {
        "min": Part(integer, 0),
        "max": Part(integer, 10),
        "count": _COUNT,
        "seed": _SEED,
    },
    "integer_generator_parse_string": {"input": Part(text, "1,2,3,4,5,6,7,8,9,10"), "splitOn": _SPLIT_ON},
    "string_generator_parse_string": {"input": Part(text, "foo,bar,baz,qux"), "splitOn": _SPLIT_ON},
    "string_generator_dynamic_prompts_combinatorial": {"input": _TEMPLATE, "maxPrompts": Part(integer_from(1), 10)},
    "string_generator_dynamic_prompts_random": {
        "input": _TEMPLATE,
        "count": Part(integer_from(1), 10),
        "seed": _SEED,
    },
    "image_generator_images_from_board": {
        "board_id": optional(name),
        "category": Part(one_of(("images", "assets")), "images"),
    },
}
"""The types of generators, with their parts and the defaults of these."""


def _generator(type_name: str) -> Reader:
    # In the web UI even the type has a default, so an object of an unknown shape is read as the first of these.
    return object_of(type=Part(one_of((type_name,)), type_name), **GENERATORS[type_name])


board_images = _generator("image_generator_images_from_board")

generator = first_of(*map(_generator, GENERATORS))
"""Reads the value of a generator of any type."""


def saved_value(value: Any, terms: ModelTerms = ANY_MODEL) -> Any:
    """Return a value as the web UI has it after loading a file; UNSET if it has none.

    Args:
        value: the value in the file.
        terms: the bases and types of models that the server knows. A model with others is not read as a model.

    Example:
        >>> saved_value({"image_name": "a.png", "width": 64})
        {'image_name': 'a.png'}
    """
    return _reader(terms)(value)


@lru_cache(maxsize=8)
def _reader(terms: ModelTerms) -> Reader:
    part = text_from(1)
    model = object_of(
        key=part,
        hash=part,
        name=part,
        base=one_of(terms.bases),
        type=one_of(terms.types),
        submodel_type=nullish(one_of(terms.submodels)),
    )
    scalar = first_of(number, text, boolean)
    collection = first_of(list_of(number), list_of(text), list_of(image), list_of(object_of(lora=model, weight=number)))
    shape = first_of(
        image,
        *(object_of(**{part: name}) for part in ("video_name", "board_id", "style_preset_id", "system_prompt_id")),
        model,
        color,
        generator,
    )

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return collection(value)
        return shape(value) if isinstance(value, Mapping) else scalar(value)

    return read
