"""Typed objects that can also be read as mappings, like JSON responses."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
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
        """Return the value of a key.

        Raises:
            KeyError: there is no such key.
        """
        if name not in self._names():
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a key; `default` if there is no such key, or the value is None."""
        try:
            value = self[name]
        except KeyError:
            return default
        return default if value is None else value

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def to_dict(self) -> dict[str, Any]:
        """Return a copy that consists of dicts and lists, so that `json.dumps` accepts it."""
        return {name: _plain(self[name]) for name in self}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(value[name]) for name in value}
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(one) for one in value]
    return value
