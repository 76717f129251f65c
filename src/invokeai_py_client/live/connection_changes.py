"""Notifies handlers when the socket is connected, disconnected and reconnected."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.runtime.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class ConnectionChange(ReadsAsMapping):
    """A change of the socket's connection.

    `state` is `connected` (for the first time), `disconnected` (`reason` says why) or `reconnected`, after `seconds`.
    `resynced` is the number of runs for which the client requests the state, as their events were missed.
    """

    state: str
    reason: str | None = None
    seconds: float | None = None
    resynced: int | None = None

    def _names(self) -> Collection[str]:
        """Return the names of the attributes."""
        return [f.name for f in fields(self)]


class ConnectionWatch:
    """The mailboxes that receive each change, and the numbers of losses and reconnections of the socket."""

    def __init__(self) -> None:
        # Users' threads add mailboxes while the engine puts changes into them.
        self._lock = threading.Lock()
        self._mailboxes: list[Mailbox[Any]] = []
        self._is_closed = False
        self.losses = 0
        self.reconnects = 0

    def add(self, mailbox: Mailbox[Any]) -> None:
        """Put each later change into a mailbox, until its consumer closes it. May be called from any thread."""
        with self._lock:
            self._mailboxes = [other for other in self._mailboxes if not other.is_closed]
            self._mailboxes.append(mailbox)
            is_closed = self._is_closed
        if is_closed:
            mailbox.close()

    def tell(self, change: ConnectionChange) -> None:
        """Put a change into all mailboxes."""
        self.losses += change.state == "disconnected"
        self.reconnects += change.state == "reconnected"
        with self._lock:
            mailboxes = self._mailboxes = [mailbox for mailbox in self._mailboxes if not mailbox.is_closed]
        for mailbox in mailboxes:
            mailbox.put(change)

    def close(self) -> None:
        """Close the mailboxes, including those that are added later, so that the threads of their consumers end."""
        with self._lock:
            self._is_closed = True
            mailboxes, self._mailboxes = self._mailboxes, []
        for mailbox in mailboxes:
            mailbox.close()
