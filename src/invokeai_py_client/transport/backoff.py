"""How long to wait before the next attempt to connect, or to send a request."""

from __future__ import annotations

import random

from invokeai_py_client.errors import ApiError, InvokeAIError

FIRST_PAUSE = 0.5
"""Seconds: the longest pause after the first failure; it doubles with each further one."""

LONGEST_PAUSE = 30.0
"""Seconds: no pause is longer."""

STABLE_AFTER = 30.0
"""Seconds that a connection must last before the failures before it no longer count."""

_MOST_DOUBLINGS = 16

_FIRST_RETRY = 0.2
_LONGEST_RETRY = 5.0


def retry_delay(tries: int, error: InvokeAIError) -> float:
    """Return the seconds to wait before a request is sent again.

    That is what the server asked for with `Retry-After`, else exponential back-off with some jitter. Four retries take
    at least 3 s: with full jitter they could be over in a moment, while the server is still restarting.

    Args:
        tries: how often it was sent already.
        error: the last failure.
    """
    if isinstance(error, ApiError) and error.retry_after is not None:
        return error.retry_after
    return min(_FIRST_RETRY * 2.0 ** (tries - 1), _LONGEST_RETRY) + random.uniform(0, _FIRST_RETRY)


class Backoff:
    """Exponential back-off with full jitter.

    A connection that is opened and dropped again counts as a failure: only one that has lasted `STABLE_AFTER` seconds
    resets the pauses.
    """

    def __init__(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        """Count an attempt that opened no connection."""
        self._failures += 1

    def ended(self, seconds: float) -> None:
        """Count a connection that lasted `seconds`."""
        self._failures = 0 if seconds >= STABLE_AFTER else self._failures + 1

    def pause(self) -> float:
        """Return the seconds to wait before the next attempt, chosen at random up to the current limit."""
        doublings = min(max(self._failures - 1, 0), _MOST_DOUBLINGS)
        return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**doublings))
