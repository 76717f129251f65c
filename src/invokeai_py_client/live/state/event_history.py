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


class EventHistory:
    """The events of a run, in order. Only the latest preview image of each node is kept.

    Progress is kept apart, unread, until the history is read. Its place tells where it belongs among the other events.
    """

    __slots__ = ("_images", "_latest_image", "_length", "_others", "_progress", "dropped")

    def __init__(self) -> None:
        self._length = 0
        self._progress: deque[tuple[int, str, ItemProgress]] = deque()
        self._others: list[tuple[int, Event]] = []
        self._images: dict[int, Any] = {}
        self._latest_image: dict[tuple[int, str], int] = {}
        self.dropped = 0

    def add(self, events: Iterable[Event]) -> None:
        """Append events other than progress."""
        for event in events:
            self._others.append((self._length, event))
            self._length += 1

    def add_progress(self, report: ProgressReport, progress: ItemProgress) -> None:
        """Append the progress of a node."""
        place = self._length
        if report.image is not None:
            node = (report.item_id, report.invocation_id)
            # Images are by far the largest part of an event.
            self._images.pop(self._latest_image.get(node, -1), None)
            self._images[place] = report.image
            self._latest_image[node] = place
        # Plain tuples of texts and numbers: the garbage collector forgets them.
        self._progress.append((place, report.text, progress))
        self._length = place + 1
        if len(self._progress) > MOST_PROGRESS:
            self._images.pop(self._progress.popleft()[0], None)
            self.dropped += 1

    def __iter__(self) -> Iterator[Event]:
        # Other threads read while the engine appends. A copy is made at once; what was appended meanwhile is left out.
        length, images = self._length, self._images.copy()
        progress = (
            (place, unread_progress(text, images.get(place), counted)) for place, text, counted in self._progress.copy()
        )
        merged = heapq.merge(progress, self._others.copy(), key=itemgetter(0))
        return (event for place, event in merged if place < length)
