"""Asks servers for the progress of their rows.

A server is asked when none of its rows has ended for long, because an answer may have been lost. One of which it is not
certain how many rows it runs at the same time is asked all the time, and the number is learned.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections import Counter
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

LOOKS = 12
"""The number of slots is the most rows that a server ran at the same time in so many checks with rows waiting."""

logger = logging.getLogger("invokeai_py_client.fleet")


class Watchdog:
    """Watches the servers of one batch. Runs on the engine.

    Args:
        batch_id: the batch.
        cluster: calls the servers.
        members: the servers.
        again: calls a server again for a row that it has.
        resize: is called with the number of a server's slots, when it was learned.
    """

    def __init__(
        self,
        batch_id: str,
        cluster: Cluster,
        members: Membership,
        again: Callable[[Member, Attempt], None],
        resize: Callable[[Member, int], None],
    ) -> None:
        self._batch_id = batch_id
        self._cluster = cluster
        self._members = members
        self._again = again
        self._resize = resize

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
                elif member.attempts:
                    is_quiet = now - member.heard_at > quiet
                    if is_quiet or member.at_once is not None:
                        member.asked_at = now
                        call = Look(self._batch_id, [*member.attempts])
                        done = partial(self._looked, member, is_quiet=is_quiet)
                        self._cluster.submit(member.url, call, done)

    def _looked(self, member: Member, answer: Answer, *, is_quiet: bool) -> None:
        if member.asked_at is None:
            return
        member.asked_at = None
        if isinstance(answer, Away):
            self._members.lose(member, answer)
        elif isinstance(answer, Seen):
            self._learn(member, answer)
            if is_quiet:
                member.heard_at = time.monotonic()
                self._call_again(member, answer)

    def _learn(self, member: Member, answer: Seen) -> None:
        if member.at_once is None or member.lane is None:
            return
        counts = Counter(looks.status for looks in answer.rows.values())
        running, slots = counts["in_progress"], member.lane.slots
        # If no row waits, slots may be free, and other people's items take some.
        if running > slots or (counts["pending"] and not answer.others):
            member.at_once.append(running)
            most = max(member.at_once)
            if most > slots or (0 < most < slots and len(member.at_once) == LOOKS):
                self._resize(member, most)

    def _call_again(self, member: Member, answer: Seen) -> None:
        for item_batch, attempt in [*member.attempts.items()]:
            looks = answer.rows.get(item_batch)
            if looks is None or looks.status in TERMINAL_STATUSES or looks.status == "unknown":
                logger.info("%s is called again for row %d", member.url, attempt.row.index)
                self._again(member, attempt)
            elif answer.others:
                logger.info("%s is busy: its queue has %d other items", member.url, answer.others)
            else:
                logger.info("%s is slow: row %d is at %.0f %%", member.url, attempt.row.index, looks.progress)
