"""Composes the body of `enqueue_batch` from a workflow and its values. Resolves names, and uploads images."""

from __future__ import annotations

import asyncio
import copy
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import NotFoundError, SettingsError
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire import calls
from invokeai_py_client.workflow.batching import BatchNode, batch_data, batch_nodes, read_batches
from invokeai_py_client.workflow.called_workflows import call_problems, ignored_inputs
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.generators import BoardImages, ServerGenerator
from invokeai_py_client.workflow.graph import build_graph, with_values
from invokeai_py_client.workflow.model_binding import ModelBinding, bind_models
from invokeai_py_client.workflow.named_resources import named_resources
from invokeai_py_client.workflow.readiness import (
    InputProblem,
    batch_problems,
    check_ready,
    input_problems,
    unreadable_batch,
)
from invokeai_py_client.workflow.references import (
    BoardReference,
    LocalImage,
    Reference,
    Unresolved,
    references_in,
    with_resolved,
)
from invokeai_py_client.workflow.templates import NodeTemplates

logger = logging.getLogger("invokeai_py_client.workflow")

_KNOWN = {"is_known": True}
"""Marks log records of what the caller gets, too."""

P = ParamSpec("P")
T = TypeVar("T")


class Composer:
    """Composes the submissions of one handle. All coroutines run on the engine.

    Args:
        definition: the document.
        templates: the server's node templates.
        fields: the handle's values.
        http: sends the requests.
        catalog: the resources of the server.
        original: the document as its author saved it, if its calls of other workflows were updated.
    """

    def __init__(
        self,
        definition: WorkflowDefinition,
        templates: NodeTemplates,
        fields: WorkflowFields,
        http: Sender,
        catalog: Catalog,
        *,
        original: WorkflowDefinition | None = None,
    ) -> None:
        self._definition = definition
        self._templates = templates
        self._fields = fields
        self._http = http
        self._catalog = catalog
        self._original = definition if original is None else original
        self._unbound: dict[tuple[str, str], str] = {}

    async def _worked_out(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function, for a large document in a thread, so that it does not block the engine."""
        if self._definition.is_large:
            return await asyncio.to_thread(work, *args, **kwargs)
        return work(*args, **kwargs)

    async def bind_models(self, *, by_name: bool, by_base: bool) -> ModelBinding:
        """Bind the model inputs to installed models, by the rules of `workflow/model_binding.py`."""
        edges = await self._worked_out(lambda: self._fields.edges)
        fields = [*self._fields.of_models(edges)]
        installed = [dict(model) for model in await self._catalog.models()] if fields else []
        binding = bind_models(fields, installed, by_name=by_name, by_base=by_base)
        for change in binding.renamed:
            logger.warning("an input was bound to another model than in the file: %s", change, extra=_KNOWN)
        for unbound in binding.unbound:
            logger.warning("no model for %s", unbound, extra=_KNOWN)
        self._unbound = {(one.place.node_id, one.place.name): one.why for one in binding.unbound}
        return binding

    def _explained(self, problem: InputProblem) -> InputProblem:
        """Add the reason if `bind_models` has found no model for the input, and the input was not set since then."""
        place = (problem.place.node_id, problem.place.name)
        why = self._unbound.get(place)
        field = None if why is None else self._fields.get(*place)
        if field is None or field.is_changed:
            return problem
        return problem._replace(why=f"{problem.why}, and no model fits: {why}")

    def snapshot(self, changes: Mapping[tuple[str, str], Any] | None = None) -> Composer:
        """Return a composer of the current values, which the caller may change while a body is composed.

        Args:
            changes: other values, by (node id, input name). They override edges.

        Raises:
            InputValueError: an input does not accept its value.
        """
        twin = copy.copy(self)
        twin._fields = self._fields.snapshot()
        for (node_id, name), value in (changes or {}).items():
            field = twin._fields.get(node_id, name)
            assert field is not None, "the place is that of an input"
            field.set(value, override_edge=True)
        return twin

    @property
    def fields(self) -> WorkflowFields:
        """The values."""
        return self._fields

    async def compose(self, *, check: bool, runs: int = 1, stored: WorkflowFields | None = None) -> dict[str, Any]:
        """Compose the body of `enqueue_batch`. Images are uploaded last, when there are no other problems.

        Args:
            check: raise an error if the workflow cannot run.
            runs: the number of times that the server runs each item.
            stored: the values of the workflow that is stored with the images; None for the values that run.

        Raises:
            UnknownNodeError: `check` is set, and the server lacks node types.
            BatchError: a generator cannot be read; or `check` is set, and the batch nodes do not form a batch.
            InputsNotReadyError: the server has nothing with a name that an input contains; or `check` is set, and there
                are other problems. With `check`, the error lists all problems, whatever its class.
            InvokeAIError: a request failed.
        """
        await self._worked_out(lambda: self._fields.edges)
        if check:
            batches, generated, resolved, problems = await self._checked()
        else:
            batches = await self._worked_out(batch_nodes, self._definition, self._fields, self._fields.edges)
            generated = await self._generated(batches)
            resolved, problems = await self._resolved()
        check_ready(problems, definition=self._definition, templates=self._templates)
        default_board = await self._default_board()
        edges = self._fields.edges
        built = await self._worked_out(
            build_graph, self._definition, self._templates, self._fields, edges, default_board=default_board
        )
        for warning in (*self._fields.dropped_edges, *built.warnings):
            logger.warning("%s: %s", self._definition.name or "workflow", warning)
        batch: dict[str, Any] = {
            "graph": built.graph,
            "workflow": await self._worked_out(with_values, self._definition, stored or self._fields),
            "runs": runs,
            "origin": "workflows",
            "destination": "gallery",
            "data": batch_data(batches, edges, generated),
        }
        await self._upload(batch, resolved)
        return {"prepend": False, "batch": with_resolved(batch, resolved) if resolved else batch}

    async def problems(self) -> list[InputProblem]:
        """Find all problems that can be known before the workflow runs. Does not upload images."""
        return (await self._checked())[-1]

    async def _checked(
        self,
    ) -> tuple[list[BatchNode], dict[str, list[Any]], dict[Reference, dict[str, str]], list[InputProblem]]:
        """Return the readable batch nodes, the items that the server generated for them, the resolved references, and
        all problems."""
        problems = await self._worked_out(input_problems, self._definition, self._templates, self._fields)
        edges = self._fields.edges
        batches, errors = await self._worked_out(read_batches, self._definition, self._fields, edges)
        problems += [unreadable_batch(node, error) for node, error in errors]
        generated = await self._generated(batches)
        problems += await self._worked_out(batch_problems, batches, self._fields, generated)
        resolved, unresolved = await self._resolved()
        problems += unresolved
        named = [*named_resources(self._definition, self._templates, self._fields, edges)]
        for thing in await self._catalog.missing(named):
            problems.append(InputProblem(thing.place, f"the server does not have {thing}"))
        problems += await self._call_problems()
        return batches, generated, resolved, [*map(self._explained, problems)]

    async def _call_problems(self) -> list[InputProblem]:
        """Return the problems of calls of saved workflows. Sends requests if there are such calls."""
        called = await self._catalog.workflows_called_by(self._definition, self._templates, self._fields)
        for warning in ignored_inputs(called, self._templates):
            logger.warning("%s: %s", self._definition.name or "workflow", warning)
        edges = self._fields.edges
        return call_problems(self._original, self._definition, self._templates, self._fields, edges, called)

    async def _generated(self, batches: Sequence[BatchNode]) -> dict[str, list[Any]]:
        """Return the items that only the server can generate, by the id of the batch node."""
        return {
            batch.node.id: await self._generate(batch.items) for batch in batches if not isinstance(batch.items, list)
        }

    async def _resolved(self) -> tuple[dict[Reference, dict[str, str]], list[InputProblem]]:
        """Resolve the references in the values; those that cannot be resolved are problems. Does not upload images."""
        resolved: dict[Reference, dict[str, str]] = {}
        problems = []
        for field in self._fields.made():
            for reference in references_in(field.raw):
                try:
                    if isinstance(reference, LocalImage):
                        await self._catalog.check_image(reference)
                    else:
                        resolved[reference] = await self._catalog.resolve(reference)
                except Unresolved as error:
                    problems.append(InputProblem(field.place, f"{reference}: {error}"))
        return resolved, problems

    async def _upload(self, batch: dict[str, Any], resolved: dict[Reference, dict[str, str]]) -> None:
        """Upload the local images in a batch, and add their names to `resolved`.

        Raises:
            InputsNotReadyError: a file can no longer be read.
            InvokeAIError: a request failed.
        """
        for reference in {*references_in(batch)}:
            if isinstance(reference, LocalImage):
                try:
                    resolved[reference] = await self._catalog.resolve(reference)
                except Unresolved as error:
                    places = [one.place for one in self._fields.made() if reference in references_in(one.raw)]
                    problems = [InputProblem(place, f"{reference}: {error}") for place in places]
                    check_ready(problems, definition=self._definition, templates=self._templates)

    async def _default_board(self) -> str | None:
        board = self._http.settings.default_board
        if board is None:
            return None
        try:
            return (await self._catalog.resolve(BoardReference(board)))["board_id"]
        except Unresolved as error:
            raise SettingsError(
                f"The default board cannot be used: {error}.",
                setting="default_board",
                hint="Pass the name or id of a board on this server, or none.",
            ) from error

    async def _generate(self, generator: ServerGenerator) -> list[Any]:
        """Have the server generate items. If it cannot, return an empty list, as the web UI does."""
        if isinstance(generator, BoardImages):
            call = calls.boards.list_image_names(
                generator.board_id, categories=generator.categories, is_intermediate=False
            )
            try:
                return [{"image_name": name} for name in await self._http.send(call)]
            except NotFoundError:
                logger.warning("an image generator uses the board %r, which does not exist", generator.board_id)
                return []
        seed = generator.seed
        if seed is None and not generator.combinatorial:
            seed = random.randrange(2**32)
        result = await self._http.send(
            calls.utilities.dynamic_prompts(
                generator.prompt,
                max_prompts=generator.max_prompts,
                combinatorial=generator.combinatorial,
                seed=seed,
            )
        )
        if result.error:
            logger.warning("the dynamic prompt %r cannot be parsed: %s", generator.prompt, result.error)
            return []
        return list(result.prompts)
