"""The blocking fleet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from invokeai_py_client.blocking.generated.fleet_methods import FleetMethods
from invokeai_py_client.fleet.async_fleet import AsyncFleet, servers_of
from invokeai_py_client.fleet.server import Server
from invokeai_py_client.runtime.closing import Closable
from invokeai_py_client.runtime.engine import Engine


class Fleet(FleetMethods, Closable):
    """Several servers that run batches together. Needs the extra `fleet`.

    Creating a fleet sends no requests. `fleet.aio` has the same methods, awaited.

    Args:
        servers: the servers, as URLs or `Server` objects.

    Raises:
        SettingsError: a server is not valid, a server is given twice, or there are none.

    Example:
        >>> with Fleet(["http://gpu1:9090", Server("http://gpu2:9090", slots=2)]) as fleet:
        ...     wf = fleet.workflow("tiger.json")
        ...     plan = wf.plan({"Positive Prompt": ["a tiger cub", "an otter pup"]}, seeds=100)
        ...     fleet.submit(plan, folder="out").wait()
    """

    def __init__(self, servers: Iterable[str | Server]) -> None:
        engine = Engine("invokeai-fleet")
        self._engine = engine
        super().__init__(AsyncFleet(engine, servers_of(servers)))

    @classmethod
    def connect(cls, address: str) -> Self:
        """Return a fleet on a Dask cluster that is running.

        Each worker of the cluster stands for one server, and reads its URL from the environment variable
        `INVOKEAI_URL`, and its token, if the server needs one, from `INVOKEAI_TOKEN`. So no token leaves the machine of
        the worker. A worker runs as many rows at the same time as it has threads (`dask worker --nthreads`). Workers
        may come and go.

        Args:
            address: the address of the scheduler, such as `tcp://scheduler:8786`.

        Example:
            >>> with Fleet.connect("tcp://127.0.0.1:8786") as fleet:
            ...     fleet.submit(plan, folder="out").wait()
        """
        fleet = cls.__new__(cls)
        engine = Engine("invokeai-fleet")
        fleet._engine = engine
        FleetMethods.__init__(fleet, AsyncFleet(engine, (), address))
        return fleet

    def close(self) -> None:
        """End the batches, close the connections, and end the cluster if it runs in this process.

        Items in the queues of the servers continue to run.
        """
        self._engine.close()

    async def aclose(self) -> None:
        """Do the same as `close`; may be awaited on any event loop."""
        await self._engine.aclose()

    def __repr__(self) -> str:
        return f"<Fleet of {len(self.servers)} servers>" if self.servers else "<Fleet on a Dask cluster>"
