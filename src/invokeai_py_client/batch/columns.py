"""The columns of a plan: finds the inputs that they set, and collects what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from invokeai_py_client.batch.base_workflow import BaseWorkflow
from invokeai_py_client.batch.cells import NOTE, Column, Place, column_of
from invokeai_py_client.batch.rows import CellProblem
from invokeai_py_client.errors import InputNotFoundError
from invokeai_py_client.workflow.inputs import WorkflowInput

SEED = "seed"
"""The name of the column that sets all seeds of a workflow."""


class Columns:
    """The columns of one plan.

    Args:
        workflow: the workflow. The edges that columns replace are removed from its fields.
        override_edge: whether columns may set inputs that edges feed.
    """

    def __init__(self, workflow: BaseWorkflow, *, override_edge: bool) -> None:
        self._workflow = workflow
        self._fields = workflow.fields
        self._override_edge = override_edge
        self._by_place: dict[Place, Column] = {}
        self.problems: list[CellProblem] = []
        """The problems of columns that cannot be used."""
        self.hints: list[str] = []

    def report(self, column: str, why: str) -> None:
        """Add a problem of a column."""
        self.problems.append(CellProblem(None, column, why))

    def report_unknown(self, name: str, error: InputNotFoundError) -> None:
        """Report a column that does not name an input. The choices that the error lists become a hint of the plan's."""
        keys = ", ".join(repr(".".join(place)) for place in error.places)
        hidden = f"; the form does not show it, but nodes have it: name the column {keys}" if keys else ""
        near = f" ({error.near[0].lower()}{error.near[1:].rstrip()})" if error.near else ""
        what = str(error).removesuffix(error.hint).rstrip(". ")
        self.report(name, f"{what}{near}{hidden}")
        self.hints.append(error.listed)

    def column(self, key: Any) -> Column | None:
        """Return the column for one key; None if it cannot be used, which is reported."""
        if isinstance(key, str) and key.startswith(NOTE):
            return Column(key)
        seeds = self._workflow.seed_inputs() if key == SEED else []
        if seeds:
            return self.setting(SEED, seeds, override_edge=True)
        one = self.find(key)
        return None if one is None else self.setting(self.name_of(key, one), [one])

    def members(self, key: Any) -> Sequence[Any] | None:
        """Return the keys of a group; None if the key names one input.

        A pair of strings is (node, field name) if there is such an input, otherwise a group of two labels.

        Raises:
            InputNotFoundError: a pair could be both, or is neither.
        """
        if not isinstance(key, tuple):
            return None
        if not key:
            raise InputNotFoundError("The group () is empty: name at least one input.", key=key, choices=())
        if len(key) != 2 or not all(isinstance(part, str) for part in key):
            return key
        is_place, missing = self._exists(key), [part for part in key if not self._exists(part)]
        if is_place and not missing:
            what = f"{key!r} could be the input {key[1]!r} of the node {key[0]!r}, or a group of two labels."
        elif is_place or not missing:
            return None if is_place else key
        else:
            what = f"{key!r} is neither a node and its field, nor a group of inputs: there is no input {missing[0]!r}."
        raise InputNotFoundError(
            what,
            key=key,
            choices=(),
            hint="Name the inputs of a group by index, such as (0, 1), and see wf.describe().",
        )

    def find(self, key: Any, name: str | None = None) -> WorkflowInput | None:
        """Return the input that a key names. If there is none, report the column: `name`, or else the key."""
        try:
            return self._find(key)
        except InputNotFoundError as error:
            self.report_unknown(key_name(key) if name is None else name, error)
            return None

    def _find(self, key: Any) -> WorkflowInput:
        # A string may also be "node.field" or an index, as in a file of rows.
        try:
            found: WorkflowInput = self._workflow.inputs[key]
            return found
        except InputNotFoundError:
            if isinstance(key, str):
                node, dot, name = key.rpartition(".")
                other: Any = (node, name) if dot else int(key) if key.isdecimal() and len(key) < 7 else None
                if other is not None and self._exists(other):
                    return self._find(other)
            raise

    def _exists(self, key: Any) -> bool:
        try:
            self._find(key)
        except InputNotFoundError:
            return False
        return True

    def name_of(self, key: Any, one: WorkflowInput) -> str:
        """Return the name of a column: one that finds the same input when it is read from a file of rows."""
        if isinstance(key, str):
            return one.label if key.strip().casefold() == one.label.casefold() else key
        label = one.label
        is_plain = label and label != SEED and not label.startswith(NOTE) and not isinstance(key, tuple)
        if is_plain and self._exists(label) and self._find(label).field is one.field:
            return label
        return f"{one.node_id}.{one.field_name}"

    def setting(
        self, name: str, inputs: Sequence[WorkflowInput], *, override_edge: bool | None = None
    ) -> Column | None:
        """Return a new column that sets inputs; None if they cannot be set, which is reported.

        Args:
            name: the name of the column.
            inputs: the inputs, at least one.
            override_edge: whether edges may feed them; None for the option of the plan.
        """
        places = [(one.node_id, one.field_name) for one in inputs]
        taken = next((self._by_place[place] for place in places if place in self._by_place), None)
        if taken is not None:
            self.report(name, f"another column sets the same input: {taken.name!r}")
            return None
        edges = [edge for place in places for edge in self._fields.into(*place)]
        if edges and not (self._override_edge if override_edge is None else override_edge):
            why = f"{self._fields.source_of(edges[0])} feeds this input, so its own value would be ignored"
            self.report(name, f"{why}; pass override_edge=True to use the values instead")
            return None
        fields = [one.field for one in inputs]
        column = column_of(name, fields, self._workflow.current, self._workflow.templates, has_edges=bool(edges))
        self._by_place.update(dict.fromkeys(places, column))
        if edges:
            for place in places:
                self._fields.override(*place, removed=True)
        return column

    def setter_of(self, one: WorkflowInput) -> Column | None:
        """Return the column that sets an input."""
        return self._by_place.get((one.node_id, one.field_name))


def key_name(key: Any) -> str:
    """Return the key of a column as the messages show it."""
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)
