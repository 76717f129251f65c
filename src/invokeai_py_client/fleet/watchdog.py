"""Asks a server for the progress of its rows when none has ended for long, because an answer may have been lost."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections.abc import Callable
from functools import partial

from invokeai_py_client.fleet.calls import Answer, Away, Look, Seen
from invokeai_py_client.fleet.cluster import Cluster
from invokeai_py_client.fleet.members import Attempt, Member
from invokeai_py_client.fleet.membership import Membership
from invokeai_py_client.fleet.status import SLOW_AFTER, SLOW_ITEMS
from invokeai_py_client.wire.events import TERMINAL_STATUSES

WATCHES_EVERY = 5.0
"""Seconds between two checks of all servers, which by themselves send nothing."""

ANSWERS_IN = 30.0
"""Seconds after which a server that has not answered counts as hung."""

logger = logging.getLogger("invokeai_py_client.fleet")


class Watchdog:
    """Watches the servers of one batch. Runs on the engine.

    Args:
        batch_id: the batch.
        cluster: calls the servers.
        members: the servers.
        again: calls a server again for a row that it has.
    """

    def __init__(
        self, batch_id: str, cluster: Cluster, members: Membership, again: Callable[[Member, Attempt], None]
    ) -> None:
        self._batch_id = batch_id
        self._cluster = cluster
        self._members = members
        self._again = again

    async def run(self) -> None:
        """Watch the servers until this is canceled."""
        while True:
            await asyncio.sleep(WATCHES_EVERY)
            now = time.monotonic()
            known = [one.lane.seconds for one in self._members if one.lane is not None and one.lane.seconds is not None]
            quiet = max(SLOW_AFTER, SLOW_ITEMS * statistics.median(known)) if known else SLOW_AFTER
            for member in self._members.ready:
                if member.asked_at is not None:
                    if now - member.asked_at > ANSWERS_IN:
                        member.asked_at = None
                        silent = f"it was asked for the progress of its rows, and has not answered in {ANSWERS_IN:g} s"
                        self._members.lose(member, Away("hung", silent))
                elif member.attempts and now - member.heard_at > quiet:
                    member.asked_at = now
                    call = Look(self._batch_id, [*member.attempts])
                    self._cluster.submit(member.url, call, partial(self._looked, member))

    def _looked(self, member: Member, answer: Answer) -> None:
        if member.asked_at is None:
            return
        member.asked_at = None
        member.heard_at = time.monotonic()
        if isinstance(answer, Away):
            self._members.lose(member, answer)
        if not isinstance(answer, Seen):
            return
        for item_batch, attempt in [*member.attempts.items()]:
            looks = answer.rows.get(item_batch)
            if looks is None or looks.status in TERMINAL_STATUSES or looks.status == "unknown":
                logger.info("%s is called again for row %d", member.url, attempt.row.index)
                self._again(member, attempt)
            elif answer.others:
                logger.info("%s is busy: its queue has %d other items", member.url, answer.others)
            else:
                logger.info("%s is slow: row %d is at %.0f %%", member.url, attempt.row.index, looks.progress)
