# Generated from workflow_handle.py by scripts/generate_blocking.py. Do not edit.
"""`WorkflowHandleMethods`: the methods of `AsyncWorkflowHandle`, blocking."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, overload

import invokeai_py_client as public
from invokeai_py_client.blocking.generated.run import Run
from invokeai_py_client.live.priority import Priority, PriorityName
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.run import POLL_INTERVAL, PollInterval, ProgressCallback
from invokeai_py_client.runtime.twins import Blocking, aio_of
from invokeai_py_client.wire.events import Event
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.fields import Field
from invokeai_py_client.workflow.index_map import IndexMapChanges
from invokeai_py_client.workflow.inputs import InputKey, WorkflowInput, WorkflowInputs, WorkflowNodes
from invokeai_py_client.workflow.model_binding import ModelBinding
from invokeai_py_client.workflow.outputs import OutputMapping
from invokeai_py_client.workflow_handle import DESTINATION, ORIGIN, OnServerLoss


class WorkflowHandleMethods(Blocking["public.AsyncWorkflowHandle"]):
    """One workflow with values of its own: set its inputs, submit it, wait, see what it made.

    Made by `client.workflow_repo.create_workflow(definition)`. Making one is cheap; make one for each set of values
    that should run at the same time. `WorkflowHandle` blocks, but for the methods that say that they are awaited;
    `AsyncWorkflowHandle` (`wf.aio`) is awaited.

    Example:
        >>> wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("tiger.json"))
        >>> wf.inputs["Positive Prompt"].value = "a tiger cub"
        >>> wf.submit_sync()
        >>> result = wf.wait_for_completion_sync(timeout=120)
    """

    @property
    def definition(self) -> WorkflowDefinition:
        """The document from which the handle was made."""
        return self._aio.definition

    @property
    def inputs(self) -> WorkflowInputs:
        """The inputs that the workflow's form shows, by index, label or (node id, field name)."""
        return self._aio.inputs

    @property
    def nodes(self) -> WorkflowNodes:
        """The workflow's nodes with all their inputs, whether or not the form shows them.

        Example:
            >>> wf.nodes["noise"].inputs["seed"].value = 7
        """
        return self._aio.nodes

    def list_inputs(self) -> list[WorkflowInput]:
        """The inputs that the workflow's form shows, in its order."""
        return self._aio.list_inputs()

    def list_outputs(self) -> list[WorkflowInput]:
        """Return the board inputs of output nodes that the form shows, as far as it shows them."""
        return self._aio.list_outputs()

    def preview(self) -> list[dict[str, Any]]:
        """Return `index`, `label`, `type` and `value` of each input that the form shows; `describe` prints a table."""
        return self._aio.preview()

    def get_input(self, index: int) -> WorkflowInput:
        """The input of that index.

        Raises:
            InputNotFoundError: there is none; it lists those that there are.
        """
        return self._aio.get_input(index)

    def get_input_value(self, index: int) -> Field[Any]:
        """The typed field of the input of that index; assign its `.value`.

        Raises:
            InputNotFoundError: there is none; it lists those that there are.
        """
        return self._aio.get_input_value(index)

    @overload
    def set_many(self, values: Mapping[InputKey, Any], *, override_edge: bool = False) -> None: ...
    @overload
    def set_many(
        self,
        values: Mapping[str, Any] | Mapping[int, Any] | Mapping[tuple[str, str], Any],
        *,
        override_edge: bool = False,
    ) -> None: ...
    def set_many(self, values: Mapping[Any, Any], *, override_edge: bool = False) -> None:
        """Set several inputs, or, if one of the values is not allowed, none of them.

        Args:
            values: by index, label, or (node id, label or type, field name).
            override_edge: remove the edges that feed the inputs, in what this handle submits.

        Raises:
            InputNotFoundError: one is not there.
            InputConnectedError: an edge feeds one of them, and `override_edge` is False. Every input keeps what it had.
            InputValueError: one of the values is not allowed, or two are of one input. Every input keeps what it had.

        Example:
            >>> wf.set_many({"Positive Prompt": "a tiger cub", "Width": 512, "Height": 512})
        """
        return self._aio.set_many(values, override_edge=override_edge)

    def seed_inputs(self) -> list[WorkflowInput]:
        """Return the inputs that make a run random.

        These are the integer inputs named `seed` that no edge feeds, and all integer inputs that a `rand_int` node
        feeds. A seed that comes from another node, such as a batch node, is not among them.

        Returns:
            The inputs in document order; an empty list if nothing in the workflow is random.

        Example:
            >>> wf.seed_inputs()
            [WorkflowInput(index=3, label='Seed', ...)]
        """
        return self._aio.seed_inputs()

    def sync_dnn_model(self, by_name: bool = True, by_base: bool = True) -> ModelBinding:
        """Bind every model input, and every LoRA of a list, to a model that the server has installed.

        A file names models of its author's server. An input's model is looked up by key, else by hash, else by name,
        base and type, else by name alone; else it is the only one of that base and type. The references of formats 1
        and 2, which the web UI cannot read, are bound by the name, base and type that they give.

        Endpoint: GET /api/v2/models/

        Args:
            by_name: take the rules that go by name.
            by_base: take the rule that goes by base and type; an input without a model takes the only one that fits.

        Returns:
            The changes. Their `renamed` are those that took a model of another name than the file's, and `unbound` the
            inputs for which there is no model, with the reason. Both are also logged as warnings.
        """
        work = self._aio.sync_dnn_model(by_name, by_base)
        del by_name, by_base
        return self._aio._engine.block(work)

    def validate_inputs(self) -> dict[InputKey, list[str]]:
        """Find everything that keeps the workflow from running: the checks that a submit makes, in one list.

        Checks what the web UI's Invoke button does (values, node types, batches), and what only the server knows:
        models, images and boards that are gone, names that stand for nothing, workflows that this one calls. Uploads
        nothing.

        Returns:
            The problems of each input, by its index; those of inputs that the form does not show by (node id, field
            name), those of a whole node by (node id, ""), those of the whole workflow by ("", ""). Empty if there is
            none.

        Raises:
            InvokeAIError: as any request.

        Example:
            >>> wf.validate_inputs()
            {0: ["the server does not have the model 'dreamshaper' (sd-1 main, key 59f0...)"]}
        """
        return self._aio._engine.block(self._aio.validate_inputs())

    def describe(self) -> None:
        """Print the inputs as a table: index, label, type, range or choices, default and current value.

        In a notebook it is shown as a table of the page, as is a handle that is the last line of a cell.
        """
        return self._aio.describe()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: the name of the workflow, and its inputs."""
        return self._aio._repr_mimebundle_(include, exclude)

    def export_input_index_map(self, path: str | os.PathLike[str]) -> Path:
        """Write down which input has which index, for `verify_input_index_map` to compare with later.

        Returns:
            The JSON file.

        Raises:
            UnsafePathError: the path cannot be one.
            OSError: the file cannot be written.
        """
        return self._aio.export_input_index_map(path)

    def verify_input_index_map(self, path: str | os.PathLike[str]) -> IndexMapChanges:
        """Compare the inputs with what `export_input_index_map` wrote.

        Returns:
            Which inputs have moved, appeared, vanished or changed; it is false if none has.

        Raises:
            WorkflowFileError: the file cannot be read, or is not such a map.
        """
        return self._aio.verify_input_index_map(path)

    def plan(
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
    ) -> public.Plan:
        """Plan many runs of this workflow: a grid of values, or a table with a row for each run.

        Nothing is enqueued. Every value is checked against its input, and models, boards and images against the server.
        The plan keeps the values that the workflow has now; later changes do not affect it.

        **Columns.** A mapping has a key for each input to vary: its label, its index, "node.field", or (node id, label
        or type, field name). Inputs that vary together have a tuple of such keys, and tuples as values:
        `{("Width", "Height"): [(512, 512), (768, 512)]}`. A pair of texts is (node, field) if there is such an input,
        else a group. `"seed"` sets all `seed_inputs()`. A key that begins with `#` is a note: it is kept with the rows
        and sets nothing. The values of a column are

        - a list, a range, a generator or anything else that can be iterated, each element as `set_many` takes it. None
          empties an input that may be empty, else it stands for the workflow's own value.
        - for an image input also a folder, a glob pattern or a path of image files, in the order of their names.
        - `Path(...)` of a text file with a value on each line that is not empty.
        - `replace(column, old, new)`, which replaces a text in another column's values, or in the workflow's own.

        **Rows.** A list of mappings, a frame of pandas or polars, or the path of a `.csv`, `.tsv`, `.jsonl`, `.ndjson`
        or `.json` file has a row for each run. Keys are as above; a file names inputs by label, index or "node.field".
        CSV files may use `,`, `;`, tabs or `|`, with or without a byte order mark; relative paths of images start at
        the file's folder. An empty cell is None, but for texts, where it is the empty text. Empty lines, and lines of
        nothing but delimiters at the end, are no rows.

        Args:
            values: the columns or rows.
            combine: `product` runs every combination of the columns, the last one changing fastest; `zip` runs the
                first values together, then the second, and so on. Rows are not combined.
            seeds: runs everything with each of these seeds: a number of them (4 means 0, 1, 2 and 3), a list ([7] is
                the one seed 7), or `random` for a seed of its own for each row. The edges from random nodes are left
                out of the graph. None for the workflow's own seeds.
            sample: runs this many of the combinations, drawn at random, or all if there are fewer. Each is run with
                each of `seeds`.
            sample_seed: makes the same sample again; drawn if it is None, and then in `plan.sample_seed`.
            dynamic_prompts: how to expand alternatives such as `{red|blue}` in the texts of columns: `random` draws
                one for each row, `all` makes a row of each. None leaves them as they are, unless there are `wildcards`.
            wildcards: a folder of text files: `__colour__` stands for a line of `colour.txt`. Prompts are then drawn,
                unless `dynamic_prompts` is `all`.
            random_seed: makes the same draws again; drawn if it is None, and then in `plan.random_seed`.
            override_edge: let columns set inputs that edges feed, in what is sent.
            on_bad_row: `raise` refuses a plan with a bad cell; `skip` keeps such rows as invalid, which are never sent.

        Returns:
            The plan, a sequence of rows; `submit` runs it.

        Raises:
            PlanError: something cannot run. It lists every bad cell, with row, column and reason.
            SettingsError: an option cannot be used.
            UnsafePathError: a text cannot be the path of a file.
            InvokeAIError: as any request.

        Example:
            >>> plan = wf.plan({"Positive Prompt": ["a cat", "a dog"], "Steps": range(8, 24, 4)}, seeds=2)
            >>> plan = wf.plan("prompts.csv", on_bad_row="skip")
        """
        return public.Plan(
            self._aio._plan_blocking(
                values,
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
        )

    def sweep(
        self,
        values: public.PlanSource,
        folder: str | os.PathLike[str],
        *,
        combine: public.Combine = "product",
        seeds: public.Seeds | None = None,
        on_bad_row: public.OnBadRow = "raise",
        overwrite: bool = False,
    ) -> public.BatchRun:
        """Run every combination of some values, and show the results side by side: `plan`, `submit` and a report.

        The page `index.html` shows the images as they finish; `contact_sheet.png` is written at the end. The first
        column is X, the second Y; each value of further columns, and each seed, has a tab and a sheet of its own.
        Another sweep with more values into the same folder runs only the new combinations, each row with the seed that
        it had if `seeds` is `random`. For what `sweep` has no
        argument, such as `sample` or `file_name`, use `plan(...).submit(folder=..., report=True)`.

        Args:
            values: the columns, as in `plan`.
            folder: where the images, the page and the contact sheet go.
            combine: as in `plan`.
            seeds: as in `plan`.
            on_bad_row: as in `plan`.
            overwrite: delete what an earlier batch has left in the folder, and cancel what it still has in the queue.

        Returns:
            The batch; `batch.open_report()` opens the page.

        Raises:
            PlanError: something cannot run. It lists every bad cell, with row, column and reason.
            BatchFolderError: the folder cannot be used.
            InputsNotReadyError: the workflow could not run; it lists all problems.
            InvokeAIError: as any request; or Pillow is not installed.

        Example:
            >>> wf.sweep({"Steps": [4, 8, 20], "CFG": [4, 7]}, folder="out").wait()
        """
        return public.BatchRun(
            self._aio._sweep_blocking(
                values, folder, combine=combine, seeds=seeds, on_bad_row=on_bad_row, overwrite=overwrite
            )
        )

    def _build_submission(self) -> dict[str, Any]:
        """The body of `enqueue_batch` for the values as they are, as the web UI would send it.

        Asks the server only where it must: for what generators make of it, and for what is named but not known here.

        Raises:
            BatchError: a generator's value cannot be understood.
            InputsNotReadyError: a name stands for nothing on the server.
            InvokeAIError: as any request.
        """
        return self._aio._engine.block(self._aio._build_submission())

    def submit_sync(
        self,
        queue_id: str = "default",
        *,
        priority: Priority | PriorityName | None = Priority.NORMAL,
        runs: int = 1,
        on_server_loss: OnServerLoss = "report",
        timeout: float | None = None,
        batch_id: str | None = None,
        destination: str = DESTINATION,
        origin: str = ORIGIN,
        seed: int | None = None,
    ) -> Run:
        """Put the workflow into the server's queue, with the values as they are now.

        The client chooses the id of the batch. If a response is lost or cannot be understood, the server is asked for
        the batch, so that nothing is enqueued twice. If the queue has room for a part of the batch only, the rest is
        sent as room appears.

        Once it is its turn (see `priority`), sending the batch takes at most the client's `timeout`, with retries and
        what the server wants to be waited (`Retry-After`). If it is not known then whether the batch arrived, finding
        out takes as long again, but at least 10 and at most 30 s.

        A submission that is given up (Ctrl-C, a cancelled task, `asyncio.timeout`) is withdrawn: what the server has
        stored, or stores within the same time, is canceled. The caller is released after 1.5 s; the withdrawal goes on
        in the background until it is done, or until a second after the client is closed. If that is not enough, a
        warning that names the batch is logged (`invokeai_py_client.live`).

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

        Args:
            queue_id: the queue.
            priority: when it is to run: `low`, `normal`, `high` or `urgent`; `Priority` says what each means, and
                when it cannot hold. A `low` or `high` submission may wait before it is sent, and says on the log
                (`invokeai_py_client.live`, INFO) what it waits for. If it is given up while it waits, nothing is
                enqueued.
            runs: how often each item is to be run.
            on_server_loss: what to do about an item that a restarted server has canceled: `report` it as canceled, or
                `resubmit` it, so that the run goes on with a new item in its place.
            timeout: seconds that a `low` or `high` submission may wait for its turn; None for as long as it takes.
            batch_id: an id of the caller's choosing, such as `str(uuid.uuid4())`. If the queue has items of this batch
                already, they are followed and nothing is sent, so it is safe to submit again with the same id. None
                for a new id.
            destination: is stored with each item, so that they can be told apart from others and canceled together
                (`client.queue.cancel_by_destination`). The web UI shows results for "gallery" only as they come.
            origin: likewise, says what submitted them.
            seed: the value of all `seed_inputs()` in this submission. Edges from random nodes to them are left out of
                it. The handle keeps its values and edges. None for the seeds that the workflow has.

        Returns:
            The run: `batch_id`, `item_id`, `item_ids`, `session_id`, `enqueued`, and the verbs.

        Raises:
            SettingsError: there is no such priority.
            InputNotFoundError: `seed` was given, and nothing in the workflow is random.
            InputValueError: an input does not take `seed`.
            SubmitTimeout: its turn had not come within `timeout`. Nothing was sent.
            UnknownNodeError: the server lacks node types; there may be other problems too.
            BatchError: the batch nodes make no batch; there may be other problems too.
            InputsNotReadyError: anything else that `validate_inputs` finds, such as a called workflow that is gone or
                takes other inputs. It is the base class of the two above; each lists all problems.
            GraphRejectedError: the server refuses a node's value; it names the node and the field.
            NotEnqueuedError: the queue has no room, or the batch has no items.
            EnqueueInDoubtError: it could not be found out whether the batch is in the queue. Submit again with its
                `batch_id`, or follow it with `client.run(batch_id=...)`.
            InvokeAIError: as any request. If the batch was sent, the error has its `batch_id`; the queue has no item
                of it if `may_have_been_applied` is false.
        """
        return Run(
            self._aio._submit_blocking(
                queue_id,
                priority=priority,
                runs=runs,
                on_server_loss=on_server_loss,
                timeout=timeout,
                batch_id=batch_id,
                destination=destination,
                origin=origin,
                seed=seed,
            )
        )

    def on_event(
        self, handler: Callable[[Event], Any], *, types: str | Collection[str] | None = None
    ) -> Callable[[], None]:
        """Call `handler` with each event of this handle's runs, in order: of the latest run from its start, and later.

        It is called on the loop that runs when it is registered. Where none does, it is called by whatever waits for
        one of the runs: `run.wait()`, `run.result()`, `wait_for_completion_sync()` in their thread, the awaited ones
        on their loop. It has seen a run's last event when such a wait returns. What it raises is logged once.

        Progress events of a slow handler give way to newer ones of the same node. If no thread ever waits, the oldest
        events are dropped when 100,000 are waiting.

        Args:
            handler: a function, or an `async` one, which is awaited before the next event.
            types: only events of this type, such as `"generator_progress"`, or of these types.

        Returns:
            A function that ends it.

        Raises:
            SettingsError: `types` names an event that no run has; the message lists those that there are.

        Example:
            >>> stop = wf.on_event(lambda event: print(event.type))
        """
        return self._aio.on_event(handler, types=types)

    def stream_events(self, session_id: str | None = None) -> EventStream:
        """The events of a run, from its start, until it has ended; called late, it still tells the whole story.

        Args:
            session_id: of the run, `submission["session_id"]`; the latest run of this handle if it is left out.

        Returns:
            What `async for` takes, and `for`: leaving the loop unsubscribes.

        Raises:
            NotSubmittedError: nothing was submitted yet, or nothing with that session.

        Example:
            >>> async for event in wf.stream_events():
            ...     if isinstance(event, GeneratorProgress):
            ...         print(f"{event.step}/{event.total_steps}")
        """
        return self._aio.stream_events(session_id)

    def wait_for_completion_sync(
        self,
        submission: Run | None = None,
        *,
        timeout: float | None = None,
        poll_interval: PollInterval = POLL_INTERVAL,
        progress_callback: ProgressCallback | None = None,
    ) -> QueueItem:
        """Wait until a run has ended, however it ended. Giving it up leaves the run as it is.

        Args:
            submission: the run; the latest one of this handle if it is left out.
            timeout: seconds; None waits as long as it takes.
            poll_interval: seconds, or a function of the attempt (0, 1, ...) that returns them: the callback is called
                at least this often, and the server is asked this often while its socket is down. Pushed events wake
                the wait at once, whatever this is.
            progress_callback: called in the waiting thread, or on the loop that awaits, with the queue item as it is
                (`status`, `progress_percentage`, `current_step`, `total_steps`). What it raises ends the wait, not
                the run.

        Returns:
            The finished queue item whatever its status, with `error` if it failed.

        Raises:
            RunTimeout: a `TimeoutError`: it had not ended in time. It goes on.
            NotSubmittedError: nothing was submitted yet.
        """
        return self._aio._wait_for_completion_blocking(
            aio_of(submission), timeout=timeout, poll_interval=poll_interval, progress_callback=progress_callback
        )

    def cancel(self, submission: Run | None = None) -> None:
        """Cancel a run, the latest one if none is given; a wait for it then ends with status `canceled`.

        Raises:
            NotSubmittedError: nothing was submitted yet.
        """
        work = self._aio.cancel(aio_of(submission))
        del submission
        return self._aio._engine.block(work)

    def map_outputs_to_images(self, result: QueueItem) -> list[OutputMapping]:
        """Say which images and videos each output node made.

        Output nodes are those that make images or videos and are not intermediate.

        Args:
            result: what a wait returned.

        Returns:
            For each output node `node_id`, `node_type`, `label`, `input_index`, `board_id`, `image_names` and
            `video_names`, which are empty if it made none. Those with a board input in the form come first, in the
            form's order. Then come the output nodes of called workflows that made something: their `call_path` has
            the ids of the call nodes that lead to them, and their `node_id` is that in the called workflow.
        """
        return self._aio.map_outputs_to_images(result)

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
