"""Turns the rows of a plan into bodies of `enqueue_batch`: one graph for a group, and the differences as batch data.

The graph is the one that the web UI would send for the values of one row. For each row, the server replaces values in
it by the items of the batch data, so each row runs the graph that the web UI would send for its values. The server can
replace strings, numbers and images in fields of the graph's nodes. All other values are part of the graph.
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
"""How many groups are checked before anything is sent. Later groups are checked before they are sent."""

_UPLOADS = 8
"""The maximum number of concurrent image uploads."""


class RowBodies:
    """Makes the request bodies of one plan. All coroutines run on the engine.

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
        """Check the graphs of the plan before anything is sent. Does not upload images.

        Raises:
            InputsNotReadyError: the workflow cannot run; as for `AsyncWorkflowHandle.submit`.
            InvokeAIError: a request failed.
        """
        for values in await asyncio.to_thread(self._graph_values):
            problems = await self._composer.snapshot(values).problems()
            check_ready(problems, definition=self._definition, templates=self._templates)

    async def problems(self, index: int) -> list[str]:
        """Find the reasons why a row cannot run on this server, except for values that the server sets for each item.

        Raises:
            InvokeAIError: a request failed.
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
        """Return the object that makes the request bodies of one group."""
        assert isinstance(group, PlanGroup), "a group of this plan"
        return PreparedGroup(self._plan, group, self._composer, self._catalog)


class PreparedGroup:
    """Makes the request bodies of one group. The graph is built with the first body."""

    def __init__(self, plan: PlanData, group: PlanGroup, composer: Composer, catalog: Catalog) -> None:
        self._plan = plan
        self._group = group
        self._composer = composer
        self._catalog = catalog
        self._body: dict[str, Any] | None = None
        self._items = group.item_columns()

    async def body(self, rows: Sequence[PlannedRow]) -> RowsBody:
        """Upload the images of some rows of the group, and make the body that runs these rows.

        Raises:
            InputsNotReadyError: the graph cannot run; as for `AsyncWorkflowHandle.submit`.
            InvokeAIError: a request failed. Nothing was enqueued.
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
        # Without batch data, all rows run the same graph.
        parts = {"data": [data], "runs": 1} if data else {"data": [], "runs": len(runs)}
        body = {**self._body, "batch": {**self._body["batch"], **parts}}
        return RowsBody(body, tuple(row for row, _ in runs), tuple(refused))

    async def _upload(
        self, raws: Sequence[Sequence[Any]]
    ) -> tuple[Mapping[LocalImage, Mapping[str, str]], Mapping[LocalImage, str]]:
        """Upload the images of rows. Return the uploaded ones, and the reason for each that cannot be uploaded."""
        images = {cells[n]: None for cells in raws for n in self._items.values() if isinstance(cells[n], LocalImage)}
        uploaded: dict[LocalImage, Mapping[str, str]] = {}
        failed: dict[LocalImage, str] = {}
        waiting = iter(images)

        async def work() -> None:
            for image in waiting:
                try:
                    uploaded[image] = await self._catalog.resolve(image)
                except (Unresolved, RejectedError) as error:
                    # The file is gone, or is not an image. Only the rows with this image fail.
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
        # Images must not depend on which rows are sent together, so the stored workflow is without the rows' values.
        kept = {place: raw for place, raw in values.items() if place not in self._items}
        stored = _with(self._plan.base.saved, kept, self._items)
        return await self._composer.snapshot(values).compose(check=True, stored=stored)


def _with(fields: WorkflowFields, values: Mapping[Place, Any], items: Collection[Place]) -> WorkflowFields:
    """Return a copy of fields with other values, and without local images in the inputs `items`, which rows set."""
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
