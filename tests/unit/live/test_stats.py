"""What a client counts."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from invokeai_py_client.live.stats import client_stats


def test_each_count_is_told_under_its_name_and_answers_by_kind_and_outcome() -> None:
    http: Any = SimpleNamespace(
        answers=Counter({("POST queue", "200"): 3, ("POST queue", "no answer"): 1, ("GET app", "503"): 2})
    )
    tracker: Any = SimpleNamespace(
        losses=SimpleNamespace(coalesced=12, dropped=13),
        listener=SimpleNamespace(
            router=SimpleNamespace(received=11),
            reconciler=SimpleNamespace(rounds=14),
            connection=SimpleNamespace(reconnects=15),
        ),
    )
    assert dict(client_stats(http, tracker)) == {
        "events": 11,
        "coalesced": 12,
        "dropped": 13,
        "resyncs": 14,
        "reconnects": 15,
        "requests": {"POST queue": {"200": 3, "no answer": 1}, "GET app": {"503": 2}},
    }
