"""`OtherServer`: a server that only a file names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.transport.bodies import Downloaded
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OtherServer:
    """The server that ran a row, according to a file, if it is not one that the user has named.

    Nothing is sent to its URL, because the request would have the user's token, and the file may be somebody else's.

    Attributes:
        url: its URL.
        own: the server to ask instead, which may be the same one at another address; None for none.
    """

    url: str
    own: HttpTransport | None = None

    async def send(self, call: Call[T]) -> T:
        """Send a call for an image to `own`; see `HttpTransport.send`.

        Raises:
            NotFoundError: `own` does not have the image, or there is no `own`.
            InvokeAIError: as for `HttpTransport.send`.
        """
        with self._instead(call) as own:
            return await own.send(call)

    async def download(self, call: Call[Any], path: str | Path) -> Downloaded:
        """Download an image from `own`; see `HttpTransport.download`.

        Raises:
            NotFoundError: as for `send`.
            OSError: the file cannot be written.
            InvokeAIError: as for `HttpTransport.download`.
        """
        with self._instead(call) as own:
            return await own.download(call, path)

    @contextmanager
    def _instead(self, call: Call[Any]) -> Iterator[HttpTransport]:
        own = self.own
        error = NotFoundError(
            f"The row of this image ran on {self.url!r}, "
            + ("which is not in the fleet." if own is None else f"and {own.settings.url!r} does not have the image."),
            status=404,
            method=call.method,
            url=f"{self.url}{call.path}",
            hint="Use the file in the folder of the batch (row.files), or open the batch with that server.",
        )
        if own is None:
            raise error
        try:
            yield own
        except NotFoundError as missing:
            raise error from missing
