"""One line for each figure."""

from __future__ import annotations


def show(what: str, measured: float, unit: str, beside: str) -> None:
    print(f"{what:58} {measured:9.2f} {unit:3}  {beside}")
