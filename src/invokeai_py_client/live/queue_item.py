"""What the client knows of a queue item at one moment, as its callers see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.wire.events import TERMINAL_STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOutput:
    """The output of one prepared node: `node_id` is the workflow's node, `result` what the server sent."""

    node_id: str
    invocation_id: str
    result: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem(ReadsAsMapping):
    """A queue item, built from pushed events: attributes that also read as a mapping.

    `progress_percentage` (0..100) is the whole item's: the nodes that are done and the current one's share.
    `current_step` of `total_steps` are those of the node that last told of steps, 0 before there is one. `error` is
    one line, None unless the item failed; `error_type`, `error_message` and `error_traceback` are the server's, and
    `error_node_id` and `error_node_type` say where it happened, if that is known. `outputs` are in the order in
    which the nodes ended; `boards` are the ids of the boards that they were told to use, by node id.

    `canceled_by` says who canceled a canceled item: `client` (this one), `server` (it was restarted while the item
    ran), or `unknown` (another client, or the web UI).

    `item["session"]` is the one part that events do not tell: it is fetched from the server when it is read.

    A run of several items is told of as one: the first item's ids, the worst status, all outputs.
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
    outputs: tuple[NodeOutput, ...] = field(default=(), repr=False)
    boards: Mapping[str, str] = field(default_factory=dict, repr=False)
    canceled_by: str | None = None
    fetch_session: Callable[[], Mapping[str, Any]] | None = field(default=None, repr=False, compare=False)

    @property
    def is_finished(self) -> bool:
        """Whether it has ended: completed, failed or canceled."""
        return self.status in TERMINAL_STATUSES

    @property
    def session(self) -> Mapping[str, Any]:
        """The item's graph execution state, as `GET /queue/{queue_id}/i/{item_id}` has it. One request each time.

        Raises:
            InvokeAIError: as any request; `NotFoundError` once the item is pruned.
        """
        if self.fetch_session is None:
            raise KeyError("session")
        return self.fetch_session()

    def keys(self) -> Collection[str]:
        """The names of all that events tell; `session`, which they do not, is read all the same."""
        return _KEYS

    def __getitem__(self, name: str) -> Any:
        """What is under a name.

        Raises:
            KeyError: nothing is.
        """
        if name == "session":
            return self.session
        return ReadsAsMapping.__getitem__(self, name)

    def __reduce__(self) -> tuple[Any, ...]:
        # What it knows travels to other processes; the way to ask for more belongs to this one's client.
        return _restore, ({name: getattr(self, name) for name in _KEYS},)


def _restore(known: dict[str, Any]) -> QueueItem:
    return QueueItem(**known)


_KEYS = tuple(f.name for f in fields(QueueItem) if f.name != "fetch_session")
