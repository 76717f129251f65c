"""The past events of a run, for consumers that start late."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator

from invokeai_py_client.wire.events import Event, GeneratorProgress

MOST_PROGRESS = 1000
"""The maximum number of progress events that are kept for a run. All other events are kept."""


class EventHistory:
    """The events of a run, in order. Only the latest preview image of each node is kept."""

    def __init__(self) -> None:
        self._events: dict[int, Event] = {}
        self._places = itertools.count()
        self._progress: deque[int] = deque()
        self._previews: dict[tuple[int, str], int] = {}
        self.dropped = 0

    def add(self, events: Iterable[Event]) -> None:
        """Append events."""
        for event in events:
            place = next(self._places)
            self._events[place] = event
            if isinstance(event, GeneratorProgress):
                self._progress.append(place)
                if len(self._progress) > MOST_PROGRESS:
                    del self._events[self._progress.popleft()]
                    self.dropped += 1
                if event.has_preview:
                    self._keep_preview(place, event)

    def __iter__(self) -> Iterator[Event]:
        # Other threads read while the engine appends; copying a dictionary is atomic.
        return iter(self._events.copy().values())

    def _keep_preview(self, place: int, event: GeneratorProgress) -> None:
        """Drop the preview before this one. Previews are by far the largest part of an event."""
        node = (event.item_id, event.invocation_id)
        before = self._previews.get(node, -1)
        earlier = self._events.get(before)
        if isinstance(earlier, GeneratorProgress):
            self._events[before] = earlier.without_preview()
        self._previews[node] = place
