"""Makes plans: turns columns, seeds and replacements into axes, and checks every cell. No I/O except for files."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.base_workflow import BaseWorkflow
from invokeai_py_client.batch.cells import NOTE, Column
from invokeai_py_client.batch.columns import SEED, Columns, key_name
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
from invokeai_py_client.batch.plan_file import SavedColumn, SavedPlan
from invokeai_py_client.batch.plan_options import PlanOptions
from invokeai_py_client.batch.planned import Planned, plan_error, raise_if
from invokeai_py_client.batch.row_values import MOST_COMBINATIONS, MOST_ROWS, Late, PlanAxis, seed_bounds
from invokeai_py_client.batch.rows import CellProblem
from invokeai_py_client.batch.sources import ABSENT, Replacement, SourceError, Table, read_rows
from invokeai_py_client.errors import InputNotFoundError
from invokeai_py_client.option_checks import unusable, whole
from invokeai_py_client.workflow.batching import LIST_INPUTS
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET, shortened
from invokeai_py_client.workflow.inputs import WorkflowInput
from invokeai_py_client.workflow.seeds import require_seed_inputs
from invokeai_py_client.workflow.templates import NodeTemplates


@dataclass(slots=True)
class _Replaced:
    """A replacement: the key of the column with the text, the column with the new text, and the text to replace."""

    key: Any
    source: Column
    old: str
    target: Column | None = None


class Planner:
    """Makes one plan of a workflow.

    Args:
        definition: the document as its author saved it.
        current: the document, with its calls of other workflows updated.
        templates: the server's node templates.
        fields: the values; the edges that columns replace are removed from them.
    """

    def __init__(
        self,
        definition: WorkflowDefinition,
        current: WorkflowDefinition,
        templates: NodeTemplates,
        fields: WorkflowFields,
    ) -> None:
        self._workflow = BaseWorkflow(definition, current, templates, fields)
        self._replaced: list[_Replaced] = []

    def plan(self, what: Any, options: PlanOptions) -> Planned:
        """Make a plan.

        Args:
            what: the result of `sources.taken`.
            options: the options of `wf.plan`.

        Raises:
            PlanError: columns or rows cannot be used. Bad cells are reported by `Planned.finished`.
        """
        seeds = self._seed_inputs(options)
        columns = Columns(self._workflow, override_edge=options.override_edge)
        drafts = self._drafts(what, options, columns)
        drafts += self._replaced_inputs(columns)
        last = [_seed_draft(seeds, options.seeds, columns)] if seeds else []
        columns.problems += self._batch_nodes()
        raise_if(columns.problems, columns.hints)
        prompts = DynamicPrompts(options.wildcards)
        if options.expand == "all":
            drafts = [expanded(draft, prompts) for draft in drafts]
        if math.prod(map(len, (*drafts, *last))) > MOST_COMBINATIONS:
            raise plan_error([CellProblem(None, "", f"it has more than {MOST_COMBINATIONS:,} combinations")])
        sample = Sample.of(drafts, options.sample, options.sample_seed) if options.sample and drafts else None
        taken = drafts if sample is None else [sample.draft]
        raise_if([*_too_many([*taken, *last])])
        reader = CellReader(prompts if options.expand == "random" else None)
        axes = [reader.read(draft) for draft in (*taken, *last)]
        late = self._late_of(axes, reader.dynamic, options)
        random_seed = options.random_seed
        if random_seed is None and any(one.kind != "replace" for one in late):
            random_seed = random.randrange(2**32)
        all_columns = [column for axis in axes for column in axis.columns]
        late_columns = {all_columns[one.target] for one in late}
        if sample is None:
            shown = shown_axes([*drafts, *last], axes, late_columns)
        else:
            shown = sample.shown_axes(axes[0], late_columns) + shown_axes(last, axes[1:], late_columns)
        sample_seed = None if sample is None else sample.seed
        return Planned(self._workflow, axes, late, shown, reader.terms, prompts, random_seed, sample_seed)

    def restored(self, saved: SavedPlan) -> Planned:
        """Restore a saved plan. Its cells are checked again, as this may be a different server.

        Raises:
            PlanError: the plan sets inputs that the workflow does not have on this server.
        """
        columns = Columns(self._workflow, override_edge=True)
        reader = CellReader(None)
        axes = []
        for one in saved.axes:
            draft = Draft(
                tuple(_saved_column(column, columns) for column in one.columns),
                tuple([None if raw is UNSET else raw for raw in cells] for cells in one.cells),
            )
            draft.table = Table({}, len(draft), dict.fromkeys(one.problems, ""))
            axis = reader.read(draft)
            axis.problems |= {entry: [*those] for entry, those in one.problems.items()}
            axes.append(axis)
        raise_if(columns.problems, columns.hints)
        return Planned(
            self._workflow,
            axes,
            saved.late,
            saved.shown_axes,
            reader.terms,
            DynamicPrompts(lines=saved.wildcards),
            saved.random_seed,
            saved.sample_seed,
        )

    # Columns and rows

    def _drafts(self, what: Any, options: PlanOptions, columns: Columns) -> list[Draft]:
        try:
            if isinstance(what, Path):
                what = read_rows(what)
            if isinstance(what, Table):
                return [self._draft_of_table(what, columns)]
            found = [self._draft(key, values, columns) for key, values in what.items()]
            drafts = [draft for draft in found if draft is not None]
            return [zipped(drafts)] if drafts and options.combine == "zip" else drafts
        except SourceError as error:
            raise plan_error([*columns.problems, CellProblem(None, "", str(error))], columns.hints) from None

    def _draft_of_table(self, table: Table, columns: Columns) -> Draft:
        if not table.length:
            raise SourceError(f"the file {table.source!r} has no rows" if table.source else "there are no rows")
        if not table.columns:
            # None of the lines of the file is a JSON object.
            columns.problems += (CellProblem(row, "", why) for row, why in table.problems.items())
            raise SourceError("the rows have no columns")
        # Rows taken from an earlier batch have a seed column even if another of their columns set the seed.
        seed = table.columns.get(SEED)
        names = [name for name in table.columns if name != SEED]
        found = [columns.column(name) or Column(str(name)) for name in names]
        cells = [table.columns[name] for name in names]
        if seed is not None:
            setters = {columns.setter_of(one) for one in self._workflow.seed_inputs()}
            if len(setters) == 1 and (setter := setters.pop()) in found:
                columns.problems += _contradictions(setter.name, cells[found.index(setter)], seed)
            else:
                found.append(columns.column(SEED) or Column(SEED))
                cells.append(seed)
        return Draft(tuple(found), tuple(cells), table)

    def _draft(self, key: Any, values: Any, columns: Columns) -> Draft | None:
        """Return the axis for one key of a mapping; None if it cannot be used, which is reported."""
        if isinstance(values, Replacement):
            return self._replacement(key, values, columns)
        try:
            members = columns.members(key)
        except InputNotFoundError as error:
            columns.report_unknown(key_name(key), error)
            return None
        found = [columns.column(member) for member in ([key] if members is None else members)]
        known = [column for column in found if column is not None]
        if len(known) < len(found):
            return None
        try:
            return draft_of(known[0], values) if members is None else draft_of_group(known, values)
        except SourceError as error:
            columns.report(", ".join(column.name for column in known), f"its values cannot be used: {error}")
            return None

    def _batch_nodes(self) -> Iterator[CellProblem]:
        """Report batch nodes: they would turn one row into several queue items that cannot be told apart."""
        fields = self._workflow.fields
        for node in self._workflow.current.all_nodes:
            if node.kind == "invocation" and node.type in LIST_INPUTS and not fields.is_cut_off(node.id):
                fed = ", ".join(
                    f"({edge.target!r}, {edge.target_field!r})" for edge in fields.edges if edge.source == node.id
                )
                why = (
                    f"the batch node {node.label or node.type!r} would make several runs of each row; use a column for "
                    f"the input that it feeds ({fed or 'none'}) instead, with override_edge=True"
                )
                yield CellProblem(None, "", why)

    # Seeds

    def _seed_inputs(self, options: PlanOptions) -> Sequence[WorkflowInput]:
        if options.seeds is None:
            return ()
        try:
            return require_seed_inputs(self._workflow.current, self._workflow.fields, self._workflow.inputs)
        except InputNotFoundError as error:
            raise plan_error([CellProblem(None, SEED, str(error).removesuffix("."))]) from None

    # Replaced texts

    def _replacement(self, key: Any, values: Replacement, columns: Columns) -> Draft | None:
        name = NOTE + key_name(key).removeprefix(NOTE)
        if not values.old or not values.new or not all(isinstance(one, str) for one in (values.old, *values.new)):
            columns.report(name, "a replacement needs a string to replace and new strings")
            return None
        source = Column(name)
        self._replaced.append(_Replaced(values.column, source, values.old))
        return Draft((source,), (values.new,))

    def _replaced_inputs(self, columns: Columns) -> Iterator[Draft]:
        """Find the columns in which text is replaced. Yield an axis for an input that no column sets: its own value."""
        for replaced in self._replaced:
            one = columns.find(replaced.key, replaced.source.name)
            if one is None:
                continue
            column = columns.setter_of(one)
            if column is None:
                column = columns.setting(columns.name_of(replaced.key, one), [one], override_edge=False)
                if column is None:
                    continue
                value = None if one.field.raw is UNSET else one.field.raw
                yield Draft((column,), ((value,),), is_shown=False)
            if not column.is_text:
                why = f"{column.name!r} is not a text input, so nothing can be replaced in it"
                columns.report(replaced.source.name, why)
            replaced.target = column

    def _late_of(self, axes: Sequence[PlanAxis], dynamic: Collection[Column], options: PlanOptions) -> list[Late]:
        """Return what is computed for each row: text is replaced first, then prompts are drawn, then the seed."""
        columns = [column for axis in axes for column in axis.columns]
        late = [
            Late("replace", columns.index(one.target), columns.index(one.source), one.old)
            for one in self._replaced
            if one.target is not None
        ]
        replaced = {one.target for one in late} if options.expand == "random" else set()
        late += [
            Late("draw", number) for number, column in enumerate(columns) if column in dynamic or number in replaced
        ]
        if isinstance(options.seeds, str):
            late.append(Late("seed", len(columns) - 1))
        return late


def _saved_column(saved: SavedColumn, columns: Columns) -> Column:
    found = [columns.find(place, saved.name) for place in saved.places]
    inputs = [one for one in found if one is not None]
    return (columns.setting(saved.name, inputs) if inputs else None) or Column(saved.name)


def _seed_draft(inputs: Sequence[WorkflowInput], seeds: Any, columns: Columns) -> Draft:
    column = columns.setting(SEED, inputs, override_edge=True) or Column(SEED)
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
