"""Who goes first. The server knows only one thing: to put a batch before all that waits."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from invokeai_py_client.errors import SettingsError


class Priority(StrEnum):
    """When a submission is to run, as far as one client can see to it.

    - `URGENT`: before all that waits now.
    - `HIGH`: likewise, but behind this client's urgent ones: while one of those waits, the submission waits for it.
    - `NORMAL`: at the end of the queue.
    - `LOW`: it is submitted when nothing is pending in its queue any more; the submission waits until then, as long as
      it takes, also while the server is away.

    What a `HIGH` or `LOW` submission waits for is logged (`invokeai_py_client.live`, INFO), at most once a minute. To
    give up, end the submission itself: by Ctrl-C, by cancelling its task, or by `async with asyncio.timeout(60)` around
    `await wf.submit(priority="low")`. Nothing is enqueued then.

    Of two urgent ones, or two high ones, the later goes first: the server gives a batch that is put before all that
    waits a higher priority than any of it. What a full queue has no room for is sent later, and takes its turn again:
    the rest of an urgent or high batch goes before what waits by then, the batch's own first part among it.

    What cannot hold: what runs already is never interrupted. Another client, the web UI among them, can put something
    before anything, and fill the queue again before a `LOW` one begins. The server's one processor serves all of its
    queues, so a `LOW` one may have something in another queue before it, of which nothing is seen here. Where a server
    has several users, they take turns, whatever the priorities.
    """

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def goes_first(self) -> bool:
        """Whether it is put before all that waits."""
        return self in (Priority.HIGH, Priority.URGENT)

    @classmethod
    def of(cls, value: object) -> Self:
        """The priority of a name, whatever its case; None is `NORMAL`.

        Raises:
            SettingsError: there is none of that name.

        Example:
            >>> Priority.of("High")
            <Priority.HIGH: 'high'>
        """
        name = "normal" if value is None else value.lower() if isinstance(value, str) else None
        for priority in cls:
            if priority.value == name:
                return priority
        raise SettingsError(
            f"{value!r} is no priority.",
            setting="priority",
            hint=f"Give {', '.join(repr(one.value) for one in [*cls][:-1])} or {[*cls][-1].value!r}.",
        )


PriorityName = Literal["low", "normal", "high", "urgent"]
