"""The models of all servers of a fleet, for plans that run on any of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from invokeai_py_client.async_client import AsyncClient
from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.fleet.agent import ServerAgent
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport.sender import Sender

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.models import ModelRecord


class FleetCatalog(Catalog):
    """The catalog of one server, with the models of all servers. A plan may name any of them.

    Args:
        http: sends the requests to the server.
        engine: the engine on which it is used.
        others: the catalogs of the other servers.
    """

    def __init__(self, http: Sender, engine: Engine, others: Sequence[Catalog]) -> None:
        super().__init__(http, engine)
        self._others = others

    async def models(self, *, max_age: float = 0) -> list[ModelRecord]:
        """Return the models of all servers that respond, without duplicates, as of at most `max_age` seconds ago."""
        found, *others = await asyncio.gather(
            super().models(max_age=max_age),
            *(one.models(max_age=max_age) for one in self._others),
            return_exceptions=True,
        )
        if isinstance(found, BaseException):
            raise found
        models = [*found]
        hashes = {model.hash for model in models}
        for answer in others:
            if isinstance(answer, InvokeAIError):
                # The plan can be checked without this server, as long as it needs none of its models.
                continue
            if isinstance(answer, BaseException):
                raise answer
            models += [model for model in answer if model.hash not in hashes]
            hashes.update(model.hash for model in answer)
        return models


class PlanningClient(AsyncClient):
    """A client of one server that knows the models of the whole fleet.

    Args:
        engine: the engine that runs it.
        agent: the agent of the server.
        others: the agents of the other servers.
    """

    def __init__(self, engine: Engine, agent: ServerAgent, others: Sequence[ServerAgent]) -> None:
        super().__init__(engine, agent.http, agent.tracker)
        self._others = others

    @cached_property
    def _catalog(self) -> Catalog:
        catalog = FleetCatalog(self._http, self._engine, [one.client._catalog for one in self._others])
        self._http.on_exchange.append(catalog.forget_changed)
        return catalog
