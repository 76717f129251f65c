"""A plan whose cells are checked, except for names that only the server can resolve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.batch.base_workflow import BaseWorkflow
from invokeai_py_client.batch.cells import CellError, Column, Terms
from invokeai_py_client.batch.dynamic_prompts import DynamicPrompts
from invokeai_py_client.batch.plan_data import PlanData
from invokeai_py_client.batch.plan_options import OnBadRow
from invokeai_py_client.batch.row_values import MOST_ROWS, Late, PlanAxis
from invokeai_py_client.batch.rows import Axis, CellProblem
from invokeai_py_client.batch.server_names import ServerNames
from invokeai_py_client.errors import PlanError
from invokeai_py_client.workflow.references import LocalImage, ModelReference, Unresolved, find_model

_MOST_TOLD = 20
"""How many bad cells a message lists."""


@dataclass(slots=True, eq=False)
class Planned:
    """A plan whose cells are checked, except for names that only the server can resolve."""

    _workflow: BaseWorkflow
    _axes: Sequence[PlanAxis]
    _late: Sequence[Late]
    _shown_axes: Sequence[Axis]
    _terms: Terms
    _prompts: DynamicPrompts
    _random_seed: int | None
    _sample_seed: int | None

    @property
    def kinds(self) -> set[str]:
        """The kinds of names that only the server can resolve: `model`, `board`, `image`."""
        found = {kind for axis in self._axes for column in axis.columns for kind in _kinds_of(column)}
        return found | ({"model"} if self._workflow.models() else set())

    @property
    def image_names(self) -> set[str]:
        """The names of images on the server that occur in cells."""
        return {
            one["image_name"]
            for axis in self._axes
            for column, cells in zip(axis.columns, axis.cells, strict=True)
            if column.type_name == "ImageField"
            for raw in cells
            for one in (raw if isinstance(raw, list) else [raw])
            if isinstance(one, Mapping)
        }

    def finished(self, server: ServerNames, on_bad_row: OnBadRow) -> PlanData:
        """Return the plan.

        Args:
            server: the models, boards and images of the server.
            on_bad_row: `raise` rejects a plan with bad cells; `skip` keeps their rows as invalid.

        Raises:
            PlanError: there are bad cells; the error lists all of them.
        """
        for axis in self._axes:
            for column, cells in zip(axis.columns, axis.cells, strict=True):
                if column.may_refer:
                    _resolve(axis, column, cells, server)
        hashes: dict[LocalImage | ModelReference, str] = {}
        for reference in self._workflow.models():
            try:
                hashes[reference] = find_model(reference, server.models)["hash"]
            except Unresolved:
                # The submission reports the problem.
                continue
        self._terms.add_hashes(hashes)
        plan = PlanData(
            self._workflow.planned(self._axes, self._terms, server.called),
            self._axes,
            self._late,
            self._shown_axes,
            self._terms,
            prompts=self._prompts,
            random_seed=self._random_seed,
            sample_seed=self._sample_seed,
            skips_bad_rows=on_bad_row == "skip",
        )
        if on_bad_row == "raise":
            raise_if([*self._bad_cells(plan)])
        return plan

    def _bad_cells(self, plan: PlanData) -> Iterator[CellProblem]:
        """Yield the problems of each bad cell, a cell that a product repeats once, for the first row that has it."""
        if self._late and len(plan) <= MOST_ROWS:
            yield from (problem for row in plan for problem in row.problems)
            return
        stride = len(plan)
        for axis in self._axes:
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


def raise_if(problems: Sequence[CellProblem], hints: Sequence[str] = ()) -> None:
    """Raise a `PlanError` with problems, if there are any."""
    if problems:
        raise plan_error(problems, hints)


def plan_error(problems: Sequence[CellProblem], hints: Sequence[str] = ()) -> PlanError:
    """Return the error for a plan with problems."""
    told = "; ".join(map(str, problems[:_MOST_TOLD]))
    more = f"; and {len(problems) - _MOST_TOLD:,} more" if len(problems) > _MOST_TOLD else ""
    if all(one.row is not None for one in problems):
        hints = ["Correct them, or pass on_bad_row='skip' to leave out their rows."]
    return PlanError(
        f"The plan cannot run: {told}{more}.",
        problems=tuple((one.row, one.column, one.why) for one in problems),
        hint=" ".join(dict.fromkeys(filter(None, hints))),
    )
