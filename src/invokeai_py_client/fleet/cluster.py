"""The interface through which the driver of a batch reaches the servers: implemented with Dask, and by a simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from invokeai_py_client.fleet.calls import Answer, Call


class Watcher(Protocol):
    """Is called when servers come and go."""

    def joined(self, server: str) -> None:
        """A server can be called from now on. A server that was lost may join again."""
        ...

    def left(self, server: str, why: str) -> None:
        """A server cannot be called any more, because its agent is gone."""
        ...


class Cluster(Protocol):
    """Sends calls to the agents of servers. All methods are called on the engine, and call back on it."""

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell a watcher which servers come and go, starting with those that are there.

        Returns:
            A function that stops it.
        """
        ...

    def submit(self, server: str, call: Call, done: Callable[[Answer], None]) -> Callable[[], None]:
        """Call a server.

        Args:
            server: the URL of the server.
            call: the call.
            done: called once with the answer; with `Away` if the call was lost.

        Returns:
            A function that drops the call, so that `done` is no longer called.
        """
        ...
