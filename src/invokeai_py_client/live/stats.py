"""Counters of one client."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.transport.http import HttpTransport


@dataclass(frozen=True, slots=True)
class ClientStats(ReadsAsMapping):
    """Counters since the client was created.

    `events` is the number of events received from the socket. Because a consumer was slow, `coalesced` progress events
    were replaced by newer ones of the same node, and `dropped` events were discarded. `resyncs` counts the rounds of
    requests about live runs, `reconnects` the reconnections of the socket, and `requests` the responses by kind and
    status:
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
    """Return the current counters."""
    requests: dict[str, dict[str, int]] = {}
    # The engine may add to it at the same time; copying a dictionary is atomic.
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
