"""`AsyncPlan`: a plan on one client, and `PlanMaker`, which makes the plans of a workflow handle."""

from __future__ import annotations

import asyncio
import operator
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client.batch.batch_options import WINDOW, BatchOptions, WhichImages
from invokeai_py_client.batch.batch_report import BatchReport
from invokeai_py_client.batch.batch_run import AsyncBatchRun, duration_text
from invokeai_py_client.batch.bodies import RowBodies
from invokeai_py_client.batch.file_names import DEFAULT_TEMPLATE
from invokeai_py_client.batch.folder import batch_folder
from invokeai_py_client.batch.plan_data import PlanData, PlanGroup
from invokeai_py_client.batch.plan_file import SavedPlan, save_plan
from invokeai_py_client.batch.plan_options import OnBadRow, PlanOptions
from invokeai_py_client.batch.planned import Planned
from invokeai_py_client.batch.planner import Planner
from invokeai_py_client.batch.rows import Axis, PlannedRow
from invokeai_py_client.batch.runner import Runner
from invokeai_py_client.batch.server_names import ServerNames
from invokeai_py_client.batch.sources import SourceError, taken
from invokeai_py_client.batch.submission import Backend, OneServer, begin
from invokeai_py_client.catalog import Catalog
from invokeai_py_client.enqueue_body import Composer
from invokeai_py_client.errors import PlanError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.live.priority import Priority, PriorityName
from invokeai_py_client.live.state.progress import NodeDurations
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.report.axes import label_of
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.other_server import OtherServer
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.fields import FieldPlace
from invokeai_py_client.workflow.graph import build_graph
from invokeai_py_client.workflow.named_resources import NamedResource
from invokeai_py_client.workflow.templates import NodeTemplates

if TYPE_CHECKING:
    from invokeai_py_client.notebook.elements import Html

_MOST_ROWS, _MOST_VALUES, _MOST_PROBLEMS, _MOST_LOOKED_AT = 5, 8, 10, 1000
"""Limits of the notebook view: rows, values of an axis and problems that it shows, and rows that it searches."""

_MOST_ESTIMATED = 100
"""How many graphs an estimate measures; the others are assumed to take as long on average."""


class AsyncPlan(FixedAttributes):
    """The rows that a workflow will run, checked but not sent. `Plan` blocks, `AsyncPlan` (`plan.aio`) is awaited.

    Created by `wf.plan(...)`. Later changes of the workflow's inputs do not affect it. Rows are created when they are
    read, so a plan may be large. `print(plan)` shows the number of rows and of model loads, and the estimated duration.

    Example:
        >>> plan = wf.plan({"Positive Prompt": ["a cat", "a dog"], "Steps": [8, 20]}, seeds=4)
        >>> print(plan)
        16 rows, 1 model loaded
        >>> batch = plan.submit(folder="out")
    """

    def __init__(
        self,
        engine: Engine,
        http: HttpTransport,
        tracker: RunTracker,
        data: PlanData,
        bodies: RowBodies,
        seconds: float | None,
    ) -> None:
        self._engine = engine
        self._http = http
        self._tracker = tracker
        self._data = data
        self._bodies = bodies
        self._seconds = seconds

    def __len__(self) -> int:
        """Return the number of rows, invalid ones included."""
        return len(self._data)

    def __iter__(self) -> Iterator[PlannedRow]:
        """Yield the rows in the order of the plan."""
        return iter(self._data)

    def __getitem__(self, index: int) -> PlannedRow:
        """Return a row by its index.

        Raises:
            IndexError: the plan does not have that many rows.
        """
        return self._data.row(range(len(self._data))[operator.index(index)])

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns. Those that begin with `#` are notes, which do not set inputs."""
        return self._data.columns

    @property
    def axes(self) -> Sequence[Axis]:
        """The axes that the plan varies, with their values for display: X first, the seeds last."""
        return self._data.shown_axes

    @property
    def invalid(self) -> int:
        """The number of rows that cannot run. Above 0 only with `on_bad_row="skip"`."""
        return self._data.invalid

    @property
    def random_seed(self) -> int | None:
        """The seed that dynamic prompts and random seeds were drawn with; None if nothing was drawn."""
        return self._data.random_seed

    @property
    def sample_seed(self) -> int | None:
        """The seed that the sample was drawn with; None if the plan is not a sample."""
        return self._data.sample_seed

    @property
    def seconds(self) -> float | None:
        """The estimated duration of all rows on this server, in seconds.

        The estimate is based on how long the nodes took in earlier runs of this client; None if a node was not
        measured.
        """
        return self._seconds

    @on_engine
    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plan to a file, with its workflow. `client.load_plan` reads it, on any machine.

        Local images are stored by path, both absolute and relative to the file. To use the plan on another machine,
        keep the images beside the file.

        Args:
            path: the JSON file. An existing file is replaced.

        Returns:
            The path.

        Raises:
            UnsafePathError: the path has a NUL character.
            OSError: the file cannot be written.
        """
        return await asyncio.to_thread(save_plan, self._data, path)

    @on_engine
    async def submit(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        images: WhichImages = "outputs",
        file_name: str = DEFAULT_TEMPLATE,
        window: int = WINDOW,
        priority: Priority | PriorityName | None = Priority.NORMAL,
        queue_id: str = "default",
        stop_after_failures: int | None = None,
        report: bool = False,
        overwrite: bool = False,
    ) -> AsyncBatchRun:
        """Run the rows in the background. Rows that share models run together; otherwise they run in plan order.

        With a `folder`, the batch can be resumed: after a crash of this program or of the server, submit the same plan
        to the same folder again. Only rows that are missing, failed, or whose files are gone or altered are run. The
        plan may have changed: rows that are equal to rows of the earlier plan are not run again, wherever they are. To
        get equal rows from random draws, pass the same `random_seed` and `sample_seed`, or load the plan from a file.

        The folder contains the images; `manifest.jsonl`, with a line for each row that has ended (if a row has several
        lines, the last one is valid); and `.batch`, where rows are recorded before they are sent.

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

        Args:
            folder: the folder for images and manifest; created if it is missing. None: nothing is written, and the
                batch cannot be resumed by another process.
            images: the images to download into the folder: those of output nodes (`outputs`), those of intermediate
                nodes as well (`all`), or `none`.
            file_name: the template for the names of the images, without the suffix. It can contain the columns,
                `index`, `seed`, `row_id` and `repetition`, with formats as in `str.format`. A part without a value in a
                row is left out. Characters that are not allowed in file names are replaced. A number is added to equal
                names, and to several images of one row.
            window: the maximum number of items of the batch in the queue at the same time. A smaller window leaves more
                of the server to other users.
            priority: as for `wf.submit_sync`; applies to each part of the batch that is sent.
            queue_id: the queue.
            stop_after_failures: stop after this number of failed rows. None: never stop.
            report: write a page, `index.html`, into the folder, which shows the rows as they finish, and at the end a
                contact sheet, `contact_sheet.png`, unless the batch is canceled. `batch.open_report()` opens the page.
            overwrite: delete the results of an earlier batch in the folder, and cancel its rows that are in the queue.
                Those in the queue of another server are not canceled, which is logged as a warning.

        Returns:
            The batch. It runs for as long as the client is open.

        Raises:
            SettingsError: an argument has an invalid value.
            BatchFolderError: the folder is in use by another batch, holds results of another workflow, or cannot be
                written.
            InputsNotReadyError: the workflow cannot run; the error lists all problems.
            InvokeAIError: a request failed, or `report` is set and Pillow is not installed.

        Example:
            >>> batch = plan.submit(folder="out")
            >>> batch.wait(progress_callback=print)
        """
        options = BatchOptions(
            queue_id=queue_id,
            priority=Priority.of(priority),
            window=window,
            images=images,
            file_name=file_name,
            stop_after_failures=stop_after_failures,
            report=report,
        )
        return await self._begin(None if folder is None else batch_folder(folder), options, overwrite=overwrite)

    async def _begin(
        self, folder: Path | None, options: BatchOptions | None, *, overwrite: bool = False
    ) -> AsyncBatchRun:
        backend = OneServer(self._data, self._bodies, self._http, self._tracker)
        runner = await self._begin_on(backend, self._engine, folder, options, overwrite=overwrite)
        return AsyncBatchRun(self._engine, self._http_of, runner)

    def _http_of(self, url: str) -> HttpTransport | OtherServer:
        return self._http if url in ("", self._http.settings.url) else OtherServer(url, self._http)

    async def _begin_on(
        self,
        backend: Backend,
        engine: Engine,
        folder: Path | None,
        options: BatchOptions | None,
        *,
        overwrite: bool = False,
    ) -> Runner:
        return await begin(
            self._data,
            backend,
            engine,
            folder=folder,
            options=options,
            save=lambda path: save_plan(self._data, path),
            make_report=lambda path: BatchReport(
                path, workflow=self._data.base.definition.name, axes=self.axes, total=len(self)
            ),
            overwrite=overwrite,
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the notebook view: the axes, the first rows, and the reasons why rows cannot run."""
        from invokeai_py_client.notebook.output import mimebundle

        return mimebundle(self._html)

    def _html(self) -> Html:
        from invokeai_py_client.notebook.views import plan_view

        looked_at = [*islice(self, _MOST_LOOKED_AT if self.invalid else _MOST_ROWS)]
        columns = [name for name in self.columns if any(name in row.values for row in looked_at)]
        return plan_view(
            self._data.base.definition.name or "Workflow without a name",
            str(self),
            axes=[
                (axis.title, len(axis.values), [label_of(value) for value in islice(axis.values, _MOST_VALUES)])
                for axis in self.axes
            ],
            columns=["#", *columns, "seed"],
            rows=[
                [
                    str(row.index),
                    *(label_of(row.values[name]) if name in row.values else "" for name in columns),
                    "" if row.seed is None else str(row.seed),
                ]
                for row in looked_at[:_MOST_ROWS]
            ],
            total=len(self),
            problems=[*islice((str(problem) for row in looked_at for problem in row.problems), _MOST_PROBLEMS)],
        )

    def __str__(self) -> str:
        told = "" if self._seconds is None else f", about {duration_text(self._seconds)} on this server"
        return f"{self._data}{told}"

    def __repr__(self) -> str:
        return f"<AsyncPlan of {self._data.base.definition.name!r}: {self}>"


class PlanMaker:
    """Makes the plans of one workflow handle. Its coroutines run on the engine.

    Args:
        engine: the client's engine.
        http: sends requests.
        tracker: knows how long nodes take.
        catalog: the models, boards and images of the server.
        composer: composes submissions from the current values; must not be shared with another plan.
        definition: the document as its author saved it.
        current: the document, with its calls of other workflows updated.
        templates: the server's node templates.
    """

    def __init__(
        self,
        engine: Engine,
        http: HttpTransport,
        tracker: RunTracker,
        catalog: Catalog,
        composer: Composer,
        definition: WorkflowDefinition,
        current: WorkflowDefinition,
        templates: NodeTemplates,
    ) -> None:
        self._engine = engine
        self._http = http
        self._tracker = tracker
        self._catalog = catalog
        self._composer = composer
        self._current = current
        self._templates = templates
        self._planner = Planner(definition, current, templates, composer.fields)

    async def plan(self, what: Any, options: PlanOptions) -> AsyncPlan:
        """Make a plan from the result of `taken_here`.

        Raises:
            PlanError: the plan cannot run; the error lists every bad cell.
            InvokeAIError: a request failed.
        """
        planned = await asyncio.to_thread(self._planner.plan, what, options)
        return await self._finished(planned, options.on_bad_row)

    async def restored(self, saved: SavedPlan) -> AsyncPlan:
        """Restore a saved plan for this server.

        Raises:
            PlanError: the plan cannot run on this server; the error lists every bad cell.
            InvokeAIError: a request failed.
        """
        planned = await asyncio.to_thread(self._planner.restored, saved)
        return await self._finished(planned, "skip" if saved.skips_bad_rows else "raise")

    async def _finished(self, planned: Planned, on_bad_row: OnBadRow) -> AsyncPlan:
        kinds = planned.kinds
        names = await asyncio.to_thread(lambda: planned.image_names) if "image" in kinds else set()
        nowhere = FieldPlace("", "", "", "")
        missing = await self._catalog.missing([NamedResource(nowhere, "image", name, name) for name in names])
        server = ServerNames(
            models=await self._catalog.models() if "model" in kinds else (),
            boards=await self._catalog.boards() if "board" in kinds else (),
            called=await self._catalog.workflows_called_by(self._current, self._templates, self._composer.fields),
            missing_images=frozenset(thing.name for thing in missing),
        )
        data = await asyncio.to_thread(planned.finished, server, on_bad_row)
        seconds = await asyncio.to_thread(self._seconds, data)
        bodies = RowBodies(data, self._composer, self._catalog, self._current, self._templates)
        return AsyncPlan(self._engine, self._http, self._tracker, data, bodies, seconds)

    def _seconds(self, data: PlanData) -> float | None:
        """Estimate how long the rows take, in seconds; None if a node's type was not measured."""
        total, rows = 0.0, 0
        for group in islice(data.groups(), _MOST_ESTIMATED):
            seconds = self._seconds_of(group, self._tracker.durations)
            if seconds is None:
                return None
            total += len(group) * seconds
            rows += len(group)
        return total * (len(data) - data.invalid) / rows if rows else None

    def _seconds_of(self, group: PlanGroup, durations: NodeDurations) -> float | None:
        fields = self._composer.snapshot(group.set_values()).fields
        graph = build_graph(self._current, self._templates, fields, fields.edges).graph
        measured = [durations.measured(node) for node in graph["nodes"].values()]
        return sum(one.total for one in measured if one is not None) if all(measured) else None


def taken_here(what: Any) -> Any:
    """Return the source of a plan, with generators read. Called in the caller's thread or loop, where they belong.

    Raises:
        PlanError: it is not a source for a plan.
    """
    try:
        return taken(what)
    except SourceError as error:
        raise PlanError(f"No plan can be made: {error}.", problems=((None, "", str(error)),)) from None
