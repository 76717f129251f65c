"""Tells those who want to know that the socket comes and goes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.runtime.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class ConnectionChange(ReadsAsMapping):
    """The socket has come or gone.

    `state` is `connected` (for the first time), `disconnected` (`reason` says why) or `reconnected`, after `seconds`,
    with `resynced` runs of which the server is asked what was missed.
    """

    state: str
    reason: str | None = None
    seconds: float | None = None
    resynced: int | None = None

    def keys(self) -> Collection[str]:
        """The names of the attributes."""
        return [f.name for f in fields(self)]


class ConnectionWatch:
    """Those who want to know, and how often it went and came back."""

    def __init__(self) -> None:
        self._mailboxes: list[Mailbox[Any]] = []
        self.losses = 0
        self.reconnects = 0

    def add(self, mailbox: Mailbox[Any]) -> None:
        """Put each change into a mailbox from now on, until its consumer closes it."""
        self._mailboxes.append(mailbox)

    def tell(self, change: ConnectionChange) -> None:
        """Tell all of them."""
        self.losses += change.state == "disconnected"
        self.reconnects += change.state == "reconnected"
        self._mailboxes = [mailbox for mailbox in self._mailboxes if not mailbox.is_closed]
        for mailbox in self._mailboxes:
            mailbox.put(change)
