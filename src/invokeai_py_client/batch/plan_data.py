"""A plan as pure data: its rows, computed when they are read, and the groups in which they run.

The rows are the product of *axes*. An axis has one or more columns that vary together: a single column, a group, all
columns if they are zipped or come from a file of rows, or the seeds. Values that depend on more than one axis, such as
a replaced text or a drawn prompt, are computed for each row (`Late`).
"""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from invokeai_py_client.batch.cells import NOTE, CellError, Column, Place, Terms, part_term, shown
from invokeai_py_client.batch.dynamic_prompts import DynamicPrompts, PromptError
from invokeai_py_client.batch.rows import Axis, CellProblem, PlannedRow
from invokeai_py_client.errors import PlanError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET, shortened

MOST_ROWS = 10_000_000
"""The maximum number of rows that can run. A product may have more if a sample of it is taken."""

MOST_COMBINATIONS = sys.maxsize
"""The maximum number of rows of a product: the largest length of a Python sequence."""

_MODULUS = 2**256
_ID_LENGTH = 32


@dataclass(slots=True, eq=False)
class PlanAxis:
    """Columns that vary together, and their checked cells.

    Attributes:
        columns: the columns.
        cells: the raw values of each column, in the order of the axis.
        problems: the problems by position in the axis: (column name, reason).
    """

    columns: tuple[Column, ...]
    cells: tuple[Sequence[Any], ...]
    problems: dict[int, list[tuple[str, str]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cells[0])


@dataclass(frozen=True, slots=True)
class Late:
    """A value that is computed for each row: a replaced text, a drawn prompt, or a drawn seed.

    `kind` is `replace`, `draw` or `seed`. `target` and `source` are column numbers; `source` is the column with the new
    text of a replacement.
    """

    kind: str
    target: int
    source: int = -1
    old: str = ""


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
        self.cell_columns = tuple(column for axis in axes for column in axis.columns)
        self._terms = terms
        self._length = math.prod(map(len, axes))
        self._late_targets = {one.target for one in late}
        self._has_draws = any(one.kind != "replace" for one in late)

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
        run = self._run(index, self._occurrences.get(index, 0))
        repetition = self._repetitions.get(index, 0)
        values = {column.name: shown(raw) for column, raw in zip(self.cell_columns, run.raws, strict=True)}
        for one in self.late:
            if one.kind != "seed":
                values.setdefault(NOTE + self.cell_columns[one.target].name, run.template(one.target))
        return PlannedRow(
            index,
            self._row_id(run.content, repetition),
            values,
            self._seed_of(run.raws),
            repetition,
            tuple(CellProblem(index, column, why) for column, why in run.problems),
        )

    def raws(self, index: int) -> Sequence[Any]:
        """Return the raw values of a row, one for each of `cell_columns`."""
        if self.late:
            return self._run(index, self._occurrences.get(index, 0)).raws
        entries = self._entries(index)
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
            occurrences = self._occurrences
            runs = (self._run(index, occurrences.get(index, 0)) for index in range(self._length))
            return sum(bool(run.problems) for run in runs)
        return self._length - math.prod(len(axis) - len(axis.problems) for axis in self.axes)

    # One row

    def _entries(self, index: int) -> list[int]:
        """Return the position of a row in each axis."""
        entries = []
        for axis in reversed(self.axes):
            index, entry = divmod(index, len(axis))
            entries.append(entry)
        entries.reverse()
        return entries

    def _run(self, index: int, occurrence: int) -> _Run:
        entries = self._entries(index)
        raws: list[Any] = []
        problems: list[tuple[str, str]] = []
        content = self.base.base
        for axis, entry, sums in zip(self.axes, entries, self._sums, strict=True):
            raws += [cells[entry] for cells in axis.cells]
            content += sums[entry]
            if entry in axis.problems:
                problems += axis.problems[entry]
        run = _Run(raws, content, problems)
        if self.late and not problems:
            self._work_out(run, entries, occurrence)
        return run

    def _work_out(self, run: _Run, entries: Sequence[int], occurrence: int) -> None:
        """Compute the late values of a row: replace text, and draw prompts and the seed."""
        run.templates = {target: run.raws[target] for target in self._late_targets}
        pick = None
        if self._has_draws:
            drawn_from = sum(sums[entry] for sums, entry in zip(self._raw_sums, entries, strict=True))
            pick = _Picker(self.random_seed, drawn_from, occurrence)
        for one in self.late:
            column = self.cell_columns[one.target]
            raw = run.raws[one.target]
            try:
                if one.kind == "replace":
                    if not isinstance(raw, str) or one.old not in raw:
                        raise CellError(f"{shortened(raw)} does not contain {one.old!r}, which is to be replaced")
                    raw = raw.replace(one.old, run.raws[one.source])
                elif pick is not None and one.kind == "seed":
                    low, high = seed_bounds(column)
                    raw = low + pick(high - low + 1)
                elif pick is not None and isinstance(raw, str):
                    raw = self.prompts.draw(raw, pick)
                run.raws[one.target] = column.check(raw)
            except (CellError, PromptError) as error:
                run.problems.append((column.name, str(error)))
                return
        for target in self._late_targets:
            run.content += self._terms.of_places(self.cell_columns[target].places, run.raws[target])

    def _seed_of(self, raws: Sequence[Any]) -> int | None:
        values = {raws[column] if column >= 0 else value for column, value in self.base.seeds}
        seed = values.pop() if len(values) == 1 else None
        return seed if isinstance(seed, int) else None

    # Row identity

    @cached_property
    def _first_columns(self) -> Sequence[int]:
        """The number of the first column of each axis."""
        firsts = [0]
        for axis in self.axes:
            firsts.append(firsts[-1] + len(axis.columns))
        return firsts

    @cached_property
    def _sums(self) -> Sequence[Sequence[int]]:
        """For each axis, the sum of the terms of each entry's cells, without those of late values."""
        return [self._sums_of(axis, first, late=False) for axis, first in self._axes_and_firsts()]

    @cached_property
    def _raw_sums(self) -> Sequence[Sequence[int]]:
        """The same for all cells, with the values that they have before late values are computed."""
        return [self._sums_of(axis, first, late=True) for axis, first in self._axes_and_firsts()]

    def _axes_and_firsts(self) -> Iterator[tuple[PlanAxis, int]]:
        return zip(self.axes, self._first_columns[:-1], strict=True)

    def _sums_of(self, axis: PlanAxis, first: int, *, late: bool) -> Sequence[int]:
        sums = [0] * len(axis)
        for number, (column, cells) in enumerate(zip(axis.columns, axis.cells, strict=True), first):
            # A note does not change what runs, but rows that differ in a note must draw different values.
            places = column.places or ((("", column.name),) if late else ())
            if late or number not in self._late_targets:
                for entry, raw in enumerate(cells):
                    if entry not in axis.problems:
                        sums[entry] += self._terms.of_places(places, raw)
        for entry in axis.problems:
            sums[entry] = part_term("invalid", *(repr(cells[entry]) for cells in axis.cells))
        return sums

    @cached_property
    def _may_repeat(self) -> bool:
        """Whether there may be rows with equal runs."""
        return bool(self.late) or any(len(set(sums)) < len(sums) for sums in self._sums)

    @cached_property
    def _occurrences(self) -> Mapping[int, int]:
        """For each row whose cells repeat, by index: the number of earlier rows with the same cells."""
        if not self._has_draws or not self._may_repeat:
            return {}
        return self._counted(
            sum(sums[entry] for sums, entry in zip(self._raw_sums, self._entries(index), strict=True))
            for index in range(self._length)
        )

    @cached_property
    def _repetitions(self) -> Mapping[int, int]:
        """For each row whose run repeats, by index: the number of earlier rows with an equal run."""
        if not self._may_repeat:
            return {}
        occurrences = self._occurrences
        return self._counted(self._run(index, occurrences.get(index, 0)).content for index in range(self._length))

    def _counted(self, contents: Iterator[int]) -> Mapping[int, int]:
        self.check_size("tell equal rows apart")
        seen: dict[int, int] = {}
        found: dict[int, int] = {}
        for index, content in enumerate(contents):
            before = seen.get(content, 0)
            seen[content] = before + 1
            if before:
                found[index] = before
        return found

    def _row_id(self, content: int, repetition: int) -> str:
        text = f"{content % _MODULUS:x}:{repetition}"
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]

    def check_size(self, what: str) -> None:
        """Check that the plan has at most `MOST_ROWS` rows.

        Args:
            what: the action that needs to iterate over all rows, for the message.

        Raises:
            PlanError: the plan has more rows.
        """
        if self._length > MOST_ROWS:
            raise PlanError(
                f"The plan has {self._length:,} rows, which are too many to {what}: {MOST_ROWS:,} at most.",
                hint="Take a sample: wf.plan(..., sample=1000).",
            )

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
        self.check_size("run")
        graphs = [self._graph_parts(axis, first) for axis, first in self._axes_and_firsts()]
        late_graph = [number for number in self._late_targets if not self.cell_columns[number].is_item]
        if not late_graph and not self.late and not any(map(any, graphs)) and not any(a.problems for a in self.axes):
            return [PlanGroup(self, range(self._length))] if self._length else []
        found: dict[tuple[Any, ...], array[int]] = {}
        for index in range(self._length):
            entries = self._entries(index)
            if self.late:
                run = self._run(index, self._occurrences.get(index, 0))
                if run.problems:
                    continue
                parts = tuple(self._part(number, run.raws[number]) for number in late_graph)
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
            if column.fields and number not in self._late_targets:
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


@dataclass(slots=True)
class _Run:
    """One row: its raw values, the sum of its terms, and its problems."""

    raws: list[Any]
    content: int
    problems: list[tuple[str, str]]
    templates: Mapping[int, Any] = field(default_factory=dict)

    def template(self, number: int) -> Any:
        """Return the text of a column before it was replaced or drawn."""
        return shown(self.templates.get(number, self.raws[number]))


class _Picker:
    """Draws numbers that depend only on a seed and on the row that they are drawn for."""

    def __init__(self, random_seed: int | None, content: int, occurrence: int) -> None:
        self._state = hashlib.sha256(f"{random_seed}:{content % _MODULUS:x}:{occurrence}".encode()).digest()

    def __call__(self, size: int) -> int:
        self._state = hashlib.sha256(self._state).digest()
        return int.from_bytes(self._state[:16], "big") % size


def seed_bounds(column: Column) -> tuple[int, int]:
    """Return the range of seeds that all inputs of a column accept, by default 0 to 2**32 - 1."""
    lows = [one.template.minimum for one in column.fields if one.template.minimum is not None]
    highs = [one.template.maximum for one in column.fields if one.template.maximum is not None]
    return int(max(lows, default=0)), int(min(highs, default=2**32 - 1))


def model_name(raw: Any) -> str:
    """Return what identifies a model: its hash, or its name if the hash is unknown; "" for no model."""
    if isinstance(raw, Mapping):
        return str(raw.get("hash") or raw.get("name") or "")
    return str(getattr(raw, "text", ""))
