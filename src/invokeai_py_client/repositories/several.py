"""One thing or several: where several are taken, a text alone is one of them, not its letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def several(things: str | Iterable[T]) -> list[str | T]:
    """A list of what was given, which may be one text alone.

    Example:
        >>> several("a.png")
        ['a.png']
    """
    return [things] if isinstance(things, str) else [*things]


def in_parts(things: Sequence[T], size: int) -> list[Sequence[T]]:
    """What is to be asked for in several requests, so many in each at most."""
    return [things[start : start + size] for start in range(0, len(things), size)]
