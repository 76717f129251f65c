"""Typed objects that also read as mappings, as answers in JSON would."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import Any


class ReadsAsMapping:
    """`thing["name"]`, `thing.get("name", default)`, `"name" in thing` and `dict(thing)` for typed objects."""

    __slots__ = ()

    @abstractmethod
    def keys(self) -> Collection[str]:
        """The names that can be read."""

    def __getitem__(self, name: str) -> Any:
        """What is under a name.

        Raises:
            KeyError: nothing is.
        """
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """What is under a name; `default` where there is nothing, or None."""
        try:
            value = self[name]
        except KeyError:
            return default
        return default if value is None else value

    def __contains__(self, name: object) -> bool:
        return name in self.keys()
