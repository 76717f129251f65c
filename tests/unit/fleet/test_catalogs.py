"""A plan may name the models of any server of a fleet."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.support.virtual_engine import VirtualEngine

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import TransportError
from invokeai_py_client.fleet.catalogs import FleetCatalog
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.records.models import ModelRecord


class Models:
    """A server that has some models, or does not respond."""

    def __init__(self, *hashes: str, is_away: bool = False) -> None:
        self._hashes = hashes
        self._is_away = is_away

    async def send(self, call: Any) -> Any:
        if self._is_away:
            raise TransportError("no connection", url="http://away", sent=False)
        return [
            ModelRecord.model_validate(
                {"key": f"{self}-{one}", "hash": one, "name": one, "base": "any", "type": "main"}
            )
            for one in self._hashes
        ]


def catalog_of(first: Models, *others: Models) -> FleetCatalog:
    engine = VirtualEngine()
    of_others = [Catalog(cast(Sender, one), engine) for one in others]
    return FleetCatalog(cast(Sender, first), engine, of_others)


async def test_a_model_of_several_servers_is_there_once() -> None:
    catalog = catalog_of(Models("a", "b"), Models("b", "c"), Models("c", "d"))
    assert [model.hash for model in await catalog.models()] == ["a", "b", "c", "d"]


async def test_a_server_that_is_away_has_no_models() -> None:
    catalog = catalog_of(Models("a"), Models(is_away=True), Models("c"))
    assert [model.hash for model in await catalog.models()] == ["a", "c"]


async def test_the_server_that_makes_the_plan_must_respond() -> None:
    with pytest.raises(TransportError):
        await catalog_of(Models(is_away=True), Models("a")).models()
