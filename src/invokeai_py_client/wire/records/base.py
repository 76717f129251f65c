"""The base of all records."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel, ConfigDict

from invokeai_py_client.mapping import ReadsAsMapping


class Record(ReadsAsMapping, BaseModel):
    """The base of all answers: attributes, and `record["name"]` for these and for whatever else the server sent."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    def keys(self) -> Collection[str]:
        """The names of all fields."""
        return {**type(self).model_fields, **(self.model_extra or {})}.keys()
