"""A workflow with its own input values, which can be submitted any number of times."""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import invokeai_py_client as public
from invokeai_py_client.catalog import Catalog
from invokeai_py_client.enqueue_body import Composer
from invokeai_py_client.errors import ClientClosedError, NotSubmittedError
from invokeai_py_client.files import path_of
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.image import AsyncImage
from invokeai_py_client.live.event_handlers import EventHandlers
from invokeai_py_client.live.priority import Priority, PriorityName
from invokeai_py_client.live.state.queue_item import QueueItem, called_results
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.option_checks import at_least_one, unusable
from invokeai_py_client.run import POLL_INTERVAL, AsyncRun, PollInterval, ProgressCallback
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import checked_seconds
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.events import Event
from invokeai_py_client.workflow.called_workflows import CalledWorkflows, with_called_inputs
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import Field
from invokeai_py_client.workflow.index_map import IndexMapChanges, compare_index_map, save_index_map
from invokeai_py_client.workflow.inputs import (
    InputKey,
    WorkflowInput,
    WorkflowInputs,
    WorkflowNodes,
    set_all,
    shown_inputs,
)
from invokeai_py_client.workflow.model_binding import ModelBinding
from invokeai_py_client.workflow.outputs import OutputMapping, map_outputs, output_nodes
from invokeai_py_client.workflow.readiness import InputProblem
from invokeai_py_client.workflow.resource_fields import BoardField
from invokeai_py_client.workflow.seeds import require_seed_inputs, seed_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

if TYPE_CHECKING:
    from invokeai_py_client.batch.async_plan import PlanMaker
    from invokeai_py_client.batch.plan_file import SavedPlan
    from invokeai_py_client.batch.plan_options import PlanOptions
    from invokeai_py_client.workflow.input_table import InputTable

# `public` imports a module when one of its names is first used, so the batch modules are imported only if needed.

OnServerLoss = Literal["report", "resubmit"]
"""How to handle an item that a restarted server has canceled; see `WorkflowHandle.submit_sync`."""

DESTINATION = "gallery"
"""The destination with which the web UI submits a workflow."""

ORIGIN = "workflows"
"""The origin with which the web UI submits a workflow."""


class AsyncWorkflowHandle(FixedAttributes):
    """A workflow with its own input values: set its inputs, submit it, wait for it, and get its results.

    Created by `client.workflow_repo.create_workflow(definition)`. Handles are cheap: create as many as you need. A
    submission takes the values of that moment. The methods of `WorkflowHandle` block, except those documented as
    awaited; the methods of `AsyncWorkflowHandle` (`wf.aio`) are awaited.

    Example:
        >>> wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("tiger.json"))
        >>> wf.inputs["Positive Prompt"].value = "a tiger cub"
        >>> wf.submit_sync()
        >>> result = wf.wait_for_completion_sync(timeout=120)
    """

    def _instead_of(self, name: str) -> str:
        return f" To set an input: wf.inputs[{name!r}].value = ..."

    def __init__(
        self,
        definition: WorkflowDefinition,
        templates: NodeTemplates,
        engine: Engine,
        http: HttpTransport,
        tracker: RunTracker,
        catalog: Catalog,
        called: CalledWorkflows | None = None,
    ) -> None:
        self._definition = definition
        self._current = current = with_called_inputs(definition, called or {}, templates)
        self._templates = templates
        self._engine = engine
        self._http = http
        self._tracker = tracker
        self._catalog = catalog
        self._fields = WorkflowFields(current, templates)
        self._composer = Composer(current, templates, self._fields, http, catalog, original=definition)
        self._run: AsyncRun | None = None
        # The engine adds to it while user threads search it: unlike a WeakSet, a dictionary is copied atomically.
        self._runs: dict[weakref.ref[AsyncRun], None] = {}
        self._handlers = EventHandlers(engine, tracker)
        self._inputs = shown_inputs(current, templates, self._fields)

    # Inputs

    @property
    def definition(self) -> WorkflowDefinition:
        """The document from which the handle was created."""
        return self._definition

    @property
    def inputs(self) -> WorkflowInputs:
        """The inputs that the workflow's form shows, by index, label or (node id, field name)."""
        return self._inputs

    @property
    def nodes(self) -> WorkflowNodes:
        """The workflow's nodes with all their inputs, whether or not the form shows them.

        Example:
            >>> wf.nodes["noise"].inputs["seed"].value = 7
        """
        return self.inputs.nodes

    def list_inputs(self) -> list[WorkflowInput]:
        """Return the inputs that the workflow's form shows, in the order of the form."""
        return list(self.inputs)

    def list_outputs(self) -> list[WorkflowInput]:
        """Return the board inputs of output nodes, if the form shows them."""
        outputs = {node.id for node in output_nodes(self.definition, self._templates, self.inputs)}
        return [one for one in self.inputs if one.node_id in outputs and isinstance(one.field, BoardField)]

    def preview(self) -> list[dict[str, Any]]:
        """Return `index`, `label`, `type` and `value` of each input that the form shows; `describe` prints a table."""
        return [
            {"index": one.index, "label": one.label, "type": one.type_name, "value": one.value} for one in self.inputs
        ]

    def get_input(self, index: int) -> WorkflowInput:
        """Return the input with an index.

        Raises:
            InputNotFoundError: no input has this index; the message lists the existing ones.
        """
        return self.inputs[index]

    def get_input_value(self, index: int) -> Field[Any]:
        """Return the typed field of the input with an index; assign to its `.value`.

        Raises:
            InputNotFoundError: no input has this index; the message lists the existing ones.
        """
        return self.inputs[index].field

    # Mapping is invariant in its key type, so each combination of key types needs its own alternative.
    @overload
    def set_many(self, values: Mapping[InputKey, Any], *, override_edge: bool = False) -> None: ...
    @overload
    def set_many(
        self,
        values: Mapping[str, Any]
        | Mapping[int, Any]
        | Mapping[tuple[str, str], Any]
        | Mapping[int | str, Any]
        | Mapping[int | tuple[str, str], Any]
        | Mapping[str | tuple[str, str], Any],
        *,
        override_edge: bool = False,
    ) -> None: ...
    def set_many(self, values: Mapping[Any, Any], *, override_edge: bool = False) -> None:
        """Set several inputs. If one of the values is not allowed, no input is changed.

        Args:
            values: by index, label, or (node id, label or type, field name).
            override_edge: remove the edges that feed the inputs from the graphs that this handle submits.

        Raises:
            InputNotFoundError: an input does not exist.
            InputConnectedError: an edge feeds one of the inputs, and `override_edge` is False. No input is changed.
            InputValueError: a value is not allowed, or an input is named twice. No input is changed.

        Example:
            >>> wf.set_many({"Positive Prompt": "a tiger cub", "Width": 512, "Height": 512})
        """
        set_all(self.inputs, values, override_edge=override_edge)

    def seed_inputs(self) -> list[WorkflowInput]:
        """Return the inputs that make a run random.

        These are the integer inputs named `seed` that no edge feeds, and all integer inputs that a `rand_int` node
        feeds. A seed that comes from another node, such as a batch node, is not included.

        Returns:
            The inputs in document order; an empty list if nothing in the workflow is random.

        Example:
            >>> wf.seed_inputs()
            [WorkflowInput(index=3, label='Seed', ...)]
        """
        return seed_inputs(self._definition, self._fields, self._inputs)

    def _with_seed(self, seed: int | None) -> Composer:
        """Return a composer with the current values, and with all seed inputs set to `seed` unless it is None."""
        if seed is None:
            return self._composer.snapshot()
        found = require_seed_inputs(self._definition, self._fields, self._inputs)
        return self._composer.snapshot({(one.node_id, one.field_name): seed for one in found})

    async def sync_dnn_model(self, by_name: bool = True, by_base: bool = True) -> ModelBinding:
        """Bind every model input, and every LoRA of a list, to a model that is installed on the server.

        A workflow file refers to the models of its author's server. The rules are tried in this order: the same key;
        the same hash; the same name, base and type; the same name; the only installed model of that base and type. The
        model references of formats 1 and 2, which the web UI cannot read, are bound by their name, base and type.

        Endpoint: GET /api/v2/models/

        Args:
            by_name: apply the rules that compare names.
            by_base: apply the rule that compares base and type; an input without a model gets the only suitable one.

        Returns:
            The changes. `renamed` lists the inputs that were bound to a model with another name than in the file, and
            `unbound` the inputs without a model, with the reason. Both are also logged as warnings.

        Raises:
            InvokeAIError: the request failed.

        Example:
            >>> [missing.why for missing in wf.sync_dnn_model().unbound]
            []
        """
        return await self._engine.call(self._composer.bind_models(by_name=by_name, by_base=by_base))

    async def validate_inputs(self) -> dict[InputKey, list[str]]:
        """Return everything that prevents the workflow from running. `submit` makes the same checks.

        Checks what the web UI's Invoke button checks (values, node types, batches), and what only the server knows:
        whether models, images, boards and called workflows exist, and whether names can be resolved. Uploads nothing.

        Returns:
            The problems of each input, by its index. The key is (node id, field name) for inputs that the form does not
            show, (node id, "") for a whole node, and ("", "") for the whole workflow. Empty if there are no problems.

        Raises:
            InvokeAIError: a request failed.

        Example:
            >>> wf.validate_inputs()
            {0: ["the server does not have the model 'dreamshaper' (sd-1 main, key 59f0...)"]}
        """
        return self._by_input(await self._engine.call(self._composer.problems()))

    def _by_input(self, problems: Iterable[InputProblem]) -> dict[InputKey, list[str]]:
        # A form may show one input twice.
        shown = {(i.node_id, i.field_name): i.index for i in reversed(self.inputs)}
        found: dict[InputKey, list[str]] = {}
        for problem in problems:
            key = (problem.place.node_id, problem.place.name)
            index = shown.get(key)
            found.setdefault(key if index is None else index, []).append(problem.why)
        return found

    def describe(self) -> None:
        """Print the inputs as a table: index, label, type, range or choices, default and current value.

        In a notebook, the table is rendered as HTML. A handle that is the last line of a cell is shown in the same way.
        """
        from invokeai_py_client.workflow.input_table import show

        show(self._input_table())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the notebook representation: the name of the workflow and a table of its inputs."""
        return self._input_table()._repr_mimebundle_()

    def _input_table(self) -> InputTable:
        from invokeai_py_client.workflow.input_table import input_table

        return input_table(self.inputs, self.definition.name or "Workflow without a name")

    def export_input_index_map(self, path: str | os.PathLike[str]) -> Path:
        """Save which input has which index in a JSON file, for a later `verify_input_index_map`.

        Returns:
            The path of the file.

        Raises:
            UnsafePathError: the path is not valid.
            OSError: the file cannot be written.
        """
        return save_index_map(path, self.definition.name, self.inputs)

    def verify_input_index_map(self, path: str | os.PathLike[str]) -> IndexMapChanges:
        """Compare the inputs with a file that `export_input_index_map` wrote.

        Returns:
            The inputs that were moved, added, removed or changed. The result is falsy if there are no changes.

        Raises:
            WorkflowFileError: the file cannot be read, or was not written by `export_input_index_map`.
        """
        return compare_index_map(path, self.inputs)

    # Many runs

    async def plan(
        self,
        values: public.PlanSource,
        *,
        combine: public.Combine = "product",
        seeds: public.Seeds | None = None,
        sample: int | None = None,
        sample_seed: int | None = None,
        dynamic_prompts: public.Expand | None = None,
        wildcards: str | os.PathLike[str] | None = None,
        random_seed: int | None = None,
        override_edge: bool = False,
        on_bad_row: public.OnBadRow = "raise",
    ) -> public.AsyncPlan:
        """Plan many runs of this workflow: a grid of values, or a table with a row for each run.

        Nothing is enqueued. Each value is checked against its input, and models, boards and images against the server.
        The plan keeps the current values of the workflow; later changes do not affect it.

        **Columns.** A mapping has a key for each input to vary: its label, its index, "node.field", or (node id, label
        or type, field name). Inputs that vary together have a tuple of such keys, and tuples as values:
        `{("Width", "Height"): [(512, 512), (768, 512)]}`. A pair of strings is (node, field) if that input exists,
        otherwise a group. `"seed"` sets all `seed_inputs()`. A key that begins with `#` is a note: it is stored with
        the rows and sets no input. The values of a column are one of

        - a list, a range, a generator or another iterable of values that `set_many` accepts. None clears an optional
          input; for other inputs it means the workflow's own value.
        - for an image input also a folder, a glob pattern or the path of an image file; files are sorted by name.
        - `Path(...)` of a text file with one value per line; empty lines are ignored.
        - `replace(column, old, new)`, which replaces a string in another column's values, or in the workflow's own.

        **Rows.** A list of mappings, a pandas or polars DataFrame, or the path of a `.csv`, `.tsv`, `.jsonl`, `.ndjson`
        or `.json` file has one row per run. Keys are as above; a file names inputs by label, index or "node.field".
        CSV files may use `,`, `;`, tabs or `|`, with or without a byte order mark; image paths are relative to the
        folder of the file. An empty cell means the empty string for text inputs, and None for others. Empty lines, and
        trailing lines that contain only delimiters, are ignored.

        Args:
            values: the columns or rows.
            combine: `product` runs every combination of the columns, the last one changing fastest; `zip` runs the
                first values together, then the second, and so on. Rows are not combined.
            seeds: run each row with each of these seeds: a number of seeds (4 means 0, 1, 2 and 3), a list ([7] is
                only the seed 7), or `random` for a different random seed in each row. Edges from random nodes to the
                seeds are left out of the graph. None keeps the workflow's own seeds.
            sample: run only this many combinations, chosen at random, or all if there are fewer. Each is run with
                each of `seeds`.
            sample_seed: the random seed of the sample, to reproduce it. None chooses one; see `plan.sample_seed`.
            dynamic_prompts: how to expand alternatives such as `{red|blue}` in text columns: `random` chooses one for
                each row, `all` makes a row for each. None does not expand them, unless there are `wildcards`.
            wildcards: a folder of text files: `__colour__` is replaced by a line of `colour.txt`. The lines are chosen
                at random, unless `dynamic_prompts` is `all`.
            random_seed: the random seed of prompts and seeds, to reproduce them. None chooses one; see
                `plan.random_seed`.
            override_edge: allow columns for inputs that edges feed; the edges are left out of the graphs.
            on_bad_row: `raise` rejects a plan with a bad cell; `skip` keeps such rows as invalid and never sends them.

        Returns:
            The plan, a sequence of rows; `submit` runs it.

        Raises:
            PlanError: a row cannot run. The error lists every bad cell, with row, column and reason.
            SettingsError: an option has an unknown or invalid value.
            UnsafePathError: a path is not valid.
            InvokeAIError: a request failed.

        Example:
            >>> plan = wf.plan({"Positive Prompt": ["a cat", "a dog"], "Steps": range(8, 24, 4)}, seeds=2)
            >>> plan = wf.plan("prompts.csv", on_bad_row="skip")
        """
        from invokeai_py_client.batch.async_plan import taken_here

        options = _plan_options(
            combine=combine,
            seeds=seeds,
            sample=sample,
            sample_seed=sample_seed,
            dynamic_prompts=dynamic_prompts,
            wildcards=wildcards,
            random_seed=random_seed,
            override_edge=override_edge,
            on_bad_row=on_bad_row,
        )
        return await self._engine.call(self._plan_maker().plan(taken_here(values), options))

    def _plan_blocking(self, values: Any, **options: Any) -> public.AsyncPlan:
        from invokeai_py_client.batch.async_plan import taken_here

        checked = _plan_options(**options)
        return self._engine.block(self._plan_maker().plan(taken_here(values), checked))

    async def sweep(
        self,
        values: public.PlanSource,
        folder: str | os.PathLike[str],
        *,
        combine: public.Combine = "product",
        seeds: public.Seeds | None = None,
        on_bad_row: public.OnBadRow = "raise",
        overwrite: bool = False,
    ) -> public.AsyncBatchRun:
        """Run every combination of some values, and compare the images in a report.

        The page `index.html` shows the images as they finish; `contact_sheet.png` is written at the end. The first
        column is the X axis, the second the Y axis; each value of further columns, and each seed, has a separate tab
        and contact sheet. Another sweep with more values into the same folder runs only the new combinations. If
        `seeds` is `random`, existing rows keep their seeds. For options that `sweep` does not have, such as `sample` or
        `file_name`, use `plan(...).submit(folder=..., report=True)`.

        Args:
            values: the columns, as in `plan`.
            folder: the folder for the images, the page and the contact sheet.
            combine: as in `plan`.
            seeds: as in `plan`.
            on_bad_row: as in `plan`.
            overwrite: delete the files of an earlier batch in the folder, and cancel its unfinished queue items.

        Returns:
            The batch; `batch.open_report()` opens the page.

        Raises:
            PlanError: a row cannot run. The error lists every bad cell, with row, column and reason.
            BatchFolderError: the folder cannot be used.
            InputsNotReadyError: the workflow cannot run; the error lists all problems.
            InvokeAIError: a request failed, or Pillow is not installed.

        Example:
            >>> wf.sweep({"Steps": [4, 8, 20], "CFG": [4, 7]}, folder="out").wait()
        """
        drawn = await asyncio.to_thread(_random_seed_in, folder, seeds, overwrite=overwrite)
        plan = await self.plan(values, combine=combine, seeds=seeds, random_seed=drawn, on_bad_row=on_bad_row)
        return await plan.submit(folder, report=True, overwrite=overwrite)

    def _sweep_blocking(
        self, values: Any, folder: str | os.PathLike[str], *, overwrite: bool, **options: Any
    ) -> public.AsyncBatchRun:
        drawn = _random_seed_in(folder, options["seeds"], overwrite=overwrite)
        plan = self._plan_blocking(values, random_seed=drawn, **options)
        return self._engine.block(plan.submit(folder, report=True, overwrite=overwrite))

    def _plan_maker(self) -> PlanMaker:
        """Return a maker of plans with the current values."""
        from invokeai_py_client.batch.async_plan import PlanMaker

        return PlanMaker(
            self._engine,
            self._http,
            self._tracker,
            self._catalog,
            self._composer.snapshot(),
            self._definition,
            self._current,
            self._templates,
        )

    async def _restored_plan(self, saved: SavedPlan) -> public.AsyncPlan:
        """Return the plan that was loaded from a file for this workflow. Runs on the engine."""
        for node_id, name, value, replaces_edge in saved.values:
            self._inputs[node_id, name].set(value, override_edge=replaces_edge)
        # Keys of models differ between servers.
        await self._composer.bind_models(by_name=False, by_base=False)
        return await self._plan_maker().restored(saved)

    # Submitting

    async def _build_submission(self) -> dict[str, Any]:
        """Return the body of `enqueue_batch` for the current values, as the web UI would send it.

        Sends requests only to evaluate generators, and to look up names that are not cached.

        Raises:
            BatchError: the value of a generator cannot be parsed.
            InputsNotReadyError: the server has nothing with a name that an input contains.
            InvokeAIError: a request failed.
        """
        return await self._engine.call(self._composer.snapshot().compose(check=False))

    async def submit(
        self,
        queue_id: str = "default",
        *,
        priority: Priority | PriorityName | None = Priority.NORMAL,
        runs: int = 1,
        on_server_loss: OnServerLoss = "report",
        timeout: float | None = None,  # noqa: ASYNC109
        batch_id: str | None = None,
        destination: str = DESTINATION,
        origin: str = ORIGIN,
        seed: int | None = None,
    ) -> AsyncRun:
        """Enqueue the workflow with its current values.

        The client chooses the id of the batch. If a response is lost or cannot be parsed, the client looks the batch up
        in the queue, so nothing is enqueued twice. If the queue has room for only a part of the batch, the rest is sent
        when there is room.

        Apart from the wait for its `priority`, sending the batch takes at most the client's `timeout`, including
        retries and the server's `Retry-After`. If it is still unknown whether the server stored the batch, finding out
        takes at most the same time again, but at least 10 and at most 30 s.

        An interrupted submission (Ctrl-C, a cancelled task, `asyncio.timeout`) is withdrawn: the items that the server
        has stored, or stores within that time, are canceled. The call returns after at most 1.5 s; the withdrawal
        continues in the background until it is done, or until one second after the client is closed. If it cannot be
        completed, a warning with the batch id is logged (`invokeai_py_client.live`).

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

        Args:
            queue_id: the queue.
            priority: `low`, `normal`, `high` or `urgent`; `Priority` describes their meaning and limits. A `low` or
                `high` submission may be held back before it is sent; the reason is logged
                (`invokeai_py_client.live`, INFO). If it is interrupted while it is held back, nothing is enqueued.
            runs: how many times to run each item.
            on_server_loss: how to handle an item that a restarted server has canceled: `report` it as canceled, or
                `resubmit` it, so that the run continues with a new item in its place.
            timeout: seconds that a `low` or `high` submission may be held back; None for no limit.
            batch_id: a batch id chosen by the caller, such as `str(uuid.uuid4())`. If the queue already has items of
                this batch, they are followed and nothing is sent, so it is safe to submit again with the same id. None
                for a new id.
            destination: stored with each item, so that items can be listed and canceled by destination
                (`client.queue.cancel_by_destination`). The web UI shows new results at once only for "gallery".
            origin: stored with each item in the same way; names the program that submitted it.
            seed: the value of all `seed_inputs()` in this submission. Edges from random nodes to them are left out of
                the graph. The handle keeps its values and edges. None keeps the workflow's own seeds.

        Returns:
            The run, with `batch_id`, `item_id`, `item_ids`, `session_id`, `enqueued`, and methods such as `wait`.

        Raises:
            SettingsError: an argument is not valid, such as an unknown priority.
            InputNotFoundError: `seed` was given, but the workflow has no seed inputs.
            InputValueError: an input does not accept `seed`.
            SubmitTimeout: the submission was held back for `timeout` seconds. Nothing was sent.
            UnknownNodeError: the server lacks node types; there may be other problems too.
            BatchError: the batch nodes do not make a valid batch; there may be other problems too.
            InputsNotReadyError: any other problem that `validate_inputs` finds, such as a called workflow that does not
                exist or has other inputs. This is the base class of the two above; each lists all problems.
            GraphRejectedError: the server rejected a node's value; the error names the node and the field.
            NotEnqueuedError: the queue has no room, or the batch has no items.
            EnqueueInDoubtError: it is unknown whether the batch is in the queue. Submit again with its `batch_id`, or
                follow it with `client.run(batch_id=...)`.
            InvokeAIError: a request failed. If the batch was sent, the error has its `batch_id`. If
                `may_have_been_applied` is false, the queue has no items of the batch.

        Example:
            >>> run = wf.submit_sync(priority="low", seed=7)
            >>> run.result(timeout=300)
        """
        followed: list[TrackedRun] = []
        sent: list[TrackedRun] = []
        try:
            return await self._engine.call(
                self._submit(
                    self._with_seed(seed),
                    followed.append,
                    sent.append,
                    queue_id=queue_id,
                    priority=priority,
                    runs=runs,
                    on_server_loss=on_server_loss,
                    timeout=timeout,
                    batch_id=batch_id,
                    destination=destination,
                    origin=origin,
                )
            )
        except BaseException as error:
            _name_batch(error, followed)
            # If this is cancelled when the submission has just succeeded, the caller never gets the run.
            with contextlib.suppress(ClientClosedError):
                for live in sent:
                    await self._engine.call(self._tracker.submissions.withdraw(live))
            raise

    def _submit_blocking(self, queue_id: str, *, seed: int | None, **options: Any) -> AsyncRun:
        followed: list[TrackedRun] = []
        sent: list[TrackedRun] = []
        try:
            return self._engine.block(
                self._submit(self._with_seed(seed), followed.append, sent.append, queue_id=queue_id, **options)
            )
        except BaseException as error:
            _name_batch(error, followed)
            # After a Ctrl-C when the submission has just succeeded, the caller never gets the run.
            with contextlib.suppress(ClientClosedError):
                for live in sent:
                    self._engine.block(self._tracker.submissions.withdraw(live))
            raise

    async def _submit(
        self,
        composer: Composer,
        on_followed: Callable[[TrackedRun], None],
        on_sent: Callable[[TrackedRun], None],
        *,
        queue_id: str,
        priority: str | None,
        runs: int,
        on_server_loss: OnServerLoss,
        timeout: float | None,  # noqa: ASYNC109
        batch_id: str | None,
        destination: str,
        origin: str,
    ) -> AsyncRun:
        wanted = Priority.of(priority)
        runs = at_least_one("runs", runs)
        if timeout is not None:
            checked_seconds("timeout", timeout)
        if on_server_loss not in ("report", "resubmit"):
            raise unusable("on_server_loss", on_server_loss, "'report' or 'resubmit'")
        for name, text in (("destination", destination), ("origin", origin), ("batch_id", batch_id or "")):
            if not isinstance(text, str):
                raise unusable(name, text, "a str")
        submissions = self._tracker.submissions
        resubmits = on_server_loss == "resubmit"

        async def send(tell_handlers: Callable[[TrackedRun], None]) -> TrackedRun:
            def is_followed(run: TrackedRun) -> None:
                tell_handlers(run)
                on_followed(run)

            body = await composer.compose(check=True, runs=runs)
            body["batch"] |= {"destination": destination, "origin": origin}
            return await submissions.submit(
                queue_id,
                body,
                batch_id=batch_id,
                resubmits=resubmits,
                priority=wanted,
                timeout=timeout,
                on_followed=is_followed,
                on_sent=on_sent,
            )

        with self._handlers.submission() as tell_handlers:
            if batch_id is None:
                live = await send(tell_handlers)
            else:
                async with submissions.attach_or(queue_id, batch_id) as there:
                    if there is None:
                        live = await send(tell_handlers)
                    else:
                        live = there
                        live.state.resubmits = live.state.resubmits or resubmits
                        tell_handlers(live)
        run = AsyncRun(self._engine, self._http, self._tracker, live, self._image_mapper(), self._handlers)
        self._run = run
        known = self._runs
        known[weakref.ref(run, lambda gone: known.pop(gone, None))] = None
        return run

    # Events

    def on_event(
        self, handler: Callable[[Event], Any], *, types: str | Collection[str] | None = None
    ) -> Callable[[], None]:
        """Call `handler` with each event of the latest run from its start, and of later runs, in order.

        If an event loop is running when the handler is registered, it is called on that loop. Otherwise it is called by
        the methods that wait for a run: `run.wait()`, `run.result()` and `wait_for_completion_sync()` call it in their
        thread, and the awaited ones on their loop. When such a method returns, the handler has received the run's last
        event. An exception of the handler is logged once.

        If a handler is slow, its pending progress events are replaced by newer ones of the same node. If no method ever
        waits, the oldest events are dropped when 100,000 are pending.

        Args:
            handler: a function, or an `async` function, which is awaited before the next event.
            types: only events of this type, such as `"generator_progress"`, or of these types; None for all.

        Returns:
            A function that unregisters the handler.

        Raises:
            SettingsError: `types` contains an unknown event type; the message lists the known ones.

        Example:
            >>> stop = wf.on_event(lambda event: print(event.type))
        """
        return self._handlers.add(handler, types)

    def stream_events(self, session_id: str | None = None) -> EventStream:
        """Stream the events of a run, from its start until it has ended. Past events are included.

        Args:
            session_id: the session of the run, `submission["session_id"]`; None for the latest run of this handle.

        Returns:
            A stream for `for` and `async for`. Leaving the loop unsubscribes.

        Raises:
            NotSubmittedError: nothing has been submitted yet, or no run has that session.

        Example:
            >>> async for event in wf.stream_events():
            ...     if isinstance(event, GeneratorProgress):
            ...         print(f"{event.step}/{event.total_steps}")
        """
        if session_id is None:
            return self._latest(None).stream()
        for run in [self._latest(None), *(ref() for ref in self._runs.copy())]:
            if run is not None and run._has_session(session_id):
                return run.stream(session_id)
        raise NotSubmittedError(
            f"No run of this handle is known to have the session {session_id!r}.",
            hint="Pass submission['session_id'] of a run that still exists, or omit it for the latest run.",
        )

    # Waiting

    async def wait_for_completion(
        self,
        submission: AsyncRun | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        poll_interval: PollInterval = POLL_INTERVAL,
        progress_callback: ProgressCallback | None = None,
    ) -> QueueItem:
        """Wait until a run has ended, successfully or not. Interrupting the wait does not affect the run.

        Args:
            submission: the run; None for the latest run of this handle.
            timeout: seconds; None waits without a limit.
            poll_interval: seconds, or a function of the attempt (0, 1, ...) that returns them. The callback is called
                at least this often, and the server is polled this often while the socket is down. Events end a pause
                early.
            progress_callback: called in the waiting thread, or on the awaiting loop, with the current queue item
                (`status`, `progress_percentage`, `current_step`, `total_steps`). An exception that it raises ends the
                wait, but not the run.

        Returns:
            The finished queue item, whatever its status, with `error` if it failed.

        Raises:
            RunTimeout: the run had not ended in time. It continues. `RunTimeout` is a `TimeoutError`.
            NotSubmittedError: nothing has been submitted yet.
            InvokeAIError: as for `run.wait`.

        Example:
            >>> wf.wait_for_completion_sync(timeout=300, progress_callback=lambda item: print(item.progress_percentage))
        """
        run = self._latest(submission)
        return await run.wait(timeout, poll_interval=poll_interval, progress_callback=progress_callback)

    def _wait_for_completion_blocking(self, submission: AsyncRun | None = None, **options: Any) -> QueueItem:
        return self._latest(submission)._wait_blocking(**options)

    async def cancel(self, submission: AsyncRun | None = None) -> None:
        """Cancel a run. A wait for it then ends with status `canceled`.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids

        Args:
            submission: the run; None for the latest run of this handle.

        Raises:
            NotSubmittedError: nothing has been submitted yet.
            InvokeAIError: a request failed.
        """
        await self._latest(submission).cancel()

    def _latest(self, submission: AsyncRun | None) -> AsyncRun:
        run = self._run if submission is None else submission
        if run is None:
            raise NotSubmittedError(
                f"No run of {self.definition.name or 'this workflow'!r} was submitted yet.",
                hint="Call submit_sync() or await submit() first.",
            )
        return run

    # Results

    def map_outputs_to_images(self, result: QueueItem) -> list[OutputMapping]:
        """Return the images and videos that each output node made.

        Output nodes are the nodes that make images or videos and are not intermediate.

        Args:
            result: the finished queue item that a wait returned.

        Returns:
            For each output node `node_id`, `node_type`, `label`, `input_index`, `board_id`, `image_names` and
            `video_names`, which are empty if the node made none. Nodes with a board input in the form come first, in
            the order of the form. Output nodes of called workflows that made something come last: their `call_path`
            has the ids of the call nodes that lead to them, and their `node_id` is the id in the called workflow.

        Example:
            >>> [mapping.image_names for mapping in wf.map_outputs_to_images(run.wait())]
        """
        return map_outputs(
            self.definition,
            self._templates,
            self.inputs,
            ((output.node_id, output.result) for output in result.outputs),
            result.boards,
            called_results(result),
        )

    def _image_mapper(self) -> Callable[[QueueItem], list[AsyncImage]]:
        def images_of(item: QueueItem) -> list[AsyncImage]:
            return [
                AsyncImage(self._engine, self._http, name, mapping.path)
                for mapping in self.map_outputs_to_images(item)
                for name in mapping.image_names
            ]

        return images_of

    def __repr__(self) -> str:
        values: Mapping[str, Any] = {i.label: i.value for i in self.inputs}
        return f"<AsyncWorkflowHandle {self.definition.name!r} {values}>"


def _plan_options(*, wildcards: str | os.PathLike[str] | None = None, **options: Any) -> PlanOptions:
    from invokeai_py_client.batch.plan_options import PlanOptions

    return PlanOptions(wildcards=None if wildcards is None else Path(wildcards), **options).checked()


def _name_batch(error: BaseException, followed: Sequence[TrackedRun]) -> None:
    """Set the batch id in the error of a submission during which the client was closed."""
    if followed and isinstance(error, ClientClosedError):
        error.batch_id = followed[-1].state.batch_id


def _random_seed_in(folder: str | os.PathLike[str], seeds: object, *, overwrite: bool) -> int | None:
    """Return the random seed of an earlier sweep in a folder, so that its rows are recognized as done."""
    from invokeai_py_client.batch.folder import plan_path
    from invokeai_py_client.batch.plan_file import read_plan

    if overwrite or not isinstance(seeds, str):
        return None
    path = plan_path(path_of(folder))
    return read_plan(path).random_seed if os.path.exists(path) else None
