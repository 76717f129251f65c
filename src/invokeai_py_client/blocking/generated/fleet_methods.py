# Generated from fleet/async_fleet.py by scripts/generate_blocking.py. Do not edit.
"""`FleetMethods`: the methods of `AsyncFleet`, blocking."""

from __future__ import annotations

import os
from collections.abc import Sequence

import invokeai_py_client as public
from invokeai_py_client.batch.batch_options import WhichImages
from invokeai_py_client.batch.file_names import DEFAULT_TEMPLATE
from invokeai_py_client.blocking.generated.batch_run import BatchRun
from invokeai_py_client.blocking.generated.plan import Plan
from invokeai_py_client.live.priority import Priority, PriorityName
from invokeai_py_client.runtime.twins import Blocking, aio_of


class FleetMethods(Blocking["public.AsyncFleet"]):
    """Several servers that run batches together. `Fleet` blocks, `AsyncFleet` (`fleet.aio`) is awaited.

    Example:
        >>> with Fleet(["http://gpu1:9090", "http://gpu2:9090"]) as fleet:
        ...     wf = fleet.workflow("tiger.json")
        ...     plan = wf.plan({"Positive Prompt": ["a tiger cub", "an otter pup"]}, seeds=100)
        ...     fleet.submit(plan, folder="out").wait()
    """

    @property
    def servers(self) -> Sequence[public.Server]:
        """The servers that the fleet was given; none for a fleet on a Dask cluster, whose workers name them."""
        return self._aio.servers

    def workflow(self, source: str | os.PathLike[str] | public.WorkflowDefinition) -> public.WorkflowHandle:
        """Return a handle of a workflow, created with the first server that responds.

        Its plans may name models of any server: each row runs on a server that has its models. The handle's own
        methods, such as `wf.submit_sync`, use only that first server.

        Args:
            source: the path of a workflow file, or a definition.

        Raises:
            SettingsError: the fleet is a Dask cluster: create the handle and its plan with an `InvokeAIClient`.
            WorkflowError: the workflow cannot be used.
            TransportError: no server responds.
            InvokeAIError: a request failed.

        Example:
            >>> wf = fleet.workflow("tiger.json")
        """
        work = self._aio.workflow(source)
        del source
        return public.WorkflowHandle(self._aio._engine.block(work))

    def load_plan(self, path: str | os.PathLike[str]) -> Plan:
        """Load a plan that `plan.save` has written, with the first server that responds. See `client.load_plan`.

        Args:
            path: the path of the file.

        Raises:
            SettingsError: the fleet is a Dask cluster: load the plan with an `InvokeAIClient`.
            PlanError: the file cannot be read, or rows cannot run on that server.
            TransportError: no server responds.
            InvokeAIError: a request failed.

        Example:
            >>> batch = fleet.submit(fleet.load_plan("cats.plan.json"), folder="out")
        """
        work = self._aio.load_plan(path)
        del path
        return Plan(self._aio._engine.block(work))

    def submit(
        self,
        plan: Plan,
        folder: str | os.PathLike[str] | None = None,
        *,
        images: WhichImages = "outputs",
        file_name: str = DEFAULT_TEMPLATE,
        priority: Priority | PriorityName | None = Priority.NORMAL,
        queue_id: str = "default",
        stop_after_failures: int | None = None,
        report: bool = False,
        overwrite: bool = False,
    ) -> BatchRun:
        """Run the rows of a plan on the servers, in the background, each row on one of them.

        The batch has the same folder, manifest and report as one of `plan.submit`, and can be continued in its folder
        with other servers, or with a single one. A server gets a new row when it has finished one, so a fast server
        gets more of them. A row goes only to servers that can run it, and preferably to one that has its models
        loaded. If a server is lost, others run its rows, unless it comes back and has run them.

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch, on each server.

        Args:
            plan: the plan, created with this fleet or with any client.
            folder: the folder of the images and the manifest; as for `plan.submit`.
            images: which images are downloaded; as for `plan.submit`.
            file_name: the template of the images' file names; as for `plan.submit`.
            priority: the priority of each row; as for `wf.submit_sync`.
            queue_id: the queue, on each server.
            stop_after_failures: stop when this many rows have failed; None for no limit.
            report: write the page `index.html` and a contact sheet into the folder.
            overwrite: delete the results of an earlier batch in the folder, and cancel its rows on the servers.

        Returns:
            The batch. It runs for as long as the fleet is open.

        Raises:
            SettingsError: an argument cannot be used.
            BatchFolderError: the folder is in use, holds results of another workflow, or cannot be written.
            PlanError: no server can run any row.
            TransportError: no server can be used.
            InvokeAIError: Dask is not installed, or a request failed.

        Example:
            >>> batch = fleet.submit(plan, folder="out")
            >>> batch.wait(progress_callback=print)
        """
        work = self._aio.submit(
            aio_of(plan),
            folder,
            images=images,
            file_name=file_name,
            priority=priority,
            queue_id=queue_id,
            stop_after_failures=stop_after_failures,
            report=report,
            overwrite=overwrite,
        )
        del plan, folder, images, file_name, priority, queue_id, stop_after_failures, report, overwrite
        return BatchRun(self._aio._engine.block(work))

    def batch_run(self, folder: str | os.PathLike[str]) -> BatchRun:
        """Continue a batch in its folder, whichever servers have run it so far. See `client.batch_run`.

        Args:
            folder: the folder of the batch.

        Raises:
            SettingsError: the folder is ''.
            BatchFolderError: the folder is in use by another process, or cannot be written.
            PlanError: the folder has no batch, or no server can run its rows.
            InvokeAIError: as for `submit` and `load_plan`.

        Example:
            >>> fleet.batch_run("out").wait(progress_callback=print)
        """
        work = self._aio.batch_run(folder)
        del folder
        return BatchRun(self._aio._engine.block(work))

    def status(self, timeout: float = 5.0, *, queue_id: str = "default") -> public.FleetStatus:
        """Return the status of each server: whether it can be used, its devices, queue, speed and last failure.

        All servers are asked at the same time. A problem of a server is part of its status and is not raised.
        `ServerStatus.own` counts the rows of the batches that this fleet runs.

        Endpoint: GET /api/v1/app/version
        Endpoint: GET /api/v1/app/generation_device_options
        Endpoint: GET /api/v1/app/runtime_config
        Endpoint: GET /api/v1/queue/{queue_id}/status
        Endpoint: GET /api/v1/queue/{queue_id}/item_ids
        Endpoint: POST /api/v1/queue/{queue_id}/item_summaries_by_ids
        Endpoint: GET /api/v2/models/stats

        Args:
            timeout: seconds. A server that has not responded by then is `silent`.
            queue_id: the queue, on each server.

        Raises:
            SettingsError: the timeout is not a positive number of seconds.
            TransportError: the fleet is a Dask cluster, and its scheduler cannot be reached.

        Example:
            >>> for server in fleet.status():
            ...     print(server.name, server.state, server.pending, server.rows_per_hour)
        """
        work = self._aio.status(timeout, queue_id=queue_id)
        del timeout, queue_id
        return self._aio._engine.block(work)
