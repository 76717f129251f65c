"""The past events of a run, for consumers that start late."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from invokeai_py_client.wire.events import Event, GeneratorProgress

MOST_PROGRESS = 1000
"""The maximum number of progress events that are kept for a run. All other events are kept."""


class EventHistory:
    """The events of a run, in order. Only the latest preview image of each node is kept."""

    def __init__(self) -> None:
        self._events: dict[int, Event] = {}
        self._places = itertools.count()
        self._progress: dict[int, None] = {}
        self._latest: dict[tuple[int, str], int] = {}
        self.dropped = 0

    def add(self, events: Iterable[Event]) -> None:
        """Append events."""
        for event in events:
            place = next(self._places)
            self._events[place] = event
            if isinstance(event, GeneratorProgress):
                self._add_progress(place, event)

    def __iter__(self) -> Iterator[Event]:
        # Other threads read while the engine appends; copying a dictionary is atomic.
        return iter(self._events.copy().values())

    def _add_progress(self, place: int, event: GeneratorProgress) -> None:
        node = (event.item_id, event.invocation_id)
        before = self._latest.get(node, -1)
        earlier = self._events.get(before)
        if earlier is not None and earlier.raw.get("image"):
            # Previews are by far the largest part of an event.
            self._events[before] = replace(earlier, raw={**earlier.raw, "image": None})
        self._latest[node] = place
        self._progress[place] = None
        if len(self._progress) > MOST_PROGRESS:
            oldest = next(iter(self._progress))
            del self._progress[oldest], self._events[oldest]
            self.dropped += 1
