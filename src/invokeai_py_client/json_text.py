"""Reads JSON such that all errors are a `ValueError`, including those of too deep nesting."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def read_json(
    text: str | bytes,
    *,
    parse_float: Callable[[str], float] | None = None,
    parse_constant: Callable[[str], Any] | None = None,
) -> Any:
    """Read JSON.

    Args:
        text: JSON, with or without a byte order mark; bytes are UTF-8, UTF-16 or UTF-32.
        parse_float: as for `json.loads`.
        parse_constant: as for `json.loads`.

    Raises:
        ValueError: it is not JSON, or is nested deeper than Python can parse.
    """
    try:
        plain = decoded(text) if isinstance(text, bytes) else text.removeprefix("\ufeff")
        return json.loads(plain, parse_float=parse_float, parse_constant=parse_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def decoded(content: bytes) -> str:
    """Decode JSON text in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises:
        ValueError: the text has another encoding.
    """
    return content.decode(json.detect_encoding(content)).removeprefix("\ufeff")
