"""A small HTTP server of aiohttp on loopback, for the time of a `with`."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

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
