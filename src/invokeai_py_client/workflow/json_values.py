"""JSON values: validation, copies, and numbers in the form in which JavaScript writes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from invokeai_py_client.json_text import read_json

MAX_DEPTH = 100
"""The maximum nesting depth. Workflows nest about 10 deep; Python's recursion limit allows some hundreds."""

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer up to which JavaScript represents all integers exactly."""


def is_too_deep(value: Any) -> bool:
    """Return whether lists and objects nest deeper than `MAX_DEPTH`."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        holders = [one for one in level if isinstance(one, dict | list)]
        if not holders:
            return False
        level = [inner for one in holders for inner in (one.values() if isinstance(one, dict) else one)]
    return True


def copied(value: Any) -> Any:
    """Return a deep copy of a JSON value, which must not be too deep."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def as_javascript(value: Any) -> Any:
    """Return a JSON value as JavaScript would write it; see `as_double`. Too large numbers become null."""
    if isinstance(value, dict):
        return {name: as_javascript(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_javascript(inner) for inner in value]
    return as_double(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_double(value: float) -> float | None:
    """Return a number as JavaScript would write it.

    A whole number below 1e21 becomes an int, which is rounded if it is large. None for a number that is out of range.
    """
    if not -sys.float_info.max <= value <= sys.float_info.max:
        return None
    if abs(value) <= MAX_SAFE_INTEGER:
        return int(value) if value == int(value) else value
    from decimal import Decimal

    number = float(value)
    # JavaScript writes the shortest digits that identify the number, without an exponent below 1e21.
    return int(Decimal(repr(number))) if abs(number) < 1e21 else number


def as_json(value: Any) -> Any:
    """Return a copy of a value, converted as if it were written to JSON and read back.

    Raises:
        ValueError: the value cannot be written as JSON, or is nested too deep.
    """
    try:
        read = read_json(json.dumps(value, allow_nan=False, default=_as_dict))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if is_too_deep(read):
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    return read


def _as_dict(value: Any) -> dict[Any, Any]:
    """Return a mapping that is not a dict, such as a `MappingProxyType`, as a dict."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
