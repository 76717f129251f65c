"""The rows that lost servers have: they may have run there, so each server keeps them until it comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

from invokeai_py_client.fleet.members import Attempt, Member

MOVED_AFTER = 120.0
"""Seconds after which the rows of a lost server are moved even if the other servers have enough to do."""


class LostRows:
    """The rows of lost servers. One that was moved to another server stays until the lost one has settled it."""

    def __init__(self) -> None:
        self._attempts: dict[Member, dict[str, Attempt]] = {}

    def __iter__(self) -> Iterator[tuple[Member, Attempt]]:
        return iter([(server, one) for server, attempts in self._attempts.items() for one in attempts.values()])

    def __bool__(self) -> bool:
        return bool(self._attempts)

    def keep(self, server: Member, attempt: Attempt) -> None:
        """Keep a row of a server that was lost."""
        attempt.drop = attempt.began_at = None
        attempt.lost_at = time.monotonic()
        self._attempts.setdefault(server, {})[attempt.item_batch] = attempt

    def remove(self, server: Member, attempt: Attempt) -> bool:
        """Forget a row; return whether it was there."""
        attempts = self._attempts.get(server, {})
        was_there = attempts.pop(attempt.item_batch, None) is not None
        if was_there and not attempts:
            del self._attempts[server]
        return was_there

    def of_server(self, server: Member) -> list[Attempt]:
        """Return the rows of one server."""
        return [*self._attempts.get(server, {}).values()]

    def to_move(self, *, at_once: bool) -> list[Attempt]:
        """Mark rows as moved, and return them.

        Args:
            at_once: another server has nothing to do; otherwise only rows that were lost long ago are moved.
        """
        before = time.monotonic() - MOVED_AFTER
        found = [one for _, one in self if not one.is_moved and (at_once or one.lost_at <= before)]
        for attempt in found:
            attempt.is_moved = True
        return found
