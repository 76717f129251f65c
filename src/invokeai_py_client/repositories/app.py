"""`client.app`: the server itself."""

from __future__ import annotations

import json

from invokeai_py_client.errors import NotFoundError, NotInvokeAIError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import Blocking, blocking, on_engine
from invokeai_py_client.schema_drift import Drift, schema_drift
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import app


class AsyncApp:
    """The awaited face: `client.aio.app`."""

    def __init__(self, engine: Engine, http: HttpTransport) -> None:
        self._engine = engine
        self._http = http

    @on_engine
    async def get_version(self) -> str:
        """The server's version, such as `6.14.2`.

        Rests on `GET /api/v1/app/version`, which needs no token.

        Raises:
            TransportError: nothing can be reached at the address.
            NotInvokeAIError: something answers, but it is no InvokeAI server.
        """
        call = app.get_version()
        try:
            return (await self._http.send(call)).version
        except NotFoundError as error:
            raise NotInvokeAIError(
                f"{error.url} is not there, so this is no InvokeAI server.",
                url=error.url,
                method=call.method,
                hint="Check the address, and the sub-path if the server has one.",
            ) from error

    @on_engine
    async def schema_drift(self) -> list[Drift]:
        """What this server lacks of what the client rests on, or has otherwise: routes, answers, events, nodes.

        Nothing is to be expected of the versions that the client is tested with; ask it of a new one.

        Rests on `GET /openapi.json`.

        Raises:
            NotInvokeAIError: the document describes no InvokeAI server.
        """
        call = app.get_openapi()
        document = await self._http.send(call)
        try:
            return schema_drift(json.loads(document))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise NotInvokeAIError(
                f"{self._http.url_of(call.path)} does not describe an InvokeAI server: {error}.",
                url=self._http.url_of(call.path),
                method=call.method,
                hint="Is this the address of an InvokeAI server, with its sub-path if it has one?",
            ) from error


class App(Blocking[AsyncApp]):
    """The server itself: `client.app`."""

    get_version = blocking(AsyncApp.get_version)
    schema_drift = blocking(AsyncApp.schema_drift)
