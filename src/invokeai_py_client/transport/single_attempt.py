"""Keep aiohttp from repeating requests by itself, and from sending them on a connection that is about to be closed."""

from __future__ import annotations

from typing import Self

import aiohttp
from aiohttp.connector import Connection

REPEATED = frozenset({"PUT", "DELETE"})
"""Methods that change something and that aiohttp repeats. It also repeats GET, HEAD and OPTIONS, which is harmless."""


class HungUp(Exception):
    """The connection broke before the response to a request arrived; `error` is aiohttp's error."""

    def __init__(self, error: aiohttp.ClientOSError | aiohttp.ServerDisconnectedError) -> None:
        super().__init__(str(error))
        self.error = error


async def sent_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request at most once; a middleware.

    aiohttp repeats every PUT and DELETE when the server closes a connection that was used before. It recognizes that
    failure by its type, so this raises an error of another type.
    """
    if request.method not in REPEATED:
        return await handler(request)
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        # Nothing was sent, and aiohttp does not repeat it.
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise HungUp(error) from error


class LastAfterError(aiohttp.ClientResponse):
    """A response whose connection is not used again if its status is 500.

    After an unexpected error, the server closes the connection. A request sent on it meanwhile would be lost.
    """

    async def start(self, connection: Connection) -> Self:
        """Read the status and the headers."""
        protocol, transport = connection.protocol, connection.transport
        await super().start(connection)
        if self.status == 500 and protocol is not None and transport is not None:
            protocol.force_close()
            if self.connection is None:
                # The body is complete, and the connection available to others, but none of them has run yet.
                transport.close()
        return self
