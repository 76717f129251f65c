"""An edge between two nodes of a workflow."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge from an output to an input. An edge without field names belongs to a collapsed node.

    Edges between the same fields are equal, whatever their ids.
    """

    source: str
    source_field: str
    target: str
    target_field: str
    id: str = field(default="", compare=False, repr=False)

    @property
    def is_collapsed(self) -> bool:
        """Whether the edge only represents edges that a collapsed node hides, without carrying a value."""
        return not self.target_field

    def __str__(self) -> str:
        return f"{self.source}.{self.source_field} -> {self.target}.{self.target_field}"
