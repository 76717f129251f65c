"""The cells of a plan: the inputs that a column sets, the values that it accepts, how values are shown and compared.

A *raw* value is what a field holds once it is set: plain JSON, a reference to a model, board or image, or UNSET where
the input is empty.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.json_text import read_json
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.fields import UNSET, Field, shortened
from invokeai_py_client.workflow.graph import is_executable
from invokeai_py_client.workflow.json_values import as_json
from invokeai_py_client.workflow.references import BoardReference, LocalImage, ModelReference, is_model
from invokeai_py_client.workflow.templates import Cardinality, NodeTemplates, is_model_type

Place = tuple[str, str]
"""(node id, input name)."""

NOTE = "#"
"""The first character of the name of a *note*: a column that is kept with the rows, but does not set an input."""

_NUMBERS = {"IntegerField", "FloatField"}
_TEXTS = {"StringField", "EnumField", "SchedulerField"}
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


class CellError(ValueError):
    """A value that a column does not accept; the message says why."""


class Column:
    """A column of a plan.

    Args:
        name: the name as it is shown, and as it appears in a file of rows.
        fields: the inputs that the column sets; empty for a note.
        is_item: whether the server can set the values for each item of a batch; otherwise they are part of the graph.
        has_edges: whether edges fed the inputs before the plan replaced them.
    """

    __slots__ = (
        "fields",
        "has_edges",
        "is_image",
        "is_item",
        "is_model",
        "is_text",
        "may_refer",
        "name",
        "places",
        "type_name",
    )

    def __init__(
        self, name: str, fields: Sequence[Field[Any]] = (), *, is_item: bool = False, has_edges: bool = False
    ) -> None:
        self.name = name
        self.fields = tuple(fields)
        self.is_item = is_item
        self.has_edges = has_edges
        self.places = tuple((one.place.node_id, one.place.name) for one in fields)
        self.type_name = fields[0].template.type.name if fields else ""
        is_single = bool(fields) and fields[0].template.type.cardinality is Cardinality.SINGLE
        self.is_text = is_single and self.type_name == "StringField"
        self.is_image = is_single and self.type_name == "ImageField"
        self.is_model = is_model_type(self.type_name)
        self.may_refer = bool(fields) and self.type_name not in _NUMBERS | _TEXTS | {"BooleanField"}
        """Whether its values may name a file, or something that only the server knows."""

    def check(self, value: Any) -> Any:
        """Return a value as the inputs hold it.

        None stands for an empty input, or for the workflow's own value if the input cannot be empty.

        Raises:
            CellError: an input does not accept the value.
        """
        if not self.fields:
            try:
                return as_json(value)
            except ValueError:
                # A note is only displayed, so a date or a numpy number may become text.
                return _encodable(shortened(value) if isinstance(value, int) else str(value))
        first, *others = self.fields
        for one in others:
            self._checked(one, value)
        return self._checked(first, value)

    def _checked(self, one: Field[Any], value: Any) -> Any:
        if value is None:
            if self.has_edges:
                raise CellError("it has no value, and the plan replaces the edge that feeds the input")
            if not one.template.required:
                return UNSET if one.template.nullable else one.raw
        try:
            return one.checked(value)
        except InputValueError as error:
            raise CellError(f"{shortened(value)} is not allowed: it takes {error.expected}") from None

    def is_batch_item(self, raw: Any) -> bool:
        """Return whether the server can set this value for each item of a batch."""
        if not self.is_item:
            return False
        if self.type_name in _NUMBERS:
            return isinstance(raw, int | float) and not isinstance(raw, bool)
        return isinstance(raw, str) if self.type_name in _TEXTS else isinstance(raw, LocalImage | Mapping)


def column_of(
    name: str,
    fields: Sequence[Field[Any]],
    definition: WorkflowDefinition,
    templates: NodeTemplates,
    *,
    has_edges: bool,
) -> Column:
    """Return a column that sets some inputs of a workflow."""
    return Column(
        name,
        fields,
        is_item=all(_can_be_item(one, definition, templates) for one in fields),
        has_edges=has_edges,
    )


def _can_be_item(one: Field[Any], definition: WorkflowDefinition, templates: NodeTemplates) -> bool:
    """Return whether the server can set an input for each item of a batch.

    It can set fields of the graph's nodes. Inputs of called workflows and of batch nodes are not among them.
    """
    node = definition.nodes[one.place.node_id]
    template = templates.get(node.type)
    return (
        is_executable(node)
        and template is not None
        and one.place.name in template.inputs
        and one.template.type.name in {*_NUMBERS, *_TEXTS, "ImageField"}
    )


def from_text(column: Column, text: str, *, folder: Path, decimal_comma: bool = False) -> Any:
    """Convert text from a file of rows to a value for a column; return the text itself if it cannot be converted.

    Args:
        column: the column.
        text: the text.
        folder: the folder of the file, which image paths are relative to.
        decimal_comma: whether "7,5" is a number.
    """
    kind, plain = column.type_name, text.strip()
    if column.is_text or kind in {"SchedulerField", "SavedWorkflowField"}:
        return text
    if not plain:
        return None
    if column.is_image:
        beside = folder / plain
        return beside if os.path.isfile(beside) or "/" in plain or "\\" in plain else plain
    if kind == "EnumField":
        options = column.fields[0].template.options
        return next((option for option in options if str(option) == plain), text)
    if kind == "BooleanField" and plain.lower() in _TRUE | _FALSE:
        return plain.lower() in _TRUE
    if kind in _NUMBERS and decimal_comma:
        plain = plain.replace(",", ".")
    if kind in _NUMBERS or plain[0] in "[{":
        try:
            return read_json(plain)
        except ValueError:
            pass
        try:
            return float(plain)
        except ValueError:
            pass
    return text


def bad_cell(cell: Any) -> Any:
    """Return a value that a column does not accept as plain JSON, for display beside the reason."""
    if isinstance(cell, bool | int | float):
        try:
            return as_json(cell)
        except ValueError:
            pass
    return _encodable(cell if isinstance(cell, str) else shortened(cell))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def shown(raw: Any) -> Any:
    """Return a raw value as plain JSON for display: a model as its name, an image as its path or name."""
    if raw is UNSET:
        return None
    if isinstance(raw, str | int | float):
        return raw
    if isinstance(raw, LocalImage):
        return str(raw.source) if isinstance(raw.source, Path) else f"image-{_sha256(raw.source)[:12]}"
    if isinstance(raw, ModelReference | BoardReference):
        return raw.text
    if is_model(raw):
        return raw["name"]
    if isinstance(raw, Mapping):
        if len(raw) == 1 and (name := next(iter(raw))) in ("image_name", "video_name", "board_id"):
            return raw[name]
        return {name: shown(inner) for name, inner in raw.items()}
    return [shown(inner) for inner in raw] if isinstance(raw, list) else raw


class Terms:
    """Computes a hash of a run as a sum of *terms*, one for each part of the run.

    A part is an input with its value, an edge, or a node. The order of a sum does not matter, so equal runs have equal
    sums whether a value comes from the workflow or from a column.
    """

    def __init__(self) -> None:
        self._hashes: dict[LocalImage | ModelReference, str] = {}
        self._known: dict[tuple[Place, type, Any], int] = {}

    def add_hashes(self, hashes: Mapping[LocalImage | ModelReference, str]) -> None:
        """Add the hashes of images, and of models that are referred to by name."""
        self._hashes |= hashes

    def of_places(self, places: Sequence[Place], raw: Any) -> int:
        """Return the sum of the terms of inputs that have this value, 0 if the value is empty."""
        if isinstance(raw, str):
            return sum(_term(["value", *place, raw]) for place in places)
        if raw is UNSET or raw is None:
            return 0
        if isinstance(raw, int | float):
            return sum(self._of_number(place, raw) for place in places)
        return sum(_term(["value", *place, self._canonical(raw)]) for place in places)

    def _of_number(self, place: Place, raw: float) -> int:
        key = (place, type(raw), raw)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _term(["value", *place, self._canonical(raw)])
        return found

    def _canonical(self, raw: Any) -> Any:
        """Return a value in a form in which values with the same effect are equal."""
        if isinstance(raw, float) and raw.is_integer():
            return int(raw)
        if isinstance(raw, LocalImage):
            return {"sha256": self._hashes.get(raw) or self.add_image(raw)}
        if isinstance(raw, ModelReference):
            return {"model": self._hashes.get(raw, raw.text)}
        if isinstance(raw, BoardReference):
            return {"board": raw.text}
        if is_model(raw):
            rest = {name: part for name, part in raw.items() if name not in ("key", "hash", "name", "base", "type")}
            return {"model": raw["hash"], **rest}
        if isinstance(raw, Mapping):
            return {name: self._canonical(inner) for name, inner in raw.items()}
        return [self._canonical(inner) for inner in raw] if isinstance(raw, list) else raw

    def add_image(self, image: LocalImage) -> str:
        """Return the hash of an image's content, which is read only once.

        Raises:
            OSError: the file cannot be read.
        """
        found = self._hashes.get(image)
        if found is None:
            if isinstance(image.source, Path):
                with image.source.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            else:
                found = _sha256(image.source)
            self._hashes[image] = found
        return found


_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _term(part: Any) -> int:
    return int.from_bytes(hashlib.sha256(_encoded(part).encode()).digest(), "big")


def part_term(*part: Any) -> int:
    """Return the term of a part that is not a value, such as a node or an edge."""
    return _term([*part])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
