"""Packages that import their modules at first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType


def imported_on_first_use(package: str) -> Callable[[str], ModuleType]:
    """Return the `__getattr__` of a package whose modules are imported when they are first used as its attributes.

    Type checkers do not see it, so the package also imports them under `TYPE_CHECKING`.
    """

    def import_module(name: str) -> ModuleType:
        try:
            return importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None

    return import_module
