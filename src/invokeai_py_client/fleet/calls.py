"""The calls to the agent of a server, and its answers. They are plain data, because they are sent between processes."""

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
"""Why a server cannot be used: it refuses connections (`dead`), does not respond (`hung`), no longer runs items
(`stopped`), refuses this user or is not an InvokeAI server (`refused`), or its Dask worker is gone (`worker`)."""


# Calls


@dataclass(frozen=True, slots=True)
class Prepare:
    """Load a plan, and check which of its rows the server can run.

    Attributes:
        batch_id: the batch that runs the plan.
        plan: the text of the plan's file.
        folder: the folder that the paths in it are relative to.
        queue_id: the queue to use.
        priority: the priority of each row.
        images: which images of a row are fetched.
        groups: the groups to check, each as its number and the index of its first row.
        sent: rows up to this number may have been sent to the server before.
    """

    batch_id: str
    plan: bytes
    folder: str
    queue_id: str
    priority: Priority
    images: WhichImages
    groups: Sequence[tuple[int, int]]
    sent: int = 0


@dataclass(frozen=True, slots=True)
class RunRow:
    """Run a row, or follow it if it is in the queue already, and fetch its images.

    A call may be repeated by the driver, and carried out twice by Dask. The agent asks the server whether the row is in
    the queue, unless the number of the row is higher than all before: then it cannot have been sent.

    Attributes:
        batch_id: the batch.
        index: the index of the row.
        row_id: its id.
        item_batch: the id of the row's own batch in the server's queue, which no other row has.
        number: grows with each row that is handed out; 0 for a row of an earlier start of the batch.
    """

    batch_id: str
    index: int
    row_id: str
    item_batch: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """Return the progress of rows. `item_batches` are the ids of their batches in the queue."""

    batch_id: str
    item_batches: Sequence[str]


@dataclass(frozen=True, slots=True)
class Settle:
    """Cancel chunks that were sent earlier, and return the rows in them that had run already.

    Attributes:
        batch_id: the batch.
        chunks: the chunks, each with the places of the rows whose results are wanted.
    """

    batch_id: str
    chunks: Sequence[tuple[SentChunk, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel rows, including those that are not sent yet, and those that the agent does not know after a restart.

    Attributes:
        batch_id: the batch.
        item_batches: the ids of the rows' own batches in the queue.
        queue_id: the queue.
    """

    batch_id: str
    item_batches: Sequence[str]
    queue_id: str


@dataclass(frozen=True, slots=True)
class ComeBack:
    """Wait until the server responds, for at most `seconds`."""

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
        slots: how many rows the server runs at the same time; if that is not certain, the most that it may run.
        unable: the numbers of the groups that it cannot run, each with the reason in one line.
        device: the names of its devices, such as `NVIDIA GeForce RTX 4090`; empty if it does not report them.
        is_certain: whether the number of slots is certain.
    """

    slots: int
    unable: Mapping[int, str]
    device: str = ""
    is_certain: bool = True


class Away(NamedTuple):
    """The server cannot be used.

    Attributes:
        kind: the reason.
        why: the reason in words.
    """

    kind: AwayKind
    why: str


class Refused(NamedTuple):
    """The row cannot run on this server. Nothing was sent."""

    why: str


class Unprepared(NamedTuple):
    """The agent does not know the batch, because its process was restarted, for example: send `Prepare` first."""


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
    """The status of a row (`unknown` if it is not in the queue or has ended), and its progress in percent."""

    status: str
    progress: float


class Seen(NamedTuple):
    """The progress of rows, by the ids of their batches in the queue, and the number of other items in the queue."""

    rows: Mapping[str, Looks]
    others: int


class Settled(NamedTuple):
    """The rows that had run, each with the id of its batch in the queue and its place there. The rest was canceled."""

    ended: Sequence[tuple[str, int, Ended]]


Answer = Done | Ready | Away | Refused | Unprepared | Ended | Seen | Settled | ServerStatus
