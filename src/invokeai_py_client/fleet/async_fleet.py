"""The awaited fleet, `fleet.aio`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import invokeai_py_client as public
from invokeai_py_client.async_client import AsyncClient
from invokeai_py_client.batch.async_plan import AsyncPlan
from invokeai_py_client.batch.batch_options import BatchOptions, WhichImages
from invokeai_py_client.batch.batch_run import AsyncBatchRun
from invokeai_py_client.batch.file_names import DEFAULT_TEMPLATE
from invokeai_py_client.batch.folder import batch_folder, plan_path
from invokeai_py_client.batch.plan_file import plan_text
from invokeai_py_client.errors import InvokeAIError, SettingsError, TransportError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.fleet.agent import ServerAgent
from invokeai_py_client.fleet.calls import Answer, Away
from invokeai_py_client.fleet.catalogs import PlanningClient
from invokeai_py_client.fleet.driver import FleetDriver
from invokeai_py_client.fleet.server import Server
from invokeai_py_client.fleet.status import AskStatus, FleetStatus, ServerStatus, silent
from invokeai_py_client.live.priority import Priority, PriorityName
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.settings import Settings, checked_seconds
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.other_server import OtherServer

if TYPE_CHECKING:
    from invokeai_py_client.fleet.dask_cluster import DaskCluster


T = TypeVar("T")

_ON_THE_WAY = 1.0
"""Seconds that a call to a Dask worker and its answer may spend on the way."""


class AsyncFleet(FixedAttributes):
    """Several servers that run batches together. `Fleet` blocks, `AsyncFleet` (`fleet.aio`) is awaited.

    Example:
        >>> with Fleet(["http://gpu1:9090", "http://gpu2:9090"]) as fleet:
        ...     wf = fleet.workflow("tiger.json")
        ...     plan = wf.plan({"Positive Prompt": ["a tiger cub", "an otter pup"]}, seeds=100)
        ...     fleet.submit(plan, folder="out").wait()
    """

    def __init__(self, engine: Engine, servers: Sequence[Server], scheduler: str | None = None) -> None:
        self._engine = engine
        self._servers = tuple(servers)
        self._scheduler = scheduler
        self._agents = {one.url: ServerAgent(one.settings(), engine, one.slots, one.name) for one in servers}
        self._planning: dict[str, PlanningClient] = {}
        self._of_workers: dict[str, HttpTransport] = {}
        """The transports of servers that the workers of a Dask cluster name."""
        self._starting: asyncio.Task[DaskCluster] | None = None
        self._batch_ids: set[str] = set()

    @property
    def servers(self) -> Sequence[public.Server]:
        """The servers that the fleet was given; none for a fleet on a Dask cluster, whose workers name them."""
        return self._servers

    @on_engine
    async def workflow(self, source: str | os.PathLike[str] | public.WorkflowDefinition) -> public.AsyncWorkflowHandle:
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
        if isinstance(source, str | os.PathLike):
            source = await asyncio.to_thread(public.WorkflowDefinition.from_file, source)
        definition = source
        return await self._first(lambda client: client.workflow_repo.create_workflow(definition))

    @on_engine
    async def load_plan(self, path: str | os.PathLike[str]) -> AsyncPlan:
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
        return await self._first(lambda client: client.load_plan(path))

    @on_engine
    async def submit(
        self,
        plan: AsyncPlan,
        folder: str | os.PathLike[str] | None = None,
        *,
        images: WhichImages = "outputs",
        file_name: str = DEFAULT_TEMPLATE,
        priority: Priority | PriorityName | None = Priority.NORMAL,
        queue_id: str = "default",
        stop_after_failures: int | None = None,
        report: bool = False,
        overwrite: bool = False,
    ) -> AsyncBatchRun:
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
        options = BatchOptions(
            queue_id=queue_id,
            priority=Priority.of(priority),
            images=images,
            file_name=file_name,
            stop_after_failures=stop_after_failures,
            report=report,
        )
        where = None if folder is None else batch_folder(folder)
        return await self._begin(plan, where, options, overwrite=overwrite)

    @on_engine
    async def batch_run(self, folder: str | os.PathLike[str]) -> AsyncBatchRun:
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
        where = batch_folder(folder)
        return await self._begin(await self.load_plan(plan_path(where)), where, None)

    @on_engine
    async def status(self, timeout: float = 5.0, *, queue_id: str = "default") -> public.FleetStatus:  # noqa: ASYNC109
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
        asked = AskStatus(sorted(self._batch_ids), queue_id, checked_seconds("timeout", timeout))
        if self._agents:
            found = await asyncio.gather(*(agent.status.read(asked) for agent in self._agents.values()))
        else:
            found = await self._asked_by_workers(asked)
        return FleetStatus(tuple(found))

    async def _asked_by_workers(self, asked: AskStatus) -> list[ServerStatus]:
        cluster = await self._cluster()
        loop = asyncio.get_running_loop()
        answers: dict[str, asyncio.Future[Answer]] = {url: loop.create_future() for url in cluster.servers}
        drops = [cluster.submit(url, asked, answer.set_result) for url, answer in answers.items()]
        if answers:
            await asyncio.wait(answers.values(), timeout=asked.seconds + _ON_THE_WAY)
        for drop in drops:
            drop()
        return [_status_in(answer.result() if answer.done() else None, url, asked) for url, answer in answers.items()]

    async def _begin(
        self, plan: AsyncPlan, folder: Path | None, options: BatchOptions | None, *, overwrite: bool = False
    ) -> AsyncBatchRun:
        cluster = await self._cluster()
        here = Path.cwd()
        # The workers of a cluster may be on other machines, without the images of this one.
        text = await asyncio.to_thread(plan_text, plan._data, here, holds_images=self._scheduler is not None)
        driver = FleetDriver(plan._data, text, str(here), cluster)
        runner = await plan._begin_on(driver, self._engine, folder, options, overwrite=overwrite)
        self._batch_ids.add(runner.control.batch_id)
        return AsyncBatchRun(self._engine, partial(self._http_of, cluster), runner)

    async def _cluster(self) -> DaskCluster:
        """Start the cluster, once."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        try:
            return await asyncio.shield(self._starting)
        except InvokeAIError:
            self._starting = None
            raise

    async def _start(self) -> DaskCluster:
        cluster = await asyncio.to_thread(_new_cluster, self._engine)
        if self._scheduler is None:
            await cluster.start(self._agents.values())
        else:
            try:
                await cluster.connect(self._scheduler)
            except OSError as error:
                raise TransportError(
                    f"The Dask scheduler {self._scheduler} cannot be reached: {error}.",
                    url=self._scheduler,
                    hint="Start it with `dask scheduler`, and pass the address that it prints.",
                ) from error
        self._engine.on_close(cluster.close)
        return cluster

    async def _first(self, make: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """Return the result of `make` for the first server that responds."""
        if not self._agents:
            raise SettingsError(
                "Only the workers of a Dask cluster know their servers.",
                setting="servers",
                hint="Create the handle or the plan with an InvokeAIClient of one of the servers.",
            )
        failures: list[str] = []
        for agent in self._agents.values():
            try:
                await agent.check_answers()
                return await make(self._planning_client(agent))
            except InvokeAIError as error:
                if not error.is_transient:
                    raise
                failures.append(str(error))
        raise TransportError(
            f"No server of the fleet responds: {'; '.join(failures)}", url="", hint="Start at least one of them."
        )

    def _planning_client(self, agent: ServerAgent) -> PlanningClient:
        """Return a client of a server that knows the models of all servers."""
        if agent.url not in self._planning:
            others = [one for one in self._agents.values() if one is not agent]
            self._planning[agent.url] = PlanningClient(self._engine, agent, others)
        return self._planning[agent.url]

    def _http_of(self, cluster: DaskCluster, url: str) -> HttpTransport | OtherServer:
        """Return the transport of the server that ran a row, according to the folder of its batch."""
        if url in self._agents:
            return self._agents[url].http
        if url not in cluster.servers:
            return OtherServer(url)
        if url not in self._of_workers:
            self._of_workers[url] = HttpTransport(Settings.from_environment(url=url), self._engine)
        return self._of_workers[url]


def servers_of(servers: Iterable[str | Server]) -> list[Server]:
    """Return the servers as `Server`, where some may be given as URLs.

    Raises:
        SettingsError: there are none, or one is given twice.
    """
    found: dict[str, Server] = {}
    for one in servers:
        server = one if isinstance(one, Server) else Server(one)
        if server.url in found:
            raise SettingsError(
                f"The server {server.url!r} is given twice.",
                setting="servers",
                hint="A server that runs several rows at the same time is one Server with slots=...",
            )
        found[server.url] = server
    if not found:
        raise SettingsError("A fleet needs at least one server.", setting="servers", hint="Pass their URLs.")
    return [*found.values()]


def _status_in(answer: Answer | None, url: str, asked: AskStatus) -> ServerStatus:
    """Return the status that a Dask worker has answered with, or one that says why it has not."""
    if isinstance(answer, ServerStatus):
        return answer
    if isinstance(answer, Away):
        error = TransportError(f"{url}: {answer.why}.", url=url, sent=False, hint="Check the Dask worker and its log.")
        return ServerStatus(name=url, url=url, state="unreachable", error=error)
    return ServerStatus(name=url, url=url, state="silent", error=silent(url, asked.seconds))


def _new_cluster(engine: Engine) -> DaskCluster:
    try:
        from invokeai_py_client.fleet.dask_cluster import DaskCluster
    except ImportError as error:
        raise InvokeAIError(
            f"A fleet needs Dask, which is not installed ({error}).",
            hint="Install it: pip install 'invokeai-py-client[fleet]'.",
        ) from error
    return DaskCluster(engine)
