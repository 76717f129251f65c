"""What is asked of a server of a fleet, and its answers. Plain data: they travel between processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from invokeai_py_client.batch.batch_options import WhichImages
from invokeai_py_client.batch.journal import SentChunk
from invokeai_py_client.fleet.status import AskStatus, ServerStatus
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.live.state.queue_item import QueueItem

AwayKind = Literal["dead", "hung", "stopped", "refused", "worker"]
"""Why a server cannot be used: it refuses connections, it gives no answer, it runs no items any more, it refuses this
user or is not an InvokeAI server, or what speaks to it (a Dask worker) is gone."""


# Calls


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make a plan ready to run.

    Attributes:
        batch_id: the batch that runs the plan.
        plan: the text of the plan's file.
        folder: what the paths in it are relative to.
        queue_id: the queue that is used.
        priority: of each row.
        images: which images of a row are fetched.
        groups: the number of each group, with the index of its first row: whether they can run is checked.
    """

    batch_id: str
    plan: bytes
    folder: str
    queue_id: str
    priority: Priority
    images: WhichImages
    groups: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class RunRow:
    """Run a row, or follow it if it is in the queue already, and fetch its images.

    Attributes:
        batch_id: the batch.
        index: the row.
        row_id: its id.
        item_batch: the id of the row's own batch in the server's queue, which no other row has.
    """

    batch_id: str
    index: int
    row_id: str
    item_batch: str


@dataclass(frozen=True, slots=True)
class Look:
    """Tell how rows are doing that are being run. `item_batches` are the ids of their batches in the queue."""

    batch_id: str
    item_batches: Sequence[str]


@dataclass(frozen=True, slots=True)
class Settle:
    """Fetch what was done of batches in the server's queue, and cancel the rest.

    Attributes:
        batch_id: the batch.
        chunks: what was sent, each with the places of the rows that are asked about.
    """

    batch_id: str
    chunks: Sequence[tuple[SentChunk, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel rows, also those that are not sent yet. `item_batches` are the ids of their batches in the queue."""

    batch_id: str
    item_batches: Sequence[str]


@dataclass(frozen=True, slots=True)
class ComeBack:
    """Wait until the server answers, for at most so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Forget:
    """Forget a batch that is over."""

    batch_id: str


Call = Prepare | RunRow | Look | Settle | Cancel | ComeBack | Forget | AskStatus


# Answers


class Done(NamedTuple):
    """The call was carried out."""


class Ready(NamedTuple):
    """A plan can be run.

    Attributes:
        slots: how many rows the server runs at the same time.
        unable: the groups that it cannot run, with the reason, in one line.
        device: the name of what it computes on, such as `NVIDIA GeForce RTX 4090`; empty if it does not tell.
    """

    slots: int
    unable: Mapping[int, str]
    device: str = ""


class Away(NamedTuple):
    """The server cannot be used.

    Attributes:
        kind: why.
        why: the same in words.
    """

    kind: AwayKind
    why: str


class Refused(NamedTuple):
    """The row cannot run on this server. Nothing was sent."""

    why: str


class Unprepared(NamedTuple):
    """The batch is not known here, such as after a restart of the process: it must be prepared first."""


class Ended(NamedTuple):
    """A row has ended.

    Attributes:
        item: the queue item that has run it.
        images: the content of its images by name, or the reason why it cannot be had.
        was_there: whether it was in the queue before the call.
    """

    item: QueueItem
    images: Mapping[str, bytes | str]
    was_there: bool


class Looks(NamedTuple):
    """How a row is doing: its status, `unknown` if it is not in the queue or has ended, and its progress in percent."""

    status: str
    progress: float


class Seen(NamedTuple):
    """How rows are doing, by the ids of their batches in the queue, and how many items of others are before them."""

    rows: Mapping[str, Looks]
    others: int


class Settled(NamedTuple):
    """The rows that had run, each with the id of the batch and its place in it. All others are canceled."""

    ended: Sequence[tuple[str, int, Ended]]


Answer = Done | Ready | Away | Refused | Unprepared | Ended | Seen | Settled | ServerStatus
