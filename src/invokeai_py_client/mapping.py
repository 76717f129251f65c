"""Typed objects that also read as mappings, as responses in JSON would."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any


class ReadsAsMapping(Mapping[str, Any]):
    """A `Mapping` of attributes: `thing["name"]`, `thing.get("name", default)`, `thing.items()`, `dict(thing)`."""

    __slots__ = ()

    @abstractmethod
    def _names(self) -> Collection[str]:
        """Return the names that can be read."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __getitem__(self, name: str) -> Any:
        """Return what is under a name.

        Raises:
            KeyError: nothing is.
        """
        if name not in self._names():
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return what is under a name; `default` where there is nothing, or None."""
        try:
            value = self[name]
        except KeyError:
            return default
        return default if value is None else value

    def __contains__(self, name: object) -> bool:
        return name in self._names()
