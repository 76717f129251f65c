"""Functions that make readers of JSON values, the equivalents of the web UI's zod schemas.

A reader drops keys that its schema does not have, fills in defaults, and trims names. It returns UNSET for a value of
another shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.json_values import MAX_SAFE_INTEGER, as_double

Reader = Callable[[Any], Any]

# The characters that String.prototype.trim removes, which differ from those of str.strip.
_BLANKS = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_OUTER_BLANKS = re.compile(f"^[{_BLANKS}]+|[{_BLANKS}]+\\Z")


def trimmed(value: str) -> str:
    """Remove surrounding whitespace, as JavaScript's `trim` does."""
    return _OUTER_BLANKS.sub("", value)


def number(value: Any) -> Any:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return UNSET
    read = as_double(value)
    return UNSET if read is None else read


def integer(value: Any) -> Any:
    """Read a whole number that JavaScript can hold exactly; 3.0 is one."""
    read = number(value)
    return read if read is not UNSET and abs(read) <= MAX_SAFE_INTEGER and read == int(read) else UNSET


def integer_from(low: int, high: int = MAX_SAFE_INTEGER) -> Reader:
    """Make a reader of whole numbers within bounds."""

    def read(value: Any) -> Any:
        found = integer(value)
        return found if found is not UNSET and low <= found <= high else UNSET

    return read


def text(value: Any) -> Any:
    """Read a string."""
    return value if isinstance(value, str) else UNSET


def text_from(length: int) -> Reader:
    """Make a reader of strings of at least `length` UTF-16 code units, including whitespace."""

    def read(value: Any) -> Any:
        fits = isinstance(value, str) and len(value.encode("utf-16-le", "surrogatepass")) // 2 >= length
        return value if fits else UNSET

    return read


def name(value: Any) -> Any:
    """Read a string that is not blank, and trim it."""
    return UNSET if not isinstance(value, str) else trimmed(value) or UNSET


def boolean(value: Any) -> Any:
    """Read True or False."""
    return value if isinstance(value, bool) else UNSET


def anything(value: Any) -> Any:
    """Read any value."""
    return value


def record(value: Any) -> Any:
    """Read an object with any keys and values."""
    return value if isinstance(value, Mapping) else UNSET


def one_of(options: Collection[str] | None) -> Reader:
    """Make a reader of strings that must be one of the options; None allows any string."""
    return lambda value: value if isinstance(value, str) and (options is None or value in options) else UNSET


def list_of(item: Reader) -> Reader:
    """Make a reader of lists whose items all fit."""

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            return UNSET
        found = [item(one) for one in value]
        return UNSET if any(one is UNSET for one in found) else found

    return read


def first_of(*readers: Reader) -> Reader:
    """Make a reader that uses the first reader whose shape fits."""

    def read(value: Any) -> Any:
        return next((found for reader in readers if (found := reader(value)) is not UNSET), UNSET)

    return read


class Part(NamedTuple):
    """A part of an object that may be absent and is then `default`, or missing if that is UNSET."""

    reader: Reader
    default: Any = UNSET


def optional(reader: Reader) -> Part:
    """Make a part that may be absent, but not null."""
    return Part(reader)


def nullish(reader: Reader) -> Part:
    """Make a part that may be absent or null."""
    return Part(lambda value: None if value is None else reader(value))


def object_of(**parts: Reader | Part) -> Reader:
    """Make a reader of objects with these parts; others are dropped."""
    described = [(key, part if isinstance(part, Part) else None, part) for key, part in parts.items()]

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return UNSET
        found: dict[str, Any] = {}
        for key, may_lack, part in described:
            if key in value:
                reader = part.reader if isinstance(part, Part) else part
                found[key] = reader(value[key])
                if found[key] is UNSET:
                    return UNSET
            elif may_lack is None:
                return UNSET
            elif may_lack.default is not UNSET:
                found[key] = may_lack.default
        return found

    return read
