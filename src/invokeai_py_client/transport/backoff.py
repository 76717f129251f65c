"""Delays before the next attempt to connect, or to send a request."""

from __future__ import annotations

import random

from invokeai_py_client.errors import ApiError, InvokeAIError

FIRST_PAUSE = 0.5
"""Seconds; the maximum pause after the first failure. It doubles with each further failure."""

LONGEST_PAUSE = 30.0
"""Seconds; the maximum of all pauses."""

STABLE_AFTER = 30.0
"""Seconds that a connection must last to reset the number of failures."""

_MOST_DOUBLINGS = 16

FIRST_RETRY = 0.2
"""Seconds; the least delay before the first retry of a request. It doubles with each further retry."""

_LONGEST_RETRY = 5.0


def retry_delay(tries: int, error: InvokeAIError) -> float:
    """Return the seconds to wait before a request is retried.

    That is the server's `Retry-After` if there is one, otherwise exponential back-off with some jitter. Four retries
    take at least 3 s. With full jitter they could all fail in a moment, while the server is still restarting.

    Args:
        tries: the number of attempts so far.
        error: the last failure.
    """
    if isinstance(error, ApiError) and error.retry_after is not None:
        return error.retry_after
    return min(FIRST_RETRY * 2.0 ** (tries - 1), _LONGEST_RETRY) + random.uniform(0, FIRST_RETRY)


class Backoff:
    """Exponential back-off with full jitter.

    A connection that is opened and soon lost counts as a failure. Only one that has lasted `STABLE_AFTER` seconds
    resets the pauses.
    """

    def __init__(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        """Count an attempt that did not open a connection."""
        self._failures += 1

    def ended(self, seconds: float) -> None:
        """Count a connection that lasted `seconds`."""
        self._failures = 0 if seconds >= STABLE_AFTER else self._failures + 1

    def pause(self) -> float:
        """Return the seconds to wait before the next attempt, chosen at random up to the current limit."""
        doublings = min(max(self._failures - 1, 0), _MOST_DOUBLINGS)
        return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**doublings))
