"""Small HTTP servers of aiohttp on loopback, for the time of a `with`."""

from __future__ import annotations

import asyncio
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar

from aiohttp import web
from tests.support.openapi import OPENAPI

T = TypeVar("T")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(
    app: web.Application | Handler, *, port: int = 0, context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve an application, or a handler of every path, and give the address.

    Connections that are still open at the end, such as websockets, are not waited for.
    """
    if not isinstance(app, web.Application):
        handler, app = app, web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class ServerThread(ABC):
    """A server on a loop and a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(self.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self.stop())
        # Connections are closed in the next rounds of the loop.
        self.do(asyncio.sleep(0))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @abstractmethod
    async def start(self) -> None:
        """Begin to serve."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop serving."""

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something on the server's loop, from another thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)


async def version(_: web.Request) -> web.Response:
    return web.json_response({"version": "6.14.2"})


async def openapi(_: web.Request) -> web.Response:
    return web.Response(body=OPENAPI, content_type="application/json")
