"""`WorkflowHandle`: one workflow with values of its own, ready to be submitted again and again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, overload

from invokeai_py_client.errors import NotFoundError, NotSubmittedError
from invokeai_py_client.image import AsyncImage, Image
from invokeai_py_client.live.following import Following
from invokeai_py_client.live.queue_item import QueueItem
from invokeai_py_client.run import POLL_INTERVAL, AsyncRun, ProgressCallback, Run
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import boards, models, utilities
from invokeai_py_client.workflow.batching import batch_data, batch_nodes, check_batches
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import Edge, WorkflowDefinition
from invokeai_py_client.workflow.fields import Field
from invokeai_py_client.workflow.generators import BoardImages, ServerGenerator
from invokeai_py_client.workflow.graph import build_graph, with_values
from invokeai_py_client.workflow.inputs import (
    InputKey,
    WorkflowFields,
    WorkflowInput,
    WorkflowInputs,
    check_nodes,
    set_all,
    shown_inputs,
)
from invokeai_py_client.workflow.model_binding import ModelBinding, bind_models
from invokeai_py_client.workflow.outputs import OutputMapping, map_outputs
from invokeai_py_client.workflow.readiness import check_ready, missing_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

logger = logging.getLogger("invokeai_py_client.workflow")


class WorkflowHandle:
    """One workflow with values of its own: set its inputs, submit it, wait, see what it made.

    Made by `client.workflow_repo.create_workflow(definition)`. Making one is cheap; make one for each set of values
    that should run at the same time.

    Example:
        >>> wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("tiger.json"))
        >>> wf.inputs["Positive Prompt"].value = "a tiger cub"
        >>> wf.submit_sync()
        >>> result = wf.wait_for_completion_sync(timeout=120)
    """

    def __init__(
        self,
        definition: WorkflowDefinition,
        templates: NodeTemplates,
        engine: Engine,
        http: HttpTransport,
        following: Following,
    ) -> None:
        self.definition = definition
        self._templates = templates
        self._engine = engine
        self._http = http
        self._following = following
        self._fields = WorkflowFields(definition, templates)
        self._run: Run | None = None
        self.inputs: WorkflowInputs = shown_inputs(definition, templates, self._fields)

    # Inputs

    def list_inputs(self) -> list[WorkflowInput]:
        """The inputs that the workflow's form shows, in its order."""
        return list(self.inputs)

    def get_input(self, index: int) -> WorkflowInput:
        """The input of that index.

        Raises:
            InputNotFoundError: there is none; it lists those that there are.
        """
        return self.inputs[index]

    def get_input_value(self, index: int) -> Field[Any]:
        """The typed field of the input of that index; assign its `.value`.

        Raises:
            InputNotFoundError: there is none; it lists those that there are.
        """
        return self.inputs[index].field

    # A mapping of some kinds of keys is, for a type checker, none of all kinds.
    @overload
    def set_many(self, values: Mapping[InputKey, Any]) -> None: ...
    @overload
    def set_many(self, values: Mapping[str, Any] | Mapping[int, Any] | Mapping[tuple[str, str], Any]) -> None: ...
    def set_many(self, values: Mapping[Any, Any]) -> None:
        """Set several inputs, or, if one of the values is not allowed, none of them.

        Args:
            values: by index, label, or (node id or label, field name).

        Raises:
            InputNotFoundError: one is not there.
            InputValueError: one of the values is not allowed. Every input keeps what it had.

        Example:
            >>> wf.set_many({"Positive Prompt": "a tiger cub", "Width": 512, "Height": 512})
        """
        set_all(self.inputs, values)

    def sync_dnn_model(self, by_name: bool = True, by_base: bool = True) -> ModelBinding:
        """Bind every model input to a model that the server has installed.

        A file names models of its author's server. An input's model is looked for by key, else hash, else name, base
        and type, else name alone, else it is the only one of that base and type.

        Rests on `GET /api/v2/models/`.

        Args:
            by_name: take the rules that go by name.
            by_base: take the rule that goes by base and type; an input without a model takes the only one that fits.

        Returns:
            The list of changes; its `unbound` says for which inputs there is no model, and why. These are also logged
            as warnings.
        """
        installed = self._engine.block(self._http.send(models.list_models()))
        edges, _ = self._kept_edges
        binding = bind_models(
            self._fields.of_models(edges), [dict(model) for model in installed], by_name=by_name, by_base=by_base
        )
        for unbound in binding.unbound:
            logger.warning("no model for %s", unbound)
        return binding

    # Submitting

    def _build_submission(self) -> dict[str, Any]:
        """The body of `enqueue_batch` for the values as they are, as the web UI would send it.

        Asks the server only where generators do: for dynamic prompts, and for the images of a board.

        Raises:
            BatchError: a generator's value cannot be understood.
            InvokeAIError: as any request.
        """
        return self._engine.block(self._compose(check=False))

    async def _compose(self, *, check: bool) -> dict[str, Any]:
        edges, edge_warnings = self._kept_edges
        batches = batch_nodes(self.definition, self._fields, edges)
        answers = {
            batch.node.id: await self._ask(batch.items) for batch in batches if not isinstance(batch.items, list)
        }
        if check:
            check_nodes(self.definition, self._templates)
            source = self.definition.source or self.definition.name
            check_batches(batches, answers, source=source)
            check_ready(missing_inputs(self.definition, self._templates, self._fields, edges), source=source)
        built = build_graph(self.definition, self._templates, self._fields, edges)
        for warning in (*edge_warnings, *built.warnings):
            logger.warning("%s: %s", self.definition.name or "workflow", warning)
        return {
            "prepend": False,
            "batch": {
                "graph": built.graph,
                "workflow": with_values(self.definition, self._fields),
                "runs": 1,
                "origin": "workflows",
                "destination": "gallery",
                "data": batch_data(batches, edges, answers),
            },
        }

    @cached_property
    def _kept_edges(self) -> tuple[tuple[Edge, ...], tuple[str, ...]]:
        return kept_edges(self.definition, self._templates)

    async def _ask(self, generator: ServerGenerator) -> list[Any]:
        """The items that only the server can make; what it cannot make is an empty list, as in the web UI."""
        if isinstance(generator, BoardImages):
            call = boards.list_image_names(generator.board_id, categories=generator.categories, is_intermediate=False)
            try:
                return [{"image_name": name} for name in await self._http.send(call)]
            except NotFoundError:
                logger.warning("there is no board %r to take images from", generator.board_id)
                return []
        seed = generator.seed
        if seed is None and not generator.combinatorial:
            seed = random.randrange(2**32)
        result = await self._http.send(
            utilities.dynamic_prompts(
                generator.prompt,
                max_prompts=generator.max_prompts,
                combinatorial=generator.combinatorial,
                seed=seed,
            )
        )
        if result.error:
            logger.warning("the dynamic prompt %r cannot be read: %s", generator.prompt, result.error)
            return []
        return list(result.prompts)

    def submit_sync(self, *, queue_id: str = "default") -> Run:
        """Put the workflow into the server's queue, with the values as they are now.

        Rests on `POST /api/v1/queue/{queue_id}/enqueue_batch`. The batch's id is made here, and if the answer is lost
        the server is asked for it, so that nothing is enqueued twice.

        Args:
            queue_id: the queue.

        Returns:
            The run: `batch_id`, `item_id`, `item_ids`, `session_id`, `enqueued`, and the verbs.

        Raises:
            UnknownNodeError: the server lacks nodes of it.
            BatchError: its batch nodes make no batch.
            InputsNotReadyError: nodes lack a value or an edge that they cannot do without; it lists them all.
            GraphRejectedError: the server refuses a node's value; it names the node and the field.
            NotEnqueuedError: the queue has no room.
            InvokeAIError: as any request. Nothing is in the queue then.
        """
        return self._engine.block(self._submit(queue_id))

    async def submit(self, *, queue_id: str = "default") -> Run:
        """`submit_sync`, awaited from any loop."""
        return await self._engine.call(self._submit(queue_id))

    async def _submit(self, queue_id: str) -> Run:
        live = await self._following.submit(queue_id, await self._compose(check=True))
        map_images = self._image_mapper()
        run = self._run = Run(AsyncRun(self._engine, self._http, self._following, live, map_images))
        return run

    # Waiting

    def wait_for_completion_sync(
        self,
        submission: Run | None = None,
        *,
        timeout: float | None = None,
        poll_interval: float = POLL_INTERVAL,
        progress_callback: ProgressCallback | None = None,
    ) -> QueueItem:
        """Wait until a run has ended, however it ended.

        Args:
            submission: the run; the latest one of this handle if it is left out.
            timeout: seconds; None waits as long as it takes.
            poll_interval: seconds: the callback is called at least this often, and the server asked this often while
                its socket is down. Pushed events wake the wait at once, whatever this is.
            progress_callback: called in this thread with the queue item as it is (`status`, `progress_percentage`,
                `current_step`, `total_steps`). What it raises ends the wait, not the run.

        Returns:
            The finished queue item whatever its status, with `error` if it failed.

        Raises:
            RunTimeout: a `TimeoutError`: it had not ended in time. It goes on.
            NotSubmittedError: nothing was submitted yet.
        """
        run = self._latest(submission)
        return run.wait(timeout, poll_interval=poll_interval, progress_callback=progress_callback)

    async def wait_for_completion(
        self,
        submission: Run | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the page's own name
    ) -> QueueItem:
        """`wait_for_completion_sync`, awaited from any loop; cancelling it leaves the run as it is."""
        return await self._latest(submission).aio.wait(timeout)

    def _latest(self, submission: Run | None) -> Run:
        run = submission or self._run
        if run is None:
            raise NotSubmittedError(
                f"Nothing of {self.definition.name or 'this workflow'!r} was submitted yet.",
                hint="Call submit_sync() or await submit() first.",
            )
        return run

    # Results

    def map_outputs_to_images(self, result: QueueItem) -> list[OutputMapping]:
        """Say which images each output node made.

        Output nodes are those that make images and are not intermediate.

        Args:
            result: what a wait returned.

        Returns:
            For each output node `node_id`, `node_type`, `label`, `input_index`, `board_id` and `image_names`, which
            are empty if it made none. Those with a board input in the form come first, in the form's order.
        """
        return map_outputs(
            self.definition,
            self._templates,
            self._fields,
            self.inputs,
            ((output.node_id, output.result) for output in result.outputs),
        )

    def _image_mapper(self) -> Callable[[QueueItem], list[Image]]:
        def images_of(item: QueueItem) -> list[Image]:
            return [
                Image(AsyncImage(self._engine, self._http, name))
                for mapping in self.map_outputs_to_images(item)
                for name in mapping.image_names
            ]

        return images_of

    def __repr__(self) -> str:
        values: Mapping[str, Any] = {i.label: i.value for i in self.inputs}
        return f"<WorkflowHandle {self.definition.name!r} {values}>"
