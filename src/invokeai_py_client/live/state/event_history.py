"""The past events of a run, for consumers that start late."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from invokeai_py_client.wire.events import Event, ItemProgress, ProgressReport, unread_progress

MOST_PROGRESS = 1000
"""The maximum number of progress events that are kept for a run. All other events are kept."""

_VALUES = 5
"""The number of values that are kept of a progress event."""


class EventHistory:
    """The events of a run, in order. Only the latest preview image of each node is kept.

    Progress is kept apart, unread, until the history is read. It is numbered, and each of the other events has the
    number of the next progress event.
    """

    __slots__ = ("_images", "_others", "_progress", "_reported")

    def __init__(self) -> None:
        self._reported = 0
        # Texts and numbers without tuples around them: a tuple for each event of thousands of runs would make the
        # garbage collector walk over memory that the processor's caches do not hold.
        self._progress: deque[Any] = deque(maxlen=_VALUES * MOST_PROGRESS)
        self._others: list[tuple[int, Event]] = []
        self._images: dict[tuple[int, str], tuple[int, Any]] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Append events other than progress."""
        self._others += [(self._reported, event) for event in events]

    def add_progress(self, report: ProgressReport, progress: ItemProgress) -> None:
        """Append the progress of a node."""
        number = self._reported
        if report.image is not None:
            # Images are by far the largest part of an event. The oldest is the first.
            node = (report.item_id, report.invocation_id)
            self._images.pop(node, None)
            self._images[node] = (number, report.image)
            while self._images[oldest := next(iter(self._images))][0] <= number - MOST_PROGRESS:
                del self._images[oldest]
        self._progress.extend((number, report.text, *progress))
        self._reported = number + 1

    def __iter__(self) -> Iterator[Event]:
        # Other threads read while the engine appends. A copy is made at once; what was appended meanwhile is left out.
        reported, others = self._reported, self._others.copy()
        values, images = iter(self._progress.copy()), dict(self._images.copy().values())
        progress = (
            (number, unread_progress(text, images.get(number), (percentage, step, total)))
            for number, text, percentage, step, total in zip(*[values] * _VALUES, strict=True)
            if number < reported
        )
        merged = heapq.merge(others, progress, key=itemgetter(0))
        return (event for number, event in merged if number <= reported)
