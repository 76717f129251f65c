"""Runs a batch on the servers of a fleet.

It takes the place of the sender and the follower of a batch on a single server. It knows servers only by their URLs,
and calls them only through a `Cluster`, so that a simulation can replace Dask and the servers.

Each row is its own batch in the server's queue, and the id of that batch is written to the journal before the row is
sent. A call that was lost can therefore be repeated: if the row is in the queue already, the call follows it, and
otherwise sends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from invokeai_py_client.batch.batch_options import BatchOptions
from invokeai_py_client.batch.control import BatchControl
from invokeai_py_client.batch.journal import ChunkIds, SentChunk, Start
from invokeai_py_client.batch.recorder import Recorder
from invokeai_py_client.batch.recovery import left_of
from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.batch.runner import Follows, Sends
from invokeai_py_client.errors import PlanError, TransportError
from invokeai_py_client.fleet.calls import Prepare
from invokeai_py_client.fleet.cluster import Cluster
from invokeai_py_client.fleet.dispatcher import Dispatcher, FleetPlan
from invokeai_py_client.fleet.row_groups import RowGroups
from invokeai_py_client.fleet.takeover import Takeover

JOINING = 15.0
"""Seconds to wait for all servers to say what they can run. After that, rows are sent to those that have."""

NO_SERVER = 60.0
"""Seconds to wait for the first worker of a cluster that has none."""


class FleetDriver:
    """Runs a batch on a fleet. It is the `Backend` of the batch, its sender and its follower.

    All methods run on the engine.

    Args:
        plan: the rows.
        text: the text of the plan's file.
        folder: the folder that the paths in the text are relative to.
        cluster: calls the servers.
    """

    def __init__(self, plan: FleetPlan, text: bytes, folder: str, cluster: Cluster) -> None:
        self._plan = plan
        self._text = text
        self._folder = folder
        self._cluster = cluster
        self._dispatcher: Dispatcher | None = None
        """None before the batch has started, and after its end."""

    # The backend of a batch

    def parts(self, options: BatchOptions, recorder: Recorder, control: BatchControl) -> tuple[Sends, Follows]:
        """Connect this driver to the other parts of the batch; see `Backend.parts`."""
        self._options = options
        self._recorder = recorder
        self._control = control
        self._ids = ChunkIds(control.batch_id)
        control.at_end(self._let_go)
        return self, self

    async def check(self) -> None:
        """Find out what each server can run.

        Raises:
            TransportError: no server can be used.
            PlanError: no server can run any row.
        """
        dispatcher = await self._started()
        groups, servers = dispatcher.groups, dispatcher.servers
        if not servers.ready:
            raise TransportError(
                f"No server of the fleet can be used: {servers.why_none()}.",
                url="",
                hint="Start one, and submit the plan again. Nothing was sent.",
            )
        if len(groups) and len(groups.impossible([server.url for server in servers])) == len(groups):
            raise PlanError(
                f"No server of the fleet can run the plan: {groups.why_not(0)}.",
                hint="Install what is missing on one of them, and submit the plan again. Nothing was sent.",
            )

    async def withdraw(self, chunks: Sequence[SentChunk]) -> None:
        """Cancel what an earlier batch has sent; see `Backend.withdraw`."""
        ended = await asyncio.to_thread(self._recorder.folder.manifest.chunks_of)
        await (await self._takeover()).withdraw(left_of(chunks, ended))

    async def adopt(self, sent: Sequence[tuple[SentChunk, dict[int, PlannedRow]]]) -> None:
        """Continue with the rows that were sent earlier; see `Backend.adopt`."""
        await (await self._takeover()).adopt(sent)

    async def _takeover(self) -> Takeover:
        return Takeover(await self._started(), self._recorder, self._control)

    async def _started(self) -> Dispatcher:
        """Wait until the servers have said what they can run."""
        control = self._control
        if self._dispatcher is None:
            groups = await asyncio.to_thread(lambda: RowGroups(self._plan.groups_and_models()))
            prepare = partial(self._prepare, groups.firsts())
            self._dispatcher = Dispatcher(
                self._plan, groups, self._cluster, prepare, self._options, self._recorder, control, self._ids
            )
            self._dispatcher.start()
            if not [*self._dispatcher.servers]:
                await control.until(self._dispatcher.servers.have_said, NO_SERVER)
        dispatcher = self._dispatcher
        await control.until(dispatcher.servers.have_said, JOINING)
        return dispatcher

    def _prepare(self, firsts: Sequence[tuple[int, int]]) -> Prepare:
        return Prepare(
            self._control.batch_id,
            self._text,
            self._folder,
            self._options.queue_id,
            self._options.priority,
            "none" if self._recorder.folder.path is None else self._options.images,
            firsts,
            self._ids.count,
        )

    def _let_go(self) -> None:
        """Stop using the servers. Failed rows may be run again later, by another dispatcher."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
            self._dispatcher = None

    # The sender and the follower of a batch

    @property
    def is_sending(self) -> bool:
        """Whether rows are being written to the journal, which happens before they are sent."""
        return self._dispatcher is not None and self._dispatcher.is_writing

    @property
    def unfinished_part(self) -> float:
        """The part of the running rows that is done, in rows."""
        dispatcher = self._dispatcher
        return 0.0 if dispatcher is None else dispatcher.unfinished_part

    def give_up(self) -> None:
        """Do nothing: no rows are held back here."""

    def write_start(self) -> None:
        """Write to the journal that the batch starts, or starts again; see `Sends.write_start`."""
        options, batch_id = self._options.saved(), self._control.batch_id
        self._recorder.folder.journal.started(Start(self._plan.workflow, options, batch_id))

    async def send_unsent(self) -> None:
        """Hand out the rows that are unsent, until each has a server or the batch is canceled."""
        dispatcher, control, table = await self._started(), self._control, self._recorder.table
        if dispatcher.must_fill:
            await dispatcher.fill()
        while table.unsent and not control.is_canceled:
            await control.until(
                lambda: (
                    control.is_canceled or dispatcher.must_fill or (dispatcher.may_hand_out and not control.is_paused)
                )
            )
            if dispatcher.must_fill:
                return
            await dispatcher.hand_out()

    async def cancel(self) -> None:
        """Cancel what was sent and has not ended; see `Follows.cancel`."""
        if self._dispatcher is not None:
            await self._dispatcher.cancel()
