"""Priorities of submissions. The server can only put a batch before all pending items."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from invokeai_py_client.errors import SettingsError


class Priority(StrEnum):
    """When a submission runs, as far as one client can control it.

    - `URGENT`: before all pending items.
    - `HIGH`: the same, but held back while an urgent batch of this client is pending.
    - `NORMAL`: at the end of the queue.
    - `LOW`: held back until the queue has no pending items, without a time limit, also while the server is unreachable.

    What a `HIGH` or `LOW` submission waits for is logged (`invokeai_py_client.live`, INFO), at most once a minute. To
    give up, end the submission itself: by Ctrl-C, by cancelling its task, or by `async with asyncio.timeout(60)` around
    `await wf.submit(priority="low")`. Nothing is enqueued then.

    Of two urgent batches, or two high ones, the later runs first: the server gives it a higher priority than all
    pending items. Items for which a full queue has no room are sent later, by the same rules: the rest of an urgent or
    high batch then runs before all pending items, including the first part of the batch.

    Limits: a running item is never interrupted. Other clients, including the web UI, can put items before any other,
    and can fill the queue again before a `LOW` batch starts. The server runs the items of all queues one after
    another, so a `LOW` batch may have to wait for items of other queues. On a server with several users, they take
    turns, whatever the priorities.
    """

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def goes_first(self) -> bool:
        """Whether the batch is put before all pending items."""
        return self in (Priority.HIGH, Priority.URGENT)

    @classmethod
    def of(cls, value: object) -> Self:
        """Return the priority with a name, in upper or lower case; None is `NORMAL`.

        Numbers have their meaning in client 1.1: above 0 is before all pending items, others are the end of the queue.

        Raises:
            SettingsError: no priority has that name.

        Example:
            >>> Priority.of("High")
            <Priority.HIGH: 'high'>
        """
        if isinstance(value, int) and not isinstance(value, bool):
            value = "urgent" if value > 0 else "normal"
        name = "normal" if value is None else value.lower() if isinstance(value, str) else None
        for priority in cls:
            if priority.value == name:
                return priority
        raise SettingsError(
            f"Unknown priority {value!r}.",
            setting="priority",
            hint=f"Use one of {', '.join(one.value for one in cls)}.",
        )


PriorityName = Literal["low", "normal", "high", "urgent"]
