"""A workflow and its values as the body of `enqueue_batch`, with what only the server can tell filled in."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import NotFoundError, SettingsError
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import boards, utilities
from invokeai_py_client.workflow.batching import batch_data, batch_nodes, check_batches
from invokeai_py_client.workflow.called_workflows import call_problems, ignored_inputs
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import Edge, WorkflowDefinition
from invokeai_py_client.workflow.generators import BoardImages, ServerGenerator
from invokeai_py_client.workflow.graph import build_graph, with_values
from invokeai_py_client.workflow.inputs import WorkflowFields, check_nodes
from invokeai_py_client.workflow.model_binding import ModelBinding, bind_models
from invokeai_py_client.workflow.readiness import InputProblem, check_ready, missing_inputs
from invokeai_py_client.workflow.references import BoardReference, Reference, Unresolved, references_in, with_answers
from invokeai_py_client.workflow.server_things import things_named
from invokeai_py_client.workflow.templates import NodeTemplates

logger = logging.getLogger("invokeai_py_client.workflow")

P = ParamSpec("P")
T = TypeVar("T")


class Composer:
    """Composes the submissions of one handle. All coroutines run on the engine.

    Args:
        definition: the document.
        templates: the server's node templates.
        fields: the handle's values.
        http: for what the server must be asked.
        catalog: what the server has.
        original: the document as its author saved it, if its calls of other workflows were brought up to date.
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
        self._kept: tuple[tuple[Edge, ...], tuple[str, ...]] | None = None

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Those of the document's edges that hold."""
        return self._kept_edges[0]

    @property
    def _kept_edges(self) -> tuple[tuple[Edge, ...], tuple[str, ...]]:
        if self._kept is None:
            self._kept = kept_edges(self._definition, self._templates)
        return self._kept

    async def _check_edges(self) -> None:
        """Check the edges once, so that what follows finds them checked."""
        if self._kept is None:
            self._kept = await self._worked_out(kept_edges, self._definition, self._templates)

    async def _worked_out(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run pure work, that on a large document in a thread: all other calls of the client wait for the engine."""
        if self._definition.is_large:
            return await asyncio.to_thread(work, *args, **kwargs)
        return work(*args, **kwargs)

    async def bind_models(self, *, by_name: bool, by_base: bool) -> ModelBinding:
        """Bind the model inputs to what the server has installed, by the rules of `workflow/model_binding.py`."""
        installed = [dict(model) for model in await self._catalog.models()]
        await self._check_edges()
        binding = bind_models(self._fields.of_models(self.edges), installed, by_name=by_name, by_base=by_base)
        for unbound in binding.unbound:
            logger.warning("no model for %s", unbound)
        return binding

    async def compose(self, *, check: bool, runs: int = 1) -> dict[str, Any]:
        """The body of `enqueue_batch`.

        Args:
            check: refuse what could not run: unknown nodes, empty batches, inputs with problems.
            runs: how often the server is to run each item.

        Raises:
            UnknownNodeError: `check`, and the server lacks nodes of it.
            BatchError: a generator cannot be understood; or `check`, and its batch nodes make no batch.
            InputsNotReadyError: a name stands for nothing on the server; or `check`, and inputs have problems.
            InvokeAIError: as any request.
        """
        await self._check_edges()
        edges, edge_warnings = self._kept_edges
        batches = await self._worked_out(batch_nodes, self._definition, self._fields, edges)
        made = {batch.node.id: await self._ask(batch.items) for batch in batches if not isinstance(batch.items, list)}
        answers, problems = await self._answers()
        if check:
            check_nodes(self._definition, self._templates)
            check_batches(batches, made, source=self._source)
            problems = await self._problems(problems)
        check_ready(problems, source=self._source)
        default_board = await self._default_board()
        built = await self._worked_out(
            build_graph, self._definition, self._templates, self._fields, edges, default_board=default_board
        )
        for warning in (*edge_warnings, *built.warnings):
            logger.warning("%s: %s", self._definition.name or "workflow", warning)
        batch: dict[str, Any] = {
            "graph": built.graph,
            "workflow": await self._worked_out(with_values, self._definition, self._fields),
            "runs": runs,
            "origin": "workflows",
            "destination": "gallery",
            "data": batch_data(batches, edges, made),
        }
        return {"prepend": False, "batch": with_answers(batch, answers) if answers else batch}

    async def problems(self) -> list[InputProblem]:
        """Everything that keeps the workflow from running that can be known before it runs."""
        _, problems = await self._answers()
        await self._check_edges()
        return await self._problems(problems)

    async def _problems(self, unresolved: Iterable[InputProblem]) -> list[InputProblem]:
        found = [
            *missing_inputs(self._definition, self._templates, self._fields, self.edges),
            *unresolved,
        ]
        named = [*things_named(self._definition, self._templates, self._fields, self.edges)]
        for thing in await self._catalog.missing(named):
            found.append(InputProblem(thing.place, f"the server does not have {thing}"))
        return [*found, *await self._call_problems()]

    async def _call_problems(self) -> list[InputProblem]:
        """What would make the call of a saved workflow fail; asks the server if there are such calls."""
        called = await self._catalog.workflows_called_by(self._definition, self._templates, self._fields)
        for warning in ignored_inputs(called, self._templates):
            logger.warning("%s: %s", self._definition.name or "workflow", warning)
        return call_problems(self._original, self._definition, self._templates, self._fields, self.edges, called)

    async def _answers(self) -> tuple[dict[Reference, dict[str, str]], list[InputProblem]]:
        """What the references among the values stand for, and those that stand for nothing."""
        answers: dict[Reference, dict[str, str]] = {}
        problems = []
        for field in self._fields.made():
            for reference in references_in(field.raw):
                try:
                    answers[reference] = await self._catalog.answer(reference)
                except Unresolved as error:
                    problems.append(InputProblem(field.place, f"{reference}: {error}"))
        return answers, problems

    async def _default_board(self) -> str | None:
        board = self._http.settings.default_board
        if board is None:
            return None
        try:
            return (await self._catalog.answer(BoardReference(board)))["board_id"]
        except Unresolved as error:
            raise SettingsError(
                f"The client's default board cannot be used: {error}.",
                setting="default_board",
                hint="Give the name or id of a board of this server, or none.",
            ) from error

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

    @property
    def _source(self) -> str:
        return self._definition.source or self._definition.name
