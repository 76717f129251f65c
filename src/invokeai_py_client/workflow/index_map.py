"""Files with the index of each input, by which a script can later find out what has changed."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client.errors import WorkflowFileError
from invokeai_py_client.files import path_of, whole_file
from invokeai_py_client.json_text import read_json
from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.workflow.inputs import WorkflowInput

_FORMAT = "invokeai-py-client input index map 1"


@dataclass(frozen=True, slots=True)
class MappedInput:
    """An input in an index map."""

    index: int
    label: str
    node_id: str
    field_name: str
    type_name: str

    def __str__(self) -> str:
        return f"[{self.index}] {self.label} ({self.node_id}.{self.field_name}: {self.type_name})"


@dataclass(frozen=True, slots=True)
class IndexMapChanges(ReadsAsMapping):
    """The differences between the inputs and an index map. False in a boolean context if there are none.

    An input is identified by its node and field. `moved` and `changed` contain (before, now) pairs: `moved` inputs have
    another index, `changed` ones another label or type. `unchanged` inputs have the same index.

    As a mapping, it is the report of client 1.1: `unchanged`, `moved`, `missing` and `new`, with the labels and indices
    of inputs.
    """

    unchanged: tuple[MappedInput, ...]
    moved: tuple[tuple[MappedInput, MappedInput], ...]
    changed: tuple[tuple[MappedInput, MappedInput], ...]
    appeared: tuple[MappedInput, ...]
    vanished: tuple[MappedInput, ...]

    def _names(self) -> Collection[str]:
        return ("unchanged", "moved", "missing", "new")

    def __getitem__(self, name: str) -> list[dict[str, Any]]:
        if name == "moved":
            return [{"from": was.index, "to": now.index, "label": now.label} for was, now in self.moved]
        listed = {"unchanged": self.unchanged, "missing": self.vanished, "new": self.appeared}[name]
        return [{"index": entry.index, "label": entry.label} for entry in listed]

    def __bool__(self) -> bool:
        return bool(self.moved or self.changed or self.appeared or self.vanished)

    def __str__(self) -> str:
        lines = [f"moved: {was} -> [{now.index}]" for was, now in self.moved]
        lines += [f"changed: {was} -> {now.label}: {now.type_name}" for was, now in self.changed]
        lines += [f"appeared: {now}" for now in self.appeared]
        lines += [f"vanished: {was}" for was in self.vanished]
        return "\n".join(lines) or "no input has changed"


def save_index_map(path: str | os.PathLike[str], name: str, inputs: Iterable[WorkflowInput]) -> Path:
    """Write an index map; `name` is the name of the workflow, for human readers.

    Raises:
        UnsafePathError: the path has a NUL character.
        OSError: the file cannot be written.
    """
    entries = [
        {
            "index": entry.index,
            "label": entry.label,
            "node_id": entry.node_id,
            "field_name": entry.field_name,
            "type_name": entry.type_name,
        }
        for entry in map(_mapped, inputs)
    ]
    target = path_of(path)
    with whole_file(target) as file:
        file.write(json.dumps({"format": _FORMAT, "workflow": name, "inputs": entries}, indent=2).encode())
    return target


def compare_index_map(path: str | os.PathLike[str], inputs: Iterable[WorkflowInput]) -> IndexMapChanges:
    """Compare inputs with a saved map.

    Raises:
        WorkflowFileError: the file cannot be read, or is not an index map.
    """
    before, now = _by_place(_load(path)), _by_place(map(_mapped, inputs))
    pairs: list[tuple[MappedInput | None, MappedInput | None]] = []
    for place in {**before, **now}:
        # A form may show an input more than once.
        was, entries = before.get(place, {}), now.get(place, {})
        pairs += [(was[index], entries[index]) for index in was if index in entries]
        pairs += itertools.zip_longest(
            (was[index] for index in was if index not in entries),
            (entries[index] for index in entries if index not in was),
        )
    both = [(was, entry) for was, entry in pairs if was is not None and entry is not None]
    return IndexMapChanges(
        unchanged=tuple(entry for was, entry in both if was.index == entry.index),
        moved=tuple((was, entry) for was, entry in both if was.index != entry.index),
        changed=tuple(
            (was, entry) for was, entry in both if (was.label, was.type_name) != (entry.label, entry.type_name)
        ),
        appeared=tuple(entry for was, entry in pairs if was is None and entry is not None),
        vanished=tuple(was for was, entry in pairs if entry is None and was is not None),
    )


def _by_place(entries: Iterable[MappedInput]) -> dict[tuple[str, str], dict[int, MappedInput]]:
    """Return inputs by (node id, field name) and index."""
    found: dict[tuple[str, str], dict[int, MappedInput]] = {}
    for entry in entries:
        found.setdefault((entry.node_id, entry.field_name), {})[entry.index] = entry
    return found


def _mapped(entry: WorkflowInput) -> MappedInput:
    assert entry.index is not None, "only inputs that the form shows have an index to map"
    return MappedInput(entry.index, entry.label, entry.node_id, entry.field_name, entry.type_name)


def _load(path: str | os.PathLike[str]) -> list[MappedInput]:
    source = os.fspath(path)
    try:
        document = read_json(path_of(path).read_bytes())
        if document["format"] != _FORMAT:
            raise ValueError(f"its format is {document['format']!r}")
        entries = [MappedInput(**entry) for entry in document["inputs"]]
        for entry in entries:
            if type(entry.index) is not int or not all(isinstance(part, str) for part in astuple(entry)[1:]):
                raise ValueError(f"it holds the input {entry}")
        return entries
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise WorkflowFileError(
            f"{source!r} is not an index map of inputs: {error}.",
            source=source,
            hint="Pass a file that export_input_index_map() wrote.",
        ) from error
