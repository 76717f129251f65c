"""Sends calls to the agents of servers with Dask distributed: each server has its own Dask worker.

The cluster runs in this process, or the user has started it. In the latter case each worker reads the URL and the token
of its server from its own environment, so that no token passes through the scheduler. Dask does not place anything:
each call names its worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import dask.config

with dask.config.set({"logging.distributed": dask.config.get("logging.distributed", "warning")}):
    # It configures its loggers when it is imported, by default to log each connection.
    from distributed import Client, Scheduler, Worker, WorkerPlugin, get_worker

from invokeai_py_client.errors import ClientClosedError
from invokeai_py_client.fleet.agent import ServerAgent
from invokeai_py_client.fleet.calls import Answer, Away, Call
from invokeai_py_client.fleet.cluster import Watcher
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import URL_VARIABLE, Settings

_PLUGIN = "invokeai-fleet"

_AT_ONCE = 1000
"""How many calls a worker carries out at the same time. They are coroutines, which take no thread while they wait."""

_POLLS_EVERY = 2.0
"""Seconds between two requests for the list of workers of the user's cluster."""

_ANY_FAILURES = 1_000_000
"""How many workers may die with a call before Dask gives it up: practically any number, as the driver has its own
limit."""

_CONNECTING = 10.0
"""Seconds that the scheduler gets to answer."""

_MEASURES_LITTLE = {
    "distributed.admin.tick.interval": "1 s",
    "distributed.admin.system-monitor.interval": "10 s",
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.worker-ttl": None,
}
"""What each worker of a cluster in this process measures of itself. By default it does so up to a hundred times a
second, so that a hundred idle workers take a third of a core. None is given up for sending no heartbeat."""

_CLOSING = 0.5
"""Seconds that each part of the cluster gets to close."""

logger = logging.getLogger("invokeai_py_client.fleet")


class AgentPlugin(WorkerPlugin):
    """Holds the agent of a worker.

    Args:
        agent: the agent; None to create one for the server that the worker's environment names.
    """

    name = _PLUGIN
    idempotent = True

    def __init__(self, agent: ServerAgent | None = None) -> None:
        self.agent = agent
        self._engine: Engine | None = None

    def setup(self, worker: Worker) -> None:
        """Make the agent, in the process of the worker."""
        slots = worker.state.nthreads
        # A call lasts until its row has ended, and rows that wait in the server's queue have calls too.
        worker.state.nthreads = _AT_ONCE
        if self.agent is None:
            import os

            if os.environ.get(URL_VARIABLE):
                self._engine = Engine(f"invokeai-fleet {worker.address}")
                self.agent = ServerAgent(Settings.from_environment(), self._engine, slots)

    async def teardown(self, worker: Worker) -> None:
        """Close the connections of an agent that was created here."""
        if self._engine is not None:
            await self._engine.aclose()

    def __reduce__(self) -> tuple[Any, ...]:
        return AgentPlugin, ()


class _QuietScheduler(Scheduler):
    """A scheduler without web pages, which would be open to the network."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""


class _QuietWorker(Worker):
    """A worker without web pages."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""

    async def heartbeat(self) -> None:
        """Send nothing: a worker in the process of its scheduler is not lost. At the end, errors would be logged."""

    async def leave(self) -> None:
        """Close the worker, without waiting long for its calls."""
        await self.close(timeout=_CLOSING, executor_wait=False)


def _agent_of(worker: Worker) -> ServerAgent | None:
    plugin = worker.plugins.get(_PLUGIN)
    return plugin.agent if isinstance(plugin, AgentPlugin) else None


async def answer_here(call: Call) -> Answer:
    """Carry out a call on the server of this Dask worker."""
    agent = _agent_of(get_worker())
    if agent is None:
        return Away("worker", f"{URL_VARIABLE} is not set in the environment of this Dask worker")
    try:
        return await agent.answer(call)
    except ClientClosedError as error:
        return Away("worker", f"{error}")


def url_here(dask_worker: Worker) -> str | None:
    """Return the URL of the server of a Dask worker; None if it has none."""
    agent = _agent_of(dask_worker)
    return None if agent is None else agent.url


class DaskCluster:
    """Sends calls with Dask. Its methods are called on the engine.

    Args:
        engine: the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._addresses: dict[str, str] = {}
        """The address of the worker of each server."""
        self._watchers: dict[Watcher, None] = {}
        self._opened: list[list[Callable[[], Awaitable[object]]]] = []
        """Functions that close what was opened, in the order of opening; those of one list run at the same time."""
        self._client: Any = None
        """A `distributed.Client`, whose methods are not typed."""

    async def start(self, agents: Iterable[ServerAgent]) -> None:
        """Start a cluster in this process."""
        with dask.config.set(_MEASURES_LITTLE):
            await self._start(agents)

    async def _start(self, agents: Iterable[ServerAgent]) -> None:
        scheduler = await _QuietScheduler(protocol="inproc://", dashboard=False, port=0, allowed_failures=_ANY_FAILURES)
        self._opened.append([scheduler.close])
        workers = {
            agent.url: _QuietWorker(
                scheduler.address,
                nthreads=1,
                memory_limit=0,
                dashboard=False,
                plugins=(AgentPlugin(agent),),
                name=agent.url,
            )
            for agent in agents
        }
        self._opened.append([worker.leave for worker in workers.values()])
        await asyncio.gather(*workers.values())
        self._addresses = {url: worker.address for url, worker in workers.items()}
        await self._use(scheduler.address)

    async def connect(self, address: str) -> None:
        """Use a cluster that the user has started.

        Raises:
            OSError: no scheduler responds at the address.
        """
        await self._use_workers_of(address)
        self._engine.spawn(self._keep_polling(address), name=f"workers of {address}")

    async def _use_workers_of(self, address: str) -> None:
        await self._use(address)
        await self._client.register_plugin(AgentPlugin())
        await self._poll()

    async def _use(self, address: str) -> None:
        make: Any = Client
        self._client = await make(address, asynchronous=True, set_as_default=False, timeout=_CONNECTING)
        self._opened.append([partial(self._client.close, timeout=_CLOSING)])

    async def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        while self._opened:
            await asyncio.gather(*(close() for close in self._opened.pop()))

    @property
    def servers(self) -> Sequence[str]:
        """The URLs of the servers that can be called."""
        return [*self._addresses]

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell a watcher which servers come and go; see `Cluster.watch`."""
        self._watchers[watcher] = None
        for server in self._addresses:
            watcher.joined(server)
        return lambda: self._watchers.pop(watcher, None)

    def submit(self, server: str, call: Call, done: Callable[[Answer], None]) -> Callable[[], None]:
        """Call a server; see `Cluster.submit`."""
        address = self._addresses.get(server)
        if address is None or self._client is None:
            handle = asyncio.get_running_loop().call_soon(done, Away("worker", "its Dask worker is gone"))
            return handle.cancel
        future = self._client.submit(
            answer_here, call, workers=[address], key=f"{type(call).__name__}-{uuid4()}", pure=False
        )
        task = self._engine.spawn(self._awaited(future, done), name=f"{type(call).__name__} on {server}")
        return partial(self._drop, future, task)

    async def _awaited(self, future: Any, done: Callable[[Answer], None]) -> None:
        try:
            answer = await future
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            # This task was not canceled: Dask cancels futures when it has lost the scheduler.
            answer = Away("worker", "the connection to the Dask scheduler was lost")
        except Exception as error:
            logger.warning("a call was lost: %s: %s", type(error).__name__, error)
            answer = Away("worker", f"{type(error).__name__}: {error}")
        finally:
            future.release()
        done(answer)

    def _drop(self, future: Any, task: asyncio.Task[None]) -> None:
        task.cancel()
        future.release()

    async def _keep_polling(self, address: str) -> None:
        """See which workers come and go, and connect again when the scheduler was lost."""
        is_lost = False
        while True:
            await asyncio.sleep(_POLLS_EVERY)
            try:
                if is_lost:
                    # What the scheduler knew of the calls is lost with it, so they are made again.
                    await self.close()
                    await self._use_workers_of(address)
                    logger.info("the Dask scheduler %s is back", address)
                    is_lost = False
                else:
                    await self._poll()
            except Exception as error:
                # Dask raises errors of many kinds; all mean that no worker can be called now.
                if not is_lost:
                    logger.warning("the Dask scheduler %s is lost: %s: %s", address, type(error).__name__, error)
                is_lost = True
                self._lose([*self._addresses], "the Dask scheduler does not answer")

    async def _poll(self) -> None:
        there = set(await self._client.nthreads())
        gone = [server for server, address in self._addresses.items() if address not in there]
        self._lose(gone, "its Dask worker is gone")
        for address in there.difference(self._addresses.values()):
            url = (await self._client.run(url_here, workers=[address], on_error="return")).get(address)
            if not isinstance(url, str):
                logger.info("the Dask worker %s has no %s: %s", address, URL_VARIABLE, url)
            elif url in self._addresses:
                logger.warning("the Dask worker %s has the same server as another one: %s", address, url)
            else:
                self._addresses[url] = address
                for watcher in [*self._watchers]:
                    watcher.joined(url)

    def _lose(self, servers: Sequence[str], why: str) -> None:
        for server in servers:
            del self._addresses[server]
            for watcher in [*self._watchers]:
                watcher.left(server, why)
