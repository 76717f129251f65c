"""What the Socket.IO libraries log, in this package's terms."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import socketio

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class _LibraryLogger(_Adapter):
    """Takes the place of the libraries' loggers.

    Their warnings and errors are about connections that this package notices and reopens by itself, so they are DEBUG
    lines here; by default the libraries would print them to stderr. Everything below is dropped: it quotes packets, the
    one with the token among them.
    """

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log a line of the libraries."""
        if level >= logging.WARNING:
            self.logger.debug(f"the Socket.IO library: {msg}", *args, **kwargs)


library_logger: Any = _LibraryLogger(logging.getLogger("invokeai_py_client.socket.library"), {})
"""To be passed to the libraries, whose parameters are declared as bool but take a logger too."""


def guard_messages(client: socketio.AsyncClient) -> None:
    """Keep a message that the library cannot read from ending as a traceback on stderr.

    The library handles each message in a task of its own, whose error nobody retrieves.
    """
    handle = client.eio.handlers["message"]

    async def handled(data: Any) -> None:
        try:
            await handle(data)
        except Exception as error:
            library_logger.warning("a message could not be read (%s: %s)", type(error).__name__, error)

    client.eio.on("message", handled)
