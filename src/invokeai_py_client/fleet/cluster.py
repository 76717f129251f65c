"""The seam between the driver of a batch and what reaches the servers: Dask, or a simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from invokeai_py_client.fleet.calls import Answer, Call


class Watcher(Protocol):
    """Is told which servers there are."""

    def joined(self, server: str) -> None:
        """Take in a server that can be called from now on. A server that was lost may join again."""
        ...

    def left(self, server: str, why: str) -> None:
        """Take in that a server cannot be called any more, because what speaks to it is gone."""
        ...


class Cluster(Protocol):
    """Carries calls to servers. All methods are called on the engine, and call back on it."""

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell a watcher of the servers, those that are there at once, until the returned function is called."""
        ...

    def submit(self, server: str, call: Call, done: Callable[[Answer], None]) -> Callable[[], None]:
        """Call a server.

        Args:
            server: its URL.
            call: the call.
            done: called with the answer, once; with `Away` if the call was lost.

        Returns:
            A function that drops the call: `done` is not called any more.
        """
        ...
