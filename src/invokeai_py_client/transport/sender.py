"""`Sender`: the part of the HTTP transport that the code above it needs to send calls."""

from __future__ import annotations

from typing import Protocol, TypeVar

from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call, Query

T = TypeVar("T")


class Sender(Protocol):
    """Sends calls to one server. `HttpTransport` is the real one; unit tests pass a scripted one."""

    @property
    def settings(self) -> Settings:
        """The address and the timeouts of the server."""
        ...

    async def send(self, call: Call[T]) -> T:
        """Send a call and return the result of its `parse`.

        Raises:
            InvokeAIError: as for `HttpTransport.send`.
        """
        ...

    def url_of(self, path: str, query: Query | None = None) -> str:
        """Return the complete URL of a path, for error messages."""
        ...
