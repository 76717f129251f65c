"""`WorkflowHandle`: the blocking class of a workflow, which also has some awaited methods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Never

from invokeai_py_client.blocking.generated.run import Run
from invokeai_py_client.blocking.generated.workflow_handle_methods import WorkflowHandleMethods
from invokeai_py_client.earlier_names import refuse
from invokeai_py_client.live.priority import Priority, PriorityName
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.run import POLL_INTERVAL, PollInterval, ProgressCallback
from invokeai_py_client.runtime.twins import aio_of
from invokeai_py_client.wire.events import Event
from invokeai_py_client.workflow.inputs import InputKey
from invokeai_py_client.workflow.model_binding import ModelBinding
from invokeai_py_client.workflow_handle import DESTINATION, ORIGIN, OnServerLoss


class WorkflowHandle(WorkflowHandleMethods):
    """A workflow with its own input values: set its inputs, submit it, wait for it, and get its results.

    Created by `client.workflow_repo.create_workflow(definition)`. Handles are cheap: create as many as you need. A
    submission takes the values of that moment.

    `submit` and `wait_for_completion` are awaited and return blocking objects; `submit_sync` and
    `wait_for_completion_sync` block. All methods of `wf.aio` are awaited, and return awaited objects.

    Example:
        >>> wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("tiger.json"))
        >>> wf.inputs["Positive Prompt"].value = "a tiger cub"
        >>> wf.submit_sync()
        >>> result = wf.wait_for_completion_sync(timeout=120)
    """

    def _instead_of(self, name: str) -> str:
        return f" To set an input: wf.inputs[{name!r}].value = ..."

    async def submit(
        self,
        queue_id: str = "default",
        *,
        subscribe_events: bool = True,
        priority: Priority | PriorityName | None = Priority.NORMAL,
        runs: int = 1,
        on_server_loss: OnServerLoss = "report",
        timeout: float | None = None,  # noqa: ASYNC109
        batch_id: str | None = None,
        destination: str = DESTINATION,
        origin: str = ORIGIN,
        seed: int | None = None,
        **unknown: Never,
    ) -> Run:
        """Enqueue the workflow with its current values, awaited from any loop. See `submit_sync` for all arguments.

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

        Args:
            queue_id: the queue.
            subscribe_events: has no effect. The events of a run are always received from its start, and can be read at
                any time.

        Returns:
            The run, whose methods block; those of `run.aio` are awaited.

        Raises:
            InvokeAIError: as for `submit_sync`.

        Example:
            >>> run = await wf.submit()
            >>> await wf.wait_for_completion(run, timeout=300)
        """
        on_event = "Read `async for event in run.stream()`, or register wf.on_event(handler, types=...)."
        refuse(
            "submit",
            unknown,
            on_invocation_started=on_event,
            on_invocation_progress=on_event,
            on_invocation_complete=on_event,
            on_invocation_error=on_event,
        )
        return Run(
            await self._aio.submit(
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

    async def submit_sync_monitor_async(
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
    ) -> AsyncIterator[Event]:
        """Submit, and yield the run's events until it has ended: `async for event in wf.submit_sync_monitor_async()`.

        Raises:
            InvokeAIError: as for `submit_sync`.
        """
        run = await self._aio.submit(
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
        async with run.stream() as events:
            async for event in events:
                yield event

    def stream_events_sync(self, session_id: str | None = None) -> EventStream:
        """Do the same as `stream_events`, for code without a loop: `for event in wf.stream_events_sync()`."""
        return self.stream_events(session_id)

    async def wait_for_completion(
        self,
        submission: Run | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the page's own name
        poll_interval: PollInterval = POLL_INTERVAL,
        progress_callback: ProgressCallback | None = None,
    ) -> QueueItem:
        """Wait until a run has ended, awaited from any loop. Cancelling it does not affect the run.

        Arguments, result and errors are those of `wait_for_completion_sync`. `progress_callback` may be an `async`
        function. When it returns, handlers that are called on this loop have received the run's last event, unless they
        take longer than `timeout`.

        Example:
            >>> result = await wf.wait_for_completion(timeout=300)
        """
        return await self._aio.wait_for_completion(
            aio_of(submission),
            timeout=timeout,
            poll_interval=poll_interval,
            progress_callback=progress_callback,
        )

    async def sync_dnn_model_async(self, by_name: bool = True, by_base: bool = True) -> ModelBinding:
        """Do the same as `sync_dnn_model`, awaited from any loop."""
        return await self._aio.sync_dnn_model(by_name, by_base)

    async def validate_inputs_async(self) -> dict[InputKey, list[str]]:
        """Do the same as `validate_inputs`, awaited from any loop."""
        return await self._aio.validate_inputs()
