"""A run at one moment, for any thread."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from invokeai_py_client.live.state.queue_item import OutputsSoFar, QueueItem

if TYPE_CHECKING:
    from invokeai_py_client.live.state.run_state import RunState


class RunFacts(NamedTuple):
    """What of a run stays as it is while its nodes report their progress.

    `base` is the queue item that the rest is added to. `sessions` and `called` are lists that are only appended to; the
    first `session_count` and `called_count` elements belong to the snapshot.
    """

    base: QueueItem
    status: str
    started_at: str | None
    completed_at: str | None
    item_ids: tuple[int, ...]
    is_finished: bool
    outputs: OutputsSoFar
    sessions: list[tuple[int, str]]
    session_count: int
    called: list[RunState]
    called_count: int

    @property
    def is_completed(self) -> bool:
        """Whether every item has completed."""
        return self.is_finished and self.status == "completed"


class RunSnapshot(NamedTuple):
    """A run at one moment. Immutable, so that any thread may read it."""

    facts: RunFacts
    progress_percentage: float
    current_step: int
    total_steps: int

    def item(self) -> QueueItem:
        """Return the run as one queue item."""
        facts = self.facts
        return replace(
            facts.base,
            status=facts.status,
            progress_percentage=self.progress_percentage,
            current_step=self.current_step,
            total_steps=self.total_steps,
            started_at=facts.started_at,
            completed_at=facts.completed_at,
            outputs=facts.outputs,
            children=self.children(),
        )

    def children(self) -> tuple[QueueItem, ...]:
        """Return the items of called workflows as they are when this is called, in the order of their ids."""
        items = (state.snapshot.item() for state in self.facts.called[: self.facts.called_count])
        return tuple(sorted(items, key=attrgetter("item_id")))

    def session_ids(self) -> tuple[str, ...]:
        """Return the known session ids, in the order of the items."""
        session_of = dict(self.facts.sessions[: self.facts.session_count])
        return tuple(session_of[item_id] for item_id in sorted(session_of.keys() & {*self.facts.item_ids}))
