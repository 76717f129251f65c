"""How long the client waits before it tries again."""

from __future__ import annotations

import random

import pytest

from invokeai_py_client.errors import RejectedError, RequestTimeout
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.backoff import LONGEST_PAUSE, STABLE_AFTER, Backoff, retry_delay

LOST = RequestTimeout("no response", url="/", method="GET", timeout=1.0)


@pytest.fixture(params=[0.0, 1.0], ids=["least", "most"])
def chance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Have chance give the least, or the most, of what it may."""
    monkeypatch.setattr(random, "uniform", lambda low, high: low + request.param * (high - low))
    return float(request.param)


def test_the_retries_of_a_request_last_for_three_seconds_whatever_chance_gives(chance: float) -> None:
    delays = [retry_delay(tries, LOST) for tries in range(1, Settings().retries + 1)]
    assert delays == sorted(delays)
    assert sum(delays) == pytest.approx(3.0 + 0.8 * chance)


def test_a_delay_doubles_up_to_five_seconds(chance: float) -> None:
    least = [retry_delay(tries, LOST) - 0.2 * chance for tries in (1, 2, 3, 4, 5, 6, 7, 100)]
    assert least == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])


@pytest.mark.parametrize("seconds", [0.0, 0.3, 61.0])
def test_a_delay_that_the_server_asks_for_is_kept(chance: float, seconds: float) -> None:
    error = RejectedError("busy", status=429, method="GET", url="/", retry_after=seconds)
    assert retry_delay(3, error) == seconds


def test_pauses_between_connections_are_drawn_from_zero_up_to_a_doubling_limit(chance: float) -> None:
    pauses = Backoff()
    seen = []
    for _ in range(9):
        pauses.failed()
        seen.append(pauses.pause())
    assert seen == pytest.approx([chance * limit for limit in (0.5, 1, 2, 4, 8, 16, 30, 30, 30)])


def test_thousands_of_failures_neither_overflow_nor_exceed_the_longest_pause(chance: float) -> None:
    pauses = Backoff()
    for _ in range(5000):
        pauses.failed()
    assert pauses.pause() == chance * LONGEST_PAUSE


@pytest.mark.parametrize(
    ("seconds", "limit"), [(0.0, 4.0), (STABLE_AFTER - 0.1, 4.0), (STABLE_AFTER, 0.5), (STABLE_AFTER + 1, 0.5)]
)
def test_only_a_connection_that_lasted_resets_the_pauses(chance: float, seconds: float, limit: float) -> None:
    pauses = Backoff()
    for _ in range(3):
        pauses.failed()
    pauses.ended(seconds)
    assert pauses.pause() == pytest.approx(chance * limit)
