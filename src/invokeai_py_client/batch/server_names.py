"""Resolves the names in a plan on a server: finds models by name or hash, and reports what the server lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from invokeai_py_client.batch.cells import CellError
from invokeai_py_client.workflow.called_workflows import CalledWorkflows
from invokeai_py_client.workflow.references import (
    MODEL_PARTS,
    BoardReference,
    ModelReference,
    ReadByName,
    Unresolved,
    find_board,
    find_model,
    is_model,
)


@dataclass(frozen=True, slots=True)
class ServerNames:
    """The models, boards and called workflows of a server, and the images of the plan that it lacks."""

    models: Sequence[ReadByName] = ()
    boards: Sequence[ReadByName] = ()
    called: CalledWorkflows = field(default_factory=dict)
    missing_images: frozenset[str] = frozenset()

    def resolved(self, raw: Any) -> Any:
        """Return a raw value with references to models replaced by the server's models.

        Raises:
            CellError: the server lacks a model, board or image that the value names.
        """
        try:
            if isinstance(raw, ModelReference):
                return find_model(raw, self.models)
            if isinstance(raw, BoardReference):
                find_board(raw, self.boards)
            elif is_model(raw):
                return {**raw, **self._installed(raw)}
            elif isinstance(raw, Mapping):
                return self._resolved_parts(raw)
            elif isinstance(raw, list):
                return [self.resolved(one) for one in raw]
        except Unresolved as error:
            raise CellError(str(error)) from None
        return raw

    def _installed(self, model: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the identity of an installed model, found by key or by hash: keys differ between servers."""
        for part in ("key", "hash"):
            for one in self.models:
                if one[part] == model[part]:
                    return {name: one[name] for name in MODEL_PARTS}
        raise Unresolved(f"the server does not have the model {model['name']!r} ({model['base']} {model['type']})")

    def _resolved_parts(self, raw: Mapping[str, Any]) -> Any:
        if raw.get("image_name") in self.missing_images:
            raise Unresolved(f"the server does not have the image {raw['image_name']!r}")
        board = raw.get("board_id")
        if board is not None and all(one["board_id"] != board for one in self.boards):
            raise Unresolved(f"the server does not have the board {board!r}")
        return {name: self.resolved(part) for name, part in raw.items()}
