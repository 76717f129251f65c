"""A plan as pure data: its rows, computed when they are read, and the groups in which they run."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from invokeai_py_client.batch.cells import NOTE, Place, Terms, shown
from invokeai_py_client.batch.dynamic_prompts import DynamicPrompts
from invokeai_py_client.batch.row_values import MODULUS, MOST_ROWS, Late, PlanAxis, RowMaker, check_size
from invokeai_py_client.batch.rows import Axis, CellProblem, PlannedRow
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET

_ID_LENGTH = 32


@dataclass(frozen=True, slots=True)
class PlannedWorkflow:
    """The workflow of a plan, with the values that no column varies.

    Attributes:
        definition: the document as its author saved it.
        saved: the values and edges that it had when the plan was made.
        fields: the same without the edges that columns replace.
        structure: the hash of its nodes and edges.
        base: the sum of the terms of its nodes, edges and values, except those that columns vary.
        seeds: for each seed input, the number of the column that sets it (-1 for none), and its own value (None if an
            edge feeds it).
        models: the hashes or names of the models that no column varies.
    """

    definition: WorkflowDefinition
    saved: WorkflowFields
    fields: WorkflowFields
    structure: str
    base: int
    seeds: Sequence[tuple[int, Any]]
    models: frozenset[str]


class PlanData:
    """The rows of a plan. Immutable, and independent of any server.

    Args:
        base: the workflow.
        axes: the axes, X first; the last one changes fastest.
        late: the values that are computed for each row, in this order.
        shown_axes: the axes for display.
        terms: computes the hashes of values.
        prompts: expands dynamic prompts.
        random_seed: the seed of all draws; None if nothing is drawn.
        sample_seed: the seed of the sample; None if no sample was taken.
        skips_bad_rows: whether rows with bad cells are skipped; otherwise there are no such rows.
    """

    def __init__(
        self,
        base: PlannedWorkflow,
        axes: Sequence[PlanAxis],
        late: Sequence[Late],
        shown_axes: Sequence[Axis],
        terms: Terms,
        *,
        prompts: DynamicPrompts,
        random_seed: int | None = None,
        sample_seed: int | None = None,
        skips_bad_rows: bool = False,
    ) -> None:
        self.base = base
        self.axes = tuple(axes)
        self.late = tuple(late)
        self.shown_axes = tuple(shown_axes)
        self.prompts = prompts
        self.random_seed = random_seed
        self.sample_seed = sample_seed
        self.skips_bad_rows = skips_bad_rows
        self._terms = terms
        self._length = math.prod(map(len, axes))
        self._rows = RowMaker(base.base, self.axes, self.late, terms, prompts, random_seed)
        self.cell_columns = self._rows.columns

    @property
    def workflow(self) -> str:
        """The hash of the workflow's nodes and edges, whatever its values."""
        return self.base.structure

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        return [column.name for column in self.cell_columns]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[PlannedRow]:
        return map(self.row, range(self._length))

    def row(self, index: int) -> PlannedRow:
        """Return a row by its index."""
        found = self._rows.row(index)
        repetition = self._rows.repetitions.get(index, 0)
        values = {column.name: shown(raw) for column, raw in zip(self.cell_columns, found.raws, strict=True)}
        for one in self.late:
            if one.kind != "seed":
                values.setdefault(NOTE + self.cell_columns[one.target].name, found.template(one.target))
        return PlannedRow(
            index,
            self._row_id(found.content, repetition),
            values,
            self._seed_of(found.raws),
            repetition,
            tuple(CellProblem(index, column, why) for column, why in found.problems),
        )

    def raws(self, index: int) -> Sequence[Any]:
        """Return the raw values of a row, one for each of `cell_columns`."""
        if self.late:
            return self._rows.row(index).raws
        entries = self._rows.entries(index)
        return [cells[entry] for axis, entry in zip(self.axes, entries, strict=True) for cells in axis.cells]

    def set_values(self, raws: Sequence[Any]) -> Mapping[Place, Any]:
        """Map inputs to their values: None for an empty one. `raws` has one raw value for each of `cell_columns`."""
        return {
            place: None if raw is UNSET else raw
            for column, raw in zip(self.cell_columns, raws, strict=True)
            for place in column.places
        }

    @property
    def invalid(self) -> int:
        """The number of rows that have problems and are never sent."""
        if self.late:
            return sum(bool(self._rows.row(index).problems) for index in range(self._length))
        return self._length - math.prod(len(axis) - len(axis.problems) for axis in self.axes)

    def _seed_of(self, raws: Sequence[Any]) -> int | None:
        values = {raws[column] if column >= 0 else value for column, value in self.base.seeds}
        seed = values.pop() if len(values) == 1 else None
        return seed if isinstance(seed, int) else None

    def _row_id(self, content: int, repetition: int) -> str:
        text = f"{content % MODULUS:x}:{repetition}"
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]

    # Groups of rows that run with the same graph

    def groups(self) -> Iterator[PlanGroup]:
        """Yield the rows that can run, grouped by graph, in running order.

        Rows with the same models follow each other; apart from that, the order is that of the rows.

        Raises:
            PlanError: the plan has more than `MOST_ROWS` rows.
        """
        return iter(self._groups)

    @cached_property
    def _groups(self) -> Sequence[PlanGroup]:
        check_size(self._length, "run")
        graphs = [self._graph_parts(axis, first) for axis, first in self._rows.axes_and_firsts()]
        late_graph = [number for number in self._rows.late_targets if not self.cell_columns[number].is_item]
        if not late_graph and not self.late and not any(map(any, graphs)) and not any(a.problems for a in self.axes):
            return [PlanGroup(self, range(self._length))] if self._length else []
        found: dict[tuple[Any, ...], array[int]] = {}
        for index in range(self._length):
            entries = self._rows.entries(index)
            if self.late:
                row = self._rows.row(index)
                if row.problems:
                    continue
                parts = tuple(self._part(number, row.raws[number]) for number in late_graph)
            elif any(entry in axis.problems for axis, entry in zip(self.axes, entries, strict=True)):
                continue
            else:
                parts = ()
            key = (*(graph[entry] for graph, entry in zip(graphs, entries, strict=True)), *parts)
            found.setdefault(key, array("q")).append(index)
        return self._in_running_order([PlanGroup(self, indexes) for indexes in found.values()])

    def graph_of(self, index: int) -> tuple[Any, ...]:
        """Return a key that is equal for rows with the same graph. The row must be valid."""
        parts = (self._part(number, raw) for number, raw in enumerate(self.raws(index)))
        return tuple(part for part in parts if part is not None)

    def _part(self, number: int, raw: Any) -> tuple[int, int] | None:
        """Return the identity of a cell that is part of the graph; None if the server can set it for each item."""
        column = self.cell_columns[number]
        if not column.fields or column.is_batch_item(raw):
            return None
        return number, self._terms.of_places(column.places, raw)

    def _graph_parts(self, axis: PlanAxis, first: int) -> Sequence[tuple[Any, ...]]:
        parts: list[tuple[Any, ...]] = [()] * len(axis)
        for number, (column, cells) in enumerate(zip(axis.columns, axis.cells, strict=True), first):
            if column.fields and number not in self._rows.late_targets:
                for entry, raw in enumerate(cells):
                    if entry not in axis.problems and (part := self._part(number, raw)) is not None:
                        parts[entry] = (*parts[entry], part)
        return parts

    def _in_running_order(self, groups: Sequence[PlanGroup]) -> Sequence[PlanGroup]:
        ranks: list[dict[str, int]] = [{} for _ in self._model_columns]
        keyed = []
        for group in groups:
            models = self._models_of(group)
            keyed.append(([seen.setdefault(one, len(seen)) for seen, one in zip(ranks, models, strict=True)], group))
        # Sorting is stable, and the groups are in the order of their first rows.
        return [group for _, group in sorted(keyed, key=lambda one: one[0])]

    @cached_property
    def _model_columns(self) -> Sequence[int]:
        """The numbers of the columns of models, main models first: their values change slowest."""
        found = [number for number, column in enumerate(self.cell_columns) if column.is_model]
        return sorted(found, key=lambda number: "main" not in self.cell_columns[number].fields[0].template.model_types)

    def groups_and_models(self) -> Iterator[tuple[Sequence[int], frozenset[str]]]:
        """Yield the indexes of the rows of each group, with the hashes or names of their models, in running order.

        Raises:
            PlanError: the plan has more than `MOST_ROWS` rows.
        """
        for group in self._groups:
            yield group.indexes, self.base.models.union(filter(None, self._models_of(group)))

    def _models_of(self, group: PlanGroup) -> Sequence[str]:
        raws = self.raws(group.indexes[0])
        return [model_name(raws[number]) for number in self._model_columns]

    @cached_property
    def models(self) -> tuple[int, int]:
        """The number of different models, and the number of model loads if the rows run in running order."""
        groups = self._groups
        if not groups:
            return 0, 0
        used, loads = {*self.base.models}, len(self.base.models)
        loaded: Sequence[str] = [""] * len(self._model_columns)
        for group in groups:
            models = self._models_of(group)
            loads += sum(new != old for new, old in zip(models, loaded, strict=True) if new)
            used.update(filter(None, models))
            loaded = models
        return len(used), loads

    def __str__(self) -> str:
        parts = [f"{self._length:,} {'row' if self._length == 1 else 'rows'}"]
        if self._length <= MOST_ROWS:
            count, loads = self.models
            if count and loads == count:
                parts.append("1 model loaded" if count == 1 else f"{count} models loaded once each")
            elif count:
                parts.append(f"{count} models, {loads} loads")
            if self.invalid:
                parts.append(f"{self.invalid:,} invalid")
        return ", ".join(parts)


class PlanGroup:
    """The rows of a plan that run with the same graph, in the user's order.

    Args:
        plan: the plan.
        indexes: the rows.
    """

    def __init__(self, plan: PlanData, indexes: Sequence[int]) -> None:
        self.plan = plan
        self.indexes = indexes

    def __len__(self) -> int:
        return len(self.indexes)

    def __iter__(self) -> Iterator[PlannedRow]:
        return map(self.plan.row, self.indexes)

    def set_values(self) -> Mapping[Place, Any]:
        """Return the values that the first row sets, by input."""
        return self.plan.set_values(self.plan.raws(self.indexes[0]))

    def item_columns(self) -> Mapping[Place, int]:
        """Map each input that the server can set for each item to the number of its column."""
        raws = self.plan.raws(self.indexes[0])
        return {
            place: number
            for number, (column, raw) in enumerate(zip(self.plan.cell_columns, raws, strict=True))
            if column.is_batch_item(raw)
            for place in column.places
        }


def model_name(raw: Any) -> str:
    """Return what identifies a model: its hash, or its name if the hash is unknown; "" for no model."""
    if isinstance(raw, Mapping):
        return str(raw.get("hash") or raw.get("name") or "")
    return str(getattr(raw, "text", ""))
