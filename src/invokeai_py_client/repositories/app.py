"""`client.app`: the server itself."""

from __future__ import annotations

from invokeai_py_client.errors import NotFoundError, NotInvokeAIError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import Blocking, blocking, on_engine
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


class App(Blocking[AsyncApp]):
    """The server itself: `client.app`."""

    get_version = blocking(AsyncApp.get_version)
