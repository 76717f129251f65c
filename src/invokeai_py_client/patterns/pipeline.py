"""`WorkflowPipeline`: chains workflows, so that the output of one is the input of the next."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import reprlib
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Self

from invokeai_py_client.async_client import AsyncClient
from invokeai_py_client.blocking.generated.run import Run
from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
from invokeai_py_client.client import InvokeAIClient
from invokeai_py_client.errors import InvokeAIError, PipelineError, SettingsError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.option_checks import at_least_one
from invokeai_py_client.patterns.giving_up import awaited_canceled_if_given_up, canceled_if_given_up, warn_not_canceled
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.outputs import OutputMapping
from invokeai_py_client.workflow_handle import AsyncWorkflowHandle

logger = logging.getLogger("invokeai_py_client.patterns")

InputMapper = Callable[[WorkflowHandle, Any], object]
"""Sets the inputs of a stage. Called with the stage's workflow, and the output of the previous stage."""

AsyncInputMapper = Callable[[AsyncWorkflowHandle, Any], object | Awaitable[object]]
"""An `InputMapper` of an awaited pipeline, which may be an `async` function."""

_CONCURRENCY = 4


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """The outcome for one input of `execute_many`: the `output` of the last stage, or the `error`."""

    initial_input: Any
    output: list[OutputMapping] | None = None
    error: PipelineError | None = None


@dataclass(frozen=True, slots=True)
class _Stage:
    definition: WorkflowDefinition
    input_mapper: Callable[[Any, Any], Any]

    @property
    def name(self) -> str:
        return self.definition.name or "unnamed workflow"


class _Stages(FixedAttributes):
    """The stages of a pipeline."""

    def __init__(self) -> None:
        self._stages: list[_Stage] = []

    def _add(self, definition: WorkflowDefinition, input_mapper: Callable[[Any, Any], Any]) -> None:
        if not isinstance(definition, WorkflowDefinition):
            raise TypeError(f"definition must be a WorkflowDefinition, not {type(definition).__name__}")
        if not callable(input_mapper):
            raise TypeError(f"input_mapper must be a function, not {type(input_mapper).__name__}")
        self._stages.append(_Stage(definition, input_mapper))

    def _numbered(self) -> list[tuple[int, _Stage]]:
        if not self._stages:
            raise SettingsError(
                "The pipeline has no stages.", setting="stages", hint="Add them with add_stage(definition, mapper)."
            )
        return [*enumerate(self._stages, 1)]

    @contextlib.contextmanager
    def _naming(self, number: int, stage: _Stage, initial_input: Any) -> Iterator[None]:
        """Wrap exceptions in the block in a `PipelineError` that names the stage and the input."""
        total = len(self._stages)
        logger.info("stage %d of %d: %s", number, total, stage.name)
        try:
            yield
        except Exception as error:
            shown = error if isinstance(error, InvokeAIError) else f"{type(error).__name__}: {error}"
            raise PipelineError(
                f"Stage {number} of {total} ({stage.name!r}) failed for the input {reprlib.repr(initial_input)}: "
                f"{shown}",
                stage=number,
                stage_name=stage.name,
                initial_input=initial_input,
                cause=error,
            ) from error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {[stage.name for stage in self._stages]}>"


class AsyncWorkflowPipeline(_Stages):
    """A chain of workflows, awaited; see `WorkflowPipeline`, which blocks.

    Args:
        client: `client.aio`.

    Example:
        >>> pipeline = AsyncWorkflowPipeline(client.aio)
        >>> pipeline.add_stage(draw, lambda wf, prompt: wf.inputs["Prompt"].set(prompt))
        >>> output = await pipeline.execute("a tiger cub")
    """

    def __init__(self, client: AsyncClient) -> None:
        super().__init__()
        self._client = client

    def add_stage(self, definition: WorkflowDefinition, input_mapper: AsyncInputMapper) -> Self:
        """Add a stage at the end.

        Args:
            definition: the workflow of the stage.
            input_mapper: sets the inputs; called on the caller's loop with an `AsyncWorkflowHandle` and the output of
                the previous stage (for the first stage, the initial input), and awaited if it is `async`.

        Returns:
            The pipeline itself, so that calls can be chained.

        Raises:
            TypeError: an argument has the wrong type.
        """
        self._add(definition, input_mapper)
        return self

    async def execute(
        self,
        initial_input: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> list[OutputMapping]:
        """Run all stages, one after another; can be awaited on any loop. If the task is cancelled, the run is canceled.

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

        Args:
            initial_input: the input for the mapper of the first stage.
            timeout: the time limit for each stage, in seconds; None for no limit.

        Returns:
            The result of `map_outputs_to_images` for the last stage.

        Raises:
            SettingsError: the pipeline has no stages.
            PipelineError: a stage failed.
        """
        output = initial_input
        for number, stage in self._numbered():
            with self._naming(number, stage, initial_input):
                wf = await self._client.workflow_repo.create_workflow(stage.definition)
                returned = stage.input_mapper(wf, output)
                if inspect.isawaitable(returned):
                    await returned
                run = await wf.submit()
                async with awaited_canceled_if_given_up(run):
                    await run.wait(timeout)
                output = wf.map_outputs_to_images(await run.result())
        mapped: list[OutputMapping] = output
        return mapped

    async def execute_many(
        self,
        inputs: Iterable[Any],
        concurrency: int = _CONCURRENCY,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> list[PipelineResult]:
        """Run all stages for many inputs, several at a time; can be awaited on any loop.

        If the task is cancelled, the runs are canceled.

        Args:
            inputs: the initial inputs; each is read when its processing starts.
            concurrency: the maximum number of inputs in the pipeline at the same time.
            timeout: the time limit for each stage of each input, in seconds; None for no limit.

        Returns:
            A result for each input, in the order of the inputs.

        Raises:
            SettingsError: the pipeline has no stages, or `concurrency` is invalid.
        """
        self._numbered()
        waiting = enumerate(inputs)
        results: dict[int, PipelineResult] = {}

        async def work() -> None:
            for number, initial_input in waiting:
                try:
                    output = await self.execute(initial_input, timeout=timeout)
                except PipelineError as error:
                    results[number] = PipelineResult(initial_input, error=error)
                else:
                    results[number] = PipelineResult(initial_input, output)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_least_one("concurrency", concurrency)):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            # An exception from reading the inputs is raised without the group.
            raise errors.exceptions[0] from None
        return [results[number] for number in sorted(results)]


class WorkflowPipeline(_Stages):
    """A chain of workflows: the output of one is the input of the next, on the server, without a download.

    The class is written by hand, unlike other blocking ones, because its mappers are called in the caller's threads and
    get blocking handles.

    Args:
        client: the client.

    Example:
        >>> pipeline = WorkflowPipeline(client)
        >>> pipeline.add_stage(draw, lambda wf, prompt: wf.inputs["Prompt"].set(prompt))
        >>> pipeline.add_stage(blur, lambda wf, made: wf.inputs["Image"].set(made[0]["image_names"][0]))
        >>> pipeline.execute("a tiger cub")[0]["image_names"]
        ('71d64297-4d99-4ada-9269-45dd652073ae.png',)
    """

    def __init__(self, client: InvokeAIClient) -> None:
        super().__init__()
        self._client = client

    @property
    def aio(self) -> AsyncWorkflowPipeline:
        """The same stages, awaited; their mappers get `AsyncWorkflowHandle`s there."""
        pipeline = AsyncWorkflowPipeline(self._client.aio)
        pipeline._stages = self._stages
        return pipeline

    def add_stage(self, definition: WorkflowDefinition, input_mapper: InputMapper) -> Self:
        """Add a stage at the end.

        Args:
            definition: the workflow of the stage.
            input_mapper: sets the inputs; called with a `WorkflowHandle` and the output of the previous stage, which is
                the result of `map_outputs_to_images`. For the first stage, it is the initial input.

        Returns:
            The pipeline itself, so that calls can be chained.

        Raises:
            TypeError: an argument has the wrong type.
        """
        self._add(definition, input_mapper)
        return self

    def execute(self, initial_input: Any, *, timeout: float | None = None) -> list[OutputMapping]:
        """Run all stages, one after another.

        A timeout or Ctrl-C cancels the current run.

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

        Args:
            initial_input: the input for the mapper of the first stage.
            timeout: the time limit for each stage, in seconds; None for no limit.

        Returns:
            The result of `map_outputs_to_images` for the last stage.

        Raises:
            SettingsError: the pipeline has no stages.
            PipelineError: a stage failed. The error names the stage and the input, and its `__cause__` is the reason.
        """
        return self._execute(initial_input, timeout, _InFlight())

    def _execute(self, initial_input: Any, timeout: float | None, in_flight: _InFlight) -> list[OutputMapping]:
        output = initial_input
        for number, stage in self._numbered():
            with self._naming(number, stage, initial_input):
                wf = self._client.workflow_repo.create_workflow(stage.definition)
                returned = stage.input_mapper(wf, output)
                if inspect.iscoroutine(returned):
                    returned.close()
                    raise TypeError("input_mapper is an async function. Use it in a pipeline's `.aio`.")
                run = wf.submit_sync()
                with canceled_if_given_up(run), in_flight.holding(run):
                    run.wait(timeout)
                output = wf.map_outputs_to_images(run.result())
        mapped: list[OutputMapping] = output
        return mapped

    def execute_many(
        self, inputs: Iterable[Any], concurrency: int = _CONCURRENCY, *, timeout: float | None = None
    ) -> list[PipelineResult]:
        """Run all stages for many inputs, several at a time: while one is in its second stage, another is in its first.

        If an input fails, the others continue. Ctrl-C cancels all runs that have not ended, and starts no more.

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

        Args:
            inputs: the initial inputs; each is read when its processing starts.
            concurrency: the maximum number of inputs in the pipeline at the same time, and of threads that call
                mappers.
            timeout: the time limit for each stage of each input, in seconds; None for no limit.

        Returns:
            A result for each input, in the order of the inputs.

        Raises:
            SettingsError: the pipeline has no stages, or `concurrency` is invalid.

        Example:
            >>> for result in pipeline.execute_many(["a cub", "a fox"], concurrency=2):
            ...     print(result.initial_input, result.error or result.output)
        """
        self._numbered()
        lock = threading.Lock()
        waiting = enumerate(inputs)
        results: dict[int, PipelineResult] = {}
        in_flight = _InFlight()

        def work() -> None:
            while not in_flight.is_ended:
                with lock:
                    number, initial_input = next(waiting, (-1, None))
                if number < 0:
                    return
                try:
                    output = self._execute(initial_input, timeout, in_flight)
                except PipelineError as error:
                    results[number] = PipelineResult(initial_input, error=error)
                else:
                    results[number] = PipelineResult(initial_input, output)

        with ThreadPoolExecutor(at_least_one("concurrency", concurrency), "pipeline") as pool:
            try:
                for done in as_completed(
                    [pool.submit(contextvars.copy_context().run, work) for _ in range(concurrency)]
                ):
                    done.result()
            except BaseException:
                in_flight.end()
                raise
        return [results[number] for number in sorted(results)]


class _InFlight:
    """The runs that threads are waiting for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: set[Run] = set()
        self.is_ended = False

    @contextlib.contextmanager
    def holding(self, run: Run) -> Iterator[None]:
        """Add a run during the block, in which it is waited for."""
        with self._lock:
            self._runs.add(run)
            is_late = self.is_ended
        try:
            if is_late:
                run.cancel()
            yield
        finally:
            with self._lock:
                self._runs.discard(run)

    def end(self) -> None:
        """Cancel the runs that are waited for, and those that are added later."""
        with self._lock:
            self.is_ended = True
            runs = [*self._runs]
        for run in runs:
            try:
                run.cancel()
            except InvokeAIError as error:
                warn_not_canceled(run.batch_id, error)
