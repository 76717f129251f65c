"""Turns the rows of a plan into bodies of `enqueue_batch`: the graph of a group once, and what differs as batch data.

The graph is what the web UI would send for the values of one row. The server then sets the items of batch data in it
for each row, so that each row runs what the web UI would send for its values. The server can do that for texts, numbers
and images in fields of the graph's nodes; whatever else a row sets is part of the graph.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

from invokeai_py_client.batch.cells import Place
from invokeai_py_client.batch.plan_data import PlanData, PlanGroup
from invokeai_py_client.batch.rows import PlannedRow, RowGroup, RowsBody
from invokeai_py_client.catalog import Catalog
from invokeai_py_client.enqueue_body import Composer
from invokeai_py_client.errors import RejectedError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.readiness import check_ready
from invokeai_py_client.workflow.references import LocalImage, Unresolved
from invokeai_py_client.workflow.templates import NodeTemplates

_MOST_CHECKED = 1000
"""How many groups are checked before anything is sent; those after them when their turn comes."""

_UPLOADS = 8
"""How many images are uploaded at once."""


class RowBodies:
    """Makes the submissions of one plan. All coroutines run on the engine.

    Args:
        plan: the plan.
        composer: composes bodies from the plan's values.
        catalog: uploads images.
        definition: the document that the composer composes.
        templates: the server's node templates.
    """

    def __init__(
        self,
        plan: PlanData,
        composer: Composer,
        catalog: Catalog,
        definition: WorkflowDefinition,
        templates: NodeTemplates,
    ) -> None:
        self._plan = plan
        self._composer = composer
        self._catalog = catalog
        self._definition = definition
        self._templates = templates

    async def check(self) -> None:
        """Check the graphs of the plan, before anything is sent. Nothing is uploaded.

        Raises:
            InputsNotReadyError: the workflow could not run; as `AsyncWorkflowHandle.submit`.
            InvokeAIError: as any request.
        """
        for values in await asyncio.to_thread(self._graph_values):
            problems = await self._composer.snapshot(values).problems()
            check_ready(problems, definition=self._definition, templates=self._templates)

    async def problems(self, index: int) -> list[str]:
        """Find what keeps a row from running on this server, apart from what can be set for each item.

        Raises:
            InvokeAIError: as any request.
        """
        group = PlanGroup(self._plan, [index])
        columns = {column.name: column for column in self._plan.cell_columns}
        bad = [
            one
            for one in self._plan.row(index).problems
            if one.column not in columns or not columns[one.column].is_item
        ]
        if bad:
            return [*map(str, bad)]
        return [*map(str, await self._composer.snapshot(group.set_values()).problems())]

    def _graph_values(self) -> list[Mapping[Place, Any]]:
        return [group.set_values() for group in islice(self._plan.groups(), _MOST_CHECKED)]

    async def prepare(self, group: RowGroup) -> PreparedGroup:
        """Return what makes the submissions of one group."""
        assert isinstance(group, PlanGroup), "a group of this plan"
        return PreparedGroup(self._plan, group, self._composer, self._catalog)


class PreparedGroup:
    """Makes the submissions of one group. Its graph is composed when the first rows are."""

    def __init__(self, plan: PlanData, group: PlanGroup, composer: Composer, catalog: Catalog) -> None:
        self._plan = plan
        self._group = group
        self._composer = composer
        self._catalog = catalog
        self._body: dict[str, Any] | None = None
        self._items = group.item_columns()

    async def body(self, rows: Sequence[PlannedRow]) -> RowsBody:
        """Make the body that runs some rows of the group; uploads their images.

        Raises:
            InputsNotReadyError: the graph could not run; as `AsyncWorkflowHandle.submit`.
            InvokeAIError: as any request. Nothing was enqueued.
        """
        raws = [[*self._plan.raws(row.index)] for row in rows]
        names, failed = await self._upload(raws)
        runs: list[tuple[PlannedRow, Sequence[Any]]] = []
        refused: list[tuple[PlannedRow, str]] = []
        for row, cells in zip(rows, raws, strict=True):
            images = {number: cells[number] for number in self._items.values() if isinstance(cells[number], LocalImage)}
            gone = next((image for image in images.values() if image in failed), None)
            if gone is not None:
                refused.append((row, f"{gone}: {failed[gone]}"))
                continue
            for number, image in images.items():
                cells[number] = names[image]
            runs.append((row, cells))
        if not runs:
            return RowsBody({}, (), tuple(refused))
        if self._body is None:
            self._body = await self._compose(runs[0][1])
        data = [
            {"node_path": node_id, "field_name": name, "items": [cells[number] for _, cells in runs]}
            for (node_id, name), number in self._items.items()
        ]
        # Rows without batch data all run the same graph.
        parts = {"data": [data], "runs": 1} if data else {"data": [], "runs": len(runs)}
        body = {**self._body, "batch": {**self._body["batch"], **parts}}
        return RowsBody(body, tuple(row for row, _ in runs), tuple(refused))

    async def _upload(
        self, raws: Sequence[Sequence[Any]]
    ) -> tuple[Mapping[LocalImage, Mapping[str, str]], Mapping[LocalImage, str]]:
        """Upload the images of rows; return what they are called, and those that cannot be uploaded with the reason."""
        images = {cells[n]: None for cells in raws for n in self._items.values() if isinstance(cells[n], LocalImage)}
        uploaded: dict[LocalImage, Mapping[str, str]] = {}
        failed: dict[LocalImage, str] = {}
        waiting = iter(images)

        async def work() -> None:
            for image in waiting:
                try:
                    uploaded[image] = await self._catalog.answer(image)
                except (Unresolved, RejectedError) as error:
                    # Its rows fail: the file is gone, or the server finds no image in it.
                    failed[image] = str(error)

        tasks = [asyncio.create_task(work()) for _ in range(min(_UPLOADS, len(images)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return uploaded, failed

    async def _compose(self, cells: Sequence[Any]) -> dict[str, Any]:
        values = self._plan.set_values(cells)
        # The stored workflow is the same whichever rows are sent together: an image must not depend on it.
        kept = {place: raw for place, raw in values.items() if place not in self._items}
        stored = _with(self._plan.base.saved, kept, self._items)
        return await self._composer.snapshot(values).compose(check=True, stored=stored)


def _with(fields: WorkflowFields, values: Mapping[Place, Any], items: Collection[Place]) -> WorkflowFields:
    """Return fields with other values; images of this machine in place of which rows have others are left out."""
    changed = fields.snapshot()
    for place, value in values.items():
        field = changed.get(*place)
        assert field is not None, "the place is that of a column"
        field.set(value, override_edge=True)
    for place in items:
        field = changed.get(*place)
        if field is not None and isinstance(field.raw, LocalImage):
            field.restore((UNSET, changed.is_overridden(*place)))
    return changed
