"""JSON values: what may be one, and copies that nobody else can change."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

from invokeai_py_client.json_text import read_json

MAX_DEPTH = 100
"""How deep values may nest. Workflows nest about ten deep; Python gives up at its recursion limit, wherever it is."""

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that JavaScript tells from its neighbours."""


def is_too_deep(value: Any) -> bool:
    """Whether lists and objects nest deeper than this client will follow them."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for holder in level
            if isinstance(holder, dict | list)
            for inner in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return True


def copied(value: Any) -> Any:
    """A copy of a value that is known to be JSON and not too deep."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def as_javascript(value: Any) -> Any:
    """Return a JSON value as JavaScript would write it: large integers are rounded, and too large numbers are null."""
    if isinstance(value, dict):
        return {name: as_javascript(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_javascript(inner) for inner in value]
    return as_double(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_double(value: float) -> float | None:
    """Return a number as JavaScript would write it: a large integer is rounded. None for one that is out of range."""
    if not -sys.float_info.max <= value <= sys.float_info.max:
        return None
    if abs(value) <= MAX_SAFE_INTEGER:
        return value
    number = float(value)
    # JavaScript writes the fewest digits that tell a number from its neighbours, and no exponent below 1e21.
    return int(Decimal(repr(number))) if abs(number) < 1e21 else number


def as_json(value: Any) -> Any:
    """A value as JSON would bring it back, sharing nothing with it.

    Raises:
        ValueError: JSON cannot hold it; the message says why.
    """
    try:
        read = read_json(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if is_too_deep(read):
        raise ValueError(f"it nests more than {MAX_DEPTH} deep")
    return read
