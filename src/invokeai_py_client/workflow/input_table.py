"""The inputs of a workflow as a table, for a terminal and for a notebook."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.notebook import output
from invokeai_py_client.workflow.fields import UNSET, bounds
from invokeai_py_client.workflow.inputs import WorkflowInput
from invokeai_py_client.workflow.resource_fields import ModelField

_HEADINGS = ("#", "Input", "Type", "Takes", "Default", "Current")
_WIDEST = 48


@dataclass(frozen=True, slots=True)
class InputTable:
    """A table of inputs: text with `str`, HTML in a notebook."""

    rows: Sequence[tuple[str, ...]]
    title: str = ""

    def __str__(self) -> str:
        rows = [_HEADINGS, *(tuple(_shortened(cell) for cell in row) for row in self.rows)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from invokeai_py_client.notebook.views import inputs_view

        return output.mimebundle(lambda: inputs_view(self.title, _HEADINGS, self.rows))


def input_table(inputs: Iterable[WorkflowInput], title: str = "") -> InputTable:
    """Return a table of inputs: index, label, type, range or choices, default and current value.

    Inputs with equal labels are distinguished by their nodes.

    Args:
        inputs: the inputs.
        title: the title above the table in a notebook.
    """
    entries = [*inputs]
    labels = Counter(entry.label for entry in entries)
    nodes = Counter((entry.label, entry.node_name) for entry in entries)
    rows = []
    for entry in entries:
        label = entry.label
        if labels[label] > 1:
            name = entry.node_name
            label += f" ({name})" if nodes[label, name] == 1 else f" ({name} {entry.node_id})"
        rows.append(_row(entry, label))
    return InputTable(rows, title)


def show(table: InputTable) -> None:
    """Display a table in a notebook, or print it, with characters that stdout cannot encode escaped."""
    if output.show(table) is None:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        # Before the layout, as an escape is wider than its character.
        rows = [tuple(cell.encode(encoding, "backslashreplace").decode(encoding) for cell in row) for row in table.rows]
        print(InputTable(rows))


def _row(entry: WorkflowInput, label: str) -> tuple[str, ...]:
    field = entry.field
    return (
        "" if entry.index is None else str(entry.index),
        label + (" *" if entry.required and not field.is_set and entry.edge is None else ""),
        entry.type_name.replace("Field", ""),
        takes(entry),
        _shown(field.template.default),
        _current(entry),
    )


def _current(entry: WorkflowInput) -> str:
    if entry.edge is not None:
        return f"<- {entry.edge.source}.{entry.edge.source_field}"
    field = entry.field
    if isinstance(field, ModelField) and field.unbound is not None:
        return f"{field.unbound}, not bound"
    return _shown(field.raw)


def takes(entry: WorkflowInput) -> str:
    """Return the choices, the range or the models that an input accepts; "" if its type says everything."""
    field = entry.field
    if isinstance(field, ModelField):
        parts = (("base", field.bases), ("type", field.types))
        return "; ".join(f"{name}: {', '.join(names)}" for name, names in parts if names)
    if field.template.options:
        return ", ".join(map(str, field.template.options))
    return bounds(field.template).strip()


def _shown(value: Any) -> str:
    if value is UNSET or value is None:
        return "-"
    if isinstance(value, Mapping):
        names = (value.get(part) for part in ("name", "image_name", "video_name", "board_id"))
        value = next((name for name in names if name), value)
    return str(value)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else line[: _WIDEST - 3] + "..."
