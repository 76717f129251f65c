"""Counts of what a client has seen and done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.transport.http import HttpTransport


@dataclass(frozen=True, slots=True)
class ClientStats(ReadsAsMapping):
    """Counts since the client was made.

    `events` came through the socket. `coalesced` progress events gave way to a newer one of the same node because a
    consumer was slow, and `dropped` ones to nothing. `resyncs` are rounds in which the server was asked about runs,
    `reconnects` how often the socket came back. `requests` counts answers by kind and status:
    `{"POST queue": {"200": 3, "no answer": 1}}`.
    """

    events: int
    coalesced: int
    dropped: int
    resyncs: int
    reconnects: int
    requests: Mapping[str, Mapping[str, int]]

    def _names(self) -> Collection[str]:
        """Return the names of the attributes."""
        return [f.name for f in fields(self)]


def client_stats(http: HttpTransport, tracker: RunTracker) -> ClientStats:
    """The counts as they are now."""
    requests: dict[str, dict[str, int]] = {}
    # The engine adds to it meanwhile; copying a dictionary is atomic.
    for (kind, outcome), count in dict(http.answers).items():
        requests.setdefault(kind, {})[outcome] = count
    return ClientStats(
        events=tracker.listener.router.received,
        coalesced=tracker.losses.coalesced,
        dropped=tracker.losses.dropped,
        resyncs=tracker.listener.reconciler.rounds,
        reconnects=tracker.listener.connection.reconnects,
        requests=requests,
    )
