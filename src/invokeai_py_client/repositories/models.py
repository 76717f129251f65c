"""`client.dnn_model_repo`: the server's installed models."""

from __future__ import annotations

from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import Blocking, blocking, on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import models
from invokeai_py_client.wire.records import ModelRecord


class AsyncModels:
    """The awaited face: `client.aio.dnn_model_repo`."""

    def __init__(self, engine: Engine, http: HttpTransport) -> None:
        self._engine = engine
        self._http = http

    @on_engine
    async def list_models(self) -> list[ModelRecord]:
        """Every installed model.

        Rests on `GET /api/v2/models/`.
        """
        return await self._http.send(models.list_models())


class Models(Blocking[AsyncModels]):
    """The server's installed models: `client.dnn_model_repo`."""

    list_models = blocking(AsyncModels.list_models)
