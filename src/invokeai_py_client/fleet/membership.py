"""Which servers a batch can use. Each says what it can run when it joins, and again when it has come back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from invokeai_py_client.fleet.calls import Answer, Away, ComeBack, Prepare, Ready
from invokeai_py_client.fleet.cluster import Cluster
from invokeai_py_client.fleet.members import Member

COMING_BACK = 600.0
"""Seconds for which one call waits for a server that does not respond."""

UNUSABLE_FOR = 60.0
"""Seconds after which a server that responds, but cannot be used, is tried again."""

LOST_FOR = 5.0
"""Seconds after which a server is tried again of which a call was lost. If what speaks to it has come back, sooner."""

logger = logging.getLogger("invokeai_py_client.fleet")


class Owner(Protocol):
    """Is called when servers become ready or are lost."""

    def server_ready(self, server: Member, ready: Ready) -> None:
        """A server can run rows from now on."""
        ...

    def server_lost(self, server: Member) -> None:
        """A server can no longer be used; `server.away` says why."""
        ...


class Membership:
    """The servers of one batch. All methods run on the engine.

    Args:
        cluster: calls the servers.
        prepare: makes the first call to each server.
        owner: is called when servers become ready or are lost.
    """

    def __init__(self, cluster: Cluster, prepare: Callable[[], Prepare], owner: Owner) -> None:
        self._cluster = cluster
        self._prepare = prepare
        self._owner = owner
        self._servers: dict[str, Member] = {}
        self._unwatch: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to use the servers of the cluster, and those that join it later."""
        self._unwatch = self._cluster.watch(self)

    def stop(self) -> None:
        """Drop all calls, and ignore servers that join."""
        self._unwatch()
        for server in self._servers.values():
            server.drop()

    def __iter__(self) -> Iterator[Member]:
        return iter(self._servers.values())

    def get(self, url: str) -> Member | None:
        """Return a server by its URL; None if the fleet has never had it."""
        return self._servers.get(url)

    @property
    def ready(self) -> list[Member]:
        """The servers that can be used."""
        return [server for server in self._servers.values() if server.status == "ready"]

    def have_said(self) -> bool:
        """Return whether there are servers, and each is ready, or known to be away."""
        return bool(self._servers) and all(server.status != "joining" for server in self._servers.values())

    def why_none(self) -> str:
        """Return why servers cannot be used, in one line."""
        away = [f"{server.url}: {server.away.why}" for server in self._servers.values() if server.away is not None]
        return "; ".join(away) or "it has no server"

    # The watcher of the cluster

    def joined(self, server: str) -> None:
        """Ask a new server what it can run; see `Watcher.joined`."""
        state = self._servers.setdefault(server, Member(server))
        state.status = "joining"
        self._ask(state)

    def left(self, server: str, why: str) -> None:
        """Stop using a server whose agent is gone; see `Watcher.left`."""
        self.lose(self._servers[server], Away("worker", why))

    # Servers that come and go

    def lose(self, server: Member, away: Away) -> None:
        """Stop using a server until it has come back."""
        server.drop()
        # While it is away, each request fails with words of its own.
        if server.status != "away" or server.away is None or server.away.kind != away.kind:
            logger.warning("%s is %s: %s", server.url, "lost" if away.kind == "worker" else away.kind, away.why)
        server.status, server.away, server.asked_at = "away", away, None
        if away.kind in ("dead", "hung"):
            back = partial(self._came_back, server)
            server.drop = self._cluster.submit(server.url, ComeBack(COMING_BACK), back)
        else:
            # There is nothing to wait for: try again later.
            seconds = LOST_FOR if away.kind == "worker" else UNUSABLE_FOR
            server.drop = asyncio.get_running_loop().call_later(seconds, self._ask, server).cancel
        self._owner.server_lost(server)

    def ask_again(self, server: Member) -> None:
        """Prepare a server again, because its agent no longer knows the batch."""
        server.status = "joining"
        self._owner.server_lost(server)
        self._ask(server)

    def _ask(self, server: Member) -> None:
        server.drop()
        server.drop = self._cluster.submit(server.url, self._prepare(), partial(self._prepared, server))

    def _prepared(self, server: Member, answer: Answer) -> None:
        if isinstance(answer, Away):
            self.lose(server, answer)
            return
        assert isinstance(answer, Ready), answer
        if server.away is not None:
            logger.info("%s is back", server.url)
        server.status, server.away = "ready", None
        self._owner.server_ready(server, answer)

    def _came_back(self, server: Member, answer: Answer) -> None:
        if isinstance(answer, Away):
            self.lose(server, answer)
        else:
            self._ask(server)
