"""Plans in files: a plan is one JSON document, with its workflow and its axes.

Rows are not stored, as they are computed from the axes. Models are stored with their hashes, by which another server
finds its own. Local images are stored by path, both absolute and relative to the file; images in memory with their
content.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.cells import Place
from invokeai_py_client.batch.plan_data import PlanData
from invokeai_py_client.batch.row_values import Late
from invokeai_py_client.batch.rows import Axis
from invokeai_py_client.errors import PlanError
from invokeai_py_client.files import path_of, whole_file
from invokeai_py_client.json_text import read_json
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.references import BoardReference, LocalImage, ModelReference

_FORMAT = "invokeai-py-client plan"
_VERSION = 1
_TAG = "$"


@dataclass(frozen=True, slots=True)
class SavedColumn:
    """A column: its name, and the inputs that it sets."""

    name: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class SavedAxis:
    """An axis: its columns, their cells, and their problems."""

    columns: Sequence[SavedColumn]
    cells: Sequence[Sequence[Any]]
    problems: Mapping[int, Sequence[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """The content of a plan file.

    `values` are those that differ from the document: (node id, input name, value, whether it replaces an edge).
    """

    definition: WorkflowDefinition
    values: Sequence[tuple[str, str, Any, bool]]
    axes: Sequence[SavedAxis]
    late: Sequence[Late]
    shown_axes: Sequence[Axis]
    wildcards: Mapping[str, Sequence[str]]
    random_seed: int | None
    sample_seed: int | None
    skips_bad_rows: bool


def save_plan(plan: PlanData, path: str | os.PathLike[str]) -> Path:
    """Write a plan to a file atomically, and return its path.

    Raises:
        UnsafePathError: the path has a NUL character.
        OSError: the file cannot be written.
    """
    target = path_of(path)
    with whole_file(target) as file:
        file.write(plan_text(plan, target.absolute().parent))
    return target


def plan_text(plan: PlanData, folder: Path, *, holds_images: bool = False) -> bytes:
    """Return the content of a plan file.

    Args:
        plan: the plan.
        folder: the folder of the file.
        holds_images: whether images of this machine are stored with their content, as those in memory are. Files that
            cannot be read are stored by their paths all the same.
    """
    saved = plan.base.saved
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "workflow": plan.base.definition.to_dict(),
        "values": [
            {
                "node": node_id,
                "input": name,
                "value": _written(raw, folder, holds_images),
                "replaces_edge": saved.is_overridden(node_id, name),
            }
            for node_id, name, raw in saved.changed()
        ],
        "axes": [
            {
                "columns": [{"name": column.name, "inputs": column.places} for column in axis.columns],
                "cells": [[_written(raw, folder, holds_images) for raw in cells] for cells in axis.cells],
                "problems": {str(entry): those for entry, those in axis.problems.items()},
            }
            for axis in plan.axes
        ],
        "late": [{"kind": one.kind, "target": one.target, "source": one.source, "old": one.old} for one in plan.late],
        "shown_axes": [{"name": axis.name, "values": axis.values} for axis in plan.shown_axes],
        "wildcards": plan.prompts.lines,
        "random_seed": plan.random_seed,
        "sample_seed": plan.sample_seed,
        "skips_bad_rows": plan.skips_bad_rows,
    }
    document["sha256"] = _sha256(document)
    return _encoded(document)


def read_plan(path: str | os.PathLike[str]) -> SavedPlan:
    """Read a file that `save_plan` wrote.

    Raises:
        PlanError: the file cannot be read, is not a plan, or was changed.
        WorkflowError: the workflow in it cannot be used.
    """
    where = path_of(path)
    try:
        text = where.read_bytes()
    except OSError as error:
        raise _unreadable(where, error.strerror or str(error)) from error
    return read_plan_text(text, where)


def read_plan_text(text: bytes, where: Path) -> SavedPlan:
    """Parse the content of a file that `save_plan` wrote.

    Args:
        text: the content.
        where: the path of the file.

    Raises:
        PlanError: the content is not a plan, or was changed.
        WorkflowError: its workflow cannot be used.
    """
    try:
        document = read_json(text)
    except ValueError as error:
        raise _unreadable(where, str(error)) from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise _unreadable(where, "it is not a plan")
    if document.get("version") != _VERSION:
        raise _unreadable(where, f"it has format version {document.get('version')!r}, this client reads {_VERSION}")
    if document.pop("sha256", None) != _sha256(document):
        # The checksum replaces checks of details, such as that all columns have the same length.
        raise _unreadable(where, "it was changed or damaged after it was saved")
    definition = WorkflowDefinition.from_dict(document["workflow"], source=str(where))
    return _read(document, definition, where.absolute().parent)


def _read(document: Mapping[str, Any], definition: WorkflowDefinition, folder: Path) -> SavedPlan:
    return SavedPlan(
        definition,
        [
            (one["node"], one["input"], _value(one["value"], folder), bool(one["replaces_edge"]))
            for one in document["values"]
        ],
        [
            SavedAxis(
                [
                    SavedColumn(column["name"], tuple((node_id, name) for node_id, name in column["inputs"]))
                    for column in axis["columns"]
                ],
                [[_value(raw, folder) for raw in cells] for cells in axis["cells"]],
                {int(entry): [(name, why) for name, why in those] for entry, those in axis["problems"].items()},
            )
            for axis in document["axes"]
        ],
        [Late(one["kind"], one["target"], one["source"], one["old"]) for one in document["late"]],
        [Axis(one["name"], one["values"]) for one in document["shown_axes"]],
        document["wildcards"],
        document["random_seed"],
        document["sample_seed"],
        bool(document["skips_bad_rows"]),
    )


def _written(raw: Any, folder: Path, holds_images: bool) -> Any:
    """Return a raw value as JSON. Values that JSON does not have become an object whose only key begins with `$`."""
    if isinstance(raw, str | int | float) or raw is None:
        return raw
    if raw is UNSET:
        return {"$unset": True}
    if isinstance(raw, LocalImage):
        content = raw.source if isinstance(raw.source, bytes) else _content(raw.source) if holds_images else None
        if content is not None:
            return {"$bytes": base64.b64encode(content).decode()}
        assert isinstance(raw.source, Path)
        is_below = raw.source.is_relative_to(folder)
        return {"$file": [str(raw.source), raw.source.relative_to(folder).as_posix() if is_below else None]}
    if isinstance(raw, ModelReference):
        return {"$model": [raw.text, raw.bases, raw.types]}
    if isinstance(raw, BoardReference):
        return {"$board": raw.text}
    if isinstance(raw, Mapping):
        inner = {name: _written(part, folder, holds_images) for name, part in raw.items()}
        return {"$object": inner} if len(inner) == 1 and next(iter(inner)).startswith(_TAG) else inner
    return [_written(part, folder, holds_images) for part in raw]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _value(written: Any, folder: Path) -> Any:
    """Return the raw value for the output of `_written`."""
    if isinstance(written, list):
        return [_value(part, folder) for part in written]
    if not isinstance(written, dict):
        return written
    if len(written) == 1:
        tag, content = next(iter(written.items()))
        match tag:
            case "$unset":
                return UNSET
            case "$bytes":
                return LocalImage(base64.b64decode(content, validate=True))
            case "$file":
                path, below = content
                beside = None if below is None else folder / below
                return LocalImage(beside if beside is not None and os.path.isfile(beside) else Path(path))
            case "$model":
                text, bases, types = content
                return ModelReference(text, tuple(bases), tuple(types))
            case "$board":
                return BoardReference(content)
            case "$object":
                written = content
    return {name: _value(part, folder) for name, part in written.items()}


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _sha256(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_encoded(document)).hexdigest()


def _unreadable(path: Path, why: str) -> PlanError:
    return PlanError(
        f"The plan {str(path)!r} cannot be read: {why}.", hint="Pass the path of a file that plan.save() wrote."
    )
