"""Log records of the Socket.IO libraries as records of this package."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import socketio

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class _LibraryLogger(_Adapter):
    """Replaces the loggers of the libraries.

    Their warnings and errors are about connections that this package reopens, so they are logged as DEBUG; by default,
    the libraries print them to stderr. Records of lower levels are dropped, because they quote packets, including the
    one with the token.
    """

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log a record of the libraries."""
        if level >= logging.WARNING:
            self.logger.debug(f"the Socket.IO library: {msg}", *args, **kwargs)


library_logger: Any = _LibraryLogger(logging.getLogger("invokeai_py_client.socket.library"), {})
"""The logger to pass to the libraries, whose parameters are declared as bool but accept a logger too."""


def guard_messages(client: socketio.AsyncClient) -> None:
    """Log a message that the library cannot read, instead of printing a traceback to stderr.

    The library handles each message in a task of its own, and never retrieves its exception.
    """
    handle = client.eio.handlers["message"]

    async def handled(data: Any) -> None:
        try:
            await handle(data)
        except Exception as error:
            library_logger.warning("a message could not be read (%s: %s)", type(error).__name__, error)

    client.eio.on("message", handled)
