"""The base of all records."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel, ConfigDict

from invokeai_py_client.mapping import ReadsAsMapping


class Record(ReadsAsMapping, BaseModel):  # type: ignore[misc]  # iterates over names, as a mapping does
    """The base of all records. `record["name"]` works for attributes and for other keys that the server sent."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    def _names(self) -> Collection[str]:
        """Return the names of all fields."""
        return {**type(self).model_fields, **(self.model_extra or {})}.keys()

    def __getitem__(self, name: str) -> Any:
        """Return the value of a key.

        Raises:
            KeyError: there is no such key.
        """
        extra = self.model_extra
        # Checked first, as a key may have the name of a method, such as `items`.
        return extra[name] if extra and name in extra else super().__getitem__(name)

    def __eq__(self, other: object) -> bool:
        return BaseModel.__eq__(self, other)
