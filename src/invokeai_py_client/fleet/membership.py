"""Which servers a batch can use: each says what it can run when it joins, and again when it has come back."""

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
"""Seconds for which one call waits for a server that does not answer."""

UNUSABLE_FOR = 60.0
"""Seconds after which a server is tried again that answers, but cannot be used."""

logger = logging.getLogger("invokeai_py_client.fleet")


class Owner(Protocol):
    """What is told of servers."""

    def server_ready(self, server: Member, ready: Ready) -> None:
        """Take in that a server can run rows from now on."""
        ...

    def server_lost(self, server: Member) -> None:
        """Take in that a server cannot be used; `server.away` says why."""
        ...


class Membership:
    """The servers of one batch. All methods run on the engine.

    Args:
        cluster: reaches the servers.
        prepare: what each server is asked first.
        owner: is told of them.
    """

    def __init__(self, cluster: Cluster, prepare: Prepare, owner: Owner) -> None:
        self._cluster = cluster
        self._prepare = prepare
        self._owner = owner
        self._servers: dict[str, Member] = {}
        self._unwatch: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Take in the servers that there are, and those that come."""
        self._unwatch = self._cluster.watch(self)

    def stop(self) -> None:
        """Take in nothing more."""
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
        away = [f"{server.url} {server.away.why}" for server in self._servers.values() if server.away is not None]
        return "; ".join(away) or "it has no server"

    # What the cluster tells

    def joined(self, server: str) -> None:
        """Take in a server; as `Watcher.joined`."""
        state = self._servers.setdefault(server, Member(server))
        state.status = "joining"
        self._ask(state)

    def left(self, server: str, why: str) -> None:
        """Take in that what speaks to a server is gone; as `Watcher.left`."""
        self.lose(self._servers[server], Away("worker", why))

    # Servers that come and go

    def lose(self, server: Member, away: Away) -> None:
        """Take in that a server cannot be used, and use it again when it has come back."""
        server.drop()
        if server.status != "away" or server.away != away:
            logger.warning("%s is %s: %s", server.url, away.kind, away.why)
        server.status, server.away = "away", away
        if away.kind in ("dead", "hung"):
            back = partial(self._came_back, server)
            server.drop = self._cluster.submit(server.url, ComeBack(COMING_BACK), back)
        elif away.kind != "worker":
            # It answers: only time can tell whether it can be used again.
            server.drop = asyncio.get_running_loop().call_later(UNUSABLE_FOR, self._ask, server).cancel
        self._owner.server_lost(server)

    def ask_again(self, server: Member) -> None:
        """Ask a server that has forgotten the batch."""
        server.status = "joining"
        self._owner.server_lost(server)
        self._ask(server)

    def _ask(self, server: Member) -> None:
        server.drop()
        server.drop = self._cluster.submit(server.url, self._prepare, partial(self._prepared, server))

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
