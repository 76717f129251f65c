"""Makes plans: finds the inputs of the columns, draws the sample, and checks every cell. No I/O except for files."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.cells import NOTE, CellError, Column, Place, Terms, column_of, part_term
from invokeai_py_client.batch.drafts import (
    CellReader,
    Draft,
    Sample,
    draft_of,
    draft_of_group,
    expanded,
    shown_axes,
    zipped,
)
from invokeai_py_client.batch.dynamic_prompts import DynamicPrompts
from invokeai_py_client.batch.plan_data import (
    MOST_COMBINATIONS,
    MOST_ROWS,
    Late,
    PlanAxis,
    PlanData,
    PlannedWorkflow,
    model_name,
    seed_bounds,
)
from invokeai_py_client.batch.plan_file import SavedColumn, SavedPlan
from invokeai_py_client.batch.plan_options import OnBadRow, PlanOptions
from invokeai_py_client.batch.rows import Axis, CellProblem
from invokeai_py_client.batch.server_names import ServerNames
from invokeai_py_client.batch.sources import ABSENT, Replacement, SourceError, Table, read_rows
from invokeai_py_client.errors import InputNotFoundError, PlanError
from invokeai_py_client.option_checks import unusable, whole
from invokeai_py_client.workflow.batching import LIST_INPUTS
from invokeai_py_client.workflow.called_workflows import CalledWorkflows
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET, shortened
from invokeai_py_client.workflow.inputs import WorkflowInput, WorkflowInputs, shown_inputs
from invokeai_py_client.workflow.references import (
    LocalImage,
    ModelReference,
    Unresolved,
    find_model,
    references_in,
)
from invokeai_py_client.workflow.seeds import require_seed_inputs, seed_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

SEED = "seed"
"""The name of the column that sets all seeds of a workflow."""

_MOST_TOLD = 20
"""How many bad cells a message lists."""


@dataclass(slots=True)
class _Replaced:
    """A replacement: the key of the column with the text, the column with the new text, and the text to replace."""

    key: Any
    source: Column
    old: str
    target: Column | None = None


@dataclass(slots=True)
class _Chosen:
    """The columns of a plan so far: their problems, and the column that sets each input."""

    problems: list[CellProblem] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    by_place: dict[Place, Column] = field(default_factory=dict)
    replaced: list[_Replaced] = field(default_factory=list)

    def is_unknown(self, name: str, error: InputNotFoundError) -> None:
        """Record that a column does not name an input. The choices that the error lists become a hint of the plan's."""
        keys = ", ".join(repr(".".join(place)) for place in error.places)
        hidden = f"; the form does not show it, but nodes have it: name the column {keys}" if keys else ""
        near = f" ({error.near[0].lower()}{error.near[1:].rstrip()})" if error.near else ""
        what = str(error).removesuffix(error.hint).rstrip(". ")
        self.problems.append(CellProblem(None, name, f"{what}{near}{hidden}"))
        self.hints.append(error.listed)


class Planner:
    """Makes plans of one workflow.

    Args:
        definition: the document as its author saved it.
        current: the document, with its calls of other workflows updated.
        templates: the server's node templates.
        fields: the values; the planner removes the edges that columns replace.
    """

    def __init__(
        self,
        definition: WorkflowDefinition,
        current: WorkflowDefinition,
        templates: NodeTemplates,
        fields: WorkflowFields,
    ) -> None:
        self._definition = definition
        self._current = current
        self._templates = templates
        self._saved = fields.snapshot()
        self._fields = fields
        self._inputs: WorkflowInputs = shown_inputs(current, templates, fields)

    def plan(self, what: Any, options: PlanOptions) -> Planned:
        """Make a plan.

        Args:
            what: the result of `sources.taken`.
            options: the options of `wf.plan`.

        Raises:
            PlanError: columns or rows cannot be used. Bad cells are reported by `Planned.finished`.
        """
        chosen = _Chosen()
        seeds = self._seed_inputs(options)
        drafts = self._drafts(what, options, chosen)
        self._add_replaced(drafts, chosen)
        last = [self._seed_draft(seeds, options.seeds, chosen)] if seeds else []
        chosen.problems += self._batch_nodes()
        _raise_if(chosen.problems, chosen.hints)
        prompts = DynamicPrompts(options.wildcards)
        if options.expand == "all":
            drafts = [expanded(draft, prompts) for draft in drafts]
        if math.prod(map(len, (*drafts, *last))) > MOST_COMBINATIONS:
            raise _plan_error([CellProblem(None, "", f"it has more than {MOST_COMBINATIONS:,} combinations")])
        sample = Sample.of(drafts, options.sample, options.sample_seed) if options.sample and drafts else None
        _raise_if([*_too_many(drafts if sample is None else [sample.draft]), *_too_many(last)])
        reader = CellReader(prompts if options.expand == "random" else None)
        axes = [reader.read(draft) for draft in (*(drafts if sample is None else [sample.draft]), *last)]
        late = _late_of(axes, chosen, reader.dynamic, options)
        random_seed = options.random_seed
        if random_seed is None and any(one.kind != "replace" for one in late):
            random_seed = random.randrange(2**32)
        columns = [column for axis in axes for column in axis.columns]
        late_columns = {columns[one.target] for one in late}
        if sample is None:
            shown = shown_axes([*drafts, *last], axes, late_columns)
        else:
            shown = sample.shown_axes(axes[0], late_columns) + shown_axes(last, axes[1:], late_columns)
        sample_seed = None if sample is None else sample.seed
        return Planned(self, axes, late, shown, reader.terms, prompts, random_seed, sample_seed)

    def restored(self, saved: SavedPlan) -> Planned:
        """Restore a saved plan. Its cells are checked again, as this may be a different server.

        Raises:
            PlanError: the plan sets inputs that the workflow does not have on this server.
        """
        chosen = _Chosen()
        reader = CellReader(None)
        axes = []
        for one in saved.axes:
            columns = [self._saved_column(column, chosen) for column in one.columns]
            draft = Draft(
                tuple(columns), tuple([None if raw is UNSET else raw for raw in cells] for cells in one.cells)
            )
            draft.table = Table({}, len(draft), dict.fromkeys(one.problems, ""))
            axis = reader.read(draft)
            axis.problems |= {entry: [*those] for entry, those in one.problems.items()}
            axes.append(axis)
        _raise_if(chosen.problems, chosen.hints)
        return Planned(
            self,
            axes,
            saved.late,
            saved.shown_axes,
            reader.terms,
            DynamicPrompts(lines=saved.wildcards),
            saved.random_seed,
            saved.sample_seed,
        )

    def _saved_column(self, saved: SavedColumn, chosen: _Chosen) -> Column:
        try:
            inputs = [self._inputs[place] for place in saved.places]
        except InputNotFoundError as error:
            chosen.is_unknown(saved.name, error)
            return Column(saved.name)
        column = self._column_of(saved.name, inputs, chosen, override=True) if inputs else None
        return column or Column(saved.name)

    # Columns

    def _drafts(self, what: Any, options: PlanOptions, chosen: _Chosen) -> list[Draft]:
        try:
            if isinstance(what, Path):
                what = read_rows(what)
            if isinstance(what, Table):
                return [self._draft_of_table(what, options, chosen)]
            drafts = [
                draft
                for key, values in what.items()
                if (draft := self._draft(key, values, options, chosen)) is not None
            ]
            return [zipped(drafts)] if drafts and options.combine == "zip" else drafts
        except SourceError as error:
            raise _plan_error([*chosen.problems, CellProblem(None, "", str(error))], chosen.hints) from None

    def _draft_of_table(self, table: Table, options: PlanOptions, chosen: _Chosen) -> Draft:
        if not table.length:
            raise SourceError(f"the file {table.source!r} has no rows" if table.source else "there are no rows")
        if not table.columns:
            # None of the lines of the file is a JSON object.
            chosen.problems += (CellProblem(row, "", why) for row, why in table.problems.items())
            raise SourceError("the rows have no columns")
        # Rows taken from an earlier batch have a seed column even if another of their columns set the seed.
        seed = table.columns.get(SEED)
        names = [name for name in table.columns if name != SEED]
        columns = [self._column(name, options, chosen) or Column(str(name)) for name in names]
        cells = [table.columns[name] for name in names]
        if seed is not None:
            inputs = seed_inputs(self._current, self._fields, self._inputs)
            setters = {chosen.by_place.get((one.node_id, one.field_name)) for one in inputs}
            if len(setters) == 1 and (setter := setters.pop()) in columns:
                chosen.problems += _contradictions(setter.name, cells[columns.index(setter)], seed)
            else:
                columns.append(self._column(SEED, options, chosen) or Column(SEED))
                cells.append(seed)
        return Draft(tuple(columns), tuple(cells), table)

    def _draft(self, key: Any, values: Any, options: PlanOptions, chosen: _Chosen) -> Draft | None:
        """Return the axis for one key of a mapping; None if it cannot be used, with the reason in `chosen.problems`."""
        if isinstance(values, Replacement):
            return self._replacement(key, values, chosen)
        try:
            members = self._members(key)
        except InputNotFoundError as error:
            chosen.is_unknown(_key_name(key), error)
            return None
        columns = [self._column(member, options, chosen) for member in ([key] if members is None else members)]
        known = [column for column in columns if column is not None]
        if len(known) < len(columns):
            return None
        try:
            return draft_of(known[0], values) if members is None else draft_of_group(known, values)
        except SourceError as error:
            why = f"its values cannot be used: {error}"
            chosen.problems.append(CellProblem(None, ", ".join(column.name for column in known), why))
            return None

    def _members(self, key: Any) -> Sequence[Any] | None:
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
        is_place, missing = self._names(key), [part for part in key if not self._names(part)]
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

    def _names(self, key: Any) -> bool:
        try:
            self._find(key)
        except InputNotFoundError:
            return False
        return True

    def _find(self, key: Any) -> WorkflowInput:
        """Return the input that a key names. A string may also be "node.field" or an index, as in a file of rows."""
        try:
            found: WorkflowInput = self._inputs[key]
            return found
        except InputNotFoundError:
            if isinstance(key, str):
                node, dot, name = key.rpartition(".")
                other: Any = (node, name) if dot else int(key) if key.isdecimal() and len(key) < 7 else None
                if other is not None and self._names(other):
                    return self._find(other)
            raise

    def _column(self, key: Any, options: PlanOptions, chosen: _Chosen) -> Column | None:
        """Return the column for one key; None if it cannot be used, with the reason in `chosen.problems`."""
        if isinstance(key, str) and key.startswith(NOTE):
            return Column(key)
        try:
            seeds = seed_inputs(self._current, self._fields, self._inputs) if key == SEED else []
            inputs = seeds or [self._find(key)]
        except InputNotFoundError as error:
            chosen.is_unknown(_key_name(key), error)
            return None
        name = SEED if seeds else self._name(key, inputs[0])
        return self._column_of(name, inputs, chosen, override=bool(seeds) or options.override_edge)

    def _column_of(
        self, name: str, inputs: Sequence[WorkflowInput], chosen: _Chosen, *, override: bool
    ) -> Column | None:
        places = [(one.node_id, one.field_name) for one in inputs]
        taken = next((chosen.by_place[place] for place in places if place in chosen.by_place), None)
        if taken is not None:
            chosen.problems.append(CellProblem(None, name, f"another column sets the same input: {taken.name!r}"))
            return None
        has_edges = any(self._fields.into(*place) for place in places)
        if has_edges and not override:
            edge = next(edges[0] for place in places if (edges := self._fields.into(*place)))
            why = f"{self._fields.source_of(edge)} feeds this input, so its own value would be ignored"
            hint = "pass override_edge=True to use the values instead"
            chosen.problems.append(CellProblem(None, name, f"{why}; {hint}"))
            return None
        column = column_of(name, [one.field for one in inputs], self._current, self._templates, has_edges=has_edges)
        chosen.by_place.update(dict.fromkeys(places, column))
        if has_edges:
            for place in places:
                self._fields.override(*place, removed=True)
        return column

    def _name(self, key: Any, one: WorkflowInput) -> str:
        """Return the name of a column: one that finds the same input when it is read from a file of rows."""
        if isinstance(key, str):
            return one.label if key.strip().casefold() == one.label.casefold() else key
        label = one.label
        is_plain = label and label != SEED and not label.startswith(NOTE) and not isinstance(key, tuple)
        if is_plain and self._names(label) and self._find(label).field is one.field:
            return label
        return f"{one.node_id}.{one.field_name}"

    def _batch_nodes(self) -> Iterator[CellProblem]:
        """Report batch nodes: they would turn one row into several queue items that cannot be told apart."""
        for node in self._current.all_nodes:
            if node.kind == "invocation" and node.type in LIST_INPUTS and not self._fields.is_cut_off(node.id):
                fed = ", ".join(
                    f"({edge.target!r}, {edge.target_field!r})" for edge in self._fields.edges if edge.source == node.id
                )
                why = (
                    f"the batch node {node.label or node.type!r} would make several runs of each row; use a column for "
                    f"the input that it feeds ({fed or 'none'}) instead, with override_edge=True"
                )
                yield CellProblem(None, "", why)

    # Seeds and replaced texts

    def _seed_inputs(self, options: PlanOptions) -> Sequence[WorkflowInput]:
        if options.seeds is None:
            return ()
        try:
            return require_seed_inputs(self._current, self._fields, self._inputs)
        except InputNotFoundError as error:
            raise _plan_error([CellProblem(None, SEED, str(error).removesuffix("."))]) from None

    def _seed_draft(self, inputs: Sequence[WorkflowInput], seeds: Any, chosen: _Chosen) -> Draft:
        column = self._column_of(SEED, inputs, chosen, override=True) or Column(SEED)
        if isinstance(seeds, str) and seeds == "random":
            return Draft((column,), ((seed_bounds(column)[0],),), is_shown=False)
        count = whole(seeds)
        if count is not None and 0 < count <= MOST_COMBINATIONS:
            return Draft((column,), (range(count),))
        if isinstance(seeds, Iterable) and not isinstance(seeds, str | bytes | Mapping):
            cells = seeds if isinstance(seeds, range) else [*seeds]
            if len(cells):
                return Draft((column,), (cells,))
        raise unusable("seeds", seeds, "an integer of at least 1, a list of integers, or 'random'")

    def _replacement(self, key: Any, values: Replacement, chosen: _Chosen) -> Draft | None:
        name = NOTE + _key_name(key).removeprefix(NOTE)
        if not values.old or not values.new or not all(isinstance(one, str) for one in (values.old, *values.new)):
            chosen.problems.append(CellProblem(None, name, "a replacement needs a string to replace and new strings"))
            return None
        source = Column(name)
        chosen.replaced.append(_Replaced(values.column, source, values.old))
        return Draft((source,), (values.new,))

    def _add_replaced(self, drafts: list[Draft], chosen: _Chosen) -> None:
        """Find the columns in which text is replaced. For an input that no column sets, add one with its own value."""
        for replaced in chosen.replaced:
            try:
                one = self._find(replaced.key)
            except InputNotFoundError as error:
                chosen.is_unknown(replaced.source.name, error)
                continue
            column = chosen.by_place.get((one.node_id, one.field_name))
            if column is None:
                column = self._column_of(self._name(replaced.key, one), [one], chosen, override=False)
                if column is None:
                    continue
                value = None if one.field.raw is UNSET else one.field.raw
                drafts.append(Draft((column,), ((value,),), is_shown=False))
            if not column.is_text:
                why = f"{column.name!r} is not a text input, so nothing can be replaced in it"
                chosen.problems.append(CellProblem(None, replaced.source.name, why))
            replaced.target = column

    # The workflow

    def workflow(self, axes: Sequence[PlanAxis], terms: Terms, called: CalledWorkflows) -> PlannedWorkflow:
        """Return the workflow of a plan with these axes.

        Args:
            axes: the axes.
            terms: computes the hashes of values.
            called: the saved workflows that it calls.
        """
        columns = [column for axis in axes for column in axis.columns]
        numbers = {place: number for number, column in enumerate(columns) for place in column.places}
        edges = self._fields.edges
        fed = {(edge.target, edge.target_field) for edge in edges}
        nodes = [node for node in self._current.all_nodes if node.kind == "invocation"]
        structure = sum(part_term("node", node.id, node.type, node.version, node.is_intermediate) for node in nodes)
        structure += sum(part_term("edge", *_ends(edge)) for edge in self._current.edges)
        base = structure + sum(part_term("edge used", *_ends(edge)) for edge in edges)
        base += sum(_called_term(one.definition) for one in called.values() if one.definition is not None)
        models: set[str] = set()
        added = self._fields.added()
        for node in nodes:
            given = self._fields.inputs_of(node)
            for name in (*given, *added.get(id(node), ())):
                place = (node.id, name)
                raw = self._fields.value_of(node.id, name, given.get(name, {}))
                if place not in numbers and place not in fed and raw is not UNSET:
                    base += terms.of_places([place], raw)
                    made = self._fields.get(*place)
                    if made is not None and made.template.type.name == "ModelIdentifierField":
                        models.add(model_name(raw))
        seeds = [
            (numbers.get(place, -1), None if place in fed else one.field.raw)
            for one in seed_inputs(self._current, self._fields, self._inputs)
            for place in [(one.node_id, one.field_name)]
        ]
        return PlannedWorkflow(
            self._definition,
            self._saved,
            self._fields,
            f"{structure % 2**256:064x}"[:32],
            base,
            seeds,
            frozenset(filter(None, models)),
        )

    def base_models(self) -> list[ModelReference]:
        """Return the models that the workflow refers to by name, which only the server can resolve."""
        found = (reference for one in self._fields.made() for reference in references_in(one.raw))
        return [*dict.fromkeys(one for one in found if isinstance(one, ModelReference))]


class Planned:
    """A plan whose cells are checked, except for names that only the server can resolve."""

    def __init__(
        self,
        planner: Planner,
        axes: Sequence[PlanAxis],
        late: Sequence[Late],
        shown_axes: Sequence[Axis],
        terms: Terms,
        prompts: DynamicPrompts,
        random_seed: int | None,
        sample_seed: int | None,
    ) -> None:
        self.planner = planner
        self.axes = axes
        self._late = late
        self._shown_axes = shown_axes
        self._terms = terms
        self._prompts = prompts
        self._random_seed = random_seed
        self._sample_seed = sample_seed

    @property
    def kinds(self) -> set[str]:
        """The kinds of names that only the server can resolve: `model`, `board`, `image`."""
        found = {kind for column in self._referring for kind in _kinds_of(column)}
        return found | ({"model"} if self.planner.base_models() else set())

    @property
    def image_names(self) -> set[str]:
        """The names of images on the server that occur in cells."""
        return {
            one["image_name"]
            for axis in self.axes
            for column, cells in zip(axis.columns, axis.cells, strict=True)
            if column.type_name == "ImageField"
            for raw in cells
            for one in (raw if isinstance(raw, list) else [raw])
            if isinstance(one, Mapping)
        }

    @property
    def _referring(self) -> list[Column]:
        return [column for axis in self.axes for column in axis.columns if column.may_refer]

    def finished(self, server: ServerNames, on_bad_row: OnBadRow) -> PlanData:
        """Return the plan.

        Args:
            server: the models, boards and images of the server.
            on_bad_row: `raise` rejects a plan with bad cells; `skip` keeps their rows as invalid.

        Raises:
            PlanError: there are bad cells; the error lists all of them.
        """
        for axis in self.axes:
            for column, cells in zip(axis.columns, axis.cells, strict=True):
                if column.may_refer:
                    _resolve(axis, column, cells, server)
        hashes: dict[LocalImage | ModelReference, str] = {}
        for reference in self.planner.base_models():
            try:
                hashes[reference] = find_model(reference, server.models)["hash"]
            except Unresolved:
                # The submission reports the problem.
                continue
        self._terms.add_hashes(hashes)
        plan = PlanData(
            self.planner.workflow(self.axes, self._terms, server.called),
            self.axes,
            self._late,
            self._shown_axes,
            self._terms,
            prompts=self._prompts,
            random_seed=self._random_seed,
            sample_seed=self._sample_seed,
            skips_bad_rows=on_bad_row == "skip",
        )
        if on_bad_row == "raise":
            _raise_if([*self._bad_cells(plan)])
        return plan

    def _bad_cells(self, plan: PlanData) -> Iterator[CellProblem]:
        """Yield the problems of each bad cell, a cell that a product repeats once, for the first row that has it."""
        if self._late and len(plan) <= MOST_ROWS:
            yield from (problem for row in plan for problem in row.problems)
            return
        stride = len(plan)
        for axis in self.axes:
            stride //= len(axis)
            for entry, those in sorted(axis.problems.items()):
                yield from (CellProblem(entry * stride, name, why) for name, why in those)


def _resolve(axis: PlanAxis, column: Column, cells: Sequence[Any], server: ServerNames) -> None:
    assert isinstance(cells, list), "cells that were checked"
    for entry, raw in enumerate(cells):
        bad = [name for name, _ in axis.problems.get(entry, ())]
        if column.name not in bad and "" not in bad:
            try:
                cells[entry] = server.resolved(raw)
            except CellError as error:
                axis.problems.setdefault(entry, []).append((column.name, str(error)))


def _kinds_of(column: Column) -> Iterator[str]:
    if column.is_model or column.type_name == "LoRAField":
        yield "model"
    elif column.type_name in ("BoardField", "ImageField"):
        yield column.type_name.removesuffix("Field").lower()


def _late_of(
    axes: Sequence[PlanAxis], chosen: _Chosen, dynamic: Collection[Column], options: PlanOptions
) -> list[Late]:
    """Return what is computed for each row: text is replaced first, then prompts are drawn, then the seed."""
    columns = [column for axis in axes for column in axis.columns]
    late = [
        Late("replace", columns.index(one.target), columns.index(one.source), one.old)
        for one in chosen.replaced
        if one.target is not None
    ]
    replaced = {one.target for one in late} if options.expand == "random" else set()
    late += [Late("draw", number) for number, column in enumerate(columns) if column in dynamic or number in replaced]
    if isinstance(options.seeds, str):
        late.append(Late("seed", len(columns) - 1))
    return late


def _too_many(drafts: Iterable[Draft]) -> Iterator[CellProblem]:
    """Yield a problem for each axis with more than `MOST_ROWS` values."""
    for draft in drafts:
        if len(draft) > MOST_ROWS:
            name = draft.columns[0].name
            what = "pass seeds=[7] for the seed 7" if name == SEED else "take a sample: wf.plan(..., sample=1000)"
            yield CellProblem(None, name, f"it has {len(draft):,} values, more than {MOST_ROWS:,} rows; {what}")


def _contradictions(name: str, cells: Sequence[Any], seeds: Sequence[Any]) -> Iterator[CellProblem]:
    """Yield the rows whose seed differs from the value that another column sets the same input to."""
    for row, (cell, seed) in enumerate(zip(cells, seeds, strict=True)):
        if seed not in (None, "", ABSENT) and str(seed).strip() != str(cell).strip():
            yield CellProblem(
                row, SEED, f"it is {shortened(seed)}, and {name!r} sets the same input to {shortened(cell)}"
            )


def _raise_if(problems: Sequence[CellProblem], hints: Sequence[str] = ()) -> None:
    if problems:
        raise _plan_error(problems, hints)


def _plan_error(problems: Sequence[CellProblem], hints: Sequence[str] = ()) -> PlanError:
    told = "; ".join(map(str, problems[:_MOST_TOLD]))
    more = f"; and {len(problems) - _MOST_TOLD:,} more" if len(problems) > _MOST_TOLD else ""
    if all(one.row is not None for one in problems):
        hints = ["Correct them, or pass on_bad_row='skip' to leave out their rows."]
    return PlanError(
        f"The plan cannot run: {told}{more}.",
        problems=tuple((one.row, one.column, one.why) for one in problems),
        hint=" ".join(dict.fromkeys(filter(None, hints))),
    )


def _key_name(key: Any) -> str:
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _called_term(definition: WorkflowDefinition) -> int:
    """Return the term of a called workflow: its nodes with their values, and its edges."""
    nodes = [
        [node.id, node.type, node.version, {name: given.get("value") for name, given in node.inputs.items()}]
        for node in definition.all_nodes
        if node.kind == "invocation"
    ]
    return part_term("called", sorted(nodes, key=lambda node: str(node[0])), sorted(map(_ends, definition.edges)))


def _ends(edge: Edge) -> tuple[str, str, str, str]:
    return edge.source, edge.source_field, edge.target, edge.target_field
