"""Queue items and the outputs of their nodes, in the form that users of the client get."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, overload

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.wire.events import TERMINAL_STATUSES
from invokeai_py_client.workflow.outputs import NodePath, NodeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOutput:
    """The output of one prepared node.

    `node_id` is the node's id in the workflow, `invocation_id` that of its prepared copy, `result` the output as the
    server sent it, and `item_id` the queue item that ran the node. `node_type` is empty if it is unknown.
    """

    node_id: str
    invocation_id: str
    result: Mapping[str, Any] = field(repr=False)
    item_id: int = 0
    node_type: str = ""
    is_intermediate: bool = True


class OutputsSoFar(Sequence[NodeOutput]):
    """The outputs of a run at one moment: item by item, those of one item in the order in which its nodes ended.

    Creating one takes constant time: it stores the length of the list, and sorts the outputs when they are first read.

    Args:
        outputs: a list that is only appended to.
    """

    __slots__ = ("_count", "_ordered", "_outputs")

    def __init__(self, outputs: list[NodeOutput]) -> None:
        self._outputs = outputs
        self._count = len(outputs)
        self._ordered: tuple[NodeOutput, ...] | None = None

    def _in_order(self) -> tuple[NodeOutput, ...]:
        if self._ordered is None:
            self._ordered = tuple(sorted(self._outputs[: self._count], key=attrgetter("item_id")))
        return self._ordered

    @overload
    def __getitem__(self, index: int) -> NodeOutput: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[NodeOutput, ...]: ...
    def __getitem__(self, index: int | slice) -> NodeOutput | tuple[NodeOutput, ...]:
        return self._in_order()[index]

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._in_order() == tuple(other)

    def __repr__(self) -> str:
        return repr(self._in_order())

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (self._in_order(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem(ReadsAsMapping):
    """A queue item, built from pushed events: attributes that also read as a mapping.

    `progress_percentage` (0..100) estimates the elapsed part of the item's run time. Each node is weighted by its
    expected duration: that of its type in earlier runs of this client, else a built-in estimate (a denoising step
    counts for more than a whole simple node). It never decreases, and is 100 only once the item has completed; an item
    that fails or is canceled keeps the percentage that it had reached.

    `current_step` and `total_steps` are those of the node that last reported steps, 0 before that. `error` is one line,
    None unless the item failed; `error_type`, `error_message` and `error_traceback` are the server's, and
    `error_node_id` and `error_node_type` name the failed node, if it is known. For an error in a called workflow, they
    name the node of that workflow, and `error_call_path` has the ids of the call nodes that lead to it. `outputs` are
    in the order in which the nodes ended; `boards` has the ids of the boards that the nodes save to, by node id.

    `canceled_by` is the origin of a cancellation: `client` (this client), `server` (it was restarted while the
    item ran), or `unknown` (another client, or the web UI).

    `item["session"]` is not contained in events: reading it calls `fetch_session`.

    `children` are the items of the workflows that a run calls, directly or indirectly, in the order in which the server
    created them. A child has the item that called it as `parent_item_id`, and the ids of the call nodes that lead to
    it, the outermost first, as `call_path`; both are set once its record was fetched.

    A run of several items is shown as one: the first item's ids, the worst status, the mean of the percentages, and
    all outputs.
    """

    item_id: int
    batch_id: str
    queue_id: str
    status: str = "pending"
    session_id: str | None = None
    progress_percentage: float = 0.0
    current_step: int = 0
    total_steps: int = 0
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    error: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = field(default=None, repr=False)
    error_node_id: str | None = None
    error_node_type: str | None = None
    outputs: Sequence[NodeOutput] = field(default=(), repr=False)
    boards: Mapping[str, str] = field(default_factory=dict, repr=False)
    canceled_by: str | None = None
    parent_item_id: int | None = None
    call_path: tuple[str, ...] = ()
    error_call_path: tuple[str, ...] = ()
    children: tuple[QueueItem, ...] = field(default=(), repr=False)
    session_fetcher: Callable[[], Mapping[str, Any]] | None = field(default=None, repr=False, compare=False)

    @property
    def is_finished(self) -> bool:
        """Whether the item has ended: completed, failed or canceled."""
        return self.status in TERMINAL_STATUSES

    def fetch_session(self) -> Mapping[str, Any]:
        """Fetch the item's graph execution state. Sends one request each time; `run.aio.fetch_session` is awaited.

        Endpoint: GET /api/v1/queue/{queue_id}/i/{item_id}

        Raises:
            KeyError: the item was not made by a client of this process.
            InvokeAIError: a request failed; `NotFoundError` if the item was pruned.
        """
        if self.session_fetcher is None:
            raise KeyError("session")
        return self.session_fetcher()

    def _names(self) -> Collection[str]:
        """Return the keys of the mapping. `session`, which needs a request, is not among them, but can be read."""
        return _KEYS

    def __getitem__(self, name: str) -> Any:
        """Return an attribute, or the session, by name.

        Raises:
            KeyError: there is no such attribute.
        """
        if name == "session":
            return self.fetch_session()
        return ReadsAsMapping.__getitem__(self, name)

    def __reduce__(self) -> tuple[Any, ...]:
        # `fetch_session` belongs to the client of this process and is not pickled.
        return _restore, ({name: getattr(self, name) for name in _KEYS},)


def called_results(item: QueueItem) -> Iterator[NodeResult]:
    """Yield the outputs of the nodes of called workflows, child by child."""
    for child in item.children:
        yield from own_results(child)


def own_results(item: QueueItem) -> Iterator[NodeResult]:
    """Yield the outputs of the item's own nodes, with the boards that they save to."""
    for output in item.outputs:
        yield NodeResult(
            path=NodePath(output.node_id, item.call_path),
            node_type=output.node_type,
            is_intermediate=output.is_intermediate,
            result=output.result,
            board_id=item.boards.get(output.node_id),
        )


def _restore(known: dict[str, Any]) -> QueueItem:
    return QueueItem(**known)


_KEYS = tuple(f.name for f in fields(QueueItem) if f.name != "session_fetcher")
