"""Takes over what an earlier start of a batch has sent, by this program or another one."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from invokeai_py_client.batch.control import BatchControl
from invokeai_py_client.batch.journal import SentChunk
from invokeai_py_client.batch.recorder import Recorder
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.fleet.calls import Answer, Settle, Settled
from invokeai_py_client.fleet.dispatcher import Dispatcher
from invokeai_py_client.fleet.members import Attempt, Member

logger = logging.getLogger("invokeai_py_client.fleet")

Chunks = Sequence[tuple[SentChunk, Mapping[int, PlannedRow]]]
"""Chunks that were sent earlier, each with its rows without an outcome, by position in the chunk."""


class Takeover:
    """Takes over chunks that were sent earlier. Its methods run on the engine.

    Args:
        dispatcher: knows and calls the servers, and follows the rows.
        recorder: records the outcomes.
        control: the shared state of the batch.
    """

    def __init__(self, dispatcher: Dispatcher, recorder: Recorder, control: BatchControl) -> None:
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._control = control

    async def adopt(self, chunks: Chunks) -> None:
        """Follow single rows where they are. Settle chunks of several rows, which another kind of batch has sent."""
        indexes = {row.index for _, rows in chunks for row in rows.values()}
        group_of = await asyncio.to_thread(self._dispatcher.groups.of_rows, indexes)
        to_settle: list[tuple[SentChunk, Mapping[int, PlannedRow]]] = []
        self._warn_of_others(((chunk, len(rows)) for chunk, rows in chunks), "run again")
        for chunk, rows in chunks:
            server = self._dispatcher.servers.get(chunk.server)
            if server is None:
                continue
            for row in rows.values():
                self._recorder.sent(row)
            if len(chunk.rows) > 1 or self._control.is_canceled:
                to_settle.append((chunk, rows))
                continue
            for row in rows.values():
                self._dispatcher.follow(server, Attempt(row, group_of[row.index], chunk.batch_id))
        await self._settle(to_settle)

    async def withdraw(self, chunks: Sequence[tuple[SentChunk, int]]) -> None:
        """Cancel chunks, given with the numbers of their rows without an outcome."""
        self._warn_of_others(chunks, "not canceled there")
        await self._settle([(chunk, {}) for chunk, _ in chunks if self._dispatcher.servers.get(chunk.server)])

    def _warn_of_others(self, chunks: Iterable[tuple[SentChunk, int]], what: str) -> None:
        elsewhere = Counter[str]()
        for chunk, count in chunks:
            if self._dispatcher.servers.get(chunk.server) is None:
                elsewhere[chunk.server] += count
        for url, count in elsewhere.items():
            logger.warning(
                "%s is not in the fleet: %d unfinished rows that were sent to it are %s", url or "a server", count, what
            )

    async def _settle(self, chunks: Chunks) -> None:
        """Record the results of chunks, and cancel the rest of them on the servers."""
        by_server: dict[str, list[tuple[SentChunk, Mapping[int, PlannedRow]]]] = {}
        for chunk, rows in chunks:
            by_server.setdefault(chunk.server, []).append((chunk, rows))
        await asyncio.gather(*(self._settle_on(url, some) for url, some in by_server.items()))

    async def _settle_on(self, url: str, chunks: Chunks) -> None:
        rows_of = {chunk.batch_id: dict(rows) for chunk, rows in chunks}
        server = self._dispatcher.servers.get(url)
        assert server is not None, "chunks of other servers were left out"
        answer = await self._asked(server, Settle(self._control.batch_id, [(chunk, [*rows]) for chunk, rows in chunks]))
        if isinstance(answer, Settled):
            for item_batch, place, ended in answer.ended:
                row = rows_of[item_batch].pop(place, None)
                if row is not None:
                    self._dispatcher.record(server, row, ended)
        else:
            logger.warning("%s did not answer; rows of the batch that it has may be run twice", url)
        for rows in rows_of.values():
            for row in rows.values():
                self._recorder.unsent(row, was_tried=False)

    async def _asked(self, server: Member, call: Settle) -> Answer | None:
        """Return the answer of a server; None if it is lost before it has answered."""
        answers: list[Answer] = []

        def answered(answer: Answer) -> None:
            answers.append(answer)
            self._control.notify()

        if server.status == "ready":
            self._dispatcher.call(server, call, answered)
        await self._control.until(lambda: bool(answers) or server.status != "ready" or self._control.is_over)
        return answers[0] if answers else None
