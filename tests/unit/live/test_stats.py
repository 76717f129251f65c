"""What a client counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from tests.support.live import node_payload
from tests.support.tracking import Room
from tests.support.virtual_time import in_virtual_time

from invokeai_py_client.live.stats import client_stats
from invokeai_py_client.runtime.mailbox import Mailbox
from invokeai_py_client.wire.events import Event


@in_virtual_time
async def test_each_count_is_reported_under_its_name() -> None:
    room = Room()
    http: Any = room.queue
    http.answers = Counter()
    assert dict(client_stats(http, room.tracker)) == {
        "events": 0,
        "coalesced": 0,
        "dropped": 0,
        "resyncs": 0,
        "reconnects": 0,
        "requests": {},
    }
    await room.tracker.stream_queue("default", Mailbox[Event](capacity=1, losses=room.tracker.losses))
    # The first and the second of node "a" give way to newer ones; "b" leaves no room for the last one.
    for node_id in ("a", "a", "a", "b"):
        room.link.push("invocation_progress", node_payload(1, node_id=node_id, message=""))
    for _ in range(3):
        await room.link.drop()
        await room.link.restore()
    await room.attach(1)
    await room.link.drop(OSError("away"))
    await asyncio.sleep(0.1)
    stats = client_stats(http, room.tracker)
    assert (stats.events, stats.coalesced, stats.dropped, stats.reconnects) == (4, 2, 1, 3)
    assert stats.resyncs == room.listener.reconciler.rounds > 0


def test_responses_are_counted_by_kind_and_status() -> None:
    room = Room()
    http: Any = room.queue
    http.answers = Counter({("POST queue", "200"): 3, ("POST queue", "no answer"): 1, ("GET app", "503"): 2})
    assert client_stats(http, room.tracker)["requests"] == {
        "POST queue": {"200": 3, "no answer": 1},
        "GET app": {"503": 2},
    }
